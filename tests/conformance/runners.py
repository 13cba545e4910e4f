"""Runners: what confines a technique. Each makes a command line of its own, and can confine what already runs."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from landfast_agent.instance import Instance
from tests.conformance.lab import APPROVED4, APPROVED6, PREFIX, Lab
from tests.testbed import Cgroup, Network, Program, owned
from tests.testbed.leftovers import remove_instance

_AGENT = Path(sys.executable).parent / "landfast-agent"
INSTANCES = "cf"
_RIVALS = Path(__file__).parent / "rivals"
_START_S = 120  # a start may have to compile the data plane
_POLICY = f"""\
version: 1
data_classes:
  eu:
    allow:
      - {{to: {APPROVED4}/32, ports: [any], reason: the approved destination}}
      - {{to: "{APPROVED6}/128", ports: [any], reason: the approved destination}}
    peers:
      - {{unix: "@landfast-control", reason: without BPF LSM unix sockets are judged by name}}
"""


class Session:
    """A runner at work. `confined` is the cgroup of whoever is confined, `free` that of all others."""

    def __init__(self, confined: Cgroup, free: Cgroup) -> None:
        self.confined, self.free = confined, free

    @property
    def environment(self) -> dict[str, str]:
        """What techniques are told beside their lab's environment."""
        return {"CGROUP_OUTSIDE": str(self.free.path)}

    def facts(self) -> dict[str, str]:
        """What the report tells of the runner beside its results."""
        return {}

    def prepare(self, lab: Lab) -> None:
        """What has to be done in each lab."""

    def confine(self, argv: list[str]) -> list[str]:
        """`argv` as a command line that is confined from its first instruction; started in the cgroup `confined`."""
        return argv

    def tag(self, lab: Lab, pid: int) -> str:
        """Confines a process that runs in the cgroup `free`. What the runner refused, or nothing."""
        self.confined.add(pid)
        return ""


class _Landfast(Session):
    def __init__(self, confined: Cgroup, free: Cgroup, instance: str, options: tuple[str, ...]) -> None:
        super().__init__(confined, free)
        self._instance, self._options = instance, options

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"INSTANCE": self._instance}

    def facts(self) -> dict[str, str]:
        """The tier, by what is attached."""
        done = subprocess.run(_agent(self._instance, "status", "--json"), capture_output=True, check=False)
        hooks = [hook["hook"] for hook in json.loads(done.stdout)["hooks"] if not hook["problem"]]
        lsm = any(hook.startswith("lsm") for hook in hooks)
        return {"tier": f"{'BPF LSM' if lsm else 'Without BPF LSM'}, {len(hooks)} hooks"}

    def confine(self, argv: list[str]) -> list[str]:
        return _agent(self._instance, "exec", "--class", "eu", *self._options, "--", *argv)

    def tag(self, lab: Lab, pid: int) -> str:
        done = lab.source.run(_agent(self._instance, "tag", str(pid), "--class", "eu"), timeout=600)
        return done.stderr.strip() if done.returncode else ""


class _Nftables(Session):
    def prepare(self, lab: Lab) -> None:
        rules = (
            (_RIVALS / "nftables.nft")
            .read_text()
            .format(
                cgroup=self.confined.path.relative_to("/sys/fs/cgroup"),
                level=len(Path(self.confined.name).parts),
                approved4=APPROVED4,
                approved6=APPROVED6,
            )
        )
        lab.source.run(["nft", "-f", "-"], input=rules, stdin=None).check_returncode()


#: A directory for logs, and what limits of time are multiplied with.
Start = Callable[[Path, float], AbstractContextManager[Session]]


@dataclass(frozen=True)
class Runner:
    """`start(directory, slow)` is a context in which techniques can be run; `is_ours`: nothing may escape from it."""

    title: str
    start: Start
    is_ours: bool = False


@contextmanager
def _cgroups() -> Iterator[tuple[Cgroup, Cgroup]]:
    name = owned(PREFIX)
    with Cgroup(f"{name}/confined") as confined, Cgroup(f"{name}/free") as free:
        yield confined, free


@contextmanager
def _free(_: Path, __: float) -> Iterator[Session]:
    with _cgroups() as made:
        yield Session(*made)


@contextmanager
def _nftables(_: Path, __: float) -> Iterator[Session]:
    with _cgroups() as made:
        yield _Nftables(*made)


def _landfast(*options: str) -> Start:
    @contextmanager
    def start(directory: Path, slow: float) -> Iterator[Session]:
        instance = owned(INSTANCES)
        policy = directory / f"{instance}.yaml"
        policy.write_text(_POLICY)
        with ExitStack() as stack:
            made = stack.enter_context(_cgroups())
            home = stack.enter_context(Network(PREFIX, ()))
            stack.callback(remove_instance, instance)
            argv = _agent(instance, "run", "--policy", str(policy))
            daemon = stack.enter_context(Program(argv, directory / f"{instance}.log", home.router))
            daemon.ready(lambda: _serves(instance), _START_S * slow)
            yield _Landfast(*made, instance, options)

    return start


def _serves(instance: str) -> bool:
    """Whether the daemon answers; a command is started only when it has a chance."""
    if not Instance(instance).control_socket.exists():
        return False
    done = subprocess.run(_agent(instance, "status", "--json"), capture_output=True, text=True, check=False)
    return '"daemon": {' in done.stdout


def _agent(instance: str, *words: str) -> list[str]:
    return [str(_AGENT), "--instance", instance, *words]


def _programs(*sources: str) -> Start:
    """A rival made of BPF programs on the cgroup."""

    @contextmanager
    def start(directory: Path, slow: float) -> Iterator[Session]:
        with _cgroups() as made:
            argv = ["/usr/bin/python3", "-SEs", str(_RIVALS / "attach.py"), str(made[0].path), APPROVED4, APPROVED6]
            log = directory / f"{'-'.join(sources)}.log"
            log.unlink(missing_ok=True)
            with Program([*argv, *sources], log) as program:
                program.ready(lambda: "ready" in program.output, _START_S * slow)
                yield Session(*made)

    return start


#: By the names that --runners takes. `none` comes first: it says what can be tried here.
RUNNERS = {
    "none": Runner("nothing", _free),
    "landfast": Runner("Landfast", _landfast(), is_ours=True),
    "landfast-keep": Runner("caps kept", _landfast("--keep-capabilities"), is_ours=True),
    "connect-hooks": Runner("hooks", _programs("connect")),
    "skb-egress": Runner("skb", _programs("skb")),
    "hooks-and-skb": Runner("hooks + skb", _programs("connect", "skb")),
    "nftables": Runner("nftables", _nftables),
}
