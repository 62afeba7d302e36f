"""A person asks to be forgotten."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta
from pathlib import Path

import attrs
import pytest

from mlconnector_sdk import Mapping, MemberMapping, SQLiteStateStore, SyncPolicy, parse_webhook
from mlconnector_sdk.errors import ConfigurationError, LeaseHeldError, MLConnectorError, StateError
from mlconnector_sdk.models import Checkpoint, DeadLetter, Erasure
from mlconnector_sdk.retry import RetryPolicy
from tests.scenarios._worlds import World

PAT, OTHER = "pat@harbor-pumps.com", "bob@quillpaper.com"
WHY = "request 4711"


@pytest.fixture(name="file")
def _file(tmp_path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture(name="world")
def _world(file):
    """A world whose state is a file that can be searched."""
    with World(state=SQLiteStateStore(file)) as world:
        yield world


@pytest.fixture(name="keys")
def _keys(world) -> tuple[str, str]:
    """Two customers with orders; whoever is to be forgotten unsubscribed before."""
    keys = world.erp.add_customer(PAT), world.erp.add_customer(OTHER)
    for key in (*keys, keys[0]):
        world.erp.add_order(key)
    world.clock.advance(hours=1)
    world.run()
    world.mailchimp.unsubscribe(PAT)
    world.run()
    return keys


def erase(world: World, email: str = PAT, **settings: object) -> Erasure:
    """Erase with an engine of its own."""
    with world.engine(**settings) as engine:
        return engine.erase(email, reason=WHY, wait=0)


def everything_in(file: Path) -> str:
    """All that the state's tables hold, as text in lower case."""
    with sqlite3.connect(file) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [row for table in tables for row in connection.execute(f"SELECT * FROM {table}")]
    connection.close()
    return json.dumps(rows, default=str).lower()


def test_nothing_that_can_be_read_is_left_of_a_person(world, file, keys):
    """Member, store customer and orders are deleted, the address is nowhere in the state, and others keep theirs."""
    assert PAT in everything_in(file)

    erasure = erase(world, " Pat@Harbor-Pumps.com ")

    counts = {"members": 1, "store_customers": 1, "orders": 2, "dead_letters": 0, "notes": 0}
    assert counts == {name: getattr(erasure, name) for name in counts}
    assert 4 == erasure.records  # the customer, two orders, and the customer of the store
    assert PAT not in everything_in(file)
    assert OTHER in everything_in(file)
    assert {PAT} == world.mailchimp.forgotten
    assert {OTHER} == {customer["email_address"] for customer in world.mailchimp.customers.values()}
    assert 1 == len(world.mailchimp.orders)
    assert PAT not in f"{erasure} {erasure!r}"


def test_whoever_was_erased_is_not_imported_again(world, file, keys):
    """The ERP still has the record: it is skipped, its orders too, and its address does not come back to the state."""
    erase(world)
    world.clock.advance(minutes=30)
    world.erp.rename(keys[0], "Renamed")
    world.erp.add_order(keys[0])
    world.clock.advance(hours=1)
    before = len(world.writes)

    report = world.run(full=True)
    again = world.run(full=True)

    assert report.ok
    assert {"erased": 1} == dict(report.streams["customers"].reasons)
    assert {"customer_erased": 3} == dict(report.streams["orders"].reasons)
    assert before == len(world.writes)
    assert again.streams["customers"].counts == report.streams["customers"].counts
    assert PAT not in everything_in(file)
    assert {OTHER} == set(world.mailchimp.members)


@pytest.mark.parametrize("change", ["opt_out", "new record", "new address", "contact"])
def test_no_way_leads_back(world, file, keys, change):
    """Neither another record with the address, nor another address of the record, brings the person back."""
    erase(world)
    world.clock.advance(minutes=30)
    match change:
        case "opt_out":
            world.erp.add_contact(PAT, opted_out=True)
        case "new record":
            world.erp.add_customer(PAT)
        case "new address":
            world.erp.set_email(keys[0], "pat@quillpaper.com")
        case "contact":
            world.erp.add_contact(PAT)

    world.run(full=True)

    assert {OTHER} == set(world.mailchimp.members)
    assert PAT not in everything_in(file)


def test_a_late_webhook_does_not_write_the_address_down_again(world, file, keys):
    """What Mailchimp tells of a person after the erasure is heard and leaves no trace."""
    erase(world)
    delivery = world.mailchimp.deliveries.make("https://hooks.acme.org", "unsubscribe", PAT, secret="s")
    events = parse_webhook(delivery.headers, delivery.body, secret="s", now=world.clock())
    moved = attrs.evolve(events[0], kind="upemail", previous_address=OTHER, receipt="r2")

    with world.engine() as engine:
        engine.handle([*events, moved], wait=0)

    assert PAT not in everything_in(file)
    assert "erased" == world.state.suppressions("acme", [PAT])[PAT].reason


def test_records_that_were_set_aside_lose_what_they_hold(world, file, keys):
    """Dead letters of the person are removed; one of somebody else that names the person loses its payload."""
    mapping = Mapping(members=MemberMapping(merge_fields={"FNAME": lambda record: 1 / (record.key != keys[0])}))
    world.clock.advance(minutes=30)
    world.erp.rename(keys[0], "Renamed")
    world.run(streams=["customers"], mapping=mapping)
    letter = DeadLetter(
        stream="customers",
        key="C9",
        reason="rejected",
        message="refused",
        payload={"Email": "other@third.org", "Cc": [f"<{PAT.upper()}>"]},
        first_at=world.clock(),
        last_at=world.clock(),
        job_id="job",
    )
    near = attrs.evolve(letter, key="C8", payload={"Email": f"x{PAT}"})
    lease = world.state.acquire("acme", "test", now=world.clock(), duration=timedelta(minutes=1))
    world.state.commit(Checkpoint(pipeline="acme", job_id="job", dead_letters=(letter, near)), lease)
    world.state.release(lease)
    assert {keys[0], "C8", "C9"} == {d.key for d in world.state.dead_letters("acme")}

    erasure = erase(world)

    left = {d.key: d for d in world.state.dead_letters("acme")}
    assert {"C8", "C9"} == set(left)
    assert ({}, {"Email": f"x{PAT}"}) == (left["C9"].payload, left["C8"].payload)
    assert "replay" in left["C9"].message
    assert 2 == erasure.dead_letters
    assert PAT not in everything_in(file).replace(f"x{PAT}", "")


def test_what_was_said_of_the_records_is_taken_back(world, keys):
    """The audit keeps what was done, with the reason of the erasure at its end, and no messages."""
    world.mailchimp.poison(PAT, "server")
    world.clock.advance(minutes=30)
    world.erp.rename(keys[0], "Renamed")
    world.run(streams=["customers"])
    said = [entry.message for entry in world.state.audit("acme", key=keys[0])]
    world.mailchimp.cure(PAT)

    erase(world)

    entries = list(world.state.audit("acme", stream="customers", key=keys[0]))
    assert any(said)
    assert {""} == {entry.message for entry in entries}
    assert ("erased", WHY) == (entries[-1].outcome, entries[-1].reason)


def test_a_repeat_finds_nothing_left(world, file, keys):
    """Erasing somebody twice, or a stranger, changes nothing more."""
    assert erase(world).found
    before = world.mailchimp.snapshot()

    again, stranger = erase(world), erase(world, "stranger@quillpaper.com")

    assert not again.found
    assert not stranger.found
    assert before == world.mailchimp.snapshot()
    world.erp.add_customer("stranger@quillpaper.com")
    world.run(streams=["customers"])
    assert world.status("stranger@quillpaper.com") is None


class Crashing:
    """A state that breaks at one commit, as if the process had died there."""

    def __init__(self, state: SQLiteStateStore, *, at: int) -> None:
        self._state, self._left = state, at

    def __getattr__(self, name):
        return getattr(self._state, name)

    def commit(self, checkpoint, lease) -> None:
        self._left -= 1
        if self._left < 0:
            raise StateError("the disk is gone")
        self._state.commit(checkpoint, lease)

    def close(self) -> None:
        """The state behind it stays open."""


@pytest.mark.parametrize("at", range(8))
def test_an_erasure_that_broke_off_is_completed_by_its_repeat(world, file, keys, at):
    """Wherever the state fails: after the repeat everything is as after an undisturbed erasure."""
    world.erp.add_contact("broken")
    world.run(streams=["contacts"])
    try:
        erase(world, state=Crashing(world.state, at=at))
    except StateError:
        pass
    else:
        assert at > 4, "an erasure has at least so many commits"

    erase(world)

    assert PAT not in everything_in(file)
    assert {OTHER} == set(world.mailchimp.members)
    assert 1 == len(world.mailchimp.orders)
    assert world.run(full=True).streams["customers"].reasons == {"erased": 1}
    assert PAT not in everything_in(file)


@pytest.mark.parametrize("path", ["/delete-permanent", "/customers/", "/orders/"])
def test_what_mailchimp_could_not_delete_is_deleted_by_a_repeat(world, file, keys, path):
    """Mailchimp fails half-way: the address is suppressed already, and nothing is forgotten about what is left."""
    world.mailchimp.fail(status=500, body={"title": "Internal Server Error", "status": 500}, path=path)
    with pytest.raises(MLConnectorError):
        erase(world, sink=world.sink(retry=RetryPolicy.immediate(attempts=1)))
    assert "erased" == world.state.suppressions("acme", [PAT])[PAT].reason
    world.mailchimp.faults.clear()

    assert erase(world).found

    assert PAT not in everything_in(file)
    assert {OTHER} == set(world.mailchimp.members)
    assert {OTHER} == {customer["email_address"] for customer in world.mailchimp.customers.values()}


@pytest.mark.parametrize("address", [PAT, "pat@new.org"])
def test_every_address_the_person_is_known_under_goes(world, file, keys, address):
    """Who changed their address in Mailchimp is erased under both, whichever of the two is named."""
    world.mailchimp.audience.change_address(world.mailchimp.members[PAT], "pat@new.org")
    delivery = world.mailchimp.deliveries.make("https://h.org", "upemail", "pat@new.org", secret="s", old_email=PAT)
    with world.engine() as engine:
        engine.handle(parse_webhook(delivery.headers, delivery.body, secret="s", now=world.clock()), wait=0)

    erasure = erase(world, address)
    world.run(full=True)

    assert 1 == erasure.notes
    assert {OTHER} == set(world.mailchimp.members)
    for one in (PAT, "pat@new.org"):
        assert one not in everything_in(file)


def test_everybody_at_a_shared_address_goes(world, file, keys):
    """An address is one person: all records behind it lose it, and none takes over."""
    world.erp.add_customer(PAT)
    world.run()

    erase(world)
    report = world.run(full=True)

    assert {"erased": 2} == dict(report.streams["customers"].reasons)
    assert {OTHER} == set(world.mailchimp.members)


def test_a_plan_knows_who_was_erased(world, keys):
    """A plan foretells that nobody who was erased comes back."""
    erase(world)
    world.clock.advance(minutes=30)

    with world.engine() as engine:
        plan = engine.plan(full=True)

    assert {"erased": 1} == dict(plan.streams["customers"].reasons)


@pytest.mark.parametrize(("email", "reason"), [("nobody", WHY), (PAT, " "), (PAT, f"on behalf of {PAT}")])
def test_what_cannot_be_carried_out_is_refused_before_anything_is_done(world, keys, email, reason):
    """No address, no reason, or a reason that would write the address down again."""
    before = len(world.mailchimp.log)
    with world.engine() as engine, pytest.raises(ConfigurationError) as caught:
        engine.erase(email, reason=reason)

    assert before == len(world.mailchimp.log)
    assert PAT not in str(caught.value)


def test_an_erasure_waits_its_turn(world, keys):
    """While a run is under way nothing is erased, and the caller is told."""
    world.state.acquire("acme", "somebody", now=world.clock(), duration=timedelta(hours=1))

    with pytest.raises(LeaseHeldError):
        erase(world)

    assert PAT in world.mailchimp.members


def test_flags_that_wait_are_dropped(world, file, keys):
    """A flag that the ERP has not taken names the address, and is not told any more."""
    letter = DeadLetter(
        stream="flags",
        key=f"customers/{keys[0]}",
        reason="locked",
        message="in use",
        payload={"stream": "customers", "key": keys[0], "address": PAT},
        first_at=world.clock(),
        last_at=world.clock(),
        job_id="job",
    )
    lease = world.state.acquire("acme", "test", now=world.clock(), duration=timedelta(minutes=1))
    world.state.commit(Checkpoint(pipeline="acme", job_id="job", dead_letters=(letter,)), lease)
    world.state.release(lease)

    erase(world, policy=SyncPolicy(on_unsubscribe="suppress"))

    assert [] == list(world.state.dead_letters("acme"))
    assert PAT not in everything_in(file)


def test_whom_the_erp_erased_is_not_kept_either(file):
    """Where the ERP makes a person unreadable, the state forgets the address with the next run, and what was said."""
    with World("sage100 agent", state=SQLiteStateStore(file)) as world:
        key = world.erp.add_customer(PAT)
        world.erp.add_contact(OTHER, account=key)
        world.run(streams=["customers", "contacts"])
        world.erp.fake.encrypt_pii(key)

        world.run(streams=["customers", "contacts"])

        assert {PAT, OTHER} == world.mailchimp.forgotten
        assert "erased" == world.state.suppressions("acme", [PAT])[PAT].reason
        for address in (PAT, OTHER):
            assert address not in everything_in(file)
