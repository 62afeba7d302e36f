from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mlconnector_sdk.mailchimp import MailchimpSink
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.testing.fakes._mailchimp import FakeMailchimp
from tests.unit.mailchimp._writes import STORE


@pytest.fixture(name="fake")
def _fake() -> Iterator[FakeMailchimp]:
    with FakeMailchimp() as fake:
        yield fake


@pytest.fixture(name="make_sink")
def _make_sink(fake: FakeMailchimp) -> Iterator[Callable[..., MailchimpSink]]:
    made: list[MailchimpSink] = []

    def make(**settings: Any) -> MailchimpSink:
        defaults = {
            "list_id": fake.list_id,
            "base_url": fake.base_url,
            "retry": RetryPolicy.immediate(),
            "store": STORE,
        }
        made.append(MailchimpSink(settings.pop("auth", fake.api_key), **{**defaults, **settings}))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


@pytest.fixture(name="sink")
def _sink(make_sink: Callable[..., MailchimpSink]) -> MailchimpSink:
    return make_sink()
