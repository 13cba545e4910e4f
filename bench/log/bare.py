"""python -m bench.log.bare DIRECTORY: the rival, the simplest server that takes what agents push.

The same library, TLS, stream and bytes as the controller's Push. Each message is acknowledged by its number. Nothing
else happens: what comes is not even decoded.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import grpc

from bench.fleet.deployment import Deployment
from landfast.v1.agent_pb2 import PushResponse
from landfast_controller.server import OPTIONS


async def push(_: Any, context: Any) -> None:
    messages = 0
    while await context.read() is not grpc.aio.EOF:
        messages += 1
        await context.write(PushResponse(acknowledged=messages).SerializeToString())


async def main(directory: Path) -> None:
    authority = Deployment(directory).authority
    server, own = grpc.aio.server(options=OPTIONS), authority.issue_server(["127.0.0.1"])
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(push)
    service = grpc.method_handlers_generic_handler("landfast.v1.AgentService", {"Push": handler})
    server.add_generic_rpc_handlers((service,))
    secret = grpc.ssl_server_credentials([(own.key, own.certificate)], authority.pem, True)
    port = server.add_secure_port("127.0.0.1:0", secret)
    await server.start()
    print(f"listening on port {port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
