"""`landfast-agent explain`: the verdict that the loaded maps give, the rule, and the version."""

import json
import sys
from ipaddress import ip_address

import click

from landfast.policy.errors import InvalidError
from landfast.policy.evaluate import Decision, Question
from landfast.policy.layout import POLICY
from landfast.policy.lookup import decide
from landfast.policy.model import Policy
from landfast.policy.numbering import describe
from landfast.policy.ports import parse_ports
from landfast.verdict import Protocol, Verdict
from landfast_agent import addresses, listeners
from landfast_agent.clock import Clock
from landfast_agent.errors import BadInput, Unavailable
from landfast_agent.instance import Instance
from landfast_agent.kernel_slot import KernelSlot
from landfast_agent.listeners import Holder
from landfast_agent.maps import Maps
from landfast_agent.policy_store import PolicyStore
from landfast_agent.words import class_names, paragraph, require_root


def _port(text: str) -> tuple[Protocol, int]:
    try:
        ports = parse_ports(text)
    except InvalidError as error:
        raise BadInput(f"{text}: {error}: write e.g. tcp/443, udp/53 or icmp") from error
    if ports.is_any or ports.low != ports.high:
        raise BadInput(f"{text}: one protocol and one port are explained at a time, e.g. tcp/443")
    return Protocol(ports.protocol), ports.low


def _address(text: str) -> bytes:
    try:
        address = ip_address(text)
    except ValueError as error:
        raise BadInput(f"{text}: {error}: give one address, e.g. 10.20.0.5 or 2001:db8::1") from error
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


def _is_local(address: bytes) -> bool:
    mapped = address.startswith(bytes(10) + b"\xff\xff")
    loopback = address[12] == 127 if mapped else address == bytes(15) + b"\1"
    return loopback or address in addresses.current()


def _tags(policy: Policy, classes: str) -> int:
    try:
        return policy.tags(class_names(classes))
    except InvalidError as error:
        raise BadInput(str(error)) from error


def _loaded_policy(instance: Instance, slot: KernelSlot) -> Policy:
    version = POLICY.unpack(slot.policy())[1]
    policy = PolicyStore(instance.state / "policies").policy_of(version)
    if policy is None:
        raise Unavailable(
            f"policy version {version} is loaded, but its file is not in {instance.state}/policies: "
            f"start the agent again to fetch it"
        )
    return policy


def _listener(maps: Maps, address: bytes, port: int, protocol: Protocol) -> Holder | None:
    """None when nobody listens, and for what nobody can listen to."""
    return listeners.find(maps, address, port, protocol) if protocol in (Protocol.TCP, Protocol.UDP) else None


def _audited(slot: KernelSlot) -> int:
    """Classes of which the kernel lets everything pass now."""
    loaded, audit = POLICY.unpack(slot.policy())[2:4]
    return int(loaded & audit)


def _document(policy: Policy, found: Decision, tags: int, audited: int, listener: Holder | None) -> dict[str, object]:
    return {
        "verdict": found.verdict.name,
        "reason": found.reason.name,
        "policy_version": policy.version,
        "missing": policy.names(found.missing),
        "audited": policy.names(tags & audited),
        "rules": [{"number": number, "text": describe(policy, number)} for number in found.rules],
        "listener": _listener_document(policy, tags, listener) if listener else None,
    }


def _listener_document(policy: Policy, tags: int, listener: Holder) -> dict[str, object]:
    return {
        "pid": listener.pid,
        "name": listener.name,
        "unit": listener.unit,
        "classes": policy.names(listener.tags),
        "lacks": policy.names(tags & ~listener.tags),
    }


@click.command("explain", short_help="Tell what the loaded policy says about a destination.")
@click.argument("destination", metavar="DEST")
@click.argument("port", metavar="PROTO/PORT")
@click.option("--class", "classes", required=True, metavar="C[,C...]", help="Data classes of the sender.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(instance: Instance, destination: str, port: str, classes: str, as_json: bool) -> None:
    """Tells the verdict for a process with these classes sending to DEST, read from the kernel's maps, not from a file.

    Exit status 0 when it is allowed (or only recorded, in audit mode), 1 when it is denied. A destination on this host
    is judged by who listens there now, in the network namespace in which this command runs.

    \b
    Examples:
      landfast-agent explain --class eea-user-data 10.20.0.5 tcp/443
      landfast-agent explain --class eea-user-data,billing 203.0.113.9 udp/53 --json
    """
    require_root()
    address, (protocol, number) = _address(destination), _port(port)
    with Maps(instance) as maps:
        slot = KernelSlot(maps)
        policy = _loaded_policy(instance, slot)
        now = Clock(instance.state / "clock").now_ns() / 1e9
        local = _is_local(address)
        tags = _tags(policy, classes)
        listener = _listener(maps, address, number, protocol) if local else None
        peer_tags, audited = listener.tags if listener else None, _audited(slot)
        found = decide(slot, Question(tags, address, protocol, number, local=local, peer_tags=peer_tags, now=now))
    if as_json:
        click.echo(json.dumps(_document(policy, found, tags, audited, listener)))
    else:
        _print(policy, found, f"{destination} {port}", classes)
        if tags & audited:
            names = ", ".join(policy.names(tags & audited))
            click.echo(paragraph(f"  in audit mode, which lets everything pass: {names}", 4))
        if local:
            click.echo(paragraph(f"  {_local_words(policy, found, tags, listener)}", 4))
    sys.exit(1 if found.verdict == Verdict.DENY else 0)


def _print(policy: Policy, found: Decision, what: str, classes: str) -> None:
    asked = ", ".join(class_names(classes))
    click.echo(paragraph(f"{found.verdict.name}  {asked} -> {what}  {found.reason.name}  policy {policy.version}", 6))
    for number in found.rules:
        click.echo(paragraph(f"  rule {number}: {describe(policy, number)}", 4))
    if found.missing:
        click.echo(paragraph(f"  not allowed for: {', '.join(policy.names(found.missing))}", 4))


def _local_words(policy: Policy, found: Decision, tags: int, listener: Holder | None) -> str:
    """Who listens on this host, and, when that is not enough, why and what would be."""
    who = f"this host: {listener} listens there" if listener else "this host: nobody listens there"
    return f"{who}; {_remedy(policy, tags, listener)}" if found.missing else who


def _remedy(policy: Policy, tags: int, listener: Holder | None) -> str:
    if listener is None:
        return "only a listener with these classes, or a `peers` rule, would do"
    lacking = ", ".join(policy.names(tags & ~listener.tags))
    if not lacking:
        return "it carries every class, and `loopback: deny` refuses it: name it under `peers`"
    return f"it lacks {lacking}: tag it, or name it under `peers`"
