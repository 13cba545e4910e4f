"""The configuration file: what it may say of witnesses."""

from pathlib import Path

import pytest

from landfast.tlog.cosignature import Cosigner
from landfast_controller import config
from landfast_controller.errors import BadInputError
from tests.unit.tlog.naive import COSIGNER, OTHER_COSIGNER, SIGNER


def _read(path: Path, *witnesses: str) -> config.Config:
    file = path / "controller.toml"
    file.write_text('directory = "/d"\n' + "".join(f"[[witnesses]]\n{each}\n" for each in witnesses))
    return config.read(file)


def test_witnesses_with_and_without_a_url(tmp_path: Path) -> None:
    urls = ["", "https://witness.partner.example/landfast"]
    lines = [f'key = "{COSIGNER.verifier}"', f'key = "{OTHER_COSIGNER.verifier}"\nurl = "{urls[1]}"']
    found = _read(tmp_path, *lines).witnesses
    assert [(each.verifier, each.url) for each in found] == list(
        zip([COSIGNER.verifier, OTHER_COSIGNER.verifier], urls, strict=True)
    )
    assert _read(tmp_path).witnesses == ()


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (['url = "https://a"'], "key"),
        (['key = "nonsense"'], "witness's key"),
        ([f'key = "{SIGNER.verifier}"'], "not a witness's key"),
        ([f'key = "{COSIGNER.verifier}"\nurl = "ftp://a"'], "https://HOST/PATH"),
        ([f'key = "{COSIGNER.verifier}"\nport = 1'], "port"),
        ([f'key = "{each}"' for each in (COSIGNER.verifier, Cosigner("b/w", COSIGNER.key).verifier)], "named twice"),
    ],
)
def test_what_no_witness_is(tmp_path: Path, lines: list[str], why: str) -> None:
    with pytest.raises(BadInputError, match=why):
        _read(tmp_path, *lines)
