"""Tests what the engine asks of objects that are written in Python."""

from __future__ import annotations

from support.agent_models import Same

from sim_core import AgentModel
from sim_core.protocols import AgentModel as Defined


def test_an_agent_is_a_model_by_its_method_alone() -> None:
    """Fails if an agent without the method would be asked, or one with it would have to inherit from the protocol."""
    assert Defined is AgentModel
    assert isinstance(Same("skunk"), AgentModel)
    assert not isinstance("skunk", AgentModel) and not isinstance(object(), AgentModel)
