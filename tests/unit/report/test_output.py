"""Files of reports: what cannot be made is told before anything is read."""

import sys
from pathlib import Path

import pytest

from landfast_cli.errors import BadInputError, CouldNotError
from landfast_cli.report import output
from tests.unit.audit.stories import Story
from tests.unit.report.month import act, at
from tests.unit.report.reading import report


def test_a_library_that_is_missing_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(sys.modules, "landfast_cli.report.paper", raising=False)
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(CouldNotError, match=r"weasyprint.*landfast\[report\]"):
        output.writers([tmp_path / "month.pdf"])
    assert list(output.writers([tmp_path / "month.html"])) == [tmp_path / "month.html"]


@pytest.mark.parametrize("name", ["month", "month.docx", "month.pdf.gz"])
def test_an_ending_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInputError, match="choose one of these endings"):
        output.writers([tmp_path / name])


def test_a_file_that_came_in_between_is_not_overwritten(tmp_path: Path) -> None:
    story = Story(at("2026-12-01 00:00:00"))
    act(story, "LOG_PUBLISHED", "key")
    first, second = tmp_path / "a.html", tmp_path / "b.HTML"
    chosen = output.writers([first, second])
    second.write_text("somebody else's")
    with pytest.raises(BadInputError):
        output.write(report(story.entries), chosen)
    assert second.read_text() == "somebody else's"
