"""Tags, interests and permissions that follow the ERP, and finding a record's member and back."""

from __future__ import annotations

from typing import Any

import pytest

from mlconnector_sdk import Mapping, MemberMapping, SyncPolicy
from mlconnector_sdk.errors import ConfigurationError
from tests.scenarios._worlds import World

OFFICE = "office@harbor-pumps.com"


def tagging(*tags: Any, **more: Any) -> Mapping:
    """A mapping with these tags."""
    return Mapping(members=MemberMapping(tags=tags, **more))


def set_class(world: World, key: str, group: str) -> None:
    """The customer gets another class in the ERP."""
    world.erp.fake.edit("Customer", key, CustomerClass=group)


def tags_of(world: World, email: str = OFFICE) -> list[str]:
    """The member's tags in order."""
    return sorted(world.mailchimp.members[email].tags)


# Tags


def test_a_tag_follows_the_value_it_is_made_of(world):
    """The old tag goes and the new one comes; a value that is gone leaves no tag; tags by hand stay."""
    mapping = tagging("ERP", "class:{group}")
    key = world.erp.add_customer(OFFICE)
    set_class(world, key, "WEST")
    world.run(streams=["customers"], mapping=mapping)
    world.mailchimp.members[OFFICE].tags += ["VIP", "class:by hand"]
    seen = [tags_of(world)]

    for group in ("EAST", "east", ""):
        set_class(world, key, group)
        world.run(streams=["customers"], mapping=mapping)
        seen.append(tags_of(world))

    assert [
        ["ERP", "VIP", "class:WEST", "class:by hand"],
        ["ERP", "VIP", "class:EAST", "class:by hand"],
        ["ERP", "VIP", "class:EAST", "class:by hand"],
        ["ERP", "VIP", "class:by hand"],
    ] == seen


def test_an_owned_prefix_takes_along_what_an_earlier_import_left(world):
    """With a prefix of its own, the mapping also takes off tags it never put on itself."""
    world.mailchimp.add_member(OFFICE, tags=["class:OLD", "VIP"])
    key = world.erp.add_customer(OFFICE)
    set_class(world, key, "WEST")

    world.run(streams=["customers"], mapping=tagging("class:{group}", owned_prefix="class:"))

    assert ["VIP", "class:WEST"] == tags_of(world)


def test_tags_travel_in_bulk_and_cost_nothing_unchanged(world):
    """New tags go with the members; only tags that must go cost a call each; unchanged ones none."""
    keys = [world.erp.add_customer(f"c{number}@harbor-pumps.com") for number in range(60)]
    mapping = tagging("ERP", "class:{group}")
    for key in keys:
        set_class(world, key, "WEST")
    world.run(streams=["customers"], mapping=mapping)
    assert [] == [call for call in world.writes if call.endswith("/tags")]
    before = len(world.writes)
    for key in keys[:7]:
        set_class(world, key, "EAST")

    world.run(streams=["customers"], mapping=mapping)
    changed = len(world.writes)
    world.run(streams=["customers"], mapping=mapping, full=True)

    assert 7 == len([call for call in world.writes[before:] if call.endswith("/tags")])
    assert len(world.writes) == changed


@pytest.mark.parametrize("crash", ["before", "after"])
def test_a_tag_that_could_not_be_taken_off_goes_later(world, crash):
    """A call for tags that fails sets its member aside; the replay takes off whatever is ours by then."""
    mapping = tagging("class:{group}")
    key = world.erp.add_customer(OFFICE)
    for group in ("WEST", "EAST"):
        set_class(world, key, group)
        if group == "EAST":
            world.mailchimp.fail(status=400, body={"title": "?"}, path="/tags")
        world.run(streams=["customers"], mapping=mapping)
    world.mailchimp.faults.clear()
    if crash == "after":
        set_class(world, key, "NORTH")
        world.run(streams=["customers"], mapping=mapping)

    with world.engine(mapping=mapping) as engine:
        engine.replay()

    assert [{"before": "class:EAST", "after": "class:NORTH"}[crash]] == tags_of(world)


def test_a_record_that_leaves_the_mapping_takes_its_tags_along(world):
    """The member stays as it is, without our tags, once; tags by hand stay."""
    mapping = tagging("ERP", "class:{group}", include=lambda customer: customer.group != "INTERNAL")
    key = world.erp.add_customer(OFFICE)
    world.run(streams=["customers"], mapping=mapping)
    world.mailchimp.members[OFFICE].tags.append("VIP")
    set_class(world, key, "INTERNAL")
    before = len(world.writes)

    report = world.run(streams=["customers"], mapping=mapping)
    world.run(streams=["customers"], mapping=mapping, full=True)

    assert ["VIP"] == tags_of(world)
    assert "subscribed" == world.status(OFFICE)
    assert 1 == len(world.writes) - before
    assert (1, 0) == (report.streams["customers"].updated, report.streams["customers"].skipped)
    assert "excluded" in [entry.reason for entry in world.engine().audit(source_key=key)]


def test_a_record_whose_address_is_cleared_takes_its_tags_along(world):
    """Nobody answers for the tags of a member that has no record any more."""
    key = world.erp.add_customer(OFFICE)
    world.run(streams=["customers"], mapping=tagging("ERP"))
    world.erp.set_email(key, None)

    world.run(streams=["customers"], mapping=tagging("ERP"))

    assert ([], "subscribed") == (tags_of(world), world.status(OFFICE))


def test_an_heir_takes_off_the_tags_of_its_predecessor(world):
    """When another record speaks for a shared address, the member has that record's tags and no others of ours."""
    mapping = tagging("class:{group}")
    first, second = world.erp.add_customer(OFFICE), world.erp.add_customer(OFFICE)
    set_class(world, first, "WEST")
    set_class(world, second, "EAST")
    world.run(streams=["customers"], mapping=mapping)
    assert ["class:WEST"] == tags_of(world)
    world.erp.set_email(first, "own@harbor-pumps.com")

    world.run(streams=["customers"], mapping=mapping)

    assert (["class:EAST"], ["class:WEST"]) == (tags_of(world), tags_of(world, "own@harbor-pumps.com"))


def test_tags_are_not_lost_on_the_way_to_an_heir_that_is_there(world):
    """If the next record has left the ERP, the one after it takes off the tags of the first."""
    mapping = tagging("class:{group}")
    keys = [world.erp.add_customer(OFFICE) for _ in range(3)]
    for key, group in zip(keys, ("WEST", "EAST", "NORTH"), strict=True):
        set_class(world, key, group)
    world.run(streams=["customers"], mapping=mapping)
    world.erp.set_email(keys[0], "own@harbor-pumps.com")
    world.erp.remove(keys[1])

    world.run(streams=["customers"], mapping=mapping)

    assert (["class:NORTH"], [keys[2]]) == (
        tags_of(world),
        [link.key for link in world.engine().lookup(email=OFFICE) if link.owner],
    )


def test_a_customer_that_outranks_a_contact_brings_its_own_tags(world):
    """The contact's tags go with its right to speak for the address."""
    policy = SyncPolicy(shared_email="customer_first")
    mapping = Mapping(members=MemberMapping(tags=["a customer"]), contacts=MemberMapping(tags=["a contact"]))
    world.erp.add_contact(OFFICE)
    world.run(streams=world.people, mapping=mapping, policy=policy)
    assert ["a contact"] == tags_of(world)
    world.erp.add_customer(OFFICE)

    world.run(streams=world.people, mapping=mapping, policy=policy)

    assert ["a customer"] == tags_of(world)


def test_a_moved_member_keeps_its_tags(world):
    """The tags move with the member, and change with it."""
    mapping = tagging("class:{group}")
    key = world.erp.add_customer(OFFICE)
    set_class(world, key, "WEST")
    world.run(streams=["customers"], mapping=mapping)
    world.erp.set_email(key, "new@harbor-pumps.com")
    set_class(world, key, "EAST")

    world.run(streams=["customers"], mapping=mapping)

    assert ["class:EAST"] == tags_of(world, "new@harbor-pumps.com")


# Interests


def test_interests_follow_the_erp_by_their_names(world):
    """An interest is switched on and off by what the record says; one that nobody mapped stays."""
    ids = world.mailchimp.add_interest_category("Trade", ["Retail", "Wholesale", "Export"])
    mapping = Mapping(
        members=MemberMapping(interests={"Trade/Retail": True, "Trade/Wholesale": lambda c: c.group == "WHOLESALE"})
    )
    key = world.erp.add_customer(OFFICE)
    set_class(world, key, "WHOLESALE")
    world.run(streams=["customers"], mapping=mapping)
    member = world.mailchimp.members[OFFICE]
    member.interests[ids["Export"]] = True
    assert {ids["Retail"]: True, ids["Wholesale"]: True, ids["Export"]: True} == member.interests

    set_class(world, key, "OTHER")
    world.run(streams=["customers"], mapping=mapping)

    assert {ids["Retail"]: True, ids["Wholesale"]: False, ids["Export"]: True} == member.interests


def test_a_wrong_name_stops_a_run_before_it_writes(world):
    """The audience's names are asked first, by a plan and by a check as well."""
    world.mailchimp.add_interest_category("Trade", ["Retail"])
    world.erp.add_customer(OFFICE)
    engine = world.engine(mapping=Mapping(members=MemberMapping(interests={"Trade/Retial": True})))

    for attempt in (engine.run, engine.plan):
        with pytest.raises(ConfigurationError, match="it has 'Trade/Retail'"):
            attempt(["customers"])
    assert not engine.check().ok
    assert [] == world.writes


# Marketing permissions

CONSENT = Mapping(members=MemberMapping(permissions={"Email": lambda c: {"YES": True, "NO": False}.get(c.group)}))
"""The customer's class stands for what the customer once signed."""


class Consent:
    """A customer and the permission of its member."""

    def __init__(self, world: World, *, group: str = "YES") -> None:
        self.world = world
        self.permission = world.mailchimp.add_marketing_permission("Email")
        self.key = world.erp.add_customer(OFFICE)
        self.erp_says(group)

    def erp_says(self, group: str, **more: Any) -> Any:
        """The ERP's word changes, and a run carries it over."""
        set_class(self.world, self.key, group)
        return self.world.run(streams=["customers"], mapping=CONSENT, **more)

    @property
    def given(self) -> bool:
        return bool(self.world.mailchimp.members[OFFICE].marketing_permissions.get(self.permission, False))

    def person_says(self, given: bool) -> None:
        """The person ticks or unticks the box in Mailchimp."""
        self.world.mailchimp.members[OFFICE].marketing_permissions[self.permission] = given


def test_a_permission_follows_the_erps_explicit_word(world):
    """Yes gives, no takes, silence changes nothing; what is unchanged costs no call."""
    consent = Consent(world)
    seen = [consent.given]
    for word in ("NO", "", "YES", ""):
        consent.erp_says(word)
        seen.append(consent.given)
    before = len(world.writes)

    world.run(streams=["customers"], mapping=CONSENT, full=True)

    assert [True, False, False, True, True] == seen
    assert len(world.writes) == before


@pytest.mark.parametrize("words", [["YES"], ["NO", "YES"], ["", "YES"], ["NO", "", "NO", "YES"]])
def test_what_a_person_withdrew_is_never_given_back(world, words):
    """Not by another change of the record, and not by the ERP's later yes."""
    consent = Consent(world)
    consent.person_says(given=False)

    for word in words:
        consent.erp_says(word)
        world.erp.rename(consent.key, f"Renamed after {word}")
        world.run(streams=["customers"], mapping=CONSENT)
        assert not consent.given

    [link] = world.engine().lookup(key=consent.key)
    assert (("Email", "withdrawn"),) == link.permissions


def test_a_permission_the_person_gave_again_is_the_erps_to_follow(world):
    """Who withdrew and came back by their own hand is as before."""
    consent = Consent(world)
    consent.person_says(given=False)
    world.erp.rename(consent.key, "Once")
    world.run(streams=["customers"], mapping=CONSENT)
    consent.person_says(given=True)
    world.erp.rename(consent.key, "Twice")
    world.run(streams=["customers"], mapping=CONSENT)
    assert consent.given

    consent.erp_says("NO")

    assert not consent.given


def test_a_permission_given_and_withdrawn_in_mailchimp_alone_is_not_the_erps_to_give(world):
    """What a person gave and took back while the ERP said nothing stays taken back, whatever the ERP says later."""
    consent = Consent(world, group="")
    consent.person_says(given=True)
    world.erp.rename(consent.key, "Once")
    world.run(streams=["customers"], mapping=CONSENT)
    consent.person_says(given=False)

    consent.erp_says("YES")

    assert not consent.given


def test_a_withdrawal_outlasts_leaving_and_coming_back(world):
    """A record that leaves the mapping and returns brings no permission back."""
    consent = Consent(world)
    consent.person_says(given=False)
    world.erp.set_email(consent.key, None)
    world.run(streams=["customers"], mapping=CONSENT)
    world.erp.set_email(consent.key, OFFICE)

    world.run(streams=["customers"], mapping=CONSENT)

    assert not consent.given


@pytest.mark.parametrize("leave", ["unsubscribe", "clean"])
def test_nobody_who_is_suppressed_is_given_a_permission(world, leave):
    """Whoever left hears no yes of the ERP."""
    consent = Consent(world, group="")
    getattr(world.mailchimp, leave)(OFFICE)

    consent.erp_says("YES")

    assert not consent.given


def test_a_permission_is_part_of_a_first_load(world):
    """On an empty audience names show with the first member; new members get the permission their record has."""
    permission = world.mailchimp.add_marketing_permission("Email")
    for number in range(12):
        key = world.erp.add_customer(f"c{number}@harbor-pumps.com")
        set_class(world, key, "YES" if number % 2 else "NO")

    report = world.run(streams=["customers"], mapping=CONSENT)

    assert report.ok, str(report)
    assert {f"c{number}@harbor-pumps.com" for number in range(1, 12, 2)} == {
        email for email, member in world.mailchimp.members.items() if member.marketing_permissions.get(permission)
    }


# Look-up


def test_records_and_members_are_found_from_both_ends(world):
    """A key leads to the member, an address to its records, and the person's own id stays through a move."""
    key = world.erp.add_customer(OFFICE)
    other = world.erp.add_customer(OFFICE)
    world.run(streams=["customers"])
    engine = world.engine()
    [link] = engine.lookup(key=key)
    assert world.mailchimp.members[OFFICE].contact_id == link.contact_id != ""
    assert {key, other} == {found.key for found in engine.lookup(email=" Office@Harbor-Pumps.com ")}
    assert [""] == [found.contact_id for found in engine.lookup(key=other)]
    world.erp.set_email(other, None)
    world.run(streams=["customers"])
    world.erp.set_email(key, "new@harbor-pumps.com")

    world.run(streams=["customers"])

    [moved] = engine.lookup(key=key)
    assert ("new@harbor-pumps.com", link.contact_id) == (moved.address, moved.contact_id)
    assert () == engine.lookup(email=OFFICE)
    assert () == engine.lookup(key="unheard of")


@pytest.mark.parametrize("question", [{}, {"key": "C1", "email": OFFICE}])
def test_a_look_up_goes_one_way(world, question):
    """Exactly one of key and address is asked for."""
    with pytest.raises(ConfigurationError, match="either key= or email="):
        world.engine().lookup(**question)
