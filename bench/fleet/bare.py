"""python -m bench.fleet.bare DIRECTORY: the rival, the simplest server that does the same work on the wire.

The same TLS, library and method as the controller's Sync; bytes in, bytes out. For each path that it reads from
standard input it sends the content of that file to every stream, and prints when it began and when each answer came:
JSON, nanoseconds of CLOCK_REALTIME. It checks nobody's role, keeps nothing, and proves nothing.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import grpc

from bench.fleet.deployment import Deployment
from landfast.channel import CONNECTED
from landfast_controller.server import OPTIONS


class Bare:
    """Streams that are open, and when answers came."""

    def __init__(self) -> None:
        self._streams: list[Any] = []
        self._answered: list[int] = []
        self._complete = asyncio.Event()

    async def sync(self, _: Any, context: Any) -> None:
        await context.send_initial_metadata(((CONNECTED, "yes"),))
        await context.read()  # the Hello
        self._streams.append(context)
        while await context.read() is not grpc.aio.EOF:
            self._answered.append(time.time_ns())
            if len(self._answered) == len(self._streams):
                self._complete.set()

    async def broadcast(self, data: bytes) -> dict[str, Any]:
        self._answered.clear()
        self._complete.clear()
        began = time.time_ns()
        for stream in self._streams:
            asyncio.ensure_future(stream.write(data))  # noqa: RUF006  # ends before the answer that is waited for
        await self._complete.wait()
        return {"began": began, "answered": self._answered}


async def main(directory: Path) -> None:
    bare, authority = Bare(), Deployment(directory).authority
    server, own = grpc.aio.server(options=OPTIONS), authority.issue_server(["127.0.0.1"])
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(bare.sync)
    service = grpc.method_handlers_generic_handler("landfast.v1.AgentService", {"Sync": handler})
    server.add_generic_rpc_handlers((service,))
    secret = grpc.ssl_server_credentials([(own.key, own.certificate)], authority.pem, True)
    port = server.add_secure_port("127.0.0.1:0", secret)
    await server.start()
    print(f"listening on port {port}", flush=True)
    while path := (await asyncio.to_thread(sys.stdin.readline)).strip():
        print(json.dumps(await bare.broadcast(Path(path).read_bytes())), flush=True)
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
