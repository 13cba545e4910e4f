"""Names of unix sockets, which do not fit into a record: the kernel keeps them in the map `unix_names`."""

from landfast.event import printable
from landfast.policy.layout import UNIX_NAME
from landfast_agent import libbpf
from landfast_agent.maps import Maps


class UnixNames:
    """Reads the names that records tell the keys of. The map is small: a name is to be read soon."""

    def __init__(self, maps: Maps) -> None:
        self._maps = maps

    def unix_name(self, key: int) -> str:
        """The name as policy writes it, `@name` for an abstract socket; empty when others have taken its place."""
        value = libbpf.map_lookup(self._maps.fd("unix_names"), key.to_bytes(8, "little"), UNIX_NAME.size)
        if value is None:
            return ""
        length, name = UNIX_NAME.unpack(value)
        return _text(name[:length])


def _text(name: bytes) -> str:
    """A relative path may begin with an `@` too: that one gets a `./`."""
    abstract, path = name.startswith(b"\0"), name.startswith(b"@")
    text = name[abstract:].decode("utf-8", "backslashreplace")
    return printable(("@" if abstract else "./" if path else "") + text)
