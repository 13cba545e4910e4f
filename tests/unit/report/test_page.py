"""What people see: the same for the same log, and never what somebody has put into a name."""

import io
from functools import cache
from html.parser import HTMLParser

import pytest
from pypdf import PdfReader

from landfast.v1.batch_pb2 import NoticeKind, Process
from landfast.verdict import Verdict
from landfast_cli.report import page as pages
from landfast_cli.report.page import page
from landfast_cli.report.paper import paper
from tests.unit.audit.stories import Story
from tests.unit.report.month import ALICE, BOB, Host, act, at, denied, enrol, notice, record
from tests.unit.report.reading import report, report_of
from tests.unit.tlog import naive

_NOON = at("2026-10-09 12:00:00")

#: Markup, a script, styles, a resource from elsewhere, template code, a bell, a line turned round, and a very long one.
_HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><style>body{display:none}</style>",
    "<link rel=stylesheet href=//203.0.113.9/x>",
    "{{ 7 * 191 }}{% raw %}",
    "\x1b[2J\x07\u202etxt.exe\n\x00",
    "x" * 4_000,
)


class _Parts(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def _ordinary() -> Story:
    """A month with something of everything."""
    story, host = Story(at("2026-09-30 00:00:00")), Host("hall-1")
    enrol(story, "hall-1")
    wider = {"widenings": "1", "widening_1": "eea-user-data allow: 192.0.2.0/25 tcp/443"}
    story.now_ns = at("2026-10-02 00:00:00")
    act(story, "CHANGE_PROPOSED", "7", ALICE, version="4", reason="failover to Hamar", ticket="NET-1412", **wider)
    act(story, "CHANGE_APPROVED", "7", BOB)
    act(story, "POLICY_VERSION", "4", ALICE, change="7", approvers="bob", reason="failover to Hamar")
    act(story, "BREAK_GLASS", "5", ALICE, by="alice", reason="link down", until="2026-10-02T04:00:00Z")
    act(story, "INCIDENT_OPENED", "3", rule="denials", about="203.0.113.9:443/tcp", what="curl", count="50")
    act(story, "INCIDENT_CLOSED", "3", BOB, reason="an old image", count="91", what="curl")
    story.now_ns = _NOON
    told = notice(_NOON, NoticeKind.NOTICE_KIND_CANARY_FAILED, "the canary got through")
    kinds = [record(_NOON)] * 23, [denied(_NOON)] * 7, [denied(_NOON, verdict=Verdict.WOULD_DENY, tags=2)] * 5
    return story.batch(host.batch([each for kind in kinds for each in kind], [told]))


def _hostile(name: str) -> Story:
    """`name` wherever somebody may choose one."""
    story, host = Story(at("2026-10-01 00:00:00")), Host(name[:200])
    enrol(story, name[:200], name, name)
    chosen = ("reason", "ticket", "version", "widening_1", "digest", "approvers", "rule", "about", "what")
    for kind in ("CHANGE_PROPOSED", "INCIDENT_OPENED", "BREAK_GLASS", "MAPS_ALTERED", "ROLLOUT_HALTED"):
        act(story, kind, "1", name, name, widenings="1", **dict.fromkeys(chosen, name))
    act(story, "POLICY_VERSION", name, name, name, change="1")
    story.now_ns = _NOON
    process = Process(tgid=4712, image=77, executable=name, unit=name)
    refused = [denied(_NOON), record(_NOON, rule=0), denied(_NOON, tgid=1, comm=name.encode()[:15])]
    told = [notice(_NOON, NoticeKind.NOTICE_KIND_LOST, name, CONNECT="5")]
    return story.batch(host.batch(refused, told, processes=[process], classes={0: name}))


def _text(pdf: bytes) -> str:
    return "\n".join(one.extract_text() for one in PdfReader(io.BytesIO(pdf)).pages)


@cache
def _page() -> str:
    return page(report(_ordinary().entries))


@cache
def _paper() -> bytes:
    return paper(_page())


def test_the_same_log_gives_the_same_bytes() -> None:
    again = page(report(_ordinary().entries))
    assert again == _page()
    assert paper(again) == _paper()


def test_everything_is_on_the_page() -> None:
    text = _Parts(_page()).text
    for expected in (
        "October 2026",
        "Integrity: verified",
        "Completeness: verified",
        "landfast.internal/log",
        str(naive.SIGNER.verifier),
        report(_ordinary().entries)["log"]["root"],
        "10.20.3.7:443/tcp",
        "203.0.113.9:443/tcp",
        "replication to the second Dublin hall",
        "/usr/bin/curl",
        "payments",
        "Change 7: policy 4",
        "failover to Hamar NET-1412",
        "Approved by bob",
        "eea-user-data allow: 192.0.2.0/25 tcp/443",
        "Incident 3: denials",
        "an old image",
        "by alice alone",
        "CANARY_FAILED",
        "the canary got through",
        "landfast audit verify --offline ./log --key log.pub --silent-after 1h",
        "--from 2026-10-01T00:00:00Z --to 2026-11-01T00:00:00Z",
    ):
        assert expected in text


def test_nothing_comes_from_elsewhere_and_nothing_runs() -> None:
    tags = _Parts(_page()).tags
    assert {tag for tag, _ in tags} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "a",
        "base",
        "form",
    } == set()
    names = {name for _, attributes in tags for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in ("src", "href", "data", "srcset", "action")}
    style = _page().partition("<style>")[2].partition("</style>")[0]
    assert style.count("{") == style.count("}")
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("name", _HOSTILE, ids=range(len(_HOSTILE)))
def test_what_others_have_chosen_is_only_ever_text(name: str) -> None:
    hostile = page(report(_hostile(name).entries, roster=[name[:200]]))
    harmless = page(report(_hostile("n").entries, roster=["n"]))
    skeleton = [_Parts(each).tags for each in (hostile, harmless)]
    assert skeleton[0] == skeleton[1]
    assert len(hostile) < 200_000
    assert hostile.replace("\n", "").isprintable()
    assert "1337" not in hostile


def test_hostile_names_on_paper() -> None:
    text = _text(paper(page(report(_hostile(_HOSTILE[0]).entries))))
    assert "<script>alert(1)</script>" in text.replace("\n", "")


def test_on_paper_every_page_is_numbered_and_nothing_tells_when_it_was_made() -> None:
    read = PdfReader(io.BytesIO(_paper()))
    for number, one in enumerate(read.pages, 1):
        assert f"{number} of {len(read.pages)}" in one.extract_text()
    assert read.metadata is not None
    assert read.metadata.title == "Egress report, October 2026, landfast.internal/log"
    assert (read.metadata.creation_date, read.metadata.modification_date) == (None, None)
    text = _text(_paper())
    for expected in ("Integrity: verified", "203.0.113.9:443/tcp", "Approved by bob", "How to check this report"):
        assert expected in text


def test_a_long_list_has_its_head_on_every_page_and_what_is_beyond_is_counted() -> None:
    story, host = Story(_NOON), Host("hall-1")
    enrol(story, "hall-1")
    more = 17
    ports = range(1, 1 + pages.SHOWN + more)
    story.batch(host.batch(denied(_NOON, remote_port=port) for port in ports))
    html = page(report(story.entries))
    assert f"and {more} more groups with {more} refusals" in _Parts(html).text
    heads = [one.extract_text().count("Reason") for one in PdfReader(io.BytesIO(paper(html))).pages]
    assert heads.count(1) > 2


def test_a_damaged_log_is_not_verified_and_says_what_it_could_not_count() -> None:
    story = _ordinary()
    files = naive.published(story.entries)
    (path,) = [path for path in files if "entries" in path]
    files[path] = files[path].replace(b"an old image", b"an odd image")
    found = report_of(files)
    text = _Parts(page(found)).text
    assert (found["holds"], found["integrity"]["holds"], found["left_out"]["entries"]) == (False, False, 1)
    assert "Integrity: NOT verified" in text
    assert "findings against their integrity: 1." in text
    assert "altered" in text
    assert "an odd image" not in text


def test_a_batch_that_is_replayed_counts_once() -> None:
    story = _ordinary()
    story.entries.append(story.entries[-1])
    found = report(story.entries)
    assert (found["integrity"]["holds"], found["decisions"]["ALLOW"]) == (False, 23)


def test_without_a_signed_checkpoint_there_is_nothing_to_tell() -> None:
    files = naive.published(_ordinary().entries)
    files["checkpoint"] = files["checkpoint"].replace(b"landfast", b"slowfast", 1)
    found = report_of(files)
    text = _Parts(page(found)).text
    assert (found["log"]["size"], found["decisions"]["ALLOW"], found["flows"]["rows"]) == (None, 0, [])
    assert "Integrity: NOT verified" in text
    assert "Completeness: NOT verified" in text


def test_an_empty_month() -> None:
    story = Story(at("2026-12-01 00:00:00"))
    act(story, "LOG_PUBLISHED", "key")
    text = _Parts(page(report(story.entries))).text
    assert text.count("None in this period.") >= 8
    assert "0 decisions allowed" in text
