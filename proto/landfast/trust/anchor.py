"""The root metadata that a token carries: what a new host believes before it has heard the controller.

It lies in the token's file as one more PEM block (RFC 7468), put there by whoever makes the token.
"""

import base64
import re
import textwrap
from pathlib import Path

from landfast.identity import ROOT_LABEL, write_private
from landfast.trust import metadata
from landfast.trust.errors import TrustError

_BLOCK = re.compile(f"-----BEGIN {ROOT_LABEL}-----\n(.*?)-----END {ROOT_LABEL}-----", re.DOTALL)


def attach(path: Path, root: bytes) -> None:
    """Adds root metadata to the file of a token."""
    lines = "\n".join(textwrap.wrap(base64.b64encode(root).decode(), 64))
    block = f"-----BEGIN {ROOT_LABEL}-----\n{lines}\n-----END {ROOT_LABEL}-----\n"
    write_private(path, path.read_bytes() + block.encode())


def read(path: Path) -> bytes:
    """The root metadata of a token. Raises OSError, or TrustError when it carries none."""
    found = _BLOCK.search(path.read_text(encoding="ascii", errors="replace"))
    if found is None:
        raise TrustError(f"token {path} carries no root metadata; make a new one with `landfast fleet token create`")
    try:
        root = base64.b64decode(found[1])
    except ValueError as error:
        raise TrustError(f"token {path}: {error}; make a new one with `landfast fleet token create`") from None
    metadata.read_root(root)
    return root
