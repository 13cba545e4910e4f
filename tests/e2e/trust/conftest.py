"""Servers to talk to: those of the agent's own tests."""

from tests.e2e.agent.conftest import servers

__all__ = ["servers"]
