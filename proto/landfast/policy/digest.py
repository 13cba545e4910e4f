"""The digest of loaded tables: computed from a compiled policy and from a dump of the kernel maps alike."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256

from landfast.policy.layout import INSTANT, POLICY

Entry = tuple[bytes, bytes]  # key, value
KEYED = ("dests", "ports", "unix_peers")
ARRAYS = ("timed_sets", "instants", "glob_rows", "glob_tags")
_DOMAIN = b"landfast policy tables 2\0"


def digest_of(maps: Mapping[str, Iterable[Entry]], policy: bytes, glob: bytes) -> bytes:
    """SHA-256 over one policy slot: entries of `KEYED` and `ARRAYS` in any order, struct lf_policy, struct lf_glob.

    Array keys are indices within the slot. The generation, the boot-time of instants and array entries that are zero
    do not count. Raises KeyError when a map is missing.
    """
    state = sha256(_DOMAIN)
    for name in KEYED + ARRAYS:
        state.update(_encoded(name, sorted(_counted(name, maps[name]))))
    for value in (_without_generation(policy), glob):
        state.update(_sized(value))
    return state.digest()


def _counted(name: str, entries: Iterable[Entry]) -> Iterator[Entry]:
    for key, value in entries:
        kept = value[: INSTANT.offset("boot_ns")] if name == "instants" else value
        if name in KEYED or any(kept):
            yield key, kept


def _encoded(name: str, entries: list[Entry]) -> bytes:
    head = _sized(name.encode()) + len(entries).to_bytes(8)
    return head + b"".join(_sized(key) + _sized(value) for key, value in entries)


def _sized(value: bytes) -> bytes:
    return len(value).to_bytes(8) + value


def _without_generation(policy: bytes) -> bytes:
    end = POLICY.offset("version")
    return bytes(end) + policy[end:]
