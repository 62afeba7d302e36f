"""The audit: what it tells of each record is true, it can be taken away, and it does not grow for ever."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from mlconnector_sdk import SQLiteStateStore
from mlconnector_sdk.errors import ConfigurationError
from mlconnector_sdk.models import Pruned
from mlconnector_sdk.testing import Reply
from tests.scenarios._history import OrderHistory
from tests.scenarios._worlds import World
from tests.scenarios.test_backfill import PATIENT, SMALL
from tests.scenarios.test_handle import handle, told


def entry_of(world: World, key: str, stream: str = "customers"):
    """The last that the audit says of a record."""
    return world.engine().audit(source_key=key, stream=stream)[-1]


def watched(world: World, **rule: str) -> list[str]:
    """The request ids of Mailchimp's answers to such requests, as they are given."""
    ids: list[str] = []

    def note(reply: Reply) -> Reply:
        ids.append(reply.headers["X-Request-Id"])
        return reply

    world.mailchimp.fail(alter=note, **rule)
    return ids


def test_members_of_one_call_share_its_request_id(world):
    """Each member's entry has the id of the very call that wrote it: of a bulk call, all of its members the same."""
    world.run(streams=["customers"])  # merge fields are made once
    keys = [world.erp.add_customer(f"c{number}@harbor-pumps.com") for number in range(40)]
    ids = watched(world, method="POST", path="/lists/a1b2c3d4e5")
    report = world.run(streams=["customers"])

    entries = [entry_of(world, key) for key in keys]

    assert 2 == len(set(ids))  # a small call comes first
    assert set(ids) == {entry.request_id for entry in entries}
    assert {(1, report.job_id, world.clock())} == {(e.attempts, e.job_id, e.at) for e in entries}


@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
def test_a_member_written_alone_has_the_id_of_its_write(world, verb):
    """Created or updated by calls of its own, a member's entry has the id of the one that did it."""
    key = world.erp.add_customer("a@harbor-pumps.com")
    if verb == "PATCH":
        world.run(streams=["customers"])
        world.erp.rename(key, "New Name")
    ids = watched(world, method=verb, path="/members/")
    world.run(streams=["customers"])

    assert (ids, 1) == ([entry_of(world, key).request_id], entry_of(world, key).attempts)


@pytest.mark.parametrize("count", [1, 40], ids=["alone", "in bulk"])
def test_repeats_after_faults_are_counted(world, count):
    """A write that Mailchimp took at the third try was sent three times."""
    world.run(streams=["customers"])  # merge fields are made once
    keys = [world.erp.add_customer(f"c{number}@harbor-pumps.com") for number in range(count)]
    if count == 1:
        world.mailchimp.fail_next(503, times=2, method="PUT", path="/members/")
    else:
        world.mailchimp.fail_next(503, times=2, method="POST", path="/lists/a1b2c3d4e5")
    world.run(streams=["customers"])

    attempts = [entry_of(world, key).attempts for key in keys]

    assert 3 == max(attempts)
    assert {1, 3} >= set(attempts)


def test_a_member_that_spoils_a_call_was_sent_more_often_than_it(world):
    """Of a bulk call that was cut up to find one member, each entry counts the calls that had its member."""
    keys = [world.erp.add_customer(f"c{number}@harbor-pumps.com") for number in range(40)]
    world.mailchimp.poison("c17@harbor-pumps.com", "server")
    world.run(streams=["customers"])

    dead, others = entry_of(world, keys[17]), [entry_of(world, key).attempts for key in keys if key != keys[17]]

    assert ("dead", "server_fault") == (dead.outcome, dead.reason)
    assert dead.attempts > max(others) > min(others) == 1


def test_dead_letter_and_audit_tell_the_same(world):
    """Reason, time, job and request id of a refusal are those of Mailchimp's answer, in both places."""
    world.mailchimp.poison("a@harbor-pumps.com", "fake")
    key = world.erp.add_customer("a@harbor-pumps.com")
    ids = watched(world, method="PUT", path="/members/")
    report = world.run(streams=["customers"])

    [letter], entry = world.engine().dead_letters(), entry_of(world, key)

    assert ids == [letter.request_id] == [entry.request_id]
    assert (letter.reason, letter.last_at, report.job_id) == (entry.reason, entry.at, entry.job_id)
    assert (400, 1, 1) == (letter.status_code, letter.attempts, entry.attempts)


def test_what_was_never_sent_counts_the_tries_of_its_record(world):
    """A record that fails before it is sent has no request id, and counts how often it was tried, replays included."""
    key = world.erp.add_customer("none")
    world.run(streams=["customers"])
    engine = world.engine()
    engine.replay()
    engine.replay()

    assert [(1, None), (2, None), (3, None)] == [(e.attempts, e.request_id) for e in engine.audit(source_key=key)]
    assert [3] == [letter.attempts for letter in engine.dead_letters()]


def test_an_order_has_the_id_of_the_call_that_wrote_it(world):
    """Products and customers that an order brings along go by calls of their own; the entry names the order's."""
    key = world.erp.add_order(world.erp.add_customer("a@harbor-pumps.com"))
    ids = watched(world, method="POST", path="/orders")
    world.run()

    entry = entry_of(world, key, "orders")

    assert ([entry.request_id], 1) == (ids, entry.attempts)


def test_orders_of_a_batch_name_the_batch(world):
    """Inside a batch no operation has an id of its own: the entry says in which batch the order was."""
    history = OrderHistory(60)
    world.run(source=history, sink=world.sink(batch_polling=PATIENT, **SMALL))

    entries = [entry for entry in world.engine().audit(stream="orders") if entry.key]

    assert 60 == len(entries)
    assert {f"in batch {batch}" for batch in world.mailchimp.batches} >= {entry.message for entry in entries}
    assert {None} == {entry.request_id for entry in entries}


# Taken away


def test_the_audit_is_written_as_json_lines(world, tmp_path):
    """One object per line, times as ISO 8601 with their zone, in a file that only its owner may read."""
    keys = [world.erp.add_customer(email) for email in ("ä@harbor-pumps.com", "a@harbor-pumps.com")]
    report = world.run(streams=["customers"])
    path = tmp_path / "audit.jsonl"
    engine = world.engine()

    count = engine.export_audit(path, stream="customers")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    assert 2 == count == len(rows)
    assert 0o600 == path.stat().st_mode & 0o777
    assert keys == [row["key"] for row in rows]
    assert {world.clock().astimezone(UTC)} == {datetime.fromisoformat(row["at"]) for row in rows}
    assert {"outcome", "reason", "attempts", "request_id", "job_id", "stream", "message", "replayed"} < set(rows[0])
    assert (
        1 == engine.export_audit(path, source_key=keys[0], job_id=report.job_id) == len(path.read_text().splitlines())
    )


def test_dead_letters_are_written_with_their_payload(world):
    """What was set aside goes into an open file as it was read, money exact and dates as text."""
    world.erp.add_customer("none")
    report = world.run(streams=["customers"])
    file, other = io.StringIO(), io.StringIO()
    engine = world.engine()

    counts = engine.export_dead_letters(file, run=report.job_id), engine.export_dead_letters(other, reason="refused")

    assert (1, 0) == counts
    row = json.loads(file.getvalue())
    assert "none" in json.dumps(row["payload"])
    assert ("bad_email", report.job_id) == (row["reason"], row["first_job_id"])
    assert not file.closed
    assert "" == other.getvalue()


def test_a_file_that_cannot_be_made_is_told(world, tmp_path):
    """A missing directory is named with the cure."""
    with pytest.raises(ConfigurationError, match=r"audit\.jsonl cannot be written .*check the directory"):
        world.engine().export_audit(tmp_path / "nowhere" / "audit.jsonl")


# Pruned


@pytest.mark.parametrize("durable", [False, True], ids=["memory", "sqlite"])
def test_what_is_old_is_pruned(tmp_path, durable):
    """Old entries go and are counted; dead letters, links and suppressions stay, and the next run does nothing."""
    state = SQLiteStateStore(tmp_path / "acme.db") if durable else None
    with World(state=state) as world:
        world.erp.add_customer("a@harbor-pumps.com")
        bad = world.erp.add_customer("none")
        engine = world.engine()
        engine.run(["customers"])
        world.clock.advance(days=90)
        world.erp.add_customer("b@harbor-pumps.com")
        late = engine.run(["customers"])
        before = [list(engine.dead_letters()), engine.lookup(email="a@harbor-pumps.com")]

        pruned = engine.prune(older_than=timedelta(days=60))

        assert Pruned(audit=2) == pruned
        assert {late.job_id} == {entry.job_id for entry in engine.audit()}
        assert before == [list(engine.dead_letters()), engine.lookup(email="a@harbor-pumps.com")]
        assert [bad] == [letter.key for letter in engine.dead_letters()]
        assert Pruned() == engine.prune(older_than=timedelta(days=60))
        writes = len(world.writes)
        assert 0 == engine.run(["customers"], full=True).streams["customers"].updated
        assert [] == world.writes[writes:]


def test_notes_of_deliveries_are_kept_for_a_week(world):
    """However short the span, a delivery that comes again within a week is known; afterwards its notes go."""
    world.erp.add_customer("pat@harbor-pumps.com")
    world.run(streams=["customers"])
    event = told(world, "unsubscribe", "pat@harbor-pumps.com")
    handle(world, event)
    engine = world.engine()

    world.clock.advance(days=3)
    early = engine.prune(older_than=timedelta(days=1))
    again = handle(world, event)
    world.clock.advance(days=8)
    late = engine.prune(older_than=86400.0)

    assert (0, 1) == (early.notes, again.streams["webhooks"].unchanged)
    assert 2 == late.notes  # the receipt, and the last word on the address
    assert "unsubscribed" == world.state.suppressions("acme", ["pat@harbor-pumps.com"])["pat@harbor-pumps.com"].reason


def test_pruning_goes_on_beside_a_run(world):
    """It needs no lease: a run under way neither stops it nor notices it."""
    world.erp.add_customer("a@harbor-pumps.com")
    world.run(streams=["customers"])
    world.clock.advance(days=90)
    world.erp.add_customer("b@harbor-pumps.com")
    pruned: list[Pruned] = []
    engine = world.engine()

    def prune(_: object) -> None:
        if not pruned:
            pruned.append(engine.prune(older_than=timedelta(days=60)))

    world.mailchimp.before_each.append(prune)

    assert engine.run(["customers"]).ok
    assert [1] == [some.audit for some in pruned]


@pytest.mark.parametrize("span", [timedelta(hours=1), 3600, timedelta(days=-1)])
def test_a_span_below_a_day_is_refused(world, span):
    """A slip of the unit must not empty the audit."""
    with pytest.raises(ConfigurationError, match="older_than"):
        world.engine().prune(older_than=span)
