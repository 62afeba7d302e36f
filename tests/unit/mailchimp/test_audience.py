from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from mlconnector_sdk.errors import ConfigurationError
from mlconnector_sdk.mailchimp import MailchimpSink, Store
from mlconnector_sdk.models import AudienceMember, CheckResult, MergeField
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.testing.fakes._mailchimp import FakeMailchimp
from mlconnector_sdk.testing.fakes._server import Request

ERPID = MergeField(tag="ERPID", name="ERP number")
SCORE = MergeField(tag="SCORE", type="number")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


# Before the first write


def test_inspecting_writes_nothing(fake, sink):
    """The audience is told as it is, with what is missing."""
    fake.add_member("pat@acme.org")
    audience = sink.inspect([ERPID, MergeField(tag="FNAME")])
    assert ("Acme Wholesale", 1, False) == (audience.name, audience.member_count, audience.double_optin)
    assert ((ERPID,), {"FNAME", "LNAME", "ADDRESS", "PHONE"}) == (audience.missing, set(audience.merge_fields))
    assert [] == fake.writes


def test_preparing_creates_what_is_missing(fake, sink):
    """Missing merge fields are created, hidden from Mailchimp's own forms, and are known afterwards."""
    audience = sink.prepare([ERPID, SCORE])
    assert ((ERPID, SCORE), "number") == (audience.missing, audience.merge_fields["SCORE"].type)
    assert ("ERP number", False) == (fake.merge_fields["ERPID"].name, fake.merge_fields["ERPID"].public)
    assert () == sink.prepare([ERPID, SCORE]).missing


def test_options_of_fields_are_kept(fake, sink):
    """Choices and formats are sent on creation and read back."""
    wanted = MergeField(tag="SIZE", type="dropdown", required=True, options={"choices": ["S", "L"]})
    field = sink.prepare([wanted]).merge_fields["SIZE"]
    assert (["S", "L"], True) == (field.options["choices"], field.required)


def test_a_field_created_by_another_run_meanwhile_is_taken(fake, sink):
    """Losing the race to create a merge field is no error."""
    fake.fail_next(drop="after", method="POST", path="/merge-fields")
    assert "ERPID" in sink.prepare([ERPID]).merge_fields


def test_a_field_that_cannot_be_created_is_named(fake, sink):
    """A used-up number of merge fields is a matter of settings, and the message names the field."""
    problem = {"title": "Invalid Resource", "status": 400, "detail": "You have reached the limit of merge fields."}
    fake.fail(status=400, body=problem, method="POST", path="/merge-fields")
    with pytest.raises(ConfigurationError, match=r"ERPID.*reached the limit"):
        sink.prepare([ERPID])


def test_more_merge_fields_than_a_page_are_read(fake, sink):
    """All merge fields are known, not only the first ten."""
    for number in range(80):
        fake.add_merge_field(f"F{number}")
    assert 84 == len(sink.inspect([]).merge_fields)


def test_collections_are_read_page_by_page(fake, sink, monkeypatch):
    """A collection larger than a page is read whole."""
    monkeypatch.setattr("mlconnector_sdk.mailchimp._client.LARGEST_PAGE", 3)
    assert 4 == len(sink.inspect([]).merge_fields)


def test_a_field_that_no_mapping_can_name_is_left_out(fake, sink):
    """A tag outside the documented letters cannot be written and does no harm."""
    fake.add_merge_field("ODD-TAG!")
    assert "ODD-TAG!" not in sink.inspect([]).merge_fields


def test_an_unknown_audience_is_answered_with_those_that_exist(fake, make_sink):
    """A wrong list id is a matter of settings, and the message lists the right ones."""
    with pytest.raises(ConfigurationError, match=r"a1b2c3d4e5 \(Acme Wholesale\)"):
        make_sink(list_id="nope").prepare([])


# Checks


def rows(sink: MailchimpSink, *wanted: MergeField) -> dict[str, CheckResult]:
    """What a check says, by subject; every row is one line."""
    found = list(sink.check(wanted))
    assert all(len(str(row).splitlines()) == 1 for row in found)
    return {row.what: row for row in found}


def test_a_healthy_account_passes_every_check(fake, sink):
    """Every row is fine, what will be created is told, and nothing is written."""
    found = rows(sink, ERPID)
    assert ["connection", "role", "audience", "opt-in", "merge fields", "store"] == list(found)
    assert all(row.ok for row in found.values())
    assert ("ERPID" in found["merge fields"].detail, "will be created" in found["store"].detail) == (True, True)
    assert [] == fake.writes


def test_a_prepared_account_passes_too(fake, sink):
    """After the first run nothing is left to create."""
    sink.prepare([ERPID])
    found = rows(sink, ERPID)
    assert ("all 1 there", "Acme (acme)") == (found["merge fields"].detail, found["store"].detail)


def test_a_double_opt_in_audience_is_told():
    """Whoever sets up a sync learns that new members have to confirm."""
    with (
        FakeMailchimp(double_optin=True) as fake,
        MailchimpSink(fake.api_key, list_id=fake.list_id, base_url=fake.base_url) as sink,
    ):
        assert "pending" in rows(sink)["opt-in"].detail


@pytest.mark.parametrize(
    ("settings", "what", "said"),
    [
        ({"auth": "0" * 32 + "-us6"}, "connection", "wrong or was revoked"),
        ({"auth": "0123456789abcdef0123456789abcdef-us9"}, "connection", "data centre"),
        ({"list_id": "nope"}, "audience", "a1b2c3d4e5"),
        ({"base_url": "http://127.0.0.1:9/3.0"}, "connection", "cannot connect"),
    ],
)
def test_wrong_settings_are_named_with_their_cure(fake, make_sink, settings, what, said):
    """The first thing that is wrong ends the check, in one row with detail and cure, after one try."""
    sink = make_sink(**{"retry": RetryPolicy(), **settings})
    row = list(rows(sink).values())[-1]
    assert (what, False, True) == (row.what, row.ok, bool(row.cure))
    assert said in row.detail


@pytest.mark.parametrize(("status", "cure"), [(503, "again"), (403, "again"), (500, "again"), (302, "base_url")])
def test_a_check_tries_once(fake, make_sink, status, cure):
    """Outage and throttling are told at once instead of being waited out."""
    fake.fail(status=status)
    row = rows(make_sink(retry=RetryPolicy()))["connection"]
    assert (False, True, 1) == (row.ok, cure in row.cure, len(fake.log))


def test_a_role_that_cannot_write_is_told():
    """A viewer's key passes the connection and fails on the role."""
    with (
        FakeMailchimp(role="viewer") as fake,
        MailchimpSink(fake.api_key, list_id=fake.list_id, base_url=fake.base_url) as sink,
    ):
        found = rows(sink)
    assert (True, False) == (found["connection"].ok, found["role"].ok)


def test_a_right_that_is_missing_is_told(fake, sink):
    """A refusal for lack of rights names the role that is needed."""
    fake.fail(status=403, body={"title": "Forbidden"})
    assert "manager" in rows(sink)["connection"].cure


def test_a_sink_without_a_store_has_no_row_for_it(make_sink):
    """What is not configured is neither checked nor prepared."""
    sink = make_sink(store=None)
    assert "store" not in rows(sink)
    assert sink.inspect([]).list_id == sink.prepare([]).list_id


def test_a_merge_field_of_another_type_is_told(fake, sink):
    """A type that cannot take the mapped values is wrong; a text field takes them all."""
    fake.add_merge_field("SCORE", "date")
    fake.add_merge_field("ERPID", "text")
    row = rows(sink, SCORE, MergeField(tag="ERPID", type="number"))["merge fields"]
    assert (False, "SCORE is date, not number") == (row.ok, row.detail)


def test_a_store_with_trouble_is_told(fake, sink, make_sink):
    """A store left syncing, of another currency, or of another audience is named."""
    sink.prepare([])
    fake.stores["acme"].is_syncing = True
    assert "syncing" in rows(sink)["store"].detail
    fake.stores["acme"].is_syncing = False
    euro = make_sink(store=Store(id="acme", name="Acme", currency_code="EUR"))
    assert ("Acme (acme) has currency USD, not EUR", False) == (rows(euro)["store"].detail, rows(euro)["store"].ok)
    fake.stores["acme"].settings["list_id"] = "other"
    assert not rows(sink)["store"].ok


# Reading members


class Clock:
    """A far side's clock that tests set."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def read(sink: MailchimpSink, since: datetime | None) -> list[AudienceMember]:
    """All members of all pages."""
    return [member for page in sink.changed_members(since) for member in page]


def test_one_member_can_be_looked_up(fake, sink):
    """Status, reason and values of a member are told, archived ones included, and `None` for strangers."""
    fake.add_member("Pat@acme.org", "archived", {"FNAME": "Pat"})
    member = sink.member("pat@ACME.org")
    assert member is not None
    assert ("pat@acme.org", "archived", "Pat") == (member.address, member.status, member.merge_fields["FNAME"])
    assert sink.member("no@acme.org") is None


def test_the_present_is_the_servers(fake, sink):
    """Time comes from the answers, in UTC and whole seconds."""
    present = sink.present()
    assert (UTC, 0) == (present.tzinfo, present.microsecond)


def test_members_changed_since_then_are_read(fake, sink):
    """Changes at that very second count, older ones do not; archived members and reasons are told."""
    clock = Clock()
    fake.audience.clock = clock
    for number, status in enumerate(["subscribed", "cleaned", "archived", "subscribed"]):
        clock.now = START + timedelta(minutes=number)
        fake.add_member(f"m{number}@acme.org", status)
    fake.unsubscribe("m3@acme.org", "too much mail")
    assert [
        ("m1@acme.org", "cleaned", ""),
        ("m3@acme.org", "unsubscribed", "too much mail"),
        ("m2@acme.org", "archived", ""),
    ] == [(m.address, m.status, m.reason) for m in read(sink, START + timedelta(minutes=1))]
    assert 4 == len(read(sink, None))


def test_forgotten_people_are_not_told(fake, sink):
    """What is left of somebody deleted for good is no member."""
    fake.add_member("0123@forgotten.mailchimp.com", "unsubscribed")
    assert [] == read(sink, None)


@pytest.mark.parametrize(
    "stamp",
    [lambda n: 0, lambda n: n, lambda n: n // 700, lambda n: 0 if n < 1500 else 5],
    ids="tie step runs two".split(),
)
def test_every_member_is_told_once_however_stamps_fall(fake, sink, stamp):
    """Thousands of equal stamps, distinct ones, and mixtures are read whole and without doubles."""
    clock = Clock()
    fake.audience.clock = clock
    for number in range(2300):
        clock.now = START + timedelta(seconds=stamp(number))
        fake.add_member(f"m{number}@acme.org")
    found = [member.address for member in read(sink, START)]
    assert (2300, 2300) == (len(found), len(set(found)))


def changing(fake: FakeMailchimp, change: Callable[[int], None]) -> None:
    """Call `change` with a running number before each page of members."""
    pages = iter(range(1000))

    def before(request: Request) -> None:
        if request.path.endswith("/members"):
            change(next(pages))

    fake.before_each.append(before)


def everybody(sink: MailchimpSink, *merge_tags: str) -> list[AudienceMember]:
    """The whole audience, of all pages."""
    return [member for page in sink.all_members(merge_tags) for member in page]


def test_addresses_are_told_in_one_form(fake, sink):
    """In whatever case an address was written, it is told in the one that links and suppressions are kept by."""
    fake.add_member("Pat.Hara@Acme.org", "unsubscribed")
    assert ["pat.hara@acme.org"] == [member.address for member in read(sink, None)]


def test_the_whole_audience_is_read_with_few_fields(fake, sink):
    """Everybody is told, archived ones last, with their own id and the merge fields asked for, a thousand to a call."""
    fake.keep_bodies = True
    fake.add_merge_field("ERPID")
    fake.add_member("gone@acme.org", "archived", {"ERPID": "C2", "FNAME": "Ann"})
    pat = fake.add_member("pat@acme.org", "cleaned", {"ERPID": "C1", "FNAME": "Pat"})
    found = everybody(sink, "ERPID")
    assert [("pat@acme.org", "cleaned", "C1"), ("gone@acme.org", "archived", "C2")] == [
        (member.address, member.status, member.merge_fields["ERPID"]) for member in found
    ]
    assert pat.contact_id == found[0].contact_id
    asked = fake.requests("GET", "/members")[0]
    row: dict[str, Any] = json.loads(asked.response_body)["members"][0]
    assert ("1000", {"ERPID": "C1"}) == (asked.request.query["count"], row["merge_fields"])
    assert {"id", "contact_id", "email_address", "status", "last_changed", "merge_fields"} == set(row)


def test_without_merge_fields_none_are_asked_for(fake, sink):
    """An audience that lacks the field of the ERP's number can be read too."""
    fake.add_member("pat@acme.org")
    assert [{}] == [member.merge_fields for member in everybody(sink)]


def test_nobody_is_missed_who_changes_while_the_whole_audience_is_read(fake, sink, monkeypatch):
    """A member whose row moves to the end of the list between two pages is met there."""
    clock = Clock()
    fake.audience.clock = clock
    for number in range(40):
        clock.now = START + timedelta(seconds=number)
        fake.add_member(f"m{number}@acme.org")
    monkeypatch.setattr("mlconnector_sdk.mailchimp._audience.LARGEST_PAGE", 7)
    changing(fake, lambda page: fake.audience.touch(fake.members[f"m{39 - page}@acme.org"]) if page < 6 else None)
    assert {f"m{number}@acme.org" for number in range(40)} == {member.address for member in everybody(sink)}


@settings(max_examples=8)
@given(
    stamps=st.lists(st.integers(0, 3), min_size=30, max_size=60),
    moved=st.lists(st.sets(st.integers(0, 59), max_size=12), max_size=6),
)
def test_members_that_change_while_we_page_hide_no_others(stamps, moved):
    """Whoever did not change while we read is told, whatever happened to the others."""
    clock = Clock()
    with FakeMailchimp(clock=clock) as fake:
        for number, stamp in enumerate(stamps):
            clock.now = START + timedelta(seconds=stamp)
            fake.add_member(f"m{number}@acme.org")
        clock.now = START + timedelta(hours=1)
        later = START + timedelta(days=1)
        touched: set[str] = set()

        def change(page: int) -> None:
            for number in moved[page] if page < len(moved) else ():
                if member := fake.members.get(f"m{number}@acme.org"):
                    member.last_changed = later
                    touched.add(member.email_address)

        changing(fake, change)
        with (
            pytest.MonkeyPatch.context() as patch,
            MailchimpSink(fake.api_key, list_id=fake.list_id, base_url=fake.base_url) as sink,
        ):
            patch.setattr("mlconnector_sdk.mailchimp._audience.LARGEST_PAGE", 7)
            found = {member.address for member in read(sink, START)}
    assert {member.email_address for member in fake.members.values()} - touched <= found


def test_members_without_a_stamp_are_told_too(fake, sink):
    """Paging needs no stamp to go on."""
    members = [{"id": f"{n}", "email_address": f"m{n}@acme.org", "status": "subscribed"} for n in range(2)]
    for number, member in enumerate(members):
        fake.fail(status=200, body={"members": [member], "total_items": 2}, path="/members", nth=number + 1)
    assert ["m0@acme.org", "m1@acme.org"] == [member.address for member in read(sink, None)]


def test_a_page_is_small_on_the_wire(fake, sink):
    """Only the fields that are used are asked for, a thousand members at a time."""
    fake.keep_bodies = True
    fake.add_member("pat@acme.org")
    read(sink, None)
    asked = fake.requests("GET", "/members")[0]
    answer: dict[str, Any] = json.loads(asked.response_body)
    assert "1000" == asked.request.query["count"]
    assert {"id", "email_address", "status", "last_changed"} == set(answer["members"][0])
