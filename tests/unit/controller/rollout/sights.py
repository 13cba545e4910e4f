"""Hosts as a rollout may see them."""

from hypothesis import strategies as st

from landfast_controller.rollout.decision import Limits
from landfast_controller.rollout.denials import Denials
from landfast_controller.rollout.plan import Host, Plan, Standing

LIMITS = Limits(settle_s=60, lost_after_s=120, factor=3, floor=20)
LABELS = ("canary", "eu")

STAGES = st.sampled_from(
    [
        ("all",),
        ("canary", "all"),
        ("10%", "50%", "all"),
        ("canary", "10%", "eu", "50%", "all"),
    ]
)


@st.composite
def fleets(draw: st.DrawFn) -> list[Host]:
    """Hosts of any kind. One that has the version was live when it got it."""
    names = draw(st.lists(st.integers(1, 999), max_size=30, unique=True))
    return [draw(hosts(f"hall-{number}")) for number in names]


def hosts(name: str) -> st.SearchStrategy[Host]:
    silent_s = st.sampled_from([0.0, 5.0, 119.0])
    return st.builds(
        Host,
        name=st.just(name),
        labels=st.frozensets(st.sampled_from(LABELS)),
        live=st.booleans(),
        silent_s=silent_s,
        measured=st.booleans(),
        has=st.booleans(),
        excused=st.booleans(),
        standing=st.sampled_from([Standing.WAITING, Standing.PROVED]),
        well_s=st.sampled_from([0.0, 59.0, 60.0, 600.0]),
        denials=st.just((Denials("denials", 5, 10.0, 0.0),)),
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    stages = draw(STAGES)
    return Plan(draw(st.integers(1, 99)), stages, draw(st.integers(0, len(stages) - 1)))
