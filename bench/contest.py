"""Who is compared: nothing, programs that do nothing, Landfast, and its rivals at two sizes."""

from contextlib import nullcontext
from functools import partial

from bench.measure import NONE, Configuration
from bench.ours import Ours, no_op, tables_of
from bench.prefixes import allowlist, policy
from bench.rivals import Rivals
from bench.stage import SERVER, Stage

NO_OP = "no-op programs"
IDLE = "landfast, nobody tagged"
BESIDE = "landfast, another tagged"

_LISTED = f"{SERVER}/32"
_SIZES = {"1 k": 1_000, "100 k": 100_000}

#: Names by the number of prefixes.
TAGGED = {size: f"landfast, tagged, {size}" for size in _SIZES}
INTERVAL = {size: f"nft interval, {size}" for size in _SIZES}
CONCATENATED = {size: f"nft concatenated, {size}" for size in _SIZES}
IPSET = {size: f"iptables + ipset, {size}" for size in _SIZES}

NFTABLES = {size: (INTERVAL[size], CONCATENATED[size]) for size in _SIZES}
RIVALS = {size: (*NFTABLES[size], IPSET[size]) for size in _SIZES}


def contestants(stage: Stage, ours: Ours, rivals: Rivals) -> list[Configuration]:
    """In order, with nothing at both ends. Loads what takes its time to load."""
    nothing = Configuration(NONE, nullcontext)
    tables = {size: tables_of(policy(allowlist(count, 1, _LISTED))) for size, count in _SIZES.items()}
    landfast = [
        Configuration(IDLE, partial(ours.idle, tables["1 k"])),
        Configuration(BESIDE, partial(ours.beside, tables["1 k"], stage)),
        *(Configuration(TAGGED[size], partial(ours.tagging, tables[size]), confines=True) for size in _SIZES),
    ]
    others = [each for size, count in _SIZES.items() for each in _rivals(rivals, size, allowlist(count, 1, _LISTED))]
    return [nothing, Configuration(NO_OP, no_op), *landfast, *others, nothing]


def _rivals(rivals: Rivals, size: str, prefixes: tuple[str, ...]) -> list[Configuration]:
    suffix = size.replace(" ", "")
    rivals.add_interval(f"interval{suffix}", prefixes)
    rivals.add_concatenated(f"concatenated{suffix}", prefixes)
    rivals.add_ipset(f"ipset{suffix}", prefixes)
    return [
        Configuration(INTERVAL[size], partial(rivals.nftables, f"interval{suffix}"), confines=True),
        Configuration(CONCATENATED[size], partial(rivals.nftables, f"concatenated{suffix}"), confines=True),
        Configuration(IPSET[size], partial(rivals.iptables, f"ipset{suffix}"), confines=True),
    ]
