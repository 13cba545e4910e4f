"""Configuration of the server, read once. Example of a file:

directory = "/var/lib/landfast-controller"
listen = "[::]:7443"
agent_lifetime = "24h"
renew_expired_within = "30d"

[rollout]
stages = ["canary", "10%", "all"]
settle = "60s"

[incidents]
denials = 100
webhook = "https://pager.example.net/hook"

[log]
keep = "400d"

[[witnesses]]
key = "partner.example/w1+8d66cf3f+BO..."
url = "https://witness.partner.example"
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec

from landfast import durations
from landfast.retention import NOTICE_S
from landfast.tlog.cosignature import WitnessKey
from landfast_controller.errors import BadInputError
from landfast_controller.incidents.webhook import check_webhook
from landfast_controller.posting import check_url
from landfast_controller.rollout.decision import Limits
from landfast_controller.rollout.plan import ALL, check_stages

DEFAULT_LISTEN = "[::]:7443"


class Duration(timedelta):
    """A time span that the file writes like `24h`: msgspec itself knows only the form of ISO 8601."""


class Rollout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How new versions reach the hosts: `stages` are labels, percentages and, last of all, `all`.

    The next stage begins when every host of this one has proved the version and is well for `settle`. A rollout halts
    when a host that has the version is silent for `lost_after`, or has `denials_floor` denials (or would-be denials)
    more than `denials_factor` times as many as were to be expected.
    """

    stages: tuple[str, ...] = (ALL,)
    settle: Duration = Duration(seconds=60)
    lost_after: Duration = Duration(seconds=120)
    denials_factor: Annotated[float, msgspec.Meta(ge=1)] = 3.0
    denials_floor: Annotated[int, msgspec.Meta(ge=0)] = 20

    def __post_init__(self) -> None:
        check_stages(self.stages)

    @property
    def limits(self) -> Limits:
        lost_after_s = self.lost_after.total_seconds()
        return Limits(self.settle.total_seconds(), lost_after_s, self.denials_factor, self.denials_floor)


class Incidents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What opens an incident by its amount or its time, and where incidents are told.

    `denials` to one destination within `denials_window`; a host from which no batch came for `silent_after`. `webhook`
    takes a POST of JSON for each that is opened; empty for none.
    """

    denials: Annotated[int, msgspec.Meta(ge=1)] = 100
    denials_window: Duration = Duration(minutes=10)
    silent_after: Duration = Duration(minutes=10)
    webhook: str = ""

    def __post_init__(self) -> None:
        check_webhook(self.webhook)
        if not self.denials_window or not self.silent_after:
            raise ValueError("denials_window and silent_after cannot be nothing; 10m is the default")


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`keep`: how long entries are kept at least; without it, for ever. What the log says of it counts, not this."""

    keep: Duration | None = None

    def __post_init__(self) -> None:
        if self.keep is not None and self.keep.total_seconds() < NOTICE_S:
            raise ValueError(f"keep is at least {NOTICE_S // 86400}d: auditors have that long to make a copy")


class Witness(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who cosigns the log's checkpoints: the witness's `key`, and its `url` if it is to be asked over HTTP."""

    key: str
    url: str = ""

    def __post_init__(self) -> None:
        WitnessKey.parse(self.key)
        if self.url:
            check_url(self.url)

    @property
    def verifier(self) -> WitnessKey:
        return WitnessKey.parse(self.key)


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`directory` is what `landfast-controller init` made; `listen` is an address and port, port 0 for any free one.

    `agent_lifetime`: how long a host's certificate is good for. Hosts renew it at half of that, so that the controller
    may be away for the other half and nobody notices. `renew_expired_within`: how long after that a host that was away
    may still renew by itself; 0s for never. Both hold for certificates that are issued from now on.
    """

    directory: Path
    listen: str = DEFAULT_LISTEN
    agent_lifetime: Duration = Duration(hours=24)
    renew_expired_within: Duration = Duration(days=30)
    rollout: Rollout = Rollout()
    incidents: Incidents = Incidents()
    log: Log = Log()
    witnesses: tuple[Witness, ...] = ()

    def __post_init__(self) -> None:
        if len({witness.verifier.public for witness in self.witnesses}) < len(self.witnesses):
            raise ValueError("witnesses: a key is named twice; it counts once, whatever its name")


def read(path: Path) -> Config:
    """Raises BadInputError naming the file and what is wrong with it."""
    try:
        config = msgspec.toml.decode(path.read_bytes(), type=Config, dec_hook=_own)
    except (OSError, UnicodeDecodeError, msgspec.MsgspecError) as error:
        keys = ", ".join(Config.__struct_fields__)
        raise BadInputError(f"configuration {path}: {error}; the keys are {keys}") from None
    if not config.agent_lifetime:
        raise BadInputError(f"configuration {path}: agent_lifetime is nothing; 24h is the default")
    return config


def _own(kind: type, value: object) -> object:
    """Raises ValueError, which msgspec reports with the name of the key."""
    if not isinstance(value, str):
        raise ValueError(f"text is expected, not {value!r}")
    return Duration(seconds=durations.parse(value).total_seconds()) if kind is Duration else Path(value)
