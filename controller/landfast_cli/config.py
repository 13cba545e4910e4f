"""Which controller to talk to, and as whom: what `landfast login` remembers."""

import json
import os
from pathlib import Path

import msgspec

from landfast_cli.errors import BadInputError, CouldNotError

VARIABLE = "LANDFAST_CONFIG"


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`controller` is HOST:PORT, `identity` the path of an identity file; `key` that of a signing key, the PKCS#11 URI
    of one, or empty.
    """

    controller: str
    identity: str
    key: str = ""

    def signing_key(self) -> str:
        """Raises BadInputError when none is known."""
        if not self.key:
            raise BadInputError("no signing key is known; give one with --key, or to `landfast login`")
        return self.key


def default_path() -> Path:
    """The file named by LANDFAST_CONFIG, else the one in the user's configuration directory."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "landfast" / "config.toml"


def read(path: Path) -> Login:
    """Raises CouldNotError when nobody has logged in, BadInputError when the file is not as `write` makes it."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Login)
    except FileNotFoundError:
        raise CouldNotError(
            f"{path}: no controller is known; run `landfast login --controller HOST:PORT --identity F` first"
        ) from None
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise BadInputError(f"{path}: {error}; run `landfast login` again") from None


def write(path: Path, login: Login) -> None:
    """Replaces the file."""
    from landfast.identity import write_private

    lines = (f"{name} = {_quoted(getattr(login, name))}\n" for name in login.__struct_fields__)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, "".join(lines).encode())
    except OSError as error:
        raise CouldNotError(f"{path}: {error.strerror}; name another file with --config or {VARIABLE}") from None


def _quoted(text: str) -> str:
    """A TOML string: as JSON's, except that it may not hold DEL (https://toml.io/en/v1.0.0#string)."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
