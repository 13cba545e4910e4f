"""Configuration of the server, read once. Example of a file:

directory = "/var/lib/landfast-controller"
listen = "[::]:7443"
"""

from pathlib import Path

import msgspec

from landfast_controller.errors import BadInputError

DEFAULT_LISTEN = "[::]:7443"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`directory` is what `landfast-controller init` made; `listen` is an address and port, port 0 for any free one."""

    directory: Path
    listen: str = DEFAULT_LISTEN


def read(path: Path) -> Config:
    """Raises BadInputError naming the file and what is wrong with it."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Config, dec_hook=_path)
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise BadInputError(f"configuration {path}: {error}; the keys are directory and listen") from None


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"a path is expected, not {value!r}")
