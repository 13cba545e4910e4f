"""Reports on logs that are in memory."""

from collections.abc import Collection, Sequence
from typing import Any

from landfast.audit.review import Expected
from landfast_cli import verification
from landfast_cli.report.document import document
from landfast_cli.report.gathering import Gathering
from landfast_cli.report.period import Period
from landfast_cli.witnessed import Required
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
    files: dict[str, bytes],
    period: Period = OCTOBER,
    roster: Collection[str] | None = None,
    silent_after_s: int = 3600,
    required: Required = Required(),  # noqa: B008  # frozen
) -> dict[str, Any]:
    """The same of a log that is published already, with the cosignatures that are required."""
    found = Gathering(period, silent_after_s)
    expected = Expected(None if roster is None else dict.fromkeys(roster, frozenset()), silent_after_s)
    read = naive.reader(files)
    result = verification.verify(read, KEY, expected, lambda *_: None, required=required, audience=found.begin)
    found.end()
    return document(result, found, KEY, roster)
