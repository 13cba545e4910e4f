"""A witness: what it cosigns, what it remembers, and how it answers over HTTP."""

import http.client
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Thread

import pytest

from landfast.tlog import consistency, witness
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.cosignature import Cosigner
from landfast.tlog.note import NoteSigner
from landfast.tlog.tree import Tree
from landfast.tlog.witness import Submission
from landfast_cli.errors import BadInputError, CouldNotError
from landfast_cli.witness import home, server
from landfast_cli.witness.judge import Witness
from tests.unit.tlog import naive
from tests.unit.tlog.naive import COSIGNER, SIGNER

_ENTRIES = [b"entry %d" % number for number in range(40)]
_OTHERS = [b"another", *_ENTRIES[1:]]
_SECOND = NoteSigner("second.example/log", SIGNER.key)


def _submission(old: int, entries: list[bytes], signer: NoteSigner = SIGNER) -> Submission:
    files = naive.published(entries, signer)
    tree = Tree(Checkpoint.open(files["checkpoint"], signer.verifier), naive.reader(files))
    return Submission(old, consistency.prove(tree, old), files["checkpoint"])


@pytest.fixture
def made(tmp_path: Path) -> Witness:
    return Witness(tmp_path, COSIGNER, [SIGNER.verifier, _SECOND.verifier])


@pytest.fixture
def served(made: Witness) -> Iterator[server.Server]:
    with server.listening("127.0.0.1:0", made) as listening:
        thread = Thread(target=listening.serve_forever, args=[0.05])
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


@pytest.fixture
def connection(served: server.Server) -> Iterator[http.client.HTTPConnection]:
    made = http.client.HTTPConnection(served.address, timeout=20)
    yield made
    made.close()


def _ask(connection: http.client.HTTPConnection, body: bytes, path: str = "/add-checkpoint") -> tuple[int, str, bytes]:
    connection.request("POST", path, body)
    answer = connection.getresponse()
    return answer.status, answer.headers["Content-Type"], answer.read()


def test_what_is_cosigned_is_remembered_before_and_after(made: Witness, tmp_path: Path) -> None:
    for old, new in ((0, 1), (1, 23), (23, 23), (23, 40)):
        submission = _submission(old, _ENTRIES[:new])
        note = submission.note + made.cosign(submission).encode()
        assert COSIGNER.verifier.cosigned_s(note)
        again = Witness(tmp_path, COSIGNER, [SIGNER.verifier])
        assert again.known(SIGNER.verifier) == made.known(SIGNER.verifier) == Checkpoint.open(note, SIGNER.verifier)
    assert made.known(_SECOND.verifier).size == 0


def test_logs_are_kept_apart(made: Witness) -> None:
    made.cosign(_submission(0, _ENTRIES))
    made.cosign(_submission(0, _OTHERS, _SECOND))
    with pytest.raises(witness.UnknownLogError):
        made.cosign(_submission(0, _ENTRIES, NoteSigner("third.example/log", SIGNER.key)))


def test_what_cannot_be_remembered_is_not_cosigned(made: Witness, tmp_path: Path) -> None:
    made.cosign(_submission(0, _ENTRIES[:5]))
    shutil.rmtree(tmp_path)
    with pytest.raises(CouldNotError, match="nothing was cosigned"):
        made.cosign(_submission(5, _ENTRIES))
    assert made.known(SIGNER.verifier).size == 5


def test_one_checkpoint_that_forks_is_kept_as_evidence(made: Witness, tmp_path: Path) -> None:
    made.cosign(_submission(0, _ENTRIES[:7]))
    forks = [_submission(7, [bytes((number,)), *_ENTRIES[1:7]]) for number in range(3)]
    for each in forks:
        with pytest.raises(witness.ForkError):
            made.cosign(each)
    (kept,) = tmp_path.glob("*.fork")
    assert kept.read_bytes() == forks[0].note


def test_a_state_that_is_not_the_witnesss_own_is_not_guessed_at(made: Witness, tmp_path: Path) -> None:
    made.cosign(_submission(0, _ENTRIES))
    (state,) = tmp_path.glob("*.checkpoint")
    state.write_bytes(state.read_bytes()[:-9])
    with pytest.raises(CouldNotError, match="make another witness"):
        Witness(tmp_path, COSIGNER, [SIGNER.verifier])


def test_of_two_histories_at_once_one_is_cosigned(served: server.Server) -> None:
    """Whatever the size: 16 clients of each, who begin together."""
    rivals = [_submission(0, entries[:size]).encode() for entries in (_ENTRIES, _OTHERS) for size in range(20, 36)]
    together = Barrier(len(rivals))

    def ask(body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(served.address, timeout=20)
        connection.connect()
        together.wait(20)
        status, _, answer = _ask(connection, body)
        connection.close()
        return status, answer

    with ThreadPoolExecutor(len(rivals)) as pool:
        answers = list(pool.map(ask, rivals))
    (winner,) = [number for number, (status, _) in enumerate(answers) if status == 200]
    size = 20 + winner % 16
    assert {answer for number, answer in enumerate(answers) if number != winner} == {(409, b"%d\n" % size)}


def test_the_answers_of_the_specification(connection: http.client.HTTPConnection) -> None:
    """One after the other over one connection."""
    unsigned = SIGNER.verifier.text_of(_submission(0, _ENTRIES).note).encode() + b"\n\xe2\x80\x94 nobody AAAAAAA=\n"
    first = _submission(0, _ENTRIES[:20])
    status, kind, lines = _ask(connection, first.encode())
    assert (status, kind) == (200, "text/plain; charset=utf-8")
    assert COSIGNER.verifier.text_of(first.note + lines)
    wrong = _submission(20, _ENTRIES)
    questions: list[tuple[bytes, int]] = [
        (b"", 400),
        (b"old 20\n\nnothing\n", 404),
        (Submission(20, (), b"").encode(), 404),
        (_submission(0, _ENTRIES, NoteSigner("x/log", SIGNER.key)).encode(), 404),
        (Submission(20, (), unsigned).encode(), 403),
        (Submission(20, (), SIGNER.sign(f"{SIGNER.name}\nnot a checkpoint\n")).encode(), 403),
        (Submission(41, wrong.proof, wrong.note).encode(), 400),
        (Submission(20, wrong.proof[1:], wrong.note).encode(), 422),
        (_submission(20, _OTHERS).encode(), 422),
    ]
    for body, expected in questions:
        assert _ask(connection, body)[0] == expected, body
    for stale in (_submission(0, _ENTRIES), _submission(19, _ENTRIES), _submission(20, _OTHERS[:20])):
        assert _ask(connection, stale.encode()) == (409, "text/x.tlog.size", b"20\n")
    assert _ask(connection, wrong.encode())[0] == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("POST /add-checkpoint HTTP/1.1\r\n\r\n", 411),
        ("POST /add-checkpoint HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 411),
        ("POST /add-checkpoint HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 411),
        ("POST /add-checkpoint HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 411),
        (f"POST /add-checkpoint HTTP/1.1\r\nContent-Length: {witness.LIMIT + 1}\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345", 404),
        ("POST /add-checkpoint/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 404),
        ("GET /add-checkpoint HTTP/1.1\r\n\r\n", 501),
        ("nonsense\r\n\r\n", 400),
    ],
)
def test_other_requests_are_refused_unread_and_end_the_connection(
    served: server.Server, head: str, status: int
) -> None:
    host, _, port = served.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        raw.sendall(head.encode())
        received = b""
        while part := raw.recv(4096):
            received += part
    assert b" %d " % status in received.partition(b"\r\n")[0] or received.startswith(b"<!DOCTYPE"), received


def test_connections_are_bounded(served: server.Server, connection: http.client.HTTPConnection) -> None:
    """Who only holds connections keeps others out for as long as these last, and takes no more memory."""
    host, _, port = served.address.rpartition(":")
    held = [socket.create_connection((host, int(port)), timeout=20) for _ in range(64)]
    with socket.create_connection((host, int(port)), timeout=20) as one_more:
        assert one_more.recv(1) == b""
    for each in held:
        each.close()


def test_a_witness_is_made_once_and_is_used_by_one(tmp_path: Path) -> None:
    key = home.create(tmp_path / "w", "partner.example/w1")
    with home.opened(tmp_path / "w") as cosigner:
        assert cosigner.verifier == key
        with pytest.raises(CouldNotError, match="another process"), home.opened(tmp_path / "w"):
            pass
    with pytest.raises(BadInputError, match="holds a witness"):
        home.create(tmp_path / "w", "partner.example/w1")
    assert (tmp_path / "w" / "witness.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_what_is_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInputError, match="neither spaces nor"):
        home.create(tmp_path / "w", name)


def test_keys_that_do_not_belong_together(tmp_path: Path) -> None:
    home.create(tmp_path / "w", "partner.example/w1")
    (tmp_path / "w" / "witness.pub").write_text(str(Cosigner("partner.example/w1", SIGNER.key).verifier))
    with pytest.raises(BadInputError, match="do not belong together"), home.opened(tmp_path / "w"):
        pass
    with pytest.raises(CouldNotError, match="audit witness create"), home.opened(tmp_path / "nowhere"):
        pass
