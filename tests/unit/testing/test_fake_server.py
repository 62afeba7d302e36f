"""What every fake can be told to do wrong."""

from __future__ import annotations

import attrs
import httpx
import pytest

from mlconnector_sdk.testing import FakeServer, Reply, Request


class Echo(FakeServer):
    """Answers with the path that was asked for."""

    def handle(self, request: Request) -> Reply:
        return Reply(200, {"path": request.path})


@pytest.fixture
def echo():
    """A server that echoes."""
    with Echo() as server:
        yield server


def test_an_answer_can_be_altered(echo):
    """What is sent is what the rule makes of the true answer, whole by its own length."""
    echo.fail_next(alter=lambda reply: attrs.evolve(reply, body=reply.encoded()[0][:5]))

    assert b'{"pat' == httpx.get(f"{echo.url}/one").content
    assert {"path": "/one"} == httpx.get(f"{echo.url}/one").json()


def test_another_request_can_be_answered(echo):
    """The answer is that of the request which the rule names, and the log tells what was asked."""
    echo.fail_next(instead=lambda request: attrs.evolve(request, raw_path="/other"))

    assert {"path": "/other"} == httpx.get(f"{echo.url}/one").json()
    assert ["/one"] == [entry.path for entry in echo.log]


def test_something_can_happen_meanwhile(echo):
    """It happens once the request has come and before it is answered, as often as the rule fires."""
    happened = []
    echo.fail(nth=2, meanwhile=lambda: happened.append(len(echo.log)))

    for _ in range(3):
        httpx.get(f"{echo.url}/one")

    assert [1] == happened
