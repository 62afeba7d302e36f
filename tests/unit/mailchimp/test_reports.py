from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from mlconnector_sdk.errors import AuthenticationError, ConfigurationError, ContractError, RecordNotFoundError
from mlconnector_sdk.mailchimp import MailchimpSink
from mlconnector_sdk.mailchimp._reports_wire import PackedRows, PageRead, activity_of, opens_of, report_of
from mlconnector_sdk.models import CampaignReading, Engagement, Revenue
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.testing import FakeClock, FakeMailchimp, Request

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OFFER = "https://acme.org/offer"


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture(name="fake")
def _fake(clock: FakeClock) -> Iterator[FakeMailchimp]:
    with FakeMailchimp(clock=clock) as fake:
        yield fake


@pytest.fixture(name="batching")
def _batching(make_sink: Callable[..., MailchimpSink]) -> MailchimpSink:
    """A sink that reads any activity by batches."""
    return make_sink(activity_batch_from=1, batch_polling=RetryPolicy.immediate(attempts=50))


def addresses(count: int) -> list[str]:
    """So many made-up people."""
    return [f"p{number:04}@acme.org" for number in range(count)]


def told(entries: Iterator[Engagement]) -> list[tuple[str, str]]:
    """What was done by whom."""
    return [(entry.action, entry.address) for entry in entries]


def all_of(sink: MailchimpSink, *campaigns: str, since: datetime | None = None) -> list[tuple[str, str, str]]:
    """Campaign, action and address of everything that `engagements` gives; each campaign ends with a last page."""
    readings = [CampaignReading(report=sink.reports.report(campaign), since=since) for campaign in campaigns]
    pages = [*sink.reports.engagements(readings)]
    assert [*campaigns] == [page.campaign_id for page in pages if page.last]
    return [(page.campaign_id, entry.action, entry.address) for page in pages for entry in page.entries]


def before_page(fake: FakeMailchimp, part: str, number: int, change: Callable[[], object]) -> None:
    """Let something happen just before the server answers the request of that number for one part of a report."""
    seen: list[Request] = []

    def look(request: Request) -> None:
        if request.path.endswith(part):
            seen.append(request)
            if len(seen) == number:
                change()

    fake.before_each.append(look)


# Campaigns


def test_campaigns_come_with_totals_and_revenue(fake, sink, clock):
    """A report tells counts, aware times and exact money, and keeps whatever else the answer holds."""
    sink.prepare()
    fake.add_member("pat@acme.org")
    fake.add_member("ann@acme.org")
    campaign = fake.send_campaign("Spring")
    for order, amount in (("SO-1", "19.99"), ("SO-2", "0.11")):
        fake.orders[order] = {"id": order, "campaign_id": campaign, "order_total": amount, "currency_code": "EUR"}
    clock.advance(minutes=5)
    fake.open("pat@acme.org", campaign)
    fake.open("pat@acme.org", campaign)
    fake.click("pat@acme.org", campaign)
    fake.bounce("ann@acme.org", campaign, hard=True)

    (report,) = sink.reports.campaigns()

    assert sink.reports.report(campaign) == report
    assert (campaign, "Spring", NOON, 2) == (report.id, report.title, report.sent_at, report.emails_sent)
    assert (2, 1, NOON + timedelta(minutes=5)) == (report.opens, report.unique_opens, report.last_open_at)
    assert (1, 1, 1, 0) == (report.clicks, report.unique_clicks, report.hard_bounces, report.soft_bounces)
    expected = Revenue(orders=2, total=Decimal("20.1"), spent=Decimal("20.1"), currency="EUR")
    assert expected == report.revenue
    assert (2, 2, 1, 1, 0, 0) == report.totals
    assert "Acme Wholesale" == report.raw["list_name"]
    assert "_links" not in report.raw


def test_campaigns_are_those_of_this_audience_since_a_time(fake, sink, clock):
    """Campaigns to other audiences and those sent before are left out; one sent at that very second is not."""
    fake.send_campaign("Old")
    clock.advance(days=1)
    at = fake.send_campaign("New")
    fake.send_campaign("Foreign", list_id="ffffffffff")

    assert [at] == [report.id for report in sink.reports.campaigns(since=clock.now())]
    assert 2 == len([*sink.reports.campaigns()])


def test_many_campaigns_are_paged(fake, sink):
    """More campaigns than fit a page all come, each once."""
    sent = {fake.send_campaign(f"Number {number}") for number in range(620)}

    found = [report.id for report in sink.reports.campaigns()]

    assert sent == set(found)
    assert 620 == len(found)


def test_unknown_campaign_is_not_found(sink):
    """A campaign that does not exist, or was not sent, is an error that says so."""
    with pytest.raises(RecordNotFoundError):
        sink.reports.report("0000000000")


def test_report_of_an_odd_answer_is_still_a_report():
    """Parts that are missing or null are zero, empty or unknown; money that is no number is none."""
    odd = report_of({"id": "c1", "opens": None, "send_time": "", "ecommerce": {"total_revenue": "much"}})

    assert ("c1", 0, None, Revenue()) == (odd.id, odd.opens, odd.sent_at, odd.revenue)
    assert "<CampaignReport c1 0 sent>" == repr(odd)


# What people did


@pytest.fixture(name="campaign")
def _campaign(fake: FakeMailchimp, clock: FakeClock) -> str:
    """A campaign with which everything happened that can, a minute after the other."""
    for name in ("Pat", "ann", "bob", "cleo", "dan"):
        fake.add_member(f"{name}@acme.org")
    campaign = fake.send_campaign("Spring")
    deeds: list[Callable[[], object]] = [
        lambda: fake.open("pat@acme.org", campaign),
        lambda: fake.click("pat@acme.org", campaign),
        lambda: fake.bounce("ann@acme.org", campaign, hard=True),
        lambda: fake.bounce("bob@acme.org", campaign),
        lambda: fake.reports.unsubscribe("cleo@acme.org", campaign, "Too many"),
        lambda: fake.reports.complain("dan@acme.org", campaign),
        lambda: fake.open("bob@acme.org", campaign),
    ]
    for deed in deeds:
        clock.advance(minutes=1)
        deed()
    return campaign


def test_each_kind_has_an_iterator(sink, campaign):
    """Opens, clicks, bounces, unsubscribes and abuse come with address, aware time, link and reason."""
    reports = sink.reports
    minutes = [NOON + timedelta(minutes=minute) for minute in range(8)]

    assert [("pat@acme.org", minutes[1]), ("bob@acme.org", minutes[7])] == [
        (entry.address, entry.at) for entry in reports.opens(campaign)
    ]
    assert [("pat@acme.org", OFFER, minutes[2])] == [(e.address, e.url, e.at) for e in reports.clicks(campaign)]
    assert [("hard_bounce", "ann@acme.org"), ("soft_bounce", "bob@acme.org")] == told(reports.bounces(campaign))
    assert [("cleo@acme.org", "Too many", minutes[5])] == [
        (entry.address, entry.detail, entry.at) for entry in reports.unsubscribes(campaign)
    ]
    assert [("dan@acme.org", minutes[6])] == [(entry.address, entry.at) for entry in reports.abuse(campaign)]
    assert 5 == len([*reports.activity(reports.report(campaign))])


def test_since_counts_from_that_very_moment(sink, campaign):
    """What happened at `since` comes, what happened before does not, whatever the far side filters."""
    reports = sink.reports
    since = NOON + timedelta(minutes=7)

    assert [("open", "bob@acme.org")] == told(reports.opens(campaign, since))
    assert [("open", "bob@acme.org")] == told(reports.activity(campaign, since))
    assert [] == [*reports.unsubscribes(campaign, since)]
    assert [("abuse", "dan@acme.org")] == told(reports.abuse(campaign, since - timedelta(minutes=1)))


def test_recipients_and_links(sink, campaign):
    """Everybody a campaign was sent to comes with how that went, and every link with how often it was followed."""
    sent = {recipient.address: (recipient.status, recipient.opens) for recipient in sink.reports.recipients(campaign)}
    (link,) = sink.reports.links(campaign)

    assert {"pat@acme.org", "ann@acme.org", "bob@acme.org", "cleo@acme.org", "dan@acme.org"} == set(sent)
    assert (("sent", 1), ("hard", 0)) == (sent["pat@acme.org"], sent["ann@acme.org"])
    assert (OFFER, 1, 1, NOON + timedelta(minutes=2)) == (
        link.url,
        link.clicks,
        link.unique_clicks,
        link.last_click_at,
    )


def test_people_deleted_for_good_are_left_out(fake, sink, campaign):
    """The made-up addresses that are left of such people are nobody's engagement."""
    fake.forget("pat@acme.org")

    assert [("open", "bob@acme.org")] == told(sink.reports.opens(campaign))
    assert "forgotten" not in str([e.address for e in sink.reports.activity(campaign)])
    assert 4 == len([*sink.reports.recipients(campaign)])


def test_values_hide_addresses(sink, campaign):
    """What people did can be logged: neither addresses nor links and reasons show."""
    shown = repr([*sink.reports.activity(campaign), *sink.reports.unsubscribes(campaign)])

    assert "acme.org" not in shown
    assert "Too many" not in shown


def test_unknown_actions_and_fields_are_kept():
    """An action that is new comes under its own name, with all that came along; one without time comes always."""
    row = {"email_address": "Pat@Acme.org", "activity": [{"action": "wave", "hand": "left"}, "nonsense"]}

    (entry,) = activity_of("c1", row, NOON)
    assert [] == [*opens_of("c1", {"opens": ["nonsense"]}, None)]

    assert ("wave", None, "pat@acme.org") == (entry.action, entry.at, entry.address)
    assert {"action": "wave", "hand": "left"} == entry.raw


def test_same_thing_has_the_same_id(sink, campaign):
    """What is read again is known by its id; different things have different ones."""
    first = [entry.id for entry in sink.reports.activity(campaign)]

    assert first == [entry.id for entry in sink.reports.activity(campaign)]
    assert len(first) == len(set(first))


def test_member_history(fake, sink, campaign):
    """A member's history comes latest first, of all kinds or of those named; a stranger has none."""
    kinds = [entry.kind for entry in sink.reports.member_activity("Pat@acme.org")]
    clicks = [*sink.reports.member_activity("pat@acme.org", ["click"])]

    assert ["click", "open", "sent"] == kinds
    assert [(OFFER, campaign, "Spring")] == [(e.url, e.campaign_id, e.campaign_title) for e in clicks]
    assert [] == [*sink.reports.member_activity("nobody@acme.org")]


# Paging


def test_page_after_page_until_the_total(fake, sink):
    """Activity of 2,500 recipients is three requests, and rows without activity are not in the way."""
    campaign = fake.send_campaign("Spring", addresses(2500))
    for address in ("p0000@acme.org", "p0999@acme.org", "p1000@acme.org", "p2499@acme.org"):
        fake.open(address, campaign)

    with fake.recording() as log:
        found = told(sink.reports.activity(campaign))

    assert ["p0000@acme.org", "p0999@acme.org", "p1000@acme.org", "p2499@acme.org"] == [who for _, who in found]
    assert ["0", "1000", "2000"] == [entry.request.query["offset"] for entry in log]


def test_short_first_page_of_abuse_is_gone_on_with(fake, sink):
    """Reports of abuse that come ten at a time are still read whole."""
    people = addresses(25)
    campaign = fake.send_campaign("Spring", people)
    for address in people:
        fake.add_member(address)
        fake.reports.complain(address, campaign)

    with fake.recording() as log:
        assert people == [entry.address for entry in sink.reports.abuse(campaign)]
    assert [False, True] == ["count" in entry.request.query for entry in log]


def test_rows_that_come_in_between_are_not_doubled(fake, sink):
    """A recipient in front of the others pushes one over the border of two pages: that one comes once."""
    campaign = fake.send_campaign("Spring", addresses(1500))
    sent = fake.reports.campaigns[campaign].sent
    for address in [*sent]:
        fake.open(address, campaign)

    def arrive() -> None:
        others = {**sent}
        sent.clear()
        sent.update({"late@acme.org": attrs.evolve(others["p0000@acme.org"], email="late@acme.org"), **others})

    before_page(fake, "email-activity", 2, arrive)
    found = [entry.address for entry in sink.reports.activity(campaign)]

    assert addresses(1500) == found


def test_rows_that_go_in_between_take_none_with_them(fake, sink):
    """When recipients of the first page go away, those that slid back over the border are fetched."""
    campaign = fake.send_campaign("Spring", addresses(1500))
    sent = fake.reports.campaigns[campaign].sent
    for address in [*sent]:
        fake.open(address, campaign)
    before_page(fake, "email-activity", 2, lambda: [sent.pop(address) for address in addresses(3)])

    found = [entry.address for entry in sink.reports.activity(campaign)]

    assert addresses(1500) == found


def test_empty_page_ends_the_reading(fake, sink):
    """A total that promises more than there is does not keep the reading going."""
    row = {"email_id": "1", "email_address": "pat@acme.org", "activity": [{"action": "open"}]}
    fake.fail(path="email-activity", nth=1, status=200, body={"emails": [row], "total_items": 5000})
    fake.fail(path="email-activity", status=200, body={"emails": [], "total_items": 5000})

    with fake.recording() as log:
        assert 1 == len([*sink.reports.activity("0123456789")])
    assert 2 == len(log)


def test_answer_that_is_no_page_is_a_breach():
    """An answer that is cut off or no JSON is an error, not an empty page."""
    assert 0 == PageRead.of_document({"reports": ["nonsense"]}, "reports", bool).count
    with pytest.raises(ContractError, match="base_url"):
        PageRead.of_chunks([b'{"emails": [{"email_id": 1}'], "emails", bool)


# Many campaigns


def test_engagements_tell_everything_of_each_campaign(fake, sink, campaign):
    """Activity, unsubscribes and abuse of one campaign after another, and nothing is asked that cannot be there."""
    quiet = fake.send_campaign("Quiet", ["pat@acme.org"])

    with fake.recording() as log:
        found = all_of(sink, campaign, quiet)

    actions = ["open", "click", "hard_bounce", "soft_bounce", "open", "unsubscribe", "abuse"]
    assert actions == [action for _, action, _ in found]
    parts = [entry.path.rpartition("/")[2] for entry in log]
    assert ["email-activity", "unsubscribed", "abuse-reports", "email-activity"] == parts[2:]


def test_campaign_that_is_gone_ends_quietly(fake, sink, campaign):
    """A campaign deleted after it was listed has no engagement and stops nobody."""
    other = fake.send_campaign("Other", ["pat@acme.org"])
    fake.open("pat@acme.org", other)
    readings = [CampaignReading(report=sink.reports.report(name)) for name in (campaign, other)]
    del fake.reports.campaigns[campaign]

    pages = [*sink.reports.engagements(readings)]

    assert [campaign, other] == [page.campaign_id for page in pages if page.last]
    assert [other] == [entry.campaign_id for page in pages for entry in page.entries]


# By batches


def test_many_recipients_are_read_by_batches(fake, sink, batching, campaign):
    """A batch brings what single pages would, and no page of activity is asked for directly."""
    large = fake.send_campaign("Large", addresses(2100))
    fake.open("p0001@acme.org", large)
    fake.click("p2099@acme.org", large)
    expected = all_of(sink, campaign, large)

    with fake.recording() as log:
        found = all_of(batching, campaign, large)

    assert sorted(expected) == sorted(found)
    assert not [entry for entry in log if entry.path.endswith("email-activity")]
    (batch,) = fake.batches.values()
    assert 4 == len(batch.operations)


def test_batches_keep_to_since(fake, batching, campaign):
    """A bound is part of each operation, and kept to once more when the results are read."""
    found = all_of(batching, campaign, since=NOON + timedelta(minutes=7))

    assert [(campaign, "open", "bob@acme.org")] == found
    (batch,) = fake.batches.values()
    assert "2026-03-01T12:06:59+00:00" == batch.operations[0]["params"]["since"]


def test_what_a_batch_lacks_is_read_directly(fake, batching, campaign):
    """A campaign of which one operation failed is read page by page; the others are taken from the batch."""
    large = fake.send_campaign("Large", addresses(1500))
    fake.open("p1400@acme.org", large)
    fake.spoil_operations(lambda operation: 500 if operation["operation_id"].endswith("/1") else None)

    with fake.recording() as log:
        found = all_of(batching, campaign, large)

    assert 8 == len(found)
    pages = [entry.path for entry in log if entry.path.endswith("email-activity")]
    assert 2 == len(pages)
    assert all(large in page for page in pages)


def test_batch_with_fewer_rows_than_there_are_is_not_trusted(fake, batching):
    """Recipients beyond those the report told of are found, because the total says that pages are missing."""
    campaign = fake.send_campaign("Growing", addresses(1000))
    reading = CampaignReading(report=batching.reports.report(campaign))
    sent = fake.reports.campaigns[campaign].sent
    sent["late@acme.org"] = attrs.evolve(sent["p0000@acme.org"], email="late@acme.org", activity=[])
    fake.open("late@acme.org", campaign)

    pages = [*batching.reports.engagements([reading])]

    assert ["late@acme.org"] == [entry.address for page in pages for entry in page.entries]


@pytest.mark.parametrize(
    "spoil", [{"path": "/batches", "method": "POST", "status": 400}, {"path": "/batches/", "status": 404}]
)
def test_batch_that_is_refused_or_gone_is_done_without(fake, batching, campaign, spoil):
    """An account that takes no such batch, or loses it, is read page by page."""
    fake.fail(**spoil)

    assert 7 == len(all_of(batching, campaign))


def test_batch_that_is_not_done_in_time_is_not_waited_for(fake, batching, campaign, caplog):
    """Past the deadline everything is read page by page, and a warning says so without an address."""
    fake.hold_batches()

    found = all_of(batching, campaign)

    assert 7 == len(found)
    assert "batch_unfinished" in caplog.text
    assert "acme.org" not in caplog.text


def test_wrong_key_is_told_and_not_read_around(fake, batching, campaign):
    """A key that is refused while a batch is handed over is an error, with no request after it."""
    readings = [CampaignReading(report=batching.reports.report(campaign))]
    fake.tokens.clear()
    fake.api_key = "fedcba9876543210fedcba9876543210-us6"

    with fake.recording() as log, pytest.raises(AuthenticationError):
        [*batching.reports.engagements(readings)]

    assert 1 == len(log)


def test_many_campaigns_are_several_batches(fake, batching):
    """What would be too much for one batch is several, one after another, and no campaign is split."""
    campaigns = [fake.send_campaign(f"Number {number}", addresses(1)) for number in range(3)]
    readings = [
        CampaignReading(report=attrs.evolve(batching.reports.report(campaign), emails_sent=300_000))
        for campaign in campaigns
    ]

    pages = [*batching.reports.engagements(readings)]

    assert campaigns == [page.campaign_id for page in pages if page.last]
    assert [300, 300, 300] == [len(batch.operations) for batch in fake.batches.values()]


def test_below_the_threshold_no_batch_is_made(fake, make_sink, campaign):
    """Few recipients, and a sink told never to batch, ask for pages."""
    all_of(make_sink(), campaign)
    large = fake.send_campaign("Large", addresses(3000))
    all_of(make_sink(activity_batch_from=None), large)
    all_of(make_sink(activity_batch_from=0), large)

    assert {} == fake.batches


def test_threshold_must_make_sense(make_sink):
    """A threshold below one is a mistake that is named."""
    with pytest.raises(ConfigurationError, match="activity_batch_from"):
        make_sink(activity_batch_from=-1)


def test_packed_rows_come_back_as_they_were():
    """Rows survive being packed, whatever is in them, and in their order."""
    rows: list[dict[str, Any]] = [{"n": n, "text": "Grüße\n\u2028" * (n % 40)} for n in range(5000)]
    packed = PackedRows()
    for row in rows:
        packed.add(row)

    assert rows == [*packed]
    assert [] == [*PackedRows()]
