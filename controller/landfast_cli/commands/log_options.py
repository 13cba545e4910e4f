"""What commands about the published log have in common."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from landfast_cli.commands.options import File

if TYPE_CHECKING:
    from landfast.tlog.note import VerifierKey

F = TypeVar("F", bound=Callable[..., Any])

Directory = click.Path(file_okay=False, path_type=Path)

key = click.option(
    "--key", type=File, metavar="F", help="The log's key (log.pub). [default: the one that login has remembered]"
)


def witnesses(command: F) -> F:
    """`--witness` and `--witnesses-needed`: whose cosignatures are required, as the parameter `required`."""

    @wraps(command)
    def requiring(*args: Any, keys: tuple[str, ...], needed: int | None, **rest: Any) -> Any:
        from landfast_cli import witnessed

        return command(*args, required=witnessed.required(keys, needed), **rest)

    needed = click.option(
        "--witnesses-needed", "needed", type=click.IntRange(min=1), metavar="N", help="How many of them. [default: all]"
    )
    keys = click.option(
        "--witness",
        "keys",
        multiple=True,
        metavar="KEY",
        help="Require the cosignature of this witness (its key, or a file with it); several times for several.",
    )
    return cast(F, keys(needed(requiring)))


@contextmanager
def judged() -> Iterator[None]:
    """What is wrong with the log is an answer, and it is no; what is pruned cannot be asked any more."""
    from landfast.tlog.errors import PrunedError, TlogError
    from landfast_cli.errors import AnswerIsNoError, CouldNotError

    try:
        yield
    except PrunedError as error:
        raise CouldNotError(str(error)) from None
    except TlogError as error:
        raise AnswerIsNoError(str(error)) from None


def known(key: Path | None) -> "VerifierKey":
    """The log's key. Raises BadInputError."""
    from landfast_cli import log_keys

    return log_keys.read(key, click.get_current_context().find_root().params["config"])
