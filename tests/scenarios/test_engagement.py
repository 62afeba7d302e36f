"""What people did with campaigns comes back to the ERP's keys: once and again, whatever breaks in between."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest

from mlconnector_sdk.errors import ConfigurationError, MLConnectorError, UnavailableError
from mlconnector_sdk.models import EngagementRow, Note
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.state import SQLiteStateStore
from tests.scenarios._history import Crash, FailingBooks
from tests.scenarios._worlds import World

PAT, ANN = "pat@harbor-pumps.com", "ann@larkfield.com"


class Readers(World):
    """A world with two customers who are members, and a campaign that was sent to them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.pat = self.erp.add_customer(PAT)
        self.ann = self.erp.add_customer(ANN)

    def settle(self) -> str:
        """Load the customers, then send them a campaign, an hour ago by now."""
        self.run(streams=["customers"])
        campaign = self.mailchimp.send_campaign("Spring")
        self.clock.advance(hours=1)
        return campaign

    def told(self, since: datetime | None = None, **settings: Any) -> list[EngagementRow]:
        """All rows of a reading an hour later."""
        self.clock.advance(hours=1)
        with self.engine() as engine:
            return [*engine.engagement(since, **settings)]

    @property
    def notes(self) -> list[Note]:
        """How far campaigns were read."""
        return [*self.state.notes("acme", "engagement")]


@pytest.fixture(name="world")
def _world() -> Iterator[Readers]:
    with Readers() as world:
        yield world


def deeds(rows: list[EngagementRow]) -> list[tuple[str, str]]:
    """Who did what, by ERP key."""
    return [(row.key, row.action) for row in rows]


def test_rows_tell_key_campaign_action_and_time(world: Readers) -> None:
    """Each row names the ERP's record, the address, the campaign, what was done and when."""
    campaign = world.settle()
    world.mailchimp.click(PAT.upper(), campaign, "https://acme.org/pumps")
    at = world.clock.now()

    (row,) = world.told()

    expected = EngagementRow(
        id=row.id,
        stream="customers",
        key=world.pat,
        records=(("customers", world.pat),),
        address=PAT,
        campaign_id=campaign,
        campaign_title="Spring",
        action="click",
        at=at,
        url="https://acme.org/pumps",
    )
    assert expected == row
    assert PAT not in repr(row)


def test_everything_that_happens_comes_back(world: Readers) -> None:
    """Opens, clicks, bounces of both kinds, unsubscribes and complaints each are a row."""
    more = {name: world.erp.add_customer(f"{name}@acme.org") for name in ("bob", "cleo", "dan")}
    campaign = world.settle()
    world.mailchimp.open(PAT, campaign)
    world.mailchimp.click(PAT, campaign)
    world.mailchimp.bounce(ANN, campaign)
    world.mailchimp.bounce("bob@acme.org", campaign, hard=True)
    world.mailchimp.reports.unsubscribe("cleo@acme.org", campaign, "Too many")
    world.mailchimp.reports.complain("dan@acme.org", campaign)

    assert [
        (world.pat, "open"),
        (world.pat, "click"),
        (world.ann, "soft_bounce"),
        (more["bob"], "hard_bounce"),
        (more["cleo"], "unsubscribe"),
        (more["dan"], "abuse"),
    ] == deeds(world.told())


def test_shared_address_names_all_its_records(world: Readers) -> None:
    """A row is one thing done: the record that speaks for the address is its key, the others are listed too."""
    second = world.erp.add_customer(PAT)
    contact = world.erp.add_contact(PAT)
    world.run()
    campaign = world.settle()
    world.mailchimp.open(PAT, campaign)

    (row,) = world.told()

    assert ("customers", world.pat) == (row.stream, row.key)
    assert {("customers", world.pat), ("customers", second), ("contacts", contact)} == set(row.records)


def test_strangers_have_no_key(world: Readers) -> None:
    """Members that no ERP record stands behind are told of too, without a key."""
    world.mailchimp.add_member("stranger@acme.org")
    campaign = world.settle()
    world.mailchimp.open("stranger@acme.org", campaign)

    (row,) = world.told()

    assert ("", "", (), "stranger@acme.org") == (row.stream, row.key, row.records, row.address)


def test_next_reading_goes_on(world: Readers) -> None:
    """What was taken is not given again, and a reading without news asks for the totals alone."""
    campaign = world.settle()
    world.mailchimp.open(PAT, campaign)
    assert [(world.pat, "open")] == deeds(world.told())

    with world.mailchimp.recording() as log:
        assert [] == world.told()
    assert ["/3.0/ping", "/3.0/reports"] == [entry.path for entry in log]
    world.mailchimp.click(ANN, campaign)
    assert [(world.ann, "click")] == deeds(world.told())


def test_latest_minutes_are_read_again(world: Readers) -> None:
    """What shows late is found by the next reading; what comes twice by that has the same id."""
    campaign = world.settle()
    world.mailchimp.open(PAT, campaign)
    with world.engine() as engine:
        first = [*engine.engagement()]
    # It happened before the first reading, and shows only now.
    world.mailchimp.open(ANN, campaign)
    world.clock.advance(minutes=5)
    with world.engine() as engine:
        second = [*engine.engagement()]

    assert [(world.pat, "open"), (world.ann, "open")] == deeds(second)
    assert first[0].id == second[0].id
    assert [] == world.told(read_again=0)


def test_reading_broken_off_starts_the_campaign_again(world: Readers) -> None:
    """A caller that stops at a row has not taken it: that campaign comes again, those taken before it do not."""
    first = world.settle()
    second = world.mailchimp.send_campaign("Summer")
    world.clock.advance(hours=1)
    for campaign in (first, second):
        world.mailchimp.open(PAT, campaign)
        world.mailchimp.open(ANN, campaign)
    world.clock.advance(hours=1)
    with world.engine() as engine:
        rows = engine.engagement()
        taken = [next(rows) for _ in range(4)]

    assert [first, first, second, second] == [row.campaign_id for row in taken]
    assert [first] == [note.key for note in world.notes]
    assert taken[2:] == world.told()


def test_crash_while_the_place_is_written_down_costs_nothing() -> None:
    """Rows whose taking could not be written down come again after a crash."""
    with Readers(state=FailingBooks()) as world:
        campaign = world.settle()
        world.mailchimp.open(PAT, campaign)
        assert isinstance(world.state, FailingBooks)
        world.state.crash = lambda checkpoint: "before" if checkpoint.notes else None
        with pytest.raises(Crash):
            world.told()
        world.state.crash = lambda checkpoint: None

        assert [(world.pat, "open")] == deeds(world.told())
        assert [] == world.told()


def test_run_under_way_is_not_disturbed(world: Readers, caplog: pytest.LogCaptureFixture) -> None:
    """While a run holds the lease all rows are given, and come again because nobody could write down that they were."""
    campaign = world.settle()
    world.mailchimp.open(PAT, campaign)
    now = world.clock.now()
    lease = world.state.acquire("acme", "a run", now=now, duration=timedelta(days=1))

    with caplog.at_level(logging.WARNING):
        assert 1 == len(world.told())
    assert "their rows come again" in caplog.text
    world.state.release(lease)
    assert 1 == len(world.told())
    assert [] == world.told()


def test_far_side_that_fails_leaves_the_place(world: Readers) -> None:
    """An error in the middle is raised, and the next reading begins where this one did."""
    campaign = world.settle()
    world.mailchimp.open(PAT, campaign)
    world.mailchimp.reports.unsubscribe(ANN, campaign)
    world.mailchimp.fail_next(503, path="unsubscribed", times=6)

    with pytest.raises(UnavailableError):
        world.told()

    assert [] == world.notes
    assert [(world.pat, "open"), (world.ann, "unsubscribe")] == deeds(world.told())


def test_since_reads_anew_and_moves_nothing(world: Readers) -> None:
    """With a time of one's own everything from then on comes, however often, and the place is left as it is."""
    campaign = world.settle()
    world.mailchimp.open(PAT, campaign)
    world.clock.advance(hours=2)
    noon = world.clock.now()
    world.mailchimp.open(ANN, campaign)

    for _ in range(2):
        assert [(world.ann, "open")] == deeds(world.told(noon))
    assert [] == world.notes
    assert 2 == len(world.told())
    assert 2 == len(world.told(noon - timedelta(days=1)))


def test_old_campaigns_are_asked_for_no_longer(world: Readers) -> None:
    """A campaign is followed for as long as the setting says, then its note is dropped."""
    campaign = world.settle()
    world.mailchimp.open(PAT, campaign)
    assert 1 == len(world.told(kept_up_with=timedelta(days=7)))
    world.clock.advance(days=8)
    world.mailchimp.open(ANN, campaign)

    assert [] == world.told(kept_up_with=timedelta(days=7))
    assert [] == world.notes
    assert 2 == len(world.told())


def test_many_recipients_come_by_batches(world: Readers) -> None:
    """Where there is much to read Mailchimp reads it by itself, and the rows are the same."""
    campaign = world.settle()
    world.mailchimp.open(PAT, campaign)
    sent = world.mailchimp.reports.campaigns[campaign].sent
    for number in range(1200):
        sent[f"p{number}@acme.org"] = attrs.evolve(sent[ANN], email=f"p{number}@acme.org", activity=[])
    sink = world.sink(activity_batch_from=2, batch_polling=RetryPolicy.immediate(attempts=50))

    with world.engine(sink=sink) as engine:
        rows = [*engine.engagement()]

    assert [(world.pat, "open")] == deeds(rows)
    assert 1 == len(world.mailchimp.batches)
    assert [campaign] == [note.key for note in world.notes]


def test_place_outlives_the_process(world: Readers, tmp_path: Any) -> None:
    """How far campaigns were read is kept in a database as well."""
    world.state = SQLiteStateStore(tmp_path / "acme.db")
    campaign = world.settle()
    world.mailchimp.open(PAT, campaign)
    assert 1 == len(world.told())

    world.state = SQLiteStateStore(tmp_path / "acme.db")
    assert [] == world.told()


def test_mistakes_are_told_at_once(world: Readers) -> None:
    """Arguments that make no sense are refused before the first row is asked for."""
    with world.engine() as engine:
        with pytest.raises(ConfigurationError, match="aware"):
            engine.engagement(datetime(2026, 3, 1))
        with pytest.raises(ConfigurationError, match="kept_up_with"):
            engine.engagement(kept_up_with=-1)
        with pytest.raises(ConfigurationError, match="read_again"):
            engine.engagement(read_again=timedelta(seconds=-1))


def test_sink_without_reports_says_so(world: Readers) -> None:
    """Engagement needs a sink that tells of campaigns."""

    class Plain:
        """What a sink is without its reports."""

        def __init__(self, sink: Any) -> None:
            self._sink = sink

        def __getattr__(self, name: str) -> Any:
            if name == "reports":
                raise AttributeError(name)
            return getattr(self._sink, name)

    with world.engine(sink=Plain(world.sink())) as engine, pytest.raises(MLConnectorError, match="campaigns"):
        engine.engagement()
