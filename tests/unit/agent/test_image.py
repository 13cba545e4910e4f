from pathlib import Path

import pytest

from landfast_agent import image
from landfast_agent.errors import Unavailable


@pytest.mark.parametrize(
    ("compiler", "patience_s", "says"),
    [
        ("import time; time.sleep(60)", 0.5, "took more than 0.5 s: start again"),
        ("raise SystemExit('no kernel headers')", 60, "install linux-headers-amd64"),
        ("import bcc_is_not_here", 60, "cannot compile .*bcc_is_not_here"),
    ],
)
def test_a_compiler_that_fails_is_told_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str, patience_s: float, says: str
) -> None:
    (tmp_path / "compiler.py").write_text(compiler)
    monkeypatch.setattr(image, "_COMPILER", tmp_path / "compiler.py")
    monkeypatch.setattr(image, "PATIENCE_S", patience_s)
    with pytest.raises(Unavailable, match=f"(?s){says}"):
        image.obtain(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
