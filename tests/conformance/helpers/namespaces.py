"""Connects other network namespaces to this one, and gives the approved address another meaning there.

One such namespace exists from the start, that of a child; one more is connected on request, for the process whose
number is written to `HELPER.wanted`.
"""

import os
import subprocess
import time

HELPER = os.environ["HELPER"]
MAC = "02:00:00:00:00:01"  # of this end: the technique may write frames itself
RULES = """
add table ip elsewhere
add chain ip elsewhere before {{ type nat hook prerouting priority -100; }}
add chain ip elsewhere after {{ type nat hook postrouting priority 100; }}
add rule ip elsewhere before iifname "{device}" ip daddr {approved} dnat to {target}
add rule ip elsewhere after ip saddr {network}.2 masquerade
"""


def run(*argv: str, **options: str) -> None:
    subprocess.run(argv, check=True, text=True, **options)  # type: ignore[call-overload]


def inside(pid: int, *argv: str) -> None:
    run("nsenter", "-t", str(pid), "-n", "--", *argv)


def connect(pid: int, number: int) -> None:
    device, network = f"side{number}", f"192.0.{number}"
    run("ip", "link", "add", device, "type", "veth", "peer", "name", "way", "netns", str(pid))
    run("ip", "addr", "add", f"{network}.1/24", "dev", device)
    run("ip", "link", "set", device, "address", MAC, "up")
    inside(pid, "ip", "addr", "add", f"{network}.2/24", "dev", "way")
    inside(pid, "ip", "link", "set", "way", "up")
    inside(pid, "ip", "route", "add", "default", "via", f"{network}.1")
    places = {"approved": os.environ["APPROVED4"], "target": os.environ["TARGET4"]}
    run("nft", "-f", "-", input=RULES.format(device=device, network=network, **places))


def main() -> None:
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as setting:
        setting.write("1")
    with subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 60"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        connect(child.pid, 2)
        with open(f"{HELPER}.facts", "w", encoding="ascii") as facts:
            facts.write(str(child.pid))
        print("ready", flush=True)
        while not os.path.exists(f"{HELPER}.wanted"):
            time.sleep(0.01)
        time.sleep(0.05)
        with open(f"{HELPER}.wanted", encoding="ascii") as wanted:
            connect(int(wanted.read()), 3)
        open(f"{HELPER}.made", "w", encoding="ascii").close()
        time.sleep(60)


main()
