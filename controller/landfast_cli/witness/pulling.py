"""A witness that only makes outgoing connections: it fetches what is to be cosigned, and hands the cosignature over."""

import time
from collections.abc import Iterator

import grpc

from landfast.tlog import consistency
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.note import VerifierKey
from landfast.tlog.tree import Read, Tree
from landfast.tlog.witness import NEXT, Submission
from landfast.v1.audit_pb2 import AddCosignatureRequest
from landfast_cli import log_sources
from landfast_cli.errors import CliError, CouldNotError
from landfast_cli.refusals import error_of, is_passing
from landfast_cli.session import TIMEOUT_S, Session
from landfast_cli.witness.judge import Witness


def pull(session: Session, witness: Witness, log: VerifierKey) -> Checkpoint:
    """Cosigns the checkpoint that the controller asks for, unless that is done.

    Raises TlogError for a log that does not go on from what was cosigned, CouldNotError while the controller has no
    witness. The checkpoint that forks is kept.
    """
    read = log_sources.controller(session)
    note = _asked(read)
    newest = Checkpoint.open(note, log)
    if not witness.cosigner.verifier.signatures(note):
        line = witness.cosign(_submission(note, newest, witness, log, read))
        session.audit.AddCosignature(AddCosignatureRequest(note=note + line.encode()), timeout=TIMEOUT_S)
    return newest


def pulling(session: Session, witness: Witness, log: VerifierKey, every_s: float) -> Iterator[Checkpoint | CliError]:
    """Again and again; a controller that cannot be reached, or asks no witness, is tried again."""
    while True:
        try:
            yield pull(session, witness, log)
        except CouldNotError as error:
            yield error
        except grpc.RpcError as failure:
            if not is_passing(failure):
                raise
            yield error_of(failure, session.login.controller)
        time.sleep(every_s)


def _asked(read: Read) -> bytes:
    """The checkpoint that witnesses are to cosign now."""
    try:
        return read(NEXT)
    except TlogError:
        why = "the controller's configuration names no witness yet; give your key (witness.pub) to whoever runs it"
        raise CouldNotError(why) from None


def _submission(note: bytes, newest: Checkpoint, witness: Witness, log: VerifierKey, read: Read) -> Submission:
    known, tree = witness.known(log), Tree(newest, read)
    if newest.size < known.size:
        raise TlogError(f"the log has {newest.size} entries now, and {known.size} were cosigned: it was cut")
    if known.size and tree.root_of(0, known.size) != known.root:
        kept = witness.keep_evidence(log, note)
        raise TlogError(f"the log's first {known.size} entries are not those that were cosigned: a fork; see {kept}")
    return Submission(known.size, consistency.prove(tree, known.size), note)
