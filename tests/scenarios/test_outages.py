"""A far side that is down ends the run early, with one clear error, and sets nothing aside."""

from __future__ import annotations

import pytest

from mlconnector_sdk import SyncPolicy
from mlconnector_sdk.errors import TransientError, UnavailableError
from mlconnector_sdk.retry import RetryPolicy

DOWN = {"status": 500, "body": {"title": "Internal Server Error", "status": 500}}


def filled(world, customers: int = 1, orders: int = 0) -> list[str]:
    """That many customers, and that many orders of the first one, whose keys are returned."""
    keys = [world.erp.add_customer(f"c{number}@acme.org") for number in range(customers)]
    return [world.erp.add_order(keys[0]) for _ in range(orders)]


def set_aside(world) -> list[str]:
    """The keys of the dead letters."""
    return [letter.key for letter in world.state.dead_letters("acme")]


def test_an_outage_stops_orders_before_all_of_them_have_failed(world):
    """Where every order fails, the run ends once it is clear, and most of them were not even sent."""
    filled(world, orders=300)
    world.mailchimp.fail(path="/stores/acme/orders", **DOWN)

    with pytest.raises(UnavailableError, match="records in a row failed"):
        world.run(sink=world.sink(concurrency=2), policy=SyncPolicy(max_consecutive_faults=5))

    tries = 3
    assert len(world.mailchimp.requests("POST", "/stores/acme/orders")) < 150 * tries
    assert [] == set_aside(world)
    world.mailchimp.faults.clear()
    assert 300 == world.run().streams["orders"].created


def test_bad_orders_among_good_ones_are_no_outage(world):
    """Fewer faults in a row than the policy says are bad orders: they are set aside, and the run goes on."""
    filled(world, orders=9)
    world.mailchimp.fail(path="/stores/acme/orders", method="POST", times=4 * 3, **DOWN)

    report = world.run(sink=world.sink(concurrency=1), policy=SyncPolicy(max_consecutive_faults=5))

    assert (4, 5) == (report.streams["orders"].dead, report.streams["orders"].created)


def test_a_sink_that_never_answers_in_time_is_an_outage(world):
    """Time-outs on every call end the run; nobody is set aside."""
    filled(world, 60)
    world.mailchimp.fail(status=504, path="/lists/a1b2c3d4e5", method="POST")

    with pytest.raises(TransientError):
        world.run(sink=world.sink(retry=RetryPolicy(attempts=1)))

    assert [] == set_aside(world)
    world.mailchimp.faults.clear()
    assert 60 == world.run().streams["customers"].created


def test_an_erp_that_is_down_is_asked_for_one_stream_only(world):
    """When the first stream was tried as often as the policy says, the others are not tried at all."""
    filled(world)
    world.run()
    world.erp.fake.fail(status=503, path="/entity/Default/")
    with world.erp.fake.recording() as calls, pytest.raises(UnavailableError) as caught:
        world.run(source=world.erp.source(retry=RetryPolicy.immediate(attempts=4)))

    assert 4 == sum(call.status == 503 for call in calls)
    assert 1 == len({call.path for call in calls if call.status == 503})
    assert ["customers"] == list(caught.value.report.streams)


def test_a_replay_ends_when_the_erp_is_down(world):
    """Records that are to be read again by key from an ERP that is down keep their dead letters as they were."""
    keys = filled(world, orders=3)
    world.mailchimp.fail(path="/stores/acme/orders", method="POST", times=3 * 3, **DOWN)
    world.run()
    before = list(world.state.dead_letters("acme"))
    world.erp.fake.fail(status=503, path="/entity/Default/")
    with world.engine() as engine, pytest.raises(UnavailableError):
        engine.replay()

    assert sorted(keys) == sorted(set_aside(world))
    assert before == list(world.state.dead_letters("acme"))
