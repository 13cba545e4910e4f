"""Servers to talk to, and a host of the test's own: those of the agent's own tests."""

from tests.e2e.agent.conftest import fresh, servers

__all__ = ["fresh", "servers"]
