"""Breaking the glass, and its review: which version that makes, and how it is printed."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from msgspec.structs import replace

from landfast.policy.edit import add_rule, remove_rule
from landfast.policy.model import ClassDraft, Draft, Policy, Rule
from landfast.policy.times import format_time
from landfast.trust import metadata
from landfast.trust.incident import Incident
from landfast.v1.policy_pb2 import PolicyVersion
from landfast_cli import queue, signing, versions
from landfast_cli.errors import AnswerIsNoError
from landfast_cli.expired import without_expired
from landfast_cli.output import json_time, short
from landfast_cli.session import Session
from landfast_cli.versions import Outcome


class Wanted(NamedTuple):
    """The same rules in the allowlist of each class."""

    classes: tuple[str, ...]
    rules: tuple[Rule, ...]


def carry_out(session: Session, wanted: Wanted, why: tuple[str, str], key: str) -> Outcome:
    """Breaks the glass with a key. `why` is reason and ticket. Raises InvalidError for a wrong rule."""
    before, now = versions.head_of(versions.fetch(session)), int(time.time())
    assert before.policy
    draft, incident = opened(before.policy, wanted, now)
    return versions.submit(session, draft, before, why, incident.to_fields(), signing.load(key), at_once=True)


def opened(policy: Policy, wanted: Wanted, now: int) -> tuple[Draft, Incident]:
    """What `policy` says with the rules, which may take the place of rules that end before them."""
    draft, renewed = policy.draft(), dict[str, tuple[Rule, ...]]()
    for name in wanted.classes:
        for rule in wanted.rules:
            for old in _ending_before(draft, name, rule):
                draft, renewed[name] = remove_rule(draft, name, old.remote, old.ports), (*renewed.get(name, ()), old)
            draft = add_rule(draft, name, rule, now)
    return draft, Incident(now, dict.fromkeys(wanted.classes, wanted.rules), renewed)


def _ending_before(draft: Draft, name: str, rule: Rule) -> Iterator[Rule]:
    same = (old for each in draft.classes if each.name == name for old in each.allow if old.target == rule.target)
    return (old for old in same if old.expires is not None and old.expires <= (rule.expires or 0))


def review(session: Session, kept_until: int | None, *, keep: bool, why: tuple[str, str]) -> Outcome:
    """Proposes what comes after a broken glass: without its rules, or with them until then, or for ever.

    Raises AnswerIsNoError when the glass is whole.
    """
    version = versions.fetch(session)
    before, incident = versions.head_of(version), incident_of(version)
    if incident is None or before.policy is None or before.ground.policy is None:
        raise AnswerIsNoError(f"policy {version.policy.version} was approved: nobody has broken the glass since")
    draft = _kept(before.policy, incident, kept_until) if keep else before.ground.policy.draft()
    return versions.propose(session, without_expired(draft), before, why, at_once=False)


def _kept(policy: Policy, incident: Incident, until: int | None) -> Draft:
    draft = policy.draft()
    classes = (_lasting(each, incident.rules.get(each.name, ()), until) for each in draft.classes)
    return replace(draft, classes=tuple(classes))


def _lasting(each: ClassDraft, rules: Iterable[Rule], until: int | None) -> ClassDraft:
    return replace(each, allow=tuple(replace(rule, expires=until) if rule in rules else rule for rule in each.allow))


def incident_of(version: PolicyVersion) -> Incident | None:
    """What was opened in a version, by what is signed; None in one that was approved."""
    return Incident.of(metadata.read_targets(version.targets).signed)


def document(session: Session, keys: dict[str, list[str]]) -> dict[str, Any]:
    """How the glass is, for programs. `keys` are those that break it, by name."""
    version = versions.fetch(session)
    versions.head_of(version)  # what is signed is about this policy
    incident, found = incident_of(version), {"version": version.policy.version, "broken": False, "keys": keys}
    if incident is None:
        return found
    return found | {
        "broken": True,
        "by": short(version.author),
        "reason": version.reason,
        "ticket": version.ticket,
        "created": json_time(version.created),
        "until": format_time(incident.until),
        "over": incident.until <= time.time(),
        "rules": [_rule(name, rule) for name, rule in incident.each()],
        "reviews": [each.id for each in queue.listed(session, ended=False)],
    }


def _rule(name: str, rule: Rule) -> dict[str, Any]:
    return {"class": name, "to": rule.remote, "ports": [str(each) for each in rule.ports]}


def description(found: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    if found["broken"]:
        yield f"policy {found['version']}: {found['by']} broke the glass at {found['created'][:19]}Z"
        yield f"  reason    {found['reason']} ({found['ticket']})"
        for rule in found["rules"]:
            yield f"  open      {rule['class']} to {rule['to']} {','.join(rule['ports'])}"
        yield f"  until     {found['until']}{', which is over' if found['over'] else ''}"
        numbers = ", ".join(f"landfast change show {number}" for number in found["reviews"])
        yield f"  review    {numbers or 'landfast break-glass review'}"
    else:
        yield f"the glass is whole: policy {found['version']} was approved"
    yield f"  who may   {', '.join(sorted(found['keys'])) or 'nobody: landfast trust draft --break-glass NAME=KEY'}"
