"""Tells incidents that were opened to another system: a POST of JSON for each, oldest first, until it is taken.

The database is the queue: what waits survives a restart, and nothing is dropped. What was sent just before a crash is
sent again; `id` tells.
"""

import asyncio
import json
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import structlog
from sqlalchemy.exc import SQLAlchemyError

from landfast.v1.incident_pb2 import Incident
from landfast_controller.incidents import records
from landfast_controller.posting import post
from landfast_controller.store import Store

_LOOK_S = 1.0  # between looks for new incidents
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 300.0  # between attempts
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

_log = structlog.get_logger()


class Webhook:
    """`url` is empty for none. `deployment` is its trust domain, for receivers of several."""

    def __init__(self, store: Store, url: str, deployment: str) -> None:
        self._store, self._url, self._deployment = store, url, deployment

    async def run(self) -> None:
        """Runs for as long as the controller, if there is a webhook."""
        pause = _FIRST_PAUSE_S
        while self._url:
            try:
                await self._tell()
                pause = _FIRST_PAUSE_S
                await asyncio.sleep(_LOOK_S)
            except (OSError, SQLAlchemyError) as error:
                _log.warning("webhook: incidents wait", why=str(error), again_in_s=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _tell(self) -> None:
        """All that wait."""
        while True:
            async with self._store.reading() as connection:
                incident = await records.untold(connection)
            if incident is None:
                return
            await _post(self._url, document(incident, self._deployment))
            await self._store.write(partial(records.told, number=incident.id))


def document(incident: Incident, deployment: str) -> dict[str, Any]:
    """What is sent."""
    return {
        "deployment": deployment,
        "id": incident.id,
        "rule": incident.rule,
        "subject": incident.subject,
        "opened": incident.opened.ToJsonString(),
        "count": incident.count,
        "first_index": incident.first_index,
        "text": incident.text,
    }


def check_webhook(url: str) -> None:
    """Raises ValueError unless `url` is empty or one that keeps incidents secret on the way."""
    parts = urlsplit(url)
    if url and not ((parts.scheme == "https" and parts.hostname) or _is_local(parts.scheme, parts.hostname)):
        raise ValueError(f"webhook {url!r}: use https://HOST/PATH (http:// only on this host)")


def _is_local(scheme: str, host: str | None) -> bool:
    return scheme == "http" and host in _LOOPBACK


async def _post(url: str, value: dict[str, Any]) -> None:
    """Raises OSError unless the answer is 2xx."""
    answer = await post(url, json.dumps(value).encode(), "application/json")
    if answer.status // 100 != 2:
        raise OSError(f"{url} answers {answer.status} {answer.reason}")
