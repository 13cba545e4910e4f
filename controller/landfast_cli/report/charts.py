"""Geometry of the pictures on a page, in percent. Figures are rounded: the same on every machine."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from landfast.policy.times import parse_time

_DAYS = 400  # that have room beside each other

_TITLES = {"ALLOW": "Allowed", "DENY": "Denied", "WOULD_DENY": "Would be denied"}


def days(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A chart for each verdict that there was, each with its own scale; none for a period of very many days."""
    every = _days(document["period"])
    counts = {day["day"]: day for day in document["days"]}
    for verdict, title in _TITLES.items():
        found = [counts.get(day, {}).get(verdict, 0) for day in every]
        if any(found):
            bars = list(_bars(found, max(found)))
            yield {"kind": verdict, "title": title, "most": max(found), "bars": bars} | _ends(every)


def intervals(host: dict[str, Any], period: dict[str, str]) -> Iterator[dict[str, str]]:
    """Where in a period a host was silent."""
    for each in host["silences"]["rows"]:
        yield _interval(each["from"], each["to"], period)


def unknown(host: dict[str, Any], period: dict[str, str], newest: str) -> Iterator[dict[str, str]]:
    """Where in a period nobody can tell: before the host is in the log, and after the log's `newest` entry."""
    begun = host["enrolled"] or host["first"]
    if period["from"] < begun < period["to"]:
        yield _interval(period["from"], begun, period)
    if period["from"] < newest < period["to"]:
        yield _interval(newest, period["to"], period)


def _interval(since: str, until: str, period: dict[str, str]) -> dict[str, str]:
    begin, end = parse_time(period["from"]), parse_time(period["to"])
    at, to = ((parse_time(text) - begin) / (end - begin) * 100 for text in (since, until))
    return {"left": f"{at:.2f}", "width": f"{max(to - at, 0.1):.2f}"}


def _days(period: dict[str, str]) -> list[str]:
    """The period's days in UTC, also the first and last ones that are not whole."""
    first, last = date.fromisoformat(period["from"][:10]), date.fromisoformat(period["to"][:10])
    count = (last - first).days + (not period["to"].endswith("T00:00:00Z"))
    return [str(first + timedelta(days=number)) for number in range(count)] if count <= _DAYS else []


def _bars(counts: list[int], most: int) -> Iterator[dict[str, str]]:
    """A day with anything at all has a bar that can be seen."""
    width = 100 / len(counts)
    for number, count in enumerate(counts):
        if count:
            left, height = (number + 0.1) * width, max(100 * count / most, 2)
            yield {"left": f"{left:.2f}", "width": f"{0.8 * width:.2f}", "height": f"{height:.1f}"}


def _ends(every: list[str]) -> dict[str, str]:
    return {"first": every[0], "last": every[-1]}
