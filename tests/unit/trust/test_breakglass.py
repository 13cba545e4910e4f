"""Breaking the glass opens a little for a short time, once: whoever signs, and whoever controls the controller."""

import random
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Root, Targets

from landfast.policy import canonical
from landfast.policy.diff import ChangeKind, diff
from landfast.policy.model import ClassDraft, Draft, Mode, Policy, Rule, Selector, SelectorKind
from landfast.policy.ports import ANY, Ports
from landfast.policy.succession import succeed
from landfast.policy.widening import SETTINGS
from landfast.trust import breakglass, metadata
from landfast.trust.breakglass import Ground, ground
from landfast.trust.errors import TrustError
from landfast.trust.incident import FIELD, LONGEST_S, MOST_RULES, SKEW_S, Incident
from landfast.trust.verifier import Verifier
from tests.unit.policy.examples import policy_of
from tests.unit.policy.strategies import rules
from tests.unit.trust.deployment import FOUR_EYES, YEAR, Deployment, resigned
from tests.unit.trust.host import NOW, Host

HTTPS = (Ports(6, 443, 443),)
NARROW = Rule("192.0.2.0/24", HTTPS, "hall 2 is down", "INC-7", NOW + 3600)


def incident(*added: Rule, **fields: Any) -> Incident:
    return Incident(NOW, {"eu": added}, **fields)


@pytest.fixture
def deployment() -> Deployment:
    """Olga may break the glass, and so may Alice, who approves with another key."""
    return Deployment(breakers=("olga", "alice"))


@pytest.fixture
def settled(deployment: Deployment, tmp_path: Path) -> Host:
    """Version 1 is in force."""
    host = Host(tmp_path / "trust", deployment)
    assert host.take(deployment.release(deployment.policy("10.0.0.0/16"), "alice", "carol")) == 1
    return host


@pytest.fixture
def broken(deployment: Deployment, settled: Host) -> Host:
    """Alice has broken the glass: version 2."""
    assert settled.take(deployment.break_glass(deployment.with_rules(NARROW), incident(NARROW), "alice")) == 2
    return settled


def another(deployment: Deployment, host: Host, files: dict[str, bytes]) -> Host:
    """A host that has taken `files` and nothing since."""
    made = Host(host.verifier.directory.parent / "another", deployment)
    made.take(files)
    return made


# what may be opened


def test_one_person_alone_opens_something_narrow(deployment: Deployment, settled: Host) -> None:
    six = Rule("2001:db8:77::/64", (Ports(17, 8000, 8100),), "hall 2", "INC-7", NOW + LONGEST_S)
    added = deployment.with_rules(NARROW, six)
    assert settled.take(deployment.break_glass(added, incident(NARROW, six))) == 2
    assert settled.policy == added


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"remote": "192.0.2.0/23"}, "wider than /24"),
        ({"remote": "0.0.0.0/0"}, "wider than /24"),
        ({"remote": "2001:db8::/63"}, "wider than /64"),
        ({"remote": "::/0"}, "wider than /64"),
        ({"remote": "64:ff9b::/96"}, "leads to IPv4"),
        ({"remote": "64:ff9b::/64"}, "leads to IPv4"),
        ({"remote": "224.0.0.1/32"}, "is multicast"),
        ({"remote": "ff02::/64"}, "is multicast"),
        ({"ports": (ANY,)}, "more than 128 ports"),
        ({"ports": (Ports(6, 1, 65535),)}, "more than 128 ports"),
        ({"ports": (Ports(6, 1, 100), Ports(17, 1, 100))}, "more than 128 ports"),
        ({"expires": None}, "lasts longer than 4 hours"),
        ({"expires": NOW + LONGEST_S + 1}, "lasts longer than 4 hours"),
    ],
)
def test_what_is_wide_or_long_is_refused(
    deployment: Deployment, settled: Host, change: dict[str, Any], words: str
) -> None:
    rule = replace(NARROW, **change)
    settled.refuses(deployment.break_glass(deployment.with_rules(rule), incident(rule)), words)


def test_too_many_rules_are_refused_and_none_too(deployment: Deployment, settled: Host) -> None:
    many = [replace(NARROW, remote=f"192.0.2.{last}/32") for last in range(MOST_RULES + 1)]
    settled.refuses(deployment.break_glass(deployment.with_rules(*many), incident(*many)), "it adds 9 rules")
    deployment.policies.pop()
    settled.refuses(deployment.break_glass(deployment.with_rules(), incident()), "it adds 0 rules")
    deployment.policies.pop()
    assert settled.take(deployment.break_glass(deployment.with_rules(*many[1:]), incident(*many[1:]))) == 2


def test_groups_are_refused(deployment: Deployment, settled: Host) -> None:
    group = replace(NARROW, remote="group:far")
    one = deployment.policies[-1]
    [only] = one.draft().classes
    grouped = succeed(Draft((only,), {"far": ("0.0.0.0/0",)}), one)
    assert settled.take(deployment.release(grouped, "alice", "carol")) == 2
    settled.refuses(deployment.break_glass(deployment.with_rules(group), incident(group)), "is a group")


@pytest.mark.parametrize("why", [("", "INC-7"), ("down", ""), (" ", "INC-7"), ("down\n", "INC-7"), ("x" * 501, "I")])
def test_reason_and_ticket_are_mandatory(deployment: Deployment, settled: Host, why: tuple[str, str]) -> None:
    files = deployment.break_glass(deployment.with_rules(NARROW), incident(NARROW), why=why)
    settled.refuses(files, "it takes a reason and a ticket")


def test_a_rule_that_ends_is_prolonged(deployment: Deployment, settled: Host) -> None:
    """What expired is often what is missed: the new rule takes its place, and gives it back."""
    old = replace(NARROW, expires=NOW - 100, reason="for a week")
    assert settled.take(deployment.release(deployment.with_rules(old), "alice", "carol")) == 2
    [only] = deployment.policies[-1].draft().classes
    rest = tuple(rule for rule in only.allow if rule != old)
    longer = succeed(Draft((replace(only, allow=(*rest, NARROW)),), {}), deployment.policies[-1])
    assert settled.take(deployment.break_glass(longer, incident(NARROW, renewed={"eu": (old,)}))) == 3
    assert settled.take(deployment.release(deployment.policy("10.0.0.0/16"), "bob")) == 4


@pytest.mark.parametrize("expires", [None, NOW + 3601], ids=["without end", "later"])
def test_nothing_is_shortened_or_removed(deployment: Deployment, settled: Host, expires: int | None) -> None:
    old = replace(NARROW, expires=expires)
    assert settled.take(deployment.release(deployment.with_rules(old), "alice", "carol")) == 2
    [only] = deployment.policies[-1].draft().classes
    rest = tuple(rule for rule in only.allow if rule != old)
    for allow, listed in (((*rest, NARROW), (NARROW,)), (rest, ())):
        changed = succeed(Draft((replace(only, allow=allow),), {}), deployment.policies[-1])
        settled.refuses(
            deployment.break_glass(changed, incident(*listed, renewed={"eu": (old,)})), "would be lost|it adds 0 rules"
        )
        deployment.policies.pop()


def _moved(only: ClassDraft, **fields: Any) -> ClassDraft:
    return replace(only, allow=(*only.allow, NARROW), **fields)


@pytest.mark.parametrize(
    "change",
    [
        lambda only: _moved(only, mode=Mode.AUDIT),
        lambda only: _moved(only, select=(Selector(SelectorKind.UNIT, "a.service"),)),
        lambda only: _moved(only, serve=(replace(NARROW, remote="10.0.0.0/32"),)),
        lambda only: _moved(only, peers=(replace(NARROW, remote="10.0.0.0/32"),)),
        lambda only: _moved(only, description="other"),
        lambda only: replace(only, allow=(NARROW,)),
        lambda only: replace(only, allow=(*only.allow, NARROW, replace(NARROW, remote="192.0.3.0/24"))),
        lambda only: replace(only, allow=(*only.allow, replace(NARROW, expires=None))),
        lambda only: replace(only, allow=(*(replace(rule, reason="other") for rule in only.allow), NARROW)),
    ],
)
def test_nothing_else_changes(
    deployment: Deployment, settled: Host, change: Callable[[ClassDraft], ClassDraft]
) -> None:
    newest = deployment.policies[-1]
    [only] = newest.draft().classes
    changed = succeed(Draft((change(only),), {}), newest)
    settled.refuses(deployment.break_glass(changed, incident(NARROW)), "is not the approved version|does not hold")


def test_a_class_that_does_not_exist_gets_no_rules(deployment: Deployment, settled: Host) -> None:
    listed = Incident(NOW, {"eu": (NARROW,), "us": (NARROW,)})
    settled.refuses(deployment.break_glass(deployment.with_rules(NARROW), listed), "us, which is no data class")


def test_a_new_class_is_none_of_its_business(deployment: Deployment, settled: Host) -> None:
    newest = deployment.policies[-1]
    [only] = newest.draft().classes
    added = succeed(Draft((only, replace(only, name="us", allow=(NARROW,))), {}), newest)
    settled.refuses(
        deployment.break_glass(added, Incident(NOW, {"us": (NARROW,)})), "is not the approved version before it"
    )


T = TypeVar("T")
DEPLOYMENT = Deployment(breakers=("olga",))
ROOT: Root = DEPLOYMENT.current_root()


def _mostly(good: Sequence[T], bad: Sequence[T]) -> st.SearchStrategy[T]:
    return st.sampled_from([*good] * 5 + [*bad])


narrow_rules = st.builds(
    Rule,
    remote=_mostly(["192.0.2.0/24", "192.0.2.7/32", "2001:db8::/64"], ["192.0.2.0/23", "2001:db8::/63"]),
    ports=_mostly([HTTPS, (Ports(17, 1, 128),)], [(Ports(17, 1, 129),)]),
    reason=st.just("test"),
    expires=_mostly([NOW, NOW + LONGEST_S], [NOW + LONGEST_S + 1]),
)
added_rules = st.lists(st.integers(0, 19).flatmap(lambda number: narrow_rules if number else rules), max_size=2)


@st.composite
def _edited(draw: st.DrawFn, draft: Draft) -> Draft:
    """With more rules in its allowlists; now and then with something else, which may be nothing."""
    classes = []
    for each in draft.classes:
        known = {rule.target: rule for rule in (*each.allow, *draw(added_rules))}
        classes.append(replace(each, allow=tuple(known.values())))
    match draw(st.integers(0, 9)):
        case 0:
            key = draw(st.sampled_from(["serve", "peers", "allow", "unix_peers", "select"]))
            classes[0] = replace(classes[0], **{key: getattr(classes[0], key)[1:]})
        case 1:
            key, values = draw(st.sampled_from(list(SETTINGS.items())))
            classes[0] = replace(classes[0], **{key: draw(st.sampled_from(values))})
        case 2:
            return Draft(tuple(classes), draft.groups | {"hamar": draft.groups["hamar"][1:]})
    return Draft(tuple(classes), draft.groups)


@settings(deadline=None, max_examples=80)
@given(_edited(policy_of().draft()))
def test_only_versions_that_add_narrow_rules_are_taken(draft: Draft) -> None:
    """Whatever else they change, and whatever of it they list: against the difference, and the library's networks."""
    old = policy_of()
    before, changes = {each.name: each.allow for each in old.classes}, diff(old, draft)
    listed = {each.name: tuple(rule for rule in each.allow if rule not in before[each.name]) for each in draft.classes}
    signed = Incident(NOW, listed)
    narrow = all(each.kind == ChangeKind.RULE_ADDED and each.item.startswith("allow ") for each in changes)
    narrow = narrow and 1 <= len(changes) <= MOST_RULES and all(_is_narrow(rule) for _, rule in signed.each())
    assert _is_taken(succeed(draft, old), old, signed) == narrow


def _is_narrow(rule: Rule) -> bool:
    if rule.group or ANY in rule.ports or rule.expires is None:
        return False
    network = ip_network(rule.remote)
    ports = {(each.protocol, port) for each in rule.ports for port in range(each.low, each.high + 1)}
    size = 2**8 if network.version == 4 else 2**64
    is_small = network.num_addresses <= size and len(ports) <= 128 and not network.is_multicast
    return is_small and rule.expires <= NOW + LONGEST_S


def _is_taken(new: Policy, old: Policy, signed: Incident) -> bool:
    made = metadata.draft_targets(
        new.version, canonical.encode(new), "olga", ("down", "INC-7"), YEAR, signed.to_fields()
    )
    made.sign(DEPLOYMENT.breakers["olga"])
    try:
        breakglass.check(ROOT, made, new, Ground(old), NOW)
    except TrustError:
        return False
    return True


# who may


def test_a_key_that_is_not_registered_opens_nothing(deployment: Deployment, settled: Host) -> None:
    deployment.breakers["olga"] = CryptoSigner.generate_ed25519()
    settled.refuses(deployment.break_glass(deployment.with_rules(NARROW), incident(NARROW)), "signed by 0/1")


def test_keys_of_approvers_and_of_the_controller_do_not_break_the_glass(deployment: Deployment, settled: Host) -> None:
    files = deployment.break_glass(deployment.with_rules(NARROW), incident(NARROW))
    approvers = [deployment.people[name] for name in ("alice", "carol")]
    for signers in ([deployment.online], approvers, [*approvers, *deployment.root_keys]):
        forged = resigned(files["2.targets.json"], *signers)
        settled.refuses(files | {"2.targets.json": forged}, "no break-glass key of olga|signed by 0/1")


def test_nobody_breaks_the_glass_in_anothers_name(deployment: Deployment, settled: Host) -> None:
    files = deployment.break_glass(deployment.with_rules(NARROW), incident(NARROW))
    forged = resigned(files["2.targets.json"], deployment.breakers["alice"])
    settled.refuses(files | {"2.targets.json": forged}, "no break-glass key of olga")


def test_break_glass_keys_approve_nothing(deployment: Deployment, settled: Host) -> None:
    both, wider = list(deployment.breakers.values()), deployment.policy("10.0.0.0/8")
    settled.refuses(deployment.put_out(wider, both, "dave", ("test", "")), "1 of privacy and 1 of sre")
    deployment.policies.pop()
    settled.refuses(deployment.put_out(wider, [both[1], deployment.people["carol"]], "dave", ("test", "")), "1 of sre")
    deployment.policies.pop()
    narrower = deployment.policy("10.0.0.0/17")
    settled.refuses(deployment.put_out(narrower, both, "dave", ("test", "")), "1 of sre")


def test_root_keys_alone_register_no_break_glass_key(deployment: Deployment, settled: Host) -> None:
    deployment.breakers["eve"] = CryptoSigner.generate_ed25519()
    deployment.new_root(FOUR_EYES, before=deployment.current_root())
    files = deployment.break_glass(deployment.with_rules(NARROW), incident(NARROW), "eve")
    settled.refuses(files, "changes who approves.*1 of privacy and 1 of sre")
    deployment.new_root(FOUR_EYES, approved=("bob", "carol"), before=deployment.current_root())
    assert settled.take(deployment.files) == 2


def test_a_key_has_one_purpose(deployment: Deployment) -> None:
    deployment.breakers["alice"] = deployment.people["alice"]
    with pytest.raises(TrustError, match="two of the keys are the same"):
        deployment.new_root(FOUR_EYES)


# once, until others have looked at it


def test_the_glass_is_not_broken_twice_in_a_row(deployment: Deployment, broken: Host) -> None:
    more = replace(NARROW, remote="192.0.3.0/24")
    for by in ("alice", "olga"):
        for listed in (incident(more), incident(NARROW, more)):
            files = deployment.break_glass(deployment.with_rules(more), listed, by)
            broken.refuses(files, "the glass is broken already, by alice: .*landfast break-glass review")
            deployment.policies.pop()


def test_who_missed_the_first_time_is_not_sent_the_second(deployment: Deployment, settled: Host) -> None:
    first = deployment.break_glass(deployment.with_rules(NARROW), incident(NARROW))
    more = replace(NARROW, remote="192.0.3.0/24")
    settled.refuses(deployment.break_glass(deployment.with_rules(more), incident(more)), "the glass is broken already")
    assert settled.take(first | deployment.announce(2)) == 2


def test_a_review_makes_it_usable_again(deployment: Deployment, broken: Host) -> None:
    assert broken.take(deployment.release(deployment.policy("10.0.0.0/16"), "bob")) == 3
    more = replace(NARROW, remote="192.0.3.0/24")
    assert broken.take(deployment.break_glass(deployment.with_rules(more), incident(more), "alice")) == 4


def test_who_broke_the_glass_does_not_review_it(deployment: Deployment, broken: Host) -> None:
    """Alice is one of those who approve: not this one, under whatever name it was proposed."""
    same = deployment.policy("10.0.0.0/16")
    broken.refuses(deployment.release(same, "alice"), "1 of sre")
    deployment.policies.pop()
    broken.refuses(deployment.release(same, "alice", "carol"), "1 of sre")
    deployment.policies.pop()
    assert broken.take(deployment.release(same, "bob")) == 3


def test_a_version_in_between_that_is_withheld_is_no_way_around_the_review(
    deployment: Deployment, broken: Host
) -> None:
    same = deployment.policy("10.0.0.0/16")
    deployment.release(same, "alice")
    files = deployment.release(deployment.policy("10.0.0.0/17"), "alice")
    del files["3.targets.json"]
    broken.refuses(files, "policy 4 does not review what was opened before it: alice has broken the glass")


def test_what_was_approved_elsewhere_is_no_review(deployment: Deployment, settled: Host) -> None:
    """Whoever has the controller and Olga's key may take any ordinary change that they can find for one."""
    deployment.release(deployment.policy("10.0.0.0/17"), "alice", "carol")
    honest = deployment.release(deployment.policy("10.0.0.0/18"), "alice", "carol")
    later = deployment.policies.pop()
    deployment.policies.pop()
    settled.take(deployment.break_glass(deployment.with_rules(NARROW), incident(NARROW)))
    settled.refuses(honest | deployment.announce(3), "policy 3 does not review what was opened before it: olga")
    other = breakglass.Broken("olga", "0" * 64).to_fields()
    bob = [deployment.people["bob"]]
    settled.refuses(deployment.put_out(later, bob, "dave", ("test", ""), more=other), "policy 3 does not review")


def test_later_versions_are_judged_by_the_review(deployment: Deployment, broken: Host) -> None:
    """Alice approves again once others have reviewed what she did: also for a host that missed the review."""
    deployment.release(deployment.policy("10.0.0.0/16"), "bob")
    assert broken.take(deployment.release(deployment.policy("10.0.0.0/8"), "alice", "carol")) == 4


def test_what_was_opened_does_not_stay_as_a_narrowing(deployment: Deployment, settled: Host) -> None:
    """Whether a host has what was opened or not: it is held against what was approved."""
    away = another(deployment, settled, deployment.files)
    settled.take(deployment.break_glass(deployment.with_rules(NARROW), incident(NARROW)))
    [only] = deployment.policies[-1].draft().classes
    for expires in (NARROW.expires, None):
        kept = tuple(replace(rule, expires=expires) if rule == NARROW else rule for rule in only.allow)
        review = succeed(Draft((replace(only, allow=kept),), {}), deployment.policies[-1])
        files = deployment.release(review, "bob")
        for host in (settled, away):
            host.refuses(files, "widens version 1 .*192.0.2.0/24.*1 of privacy")
        deployment.policies.pop()
    for host in (settled, away):
        assert host.take(deployment.release(review, "bob", "carol")) == 3
        deployment.policies.pop()


def test_hosts_that_were_away_judge_each_step(deployment: Deployment, settled: Host) -> None:
    """Broken, reviewed with fewer approvals, broken again: for one who has version 1, and one who has nothing."""
    away = another(deployment, settled, deployment.files)
    settled.take(deployment.break_glass(deployment.with_rules(NARROW), incident(NARROW)))
    settled.take(deployment.release(deployment.policy("10.0.0.0/17"), "bob"))
    more = replace(NARROW, remote="192.0.3.0/24")
    deployment.break_glass(deployment.with_rules(more), incident(more))
    new = Host(settled.verifier.directory.parent / "new", deployment)
    assert [host.take(deployment.files) for host in (settled, away, new)] == [4, 4, 4]
    assert settled.policy == away.policy == new.policy


@pytest.mark.parametrize("seed", range(3))
def test_hosts_agree_whatever_they_miss(deployment: Deployment, settled: Host, seed: int) -> None:
    """One host gets every version, another one some of them: neither is ever left behind."""
    chance, away, length = random.Random(seed), another(deployment, settled, deployment.files), 16
    for number in range(12):
        broken = bool(number) and Incident.of(_newest(deployment)) is not None
        match chance.choice(["widen", "narrow"] if broken else ["widen", "narrow", "break", "break"]):
            case "widen":
                length = 16
                deployment.release(deployment.policy(f"10.{number}.0.0/{length}"), "bob", "carol")
            case "narrow":
                length += 1
                approved = ground(deployment.policies[-1], _newest(deployment)).policy
                assert approved
                base = approved.classes[0].allow[0].remote.partition("/")[0]
                deployment.release(deployment.policy(f"{base}/{length}"), "bob")
            case "break":
                deployment.break_glass(
                    deployment.with_rules(NARROW), incident(NARROW), chance.choice(["alice", "olga"])
                )
        assert settled.take(deployment.files) == number + 2
        if chance.random() < 0.3:
            away.take(deployment.files)
            assert away.policy == settled.policy
    assert away.take(deployment.files) == 13


def _newest(deployment: Deployment) -> Targets:
    return metadata.read_targets(deployment.files[f"{deployment.policies[-1].version}.targets.json"]).signed


# time, and what is kept


def test_a_clock_that_is_a_little_late_is_no_hindrance(deployment: Deployment, settled: Host) -> None:
    long = replace(NARROW, expires=NOW + LONGEST_S)
    files = deployment.break_glass(deployment.with_rules(long), incident(long))
    with pytest.raises(TrustError, match="more than 4 hours from now; look at the clocks"):
        settled.take(files, late=SKEW_S + 60)
    assert settled.take(files, late=SKEW_S - 60) == 2


def test_a_clock_that_is_very_late_is_no_hindrance_to_what_came_after(deployment: Deployment, settled: Host) -> None:
    deployment.break_glass(deployment.with_rules(NARROW), incident(NARROW))
    assert settled.take(deployment.release(deployment.policy("10.0.0.0/17"), "bob"), late=24 * 3600) == 3


def test_what_was_signed_for_later_is_refused_until_then(deployment: Deployment, settled: Host) -> None:
    later = replace(NARROW, expires=NOW + 24 * 3600 + LONGEST_S)
    listed = Incident(NOW + 24 * 3600, {"eu": (later,)})
    settled.refuses(deployment.break_glass(deployment.with_rules(later), listed), "more than 4 hours from now")


def test_what_is_replayed_later_opens_nothing(deployment: Deployment, settled: Host) -> None:
    """Its rules are over, and after a newer version it is not even taken."""
    files = dict(deployment.break_glass(deployment.with_rules(NARROW), incident(NARROW)))
    assert settled.take(files, late=-24 * 3600) == 2
    settled.take(deployment.release(deployment.policy("10.0.0.0/16"), "bob"))
    settled.refuses(files, "version")
    settled.refuses(deployment.announce(2), "version")


def test_it_stays_known_to_be_the_newest(deployment: Deployment, broken: Host) -> None:
    before = broken.verifier.expires()
    assert broken.take(deployment.announce(2, lifetime=YEAR)) == 2
    after = broken.verifier.expires()
    assert before
    assert after
    assert after > before


def test_the_stored_version_is_proved_again(deployment: Deployment, broken: Host, tmp_path: Path) -> None:
    again, proof = Verifier(tmp_path / "trust"), deployment.files["2.targets.json"]
    again.prove(canonical.encode(deployment.policies[-1]), proof)
    with pytest.raises(TrustError, match="not the one"):
        again.prove(canonical.encode(deployment.policies[0]), proof)
    for signer in (deployment.people["alice"], deployment.breakers["olga"], deployment.online):
        with pytest.raises(TrustError, match="nobody has approved"):
            again.prove(canonical.encode(deployment.policies[-1]), resigned(proof, signer))


def test_an_approval_that_is_not_enough_for_anything_proves_no_stored_version(
    deployment: Deployment, settled: Host
) -> None:
    """Though one signature is enough for The Update Framework, once somebody may break the glass."""
    proof = resigned(deployment.files["1.targets.json"], deployment.people["carol"])
    with pytest.raises(TrustError, match="nobody has approved"):
        settled.verifier.prove(canonical.encode(deployment.policies[0]), proof)


@pytest.mark.parametrize("odd", [{}, [], "x", {"opened": -1, "rules": {}}, {"opened": 0, "rules": {"eu": [{}]}}])
def test_metadata_that_cannot_be_read_is_refused(deployment: Deployment, settled: Host, odd: Any) -> None:
    files = deployment.put_out(
        deployment.with_rules(NARROW), [deployment.breakers["olga"]], "olga", ("a", "b"), more={FIELD: odd}
    )
    settled.refuses(files, "x-landfast-break-glass|it adds 0 rules|does not hold")


def test_what_is_told_names_who_why_what_and_until_when(deployment: Deployment, broken: Host) -> None:
    text, fields = breakglass.told(metadata.read_targets(deployment.files["2.targets.json"]).signed) or ("", {})
    assert text.startswith("alice broke the glass: eu to 192.0.2.0/24 tcp/443 until ")
    assert text.endswith(": down (INC-7)")
    assert (fields["by"], fields["reason"], fields["ticket"], fields["version"]) == ("alice", "down", "INC-7", "2")
    assert breakglass.told(metadata.read_targets(deployment.files["1.targets.json"]).signed) is None
