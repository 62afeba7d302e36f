"""What was set aside, or named, is loaded again: by record, reason, run and time, with fresh data where there are."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs
import pytest

from mlconnector_sdk import SQLiteStateStore
from mlconnector_sdk.credentials import KeyRing
from mlconnector_sdk.errors import ConfigurationError, VaultError
from mlconnector_sdk.models import Checkpoint
from tests.scenarios._worlds import World

HOUR = timedelta(hours=1)


@pytest.fixture(name="aside")
def _aside(world):
    """Two customers set aside by two runs an hour apart, both mended since; as (world, keys, reports)."""
    keys, reports = [], []
    for name in ("ann", "bob"):
        keys.append(world.erp.add_customer(f"{name} has none"))
        reports.append(world.run(streams=["customers"]))
    for key, name in zip(keys, ("ann", "bob"), strict=True):
        world.erp.set_email(key, f"{name}@harbor-pumps.com")
    return world, keys, reports


def left(world: World) -> list[str]:
    """The keys of what is still set aside."""
    return [letter.key for letter in world.engine().dead_letters()]


def test_what_one_run_set_aside_is_replayed(aside):
    """By its job id, a run's own dead letters are loaded again and no others."""
    world, keys, reports = aside

    report = world.engine().replay(run=reports[0].job_id)

    assert (1, keys[1:]) == (report.streams["customers"].created, left(world))
    assert not world.engine().replay(run="no such job").streams


def test_a_failed_replay_does_not_hide_who_set_it_aside(world):
    """A record that fails again is found by the run that first set it aside, and by the replay that tried it last."""
    key = world.erp.add_customer("still none")
    first = world.run(streams=["customers"])
    world.clock.advance(hours=1)
    again = world.engine().replay()

    [letter] = world.engine().dead_letters()
    assert (2, first.job_id, again.job_id) == (letter.attempts, letter.first_job_id, letter.job_id)
    for report in (first, again):
        assert [key] == [found.key for found in world.engine().dead_letters(run=report.job_id)]


def test_what_was_set_aside_in_a_window_of_time_is_replayed(aside):
    """From `since` on and before `until`, by the time of the run that set it aside."""
    world, keys, reports = aside
    first, second = (report.started_at for report in reports)
    engine = world.engine()

    def found(**window: datetime) -> list[str]:
        return [letter.key for letter in engine.dead_letters(**window)]

    assert (keys, keys[1:], keys[:1]) == (found(since=first), found(since=second), found(until=second))
    assert [] == found(since=second + HOUR)
    assert 1 == engine.replay(since=first, until=second).streams["customers"].created
    assert keys[1:] == left(world)


@pytest.mark.parametrize("name", ["since", "until"])
def test_a_time_without_zone_is_refused(world, name):
    """A window of time is told with its zone; nothing is sent before that."""
    with pytest.raises(ConfigurationError, match=f"{name}: a time needs its zone"):
        world.engine().replay(**{name: datetime(2026, 3, 1)})
    assert [] == world.writes


def test_conditions_narrow_each_other_down(aside):
    """Record, reason and run hold at once; with another condition, keys name dead letters only."""
    world, keys, reports = aside
    engine = world.engine()

    assert not engine.replay(keys=keys[:1], run=reports[1].job_id).streams
    assert not engine.replay(keys=keys, reason="refused").streams
    assert 1 == engine.replay(keys=keys[:1], reason="bad_email", stream="customers").streams["customers"].created
    assert keys[1:] == left(world)


def test_fresh_and_kept_data_are_told_apart(world):
    """Report and audit say which records came from the ERP as it is now, and which from the payload that was kept."""
    for email in ("here@harbor-pumps.com", "gone@harbor-pumps.com"):
        world.mailchimp.poison(email, "fake")
    here = world.erp.add_customer("here@harbor-pumps.com")
    gone = world.erp.add_customer("gone@harbor-pumps.com")
    world.run(streams=["customers"])
    world.erp.remove(gone)
    world.mailchimp.audience.poisoned.clear()

    report = world.engine().replay()

    counts = report.streams["customers"]
    assert (2, 1, 1) == (counts.created, counts.fresh, counts.kept)
    assert "1 with fresh data, 1 with the kept payload" in str(report)
    assert (1, 1) == (report.to_rows()[0]["fresh"], report.to_rows()[0]["kept"])
    audit = {entry.key: entry.replayed for entry in world.engine().audit(job_id=report.job_id)}
    assert {here: "fresh", gone: "kept"} == audit


def test_a_poll_is_no_replay(world):
    """Records of a run are neither fresh nor kept, and its report does not speak of it."""
    key = world.erp.add_customer("a@harbor-pumps.com")
    report = world.run(streams=["customers"])

    assert (0, 0) == (report.streams["customers"].fresh, report.streams["customers"].kept)
    assert "kept payload" not in str(report)
    assert [""] == [entry.replayed for entry in world.engine().audit(source_key=key)]


def test_a_record_that_is_not_set_aside_is_loaded_again(world):
    """Named by its key, a sound record is written as with a first load, although it has not changed."""
    key = world.erp.add_customer("a@harbor-pumps.com", name="Harbor Pumps")
    other = world.erp.add_customer("b@harbor-pumps.com", name="Larkfield Press")
    world.run(streams=["customers"])
    for member in ("a@harbor-pumps.com", "b@harbor-pumps.com"):
        world.mailchimp.members[member].merge_fields["COMPANY"] = "somebody wrote over it"

    report = world.engine().replay(keys=[key, key])

    assert (1, 1) == (report.streams["customers"].updated, report.streams["customers"].fresh)
    assert "Harbor Pumps" == world.mailchimp.members["a@harbor-pumps.com"].merge_fields["COMPANY"]
    assert "Harbor Pumps" != world.mailchimp.members["b@harbor-pumps.com"].merge_fields["COMPANY"]
    assert 1 == len(world.engine().audit(source_key=other))


def test_sound_and_dead_records_are_named_together(world):
    """Keys may name both; each is loaded once."""
    good, bad = world.erp.add_customer("a@harbor-pumps.com"), world.erp.add_customer("none")
    world.run(streams=["customers"])
    world.erp.set_email(bad, "b@harbor-pumps.com")

    report = world.engine().replay(keys=[good, bad])

    counts = report.streams["customers"]
    assert (2, 1, 1, 2) == (counts.read, counts.created, counts.updated, counts.fresh)
    assert [] == left(world)


def test_naming_a_record_brings_nobody_back(world):
    """Who unsubscribed stays so, however often the record is named."""
    key = world.erp.add_customer("a@harbor-pumps.com")
    world.run(streams=["customers"])
    world.mailchimp.unsubscribe("a@harbor-pumps.com")

    world.engine().replay(keys=[key])

    assert "unsubscribed" == world.status("a@harbor-pumps.com")


def test_an_order_is_named_by_its_own_key(world):
    """Without a stream, a key is loaded wherever it was met."""
    key = world.erp.add_order(world.erp.add_customer("a@harbor-pumps.com"))
    world.run()

    report = world.engine().replay(keys=[key])

    assert ["orders"] == [*report.streams]
    assert 1 == report.streams["orders"].updated


def test_a_record_that_the_erp_denies_is_told(world):
    """What is not in the ERP is skipped as not found, in report and audit; its member stays as it is."""
    key = world.erp.add_customer("a@harbor-pumps.com")
    world.run(streams=["customers"])
    world.erp.remove(key)

    report = world.engine().replay(stream="customers", keys=[key, "C-never"])

    counts = report.streams["customers"]
    assert (2, 2, {"not_found": 2}) == (counts.read, counts.skipped, dict(counts.reasons))
    assert "subscribed" == world.status("a@harbor-pumps.com")
    [entry] = world.engine().audit(source_key="C-never")
    assert ("skipped", "not_found", "") == (entry.outcome, entry.reason, entry.replayed)


def test_a_dead_letter_without_data_anywhere_stays(world):
    """A dead letter whose payload was removed, of a record that the ERP lost, is told and stays."""
    key = world.erp.add_customer("none at all")
    world.run(streams=["customers"])
    [letter] = world.state.dead_letters("acme")
    lease = world.state.acquire("acme", "test", now=world.clock(), duration=HOUR)
    emptied = attrs.evolve(letter, payload={})
    world.state.commit(Checkpoint(pipeline="acme", job_id="test", dead_letters=(emptied,)), lease)
    world.state.release(lease)
    world.erp.remove(key)

    report = world.engine().replay()

    assert {"not_found": 1} == dict(report.streams["customers"].reasons)
    assert [key] == left(world)


def test_a_key_that_nobody_has_met_needs_its_stream(world):
    """A key that no stream knows is refused before anything is sent; with the stream it is read from the ERP."""
    key = world.erp.add_customer("a@harbor-pumps.com")
    engine = world.engine()

    with pytest.raises(ConfigurationError, match=f"no stream has met {key}"):
        engine.replay(keys=[key])
    assert [] == world.writes
    assert 1 == engine.replay(stream="customers", keys=[key]).streams["customers"].created
    assert not engine.replay(stream="customers", keys=[]).streams
    with pytest.raises(ConfigurationError, match="has no custmers"):
        engine.replay(stream="custmers")


def test_a_replay_that_is_stopped_goes_on_with_the_next(aside):
    """A stop ends a replay at a checkpoint; what it had not come to is still set aside."""
    world, keys, _ = aside
    engine = world.engine()
    engine.stop()

    report = engine.replay()

    assert report.stopped
    assert keys == left(world)
    assert engine.replay().ok
    assert [] == left(world)


def test_a_stream_that_cannot_be_read_keeps_its_dead_letters(aside):
    """Where the ERP refuses to be asked, nothing is lost, and the report says why."""
    world, keys, _ = aside
    world.erp.fake.fail(status=403, path="Customer")

    report = world.engine().replay()

    assert (False, keys) == (report.ok, left(world))
    assert report.streams["customers"].error


def test_sealed_dead_letters_are_replayed_from_their_payload(tmp_path):
    """A payload that was sealed is as good as one in the clear; with another key the check tells what is wrong."""
    key, path = KeyRing.generate(), tmp_path / "acme.db"
    with World(state=SQLiteStateStore(path, key=key)) as world:
        world.mailchimp.poison("a@harbor-pumps.com", "fake")
        record = world.erp.add_customer("a@harbor-pumps.com")
        world.run(streams=["customers"])
        world.erp.remove(record)
        world.mailchimp.cure("a@harbor-pumps.com")

        stranger = world.engine(state=SQLiteStateStore(path, key=KeyRing.generate()))
        [told] = [row for row in stranger.check() if row.system == "state"]
        assert (False, True) == (told.ok, "add that key to the KeyRing" in told.detail)
        with pytest.raises(VaultError, match="add that key"):
            stranger.replay()

        report = world.engine(state=SQLiteStateStore(path, key=key)).replay()

        assert (1, 1) == (report.streams["customers"].created, report.streams["customers"].kept)
