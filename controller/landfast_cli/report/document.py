"""A report as plain data: what `--json` prints, and what the page shows.

The same log, period and roster give the same data.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from importlib.metadata import version
from typing import Any

from landfast.audit.findings import Finding, Verdict
from landfast.event import printable
from landfast.flows import Omission
from landfast.tlog.note import VerifierKey
from landfast_cli.report import rows
from landfast_cli.report.coverage import Host
from landfast_cli.report.gathering import Gathering
from landfast_cli.report.period import NS
from landfast_cli.report.texts import told, utc
from landfast_cli.verification import Result, place

#: Folded events are told with their hosts.
_OMITTED = (Omission.CANARY, Omission.NOT_JUDGED, Omission.AGENT)


def document(result: Result, found: Gathering, key: VerifierKey, roster: Collection[str] | None) -> dict[str, Any]:
    begin, end = found.period.texts
    hosts = list(_hosts(result, found, roster))
    traffic, incidents, emergencies = found.traffic, found.incidents.ledger, found.emergencies.ledger
    return {
        "landfast": version("landfast"),
        "period": {"from": begin, "to": end},
        "log": _log(result, found, key),
        "witnesses": _witnesses(result, found),
        "holds": result.holds,
        "integrity": _verdict(result.integrity, found),
        "completeness": _verdict(result.review.completeness, found),
        "silent_after": found.coverage.silent_after_s,
        "roster": None if roster is None else len(roster),
        "decisions": {name: traffic.verdicts[name] for name in rows.VERDICTS},
        "hosts": hosts,
        "classes": rows.classes(traffic.classes),
        "days": rows.days(traffic),
        "flows": rows.flows(traffic.flows),
        "denials": rows.refusals(traffic.refusals, "DENY"),
        "would_deny": rows.refusals(traffic.refusals, "WOULD_DENY"),
        "incidents": rows.lives(incidents.lives(), incidents.lost),
        "changes": rows.lives(found.changes.lives(), found.changes.lost),
        "proved": {number: len(names) for number, names in sorted(found.changes.proved.items())},
        "emergencies": rows.lives(emergencies.lives(), emergencies.lost),
        "notices": rows.notices(found.notices),
        "actions": {name: rows.done(kept) for name, kept in found.actions.sections.items()},
        "counted_actions": dict(sorted(found.actions.counted.items())),
        "readers": rows.readers(found.actions.readers),
        "left_out": _left_out(result, found),
    }


def _log(result: Result, found: Gathering, key: VerifierKey) -> dict[str, Any]:
    checkpoint = result.checkpoint
    return {
        "origin": key.name,
        "key": str(key),
        "size": checkpoint.size if checkpoint else None,
        "root": checkpoint.root.hex() if checkpoint else None,
        "begin": result.review.begin,
        "oldest": utc(found.oldest_ns) if found.entries else None,
        "newest": utc(found.newest_ns) if found.entries else None,
        "first": found.first,
        "last": found.last,
        "begun": not result.review.begin or 0 < found.oldest_ns <= found.period.begin_ns,
        "ended": found.newest_ns >= found.period.end_ns,
    }


def _witnesses(result: Result, found: Gathering) -> dict[str, Any] | None:
    """Who was to cosign the log and who has, as far as that was asked; whether all of the period is covered."""
    required, covered = result.coverage.required, result.coverage.document()
    if not required.keys:
        return None
    cosigned = [each | {"time": utc(each["time"] * NS)} for each in covered["cosigned"]]
    return {
        "required": list(map(str, required.keys)),
        "needed": required.needed,
        "covers": covered["covers"],
        "cosigned": cosigned,
        "all": found.last is None or found.last < covered["covers"],
    }


def _verdict(verdict: Verdict, found: Gathering) -> dict[str, Any]:
    """Of the whole log. Findings tell whether they are about entries that hold something of the period."""
    findings = [
        each.document() | {"text": told(each.text), "place": told(place(each)), "in_period": _is_in(each, found)}
        for each in verdict.findings
    ]
    return verdict.document() | {"findings": findings}


def _is_in(finding: Finding, found: Gathering) -> bool | None:
    """None where a finding is about no single entry."""
    if finding.index is None or found.first is None or found.last is None:
        return None if finding.index is None else False
    return found.first <= finding.index <= found.last


def _hosts(result: Result, found: Gathering, roster: Collection[str] | None) -> Iterator[dict[str, Any]]:
    """Those that were enrolled before the end of the period or have events in it, and those of the roster."""
    known = {name for name, host in found.coverage.hosts.items() if host.enrolled_ns or host.first_ns}
    about: dict[str, Counter[str]] = {}
    for finding in result.review.completeness.findings:
        if finding.host and _is_in(finding, found):
            about.setdefault(finding.host, Counter())[finding.kind] += 1
    for name in sorted(known | set(roster or ())):
        host = found.coverage.hosts.get(name, Host(name))
        yield rows.host(host, roster is None or name in roster, about.get(printable(name), Counter()))


def _left_out(result: Result, found: Gathering) -> dict[str, int]:
    """What is in no other figure. What was pruned as announced is no entry that is left out."""
    size = result.checkpoint.size - result.review.begin if result.checkpoint else 0
    return {
        "entries": size - found.entries,
        "dated_ahead": found.ahead,
        "unknown": found.traffic.unknown,
        **{str(reason): found.traffic.omitted[reason] for reason in _OMITTED},
    }
