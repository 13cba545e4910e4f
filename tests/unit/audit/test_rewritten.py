"""A log that is rewritten at random by who has its key: the tree is made anew, and the checkpoint signed again.

Every hash holds then. What is left to tell are the hosts' signatures, chains and counters, the roster, and a copy that
somebody has made before. The copy tells of everything, and from which entry on; the others of what each mutation says.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from landfast import batch, event
from landfast.beginning import Beginning
from landfast.tlog.bundle import Entry, Kind
from landfast.tlog.errors import TlogError
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.batch_pb2 import Batch
from landfast_cli.mirroring import Mirror
from tests.e2e.controller.batches import Chain
from tests.testbed.event_keys import signer
from tests.unit.audit.stories import STEP_NS, ordinary, roster, statement, verified
from tests.unit.tlog import naive

_HOSTS = ("hall-1", "hall-2", "hall-3")
_ROSTER = roster(*_HOSTS)
_LOG = [Entry.decode(data) for data in ordinary(270, _HOSTS).entries]
_FIRST = len(_HOSTS)  # index of the first batch
_THIEF = signer("somebody else")

#: Rewrites the entries. Returns indexes and hosts of which the verdicts must name one; none: only a copy tells.
Mutation = Callable[[list[Entry], random.Random], set[int | str]]


def drop_batch(log: list[Entry], dice: random.Random) -> set[int | str]:
    at = dice.randrange(_FIRST + len(_HOSTS), len(log) - len(_HOSTS))
    following = _next(log, at)
    del log[at]
    return {following - 1}


def drop_first_batches(log: list[Entry], dice: random.Random) -> set[int | str]:
    """The host has said where it begins."""
    return {_first_index(log, _drop_first_batches(log, dice))}


def drop_first_batches_and_say_so(log: list[Entry], dice: random.Random) -> set[int | str]:
    """As if the host had said that it begins where what is left of it does: it has not signed that."""
    host = _drop_first_batches(log, dice)
    at, begins = _HOSTS.index(host), _first(log, host)
    other = statement(host, begins).fields | {"begins_signature": _fields(log[at])["begins_signature"]}
    forged = statement(host, begins, by="somebody else").fields
    log[at] = _enrolment(log[at], dice.choice([other, forged]))
    return {at}


def drop_first_batches_and_take_another_statement(log: list[Entry], dice: random.Random) -> set[int | str]:
    """One that another host has signed, of just that place."""
    host = _drop_first_batches(log, dice)
    at = _HOSTS.index(host)
    log[at] = _enrolment(log[at], statement(_HOSTS[at - 1], _first(log, host)).fields)
    return {at}


def drop_first_batches_and_what_was_said(log: list[Entry], dice: random.Random) -> set[int | str]:
    """As an older agent enrols. Its host's batches say that it has said more."""
    host = _drop_first_batches(log, dice)
    at = _HOSTS.index(host)
    log[at] = _enrolment(log[at], {name: "" for name in _fields(log[at]) if name != "event_key"})
    return {_first_index(log, host)}


def drop_a_part_of_what_was_said(log: list[Entry], dice: random.Random) -> set[int | str]:
    """No controller admits an enrolment like that."""
    at = dice.randrange(_FIRST)
    name = dice.choice(["begins", "csr_sha256", "begins_signature"])
    log[at] = _enrolment(log[at], {name: ""})
    return {at}


def drop_newest_batch(log: list[Entry], dice: random.Random) -> set[int | str]:
    """Its host has said nothing since, and need not have."""
    del log[len(log) - dice.randint(1, len(_HOSTS))]
    return set()


def drop_host(log: list[Entry], dice: random.Random) -> set[int | str]:
    host = dice.choice(_HOSTS)
    log[:] = [entry for entry in log if host.encode() not in entry.content]
    return {host}


def drop_enrolment(log: list[Entry], dice: random.Random) -> set[int | str]:
    at = dice.randrange(_FIRST)
    del log[at]
    return {_FIRST - 1 + at}


def alter_record(log: list[Entry], dice: random.Random) -> set[int | str]:
    at = _any_but_the_last(dice)
    log[at] = replace(log[at], content=_other_record(_message(log[at]), dice).SerializeToString())
    return {_next(log, at)}


def alter_newest_record(log: list[Entry], dice: random.Random) -> set[int | str]:
    """No batch names its hash yet; its host's signature tells."""
    at = len(log) - dice.randint(1, len(_HOSTS))
    log[at] = replace(log[at], content=_other_record(_message(log[at]), dice).SerializeToString())
    return {at}


def alter_record_and_chain(log: list[Entry], dice: random.Random) -> set[int | str]:
    """All that follows of the host is linked anew; signatures tell."""
    at = _any_but_the_last(dice)
    log[at] = replace(log[at], content=_other_record(_message(log[at]), dice).SerializeToString())
    _chain_anew(log, at)
    return {at}


def alter_record_and_sign(log: list[Entry], dice: random.Random) -> set[int | str]:
    """All that follows of the host is linked and signed anew, by a key that is not the host's."""
    at = _any_but_the_last(dice)
    other = _other_record(_message(log[at]), dice)
    log[at] = replace(log[at], content=_signed(other))
    _chain_anew(log, at, _signed)
    return {at}


def drop_record_and_chain(log: list[Entry], dice: random.Random) -> set[int | str]:
    """The numbers and the links of all that follows fit; what the kernel has counted does not."""
    at = dice.randrange(_FIRST + len(_HOSTS), len(log) - len(_HOSTS))
    message = _message(log[at])
    message.records = message.records[event.SIZE :]
    log[at] = replace(log[at], content=message.SerializeToString())
    _chain_anew(log, at)
    return {at}


def reorder(log: list[Entry], dice: random.Random) -> set[int | str]:
    """Two batches of one host change places, and keep the times of their places."""
    at = _any_but_the_last(dice)
    other = _next(log, at)
    _exchange(log, at, other)
    return {at, other}


def reorder_hosts(log: list[Entry], dice: random.Random) -> set[int | str]:
    """Neighbours of different hosts change places: nothing between hosts says who was first."""
    at = dice.randrange(_FIRST, len(log) - 1)
    _exchange(log, at, at + 1)
    return set()


def replay(log: list[Entry], dice: random.Random) -> set[int | str]:
    at = _any_but_the_last(dice)
    to = dice.randrange(at + 1, len(log))
    log.insert(to, replace(log[at], received_ns=log[to].received_ns))
    return {to}


def invent(log: list[Entry], dice: random.Random) -> set[int | str]:
    """The numbers fit; then the batch that had them comes, and does not."""
    at = _any_but_the_last(dice)
    view = batch.decode(log[at].content)
    chain = Chain(view.host, view.first, view.previous if dice.random() < 0.5 else dice.randbytes(32))
    chain.key = _THIEF
    log.insert(at, replace(log[at], content=chain.batch(events=dice.randint(1, 9))))
    return {at, at + 1}


def give_to_another_host(log: list[Entry], dice: random.Random) -> set[int | str]:
    at = _any_but_the_last(dice)
    message = _message(log[at])
    message.host = dice.choice([host for host in _HOSTS if host != message.host])
    log[at] = replace(log[at], content=message.SerializeToString())
    return {at}


def set_time_back(log: list[Entry], dice: random.Random) -> set[int | str]:
    at = dice.randrange(1, len(log))
    log[at] = replace(log[at], received_ns=log[at - 1].received_ns - dice.randrange(1, 10**12))
    return {at}


def set_time_on(log: list[Entry], dice: random.Random) -> set[int | str]:
    at = dice.randrange(len(log) - 1)
    log[at] = replace(log[at], received_ns=log[at + 1].received_ns + dice.randrange(1, 10**12))
    return {at + 1}


def shift_time(log: list[Entry], dice: random.Random) -> set[int | str]:
    """Between the times of its neighbours."""
    at = dice.randrange(1, len(log) - 1)
    log[at] = replace(log[at], received_ns=log[at].received_ns + dice.choice([-1, 1]) * dice.randrange(1, STEP_NS))
    return set()


def invent_action(log: list[Entry], dice: random.Random) -> set[int | str]:
    at = dice.randrange(len(log))
    action = ControlAction(kind=ControlAction.KIND_POLICY_VERSION, subject=str(dice.randrange(99)))
    log.insert(at, Entry(Kind.CONTROL, log[at].received_ns, action.SerializeToString()))
    return set()


def fork(log: list[Entry], dice: random.Random) -> set[int | str]:
    """Two histories, both whole: from some moment on the hosts have recorded something else."""
    at = dice.randrange(_FIRST, len(log))
    chains = {host: Chain(host) for host in _HOSTS}
    for entry in log[_FIRST:at]:
        view = batch.decode(entry.content)
        chains[view.host] = Chain(view.host, view.last + 1, batch.digest(entry.content))
    for index in range(at, len(log)):
        chain = chains[_message(log[index]).host]
        log[index] = replace(log[index], content=chain.batch(events=dice.randint(3, 5)))
    return set()


def cut(log: list[Entry], dice: random.Random) -> set[int | str]:
    """As it was before: what the log's key has signed long ago."""
    del log[dice.randrange(_FIRST + len(_HOSTS), len(log)) :]
    return set()


MUTATIONS: tuple[Mutation, ...] = (
    drop_batch,
    drop_first_batches,
    drop_first_batches_and_say_so,
    drop_first_batches_and_take_another_statement,
    drop_first_batches_and_what_was_said,
    drop_a_part_of_what_was_said,
    drop_newest_batch,
    drop_host,
    drop_enrolment,
    alter_record,
    alter_newest_record,
    alter_record_and_chain,
    alter_record_and_sign,
    drop_record_and_chain,
    reorder,
    reorder_hosts,
    replay,
    invent,
    give_to_another_host,
    set_time_back,
    set_time_on,
    shift_time,
    invent_action,
    fork,
    cut,
)


def _drop_first_batches(log: list[Entry], dice: random.Random) -> str:
    """Of one host, at least one of them and not all; the host."""
    host = dice.choice(_HOSTS)
    own = [at for at in range(_FIRST, len(log)) if _message(log[at]).host == host]
    gone = set(own[: dice.randint(1, len(own) - 1)])
    log[:] = [entry for at, entry in enumerate(log) if at not in gone]
    return host


def _first_index(log: list[Entry], host: str) -> int:
    """Of the first batch that the log has of the host."""
    return next(at for at in range(_FIRST, len(log)) if _message(log[at]).host == host)


def _first(log: list[Entry], host: str) -> Beginning:
    """Where what the log has of the host begins."""
    return Beginning.of(batch.decode(log[_first_index(log, host)].content))


def _fields(entry: Entry) -> dict[str, str]:
    return dict(ControlAction.FromString(entry.content).fields)


def _enrolment(entry: Entry, fields: dict[str, str]) -> Entry:
    """The enrolment with other fields; without those that are empty."""
    action = ControlAction.FromString(entry.content)
    left = {name: text for name, text in (dict(action.fields) | fields).items() if text}
    action.ClearField("fields")
    action.fields.update(left)
    return replace(entry, content=action.SerializeToString())


def _any_but_the_last(dice: random.Random) -> int:
    """A batch after which one more of its host comes."""
    return dice.randrange(_FIRST, len(_LOG) - len(_HOSTS))


def _message(entry: Entry) -> Batch:
    return Batch.FromString(entry.content)


def _next(log: list[Entry], at: int) -> int:
    """Index of the host's batch after that one."""
    host = _message(log[at]).host
    return next(index for index in range(at + 1, len(log)) if _message(log[index]).host == host)


def _other_record(message: Batch, dice: random.Random) -> Batch:
    records = bytearray(message.records)
    records[dice.randrange(len(records))] ^= 1 << dice.randrange(8)
    message.records = bytes(records)
    return message


def _signed(message: Batch) -> bytes:
    """A batch that is signed anew, by who does not have its host's key."""
    previous = message.previous
    message.ClearField("previous")
    message.ClearField("signature")
    return batch.seal(batch.encode(message), previous, _THIEF)


def _chain_anew(log: list[Entry], at: int, put: Callable[[Batch], bytes] = Batch.SerializeToString) -> None:
    """Numbers and links all batches of a host behind one that was altered."""
    view = batch.decode(log[at].content)
    last, digest = view.last, batch.digest(log[at].content)
    for index in range(at + 1, len(log)):
        message = _message(log[index])
        if message.host == view.host:
            message.first_sequence, message.previous = last + 1, digest
            log[index] = replace(log[index], content=put(message))
            last, digest = batch.decode(log[index].content).last, batch.digest(log[index].content)


def _exchange(log: list[Entry], one: int, other: int) -> None:
    contents = log[one].content, log[other].content
    log[one], log[other] = (
        replace(log[at], content=content) for at, content in zip((other, one), contents, strict=True)
    )


def _published(log: list[Entry]) -> dict[str, bytes]:
    return naive.published([entry.encode() for entry in log])


def _named(files: dict[str, bytes]) -> set[int | str | None]:
    review = verified(files, _ROSTER)
    findings = [*review.integrity.findings, *review.completeness.findings]
    return {place for each in findings for place in (each.index, each.host)}


def _difference(log: list[Entry]) -> str:
    """What a copy must tell of a log that is not the one that it was made of."""
    if log == _LOG[: len(log)]:
        return f"the log has {len(log)} entries now, and {len(_LOG)} are here: it was cut"
    first = next(at for at, (mine, theirs) in enumerate(zip(_LOG, log, strict=False)) if mine != theirs)
    cut = f"the log has {len(log)} entries now"
    return cut if len(log) < len(_LOG) else f"from entry {first} on: a fork"


def _campaign(directory: Path, rounds: int, seed: int) -> None:
    dice, made = random.Random(seed), Counter[str]()
    copy = Mirror(directory, naive.SIGNER.verifier)
    copy.update(naive.reader(_published(_LOG)), lambda *_: None)
    for number in range(rounds):
        log, mutation = list(_LOG), MUTATIONS[number % len(MUTATIONS)]
        where, what = mutation(log, dice), f"{mutation.__name__}, round {number} of seed {seed}"
        files = _published(log)
        assert log != _LOG, what
        assert not where or _named(files) & where, f"{what}: {where}, named {_named(files)}"
        with pytest.raises(TlogError, match=_difference(log)):
            copy.update(naive.reader(files), lambda *_: None)
        made[mutation.__name__] += 1
    print(f"\nseed {seed}, all found: {dict(made)}")


def test_the_log_itself_has_no_findings() -> None:
    assert _named(_published(_LOG)) == set()


def test_no_rewriting_is_undetected(tmp_path: Path) -> None:
    _campaign(tmp_path, 10 * len(MUTATIONS), seed=20261128)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_no_rewriting_of_thousands_is_undetected(tmp_path: Path) -> None:
    _campaign(tmp_path, 251 * len(MUTATIONS), random.randrange(2**32))
