"""The definitions of RFC 6962 and of tlog-tiles, word by word and slow: what the quick ones are held against."""

import hashlib
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.cosignature import Cosigner
from landfast.tlog.note import NoteSigner
from landfast.tlog.tree import Read

SIGNER = NoteSigner("landfast.internal/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))

COSIGNER = Cosigner("partner.example/w1", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
OTHER_COSIGNER = Cosigner("other.example/w2", Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))))


def root(entries: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if len(entries) <= 1:
        return hashlib.sha256(b"\0" + entries[0]).digest() if entries else hashlib.sha256().digest()
    middle = 1
    while 2 * middle < len(entries):
        middle *= 2
    return hashlib.sha256(b"\1" + root(entries[:middle]) + root(entries[middle:])).digest()


def path(index: int, entries: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(entries) == 1:
        return []
    middle = 1
    while 2 * middle < len(entries):
        middle *= 2
    if index < middle:
        return [*path(index, entries[:middle]), root(entries[middle:])]
    return [*path(index - middle, entries[middle:]), root(entries[:middle])]


def consistency(old: int, entries: Sequence[bytes]) -> list[bytes]:
    """PROOF of RFC 6962, section 2.1.2."""
    return _subproof(old, entries, True) if old else []


def _subproof(old: int, entries: Sequence[bytes], known: bool) -> list[bytes]:
    if old == len(entries):
        return [] if known else [root(entries)]
    middle = 1
    while 2 * middle < len(entries):
        middle *= 2
    if old <= middle:
        return [*_subproof(old, entries[:middle], known), root(entries[middle:])]
    return [*_subproof(old - middle, entries[middle:], False), root(entries[:middle])]


def number(index: int) -> str:
    digits = f"{index:0{-(-len(str(index)) // 3) * 3}}"
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])


def published(entries: Sequence[bytes], signer: NoteSigner = SIGNER) -> dict[str, bytes]:
    """The whole log, by path."""
    level, files = 0, {}
    hashes = [root([entry]) for entry in entries]
    for begin in range(0, len(entries), 256):
        part = entries[begin : begin + 256]
        content = b"".join(len(entry).to_bytes(2, "big") + entry for entry in part)
        files[f"tile/entries/{number(begin // 256)}{_suffix(len(part))}"] = content
    while hashes:
        for begin in range(0, len(hashes), 256):
            hashes_of_tile = hashes[begin : begin + 256]
            files[f"tile/{level}/{number(begin // 256)}{_suffix(len(hashes_of_tile))}"] = b"".join(hashes_of_tile)
        level += 1
        count = len(entries) // 256**level
        hashes = [_pairwise(hashes[256 * at : 256 * at + 256]) for at in range(count)]
    return files | {"checkpoint": Checkpoint(signer.name, len(entries), root(entries)).sign(signer)}


def reader(files: dict[str, bytes]) -> Read:
    from landfast.tlog.errors import TlogError

    def read(where: str) -> bytes:
        if where not in files:
            raise TlogError(f"{where} is missing")
        return files[where]

    return read


def recording(read: Read) -> tuple[Read, list[str]]:
    """The same, with a list of what is asked for."""
    asked: list[str] = []
    noted: Callable[[str], None] = asked.append

    def ask(where: str) -> bytes:
        noted(where)
        return read(where)

    return ask, asked


def _suffix(width: int) -> str:
    return f".p/{width}" if width < 256 else ""


def _pairwise(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [hashlib.sha256(b"\1" + hashes[at] + hashes[at + 1]).digest() for at in range(0, len(hashes), 2)]
    return hashes[0]
