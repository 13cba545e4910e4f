"""The policy file: what is read, what is refused where and with which remedy, what is warned of."""

from pathlib import Path

import pytest
from hypothesis import given, settings

from landfast.policy.errors import Finding, PolicyError
from landfast.policy.model import Draft, Loopback, Mode, UnixPeer
from landfast.policy.source import read, write
from tests.unit.policy.examples import EXPIRY, FILE, NOW, draft_of
from tests.unit.policy.strategies import drafts


def test_the_example_is_read() -> None:
    eea, pii = draft_of().classes
    assert [str(rule) for rule in eea.allow] == ["10.20.0.0/16 tcp/443,tcp/5432,udp/8000-8100", "group:hamar tcp/443"]
    assert (eea.allow[0].ticket, eea.allow[0].expires) == ("NET-1412", EXPIRY)
    assert (eea.mode, eea.loopback, pii.mode, pii.loopback) == (
        Mode.ENFORCE,
        Loopback.SAME_CLASS,
        Mode.AUDIT,
        Loopback.ALLOW,
    )
    assert eea.unix_peers == (UnixPeer("/run/systemd/notify", "readiness"),)


@settings(max_examples=100, deadline=None)
@given(drafts())
def test_what_is_written_is_read_again(draft: Draft) -> None:
    assert read(write(draft), now=NOW).draft == draft


@pytest.mark.parametrize("reason", ["on", "1e3", "22:22", "0o17", "yes", "2027-06-30", "1_000", "0x10", ".inf", "- a"])
def test_plain_words_are_text_and_nothing_else(reason: str) -> None:
    text = f"version: 1\ndata_classes:\n  on:\n    allow: [{{to: 10.0.0.0/8, ports: [any], reason: '{reason}'}}]\n"
    draft = draft_of(text)
    assert (draft.classes[0].name, draft.classes[0].allow[0].reason) == ("on", reason)
    assert draft_of(text.replace("'", "") if reason != "- a" else text) == draft
    assert draft_of(write(draft)) == draft


HEAD = "version: 1\ndata_classes:\n  pii:\n"
RULE = "    allow:\n      - to: 10.0.0.0/8\n        ports: [tcp/443]\n        reason: r\n"
ALIASES = "a: &a [x, x]\nb: &b [*a, *a]\nversion: 1\ndata_classes: {}\n"


def _rule(**changes: str | None) -> str:
    fields = {"to": "10.0.0.0/8", "ports": "[tcp/443]", "reason": "r"} | changes
    lines = [f"{key}: {value}" for key, value in fields.items() if value is not None]
    return HEAD + "    allow:\n      - " + "\n        ".join(lines) + "\n"


MALFORMED = {
    "empty file": ("", 1, "the file is empty", "version: 1"),
    "only a comment": ("# nothing\n", 1, "the file is empty", "version: 1"),
    "not a mapping": ("- a\n", 1, "it is a list", "write a mapping"),
    "a text": ("hello\n", 1, "it is a text", "write a mapping"),
    "no version": ("data_classes: {}\n", 1, "version is missing", "write version: 1"),
    "no classes": ("version: 1\n", 1, "data_classes is missing", "data_classes: {}"),
    "other version": ("version: 2\ndata_classes: {}\n", 1, "'2' is no known version", "write version: 1"),
    "null version": ("version:\ndata_classes: {}\n", 1, "there is no value", "write a text"),
    "unknown top key": ("version: 1\ndata_class: {}\ndata_classes: {}\n", 2, "unknown", "did you mean data_classes?"),
    "unknown class key": (HEAD + "    alow: []\n", 4, "unknown", "did you mean allow?"),
    "unknown rule key": (_rule(resaon="x"), 8, "unknown", "did you mean reason?"),
    "merge key": (HEAD + "    <<: {}\n", 4, "unknown", "known here"),
    "duplicate key": (HEAD + "    mode: audit\n    mode: enforce\n", 5, "stands in line 4 already", "remove one"),
    "duplicate class": (HEAD + "    {}\n  pii: {}\n", 5, "stands in line 3 already", "remove one"),
    "duplicate rule": (HEAD + RULE + RULE.split("\n", 1)[1], 8, "the same stands in line 5 already", "one reason"),
    "duplicate selector": (
        HEAD + "    select:\n      - unit: a.service\n      - unit: a.service\n",
        6,
        "the same stands in line 5",
        "remove one",
    ),
    "tab": (HEAD + "\t  mode: audit\n", 4, "a tab", "indent with spaces"),
    "not UTF-8": (HEAD.encode() + b"    description: \xff\n", 4, "byte 0xff is not UTF-8", "save the file as UTF-8"),
    "UTF-16": ("version: 1\n".encode("utf-16"), 1, "is not UTF-8", "save the file as UTF-8"),
    "control character": (HEAD + "    description: a\x07b\n", 4, "character 0x07", "remove it"),
    "escaped control character": (HEAD + '    description: "a\\x1b[2J"\n', 4, "cannot be printed", "printable"),
    "bad indentation": (HEAD + "    mode: audit\n   loopback: deny\n", 5, "not YAML", "check indentation"),
    "unclosed list": (_rule(ports="[tcp/443"), 6, "not YAML", "brackets"),
    "unclosed quote": (_rule(reason='"never closed'), 7, "not YAML", "quotes"),
    "colon in plain text": (_rule(reason="a: b: c"), 7, "not YAML", "quotes"),
    "alias": (ALIASES, 2, "alias *a is not used here", "write the value out"),
    "anchor": (_rule(reason="&x r"), 7, "anchor &x is not used here", "write the value out"),
    "tag": (_rule(reason="!!python/object:os.system r"), 7, "tag", "every value is text"),
    "binary tag": (_rule(reason="!!binary aGk="), 7, "tag", "every value is text"),
    "directive": ("%YAML 1.1\n---\nversion: 1\n", 2, "directives", "remove"),
    "second document": ("version: 1\ndata_classes: {}\n---\nx: 1\n", 3, "a second document", "one policy"),
    "complex key": ("version: 1\n? [a]\n: b\n", 2, "a key is not plain text", "words"),
    "deep nesting": ("version: 1\nx: " + "[" * 5000 + "\n", 2, "nested too deeply", "indentation"),
    "deep mapping": ("version: 1\nx: " + "{a: " * 5000 + "\n", 2, "nested too deeply", "indentation"),
    "classes as list": ("version: 1\ndata_classes: [pii]\n", 2, "it is a list", "write a mapping"),
    "class without body": ("version: 1\ndata_classes:\n  pii:\n  b: {}\n", 3, "there is no value", "write a mapping"),
    "empty class name": ('version: 1\ndata_classes:\n  "": {}\n', 3, "'' is no name", "a-z"),
    "capital class name": ("version: 1\ndata_classes:\n  EEA: {}\n", 3, "'EEA' is no name", "a-z"),
    "long class name": (f"version: 1\ndata_classes:\n  {'a' * 64}: {{}}\n", 3, "is no name", "1 to 63"),
    "dash class name": ("version: 1\ndata_classes:\n  -x: {}\n", 3, "'-x' is no name", "beginning with"),
    "group named like a class": (
        HEAD + "    {}\ngroups:\n  pii: [10.0.0.0/8]\n",
        6,
        "a data class has the same name",
        "another name",
    ),
    "65th class": (
        "version: 1\ndata_classes:\n" + "".join(f"  c{index}: {{}}\n" for index in range(65)),
        67,
        "more than 64 data classes",
        "remove or join",
    ),
    "mode": (HEAD + "    mode: on\n", 4, "'on' is not possible here", "write enforce or audit"),
    "mode as list": (HEAD + "    mode: [audit]\n", 4, "it is a list", "write a text"),
    "loopback": (HEAD + "    loopback: yes\n", 4, "'yes' is not possible", "same-class or allow or deny"),
    "forbidden calls": (HEAD + "    forbidden_calls: log\n", 4, "'log' is not possible", "kill or audit"),
    "stale policy": (HEAD + "    on_stale_policy: keep\n", 4, "'keep' is not possible", "write hold or deny-all"),
    "empty description": (HEAD + "    description:\n", 4, "there is no value", "leave the key out"),
    "multi-line description": (HEAD + "    description: |\n      a\n      b\n", 4, "blanks", "one line"),
    "no to": (_rule(to=None), 5, "to is missing", "CIDR"),
    "no ports": (_rule(ports=None), 5, "ports is missing", "ports: [any]"),
    "empty ports": (_rule(ports="[]"), 6, "there are no ports", "ports: [any]"),
    "null ports": (_rule(ports=""), 6, "there is no value", "write a list"),
    "ports as text": (_rule(ports="tcp/443"), 6, "it is a text", "write a list"),
    "ports as number": (_rule(ports="[443]"), 6, "'443' names no ports", "tcp/PORT"),
    "port 0": (_rule(ports="[tcp/0]"), 6, "port 0", "1 to 65535"),
    "port 65536": (_rule(ports="[tcp/65536]"), 6, "port 65536", "1 to 65535"),
    "range backwards": (_rule(ports="[udp/9-8]"), 6, "runs backwards", "write udp/8-9"),
    "sexagesimal": (_rule(ports="[22:22]"), 6, "'22:22' names no ports", "tcp/PORT"),
    "port on its own line": (
        HEAD
        + "    allow:\n      - to: 10.0.0.0/8\n        ports:\n          - tcp/1\n          - tcp\n        reason: r\n",
        8,
        "'tcp' names no ports",
        "tcp/PORT",
    ),
    "no reason": (_rule(reason=None), 5, "reason is missing", "say why"),
    "null reason": (_rule(reason="~"), 7, "there is no value", "write a text"),
    "blank reason": (_rule(reason='" "'), 7, "is empty", "write one line"),
    "long reason": (_rule(reason="x" * 501), 7, "too long", "500"),
    "host bits": (_rule(to="10.1.0.0/8"), 5, "10.1.0.0/8 has host bits set", "write 10.0.0.0/8"),
    "mapped host bits": (_rule(to='"::ffff:10.1.0.0/104"'), 5, "has host bits set", "write 10.0.0.0/8"),
    "domain name": (_rule(to="api.example.org"), 5, "domain name", "CIDR"),
    "no prefix": (_rule(to="10.0.0"), 5, "no CIDR prefix", "CIDR"),
    "unknown group": (
        _rule(to="group:hamer") + "groups:\n  hamar: [10.0.0.0/8]\n",
        5,
        "there is no group hamer",
        "did you mean hamar?",
    ),
    "bad group name": (_rule(to="group:A"), 5, "'A' is no name", "a-z"),
    "naive expiry": (_rule(expires="2027-06-30T00:00:00"), 8, "has no time zone", "2027-06-30T00:00:00Z"),
    "YAML timestamp": (_rule(expires="2027-06-30 00:00:00Z"), 8, "is no time", "RFC 3339"),
    "date": (_rule(expires="2027-06-30"), 8, "has no time zone", "RFC 3339"),
    "expiry that does not exist": (_rule(expires="2027-02-30T00:00:00Z"), 8, "does not exist", "RFC 3339"),
    "fraction": (_rule(expires="2027-06-30T00:00:00.5Z"), 8, "is no time", "whole seconds"),
    "number as expiry": (_rule(expires="1e3"), 8, "'1e3' is no time", "RFC 3339"),
    "expiry before 1970": (_rule(expires="1969-12-31T23:59:59Z"), 8, "outside of 1970", "RFC 3339"),
    "ticket too long": (_rule(ticket="T" * 65), 8, "too long", "64"),
    "from in allow": (_rule(**{"from": "10.0.0.0/8"}), 8, "unknown", "known here"),
    "rule as text": (HEAD + "    allow: [10.0.0.0/8]\n", 4, "it is a text", "write a mapping"),
    "allow as mapping": (HEAD + "    allow: {to: x}\n", 4, "it is a mapping", "write a list"),
    "unix in allow": (_rule(to=None, unix="/run/x"), 7, "unknown", "known here"),
    "unix peer with ports": (
        HEAD + "    peers:\n      - unix: /run/x\n        ports: [any]\n        reason: r\n",
        6,
        "unknown",
        "known here",
    ),
    "relative unix peer": (HEAD + "    peers:\n      - {unix: run/x, reason: r}\n", 5, "no name", "absolute"),
    "empty abstract unix peer": (HEAD + "    peers:\n      - {unix: '@', reason: r}\n", 5, "no name", "abstract"),
    "long unix peer": (HEAD + f"    peers:\n      - {{unix: /{'a' * 107}, reason: r}}\n", 5, "no name", "107"),
    "dots in unix peer": (HEAD + "    peers:\n      - {unix: /run/../x, reason: r}\n", 5, "'..'", "without"),
    "selector that locks out": (HEAD + "    select:\n      - unit: '*'\n", 5, "lock the host out", "workload"),
    "selector of root": (HEAD + "    select:\n      - cgroup: /\n", 5, "lock the host out", "workload"),
    "selector not built": (HEAD + "    select:\n      - user: x\n", 5, "not built yet", "unit or by cgroup"),
    "selector of two": (HEAD + "    select:\n      - {unit: a.service, cgroup: /a}\n", 5, "one kind", "unit: GLOB"),
    "selector as text": (HEAD + "    select:\n      - a.service\n", 5, "one kind", "unit: GLOB"),
    "selectors too long": (HEAD + f"    select:\n      - cgroup: /{'a' * 256}\n", 5, "too long", "256"),
    "empty group": (HEAD + "    {}\ngroups:\n  g: []\n", 6, "the group is empty", "at least one"),
    "group in group": (HEAD + "    {}\ngroups:\n  g: [group:h]\n", 6, "group within a group", "write its prefixes"),
    "group as text": (HEAD + "    {}\ngroups:\n  g: 10.0.0.0/8\n", 6, "it is a text", "write a list"),
    "host bits in group": (
        HEAD + "    {}\ngroups:\n  g:\n    - 10.0.0.0/8\n    - 10.0.0.1/8\n",
        8,
        "host",
        "10.0.0.0/8",
    ),
    "null groups": (HEAD + "    {}\ngroups:\n", 5, "there is no value", "leave the key out"),
}


def _errors(text: str | bytes) -> tuple[Finding, ...]:
    with pytest.raises(PolicyError) as caught:
        read(text, "p.yaml", now=NOW)
    return caught.value.findings


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_files_name_line_and_remedy(name: str) -> None:
    text, line, problem, remedy = MALFORMED[name]
    matching = [each for each in _errors(text) if each.line == line and problem in each.problem]
    assert matching, [str(each) for each in _errors(text)]
    assert remedy in matching[0].remedy


def test_all_findings_at_once_by_line() -> None:
    text = HEAD + "    mode: off\n    loopback: on\n" + RULE.replace("10.0.0.0", "10.0.0.1") + "groups: [x]\n"
    findings = _errors(text)
    assert [each.line for each in findings] == [4, 5, 7, 10]
    assert str(findings[2]) == (
        "p.yaml:7: data_classes.pii.allow[0].to: 10.0.0.1/8 has host bits set; "
        "write 10.0.0.0/8 for the whole prefix, or 10.0.0.1/32"
    )


def test_one_mistake_is_one_finding() -> None:
    """But for those that are several: two anchors, two aliases and two unknown keys; an unknown and a missing key."""
    several = {"alias": 6, "unix in allow": 2}
    assert {name: len(_errors(text)) for name, (text, *_) in MALFORMED.items()} == dict.fromkeys(MALFORMED, 1) | several


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (_rule(expires="2026-01-01T00:00:00Z"), 8, "expired at 2026-01-01T00:00:00Z and allows nothing"),
        (_rule(expires="2027-01-15T08:00:00Z"), 8, "expired"),
        (_rule(to='"64:ff9b::/96"'), 5, "overlaps 64:ff9b::/96 (NAT64, RFC 6052)"),
        (_rule(to='"2002:a00::/24"'), 5, "overlaps 2002::/16 (6to4, RFC 3056)"),
        (_rule(to='"2001::/32"'), 5, "overlaps 2001::/32 (Teredo, RFC 4380)"),
        (_rule(to='"::ffff:10.0.0.0/104"'), 5, "is the IPv4 prefix 10.0.0.0/8"),
        (_rule(to="127.0.0.0/8"), 5, "is this host itself"),
        (_rule(ports="[tcp/1-9, tcp/5]"), 6, "include others"),
        (_rule(ports="[tcp/5, tcp/5]"), 6, "include others"),
        (_rule(ports="[any, tcp/5]"), 6, "include others"),
        (HEAD + "    {}\ngroups:\n  g:\n    - 10.0.0.0/8\n    - 10.0.0.0/8\n", 8, "stands in line 7 already"),
        (HEAD + "    {}\ngroups:\n  g:\n    - 64:ff9b::1.2.3.4\n", 7, "NAT64"),
    ],
)
def test_warnings(text: str, line: int, problem: str) -> None:
    warnings = read(text, now=NOW).warnings
    assert [each.line for each in warnings] == [line]
    assert problem in warnings[0].problem


def test_nothing_to_warn_of() -> None:
    assert read(FILE, now=NOW).warnings == ()
    assert read(FILE.encode(), now=NOW) == read(b"\xef\xbb\xbf" + FILE.encode(), now=NOW)
    assert read(FILE.replace("\n", "\r\n"), now=NOW) == read(FILE, now=NOW)


def test_the_example_of_the_reference_is_valid() -> None:
    page = (Path(__file__).parents[3] / "docs" / "policy.md").read_text()
    example = page.split("```yaml\n")[1].split("```")[0]
    assert draft_of(example) == draft_of(write(draft_of(example)))
    assert read(example, now=NOW).warnings == ()
    assert [each.name for each in draft_of(example).classes] == ["eea-user-data"]


def test_expired_rules_are_accepted_and_kept() -> None:
    draft = read(_rule(expires="2026-01-01T00:00:00+01:00"), now=NOW).draft
    assert draft.classes[0].allow[0].expires == 1_767_222_000
