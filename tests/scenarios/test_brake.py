"""Many members leaving at once by the ERP's own word: stopped until somebody says that it is meant."""

from __future__ import annotations

import pytest

from mlconnector_sdk import SyncPolicy
from tests.scenarios._worlds import World


@pytest.fixture
def world():
    """An audience of forty members, all of them customers."""
    with World() as world:
        world.keys = [world.erp.add_customer(f"c{number}@harbor-pumps.com") for number in range(40)]
        world.run(streams=["customers"])
        yield world


def deactivate(world, count):
    """So many customers become inactive."""
    for key in world.keys[:count]:
        world.erp.deactivate(key)


def subscribed(world):
    """How many members may be mailed."""
    return sum(member.status == "subscribed" for member in world.mailchimp.members.values())


def run(world, **settings):
    """One run an hour later, with arguments of `run` itself."""
    world.clock.advance(minutes=60)
    with world.engine() as engine:
        return engine.run(["customers"], **settings)


def test_a_few_who_leave_need_no_confirmation(world):
    """A handful may always leave."""
    deactivate(world, 10)

    report = run(world)

    assert report.ok, str(report)
    assert subscribed(world) == 30


def test_too_many_at_once_stop_the_stream_and_nobody_leaves(world):
    """Beyond the share the stream is stopped before a single one is taken off, and the report says what to do."""
    deactivate(world, 11)

    report = run(world)

    assert "allow_mass_leave=True" in report.streams["customers"].error
    assert not report.ok
    assert subscribed(world) == 40


def test_a_stopped_stream_stays_stopped_until_it_is_confirmed(world):
    """No run after it lets another share go; a confirmed one lets all of them go, and ends the matter."""
    deactivate(world, 11)
    run(world)
    for key in world.keys[:8]:
        world.erp.activate(key)

    held = run(world)
    confirmed = run(world, allow_mass_leave=True)
    world.erp.deactivate(world.keys[39])
    after = run(world)

    assert "earlier run" in held.streams["customers"].error
    assert confirmed.ok, str(confirmed)
    assert after.ok, str(after)
    assert subscribed(world) == 40 - 3 - 1


def test_a_stream_whose_data_were_mended_goes_on_by_itself(world):
    """When nobody would leave any more, no confirmation is needed."""
    deactivate(world, 11)
    run(world)
    for key in world.keys[:11]:
        world.erp.activate(key)

    mended = run(world)
    world.erp.deactivate(world.keys[0])
    after = run(world)

    assert mended.ok, str(mended)
    assert after.ok, str(after)
    assert subscribed(world) == 39


def test_an_opt_out_field_that_flags_everybody_is_stopped_as_well(world):
    """A wrong field of the source's settings does not empty the audience."""
    world.clock.advance(minutes=60)
    source = world.erp.source(optout_field=lambda row: True)

    with world.engine(source=source) as engine:
        report = engine.run(["customers"], full=True)

    assert "opt-out fields" in report.streams["customers"].error
    assert subscribed(world) == 40


def test_a_plan_tells_what_a_run_would_stop_at(world):
    """A plan reads to the end all the same, and writes nothing."""
    deactivate(world, 11)
    world.clock.advance(minutes=60)

    with world.engine() as engine:
        plan = engine.plan(["customers"])

    assert "11 of 40 members" in plan.streams["customers"].error
    assert len(plan.changes) == 11
    assert subscribed(world) == 40


def test_the_share_is_a_matter_of_policy(world):
    """With a larger share more may leave."""
    deactivate(world, 20)

    report = world.run(streams=["customers"], policy=SyncPolicy(most_leaving=0.5))

    assert report.ok, str(report)
    assert subscribed(world) == 20
