"""What becomes of what Mailchimp tells by itself."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta

import attrs
import pytest

from mlconnector_sdk import SyncPolicy, parse_transactional_webhook, parse_webhook
from mlconnector_sdk.errors import AuthenticationError, LeaseHeldError
from mlconnector_sdk.models import WebhookEvent
from mlconnector_sdk.sources.acumatica import Acumatica
from tests.scenarios._worlds import World

PAT, NEW = "pat@harbor-pumps.com", "pat@quillpaper.com"
URL, SECRET = "https://hooks.acme.org/mailchimp", "6e1f9a7c"
TOGETHER = ["customers"]


@pytest.fixture(name="key")
def _key(world) -> str:
    """A customer who is a member."""
    key = world.erp.add_customer(PAT)
    world.run(streams=TOGETHER)
    return key


def told(world: World, kind: str, address: str = PAT, **data: object) -> WebhookEvent:
    """The event that Mailchimp delivers about an address at this moment."""
    delivery = world.mailchimp.deliveries.make(URL, kind, address, secret=SECRET, **data)
    [event] = parse_webhook(delivery.headers, delivery.body, secret=SECRET, now=world.clock())
    return event


def told_by_mandrill(world: World, *events: dict[str, object]) -> list[WebhookEvent]:
    """The events of one delivery of the Transactional API."""
    delivery = world.mailchimp.deliveries.make_transactional(URL, events, key="k")
    return parse_transactional_webhook(URL, delivery.headers, delivery.body, key="k")


def message(world: World, kind: str, address: str = PAT, **rest: object) -> dict[str, object]:
    """One event as Mandrill tells it."""
    return world.mailchimp.deliveries.message_event(kind, address, **rest)


def handle(world: World, *events: WebhookEvent, **settings: object):
    """Hand events to an engine of its own, which does not wait for a run."""
    with world.engine(**settings) as engine:
        return engine.handle(events, wait=0)


def held(world: World, address: str = PAT) -> str:
    """Why an address is suppressed; `""` when it is not."""
    found = world.state.suppressions("acme", [address])
    return found[address].reason if address in found else ""


def outcomes(world: World, key: str) -> list[tuple[str, str]]:
    """What the audit says of a record."""
    return [(e.outcome, e.reason) for e in world.state.audit("acme", key=key)]


# Who left


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("unsubscribe", {}, "unsubscribed"),
        ("unsubscribe", {"reason": "abuse"}, "abuse"),
        ("unsubscribe", {"action": "delete"}, "archived"),
        ("cleaned", {"reason": "hard"}, "cleaned"),
        ("cleaned", {"reason": "abuse"}, "abuse"),
    ],
)
def test_whoever_left_is_suppressed_and_audited(world, key, kind, data, reason):
    """An unsubscribe, a bounce or a complaint silences the address, with an entry for each record behind it."""
    report = handle(world, told(world, kind, **data))

    assert report.ok
    assert (1, 1) == (report.streams["webhooks"].updated, report.suppressed)
    assert reason == held(world)
    assert ("suppressed", reason) == outcomes(world, key)[-1]


@pytest.mark.parametrize(
    ("kind", "message_fields", "reason"),
    [
        ("hard_bounce", {"bounce_description": "bad_mailbox"}, "hard_bounce"),
        ("spam", {}, "spam"),
        ("unsub", {}, "unsubscribed"),
        ("reject", {"reject": {"reason": "hard-bounce"}}, "hard_bounce"),
        ("reject", {}, "rejected"),
        ("reject", {"reject": {"reason": "unsigned"}}, ""),
        ("reject", {"reject": {"reason": "soft-bounce"}}, ""),
        ("open", {}, ""),
    ],
)
def test_mandrill_is_believed_about_recipients(world, key, kind, message_fields, reason):
    """What a recipient's mailbox or hand did silences the address; what the sender did wrong does not."""
    handle(world, *told_by_mandrill(world, message(world, kind, **message_fields)))

    assert reason == held(world)


def test_what_mandrill_says_is_not_lifted_by_the_audience(world, key):
    """A complaint about a transactional mail holds although the member is still subscribed, and data wait as well."""
    handle(world, *told_by_mandrill(world, message(world, "spam")))
    world.mailchimp.audience.touch(world.mailchimp.members[PAT])
    world.clock.advance(minutes=30)
    world.erp.rename(key, "Renamed")

    report = world.run(streams=TOGETHER)

    assert {"spam": 1} == dict(report.streams["customers"].reasons)
    assert "spam" == held(world)


def test_an_inactive_customer_leaves_although_mandrill_silenced_them(world, key):
    """A suppression of the Transactional API says nothing about the audience, where the member is still mailed."""
    handle(world, *told_by_mandrill(world, message(world, "hard_bounce")))
    world.clock.advance(minutes=30)
    world.erp.deactivate(key)

    world.run(streams=TOGETHER)

    assert "unsubscribed" == world.status(PAT)


def test_mandrill_takes_back_what_it_said_itself(world, key):
    """An address taken off Mandrill's list of blocked ones is heard again, unless the audience says otherwise."""
    handle(world, *told_by_mandrill(world, world.mailchimp.deliveries.sync_event(PAT)))
    assert "hard_bounce" == held(world)
    world.clock.advance(minutes=5)
    removed = world.mailchimp.deliveries.sync_event(PAT, action="remove")

    handle(world, *told_by_mandrill(world, removed))
    assert "" == held(world)

    handle(world, told(world, "unsubscribe"))
    world.clock.advance(minutes=5)
    report = handle(world, *told_by_mandrill(world, world.mailchimp.deliveries.sync_event(PAT, action="remove")))
    assert {"not_suppressed": 1} == dict(report.streams["webhooks"].reasons)
    assert "unsubscribed" == held(world)


def test_an_unknown_address_is_suppressed_and_noted(world):
    """Who left before the ERP had their address is not made a member later, and the audit says where that came from."""
    event = told(world, "unsubscribe", "stranger@quillpaper.com")

    handle(world, event)

    [entry] = world.state.audit("acme")
    assert ("webhooks", event.receipt, "suppressed") == (entry.stream, entry.key, entry.outcome)
    assert "unknown address" in entry.message
    assert "stranger" not in entry.message
    world.erp.add_customer("stranger@quillpaper.com")
    world.run(streams=TOGETHER)
    assert "unsubscribed" == world.status("stranger@quillpaper.com")


def test_an_event_is_no_reason_to_write_to_mailchimp(world, key):
    """Taking in events makes no call at all."""
    before = len(world.mailchimp.log)

    handle(world, told(world, "unsubscribe"), told(world, "profile"), told(world, "upemail", NEW, old_email=PAT))

    assert before == len(world.mailchimp.log)


# Once, and in the right order


def test_a_delivery_counts_once(world, key):
    """An event that is delivered again, at once or days later, changes nothing and is not audited twice."""
    event = told(world, "unsubscribe")

    first = handle(world, event, event)
    world.clock.advance(days=2)
    again = handle(world, event)

    assert (1, 1) == (first.streams["webhooks"].updated, first.streams["webhooks"].unchanged)
    assert 1 == again.streams["webhooks"].unchanged
    assert 1 == [outcome for outcome, _ in outcomes(world, key)].count("suppressed")


def test_receipts_are_kept_for_a_week(world, key):
    """What no delivery will need any more is forgotten."""
    handle(world, told(world, "unsubscribe"), told(world, "upemail", NEW, old_email="old@quillpaper.com"))
    world.clock.advance(days=8)

    handle(world, told(world, "profile", "other@quillpaper.com"))

    assert [1, 0] == [len(list(world.state.notes("acme", kind))) for kind in ("receipt", "last_word")]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("last", ["subscribe", "unsubscribe"])
@pytest.mark.parametrize("by_one", [True, False])
def test_the_last_word_counts_whatever_comes_first(world, key, order, last, by_one):
    """Three events of one person in any order, one by one or together, end as they did for the person."""
    other = "unsubscribe" if last == "subscribe" else "subscribe"
    events = []
    for kind in (last, other, last):
        world.clock.advance(minutes=1)
        events.append(told(world, kind))
    shuffled = [events[place] for place in order]

    for some in [[event] for event in shuffled] if by_one else [shuffled]:
        handle(world, *some)

    assert ("" if last == "subscribe" else "unsubscribed") == held(world)


def test_in_the_same_second_whoever_left_has_left(world, key):
    """Of two events that cannot be told apart in time the one that silences counts, in either order."""
    events = [told(world, "subscribe"), told(world, "unsubscribe")]

    for order in (events, events[::-1]):
        handle(world, *(attrs.evolve(event, receipt="") for event in order))
        assert "unsubscribed" == held(world)


def test_an_undated_event_silences_and_lifts_nothing(world, key):
    """Without a time it is not known that somebody came back."""
    handle(world, attrs.evolve(told(world, "unsubscribe"), at=None))
    world.clock.advance(minutes=5)

    report = handle(world, attrs.evolve(told(world, "subscribe"), at=None))

    assert {"undated": 1} == dict(report.streams["webhooks"].reasons)
    assert "unsubscribed" == held(world)


def test_who_came_back_is_not_resubscribed_by_the_sync(world, key):
    """A lifted suppression lets the data flow again; the status stays the person's."""
    world.mailchimp.unsubscribe(PAT)
    handle(world, told(world, "unsubscribe"))
    world.clock.advance(minutes=5)
    handle(world, told(world, "subscribe"))
    world.erp.rename(key, "Renamed")

    world.run(streams=TOGETHER)

    assert ("unsubscribed", "Renamed") == (world.status(PAT), world.mailchimp.members[PAT].merge_fields["COMPANY"])


def test_an_echo_of_our_own_write_is_no_will_of_the_person(world, key):
    """Where a webhook tells what the API did, a member that this sync took off may still come back."""
    policy = SyncPolicy(reactivated="resubscribe")
    world.clock.advance(minutes=30)
    world.erp.deactivate(key)
    world.run(streams=TOGETHER, policy=policy)
    report = handle(world, told(world, "unsubscribe", campaign_id=None), policy=policy)
    assert {"echo": 1} == dict(report.streams["webhooks"].reasons)
    world.erp.activate(key)

    world.run(streams=TOGETHER, policy=policy)

    assert "subscribed" == world.status(PAT)


def test_whoever_leaves_after_they_were_taken_off_does_not_come_back(world, key):
    """An unsubscribe that is no echo outlasts the customer's return."""
    policy = SyncPolicy(reactivated="resubscribe")
    world.clock.advance(minutes=30)
    world.erp.deactivate(key)
    world.run(streams=TOGETHER, policy=policy)
    world.clock.advance(hours=5)
    handle(world, told(world, "unsubscribe"), policy=policy)
    world.erp.activate(key)

    world.run(streams=TOGETHER, policy=policy)

    assert "unsubscribed" == world.status(PAT)


# What is none of our business


def test_what_does_not_concern_this_pipeline_is_counted_and_left(world, key):
    """Another audience, other kinds of events and people deleted for good change nothing."""
    strange = [
        told(world, "unsubscribe", list_id="zzz"),
        told(world, "campaign"),
        told(world, "sms_unsubscribe"),
        attrs.evolve(told(world, "unsubscribe"), address="x1@forgotten.mailchimp.com"),
        attrs.evolve(told(world, "unsubscribe"), address=""),
    ]

    report = handle(world, *strange)

    assert {"other_audience": 1, "other_kind": 2, "no_address": 2} == dict(report.streams["webhooks"].reasons)
    assert report.ok
    assert "" == held(world)


def test_no_events_need_no_lease(world, key):
    """A delivery by which Mailchimp tries an address is answered during a run as well."""
    world.state.acquire("acme", "somebody", now=world.clock(), duration=timedelta(hours=1))

    assert {} == handle(world).streams


def test_a_changed_profile_is_noted_and_nothing_else(world, key):
    """What a person changes about themselves goes into the audit; the ERP stays as it is."""
    report = handle(world, told(world, "profile"))

    assert 1 == report.streams["webhooks"].unchanged
    assert ("noted", "profile") == outcomes(world, key)[-1]


# Who has another address now


def test_a_link_follows_the_person_to_a_new_address(world, key):
    """The record is found by the new address, and a full scan does not move the member back to the ERP's."""
    world.mailchimp.audience.change_address(world.mailchimp.members[PAT], NEW)
    world.mailchimp.audience.touch(world.mailchimp.members[NEW])
    handle(world, told(world, "upemail", NEW, old_email=PAT))
    world.clock.advance(minutes=30)
    world.erp.rename(key, "Renamed")

    world.run(streams=TOGETHER)
    before = len(world.writes)
    world.run(streams=TOGETHER, full=True)

    assert before == len(world.writes)
    assert ("subscribed", None) == (world.status(NEW), world.status(PAT))
    assert "Renamed" == world.mailchimp.members[NEW].merge_fields["COMPANY"]
    assert [key] == [link.key for link in world.engine().lookup(email=NEW)]


def test_the_erp_counts_again_once_its_own_address_changes(world, key):
    """A third address, typed into the ERP, moves the member from where the person had gone."""
    world.mailchimp.audience.change_address(world.mailchimp.members[PAT], NEW)
    handle(world, told(world, "upemail", NEW, old_email=PAT))
    world.clock.advance(minutes=30)
    world.erp.set_email(key, "third@harbor-pumps.com")

    world.run(streams=TOGETHER)

    assert ["third@harbor-pumps.com"] == list(world.mailchimp.members)


def test_a_suppression_follows_to_a_new_address(world, key):
    """Who unsubscribed and then changed their address is silent at both."""
    handle(world, told(world, "unsubscribe"))
    world.clock.advance(minutes=1)

    handle(world, told(world, "upemail", NEW, old_email=PAT))

    assert ("unsubscribed", "unsubscribed") == (held(world), held(world, NEW))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_moves_and_an_unsubscribe_in_any_order(world, key, order):
    """Somebody leaves at their first address and moves twice: they are silent where they are now, and linked there."""
    last = "pat@third.org"
    events = [told(world, "unsubscribe")]
    for old, new in ((PAT, NEW), (NEW, last)):
        world.clock.advance(minutes=1)
        events.append(told(world, "upemail", new, old_email=old))

    for place in order:
        handle(world, events[place])

    assert [key] == [link.key for link in world.engine().lookup(email=last)]
    assert "unsubscribed" == held(world, last)


def test_two_records_do_not_both_speak_for_the_new_address(world, key):
    """Where a record has the new address already, the one that follows shares it."""
    other = world.erp.add_customer(NEW)
    world.run(streams=TOGETHER)

    handle(world, told(world, "upemail", NEW, old_email=PAT))

    links = {link.key: link for link in world.engine().lookup(email=NEW)}
    assert (True, False) == (links[other].owner, links[key].owner)
    assert "shared_address" == links[key].reason


# What the policy says


def test_unsubscribes_can_be_only_noted(world, key):
    """With `on_unsubscribe="log"` an unsubscribe is in the audit alone, a bounce in both."""
    policy = SyncPolicy(on_unsubscribe="log")

    handle(world, told(world, "unsubscribe"), policy=policy)
    assert "" == held(world)
    assert ("suppressed", "unsubscribed") == outcomes(world, key)[-1]

    handle(world, told(world, "cleaned"), policy=policy)
    assert "cleaned" == held(world)


class Flagging(Acumatica):
    """An Acumatica whose customers can be marked, or that lets nobody in."""

    flagged_streams = ("customers",)
    flagged: list[str]
    shut = False

    def flag(self, stream, key, suppression) -> None:
        if type(self).shut:
            raise AuthenticationError("the password is wrong: mend it", system="acumatica")
        type(self).flagged.append(key)


def test_the_erp_is_told(world, key, monkeypatch):
    """With `on_unsubscribe="flag_source"` the record is flagged at once, and the next run does not flag it again."""
    monkeypatch.setattr(Flagging, "flagged", [], raising=False)
    settings = {"policy": SyncPolicy(on_unsubscribe="flag_source")}
    world.mailchimp.unsubscribe(PAT)

    report = handle(world, told(world, "unsubscribe"), source=world.erp.source(kind=Flagging), **settings)
    world.run(streams=TOGETHER, source=world.erp.source(kind=Flagging), **settings)

    assert [key] == Flagging.flagged
    assert 1 == report.streams["flags"].updated


def test_an_erp_that_cannot_be_told_loses_no_event(world, key, monkeypatch):
    """Where the ERP lets nobody in, the address is suppressed and the flag waits for a run."""
    monkeypatch.setattr(Flagging, "flagged", [], raising=False)
    monkeypatch.setattr(Flagging, "shut", True)
    settings = {"policy": SyncPolicy(on_unsubscribe="flag_source")}
    world.mailchimp.clean(PAT)
    report = handle(world, told(world, "cleaned"), source=world.erp.source(kind=Flagging), **settings)
    assert not report.ok
    assert "cleaned" == held(world)
    monkeypatch.setattr(Flagging, "shut", False)

    world.run(streams=TOGETHER, source=world.erp.source(kind=Flagging), **settings)

    assert [key] == Flagging.flagged


# A run under way


def test_an_event_during_a_run_is_refused_and_not_lost(world, key):
    """While a run has the lease the delivery is to come again; then it is taken in as if for the first time."""
    event = told(world, "unsubscribe")
    lease = world.state.acquire("acme", "somebody", now=world.clock(), duration=timedelta(hours=1))
    with pytest.raises(LeaseHeldError) as caught:
        handle(world, event)
    assert caught.value.report.streams == {}
    world.state.release(lease)

    assert 1 == handle(world, event).streams["webhooks"].updated
    assert "unsubscribed" == held(world)


def test_an_event_waits_for_a_run_that_ends_soon(world, key):
    """A run that ends within the wait costs no second delivery."""
    lease = world.state.acquire("acme", "somebody", now=world.clock(), duration=timedelta(hours=1))
    engine, event = world.engine(), told(world, "unsubscribe")
    reports = []
    waiting = threading.Thread(target=lambda: reports.append(engine.handle(event, wait=30)))
    waiting.start()
    world.state.release(lease)
    waiting.join()

    assert [1] == [report.streams["webhooks"].updated for report in reports]
