"""Root metadata in people's hands: drafted, shown, signed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import Key
from tuf.api.metadata import Metadata, Root

from landfast.identity import IdentityError, check_name, write_private
from landfast.trust import keys, metadata
from landfast.trust.approvals import Approvals, words
from landfast.trust.errors import TrustError
from landfast.trust.succession import unapproved
from landfast_cli.errors import BadInputError, CouldNotError

_LIFETIME = timedelta(days=3 * 365)


@dataclass(frozen=True)
class Wanted:
    """What is to differ from the root before, as it was typed."""

    approvers: tuple[str, ...]
    removed: tuple[str, ...]
    breakers: tuple[str, ...]
    removed_breakers: tuple[str, ...]
    groups: tuple[str, ...]
    widening: str | None
    narrowing: str | None
    replaced: tuple[str, ...]


def following(before: Root, wanted: Wanted) -> Metadata[Root]:
    """The root after `before`, unsigned. Raises BadInputError when it could not be."""
    signers = _signers(before, wanted)
    rules = Approvals.from_root(before.unrecognized_fields)
    approvals = Approvals(
        _groups(rules, wanted),
        rules.widening if wanted.widening is None else _counts("--widening", wanted.widening),
        rules.narrowing if wanted.narrowing is None else _counts("--narrowing", wanted.narrowing),
    )
    online = before.keys[before.roles["timestamp"].keyids[0]]
    threshold = before.roles["root"].threshold
    try:
        return metadata.draft_root(_root_keys(before, wanted), threshold, signers, online, approvals, _LIFETIME, before)
    except TrustError as error:
        raise BadInputError(str(error)) from None


def _signers(before: Root, wanted: Wanted) -> list[Key]:
    """Keys of approvers, and those that break the glass."""
    approvers, breakers = _named("--approver", wanted.approvers), _named("--break-glass", wanted.breakers)
    gone, shut = {*wanted.removed, *approvers}, {*wanted.removed_breakers, *breakers}
    kept = [key for key in _keys(before, "targets") if keys.holder(key) not in gone and keys.breaker(key) not in shut]
    kept += [keys.held_by(name, key) for name, key in approvers.items()]
    return kept + [keys.breaking_glass(name, key) for name, key in breakers.items()]


def _named(option: str, texts: tuple[str, ...]) -> dict[str, Key]:
    pairs = (_pair(option, text) for text in texts)
    return {_name(name): _public(f"{option} {name}", text) for name, text in pairs}


def _groups(rules: Approvals, wanted: Wanted) -> dict[str, tuple[str, ...]]:
    groups = rules.groups | {
        _name(name): tuple(filter(None, members.split(",")))
        for name, members in (_pair("--group", text) for text in wanted.groups)
    }
    return {name: members for name, members in groups.items() if members}


def _root_keys(before: Root, wanted: Wanted) -> list[Key]:
    replaced = dict(_pair("--root-key", text) for text in wanted.replaced)
    known = {keys.public_text(key): key for key in _keys(before, "root")}
    if unknown := replaced.keys() - known.keys():
        raise BadInputError(f"--root-key: {min(unknown)[:16]} is no key of root; `landfast trust show` lists them")
    return [_public("--root-key", replaced[each]) if each in replaced else key for each, key in known.items()]


def _keys(root: Root, role: str) -> list[Key]:
    return [root.keys[keyid] for keyid in root.roles[role].keyids]


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadInputError(f"{option} {text!r}: write NAME=VALUE")
    return name, value


def _name(text: str) -> str:
    try:
        return check_name(text)
    except IdentityError as error:
        raise BadInputError(str(error)) from None


def _counts(option: str, text: str) -> dict[str, int]:
    pairs = (_pair(option, each) for each in filter(None, text.split(",")))
    try:
        return {name: int(number) for name, number in pairs}
    except ValueError:
        raise BadInputError(f"{option} {text!r}: write GROUP=N, with a number") from None


def _public(what: str, text: str) -> Key:
    """A key by its public half."""
    try:
        return keys.from_public_text(text)
    except TrustError as error:
        raise BadInputError(f"{what}: {error}") from None


def read(path: Path) -> Metadata[Root]:
    try:
        return metadata.read_root(path.read_bytes())
    except OSError as error:
        raise CouldNotError(f"{path}: {error.strerror}") from None
    except TrustError as error:
        raise BadInputError(f"{path}: {error}") from None


def write_new(path: Path, root: Metadata[Root]) -> None:
    try:
        with path.open("xb") as file:
            file.write(root.to_bytes())
    except FileExistsError:
        raise BadInputError(f"{path} exists; nothing is overwritten, choose another file") from None
    except OSError as error:
        raise CouldNotError(f"{path}: {error.strerror}; choose another file") from None


def rewrite(path: Path, root: Metadata[Root]) -> None:
    write_private(path, root.to_bytes())


def document(content: bytes) -> dict[str, Any]:
    """Root metadata, for programs."""
    root = metadata.read_root(content).signed
    rules = Approvals.from_root(root.unrecognized_fields)
    approvers: dict[str, list[str]] = {}
    breakers: dict[str, list[str]] = {}
    for key in _keys(root, "targets"):
        found, name = (breakers, keys.breaker(key)) if keys.breaker(key) else (approvers, keys.holder(key))
        found.setdefault(name, []).append(keys.public_text(key))
    return {
        "version": root.version,
        "fingerprint": metadata.fingerprint(content),
        "expires": root.expires.isoformat(),
        "root_keys": [keys.public_text(key) for key in _keys(root, "root")],
        "root_threshold": root.roles["root"].threshold,
        "approvers": approvers,
        "break_glass": breakers,
        "groups": {name: list(members) for name, members in rules.groups.items()},
        "widening": rules.widening,
        "narrowing": rules.narrowing,
    }


def needed(before: Root, following: Metadata[Root]) -> str:
    """Who has to sign a root for it to follow `before`."""
    role = before.roles["root"]
    holders = ", ".join(keys.public_text(key)[:16] for key in _keys(before, "root"))
    approvals = words(unapproved(following, before), Approvals.from_root(before.unrecognized_fields).groups)
    return " and ".join(filter(None, (f"{role.threshold} of the root keys ({holders})", approvals)))


def signers(root: Metadata[Root]) -> str:
    """Who has signed it so far, by the names that it gives to keys itself."""
    names = dict.fromkeys(root.signatures, "a key of the root before")
    for keyid in names.keys() & root.signed.keys.keys():
        key = root.signed.keys[keyid]
        names[keyid] = keys.holder(key) or f"root key {keys.public_text(key)[:16]}"
    return ", ".join(names.values())


def description(found: Mapping[str, Any]) -> Iterator[str]:
    """The same for people."""
    yield f"root {found['version']}, until {found['expires']}"
    yield f"  fingerprint  {found['fingerprint']}"
    yield f"  root keys    {found['root_threshold']} of {', '.join(key[:16] for key in found['root_keys'])}"
    for name, public in sorted(found["approvers"].items()):
        yield f"  approver     {name}: {', '.join(public)}"
    for name, public in sorted(found["break_glass"].items()):
        yield f"  break-glass  {name}: {', '.join(public)}"
    for name, members in sorted(found["groups"].items()):
        yield f"  group        {name}: {', '.join(members)}"
    for kind in ("widening", "narrowing"):
        counts = " and ".join(f"{number} of {group}" for group, number in found[kind].items())
        yield f"  {kind:<11}  takes {counts or 'one approval, also the own'}"
