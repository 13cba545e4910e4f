"""Signed notes: https://c2sp.org/signed-note, with Ed25519.

A verifier key is one line, `NAME+ID+KEY`: the name of who signs, eight hexadecimal digits, and the public key in
base64 behind a byte that tells the algorithm. The ID is a hash of the other two.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import ClassVar, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from landfast.tlog.errors import TlogError

_DASH = "\u2014 "
_KEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+(\S+)")
_KEY_BYTES = 32


@dataclass(frozen=True)
class VerifierKey:
    """Who signs, and the raw public key."""

    #: The byte that tells the algorithm, and what a key of it is called.
    KIND: ClassVar[bytes] = b"\x01"
    WHAT: ClassVar[str] = "an Ed25519 verifier key"

    name: str
    public: bytes

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(self.KIND + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises TlogError unless `text` is a verifier key whose ID is right."""
        found = _KEY.fullmatch(text.strip())
        key = _decoded(found[3]) if found else b""
        if not found or key[:1] != cls.KIND or len(key) != 1 + _KEY_BYTES:
            raise TlogError(f"{text.strip()[:80]!r} is not {cls.WHAT}: NAME+ID+KEY in one line is expected")
        made = cls(found[1], key[1:])
        if made.id.hex() != found[2]:
            raise TlogError(f"verifier key of {made.name}: its ID is {found[2]}, expected {made.id.hex()}")
        return made

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + self.KIND + self.public).digest()[:4]

    def text_of(self, note: bytes) -> str:
        """The text of a note. Raises TlogError unless this key has signed it; signatures of other keys are ignored."""
        if not self.signatures(note):
            raise TlogError(f"a note that {self} has not signed")
        return _parts(note)[0]

    def signatures(self, note: bytes) -> list[bytes]:
        """Those of this key that a note carries. Raises TlogError when one of them is wrong."""
        text, signatures = _parts(note)
        mine = [signature[4:] for name, signature in signatures if (name, signature[:4]) == (self.name, self.id)]
        try:
            for signature in mine:
                self._verify(text, signature)
        except InvalidSignature:
            raise TlogError(f"a note with a wrong signature of {self}") from None
        return mine

    def line(self, signature: bytes) -> str:
        """The line by which a note carries a signature of this key."""
        return f"{_DASH}{self.name} {base64.b64encode(self.id + signature).decode()}\n"

    def _verify(self, text: str, signature: bytes) -> None:
        """Raises InvalidSignature."""
        Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())


@dataclass(frozen=True)
class NoteSigner:
    """Signs notes under a name."""

    name: str
    key: Ed25519PrivateKey

    @property
    def verifier(self) -> VerifierKey:
        return VerifierKey(self.name, self.key.public_key().public_bytes_raw())

    def sign(self, text: str) -> bytes:
        """The note. `text` ends with a newline."""
        return f"{text}\n{self.verifier.line(self.key.sign(text.encode()))}".encode()


def _parts(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """Text and signatures: (name, ID and signature)."""
    try:
        text, blank, rest = note.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        blank = ""
    if not blank or not rest.endswith("\n") or any(letter < " " and letter != "\n" for letter in text):
        raise TlogError("not a signed note: text, a blank line and lines of signatures are expected")
    return f"{text}\n", [_signature(line) for line in rest.removesuffix("\n").split("\n")]


def _signature(line: str) -> tuple[str, bytes]:
    dash, name, signature = line[: len(_DASH)], *line[len(_DASH) :].partition(" ")[::2]
    if dash != _DASH or not name or len(_decoded(signature)) < 5:
        raise TlogError(f"a signed note with the line {line[:80]!r} instead of a signature")
    return name, _decoded(signature)


def _decoded(text: str) -> bytes:
    """Base64 in its one canonical form, else nothing: no two texts mean the same."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return b""
    return data if base64.b64encode(data).decode() == text else b""
