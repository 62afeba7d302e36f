"""Records that are as they were are not decided again, unless something else has changed that they depend on."""

from __future__ import annotations

import pytest

from mlconnector_sdk import Mapping, MemberMapping, SyncPolicy
from mlconnector_sdk.mapping import MemberMapper
from tests.scenarios._worlds import World


@pytest.fixture
def world(each_world) -> World:
    """These stories hold for every ERP."""
    return each_world


@pytest.fixture(name="mapped")
def _mapped(monkeypatch) -> list[str]:
    """The keys of the records that were mapped, in their order."""
    keys: list[str] = []
    payload = MemberMapper.payload

    def noted(self, party, *args, **options):
        keys.append(party.key)
        return payload(self, party, *args, **options)

    monkeypatch.setattr(MemberMapper, "payload", noted)
    return keys


def test_what_is_as_it_was_is_not_even_mapped(world, mapped):
    """A second run, and all after it, map none of the records that have not changed, and count them all the same."""
    for number in range(20):
        world.erp.add_customer(f"c{number}@harbor-pumps.com" if number else None)
    world.run(streams=["customers"])
    assert 19 == len(mapped)

    report = world.run(streams=["customers"], full=True).streams["customers"]

    assert 19 == len(mapped)
    assert (20, 19, 1) == (report.read, report.unchanged, report.skipped)
    assert {"no_email": 1} == report.reasons


def test_what_changed_is_told_from_what_did_not(world, mapped):
    """Among hundreds the one record that changed is mapped and written."""
    keys = [world.erp.add_customer(f"c{number}@harbor-pumps.com") for number in range(30)]
    world.run(streams=["customers"])
    mapped.clear()
    world.erp.rename(keys[7], "New Name Ltd")

    report = world.run(streams=["customers"], full=True).streams["customers"]

    assert [keys[7]] == mapped
    assert (1, 29) == (report.updated, report.unchanged)


def test_a_change_that_reaches_no_member_is_looked_at_once(world, mapped):
    """A record that changed where no merge field looks is mapped once more, and recognised from then on."""
    key = world.erp.add_customer("ann@harbor-pumps.com", name="Harbor Pumps")
    only_the_key = Mapping(members=MemberMapping(merge_fields={"ERPID": "key"}))
    world.run(streams=["customers"], mapping=only_the_key)
    world.erp.rename(key, "Harbor Pumps and Valves")
    mapped.clear()

    reports = [world.run(streams=["customers"], full=True, mapping=only_the_key) for _ in range(2)]

    assert [1, 1] == [report.streams["customers"].unchanged for report in reports]
    assert [key] == mapped


def test_another_mapping_looks_at_all_again(world):
    """Records that have not changed are written when the mapping wants more of them."""
    world.erp.add_customer("ann@harbor-pumps.com", name="Harbor Pumps")
    world.run(streams=["customers"], mapping=Mapping(members=MemberMapping(merge_fields={"ERPID": "key"})))

    report = world.run(streams=["customers"], full=True)

    assert 1 == report.streams["customers"].updated
    assert "Harbor Pumps" == world.mailchimp.members["ann@harbor-pumps.com"].merge_fields["COMPANY"]


def test_another_policy_looks_at_all_again(world):
    """Inactive customers that were left alone leave once the policy says so, though nothing changed in the ERP."""
    key = world.erp.add_customer("ann@harbor-pumps.com")
    world.run(streams=["customers"])
    world.erp.deactivate(key)
    world.run(streams=["customers"], full=True, policy=SyncPolicy(inactive="ignore"))
    assert "subscribed" == world.status("ann@harbor-pumps.com")

    world.run(streams=["customers"], full=True, policy=SyncPolicy(inactive="unsubscribe"))

    assert "unsubscribed" == world.status("ann@harbor-pumps.com")


def test_functions_of_the_caller_are_asked_each_time(world):
    """What a function answers may depend on anything, so its records are mapped in every run."""
    world.erp.add_customer("ann@harbor-pumps.com")
    answers = iter(["first", "second"])
    mapping = Mapping(members=MemberMapping(merge_fields={"ERPID": "key", "MOOD": lambda _: next(answers)}))
    world.run(streams=["customers"], mapping=mapping)

    report = world.run(streams=["customers"], full=True, mapping=mapping)

    assert 1 == report.streams["customers"].updated
    assert "second" == world.mailchimp.members["ann@harbor-pumps.com"].merge_fields["MOOD"]


def test_an_address_that_becomes_free_is_taken(world):
    """A record that was held off its address is written when the one that spoke for it leaves."""
    first = world.erp.add_customer("office@harbor-pumps.com", name="First")
    second = world.erp.add_customer("office@harbor-pumps.com", name="Second")
    world.run(streams=["customers"])
    world.run(streams=["customers"], full=True)
    world.erp.set_email(first, "other@harbor-pumps.com")

    world.run(streams=["customers"])

    assert second == world.mailchimp.members["office@harbor-pumps.com"].merge_fields["ERPID"]


def test_who_left_and_came_back_is_looked_at_again(world):
    """An unsubscribe is seen although the record is as it was, and so is the return that follows it."""
    world.erp.add_customer("ann@harbor-pumps.com")
    world.run(streams=["customers"])
    world.mailchimp.unsubscribe("ann@harbor-pumps.com")
    world.clock.advance(minutes=5)

    left = world.run(streams=["customers"], full=True).streams["customers"]
    again = world.run(streams=["customers"], full=True).streams["customers"]

    assert [left.unchanged + left.skipped, left.updated] == [1, 0]
    assert left.counts == again.counts
    assert "unsubscribed" == world.status("ann@harbor-pumps.com")
