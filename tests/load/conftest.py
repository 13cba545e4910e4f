"""A host of the test's own: that of the agent's own tests."""

from tests.e2e.agent.conftest import fresh

__all__ = ["fresh"]
