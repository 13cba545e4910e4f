"""A small policy to write examples with."""

from landfast.policy.model import Draft, Policy
from landfast.policy.source import read
from landfast.policy.succession import succeed

FILE = """\
version: 1
data_classes:
  eea-user-data:
    description: Profile and activity data of EEA accounts
    select:
      - unit: feed-ingest.service
      - cgroup: /landfast.slice/eea/*
    allow:
      - to: 10.20.0.0/16
        ports: [tcp/443, tcp/5432, udp/8000-8100]
        reason: replication to the second Dublin hall
        ticket: NET-1412
        expires: 2027-06-30T00:00:00Z
      - to: group:hamar
        ports: [tcp/443]
        reason: failover
    serve:
      - from: 10.30.0.0/16
        ports: [tcp/8443]
        reason: API for the moderation tools
    peers:
      - to: 127.0.0.53/32
        ports: [udp/53, tcp/53]
        reason: the host resolver
      - unix: /run/systemd/notify
        reason: readiness
  pii:
    mode: audit
    loopback: allow
    forbidden_calls: audit
    allow:
      - to: 10.20.1.0/24
        ports: [any]
        reason: backups
groups:
  hamar: [192.0.2.0/25, "2001:db8:77::/48"]
"""
NOW = 1_800_000_000  # 2027-01-15T08:00:00Z, before the expiry above
EXPIRY = 1_814_313_600  # 2027-06-30T00:00:00Z


def draft_of(text: str = FILE) -> Draft:
    return read(text, now=NOW).draft


def policy_of(text: str = FILE) -> Policy:
    return succeed(draft_of(text), None)


def with_rules(*rules: tuple[str, str]) -> Policy:
    """A policy of one class `pii` (bit 0) whose allowlist has these (to, ports)."""
    lines = "".join(f"      - {{to: '{to}', ports: [{ports}], reason: test}}\n" for to, ports in rules)
    return policy_of(f"version: 1\ndata_classes:\n  pii:\n    allow:\n{lines or '      []'}\n")
