"""The headers of techniques."""

from pathlib import Path

import pytest

from tests.conformance.technique import HeaderError, controls, described, discover, header


def source(directory: Path, text: str, name: str = "example.c") -> Path:
    path = directory / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "# title: a b\n# row: c\n# tag: late\n",
        "// title: a b\n// row: c\n// tag: late\nint x; // row: d\n",
        "/* title: a b */\n/* row: c */\n/* tag: late */\n",
        "/*\n * title: a b\n * row: c\n * tag: late\n */\n",
        "#!/usr/bin/python3\n# title: a b\n# row: c\n# tag: late\nx = 1\n# row: d\n",
    ],
)
def test_a_header_is_read_from_any_comment(tmp_path: Path, text: str) -> None:
    assert header(source(tmp_path, text)) == {"title": "a b", "row": "c", "tag": "late"}


def test_an_unknown_key_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(HeaderError, match=r"example.c:2: unknown key 'titel': use one of"):
        header(source(tmp_path, "// row: a\n// titel: b\n"))


def test_a_wrapped_line_of_the_header_is_not_lost(tmp_path: Path) -> None:
    with pytest.raises(HeaderError, match=r"example.c:2: this line of the header has no key"):
        header(source(tmp_path, "// variants: a b\n// c d\n"))


def test_every_technique_has_a_name_and_ports_of_its_own() -> None:
    found = discover()
    assert len({technique.name for technique in found}) == len(found)
    assert [technique.number for technique in found] == list(range(len(found)))
    assert len(found) < min(control.number for control in controls())


def test_one_variant_can_be_documented(tmp_path: Path) -> None:
    head = "// title: a\n// row: b\n// variants: c d\n// documented.d: root's\n// documented.d: own\n"
    assert [each.documented for each in described(source(tmp_path, head))] == ["", "root's own"]
    with pytest.raises(HeaderError, match=r"`documented.e:`, but there is no such variant: use one of c, d"):
        described(source(tmp_path, head + "// documented.e: it is not\n"))
