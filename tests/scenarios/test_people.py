"""Customers, contacts and suppliers on their way to the audience."""

from __future__ import annotations

import pytest

from mlconnector_sdk import Mapping, MemberMapping, SyncPolicy
from tests.scenarios._worlds import World


@pytest.fixture
def world(each_world) -> World:
    """These stories hold for every ERP."""
    return each_world


def assert_adds_up(report) -> None:
    """Hold every stream to its balance."""
    for stream in report.streams.values():
        assert stream.read == stream.created + stream.updated + stream.unchanged + stream.skipped + stream.dead


def test_first_load_makes_a_member_of_everybody_with_an_address(world):
    """Customers, contacts and suppliers become members, keyed by address, with the ERP number in a merge field."""
    customer = world.erp.add_customer("Office@Harbor-Pumps.com ", name="Harbor Pumps")
    world.erp.add_contact("mary@harbor-pumps.com", account=customer, first="Mary", last="Hara")
    world.erp.add_supplier("sales@quillpaper.com")

    report = world.run(streams=world.people)

    assert report.ok, str(report)
    suppliers = {"sales@quillpaper.com": "transactional"} if "suppliers" in world.people else {}
    assert {"office@harbor-pumps.com", "mary@harbor-pumps.com", *suppliers} == set(world.mailchimp.members)
    assert world.mailchimp.members["office@harbor-pumps.com"].merge_fields["ERPID"] == customer
    assert world.mailchimp.members["mary@harbor-pumps.com"].merge_fields["FNAME"] == "Mary"
    assert suppliers == {email: world.status(email) for email in suppliers}
    assert_adds_up(report)


def test_unchanged_data_cause_no_write(world):
    """A second run over unchanged data makes no write call, even when it reads everything again."""
    for number in range(120):
        world.erp.add_customer(f"c{number}@harbor-pumps.com", name=f"Customer {number}")
    world.run(streams=world.people)
    before = len(world.writes)

    report = world.run(streams=world.people, full=True)

    assert report.streams["customers"].unchanged == 120
    assert world.writes[before:] == []


def test_members_travel_in_bulk(world):
    """Two thousand new customers need few member calls, never one per customer."""
    for number in range(2000):
        world.erp.add_customer(f"c{number}@harbor-pumps.com")

    report = world.run(streams=["customers"])

    member_calls = [call for call in world.writes if "/merge-fields" not in call and "/stores" not in call]
    assert report.streams["customers"].created == 2000
    assert len(member_calls) <= 10


def test_only_what_changed_is_sent(world):
    """After a change of one record, one member is written, and the others are not even looked up in Mailchimp."""
    keys = [world.erp.add_customer(f"c{number}@harbor-pumps.com") for number in range(30)]
    world.run(streams=["customers"])
    before = len(world.mailchimp.writes)
    world.clock.advance(minutes=30)
    world.erp.rename(keys[7], "New Name Inc")

    report = world.run(streams=["customers"])

    assert report.streams["customers"].updated == 1
    assert world.mailchimp.members["c7@harbor-pumps.com"].merge_fields["COMPANY"] == "New Name Inc"
    assert len(world.mailchimp.writes) - before <= 2


def test_a_bad_address_is_set_aside_and_replayed_once_mended(world):
    """A record whose address is none becomes a dead letter; the others load; after the cure a replay settles it."""
    good = world.erp.add_customer("good@harbor-pumps.com")
    bad = world.erp.add_customer("no-address-at-all")
    report = world.run(streams=["customers"])

    assert (1, 1) == (report.streams["customers"].created, report.streams["customers"].dead)
    assert not report.ok
    engine = world.engine()
    [letter] = engine.dead_letters()
    assert (bad, "bad_email") == (letter.key, letter.reason)
    assert "no-address" not in letter.message

    world.erp.set_email(bad, "mended@harbor-pumps.com")
    replayed = engine.replay()

    assert replayed.ok, str(replayed)
    assert world.status("mended@harbor-pumps.com") == "subscribed"
    assert list(engine.dead_letters()) == []
    assert ["dead", "created"] == [entry.outcome for entry in engine.audit(source_key=bad)]
    assert ["created"] == [entry.outcome for entry in engine.audit(source_key=good)]


def test_a_replay_falls_back_on_the_payload_that_was_kept(world):
    """A dead letter whose record the ERP has lost is replayed from its own payload."""
    key = world.erp.add_customer("late@harbor-pumps.com")
    world.mailchimp.poison("late@harbor-pumps.com", "fake")
    world.run(streams=["customers"])
    world.erp.remove(key)
    world.mailchimp.cure("late@harbor-pumps.com")

    report = world.engine().replay()

    assert report.streams["customers"].created == 1
    assert world.status("late@harbor-pumps.com") == "subscribed"


def test_a_value_of_the_wrong_type_sets_one_record_aside(world):
    """A merge value that its field cannot hold is a dead letter naming the field, and stops nobody else."""
    world.mailchimp.add_merge_field("LTV", "number")
    mapping = Mapping(members=MemberMapping(merge_fields={"ERPID": "key", "LTV": "name"}))
    world.erp.add_customer("good@harbor-pumps.com", name="12.5")
    bad = world.erp.add_customer("bad@harbor-pumps.com", name="a lot")

    report = world.run(streams=["customers"], mapping=mapping)

    assert {"merge_field_type": 1} == dict(report.streams["customers"].reasons)
    [letter] = world.engine().dead_letters()
    assert bad == letter.key
    assert "LTV" in letter.message
    assert "a lot" not in letter.message
    assert world.status("good@harbor-pumps.com") == "subscribed"


@pytest.mark.parametrize("kind", ["schema", "fake", "server"])
def test_a_poisoned_member_does_not_stop_its_bulk(world, kind):
    """Of a bulk with one member that Mailchimp chokes on, all the others go through."""
    for number in range(300):
        world.erp.add_customer(f"c{number}@harbor-pumps.com")
    world.mailchimp.poison("c123@harbor-pumps.com", kind)

    report = world.run(streams=["customers"])

    assert (299, 1) == (report.streams["customers"].created, report.streams["customers"].dead)
    assert len(world.mailchimp.members) == 299


def test_a_refused_record_is_not_sent_again_until_it_changes(world):
    """A payload that Mailchimp refused is not sent again by later polls; a changed one is."""
    key = world.erp.add_customer("fake@harbor-pumps.com")
    world.mailchimp.poison("fake@harbor-pumps.com", "fake")
    world.run(streams=["customers"])
    before = len(world.writes)

    again = world.run(streams=["customers"], full=True)

    assert again.streams["customers"].dead == 1
    assert world.writes[before:] == []
    world.erp.rename(key, "Changed")
    world.run(streams=["customers"])
    assert len(world.writes) > before


def test_whoever_unsubscribed_stays_unsubscribed(world):
    """A member that left between two runs keeps its status through every later change in the ERP."""
    key = world.erp.add_customer("leaver@harbor-pumps.com")
    world.run(streams=["customers"])
    world.mailchimp.unsubscribe("leaver@harbor-pumps.com")
    world.erp.rename(key, "Still A Customer")

    report = world.run(streams=["customers"])

    assert report.suppressed == 1
    assert world.status("leaver@harbor-pumps.com") == "unsubscribed"
    assert "suppressed" in [entry.outcome for entry in world.engine().audit(source_key=key)]


def test_a_cleaned_member_is_skipped_without_a_call(world):
    """An address that bounced for good is left alone, and counted as skipped with that reason."""
    key = world.erp.add_customer("bounced@harbor-pumps.com")
    world.run(streams=["customers"])
    world.mailchimp.clean("bounced@harbor-pumps.com")
    world.erp.rename(key, "Renamed")
    before = len(world.writes)

    report = world.run(streams=["customers"])

    assert {"cleaned": 1} == dict(report.streams["customers"].reasons)
    assert world.writes[before:] == []


def test_a_forgotten_address_is_never_imported_again(world):
    """An address erased in Mailchimp is skipped, and not tried again."""
    world.mailchimp.forget("gone@harbor-pumps.com")
    key = world.erp.add_customer("gone@harbor-pumps.com")
    first = world.run(streams=["customers"])
    before = len(world.writes)
    world.erp.rename(key, "Try Again")

    second = world.run(streams=["customers"])

    assert {"forgotten": 1} == dict(first.streams["customers"].reasons)
    assert {"forgotten": 1} == dict(second.streams["customers"].reasons)
    assert world.writes[before:] == []


def test_a_changed_address_moves_the_member_with_its_history(world):
    """The member follows the record to its new address and keeps what Mailchimp knows about it."""
    key = world.erp.add_customer("old@harbor-pumps.com")
    world.run(streams=["customers"])
    contact_id = world.mailchimp.members["old@harbor-pumps.com"].contact_id
    world.erp.set_email(key, "new@harbor-pumps.com")

    report = world.run(streams=["customers"])

    assert report.streams["customers"].updated == 1
    assert world.status("old@harbor-pumps.com") is None
    assert world.mailchimp.members["new@harbor-pumps.com"].contact_id == contact_id
    assert [key] == [link.key for link in world.engine().lookup(email="new@harbor-pumps.com")]


def test_an_optout_follows_the_person_to_a_new_address(world):
    """Somebody who unsubscribed is not mailed at a new address either."""
    key = world.erp.add_customer("old@harbor-pumps.com")
    world.run(streams=["customers"])
    world.mailchimp.unsubscribe("old@harbor-pumps.com")
    world.erp.set_email(key, "new@harbor-pumps.com")

    world.run(streams=["customers"])

    assert world.status("new@harbor-pumps.com") == "unsubscribed"


def test_a_shared_address_has_one_stable_owner(world):
    """Of several records with one address the first speaks for the member; the others are linked and reported."""
    first = world.erp.add_customer("shared@harbor-pumps.com", name="First")
    second = world.erp.add_customer("shared@harbor-pumps.com", name="Second")

    report = world.run(streams=["customers"])
    world.erp.rename(second, "Second Again")
    later = world.run(streams=["customers"])

    assert {"shared_address": 1} == dict(report.streams["customers"].reasons)
    assert world.mailchimp.members["shared@harbor-pumps.com"].merge_fields["ERPID"] == first
    assert {"shared_address": 1} == {k: v for k, v in later.streams["customers"].reasons.items() if v}
    assert {first, second} == {link.key for link in world.engine().lookup(email="shared@harbor-pumps.com")}


def test_the_next_record_takes_over_a_shared_address(world):
    """When the owner of a shared address moves away, the next record speaks for the member that stays."""
    first = world.erp.add_customer("shared@harbor-pumps.com", name="First")
    second = world.erp.add_customer("shared@harbor-pumps.com", name="Second")
    world.run(streams=["customers"])
    world.erp.set_email(first, "own@harbor-pumps.com")

    report = world.run(streams=["customers"])

    assert report.ok, str(report)
    assert world.mailchimp.members["own@harbor-pumps.com"].merge_fields["ERPID"] == first
    assert world.mailchimp.members["shared@harbor-pumps.com"].merge_fields["ERPID"] == second
    assert list(world.engine().dead_letters()) == []
    assert_adds_up(report)


def test_an_heir_that_is_gone_passes_the_address_on(world):
    """If the record that should take over has left the ERP, the one after it does."""
    keys = [world.erp.add_customer("shared@harbor-pumps.com", name=f"Number {number}") for number in range(3)]
    world.run(streams=["customers"])
    world.erp.set_email(keys[0], "own@harbor-pumps.com")
    world.erp.remove(keys[1])

    report = world.run(streams=["customers"])

    assert report.ok, str(report)
    assert world.mailchimp.members["shared@harbor-pumps.com"].merge_fields["ERPID"] == keys[2]
    assert list(world.engine().dead_letters()) == []


def test_an_inactive_customer_is_unsubscribed_and_stays_so(world):
    """By default the member of an inactive customer is unsubscribed, once, and does not come back by itself."""
    key = world.erp.add_customer("idle@harbor-pumps.com")
    never = world.erp.add_customer("never@harbor-pumps.com", inactive=True)
    world.run(streams=["customers"])
    world.erp.deactivate(key)
    world.run(streams=["customers"])
    assert world.status("idle@harbor-pumps.com") == "unsubscribed"
    assert world.status("never@harbor-pumps.com") is None
    before = len(world.writes)

    world.run(streams=["customers"], full=True)

    assert world.writes[before:] == []
    world.erp.activate(key)
    world.run(streams=["customers"])
    assert world.status("idle@harbor-pumps.com") == "unsubscribed"
    assert never


def test_what_this_sync_took_off_may_come_back_if_the_policy_says_so(world):
    """With `reactivated="resubscribe"` a member comes back, unless the contact left by their own hand meanwhile."""
    policy = SyncPolicy(reactivated="resubscribe")
    back = world.erp.add_customer("back@harbor-pumps.com")
    own = world.erp.add_customer("own-will@harbor-pumps.com")
    world.run(streams=["customers"], policy=policy)
    for key in (back, own):
        world.erp.deactivate(key)
    world.run(streams=["customers"], policy=policy)
    world.mailchimp.unsubscribe("own-will@harbor-pumps.com")
    for key in (back, own):
        world.erp.activate(key)

    world.run(streams=["customers"], policy=policy)

    assert world.status("back@harbor-pumps.com") == "subscribed"
    assert world.status("own-will@harbor-pumps.com") == "unsubscribed"


@pytest.mark.parametrize(
    ("inactive", "status"), [("archive", "archived"), ("tag", "subscribed"), ("ignore", "subscribed")]
)
def test_the_policy_decides_what_becomes_of_inactive_customers(world, inactive, status):
    """Archived, tagged or left alone, as the policy says."""
    policy = SyncPolicy(inactive=inactive)
    key = world.erp.add_customer("idle@harbor-pumps.com")
    world.run(streams=["customers"], policy=policy)
    world.erp.deactivate(key)

    world.run(streams=["customers"], policy=policy)

    assert world.status("idle@harbor-pumps.com") == status
    assert (inactive == "tag") == ("Inactive" in world.mailchimp.members["idle@harbor-pumps.com"].tags)


def test_an_optout_in_the_erp_is_honoured(world):
    """A do-not-mail flag unsubscribes a member, and never makes a member of somebody who is none."""
    known = world.erp.add_contact("known@harbor-pumps.com")
    world.erp.add_contact("unknown@harbor-pumps.com", opted_out=True)
    world.mailchimp.add_member("elsewhere@harbor-pumps.com")
    world.erp.add_contact("elsewhere@harbor-pumps.com", opted_out=True)
    world.run(streams=["contacts"])
    world.erp.opt_out(known)

    world.run(streams=["contacts"])

    assert world.status("known@harbor-pumps.com") == "unsubscribed"
    assert world.status("elsewhere@harbor-pumps.com") == "unsubscribed"
    assert world.status("unknown@harbor-pumps.com") is None


def test_what_is_not_ours_stays_as_it_is(world):
    """Merge fields and tags that nobody mapped keep their values through first load and update."""
    world.mailchimp.add_merge_field("NOTE", "text")
    world.mailchimp.add_member("kept@harbor-pumps.com", merge_fields={"NOTE": "likes boats"}, tags=["VIP"])
    key = world.erp.add_customer("kept@harbor-pumps.com")
    mapping = Mapping(members=MemberMapping(tags=["ERP"]))
    world.run(streams=["customers"], mapping=mapping)
    world.erp.rename(key, "Renamed")

    world.run(streams=["customers"], mapping=mapping)

    member = world.mailchimp.members["kept@harbor-pumps.com"]
    assert member.merge_fields["NOTE"] == "likes boats"
    assert {"VIP", "ERP"} <= set(member.tags)


def test_a_tag_of_ours_goes_when_its_value_changes(world):
    """A tag made from a field is switched off when the field changes; a tag of others is not."""
    mapping = Mapping(members=MemberMapping(tags=["name:{name}"]))
    key = world.erp.add_customer("tagged@harbor-pumps.com", name="Retail")
    world.run(streams=["customers"], mapping=mapping)
    world.mailchimp.members["tagged@harbor-pumps.com"].tags.append("VIP")
    world.erp.rename(key, "Trade")

    world.run(streams=["customers"], mapping=mapping)

    assert ["VIP", "name:Trade"] == sorted(world.mailchimp.members["tagged@harbor-pumps.com"].tags)


@pytest.mark.parametrize("first", ["opted out", "not opted out"])
def test_an_optout_holds_for_a_shared_address(world, first):
    """Of two records with one address, one opted out: nobody is mailed there, whichever is met first."""
    for flag in [True, False] if first == "opted out" else [False, True]:
        world.erp.add_contact("shared@harbor-pumps.com", opted_out=flag)

    world.run(streams=["contacts"])
    world.run(streams=["contacts"], full=True)

    assert world.status("shared@harbor-pumps.com") in {None, "unsubscribed"}


def test_unsubscribes_can_be_only_noted(world):
    """With `on_unsubscribe="log"` an unsubscribe is in the audit and not in the suppressions; a bounce is in both."""
    policy = SyncPolicy(on_unsubscribe="log")
    left, bounced = (world.erp.add_customer(f"{name}@harbor-pumps.com") for name in ("left", "bounced"))
    world.run(streams=["customers"], policy=policy)
    world.mailchimp.unsubscribe("left@harbor-pumps.com")
    world.mailchimp.clean("bounced@harbor-pumps.com")

    report = world.run(streams=["customers"], policy=policy)

    assert report.suppressed == 2
    assert {"bounced@harbor-pumps.com"} == set(
        world.state.suppressions("acme", ["left@harbor-pumps.com", "bounced@harbor-pumps.com"])
    )
    for key in (left, bounced):
        assert "suppressed" in [entry.outcome for entry in world.engine().audit(source_key=key)]
