"""Techniques: small independent programs, each one way to get a byte out, described by the first lines of their source.

`discover` finds them; a source with `variants` or `family` stands for one technique for each of them.
"""

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path

_HERE = Path(__file__).parent
_LINE = re.compile(r"(?:#|//|/?\*+)\s*([a-z]+(?:\.\w+)?):(?:\s+(.*?))?\s*(?:\*/)?")
_COMMENT = re.compile(r"\s*(//|# |/\*|\*(?!/))")
_KEYS = {"title", "row", "caps", "helper", "tag", "documented", "variants", "family", "dial", "judge", "spoils"}
_FIRST_CONTROL = 5000  # above the number of techniques
_ALTERS_NAMESPACE = {"net_admin", "sys_admin", "root"}


class HeaderError(ValueError):
    """The header of a technique cannot be used. The message names the file, the line and the remedy."""


@dataclass(frozen=True)
class Technique:
    """One program with its description. `number` is its place among all techniques: its ports follow from it."""

    name: str
    source: Path
    title: str
    row: str
    caps: frozenset[str] = frozenset()
    helper: Path | None = None
    late: bool = False  # it is tagged while it runs
    brings: bool = False  # it starts unconfined, and executes itself confined
    documented: str = ""  # why an escape is listed and not a failure
    variant: str = ""
    family: str = ""  # "4", "6" or ""
    dial: str = ""  # "tcp" or "udp": the far side calls it meanwhile
    by_mark: bool = False  # only frames with its mark count
    spoils: bool = False  # it harms the agent that it runs under: it gets one of its own
    number: int = field(default=0, compare=False)

    @property
    def about(self) -> str:
        """The title without the variant."""
        return header(self.source)["title"]

    @property
    def starts_free(self) -> bool:
        """Whether nothing confines it at first."""
        return self.late or self.brings

    @property
    def known_by_mark(self) -> bool:
        """Whether only the mark proves anything: others use its port as well, or it did so itself before its tag."""
        return self.by_mark or self.starts_free or self.helper is not None

    @property
    def alone(self) -> bool:
        """Whether it may change its network namespace, so that no other may share it."""
        return bool(self.caps & _ALTERS_NAMESPACE)


def header(source: Path) -> dict[str, str]:
    """The `key: value` lines at the top of a source; a repeated key goes on. Raises HeaderError."""
    found: dict[str, str] = {}
    for number, line in enumerate(source.read_text().splitlines(), 1):
        match = _LINE.fullmatch(line.strip())
        if not match and found:
            _check_end(source, number, line)
            break
        if match:
            key = _known(match[1], source, number)
            found[key] = f"{found.get(key, '')} {match[2] or ''}".strip()
    return found


def _check_end(source: Path, number: int, line: str) -> None:
    """A comment without a key, right below the header, is part of it that somebody's editor has wrapped."""
    if _COMMENT.match(line):
        raise HeaderError(f"{source.name}:{number}: this line of the header has no key: repeat the one above")


def _known(key: str, source: Path, line: int) -> str:
    if key not in _KEYS and key.partition(".")[0] != "documented":
        raise HeaderError(f"{source.name}:{line}: unknown key {key!r}: use one of {', '.join(sorted(_KEYS))}")
    return key


def discover() -> list[Technique]:
    """Every technique, by name. A file without a header, such as common.py, is none."""
    return _find(_HERE / "techniques", 0)


def controls() -> list[Technique]:
    """Programs that must succeed, confined or not."""
    return _find(_HERE / "controls", _FIRST_CONTROL)


def _find(directory: Path, first: int) -> list[Technique]:
    sources = sorted(path for pattern in ("*.py", "*.c") for path in directory.glob(pattern))
    found = [technique for source in sources for technique in described(source)]
    return [_numbered(technique, number) for number, technique in enumerate(found, first)]


def _numbered(technique: Technique, number: int) -> Technique:
    return Technique(**(vars(technique) | {"number": number}))


def described(source: Path) -> list[Technique]:
    """The techniques of one source, not numbered. Raises HeaderError."""
    keys = header(source)
    if not keys:
        return []
    variants, families = keys.get("variants", "").split() or [""], keys.get("family", "").split() or [""]
    for key in keys:
        if key.startswith("documented.") and key.partition(".")[2] not in variants:
            raise HeaderError(
                f"{source.name}: `{key}:`, but there is no such variant: use one of {', '.join(variants)}"
            )
    return [_describe(source, keys, *each) for each in itertools.product(variants, families)]


def _describe(source: Path, keys: dict[str, str], variant: str, family: str) -> Technique:
    if not keys.get("title") or not keys.get("row"):
        raise HeaderError(f"{source.name}: the header needs `title:` and `row:`")
    return Technique(
        name=".".join(filter(None, (source.stem, variant, family and f"v{family}"))),
        source=source,
        title=", ".join(filter(None, (keys["title"], variant.replace("_", " "), family and f"IPv{family}"))),
        row=keys["row"],
        caps=frozenset(keys.get("caps", "").replace(",", " ").split()),
        helper=_helper(source, keys["helper"]) if keys.get("helper") else None,
        late=keys.get("tag") == "late",
        brings=keys.get("tag") == "exec",
        documented=keys.get(f"documented.{variant}", keys.get("documented", "")),
        variant=variant,
        family=family,
        dial=keys.get("dial", ""),
        by_mark=keys.get("judge") == "mark",
        spoils=keys.get("spoils") == "yes",
    )


def _helper(source: Path, name: str) -> Path:
    path = source.parent.parent / "helpers" / f"{source.stem if name == 'yes' else name}.py"
    if not path.exists():
        raise HeaderError(f"{source.name}: `helper: {name}`, but there is no helpers/{path.name}")
    return path
