from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.unit.agents._agent import World


@pytest.fixture(name="make_world")
def _make_world() -> Iterator[Callable[..., World]]:
    """Makes worlds whose agents log off at the end."""
    made: list[World] = []

    def make(**settings: Any) -> World:
        made.append(World(**settings))
        return made[-1]

    yield make
    for world in made:
        world.agent.close()


@pytest.fixture(name="world")
def _world(make_world: Callable[..., World]) -> World:
    """An agent in front of a Sage 100 of two companies without records."""
    return make_world()
