"""The active policy slot of the kernel, read entry by entry: what `explain` decides from."""

import os

from landfast.policy.layout import DEST, GRANT, INDEX, INSTANT, POLICY, TIMED_SET
from landfast_agent import libbpf
from landfast_agent.errors import Refused
from landfast_agent.maps import Maps

_SLOTS = 2


class KernelSlot:
    """A `landfast.policy.lookup.Slot` over pinned maps; the kernel's own tries do the longest-prefix search."""

    def __init__(self, maps: Maps) -> None:
        generation = maps.control.get("generation")
        if not generation:
            raise Refused("no policy is in force: every tagged process is denied everything")
        self._maps, self._slot = maps, generation % _SLOTS

    def policy(self) -> bytes:
        return self._element("policies", self._slot, POLICY.size)

    def dest(self, key: bytes) -> bytes | None:
        return self._inner("dests", key, DEST.size)

    def port(self, key: bytes) -> bytes | None:
        return self._inner("ports", key, GRANT.size)

    def unix_peer(self, key: bytes) -> bytes | None:
        return self._inner("unix_peers", key, GRANT.size)

    def timed_set(self, index: int) -> bytes:
        return self._element("timed_sets", self._at("timed_sets", index), TIMED_SET.size)

    def instant(self, index: int) -> bytes:
        return self._element("instants", self._at("instants", index), INSTANT.size)

    def _at(self, name: str, index: int) -> int:
        return self._slot * (libbpf.map_info(self._maps.fd(name)).max_entries // _SLOTS) + index

    def _element(self, name: str, index: int, size: int) -> bytes:
        return libbpf.map_lookup(self._maps.fd(name), INDEX.pack(index), size) or bytes(size)

    def _inner(self, name: str, key: bytes, size: int) -> bytes | None:
        identity = libbpf.map_lookup(self._maps.fd(name), INDEX.pack(self._slot), 4)
        if identity is None:
            return None
        fd = libbpf.map_get_fd_by_id(INDEX.unpack(identity)[0])
        try:
            return libbpf.map_lookup(fd, key, size)
        finally:
            os.close(fd)
