"""Real servers in a namespace: nginx, the rsync daemon, and an echo server for TCP and UDP."""

import socket
from collections.abc import Sequence
from pathlib import Path

from tests.testbed.namespace import Namespace
from tests.testbed.program import Program

_NGINX = """
daemon off; master_process off; worker_processes 1; user root;
pid {state}/nginx.pid; error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off; default_type application/octet-stream; sendfile on;
    client_body_temp_path {state}/body; proxy_temp_path {state}/proxy; fastcgi_temp_path {state}/fastcgi;
    uwsgi_temp_path {state}/uwsgi; scgi_temp_path {state}/scgi;
    server {{ {listen} root {files}; }}
}}
"""

_RSYNCD = """
port = {port}
reverse lookup = no
use chroot = no
uid = root
gid = root
[{module}]
path = {files}
read only = no
"""


def web_server(where: Namespace, files: Path, state: Path, ports: Sequence[int] = (80,)) -> Program:
    """nginx serving the directory `files` over HTTP, IPv4 and IPv6. `state` is an empty directory for its own use."""
    listen = " ".join(f"listen {port}; listen [::]:{port};" for port in ports)
    config = _write(state / "nginx.conf", _NGINX.format(state=state, files=files, listen=listen))
    server = Program(["/usr/sbin/nginx", "-c", config, "-e", "stderr", "-p", state], state / "nginx.log", where)
    return server.ready(lambda: all(answers(where, port) for port in ports))


def rsync_server(where: Namespace, files: Path, state: Path, module: str = "data", port: int = 873) -> Program:
    """The rsync daemon with the writable module `module` in the directory `files`."""
    config = _write(state / "rsyncd.conf", _RSYNCD.format(port=port, module=module, files=files))
    server = Program(["rsync", "--daemon", "--no-detach", "--config", config], state / "rsyncd.log", where)
    return server.ready(lambda: answers(where, port))


def echo_server(where: Namespace, log: Path, ports: Sequence[int] = (7,)) -> Program:
    """Sends back whatever it is sent, on all `ports`, TCP and UDP, IPv4 and IPv6."""
    program = Path(__file__).with_name("echo.py")
    server = Program(["/usr/bin/python3", "-IS", program, *map(str, ports)], log, where)
    return server.ready(lambda: "ready" in server.output)


def answers(where: Namespace, port: int, address: str = "::1") -> bool:
    """Whether TCP `port` accepts connections in the namespace."""
    with where.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        sock.settimeout(1)
        return sock.connect_ex((address, port)) == 0


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
