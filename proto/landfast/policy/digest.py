"""The digest of loaded tables: computed from a compiled policy and from a dump of the kernel maps alike."""

from collections.abc import Iterator, Mapping
from hashlib import sha256

from landfast.policy.entries import Entries, Entry
from landfast.policy.layout import INSTANT, POLICY

KEYED = ("dests", "ports", "unix_peers")
ARRAYS = ("timed_sets", "instants", "glob_rows", "glob_tags")
_DOMAIN = b"landfast policy tables 3\0"


def digest_of(maps: Mapping[str, Entries], policy: bytes, glob: bytes) -> bytes:
    """SHA-256 over one policy slot: entries of `KEYED` and `ARRAYS` in any order, struct lf_policy, struct lf_glob.

    Array keys are indices within the slot. The generation, the boot-time of instants and array entries that are zero
    do not count. Raises KeyError when a map is missing.
    """
    state = sha256(_DOMAIN)
    for value in _values(maps, policy, glob):
        state.update(len(value).to_bytes(8))
        state.update(value)
    return state.digest()


def _values(maps: Mapping[str, Entries], policy: bytes, glob: bytes) -> Iterator[bytes]:
    for name in KEYED + ARRAYS:
        entries = maps[name] if name in KEYED else Entries.of(_counted(name, maps[name]))
        yield from (name.encode(), entries.count.to_bytes(8), *_in_order(entries))
    yield from (_without_generation(policy), glob)


def _counted(name: str, entries: Entries) -> Iterator[Entry]:
    for key, value in entries:
        kept = value[: INSTANT.offset("boot_ns")] if name == "instants" else value
        if any(kept):
            yield key, kept


def _in_order(entries: Entries) -> tuple[bytes, bytes]:
    """Keys and values by key, whose 32-bit words are compared from the last to the first.

    A trie is dumped nearly in this order, which makes it the cheapest one.
    """
    import numpy as np

    if not entries.count:
        return b"", b""
    keys, values = (np.frombuffer(data, np.uint8).reshape(entries.count, -1) for data in (entries.keys, entries.values))
    order = np.lexsort(keys.view(">u4").T.astype("u4"))
    return keys[order].tobytes(), values[order].tobytes()


def _without_generation(policy: bytes) -> bytes:
    end = POLICY.offset("version")
    return bytes(end) + policy[end:]
