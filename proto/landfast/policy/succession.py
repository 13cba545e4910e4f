"""How one policy version follows another: version numbers and class bits.

A class keeps its bit for as long as it exists. When it is removed its bit is retired under its name: whatever still
carries the bit is denied everything, and only a class of the same name gets the bit again.
"""

from collections.abc import Iterator

from msgspec.structs import asdict

from landfast.policy.errors import PolicyError, refuse
from landfast.policy.model import MAX_CLASSES, ClassDraft, DataClass, Draft, Policy
from landfast.policy.order import arrange

_EMPTY = Policy(0, (), {}, {})


def succeed(draft: Draft, previous: Policy | None) -> Policy:
    """The version that follows `previous` (the first one when there is none) and says what `draft` says.

    Raises `PolicyError` when all bits are used up.
    """
    before = previous or _EMPTY
    bits = before.bits()
    free = iter([bit for bit in range(MAX_CLASSES) if bit not in bits.values()])
    classes = tuple(_with_bit(each, bits, free) for each in sorted(draft.classes, key=lambda each: each.name))
    names = {each.name for each in classes}
    retired = {name: bit for name, bit in bits.items() if name not in names}
    return arrange(Policy(before.version + 1, classes, draft.groups, retired))


def _with_bit(each: ClassDraft, bits: dict[str, int], free: Iterator[int]) -> DataClass:
    bit = bits.get(each.name)
    if bit is None:
        bit = next(free, None)
    if bit is None:
        raise _used_up(each.name, bits)
    fields = {name: value for name, value in asdict(each).items() if name != "bit"}
    return DataClass(**fields, bit=bit)


def _used_up(name: str, bits: dict[str, int]) -> PolicyError:
    return refuse(
        f"data class {name}",
        "",
        f"all {MAX_CLASSES} class bits are used up, by classes and by removed ones whose data may still be about",
        f"reuse one of these names: {', '.join(sorted(bits))}",
    )


def check_succession(policy: Policy, previous: Policy | None) -> None:
    """Raises `PolicyError` unless `policy` is exactly what `succeed` makes of its contents after `previous`."""
    right = succeed(policy.draft(), previous)
    if policy.version != right.version:
        raise refuse(
            "proposed policy",
            "version",
            f"it is version {policy.version}, the next one is {right.version}",
            f"make the change again on top of version {right.version - 1}",
        )
    if policy != right:
        raise refuse("proposed policy", "bits", _wrong_bits(policy, right), "keep the bits of the version before")


def _wrong_bits(policy: Policy, right: Policy) -> str:
    given, due = policy.bits(), right.bits()
    wrong = sorted(name for name in given.keys() | due.keys() if given.get(name) != due.get(name))
    return f"class bits do not follow from the version before: {', '.join(wrong) or 'kept and retired are mixed up'}"
