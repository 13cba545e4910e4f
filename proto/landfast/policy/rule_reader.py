"""Reads the rules and prefixes of a policy file."""

from collections.abc import Iterator

from landfast.policy.addresses import parse_prefix
from landfast.policy.errors import InvalidError
from landfast.policy.fields import Fields
from landfast.policy.model import GROUP, Rule, UnixPeer
from landfast.policy.nodes import Mapping, Node, Scalar
from landfast.policy.ports import Ports, merge, parse_ports
from landfast.policy.remotes import embedded_ipv4, is_loopback, parse_member, parse_remote
from landfast.policy.texts import did_you_mean, parse_socket_path, parse_text, parse_ticket
from landfast.policy.times import format_time, parse_time

_NOTES = ("reason", "ticket", "expires")
_REQUIRED = {
    "to": "write a CIDR prefix or group:NAME",
    "from": "write a CIDR prefix or group:NAME",
    "ports": "say which, such as ports: [tcp/443], or spell out ports: [any]",
    "reason": "say why, for whoever reviews it",
}


class RuleReader:
    """Turns nodes into rules. `groups` are the names that rules may use; `now` is in seconds since 1970."""

    def __init__(self, fields: Fields, groups: set[str], now: float) -> None:
        self._fields, self._report, self._groups, self._now = fields, fields.report, groups, now

    def allow(self, node: Node) -> Rule | None:
        """An entry of `allow`."""
        rule = self._rule(node, "to")
        if rule and not rule.group and is_loopback(parse_prefix(rule.remote)):
            self._report.warn(node, f"{rule.remote} is this host itself, which allow never covers", "use peers")
        return rule

    def serve(self, node: Node) -> Rule | None:
        """An entry of `serve`."""
        return self._rule(node, "from")

    def peer(self, node: Node) -> Rule | UnixPeer | None:
        """An entry of `peers`."""
        if isinstance(node, Mapping) and any(key.text == "unix" for key, _ in node.entries):
            return self._unix(node)
        return self._rule(node, "to")

    def members(self, items: list[Node]) -> Iterator[tuple[Node, str]]:
        """The prefixes of a group."""
        for node in items:
            member = self._fields.value(node, parse_member)
            if member is not None:
                self._warn_of_prefix(node, member)
                yield node, member

    def _unix(self, node: Node) -> UnixPeer | None:
        found = self._fields.mapping(node, ("unix", *_NOTES), {"reason": _REQUIRED["reason"]})
        path = self._fields.value(found.get("unix"), parse_socket_path)
        reason, ticket, expires = self._notes(found)
        return UnixPeer(path, reason, ticket, expires) if path and reason else None

    def _rule(self, node: Node, remote_key: str) -> Rule | None:
        required = {key: _REQUIRED[key] for key in (remote_key, "ports", "reason")}
        found = self._fields.mapping(node, (remote_key, "ports", *_NOTES), required)
        remote, ports = self._remote(found.get(remote_key)), self._ports(found.get("ports"))
        reason, ticket, expires = self._notes(found)
        return Rule(remote, ports, reason, ticket, expires) if remote and ports and reason else None

    def _notes(self, found: dict[str, Node]) -> tuple[str | None, str, int | None]:
        reason = self._fields.value(found.get("reason"), parse_text)
        ticket = self._fields.value(found.get("ticket"), parse_ticket)
        return reason, ticket or "", self._expires(found.get("expires"))

    def _expires(self, node: Node | None) -> int | None:
        expires = self._fields.value(node, parse_time)
        if node and expires is not None and expires <= self._now:
            self._report.warn(node, f"the rule expired at {format_time(expires)} and allows nothing", "remove it")
        return expires

    def _remote(self, node: Node | None) -> str | None:
        remote = self._fields.value(node, self._parse_known_remote)
        if node and remote and not remote.startswith(GROUP):
            self._warn_of_prefix(node, remote)
        return remote

    def _parse_known_remote(self, text: str) -> str:
        remote = parse_remote(text)
        name = remote.removeprefix(GROUP)
        if name != remote and name not in self._groups:
            raise InvalidError(f"there is no group {name}", did_you_mean(name, self._groups))
        return remote

    def _warn_of_prefix(self, node: Node, text: str) -> None:
        prefix = parse_prefix(text)
        if prefix.is_ipv4 and isinstance(node, Scalar) and ":" in node.text:
            self._report.warn(node, f"{node.text} is the IPv4 prefix {text}", "write it like this")
        for embedding in embedded_ipv4(prefix):
            problem = f"{text} overlaps {embedding}, which leads on to IPv4 addresses that no rule here judges"
            self._report.warn(node, problem, "leave it out unless no gateway of that kind can be reached")

    def _ports(self, node: Node | None) -> tuple[Ports, ...]:
        items = self._fields.items(node) if node else []
        if node and not items and not isinstance(node, Scalar):
            self._report.error(node, "there are no ports", _REQUIRED["ports"])
        ports = [entry for entry in (self._fields.value(item, parse_ports) for item in items) if entry]
        merged = merge(ports)
        if node and sorted(ports) != list(merged):
            shown = ", ".join(map(str, merged))
            self._report.warn(node, "some of these ports include others", f"[{shown}] means the same")
        return merged
