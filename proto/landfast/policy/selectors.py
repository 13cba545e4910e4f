"""Selectors: which patterns are accepted. Those that would tag what a host is managed with are not."""

from landfast.policy.errors import InvalidError
from landfast.policy.glob import compile_globs, matches
from landfast.policy.layout import PATH_LEN
from landfast.policy.model import Selector, SelectorKind
from landfast.policy.texts import did_you_mean, parse_normal_path, parse_text

NOT_BUILT = ("executable", "user", "data_path")
_UNITS = (".service", ".scope", ".slice", ".socket", ".mount", ".swap")
_PROTECTED = (
    "/",
    "/-.slice",
    "/init.scope",
    "/system.slice",
    "/user.slice",
    "/system.slice/ssh.service",
    "/system.slice/sshd.service",
    "/system.slice/landfast-agent.service",
)


def parse_selector(kind: str, pattern: str) -> Selector:
    """A selector as written: `unit: GLOB` or `cgroup: /GLOB`. Raises `InvalidError`."""
    if kind in NOT_BUILT:
        raise InvalidError(f"selectors of kind {kind} are not built yet", "select by unit or by cgroup")
    if kind not in tuple(SelectorKind):
        raise InvalidError(f"selectors of kind {kind!r} do not exist", did_you_mean(kind, SelectorKind))
    selector = Selector(SelectorKind(kind), parse_text(pattern))
    _check_unit(pattern) if selector.kind == SelectorKind.UNIT else _check_cgroup(pattern)
    _check_lockout(selector)
    return selector


def _check_unit(pattern: str) -> None:
    if "/" in pattern:
        raise InvalidError(f"the unit {pattern!r} has a '/'", "name the unit alone, or select by cgroup")
    if not set("*?[") & set(pattern) and not pattern.endswith(_UNITS):
        raise InvalidError(f"{pattern!r} is no unit: no type follows the name", f"did you mean {pattern}.service?")


def _check_cgroup(pattern: str) -> None:
    if not pattern.startswith("/"):
        raise InvalidError(f"the cgroup {pattern!r} does not begin with '/'", f"did you mean /{pattern}?")
    if len(pattern.encode()) >= PATH_LEN:
        raise InvalidError(f"the cgroup {pattern[:40]!r}... is too long", f"use less than {PATH_LEN} bytes")
    if pattern != "/":
        parse_normal_path(pattern)


def _check_lockout(selector: Selector) -> None:
    paths, units = ({selector.pattern: 1}, {}) if selector.kind == SelectorKind.CGROUP else ({}, {selector.pattern: 1})
    automaton = compile_globs(units, paths)
    for path in _PROTECTED:
        if matches(automaton, path.encode()):
            raise InvalidError(
                f"{selector} would tag the cgroup {path}, and so lock the host out",
                "select the workload's own units or slice",
            )
