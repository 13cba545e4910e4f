"""Private keys of new identities and tokens: made here, never sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from landfast.identity import Bundle, key_pem, new_key, signing_request
from landfast_cli.errors import BadInputError, CouldNotError


@dataclass(frozen=True)
class NewKey:
    """A key whose certificate is being asked for."""

    key: ec.EllipticCurvePrivateKey
    path: Path

    @property
    def request(self) -> bytes:
        return signing_request(self.key)

    def keep(self, certificate: bytes, authority: bytes, passphrase: str = "") -> None:
        """Writes the identity file, with its key encrypted if there is a passphrase."""
        made = Bundle(key_pem(self.key), certificate, authority)
        (made.sealed(passphrase) if passphrase else made).write(self.path)


@contextmanager
def new_key_at(path: Path) -> Iterator[NewKey]:
    """A key that is to be kept in the new file `path`; that it can be is found out before anything is asked for."""
    try:
        path.open("x").close()
    except FileExistsError:
        raise BadInputError(f"{path} exists; nothing is overwritten, choose another file") from None
    except OSError as error:
        raise CouldNotError(f"{path}: {error.strerror}; choose another file") from None
    try:
        yield NewKey(new_key(), path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
