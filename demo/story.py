"""The story: what an SRE, an operator and an auditor see, told with programs that nobody here wrote."""

import json
import time
from datetime import datetime
from pathlib import Path

from demo import chapters
from demo.setting import DATA_CLASS, PORT, Setting, said
from demo.shell import Shell
from demo.telling import Step, check
from tests.testbed import CONTROLLER, DATA_CENTRE, OUTSIDE, Program, Sniffer, eventually
from tests.testbed.servers import answers

_GOOD = [f"http://{DATA_CENTRE.ip4}/hello", f"http://[{DATA_CENTRE.ip6}]/hello"]
_BAD = [f"http://{OUTSIDE.ip4}/hello", f"http://[{OUTSIDE.ip6}]/hello", f"http://[::ffff:{OUTSIDE.ip4}]/hello"]
_RULE = (DATA_CLASS, str(OUTSIDE.v4.network), "tcp/80")
_ATTEMPTS = 23
_OUTAGE_PORT = 8423


def places(setting: Setting) -> str:
    setting.make()
    return "nginx in the data centre and outside, an rsync daemon in the data centre"


def controller(setting: Setting) -> str:
    state = setting.directory / "controller"
    said(setting.controller.run(setting.server("init", "--dir", state, "--address", str(CONTROLLER.ip4))))
    server = setting.server("serve", "--dir", state, "--listen", f"0.0.0.0:{PORT}")
    setting.start("controller", server, setting.controller).ready(
        lambda: answers(setting.controller, PORT, "127.0.0.1")
    )
    return f"listens on {setting.address}"


def people(setting: Setting) -> str:
    made = setting.directory / "controller"
    first, key, root = (made / name for name in ("first-approver.pem", "first-approver.key", "1.root.json"))
    signing = ("--key", key, "--root", root)
    setting.landfast("approver", "login", "--controller", setting.address, "--identity", first, *signing)
    for name, role in (("olga", "operator"), ("vera", "auditor")):
        identity = setting.directory / f"{name}.pem"
        setting.landfast("approver", "identity", "create", name, "--role", role, "--out", identity)
        setting.landfast(name, "login", "--controller", setting.address, "--identity", identity)
    follow = setting.cli("events", "follow", "--canary", "--from", "0", "--format", "json")
    setting.start("vera", follow, setting.controller, env=setting.person("vera"))
    return "an approver; olga, an operator; vera, an auditor, who follows the stream from its beginning"


def policy(setting: Setting) -> str:
    file = Path(__file__).with_name("policy.yaml")
    setting.landfast("approver", "policy", "apply", file, "--reason", "first policy")
    return f"{DATA_CLASS} may go to {DATA_CENTRE.v4.network}, and nowhere else"


def enrolment(setting: Setting) -> str:
    token = setting.directory / "token.pem"
    setting.landfast("approver", "fleet", "token", "create", "--out", token)
    enroll = setting.agent("enroll", "--controller", setting.address, "--token-file", token)
    said(setting.enclave.run(enroll))
    started = time.monotonic()
    start_agent(setting)
    return f"enforcing, and proved to the controller, {time.monotonic() - started:.1f} s after its start"


def start_agent(setting: Setting) -> None:
    agent = setting.start("agent", setting.agent("run"), setting.enclave)
    agent.ready(lambda: proved(setting), timeout=30)


def proved(setting: Setting) -> bool:
    """Whether every host has proved, by a digest of its kernel maps, that it runs the newest policy."""
    hosts = json.loads(setting.landfast("approver", "fleet", "list", "--json"))
    return bool(hosts) and all(host["connected"] and host["proved"] for host in hosts)


def untagged(setting: Setting) -> str:
    for url in (*_GOOD, *_BAD):
        done = setting.enclave.run(curl(url))
        check(done.stdout.startswith("hello from"), f"curl {url}: {done.stderr}")
    return "curl reaches the data centre and the outside, IPv4 and IPv6"


def tagged_inside(setting: Setting) -> str:
    for url in _GOOD:
        said(setting.enclave.run(setting.tagged(*curl(url))))
    profile = setting.path("profiles") / "profile"
    profile.write_bytes(b"user data " * 10_000)
    copy = ["rsync", "-a", f"{profile.parent}/", f"rsync://{DATA_CENTRE.ip4}/data/"]
    said(setting.enclave.run(setting.tagged(*copy)))
    copied = (setting.path("replica") / "profile").read_bytes()
    check(copied == profile.read_bytes(), "rsync's copy in the data centre differs")
    return "curl and rsync, carrying the class, reach the data centre"


def tagged_outside(setting: Setting) -> str:
    with Sniffer(setting.network.router, "enclave") as sniffer:
        slowest = max(_refused(setting, url) for url in _BAD)
        _nothing_left(sniffer)
    return f"curl: Operation not permitted, after at most {slowest * 1000:.1f} ms; 0 packets"


def _refused(setting: Setting, url: str) -> float:
    """Seconds that curl took to be told, by its own count."""
    measured = ("-w", "\n%{time_total}")
    done = setting.enclave.run(setting.tagged(*curl(url), "-v", *measured))
    check(done.returncode == 7, f"curl {url} ended with status {done.returncode}, not 7: {done.stderr}")
    check("Operation not permitted" in done.stderr, f"curl {url} was not told why: {done.stderr}")
    return float(done.stdout.split()[-1])


def rule_added(setting: Setting) -> str:
    loop = f"until curl -sf -o /dev/null --max-time 1 {_BAD[0]}; do sleep 0.02; done; date +%s.%N"
    waiting = setting.start("waiting", setting.tagged("sh", "-c", loop), setting.enclave)
    time.sleep(0.5)
    check(waiting.process.poll() is None, f"reached without a rule: {waiting.output}")
    _approved(setting, "add", *_RULE, "--reason", "one-off export", "--expires", "1h")
    waiting.wait(5)
    after = float(waiting.output) - _accepted(setting, 1)
    check(after < 1, f"the rule took {after:.2f} s to work")
    return f"olga proposes, the approver signs: curl gets through {after:.2f} s after the controller accepted it"


def rule_removed(setting: Setting) -> str:
    target = setting.directory / "download"
    fetch = f"curl -sS --limit-rate 20M -o {target} http://{OUTSIDE.ip4}/large && exit 0; date +%s.%N; exit 1"
    download = setting.start("download", setting.tagged("sh", "-c", fetch), setting.enclave)
    download.ready(lambda: target.exists() and target.stat().st_size > 5_000_000)
    with Sniffer(setting.network.router, "enclave") as sniffer:
        _approved(setting, "remove", *_RULE, "--reason", "export done")
        check(download.wait(5) == 1, f"curl did not fail: {download.output}")
        last = sniffer.last(str(OUTSIDE.v4.network)) + time.time() - time.monotonic()
    error, told = download.output.splitlines()[-2:]
    accepted = _accepted(setting, 2)
    quiet = max(last - accepted, 0)
    check(quiet < 1, f"packets went on for {quiet:.2f} s")
    return f"no packet from {quiet:.2f} s after acceptance, curl told at {float(told) - accepted:.2f} s: {error}"


def _approved(setting: Setting, *words: str) -> None:
    """Olga proposes, which changes nothing yet, and the approver signs."""
    said = setting.landfast("olga", "allow", *words)
    check("waits for 1 of any approver" in said, f"a proposal alone was enough: {said}")
    setting.landfast("approver", "change", "approve", said.split()[1])


def _accepted(setting: Setting, number: int) -> float:
    """When the controller accepted the operator's change of this number, in seconds since 1970, as the log says."""

    def changes() -> list[chapters.Entry]:
        return [entry for entry in stream(setting.programs["vera"]) if chapters.by_operator(entry)]

    eventually(lambda: len(changes()) >= number, "the auditor sees the operator's change")
    return datetime.fromisoformat(changes()[number - 1]["time"]).timestamp()


def agent_killed(setting: Setting) -> str:
    shell = Shell(setting.enclave.command(setting.tagged("sh")))
    try:
        return _without_agent(setting, shell)
    finally:
        shell.close()


def _without_agent(setting: Setting, shell: Shell) -> str:
    check(shell.run("curl -sS " + _GOOD[0]).status == 0, "the tagged shell does not reach the data centre")
    setting.programs["agent"].kill()
    with Sniffer(setting.network.router, "enclave") as sniffer:
        answers_got = [shell.run(f"curl -sS http://{OUTSIDE.ip4}:{_OUTAGE_PORT}/") for _ in range(_ATTEMPTS)]
        _nothing_left(sniffer)
    check(all(answer.status == 7 for answer in answers_got), f"not refused: {answers_got}")
    check(shell.run("curl -sS " + _GOOD[0]).status == 0, "without the agent, the data centre is not reached")
    return f"{_ATTEMPTS} of {_ATTEMPTS} attempts refused, 0 packets; the data centre is still reached"


def agent_back(setting: Setting) -> str:
    started = time.monotonic()
    start_agent(setting)
    eventually(lambda: len(_outage(setting)) >= _ATTEMPTS, "the events of the outage reach the auditor", timeout=10)
    seen = len(_outage(setting))
    check(seen == _ATTEMPTS, f"{seen} events of {_ATTEMPTS} attempts")
    return f"its {seen} events are with the auditor {time.monotonic() - started:.1f} s after the restart"


def _outage(setting: Setting) -> list[chapters.Entry]:
    return [entry for entry in stream(setting.programs["vera"]) if entry.get("port") == _OUTAGE_PORT]


def stream(auditor: Program) -> list[chapters.Entry]:
    """What the auditor has been sent so far."""
    complete = auditor.output.rpartition("\n")[0]
    return [json.loads(line) for line in complete.splitlines() if line.startswith("{")]


def evidence(setting: Setting) -> str:
    entries = stream(setting.programs["vera"])
    untold, hole = chapters.missing(entries), chapters.gap(entries)
    check(untold is None, f"{untold}: not in the stream, or not in its place")
    check(hole is None, f"the stream is incomplete: {hole}")
    events = sum(entry["kind"] != "control" for entry in entries)
    return f"{len(chapters.CHAPTERS)} chapters in order; {events} events of the host, no number missing"


def verification(setting: Setting) -> str:
    copy, roster = setting.path("log"), setting.directory / "roster.txt"
    roster.write_text("\n".join(f"{name} {_event_key(setting)}" for name in _hosts(setting)))
    setting.landfast("vera", "audit", "mirror", copy)
    verify = ("audit", "verify", "--offline", copy, "--hosts", roster, "--json")
    found = json.loads(setting.landfast("vera", *verify))
    check(found["integrity"]["holds"] and found["completeness"]["holds"], f"the log is not verified: {found}")
    size = found["checkpoint"]["size"]
    return f"{size} entries under the log's signature, events under their host's; nothing altered, nothing missing"


def _event_key(setting: Setting) -> str:
    """As an auditor has it from the host itself."""
    return str(json.loads(setting.enclave.run(setting.agent("status", "--json")).stdout)["event_key"])


def _hosts(setting: Setting) -> list[str]:
    return [host["name"] for host in json.loads(setting.landfast("vera", "fleet", "list", "--json"))]


def _nothing_left(sniffer: Sniffer) -> None:
    frames = [*sniffer.frames(str(OUTSIDE.v4.network)), *sniffer.frames(str(OUTSIDE.v6.network))]
    check(not frames, f"{len(frames)} packets left for the outside, the first {frames[:1]}")


def curl(url: str) -> list[str]:
    return ["curl", "-sS", "--max-time", "5", url]


STORY = [
    Step("An enclave host, a data centre, a place outside", places),
    Step("The controller starts", controller),
    Step("People get identities", people),
    Step("The approver applies a policy", policy),
    Step("The host enrols with a one-time token", enrolment),
    Step("Untagged programs are left alone", untagged),
    Step("Tagged programs reach the data centre", tagged_inside),
    Step("Tagged programs are refused outside", tagged_outside),
    Step("The operator proposes a rule; approved, it works within a second", rule_added),
    Step("The rule is removed, and a download stops", rule_removed),
    Step("The agent is killed, and the block stands", agent_killed),
    Step("The agent restarts, and no event is missing", agent_back),
    Step("The auditor has seen all of it, in order", evidence),
    Step("The auditor copies the log, and verifies the copy", verification),
]
