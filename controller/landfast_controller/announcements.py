"""Snapshot and timestamp of TUF: what hosts are told to be the newest version, signed by the controller.

While a rollout runs hosts are told of different versions. Each host sees one line of announcements, and refuses one
that is older than the one before it.
"""

import time
from datetime import timedelta
from time import monotonic

from securesystemslib.signer import Signer

from landfast.trust import metadata

#: A host that hears nothing for so long tells that its policy is stale.
LIFETIME = timedelta(hours=24)

_FRESH_S = 60.0  # one signature serves all hosts of a version for this long
_KEPT = 4  # versions in memory


class Announcements:
    """`stamp` is at least the version of the newest announcement that was ever made.

    Versions of announcements are microseconds since 1970. Hosts go from lower policy versions to higher ones: so what
    is said of a higher one must be newer than what is said of a lower one, and is said anew when that was.
    """

    def __init__(self, online: Signer, stamp: int) -> None:
        self._online, self._stamp = online, stamp
        self._made: dict[int, tuple[float, dict[str, bytes]]] = {}

    def of(self, version: int) -> dict[str, bytes]:
        """Says that `version` is the newest."""
        at, files = self._made.get(version, (0.0, {}))
        if not files or monotonic() - at > _FRESH_S:
            self._stamp = max(self._stamp + 1, time.time_ns() // 1000)
            files = metadata.newest(version, self._stamp, self._online, LIFETIME)
            lower = sorted(known for known in self._made if known < version)[-_KEPT:]
            self._made = {known: self._made[known] for known in lower}
            self._made[version] = monotonic(), files
        return files
