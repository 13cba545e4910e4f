"""The canonical form of a policy: the bytes that are approved, signed, sent and loaded. Nobody encodes them anew.

It is JSON with sorted keys and no white space, its lists in the order of `order`, optional values left out. Whoever
decodes it refuses anything that this module would not have written.
"""

from hashlib import sha256

import msgspec

from landfast.policy.errors import PolicyError, refuse
from landfast.policy.model import Policy
from landfast.policy.order import arrange
from landfast.policy.validate import validate

MAX_BYTES = 16 << 20  # about 100,000 rules with reasons
_PLACE = "canonical policy"


def encode(policy: Policy) -> bytes:
    """The canonical form; the order of classes, rules, selectors and prefixes does not matter."""
    return msgspec.json.encode(arrange(policy), order="sorted")


def decode(data: bytes) -> Policy:
    """The policy of a canonical form. Raises `PolicyError` for anything else, with every finding."""
    if len(data) > MAX_BYTES:
        raise refuse(_PLACE, "", f"it has {len(data)} bytes", f"a policy has at most {MAX_BYTES}: use groups")
    try:
        policy = msgspec.json.decode(data, type=Policy)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refuse(_PLACE, "", f"it cannot be read ({error})", "write it with this version of landfast") from None
    if findings := validate(policy, _PLACE):
        raise PolicyError(findings)
    if encode(policy) != data:
        raise refuse(_PLACE, "", "it is not in canonical form", "write it with this version of landfast")
    return policy


def digest(data: bytes) -> bytes:
    """SHA-256 of a canonical form: the identity of a policy version."""
    return sha256(data).digest()
