"""Cosignatures of witnesses: https://c2sp.org/tlog-cosignature, version 1 with Ed25519.

A cosignature is a signature line of a checkpoint. It says that at its time this was the largest tree of the log that
the witness had seen, and that it goes on from every other that the witness had seen before.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from landfast.tlog.note import VerifierKey

#: The structure `timestamped_signature`.
_TIMESTAMPED = struct.Struct("!Q64s")
_LARGEST_TIME = 2**63 - 1


class WitnessKey(VerifierKey):
    """Who cosigns, and the raw public key."""

    KIND: ClassVar[bytes] = b"\x04"
    WHAT: ClassVar[str] = "a witness's key (Ed25519 cosignatures)"

    def cosigned_s(self, note: bytes) -> int | None:
        """When this witness has cosigned a checkpoint (last), in seconds since 1970; None if it has not.

        Raises TlogError for a wrong cosignature.
        """
        return max((_TIMESTAMPED.unpack(signature)[0] for signature in self.signatures(note)), default=None)

    def _verify(self, text: str, signature: bytes) -> None:
        if len(signature) != _TIMESTAMPED.size:
            raise InvalidSignature
        time_s, plain = _TIMESTAMPED.unpack(signature)
        if time_s > _LARGEST_TIME:
            raise InvalidSignature
        super()._verify(_message(time_s, text), plain)


@dataclass(frozen=True)
class Cosigner:
    """A witness's private key, and the name under which it cosigns."""

    name: str
    key: Ed25519PrivateKey

    @property
    def verifier(self) -> WitnessKey:
        return WitnessKey(self.name, self.key.public_key().public_bytes_raw())

    def cosign(self, text: str, time_s: int) -> str:
        """The signature line, over the text of a checkpoint: all of it, with lines that are not ours."""
        return self.verifier.line(_TIMESTAMPED.pack(time_s, self.key.sign(_message(time_s, text).encode())))


def joined(notes: Sequence[bytes], log: VerifierKey, witnesses: Iterable[WitnessKey]) -> bytes:
    """One note of several of one text: signed by the log, and by those of `witnesses` that have cosigned any of them.

    Of each key the newest signature is kept; what strangers have signed is dropped. Raises TlogError for wrong ones.
    """
    text = log.text_of(notes[0])
    lines = [log.line(log.signatures(notes[0])[-1])]
    for key in witnesses:
        mine = [signature for note in notes for signature in key.signatures(note)]
        lines += [key.line(max(mine))] if mine else []
    return f"{text}\n{''.join(lines)}".encode()


def _message(time_s: int, text: str) -> str:
    return f"cosignature/v1\ntime {time_s}\n{text}"
