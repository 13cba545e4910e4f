from ipaddress import collapse_addresses, ip_network
from itertools import pairwise

from bench.prefixes import allowlist, policy
from landfast.policy import canonical


def test_prefixes_are_disjoint_deterministic_and_as_many_as_asked_for() -> None:
    prefixes = allowlist(1000, 7, "10.77.0.0/24")
    assert prefixes == allowlist(1000, 7, "10.77.0.0/24")
    assert len(prefixes) == 1000
    networks = sorted(map(ip_network, prefixes), key=lambda each: int(each.network_address))
    assert all(one.broadcast_address < other.network_address for one, other in pairwise(networks))
    assert sum(each.num_addresses for each in collapse_addresses(networks)) == sum(
        each.num_addresses for each in networks
    )


def test_the_policy_is_one_that_an_agent_takes() -> None:
    first = policy(allowlist(100, 1))
    second = policy(allowlist(100, 2), first)
    assert [each.version for each in (first, second)] == [1, 2]
    assert canonical.decode(canonical.encode(second)) == second
