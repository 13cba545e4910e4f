"""Policy files that are drafted from the log."""

from collections.abc import Iterable

from msgspec.structs import replace

from landfast.flows import Sighting, utc
from landfast.policy.errors import InvalidError
from landfast.policy.model import ClassDraft
from landfast.policy.source import write
from landfast.policy.texts import parse_name
from landfast.suggestion import Learned, suggest, unknown_class
from landfast_cli import versions
from landfast_cli.errors import AnswerIsNoError, BadInputError
from landfast_cli.session import Session

_HEADER = """\
# A draft for {name}: what it was seen to do from {first} to {last}, {flows} flows as {rules} rules.
# Review it: give each rule a better reason, or remove it. What was not seen is not here, however much it is needed.
"""
_NAMELESS = """\
# Not here: {count} decisions that no rule can name exactly (unix sockets without a name that can be written, port 0).
"""


def learn(session: Session, name: str, seen: Iterable[Sighting]) -> Learned:
    """What a class was seen to do. Raises BadInputError for what is no name, AnswerIsNoError when it was not seen."""
    learned = Learned(_settings(session, name))
    for each in seen:
        learned.add(each)
    if not learned.flows.summaries:
        raise AnswerIsNoError(
            f"nothing was recorded of {name} that needs a rule; look further back with --since, "
            "or check the name with `landfast policy show`"
        )
    return learned


def text(learned: Learned) -> str:
    """The policy file, with comments for who reviews it."""
    made, flows = suggest(learned), learned.flows.summaries.values()
    header = _HEADER.format(
        name=learned.settings.name,
        first=utc(min(each.first_ns for each in flows)),
        last=utc(max(each.last_ns for each in flows)),
        flows=len(flows),
        rules=len(made.remarks),
    )
    nameless = _NAMELESS.format(count=learned.nameless) if learned.nameless else ""
    return header + nameless + write(made.draft, made.remark)


def _settings(session: Session, name: str) -> ClassDraft:
    """The class as the newest policy has it, without its lists."""
    try:
        parse_name(name)
    except InvalidError as error:
        raise BadInputError(f"class {error}") from None
    newest = versions.newest(session)
    known = {each.name: each for each in newest.draft().classes} if newest else {}
    return replace(known.get(name) or unknown_class(name), allow=(), serve=(), peers=(), unix_peers=())
