"""One witness, asked by HTTP as https://c2sp.org/tlog-witness says."""

from landfast.event import printable
from landfast.tlog import witness
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.witness import NotProvedError, OtherSizeError, Submission
from landfast_controller import posting, proofs
from landfast_controller.store import Store

_TYPE = "application/octet-stream"


class OtherHistoryError(Exception):
    """A witness says that it has cosigned what is not the history of this log."""


class Asking:
    """Remembers how many entries the witness knows; it corrects that itself when it is asked."""

    def __init__(self, store: Store, url: str, known: int) -> None:
        self._store, self._url, self.known = store, f"{url.removesuffix('/')}/{witness.PATH}", known

    async def cosignature(self, checkpoint: Checkpoint, note: bytes, newest: int) -> bytes:
        """Its signature lines, not yet verified. `newest` is how many entries the log tells of by now.

        Raises OSError or TlogError when it does not answer, or not now; OtherHistoryError when it never will.
        """
        for _ in range(2):  # the second time by the size that it has told
            if self.known > checkpoint.size:
                raise OSError(f"{self._url} knows {self.known} entries already, by somebody else")
            async with self._store.reading() as connection:
                proof = await proofs.prove(connection, self.known, checkpoint)
            answer = await posting.post(self._url, Submission(self.known, proof, note).encode(), _TYPE)
            match answer.status:
                case 200:
                    self.known = checkpoint.size
                    return answer.body
                case OtherSizeError.status:
                    self.known = self._corrected(witness.size_of(answer.body), newest)
                case NotProvedError.status:
                    raise OtherHistoryError(f"it has cosigned other entries than the first {self.known} of this log")
                case _:
                    text = printable(answer.body[:200].decode(errors="replace").strip())
                    raise OSError(f"{self._url} answers {answer.status} {answer.reason}: {text}")
        raise OSError(f"{self._url} was asked twice, and each time knew another size")

    def _corrected(self, known: int, newest: int) -> int:
        if known == self.known:
            raise OtherHistoryError(f"it has cosigned another tree of {known} entries")
        if known > newest:
            raise OtherHistoryError(f"it has cosigned {known} entries, and the log holds {newest}")
        return known
