"""The last step, taking everything down and looking that nothing is left; or, with KEEP=1, how to go on."""

import os
from pathlib import Path

from demo import remains
from demo.setting import Setting, said
from demo.telling import Step, check
from tests.testbed import OUTSIDE, eventually
from tests.testbed.bpf_objects import pinned, remaining

_PINS = Path("/sys/fs/bpf/landfast")


def unload(setting: Setting) -> str:
    pins = _PINS / setting.instance
    objects = pinned(pins)
    said(setting.enclave.run(setting.agent("unload", "--reason", "end of the demonstration")))
    check(not pins.exists(), f"{pins} is still there")
    for program in reversed(setting.programs.values()):
        program.stop()
    eventually(lambda: not remaining(objects), f"the kernel lets go of {len(objects)} maps, programs and links")
    remains.remove(os.getpid())
    left = remains.remove(os.getpid())
    check(not left, f"left behind: {', '.join(left)}")
    return f"the kernel has let go of {len(objects)} maps, programs and links; no process or file is left"


END = Step("Enforcement is unloaded, and nothing is left", unload)


def how_to_go_on(setting: Setting) -> str:
    """Commands for a demonstration that is left running."""
    (setting.directory / remains.KEPT).touch()
    enclave, controller = (f"nsenter --net={where.path}" for where in (setting.enclave, setting.controller))
    config = f"LANDFAST_CONFIG={setting.directory}"
    return f"""Everything is left running.

On the enclave host:
  {enclave} {" ".join(setting.agent("status"))}
  {enclave} {" ".join(setting.tagged("curl", f"http://{OUTSIDE.ip4}/hello"))}
  {enclave} {" ".join(setting.agent("events", "--follow"))}
Olga, the operator:
  {config}/olga.toml {controller} {" ".join(setting.cli("allow", "list"))}
  {config}/olga.toml {controller} {" ".join(setting.cli("fleet", "list"))}
Vera, the auditor:
  {config}/vera.toml {controller} {" ".join(setting.cli("events", "follow", "--from", "0"))}
Remove it:
  make demo-down
"""
