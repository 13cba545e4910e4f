"""How much of a log witnesses have cosigned, as an auditor requires it: so much of it is shown to everybody alike.

Witnesses cosign at their own pace, and the log grows meanwhile. So each one's newest checkpoint is held against the
tree, and what is covered is the part that enough of them have cosigned.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from landfast.audit.findings import Finding
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.cosignature import WitnessKey
from landfast.tlog.errors import TlogError
from landfast.tlog.note import VerifierKey
from landfast.tlog.tree import Read
from landfast.tlog.witness import path_of
from landfast_cli.errors import BadInputError

#: The end of the year 9999: what can be printed.
_LAST_S = 253402300799

#: Gives the root of a log's first entries, so many. Raises TlogError.
RootOf = Callable[[int], bytes]


@dataclass(frozen=True)
class Required:
    """Cosignatures of at least `needed` of these witnesses. Without any, none are required."""

    keys: tuple[WitnessKey, ...] = ()
    needed: int = 0

    def check(self, note: bytes) -> list[WitnessKey]:
        """Who of them has cosigned `note`. Raises TlogError unless they are enough."""
        found = [key for key in self.keys if key.signatures(note)]
        if len(found) < self.needed:
            missing = ", ".join(key.name for key in self.keys if key not in found)
            raise TlogError(f"cosigned by {len(found)} of the witnesses, {self.needed} are needed; missing: {missing}")
        return found


@dataclass(frozen=True)
class Cosigned:
    """The newest checkpoint that a witness has cosigned, and when. `wrong`: why it is none of the log that is here."""

    witness: WitnessKey
    checkpoint: Checkpoint
    time_s: int
    note: bytes
    wrong: str = ""

    def __str__(self) -> str:
        return f"{self.witness.name} ({self.checkpoint.size} entries, {moment(self.time_s)})"


@dataclass(frozen=True)
class Coverage:
    """What the witnesses have cosigned, the largest first. `missing`: why there is nothing of a witness."""

    required: Required
    cosigned: tuple[Cosigned, ...] = ()
    missing: tuple[Finding, ...] = ()

    @property
    def right(self) -> list[Cosigned]:
        return [each for each in self.cosigned if not each.wrong]

    @property
    def covering(self) -> Cosigned | None:
        """The last one that is needed: what it covers is covered by enough."""
        enough = 0 < self.required.needed <= len(self.right)
        return self.right[self.required.needed - 1] if enough else None

    def findings(self) -> list[Finding]:
        """A witness that knows another history is always one; that some are missing only if they are needed."""
        wrong = [Finding("witness", each.wrong, path_of(each.witness)) for each in self.cosigned if each.wrong]
        return wrong if self.covering else [*wrong, *self.missing]

    def check(self) -> None:
        """Raises TlogError when there are findings."""
        if found := self.findings():
            raise TlogError("; ".join(finding.text for finding in found))

    def note(self) -> tuple[Checkpoint, bytes]:
        """The newest checkpoint that enough witnesses have cosigned, each the very same. Raises TlogError."""
        self.check()
        why: TlogError | None = None
        for each in self.right:
            try:
                self.required.check(each.note)
                return each.checkpoint, each.note
            except TlogError as error:
                why = error
        raise TlogError(f"there is no checkpoint that enough witnesses have cosigned: {why}; try again in a minute")

    def document(self) -> dict[str, Any]:
        return {
            "covers": self.covering.checkpoint.size if self.covering else 0,
            "cosigned": [
                {"witness": str(each.witness), "size": each.checkpoint.size, "time": each.time_s} for each in self.right
            ],
        }


def moment(time_s: int) -> str:
    """A cosignature's time for people. Its witness may write any."""
    return f"{datetime.fromtimestamp(min(time_s, _LAST_S), UTC):%Y-%m-%d %H:%M:%S} UTC"


def required(texts: tuple[str, ...], needed: int | None) -> Required:
    """Witnesses by their keys, or by files that hold them. Raises BadInputError."""
    keys = tuple(map(_key, texts))
    if len({key.public for key in keys}) < len(keys):
        raise BadInputError("--witness: a key is named twice; it counts once, whatever its name")
    if needed is not None and needed > len(keys):
        raise BadInputError(f"--witnesses-needed {needed}: only {len(keys)} are named with --witness")
    return Required(keys, len(keys) if needed is None else needed)


def coverage(read: Read, log: VerifierKey, wanted: Required, newest: Checkpoint, root_of: RootOf) -> Coverage:
    """What is published of the witnesses' cosignatures, held against the log's first entries up to `newest`."""
    cosigned, missing = [], []
    for key in wanted.keys:
        try:
            cosigned.append(_held(_read(read, log, key), newest, root_of))
        except TlogError as error:
            missing.append(Finding("witness", f"no cosignature of {key.name}: {error}", path_of(key)))
    cosigned.sort(key=lambda each: each.checkpoint.size, reverse=True)
    return Coverage(wanted, tuple(cosigned), tuple(missing))


def _key(text: str) -> WitnessKey:
    path = Path(text)
    try:
        return WitnessKey.parse(path.read_text() if path.is_file() else text)
    except (OSError, UnicodeDecodeError, TlogError) as error:
        raise BadInputError(f"--witness {text}: {error}, or a file that holds it") from None


def _read(read: Read, log: VerifierKey, key: WitnessKey) -> Cosigned:
    note = read(path_of(key))
    checkpoint, time_s = Checkpoint.open(note, log), key.cosigned_s(note)
    if time_s is None:
        raise TlogError(f"{path_of(key)} does not carry it")
    return Cosigned(key, checkpoint, time_s, note)


def _held(found: Cosigned, newest: Checkpoint, root_of: RootOf) -> Cosigned:
    size, name = found.checkpoint.size, found.witness.name
    if size > newest.size:
        return replace(
            found, wrong=f"{name} has cosigned {size} entries, and the log tells of {newest.size}: it was cut"
        )
    if size and root_of(size) != found.checkpoint.root:
        return replace(found, wrong=f"{name} has cosigned other entries than the first {size} of this log: a fork")
    return found
