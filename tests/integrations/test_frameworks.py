"""The applications that the how-to guides build, over real HTTP."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from mlconnector_sdk.testing import FakeMailchimp
from tests._pages import SETUPS, blocks_of, setup_of
from tests.integrations._serving import serve_asgi, serve_wsgi

SECRET = "6e1f9a7c0b2d4e58a1"
URL_SECRET = "0d6f6f9d1c5e4b52"
MANDRILL_URL = "https://hooks.acme.org/hooks/mandrill?tenant=7"
MANDRILL_KEY = "mandrill-webhook-key"

READY = {"fastapi": "/hooks/mailchimp", "flask": "/hooks/ready"}
OWN = {"fastapi": "/hooks/own", "flask": "/hooks/mailchimp", "django": "/hooks/mailchimp"}
ROUTES = [*READY.items(), *OWN.items()]


def built_by(page: Path) -> dict[str, Any]:
    """The names that a page's code defines, but for its own trial at the end."""
    text = page.read_text("utf-8").partition("## Try it")[0]
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks_of(text):
        code = compile("\n" * (block.line - 1) + block.code, str(page), "exec", dont_inherit=True)
        exec(code, names)
    return names


@contextmanager
def served_django(names: dict[str, Any]) -> Iterator[str]:
    """A project with the page's views."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import override_settings

    urls = ModuleType("urls_of_a_page")
    urls.urlpatterns = names["urlpatterns"]
    sys.modules[urls.__name__] = urls
    try:
        with override_settings(ROOT_URLCONF=urls.__name__), serve_wsgi(WSGIHandler()) as url:
            yield url
    finally:
        del sys.modules[urls.__name__]


@contextmanager
def served(framework: str, project: Path) -> Iterator[tuple[str, list[Any]]]:
    """Where a page's application answers, and the events it has received."""
    page = project / "docs" / "howto" / f"receive-webhooks-with-{framework}.md"
    with SETUPS[setup_of(page.read_text("utf-8"))]():
        names = built_by(page)
        if framework == "django":
            serving = served_django(names)
        else:
            serving = serve_asgi(names["app"]) if framework == "fastapi" else serve_wsgi(names["app"])
        with serving as url:
            yield url, names["received"]


@pytest.fixture(name="fake")
def _fake() -> FakeMailchimp:
    """Its time is this machine's, as that of the pages is."""
    return FakeMailchimp()


@pytest.fixture(name="client")
def _client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


@pytest.mark.parametrize(("framework", "path"), ROUTES)
def test_genuine_deliveries_are_received_and_others_are_not(framework, path, project, fake, client):
    """Trials are answered, a genuine delivery is taken, forged and huge ones are refused, and nothing is a 410."""
    with served(framework, project) as (url, received):
        where = f"{url}{path}"
        for answer in (client.get(where), client.head(where), client.post(where)):
            assert 200 == answer.status_code
        assert [200] == fake.deliver(where, "unsubscribe", "pat@acme.org", secret=SECRET).statuses
        assert [403] == fake.deliver(where, "unsubscribe", "ann@acme.org", secret="another").statuses
        assert [403] == fake.deliver(where, "unsubscribe", "ann@acme.org", secret="").statuses
        assert 413 == client.post(where, content=b"x" * 1_000_000).status_code

    assert ["pat@acme.org"] == [event.address for event in received]


@pytest.mark.parametrize("framework", OWN)
def test_mandrill_is_received(framework, project, fake):
    """A page's address passes Mandrill's trial and takes a thousand events at once, more than frameworks like."""
    with served(framework, project) as (url, received):
        where = f"{url}/hooks/mandrill"
        assert fake.deliveries.check_transactional(where, signed_url=MANDRILL_URL)
        events = [
            fake.deliveries.message_event("hard_bounce", f"p{number}@acme.org", diag="x" * 3_000)
            for number in range(1000)
        ]
        genuine = fake.deliveries.send_transactional(where, events, key=MANDRILL_KEY, signed_url=MANDRILL_URL)
        forged = fake.deliveries.send_transactional(where, events, key=MANDRILL_KEY)

    assert ([200], [403]) == (genuine.statuses, forged.statuses)
    assert 1000 == len(received)


@pytest.mark.parametrize("framework", OWN)
def test_secret_in_the_address_lets_in(framework, project, fake, client):
    """A page's address with a secret takes what is not signed, under the right secret alone."""
    with served(framework, project) as (url, received):
        where = f"{url}/hooks/mailchimp/{URL_SECRET}"
        assert 200 == client.get(where).status_code
        assert [200] == fake.deliver(where, "unsubscribe", "pat@acme.org").statuses
        assert [403] == fake.deliver(f"{where}x", "unsubscribe", "ann@acme.org").statuses

    assert ["pat@acme.org"] == [event.address for event in received]
