"""Every story gets a world of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenarios._worlds import ENDS, World


@pytest.fixture
def world() -> Iterator[World]:
    """An empty ERP, an empty audience, and the state between them."""
    with World() as world:
        yield world


@pytest.fixture(params=ENDS)
def each_world(request) -> Iterator[World]:
    """The same, once for every ERP."""
    with World(request.param) as world:
        yield world
