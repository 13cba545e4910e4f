"""The agent's configuration file: TOML, all keys optional, unknown ones refused."""

from pathlib import Path

import msgspec

from landfast_agent.errors import BadInput

_MIB = 1 << 20


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes are bytes.

    `ring_bytes`: kernel ring buffer, a power of two; 4 MiB hold 30,000 events. `spool_bytes`: events that wait for
    the controller. `history_bytes`: events kept for `landfast-agent events`. `command_lines`: record arguments of
    tagged programs; they may hold secrets. `canary_seconds`: between two proofs that refusals really happen.
    """

    policy: str = ""
    ring_bytes: int = 4 * _MIB
    spool_bytes: int = 512 * _MIB
    history_bytes: int = 64 * _MIB
    command_lines: bool = False
    canary_seconds: float = 60


def read(path: Path | None) -> Config:
    """The configuration in `path`; the defaults without one. Raises BadInput naming the key and its place."""
    if path is None:
        return Config()
    try:
        config = msgspec.toml.decode(path.read_bytes(), type=Config)
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such file: give the path of a configuration file to --config") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: {error}: see `landfast-agent run --help` for the keys") from error
    if config.ring_bytes < 1 << 16 or config.ring_bytes & (config.ring_bytes - 1):
        raise BadInput(f"{path}: ring_bytes = {config.ring_bytes}: use a power of two of at least 65536")
    if config.canary_seconds < 1:
        raise BadInput(f"{path}: canary_seconds = {config.canary_seconds:g}: use at least 1")
    return config
