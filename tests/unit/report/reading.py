"""Reports on logs that are in memory."""

from collections.abc import Collection, Sequence
from typing import Any

from landfast.audit.review import Expected
from landfast_cli.report.document import document
from landfast_cli.report.gathering import gather
from landfast_cli.report.period import Period
from tests.unit.tlog import naive

OCTOBER = Period.parse("2026-10-01", "2026-11-01")
KEY = naive.SIGNER.verifier


def report(
    entries: Sequence[bytes],
    period: Period = OCTOBER,
    roster: Collection[str] | None = None,
    silent_after_s: int = 3600,
) -> dict[str, Any]:
    """What the log proves about the period."""
    return report_of(naive.published(entries), period, roster, silent_after_s)


def report_of(
    files: dict[str, bytes], period: Period = OCTOBER, roster: Collection[str] | None = None, silent_after_s: int = 3600
) -> dict[str, Any]:
    """The same of a log that is published already."""
    expected = Expected(frozenset(roster) if roster is not None else None, silent_after_s)
    result, found = gather(naive.reader(files), KEY, expected, period, lambda *_: None)
    return document(result, found, KEY, roster)
