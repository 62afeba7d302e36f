"""A process that ends between taking a member off and writing it down."""

from __future__ import annotations

import pytest

from mlconnector_sdk import SyncPolicy
from mlconnector_sdk.models import WebhookEvent
from tests.scenarios._history import Crash, FailingBooks
from tests.scenarios._worlds import World

ANN = "ann@harbor-pumps.com"
BACK = SyncPolicy(reactivated="resubscribe")


def is_outcome(checkpoint) -> str | None:
    """Crash before it is kept that somebody was taken off."""
    return "before" if any(link.taken_off for link in checkpoint.links) else None


def is_intent(checkpoint) -> str | None:
    """Crash once it is kept that somebody is to be taken off."""
    return "after" if checkpoint.notes else None


def crashed(world, books, crash, **settings) -> None:
    """A run that ends as `crash` says, and whose lease has run out since."""
    books.crash = crash
    with pytest.raises(Crash):
        world.run(**settings)
    books.crash = lambda checkpoint: None


@pytest.fixture
def books() -> FailingBooks:
    """State that crashes where it is told to."""
    return FailingBooks()


@pytest.fixture
def world(books):
    """An empty ERP, an empty audience, and that state."""
    with World(state=books) as world:
        yield world


@pytest.fixture
def ann(world, books) -> str:
    """A customer whose member was taken off by a run that could not write it down."""
    key = world.erp.add_customer(ANN)
    world.run(policy=BACK)
    world.erp.deactivate(key)
    crashed(world, books, is_outcome, policy=BACK)
    assert world.status(ANN) == "unsubscribed"
    return key


def test_what_we_did_is_not_held_against_the_person(world, books, ann):
    """The next run knows that it was this library, keeps no suppression, and the audit tells of the write."""
    world.run(policy=BACK)

    assert books.suppressions("acme", [ANN]) == {}
    assert books.links("acme", "customers", [ann])[ann].taken_off == "unsubscribed"
    outcomes = [(entry.outcome, entry.reason) for entry in books.audit("acme", stream="customers", key=ann)]
    assert [("created", ""), ("updated", "taken_off"), ("skipped", "inactive")] == outcomes
    assert list(books.notes("acme", "taking off customers")) == []


def test_a_customer_comes_back_after_a_crash(world, ann):
    """Who was taken off by the run that crashed is subscribed again with the customer, as the policy says."""
    world.erp.activate(ann)

    world.run(policy=BACK)

    assert world.status(ANN) == "subscribed"


def test_who_left_by_their_own_hand_stays_away(world, books, ann):
    """An unsubscribe of the person's own between crash and next run counts, whatever this library meant to do."""
    world.mailchimp.unsubscribe(ANN)
    world.erp.activate(ann)

    world.run(policy=BACK)

    assert world.status(ANN) == "unsubscribed"
    assert books.suppressions("acme", [ANN])[ANN].reason == "unsubscribed"


def test_what_was_meant_and_not_done_is_done_by_the_next_run(world, books):
    """A process that ends right before the write leaves a note that nobody is misled by."""
    key = world.erp.add_customer(ANN)
    world.run(policy=BACK)
    world.erp.deactivate(key)
    crashed(world, books, is_intent, policy=BACK)
    assert world.status(ANN) == "subscribed"

    world.run(policy=BACK)

    assert world.status(ANN) == "unsubscribed"
    outcomes = [(entry.outcome, entry.reason) for entry in books.audit("acme", stream="customers", key=key)]
    assert [("created", ""), ("updated", "inactive")] == outcomes
    assert list(books.notes("acme", "taking off customers")) == []


def test_an_event_about_our_own_write_is_an_echo_after_a_crash_too(world, books, ann):
    """Mailchimp telling of the write that was not written down silences nobody."""
    at = world.clock()
    event = WebhookEvent(origin="marketing", kind="unsubscribe", address=ANN, at=at)
    world.clock.advance(minutes=5)

    with world.engine(policy=BACK) as engine:
        report = engine.handle(event)

    assert {"echo": 1} == report.streams["webhooks"].reasons
    assert books.suppressions("acme", [ANN]) == {}
