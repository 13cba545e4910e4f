"""How every client (agent, CLI, an auditor's own program) opens its channel to the controller.

Give `credentials(bundle)` and `OPTIONS` to `grpc.secure_channel` or `grpc.aio.secure_channel`.
"""

import grpc

from landfast.identity import SERVER_NAME, Bundle

#: A policy of 100,000 prefixes has to fit in one message.
MESSAGE_LIMIT = 64 * 1024 * 1024

#: The controller is known by its name in the deployment's own authority, not by its address. A dead peer is noticed
#: after at most 10 s, also while nothing is said. Reconnecting is gRPC's within a call's life, the caller's beyond it.
OPTIONS: list[tuple[str, str | int]] = [
    ("grpc.ssl_target_name_override", SERVER_NAME),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.keepalive_time_ms", 6_000),
    ("grpc.keepalive_timeout_ms", 4_000),
    ("grpc.http2.ping_timeout_ms", 4_000),  # what a keepalive ping really waits for; 60 s by default
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 10_000),  # how long one attempt may take, in spite of its name
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.enable_http_proxy", 0),
]

#: Header of the controller's answer to Sync once the host's Hello is recorded. A call that is refused has headers too,
#: and whoever takes them for a connection is mistaken.
CONNECTED = "landfast-connected"


def credentials(bundle: Bundle) -> grpc.ChannelCredentials:
    """TLS with the bundle's certificate, trusting the bundle's authority and nobody else."""
    return grpc.ssl_channel_credentials(bundle.authority, bundle.key, bundle.certificate)
