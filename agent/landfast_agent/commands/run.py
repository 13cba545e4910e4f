"""`landfast-agent run`: the daemon."""

import asyncio
import signal
import sys
from pathlib import Path

import click

from landfast_agent import memory, perf
from landfast_agent.config import read
from landfast_agent.instance import Instance
from landfast_agent.words import require_root


def _log_to_stderr() -> None:
    sys.modules["rich"] = None  # type: ignore[assignment]  # structlog would import all of it, 8 MiB, for tracebacks
    import structlog

    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


@click.command("run", short_help="Run the daemon: load, enforce, record.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), metavar="F", help="TOML configuration.")
@click.option("--policy", type=click.Path(path_type=Path), metavar="F", help="Policy file: standalone, no controller.")
@click.pass_obj
def command(instance: Instance, config_file: Path | None, policy: Path | None) -> None:
    """Loads the data plane, enforces the newest policy, and records events until it is stopped.

    With --policy alone it needs no controller; SIGHUP reads the file again. On an enrolled host the policy comes from
    the controller, and --policy is refused. Stopping or killing the daemon changes nothing that is enforced.

    \b
    Keys of the configuration file: policy, ring_bytes, spool_bytes,
    history_bytes, command_lines, canary_seconds.

    \b
    Examples:
      landfast-agent run --policy policy.yaml
      landfast-agent run --config /etc/landfast/agent.toml
    """
    require_root()
    perf.require_links()
    memory.be_frugal()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the daemon listens: the file is read anyway
    config = read(config_file)
    _log_to_stderr()
    from landfast_agent.daemon import Daemon

    async def serve() -> None:
        await Daemon(instance, config, policy or (Path(config.policy) if config.policy else None)).run()

    asyncio.run(serve())
