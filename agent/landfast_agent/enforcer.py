"""What this host enforces: takes a policy, proves that the kernel holds it, and tags whom it selects.

Every public method leaves the host with either the old policy or the new one, never with a part of either.
"""

from collections.abc import Callable
from dataclasses import dataclass

from landfast.policy import canonical
from landfast.policy.errors import PolicyError
from landfast.policy.glob import Automaton
from landfast.policy.model import Policy
from landfast.policy.staleness import when_stale
from landfast.policy.tables import Tables, compile_policy, selectors_of
from landfast.v1.batch_pb2 import NoticeKind
from landfast_agent import holders, memory, selection, slots, tasks, unjudged
from landfast_agent.backstop import Backstop
from landfast_agent.clock import Clock
from landfast_agent.errors import AgentError, BadInput, Refused, Unavailable
from landfast_agent.guard import Guard
from landfast_agent.lockout import Lockout
from landfast_agent.maps import Maps
from landfast_agent.policy_store import PolicyStore, Stored
from landfast_agent.refusals import Notify, Refusals
from landfast_agent.slots import Loaded
from landfast_agent.tagger import Tagged, Tagger
from landfast_agent.unjudged import Unjudged

#: Raises RejectedError unless a policy's proof holds; both as they are stored.
Prove = Callable[[bytes, bytes], None]


class RejectedError(AgentError):
    """A policy that this host does not take. The one before it stays in force."""

    status = 2


@dataclass(frozen=True)
class Active:
    """The policy in force: its meaning, its bytes, its proof as it is stored, and the digest that the maps must have.

    A `stale` one is enforced without what its classes with `on_stale_policy: deny-all` are allowed otherwise.
    """

    policy: Policy
    data: bytes
    proof: bytes
    stale: bool
    map_digest: bytes
    automaton: Automaton


def _prepare(data: bytes, proof: bytes, *, stale: bool, decoded: Policy | None = None) -> tuple[Active, Tables]:
    try:
        policy = decoded or canonical.decode(data)
        tables = compile_policy(when_stale(policy) if stale else policy, canonical.digest(data))
    except PolicyError as error:
        raise RejectedError(str(error)) from error
    return Active(policy, data, proof, stale, tables.digest, selectors_of(policy)), tables


class Enforcer:
    """One instance's policy and tags. `notify` records what happened as an event.

    With `prove`, as on an enrolled host, no stored policy is enforced but one whose proof holds.
    """

    def __init__(  # noqa: PLR0917  # the parts that it puts together
        self,
        maps: Maps,
        store: PolicyStore,
        clock: Clock,
        lockout: Lockout,
        guard: Guard,
        backstop: Backstop,
        notify: Notify,
        prove: Prove | None = None,
    ) -> None:
        self.maps, self.store, self.clock = maps, store, clock
        self._lockout, self._guard, self._backstop, self._notify = lockout, guard, backstop, notify
        self._prove, self.refusals = prove, Refusals(notify)
        self.tagger = Tagger(maps, lockout, guard)
        self.active: Active | None = None
        self._words: dict[str, int] = {}

    # policy

    def restore(self, *, stale: bool = False) -> Loaded | None:
        """Enforces the newest stored policy that may be, as at boot. None when there is none yet."""
        found = next(filter(self._is_proved, self.store.readable()), None)
        if found is None:
            return None
        wanted, tables = _prepare(found.data, found.proof, stale=stale, decoded=found.policy)
        self._compare(wanted)
        loaded = self._activate(wanted, tables)
        self.adopted({task.tgid for task in tasks.everything(self.maps)})  # whom the kernel has tagged meanwhile
        return loaded

    def _is_proved(self, stored: Stored) -> bool:
        try:
            if self._prove:
                self._prove(stored.data, stored.proof)
        except RejectedError as error:
            self.refusals.add(str(error))
            return False
        return True

    def _compare(self, wanted: Active) -> None:
        """Tells of maps that somebody has altered since the agent before us has written them."""
        held = slots.dump(self.maps, self.clock)
        same = held is not None and held.policy_digest == canonical.digest(wanted.data)
        if held and same and held.digest != wanted.map_digest:
            text = f"the maps of policy {held.version} were altered while the agent was away, and are written anew"
            self._notify(NoticeKind.NOTICE_KIND_MAPS_ALTERED, text, {"what": f"digest {held.digest.hex()}"})

    def apply(self, data: bytes, proof: bytes = b"", *, stale: bool = False) -> Loaded:
        """Stores and enforces a newer policy. Raises RejectedError, with the old one in force, when it cannot be."""
        try:
            return self._accept(*_prepare(data, proof, stale=stale))
        except AgentError as error:
            self.refusals.add(str(error))
            raise

    def _accept(self, wanted: Active, tables: Tables) -> Loaded:
        version, held = wanted.policy.version, self.active.policy.version if self.active else 0
        if self.active and wanted.data == self.active.data:
            return self.verify() if wanted.map_digest == self.active.map_digest else self._activate(wanted, tables)
        if version <= held:
            raise RejectedError(f"policy version {version} is not newer than version {held}, which is in force")
        self.store.write(version, wanted.data, wanted.proof)
        try:
            return self._activate(wanted, tables)
        except AgentError:
            self.store.remove(version)
            raise

    def _activate(self, wanted: Active, tables: Tables) -> Loaded:
        if tables.glob_tags:
            self._guard.attach()
        loaded = slots.install(self.maps, tables, self.clock)
        self.active = wanted
        self._words = {"generation": loaded.generation, "selecting": int(bool(tables.glob_tags))}
        self.clock.keep()
        digest = loaded.digest.hex()
        self._notify(
            NoticeKind.NOTICE_KIND_POLICY_APPLIED,
            f"policy version {loaded.version} is in force (digest {loaded.policy_digest.hex()[:16]})",
            {"version": str(loaded.version), "digest": loaded.policy_digest.hex(), "map_digest": digest},
        )
        self.select()
        memory.give_back()
        return loaded

    def reinstall(self) -> Loaded:
        """Writes the active policy anew: after the clock was set, or the maps were altered."""
        if self.active is None:
            raise Refused("no policy is in force: there is nothing to write anew")
        active = self.active
        return self._activate(*_prepare(active.data, active.proof, stale=active.stale, decoded=active.policy))

    def age(self, *, stale: bool) -> None:
        """The policy in force became stale, or is not any more."""
        active = self.active
        if active and active.stale != stale:
            wanted, tables = _prepare(active.data, active.proof, stale=stale, decoded=active.policy)
            if wanted.map_digest != active.map_digest:
                self._activate(wanted, tables)
            self.active = wanted

    def held(self) -> Loaded | None:
        """What the kernel holds now, right or wrong."""
        return slots.dump(self.maps, self.clock)

    def verify(self) -> Loaded:
        """Reads everything back. Raises Refused when the kernel does not hold what was approved."""
        loaded = self.held()
        if self.active is None or loaded is None:
            raise Refused("no policy is in force: every tagged process is denied everything")
        if loaded.digest != self.active.map_digest:
            raise Refused(
                f"the kernel maps of policy {loaded.version} were altered: they read back as "
                f"{loaded.digest.hex()[:16]}, approved is {self.active.map_digest.hex()[:16]}"
                f"{slots.other_modes(self.active.policy, loaded)}"
            )
        if not loaded.deadlines_true:
            raise Refused(f"the expiry deadlines of policy {loaded.version} do not agree with the clock")
        return loaded

    def words(self) -> dict[str, int]:
        """What the control block must say: the policy in force, and the classes that anybody ever had."""
        ever = self._words.get("tagged", 0) | self.maps.control.get("tagged")
        self._words |= {"tagged": ever} if ever else {}
        return self._words

    # tags

    def mask(self, classes: list[str]) -> int:
        """Tag mask of classes by name. Raises BadInput for one that the policy in force does not hold."""
        if self.active is None:
            raise Refused("no policy is in force yet: load one with `landfast-agent run --policy FILE`, or enrol")
        if not classes:
            raise BadInput("no data class was named: use --class NAME[,NAME]")
        try:
            return self.active.policy.tags(classes)
        except ValueError as error:
            raise BadInput(str(error)) from error

    def select(self) -> None:
        """Tags what the policy selects among the cgroups that exist."""
        if self.active is None:
            return
        for found in selection.synchronise(self.maps, self.active.automaton, self.tagger, self._lockout):
            names = ",".join(self.active.policy.names(found.tags))
            fields = {"cgroup": found.path, "classes": names}
            if found.refusal:
                text = f"cgroup {found.path} is selected for {names} but not tagged: {found.refusal}"
                self._notify(NoticeKind.NOTICE_KIND_TAG_REFUSED, text, fields)
            elif found.tagged and found.tagged.processes:
                self._tagged(found.tagged, f"cgroup {found.path}", fields)
            if found.tagged:
                self._judge(found.tagged)
        self._backstop.refresh()

    def tag_tree(self, pid: int, classes: list[str], by_uid: int) -> tuple[Tagged, list[str]]:
        """`landfast-agent tag`: a live process, its descendants, and their sockets.

        Also says whom that has ended: who opened, while it was tagged, what nobody can judge.
        """
        fields = {"pid": str(pid), "classes": ",".join(sorted(classes)), "uid": str(by_uid)}
        tags = self.mask(classes)
        try:
            tagged = self.tagger.tag_tree(pid, tags)
        except Refused as error:
            self._notify(NoticeKind.NOTICE_KIND_TAG_REFUSED, str(error), fields)
            raise
        self._tagged(tagged, f"process tree {pid}", fields)
        self._backstop.cover(task.tgid for task in tagged.processes)
        return tagged, self._judge(tagged)

    def tag_caller(self, pid: int, classes: list[str], by_uid: int) -> tuple[Tagged, list[Unjudged]]:
        """`landfast-agent exec`: the process that asks, which is about to become the workload.

        Also returns the descriptors that it must close before that.
        """
        tags, result = self.mask(classes), Tagged()
        reason = self._lockout.process(pid, caller=pid)
        if reason:
            raise Refused(f"process {pid} is not tagged: {reason}")
        task = self.tagger.tag_process(pid, tags, result)
        held = tasks.get(self.maps, pid)
        if task is None or held is None or held.tags & tags != tags:
            raise Refused(f"process {pid} went away while it was tagged")
        fields = {"pid": str(pid), "classes": ",".join(sorted(classes)), "uid": str(by_uid)}
        self._tagged(result, f"process {pid} (exec)", fields)
        self._backstop.cover([pid])
        return result, [*unjudged.found(pid), *result.full[pid]]

    def _tagged(self, tagged: Tagged, what: str, fields: dict[str, str]) -> None:
        counts = f"{len(tagged.processes)} processes, {tagged.sockets} sockets"
        self._notify(NoticeKind.NOTICE_KIND_TAGGED, f"{what} tagged {fields['classes']}: {counts}", fields)

    def _judge(self, tagged: Tagged) -> list[str]:
        """Ends who holds what nobody can judge. What was done, a line for each."""
        if self.active is None:
            return []
        ended = holders.end(self.maps, self.active.policy, tagged)
        for text, fields in ended:
            self._notify(NoticeKind.NOTICE_KIND_TAG_REFUSED, text, fields)
        return [text for text, _ in ended]

    def adopted(self, tgids: set[int]) -> None:
        """The kernel has tagged these since their cgroup is selected: their open sockets are still to be tagged."""
        for tgid in tgids:
            task, result = tasks.get(self.maps, tgid), Tagged()
            try:
                if task is not None:
                    self.tagger.tag_process(tgid, task.tags, result)
                self._judge(result)
            except Unavailable as error:
                text = f"process {tgid} is tagged, but not all of its open sockets: {error}"
                self._notify(NoticeKind.NOTICE_KIND_TAG_REFUSED, text, {"pid": str(tgid)})
