"""Shadows: a candidate policy that judges on a host what the policy in force has decided, and decides nothing itself.

This is what a host, the controller and the CLI share: which candidates are taken, and how a host's findings are put
into a report and read back. Nobody trusts a report: a host can say of itself what it likes, and of nobody else.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address

from landfast import render
from landfast.event import printable
from landfast.flows import Flow, Omitted, Summary
from landfast.impact import Changed, Impact
from landfast.policy import canonical
from landfast.policy.errors import refuse
from landfast.policy.model import Policy
from landfast.policy.numbering import RuleKind
from landfast.policy.tables import Tables, compile_policy
from landfast.replay import Change, Judgement
from landfast.v1.shadow_pb2 import ShadowFlow, ShadowReport
from landfast.verdict import Reason, Verdict

#: Bytes of a candidate's canonical form, so that judging takes no more memory than a host can spare: about 200,000
#: prefixes. (A policy in force may be larger.)
MAX_BYTES = 4 << 20

LIFETIME, LONGEST_LIFETIME = timedelta(days=1), timedelta(days=30)

_TOP = 10  # flows of each change that a report names
_REPORT_BYTES = 16_384  # of a report: it has to fit into a batch, whatever names it holds
_TEXT = 256  # characters of a name in a report

#: What something changes for.
CHANGES = (Change.DENIED, Change.ALLOWED, Change.RECORDED)


def prepare(content: bytes) -> tuple[Policy, Tables]:
    """A candidate as a kernel would hold it. Raises PolicyError; takes seconds if it is large."""
    if len(content) > MAX_BYTES:
        problem = f"it has {len(content)} bytes"
        raise refuse("shadow policy", "", problem, f"a shadow has at most {MAX_BYTES}: replay it with `simulate`")
    policy = canonical.decode(content)
    return policy, compile_policy(policy, canonical.digest(content))


def report(impact: Impact, omitted: Omitted, missed: int) -> ShadowReport:
    """What was found so far; the caller adds which candidate, and since when."""
    counts = impact.decisions
    found = ShadowReport(
        unchanged=counts[Change.NONE],
        newly_denied=counts[Change.DENIED],
        newly_allowed=counts[Change.ALLOWED],
        newly_would_deny=counts[Change.RECORDED],
        left_out={reason.value: count for reason, count in omitted.items()},
        missed=missed,
        beyond=impact.changed.beyond,
        flows=[_written(*each) for change in CHANGES for each in impact.flows(change)[:_TOP]],
    )
    while found.ByteSize() > _REPORT_BYTES:
        found.flows.pop()
    return found


def counts(found: ShadowReport) -> Counter[Change]:
    """Decisions by what changes."""
    return Counter(
        {
            Change.NONE: found.unchanged,
            Change.DENIED: found.newly_denied,
            Change.ALLOWED: found.newly_allowed,
            Change.RECORDED: found.newly_would_deny,
        }
    )


def add(found: ShadowReport, host: str, to: Impact) -> None:
    """Adds the report of a host to those of others."""
    to.decisions.update(counts(found))
    to.changed.beyond += found.beyond
    to.changed.summaries.update(_flows(found, printable(host)))


def words(found: ShadowReport) -> str:
    """One line for people."""
    name = f"shadow {found.digest.hex()[:16]}"
    if found.problem:
        return f"{name} judges nothing: {found.problem}"
    told = ", ".join(f"{count} {change.value.replace('_', ' ')}" for change, count in counts(found).items())
    missed = f"; {found.missed} events could not be judged in time" if found.missed else ""
    return f"{name} {'is over' if found.ended else 'so far'}: {told}{missed}"


def fields(found: ShadowReport) -> dict[str, str]:
    """Details for an event: counts, and the most frequent flows of each change."""
    seconds = (found.until_ns - found.since_ns) // 1_000_000_000
    told = {"digest": found.digest.hex(), "seconds": str(seconds), "missed": str(found.missed)}
    told |= {change.value: str(count) for change, count in counts(found).items()}
    for change in (Change.DENIED, Change.ALLOWED):
        lines = [flow_words(each, count) for each, count in _counted(found) if each.judgement.change == change][:3]
        told |= {f"{change.value}_{at}": line for at, line in enumerate(lines, 1)}
    return told


def flow_words(changed: Changed, count: int) -> str:
    """`7 x eea-user-data -> 203.0.113.9 tcp/443 by curl of feed.service`."""
    flow = changed.flow
    process = " of ".join(filter(None, (flow.comm or "?", flow.unit)))
    return f"{count} x {','.join(flow.classes)} {destination(flow)} by {process}"


def destination(flow: Flow) -> str:
    """`-> 203.0.113.9 tcp/443`; who is answered stands behind the port that was called."""
    if flow.remote is None:
        return f"-> unix:{flow.unix_name or '?'}"
    protocol = render.protocol(flow.protocol)
    if flow.kind == RuleKind.SERVE:
        return f"{protocol}/{flow.port} -> {flow.remote}"
    return f"-> {flow.remote} {protocol}" + (f"/{flow.port}" if flow.port else "")


def _written(changed: Changed, summary: Summary) -> ShadowFlow:
    flow, judgement = changed
    return ShadowFlow(
        change=judgement.change.value,
        classes=flow.classes,
        list=flow.kind.value,
        remote=flow.remote.packed if flow.remote else b"",
        protocol=flow.protocol,
        port=flow.port,
        unix_name=flow.unix_name[:_TEXT],
        comm=flow.comm[:_TEXT],
        executable=flow.executable[:_TEXT],
        unit=flow.unit[:_TEXT],
        recorded={int(verdict): count for verdict, count in summary.verdicts.items()},
        first_ns=summary.first_ns,
        last_ns=summary.last_ns,
        verdict=judgement.verdict,
        reason=judgement.reason,
        certain=judgement.certain,
    )


def _counted(found: ShadowReport) -> Iterator[tuple[Changed, int]]:
    return ((changed, summary.count) for changed, summary in _flows(found, ""))


def _flows(found: ShadowReport, host: str) -> Iterator[tuple[Changed, Summary]]:
    """Those that can be read: a newer host may name what this side does not know."""
    for each in found.flows:
        try:
            yield _read(each, host)
        except ValueError:
            continue


def _read(each: ShadowFlow, host: str) -> tuple[Changed, Summary]:
    flow = Flow(
        tuple(map(printable, each.classes)),
        RuleKind(each.list),
        ip_address(each.remote) if each.remote else None,
        each.protocol,
        each.port,
        printable(each.unix_name),
        host,
        printable(each.comm),
        printable(each.executable),
        printable(each.unit),
    )
    judgement = Judgement(Change(each.change), Verdict(each.verdict), Reason(each.reason), each.certain)
    verdicts = Counter({Verdict(verdict): count for verdict, count in each.recorded.items()})
    return Changed(flow, judgement), Summary(each.first_ns, each.last_ns, verdicts)
