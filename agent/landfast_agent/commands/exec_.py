"""`landfast-agent exec`: becomes a command that is tagged from its first instruction."""

import ctypes
import os
import signal
import sys

import click

from landfast_agent import capabilities
from landfast_agent.ask import ask
from landfast_agent.errors import AgentError, KernelError
from landfast_agent.instance import Instance
from landfast_agent.words import class_names

_CLONE_FILES = 0x400  # uapi/linux/sched.h
_REFUSED, _NOT_EXECUTABLE, _NOT_FOUND = 125, 126, 127


@click.command(
    "exec",
    short_help="Run a command tagged from its first instruction.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.option("--class", "classes", required=True, metavar="C[,C...]", help="Data classes that the command carries.")
@click.option(
    "--keep-capabilities",
    is_flag=True,
    help="Keep capabilities that undo enforcement (net_raw, net_admin, sys_admin, bpf, ...).",
)
@click.argument("argv", nargs=-1, required=True, metavar="CMD [ARG]...", type=click.UNPROCESSED)
@click.pass_obj
def command(instance: Instance, classes: str, keep_capabilities: bool, argv: tuple[str, ...]) -> None:
    """Runs CMD with the tags in place before its first instruction.

    Replaces itself with CMD, so descriptors, signals and the exit status are CMD's own. Anyone may tag themselves; no
    root is needed. Exit status of its own failures: 125 refused or failed, 126 CMD is not executable, 127 CMD was
    not found.

    Inherited descriptors that nobody can judge (raw and packet sockets, io_uring, tunnel devices and the like) are
    closed, and named on standard error.

    \b
    Examples:
      landfast-agent exec --class eea-user-data -- curl https://10.20.0.5/
      landfast-agent exec --class eea-user-data,billing -- psql -h db.internal
    """
    try:
        _leave_shared_table()
        _close(ask(instance, "exec", classes=class_names(classes))["close"])
        if not keep_capabilities:
            capabilities.drop()
    except AgentError as error:
        _fail(str(error), _REFUSED)
    _become(argv)


def _leave_shared_table() -> None:
    """CMD gets a table of descriptors of its own anyway; nobody else shall put anything into it until then."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_FILES) != 0:
        raise KernelError("take a table of descriptors of its own", ctypes.get_errno())


def _close(descriptors: dict[str, str]) -> None:
    """Inherited ones that nobody can judge, by number."""
    for number, what in descriptors.items():
        click.echo(f"landfast-agent exec: closed what was inherited: {what}", err=True)
        os.close(int(number))


def _become(argv: tuple[str, ...]) -> None:
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these, and ignored signals survive exec
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)  # noqa: S606  # this is what the command is for
    except FileNotFoundError:
        _fail(f"{argv[0]}: command not found: check the name and PATH", _NOT_FOUND)
    except OSError as error:
        _fail(f"{argv[0]}: cannot be executed: {error.strerror}", _NOT_EXECUTABLE)


def _fail(message: str, status: int) -> None:
    click.echo(f"landfast-agent exec: {message}", err=True)
    sys.exit(status)
