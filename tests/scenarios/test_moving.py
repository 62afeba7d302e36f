"""Data that move while they are read, and doors that stay shut, for every ERP."""

from __future__ import annotations

import pytest

from mlconnector_sdk import SyncPolicy
from mlconnector_sdk.errors import AuthenticationError
from tests.scenarios._worlds import World


@pytest.fixture
def world(each_world) -> World:
    """These stories hold for every ERP."""
    return each_world


def test_rows_that_change_while_we_page_are_neither_lost_nor_doubled(world):
    """Customers edited, added and deleted between two pages: the next run ends in what the ERP says."""
    keys = [world.erp.add_customer(f"c{number}@harbor-pumps.com", name=f"No {number}") for number in range(300)]
    pages = []

    def meddle(request) -> None:
        if world.erp.lists_customers(request):
            pages.append(request.raw_path)
            if len(pages) == 2:
                world.erp.remove(keys[0])
                world.erp.remove(keys[1])
                world.erp.rename(keys[250], "Renamed While Paging")
                world.erp.add_customer("late@harbor-pumps.com", key="AAA")

    world.erp.fake.before_each.append(meddle)
    report = world.run(streams=["customers"])
    world.erp.fake.before_each.clear()

    assert report.ok, str(report)
    assert len(pages) > 3
    missing = {f"c{n}@harbor-pumps.com" for n in range(2, 300)} - set(world.mailchimp.members)
    assert missing == set()
    world.run(streams=["customers"])
    assert world.status("late@harbor-pumps.com") == "subscribed"
    assert world.mailchimp.members["c250@harbor-pumps.com"].merge_fields["COMPANY"] == "Renamed While Paging"


def test_a_deleted_customer_leaves_after_a_full_scan(world):
    """A full scan that no longer finds a record takes its member off as the policy says for inactive ones, once."""
    keys = [world.erp.add_customer(f"c{number}@harbor-pumps.com") for number in range(3)]
    world.run(streams=["customers"])
    world.erp.remove(keys[1])

    report = world.run(streams=["customers"], full=True)
    before = len(world.writes)
    world.run(streams=["customers"], full=True)

    assert report.ok, str(report)
    assert ["subscribed", "unsubscribed", "subscribed"] == [world.status(f"c{n}@harbor-pumps.com") for n in range(3)]
    assert world.writes[before:] == []


def test_a_scan_that_finds_too_little_takes_nobody_off(world):
    """When many members at once have no record any more, nobody leaves, and the report says why."""
    keys = [world.erp.add_customer(f"c{number}@harbor-pumps.com") for number in range(30)]
    world.run(streams=["customers"])
    for key in keys[:20]:
        world.erp.remove(key)

    report = world.run(streams=["customers"], full=True)
    believed = world.run(streams=["customers"], full=True, policy=SyncPolicy(most_leaving=1.0))

    assert "20 of 30 members" in report.streams["customers"].error
    assert not report.ok
    assert believed.ok
    assert 10 == sum(member.status == "subscribed" for member in world.mailchimp.members.values())


def test_an_heir_takes_over_from_a_deleted_record(world):
    """When the owner of a shared address is deleted, the next record speaks for the member, and nobody is taken off."""
    first = world.erp.add_customer("shared@harbor-pumps.com", name="First")
    second = world.erp.add_customer("shared@harbor-pumps.com", name="Second")
    world.run(streams=["customers"])
    world.erp.remove(first)

    world.run(streams=["customers"], full=True)

    member = world.mailchimp.members["shared@harbor-pumps.com"]
    assert ("subscribed", second) == (member.status, member.merge_fields["ERPID"])


def test_an_edit_of_the_same_day_after_a_poll_is_found(world):
    """Edits later on the day of a poll reach the audience with the next ones, however coarse the ERP's stamps are."""
    key = world.erp.add_customer("busy@harbor-pumps.com", name="At First")
    world.erp.add_customer("other@harbor-pumps.com")
    world.run(streams=["customers"], later=1)
    for name in ("Edited Once", "Edited Twice"):
        world.erp.rename(key, name)

        report = world.run(streams=["customers"], later=1)

        assert report.streams["customers"].updated == 1
        assert world.mailchimp.members["busy@harbor-pumps.com"].merge_fields["COMPANY"] == name


def test_a_customer_on_hold_stays_in_the_audience(world):
    """Being on hold is a matter of credit, not of consent: the member stays, and its data are kept right."""
    key = world.erp.add_customer("held@harbor-pumps.com", name="Before")
    world.run(streams=["customers"])
    world.erp.put_on_hold(key)
    world.erp.rename(key, "While Held")

    world.run(streams=["customers"])

    assert world.status("held@harbor-pumps.com") == "subscribed"
    assert world.mailchimp.members["held@harbor-pumps.com"].merge_fields["COMPANY"] == "While Held"


def test_a_wrong_password_ends_the_run_and_shows_in_the_check(world):
    """A refused password stops the run before anything is written, and is one line of the check with its cure."""
    world.erp.add_customer("safe@harbor-pumps.com")
    with world.engine(source=world.erp.source(password="wrong")) as engine:
        troubles = [row for row in engine.check() if not row.ok]
    with pytest.raises(AuthenticationError):
        world.run(source=world.erp.source(password="wrong"))

    assert troubles
    assert all(row.cure and "wrong" not in f"{row.detail} {row.cure}".replace("is wrong", "") for row in troubles)
    assert world.mailchimp.members == {}
