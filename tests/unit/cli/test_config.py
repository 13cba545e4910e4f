from pathlib import Path

import pytest

from landfast_cli import config
from landfast_cli.config import Login
from landfast_cli.errors import BadInputError, CouldNotError


@pytest.mark.parametrize("identity", ["/home/alice/alice.pem", '/tmp/a "b"\\c\n\x7f/ä🔑.pem'])
def test_what_is_remembered_is_read_back(tmp_path: Path, identity: str) -> None:
    login = Login("[2001:db8::1]:7443", identity)
    path = tmp_path / "new" / "config.toml"
    config.write(path, login)
    assert config.read(path) == login


@pytest.mark.parametrize("text", ["", "controller = 1\n", 'controller = "x"\nidentity = "y"\nz = 1\n', "=", "\udcff"])
def test_what_is_damaged_is_refused_naming_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(BadInputError, match=r"config\.toml: .*landfast login"):
        config.read(path)


def test_without_a_login_the_remedy_is_told(tmp_path: Path) -> None:
    with pytest.raises(CouldNotError, match="landfast login"):
        config.read(tmp_path / "config.toml")


def test_the_variable_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(config.VARIABLE, "/x/y.toml")
    assert config.default_path() == Path("/x/y.toml")
    monkeypatch.delenv(config.VARIABLE)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/z")
    assert config.default_path() == Path("/z/landfast/config.toml")
