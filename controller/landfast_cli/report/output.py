"""Where a report goes: files, in the format that their ending names."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from landfast_cli import files
from landfast_cli.errors import BadInputError, CouldNotError

Writer = Callable[[dict[str, Any]], str | bytes]


def writers(outs: Sequence[Path]) -> Mapping[Path, Writer]:
    """How each of the files is made. Raises before anything is read: BadInputError for a file that there is already, or
    has another ending; CouldNotError when a library is missing.
    """
    return {out: _writer(out) for out in outs}


def write(document: dict[str, Any], chosen: Mapping[Path, Writer]) -> None:
    """Makes all of them before it writes one."""
    for out, content in [(out, writer(document)) for out, writer in chosen.items()]:
        files.write_new(out, content)


def _writer(out: Path) -> Writer:
    if out.exists():
        raise BadInputError(f"{out} exists; nothing is overwritten, choose another file")
    try:
        return _FORMATS[out.suffix.lower()]()
    except KeyError:
        raise BadInputError(f"{out}: a report is a .html or a .pdf; choose one of these endings") from None
    except ImportError as error:
        raise CouldNotError(f"{out}: {error.msg}; install landfast[report] (packages: docs/audit.md)") from None
    except OSError as error:
        raise CouldNotError(f"{out}: {str(error).splitlines()[0]}; install Pango (libpangoft2-1.0-0)") from None


def _html() -> Writer:
    from landfast_cli.report.page import page

    return page


def _pdf() -> Writer:
    from landfast_cli.report.page import page
    from landfast_cli.report.paper import paper

    return lambda document: paper(page(document))


_FORMATS: Mapping[str, Callable[[], Writer]] = {".html": _html, ".pdf": _pdf}
