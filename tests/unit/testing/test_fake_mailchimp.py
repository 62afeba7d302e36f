"""What a client may rely on in FakeMailchimp, over real HTTP."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from mlconnector_sdk.testing.fakes._mailchimp import FakeMailchimp
from mlconnector_sdk.testing.fakes._mailchimp_batches import Batch
from mlconnector_sdk.testing.fakes._server import Request

KEY = "0123456789abcdef0123456789abcdef-us6"
LIST = "/lists/a1b2c3d4e5"
MEMBERS = f"{LIST}/members"
STORES = "/ecommerce/stores"
GOOD = {"email_address": "a@acme.org", "status_if_new": "subscribed"}
ADDRESS = {"addr1": "1 Main St", "city": "Atlanta", "state": "GA", "zip": "30308"}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time it stands at."""
        return self.time

    def advance(self, **by: float) -> None:
        """Move on by a `timedelta`'s arguments."""
        self.time += timedelta(**by)


@pytest.fixture(name="clock")
def _clock() -> Clock:
    return Clock()


@pytest.fixture(name="fake")
def _fake(clock: Clock) -> Iterator[FakeMailchimp]:
    with FakeMailchimp(clock=clock) as fake:
        yield fake


@pytest.fixture(name="client")
def _client(fake: FakeMailchimp) -> Iterator[httpx.Client]:
    with _connect(fake) as client:
        yield client


def _connect(fake: FakeMailchimp, **options: Any) -> httpx.Client:
    options = {"auth": ("any", fake.api_key), **options}
    return httpx.Client(base_url=fake.base_url, trust_env=False, **options)


def _path(fake: FakeMailchimp, email: str) -> str:
    return f"{MEMBERS}/{fake.members[email].id}"


def _put(client: httpx.Client, email: str, **body: Any) -> httpx.Response:
    return client.put(f"{MEMBERS}/{email}", json={"email_address": email, **body})


def _bulk(client: httpx.Client, *members: dict[str, Any], **flags: Any) -> dict[str, Any]:
    query = {name: "true" for name in ("skip_duplicate_check", "skip_merge_validation") if flags.pop(name, False)}
    reply = client.post(LIST, params=query, json={"members": list(members), **flags})
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


def _new(email: str, **rest: Any) -> dict[str, Any]:
    return {"email_address": email, "status_if_new": "subscribed", **rest}


def _refusal(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["title"]


# Access


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"OAuth {KEY}", "Bearer oauth-token"])
def test_keys_and_tokens_open(fake: FakeMailchimp, header: str) -> None:
    """A key works as Bearer and OAuth too, and a listed OAuth token works like a key."""
    fake.tokens.add("oauth-token")
    with _connect(fake, auth=None, headers={"Authorization": header}) as client:
        reply = client.get("/ping")

    assert {"health_status": "Everything's Chimpy!"} == reply.json()


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (None, (401, "API Key Missing")),
        (("any", "f" * 32 + "-us6"), (401, "API Key Invalid")),
        (("any", "f" * 32 + "-us7"), (403, "Forbidden")),
        (("any", ""), (401, "API Key Missing")),
    ],
)
def test_bad_credentials_are_refused(fake: FakeMailchimp, auth: Any, expected: tuple[int, str]) -> None:
    """A missing key, a wrong one and one of another data centre are three different problems."""
    with _connect(fake, auth=auth) as client:
        reply = client.get("/ping")

    assert expected == _refusal(reply)


def test_the_right_data_centre_is_named(fake: FakeMailchimp) -> None:
    """The 403 for a key of another data centre says which one it belongs to."""
    with _connect(fake, auth=("any", "f" * 32 + "-us7")) as client:
        detail = client.get("/ping").json()["detail"]

    assert detail == "The API key provided is linked to datacenter 'us7'"


def test_a_viewer_only_reads() -> None:
    """A key whose user may not write gets 403 for a write and its answer for a read."""
    with FakeMailchimp(role="viewer") as fake, _connect(fake) as client:
        statuses = [client.get(LIST).status_code, _put(client, "pat@acme.org", status_if_new="subscribed").status_code]

    assert statuses == [200, 403]


def test_one_connection_too_many_is_throttled() -> None:
    """A request beyond the allowed simultaneous ones is 429 at once, and the others are served."""
    started, release = threading.Event(), threading.Event()

    def hold(request: Request) -> None:
        started.set()
        release.wait(5)

    with FakeMailchimp(max_connections=1) as fake, _connect(fake) as client, ThreadPoolExecutor(1) as pool:
        fake.before_each.append(hold)
        first = pool.submit(client.get, "/ping")
        started.wait(5)
        second = client.get("/ping")
        release.set()

        assert [200, 429] == [first.result().status_code, second.status_code]


# Requests and answers


def test_broken_json_is_told(client: httpx.Client) -> None:
    """A body that is not JSON is a 400 of its own."""
    reply = client.post(f"{MEMBERS}", content=b"{not json")

    assert _refusal(reply) == (400, "JSON Parse Exception")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email_address": "a@acme.org", "status_if_new": "subscribed", "nickname": "A"}, "nickname"),
        ({"email_address": "a@acme.org", "status_if_new": "subscribed", "vip": "yes"}, "vip"),
        ({"email_address": "a@acme.org", "status_if_new": "member"}, "status_if_new"),
        ({"status_if_new": "subscribed"}, ""),
        (["a@acme.org"], ""),
        ({**GOOD, "merge_fields": "FNAME"}, "merge_fields"),
        ({**GOOD, "merge_fields": True}, "merge_fields"),
        ({**GOOD, "tags": "ERP"}, "tags"),
        ({**GOOD, "language": None, "vip": None, "email_address": None}, "email_address"),
        ({**GOOD, "timestamp_opt": 5}, "timestamp_opt"),
        ({**GOOD, "timestamp_opt": "2026-13-01 00:00:00"}, "timestamp_opt"),
        ({**GOOD, "location": {"latitude": "north"}}, "location.latitude"),
        ({"email_address": "a@acme.org", "status_if_new": "subscribed", "ip_opt": "here"}, "ip_opt"),
    ],
)
def test_bodies_are_checked(client: httpx.Client, body: Any, field: str) -> None:
    """Unknown names, wrong types, unknown literals and missing fields are named in errors[]."""
    reply = client.put(f"{MEMBERS}/a@acme.org", json=body)

    assert _refusal(reply) == (400, "Invalid Resource")
    assert [field] == [error["field"] for error in reply.json()["errors"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("count=1001", 400),
        ("offset=-1", 400),
        ("size=5", 400),
        ("status=gone", 400),
        ("since_last_changed=2026-03-01T00:00:00+00:00", 400),
        ("since_last_changed=2026-03-01T00:00:00%2B00:00", 200),
        ("fields=members.nickname", 422),
        ("fields=total_items&exclude_fields=members._links", 422),
    ],
)
def test_queries_are_checked(client: httpx.Client, query: str, expected: int) -> None:
    """Unknown parameters, values out of range, an unescaped plus and unknown field names are refused."""
    assert expected == client.get(f"{MEMBERS}?{query}").status_code


def test_fields_leave_only_what_was_asked(fake: FakeMailchimp, client: httpx.Client) -> None:
    """`fields` reaches into the entries of a list and into merge fields."""
    fake.add_member("pat@acme.org", merge_fields={"FNAME": "Pat"})

    reply = client.get(MEMBERS, params={"fields": "members.status,members.merge_fields.FNAME,total_items"})

    expected = {"members": [{"status": "subscribed", "merge_fields": {"FNAME": "Pat"}}], "total_items": 1}
    assert expected == reply.json()


def test_excluded_links_are_left_out(fake: FakeMailchimp, client: httpx.Client) -> None:
    """Members carry `_links` by default, and lose them by `exclude_fields`."""
    fake.add_member("pat@acme.org")

    with_links = client.get(MEMBERS).json()["members"][0]
    without = client.get(MEMBERS, params={"exclude_fields": "members._links"}).json()["members"][0]

    assert set(with_links) - set(without) == {"_links"}


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/lists/other", 404),
        ("GET", f"{MEMBERS}/nobody@acme.org", 404),
        ("GET", f"{STORES}/other/orders", 404),
        ("PUT", f"{STORES}/acme/orders/1", 405),
        ("PUT", f"{STORES}/acme/products/1", 405),
        ("GET", f"{STORES}/acme/orders/A/1", 414),
    ],
)
def test_paths_are_judged(client: httpx.Client, method: str, path: str, expected: int) -> None:
    """Unknown resources are 404, methods a resource lacks 405, and an id with an open slash 414."""
    assert expected == client.request(method, path).status_code


@pytest.mark.parametrize(("method", "expected"), [("POST", 200), ("PUT", 422)])
def test_the_method_override_works_on_post(
    fake: FakeMailchimp, client: httpx.Client, method: str, expected: int
) -> None:
    """X-HTTP-Method-Override turns a POST into another method and is refused elsewhere."""
    fake.add_member("pat@acme.org")
    header = {"X-HTTP-Method-Override": "PATCH"}

    reply = client.request(method, _path(fake, "pat@acme.org"), json={"vip": True}, headers=header)

    assert expected == reply.status_code


def test_an_escaped_slash_is_part_of_the_id(fake: FakeMailchimp, client: httpx.Client) -> None:
    """An id with a slash works when it is percent-encoded."""
    _open_store(client)
    client.post(f"{STORES}/acme/products", json={"id": "A/1", "title": "A", "variants": [{"id": "A/1", "title": "A"}]})

    assert client.get(f"{STORES}/acme/products/A%2F1").json()["title"] == "A"


def test_exists_and_compliance_problems_lack_a_type(fake: FakeMailchimp, client: httpx.Client) -> None:
    """`Member Exists` comes without `type`, a missing resource with it, as the real system has it."""
    fake.add_member("pat@acme.org")

    exists = client.post(MEMBERS, json={"email_address": "pat@acme.org", "status": "subscribed"}).json()
    missing = client.get(f"{MEMBERS}/nobody@acme.org").json()

    assert (exists["title"], "type" in exists, "type" in missing) == ("Member Exists", False, True)


# One member


def test_put_creates_and_then_keeps_the_status(fake: FakeMailchimp, client: httpx.Client) -> None:
    """`status_if_new` counts for a new member only."""
    _put(client, "Pat@acme.org", status_if_new="transactional")
    _put(client, "pat@acme.org", status_if_new="subscribed", merge_fields={"FNAME": "Pat"})

    member = fake.members["PAT@acme.org"]
    assert (member.status, member.merge_fields) == ("transactional", {"FNAME": "Pat"})


def test_a_member_is_found_by_hash_address_and_contact_id(fake: FakeMailchimp, client: httpx.Client) -> None:
    """The path takes the subscriber hash, the raw address and the contact id."""
    member = fake.add_member("Pat@acme.org")

    found = [
        client.get(f"{MEMBERS}/{identity}").json()["id"] for identity in (member.id, "pat@acme.org", member.contact_id)
    ]

    assert [member.id] * 3 == found


def test_a_changed_address_keeps_the_contact(fake: FakeMailchimp, client: httpx.Client) -> None:
    """PATCH of the old hash with a new address gives a new id and keeps contact id and data."""
    fake.add_member("old@acme.org", tags=["VIP"])
    old = _path(fake, "old@acme.org")
    contact = fake.members["old@acme.org"].contact_id

    answer = client.patch(old, json={"email_address": "new@acme.org"}).json()

    assert (answer["id"], answer["contact_id"]) == (fake.members["new@acme.org"].id, contact)
    assert (client.get(old).status_code, fake.members["new@acme.org"].tags) == (404, ["VIP"])


def test_a_taken_address_is_refused(fake: FakeMailchimp, client: httpx.Client) -> None:
    """An address of another member cannot be taken over."""
    fake.add_member("old@acme.org")
    fake.add_member("new@acme.org")

    reply = client.patch(_path(fake, "old@acme.org"), json={"email_address": "NEW@acme.org"})

    assert _refusal(reply) == (400, "Member Exists")


def test_an_unknown_hash_with_a_known_address_is_refused(fake: FakeMailchimp, client: httpx.Client) -> None:
    """PUT under a wrong hash does not touch the member of that address."""
    fake.add_member("pat@acme.org")

    reply = client.put(f"{MEMBERS}/{'0' * 32}", json=_new("pat@acme.org"))

    assert _refusal(reply) == (400, "Member Exists")


@pytest.mark.parametrize(
    ("leave", "status", "expected"),
    [
        ("unsubscribe", "subscribed", "Member In Compliance State"),
        ("clean", "subscribed", "Member In Compliance State"),
        ("forget", "subscribed", "Forgotten Email Not Subscribed"),
        ("unsubscribe", "pending", None),
        ("archive", "subscribed", None),
    ],
)
def test_moves_back(fake: FakeMailchimp, client: httpx.Client, leave: str, status: str, expected: str | None) -> None:
    """Who left by their own hand, bounced or was forgotten stays away; the archived may return."""
    fake.add_member("pat@acme.org")
    getattr(fake, leave)("pat@acme.org")

    reply = _put(client, "pat@acme.org", status=status, status_if_new=status)

    assert (expected or status) == reply.json()["title" if expected else "status"]


def test_an_unsubscribe_by_the_api_can_be_taken_back(fake: FakeMailchimp, client: httpx.Client) -> None:
    """The compliance state comes from the contact, not from our own PATCH."""
    fake.add_member("pat@acme.org")
    path = _path(fake, "pat@acme.org")

    statuses = [client.patch(path, json={"status": s}).json()["status"] for s in ("unsubscribed", "subscribed")]

    assert statuses == ["unsubscribed", "subscribed"]


def test_confirming_lifts_the_compliance_state(fake: FakeMailchimp, client: httpx.Client) -> None:
    """After the contact signs up again, the API may subscribe them as before."""
    fake.add_member("pat@acme.org")
    fake.unsubscribe("pat@acme.org")
    fake.confirm("pat@acme.org")
    path = _path(fake, "pat@acme.org")
    client.patch(path, json={"status": "unsubscribed"})

    assert client.patch(path, json={"status": "subscribed"}).status_code == 200


def test_status_if_new_does_not_bring_the_archived_back(fake: FakeMailchimp, client: httpx.Client) -> None:
    """An archived member stays archived without an explicit status."""
    fake.add_member("pat@acme.org")
    fake.archive("pat@acme.org")

    assert _put(client, "pat@acme.org", status_if_new="subscribed").json()["status"] == "archived"


def test_archiving_twice_is_not_allowed(fake: FakeMailchimp, client: httpx.Client) -> None:
    """The first DELETE is 204 without a body, the second 405 with an Allow header."""
    fake.add_member("pat@acme.org")
    path = _path(fake, "pat@acme.org")

    first, second = client.delete(path), client.delete(path)

    assert (first.status_code, first.content) == (204, b"")
    assert (second.status_code, second.headers["allow"]) == (405, "GET, PUT")


def test_erasing_blocks_the_address(fake: FakeMailchimp, client: httpx.Client) -> None:
    """delete-permanent removes the member and refuses the address for ever."""
    fake.add_member("pat@acme.org")
    client.post(f"{_path(fake, 'pat@acme.org')}/actions/delete-permanent")

    assert "pat@acme.org" not in fake.members
    assert _refusal(_put(client, "pat@acme.org", status_if_new="subscribed"))[1] == "Forgotten Email Not Subscribed"


@pytest.mark.parametrize("email", ["pat@example.com", "pat@shop.test", "pat", "pat,ann@acme.org", "a..b@acme.org"])
def test_unreal_addresses_are_refused(client: httpx.Client, email: str) -> None:
    """Reserved domains and broken syntax are 400."""
    reply = client.post(MEMBERS, json={"email_address": email, "status": "subscribed"})

    assert _refusal(reply) == (400, "Invalid Resource")


def test_tags_are_ignored_when_a_member_is_updated(fake: FakeMailchimp, client: httpx.Client) -> None:
    """PUT of an existing member answers 200 and leaves its tags alone; the tags endpoint changes them."""
    fake.add_member("pat@acme.org", tags=["Old"])
    path = _path(fake, "pat@acme.org")

    assert _put(client, "pat@acme.org", status_if_new="subscribed", tags=["New"]).status_code == 200
    assert fake.members["pat@acme.org"].tags == ["Old"]

    tags = [{"name": "old", "status": "inactive"}, {"name": "New", "status": "active"}]
    assert client.post(f"{path}/tags", json={"tags": tags}).status_code == 204
    assert fake.members["pat@acme.org"].tags == ["New"]


def test_a_new_member_needs_a_status(client: httpx.Client) -> None:
    """PUT of an unknown address without any status is 400."""
    assert _refusal(_put(client, "pat@acme.org")) == (400, "Invalid Resource")


def test_a_subscriber_is_not_made_transactional(fake: FakeMailchimp, client: httpx.Client) -> None:
    """A known contact never goes back to transactional."""
    fake.add_member("pat@acme.org")

    assert _put(client, "pat@acme.org", status="transactional").status_code == 400
    assert fake.members["pat@acme.org"].status == "subscribed"


def test_a_transactional_member_may_be_subscribed(fake: FakeMailchimp, client: httpx.Client) -> None:
    """The way from transactional to subscribed is open, and gives the opt-in its time."""
    fake.add_member("pat@acme.org", "transactional")

    assert _put(client, "pat@acme.org", status="subscribed").json()["status"] == "subscribed"


def test_post_brings_the_archived_back_with_their_tags(fake: FakeMailchimp, client: httpx.Client) -> None:
    """POST of an archived address succeeds with the status sent and keeps the old tags."""
    fake.add_member("pat@acme.org", tags=["Old"])
    fake.archive("pat@acme.org")

    answer = client.post(
        MEMBERS, json={"email_address": "pat@acme.org", "status": "subscribed", "tags": ["New"]}
    ).json()

    assert (answer["status"], [tag["name"] for tag in answer["tags"]]) == ("subscribed", ["Old", "New"])


def test_plain_properties_are_kept(fake: FakeMailchimp, client: httpx.Client) -> None:
    """Language, interests, permissions and times are stored; an unknown language becomes empty."""
    interests = fake.add_interest_category("Trade", ["Retail", "Wholesale"])
    permission = fake.add_marketing_permission("Email")
    rest = {
        "interests": {interests["Retail"]: True},
        "marketing_permissions": [{"marketing_permission_id": permission, "enabled": True}],
        "timestamp_signup": "2026-01-02 03:04:05",
    }
    answer = _put(client, "pat@acme.org", status_if_new="subscribed", language="xx", **rest).json()

    assert {interests["Retail"]: True, interests["Wholesale"]: False} == answer["interests"]
    assert [True] == [entry["enabled"] for entry in answer["marketing_permissions"]]
    assert ("2026-01-02T03:04:05+00:00", "") == (answer["timestamp_signup"], answer["language"])


@pytest.mark.parametrize(
    "rest", [{"interests": {"nope": True}}, {"marketing_permissions": [{"marketing_permission_id": "nope"}]}]
)
def test_unknown_groups_and_permissions_are_refused(client: httpx.Client, rest: dict[str, Any]) -> None:
    """Ids that the audience lacks are 400."""
    assert _put(client, "pat@acme.org", status_if_new="subscribed", **rest).status_code == 400


def test_refused_domains_are_a_setting(fake: FakeMailchimp, client: httpx.Client) -> None:
    """A test may let reserved domains through."""
    fake.refused_domains = ()

    assert _put(client, "pat@example.com", status_if_new="subscribed").status_code == 200


# Merge fields


@pytest.mark.parametrize(("phone", "expected"), [("(404) 555-0100", 200), ("404-555-0100", 200), ("+49 30 1234", 400)])
def test_a_us_phone_is_checked(fake: FakeMailchimp, client: httpx.Client, phone: str, expected: int) -> None:
    """A phone field in US format takes US numbers only; an international one takes any text."""
    fake.add_merge_field("TEL", "phone", options={"phone_format": "US"})

    assert expected == _put(client, "a@acme.org", status_if_new="subscribed", merge_fields={"TEL": phone}).status_code
    assert _put(client, "b@acme.org", status_if_new="subscribed", merge_fields={"PHONE": phone}).status_code == 200


def test_a_renamed_field_keeps_its_values(fake: FakeMailchimp, client: httpx.Client) -> None:
    """PATCH of a tag moves the members' values to the new tag, DELETE drops them."""
    fake.add_member("pat@acme.org", merge_fields={"FNAME": "Pat"})
    path = f"{LIST}/merge-fields/{fake.merge_fields['FNAME'].merge_id}"

    client.patch(path, json={"name": "First", "tag": "FIRST"})
    assert fake.members["pat@acme.org"].merge_fields == {"FIRST": "Pat"}

    client.delete(path)
    assert (fake.members["pat@acme.org"].merge_fields, "FIRST" in fake.merge_fields) == ({}, False)


def test_a_choice_field_needs_choices(client: httpx.Client) -> None:
    """A dropdown without choices is refused."""
    reply = client.post(f"{LIST}/merge-fields", json={"tag": "CLASS", "name": "Class", "type": "dropdown"})

    assert reply.json()["errors"][0]["field"] == "options.choices"


def test_unknown_tags_vanish(fake: FakeMailchimp, client: httpx.Client) -> None:
    """A merge tag that the audience lacks is dropped with 200."""
    reply = _put(client, "pat@acme.org", status_if_new="subscribed", merge_fields={"NOPE": "x", "FNAME": "Pat"})

    assert (reply.status_code, fake.members["pat@acme.org"].merge_fields) == (200, {"FNAME": "Pat"})


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("text", "ä" * 200, "ä" * 127),
        ("number", "12.5", 12.5),
        ("date", "31-12-2026", "2026-12-31"),
        ("birthday", "02/29", "02/29"),
        ("zip", "30308", "30308"),
        ("url", "https://acme.org", "https://acme.org"),
        ("dropdown", "A", "A"),
        ("number", "", ""),
    ],
)
def test_values_are_stored_by_type(
    fake: FakeMailchimp, client: httpx.Client, kind: str, value: Any, expected: Any
) -> None:
    """Text is cut at 255 bytes, numbers become numbers, dates ISO; empty text clears any type."""
    fake.add_merge_field("X", kind, choices=["A", "B"])

    reply = _put(client, "pat@acme.org", status_if_new="subscribed", merge_fields={"X": value})

    assert expected == reply.json()["merge_fields"]["X"]


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("number", "much", "Please enter a number"),
        ("date", "tomorrow", "Please enter the date"),
        ("birthday", "13/01", "Please enter a month (01-12) and a day (01-31)"),
        ("zip", "SW1A 1AA", "Please enter a zip code (12345)"),
        ("url", "acme", "Please enter a URL"),
        ("dropdown", "C", "Value must be one of: A, B"),
        ("address", {**ADDRESS, "state": ""}, "Please enter a complete address"),
    ],
)
def test_values_that_do_not_fit_are_named(
    fake: FakeMailchimp, client: httpx.Client, kind: str, value: Any, message: str
) -> None:
    """A value that its type cannot take is 400 with tag and message, and nothing is written."""
    fake.add_merge_field("X", kind, choices=["A", "B"])

    reply = _put(client, "pat@acme.org", status_if_new="subscribed", merge_fields={"X": value})

    assert reply.json()["errors"] == [{"field": "X", "message": message}]
    assert "pat@acme.org" not in fake.members


@pytest.mark.parametrize("value", ["1 Main St", {**ADDRESS, "street": "x"}, {**ADDRESS, "zip": 30308}, None, []])
def test_an_address_of_the_wrong_shape_is_a_schema_error(client: httpx.Client, value: Any) -> None:
    """Text, numbers or unknown keys in an address fit none of the schemas."""
    reply = _put(client, "pat@acme.org", status_if_new="subscribed", merge_fields={"ADDRESS": value})

    message = "Data did not match any of the schemas described in anyOf."
    assert reply.json()["errors"] == [{"field": "merge_fields.ADDRESS", "message": message}]


def test_required_fields_may_be_skipped(fake: FakeMailchimp, client: httpx.Client) -> None:
    """A missing required field is 400 unless skip_merge_validation is set."""
    fake.add_merge_field("ERPID", required=True)
    body = _new("pat@acme.org")

    strict = client.put(f"{MEMBERS}/x", json=body)
    lenient = client.put(f"{MEMBERS}/x?skip_merge_validation=true", json=body)

    assert [strict.status_code, lenient.status_code] == [400, 200]


def test_an_incomplete_address_freezes_its_member(fake: FakeMailchimp, client: httpx.Client) -> None:
    """A stored incomplete address fails writes that do not mention it."""
    fake.add_member("pat@acme.org", merge_fields={"ADDRESS": {"addr1": "1 Main St"}})

    reply = _put(client, "pat@acme.org", status_if_new="subscribed", merge_fields={"FNAME": "Pat"})

    assert reply.json()["errors"] == [{"field": "ADDRESS", "message": "Please enter a complete address"}]


@pytest.mark.parametrize("tag", ["FNAME", "fname", "MUCHTOOLONGTAG", "A-B"])
def test_merge_tags_are_checked(client: httpx.Client, tag: str) -> None:
    """A tag that exists in any case, is too long or has other signs is refused."""
    reply = client.post(f"{LIST}/merge-fields", json={"tag": tag, "name": "X", "type": "text"})

    assert reply.status_code == 400


def test_a_new_field_is_upper_case_and_usable(fake: FakeMailchimp, client: httpx.Client) -> None:
    """A field made by POST has an upper-case tag and appears in every member."""
    fake.add_member("pat@acme.org")
    made = client.post(f"{LIST}/merge-fields", json={"tag": "erpid", "name": "ERP", "type": "text"}).json()

    assert (made["tag"], client.get(_path(fake, "pat@acme.org")).json()["merge_fields"]["ERPID"]) == ("ERPID", "")


# Many members


def test_bulk_reports_each_member(fake: FakeMailchimp, client: httpx.Client) -> None:
    """Created, updated and refused members come back apart, addresses stripped, and the totals agree."""
    fake.add_member("old@acme.org", "unsubscribed")

    answer = _bulk(client, _new(" new@acme.org "), _new("old@acme.org"), _new("bad@example.com"), update_existing=True)

    assert ["new@acme.org"] == [m["email_address"] for m in answer["new_members"]]
    assert ["old@acme.org"] == [m["email_address"] for m in answer["updated_members"]]
    assert ["bad@example.com"] == [e["email_address"] for e in answer["errors"]]
    assert (1, 1, 1) == (answer["total_created"], answer["total_updated"], answer["error_count"])
    assert fake.members["old@acme.org"].status == "unsubscribed"


def test_bulk_leaves_known_members_alone_by_default(fake: FakeMailchimp, client: httpx.Client) -> None:
    """Without update_existing a known member is ERROR_CONTACT_EXISTS."""
    fake.add_member("old@acme.org")

    answer = _bulk(client, _new("old@acme.org", merge_fields={"FNAME": "Pat"}))

    assert ["ERROR_CONTACT_EXISTS"] == [e["error_code"] for e in answer["errors"]]
    assert fake.members["old@acme.org"].merge_fields == {}


def test_bulk_names_the_bad_merge_field(fake: FakeMailchimp, client: httpx.Client) -> None:
    """A merge value that does not fit is this member's error, with field and message."""
    fake.add_merge_field("LTV", "number")

    error = _bulk(client, _new("pat@acme.org", merge_fields={"LTV": "much"}), _new("ann@acme.org"))["errors"][0]

    assert error == {
        "email_address": "pat@acme.org",
        "error": "Your merge fields were invalid.",
        "error_code": "ERROR_GENERIC",
        "field": "LTV",
        "field_message": "Please enter a number",
    }
    assert "ann@acme.org" in fake.members


@pytest.mark.parametrize(
    "bad",
    [
        {"email_address": "b@acme.org", "status_if_new": "subscribed", "vip": "yes"},
        {"email_address": "b@acme.org", "status_if_new": "subscribed", "merge_fields": {"ADDRESS": "1 Main St"}},
        {"email_address": "b@acme.org"},
    ],
)
def test_one_bad_shape_spoils_the_whole_bulk(fake: FakeMailchimp, client: httpx.Client, bad: dict[str, Any]) -> None:
    """A schema error in one member is 400 for the call, and nothing of it is applied."""
    reply = client.post(LIST, json={"members": [_new("a@acme.org"), bad]})

    assert (reply.status_code, len(fake.members)) == (400, 0)


def test_bulk_takes_500_at_the_most(fake: FakeMailchimp, client: httpx.Client) -> None:
    """The 501st member spoils the call."""
    many = [_new(f"p{n}@acme.org") for n in range(501)]

    assert client.post(LIST, json={"members": many}).status_code == 400
    assert _bulk(client, *many[:500])["total_created"] == len(fake.members) == 500


def test_duplicates_in_a_bulk(fake: FakeMailchimp, client: httpx.Client) -> None:
    """A repeated address is an error of the later one; with skip_duplicate_check the first one's status stays."""
    first, again = _new("pat@acme.org"), {**_new("PAT@acme.org"), "status_if_new": "transactional"}

    refused = _bulk(client, first, again)
    taken = _bulk(
        client,
        {**first, "email_address": "ann@acme.org"},
        {**again, "email_address": "ann@acme.org"},
        skip_duplicate_check=True,
    )

    assert ([1, 1], [1, 0]) == (
        [refused["total_created"], refused["error_count"]],
        [taken["total_created"], taken["error_count"]],
    )
    assert fake.members["ann@acme.org"].status == "subscribed"


@pytest.mark.parametrize(("sync_tags", "expected"), [(False, ["Old", "ERP"]), (True, ["ERP"])])
def test_bulk_tags(fake: FakeMailchimp, client: httpx.Client, sync_tags: bool, expected: list[str]) -> None:
    """Tags are added to known members; sync_tags replaces all others."""
    fake.add_member("pat@acme.org", tags=["Old"])

    _bulk(client, _new("pat@acme.org", tags=["ERP"]), update_existing=True, sync_tags=sync_tags)

    assert expected == fake.members["pat@acme.org"].tags


@pytest.mark.parametrize(
    ("mode", "expected"), [("honour", (200, 1, 0)), ("ignore", (200, 0, 1)), ("refuse", (400, None, None))]
)
def test_servers_differ_in_status_if_new(mode: Any, expected: tuple[Any, ...]) -> None:
    """A server may honour, ignore or refuse `status_if_new` in bulk."""
    with FakeMailchimp(bulk_status_if_new=mode) as fake, _connect(fake) as client:
        reply = client.post(LIST, json={"members": [_new("pat@acme.org")]})
        answer = reply.json()

    assert expected == (reply.status_code, answer.get("total_created"), answer.get("error_count"))


@pytest.mark.parametrize(("kind", "expected"), [("schema", 400), ("server", 500), ("fake", 200), ("signups", 200)])
def test_poison(fake: FakeMailchimp, client: httpx.Client, kind: str, expected: int) -> None:
    """A poisoned member spoils the whole call or only itself, by its kind, until it is cured."""
    fake.poison("Bad@acme.org", kind)
    members = [_new("good@acme.org"), _new("bad@acme.org")]

    assert expected == client.post(LIST, json={"members": members}).status_code
    assert ("good@acme.org" in fake.members, "bad@acme.org" in fake.members) == (expected == 200, False)

    fake.cure("bad@acme.org")
    _bulk(client, *members, update_existing=True)
    assert "bad@acme.org" in fake.members


def test_unknown_poisons_are_refused(fake: FakeMailchimp) -> None:
    """A misspelt kind of poison does not pass unnoticed."""
    with pytest.raises(ValueError, match="kind must be one of"):
        fake.poison("pat@acme.org", "typo")


# Reading members


def test_changes_since_are_exclusive(fake: FakeMailchimp, client: httpx.Client, clock: Clock) -> None:
    """A member changed at the very second of since_last_changed is left out, one a second later is not."""
    fake.add_member("first@acme.org")
    mark = clock.time.isoformat()
    clock.advance(seconds=1)
    fake.add_member("second@acme.org")

    found = client.get(MEMBERS, params={"since_last_changed": mark}).json()["members"]

    assert ["second@acme.org"] == [member["email_address"] for member in found]


def test_archived_members_show_only_when_asked(fake: FakeMailchimp, client: httpx.Client) -> None:
    """Without a status archived members are not listed."""
    fake.add_member("pat@acme.org")
    fake.archive("pat@acme.org")

    counts = [client.get(MEMBERS, params=query).json()["total_items"] for query in ({}, {"status": "archived"})]

    assert counts == [0, 1]


def test_pages(fake: FakeMailchimp, client: httpx.Client, clock: Clock) -> None:
    """Ten members by default, `count` and `offset` walk on, `total_items` is the whole, the order is as asked."""
    for n in range(12):
        fake.add_member(f"p{n}@acme.org")
        clock.advance(minutes=1)

    sort = {"sort_field": "last_changed", "sort_dir": "DESC"}
    first = client.get(MEMBERS, params=sort).json()
    rest = client.get(MEMBERS, params={**sort, "count": 5, "offset": 10}).json()

    assert (len(first["members"]), first["total_items"]) == (10, 12)
    assert ["p1@acme.org", "p0@acme.org"] == [member["email_address"] for member in rest["members"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "subscribed"}, ["ann"]),
        ({"email_type": "text"}, ["ann"]),
        ({"vip_only": "true"}, ["ann"]),
        ({"interest_ids": "RETAIL"}, ["ann"]),
        ({"interest_ids": "RETAIL", "interest_match": "none"}, ["pat"]),
        ({"interest_ids": "RETAIL", "interest_match": "all"}, ["ann"]),
        ({"status": "unsubscribed", "unsubscribed_since": "2026-03-01T00:00:00Z"}, ["pat"]),
        ({"before_last_changed": "2026-03-01T12:00:00Z"}, []),
        ({"unique_email_id": "ANN"}, ["ann"]),
    ],
)
def test_members_can_be_chosen(
    fake: FakeMailchimp, client: httpx.Client, query: dict[str, str], expected: list[str]
) -> None:
    """Each filter of the member list leaves the members it names."""
    retail = fake.add_interest_category("Trade", ["Retail"])["Retail"]
    ann = fake.add_member("ann@acme.org")
    ann.vip, ann.email_type, ann.interests = True, "text", {retail: True}
    fake.add_member("pat@acme.org")
    fake.unsubscribe("pat@acme.org")
    names = {"RETAIL": retail, "ANN": ann.unique_email_id}

    found = client.get(MEMBERS, params={key: names.get(value, value) for key, value in query.items()}).json()["members"]

    assert expected == [member["email_address"].partition("@")[0] for member in found]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, 1),
        ({"email": "pat@acme.org"}, 1),
        ({"email": "ann@acme.org"}, 0),
        ({"has_ecommerce_store": "true"}, 0),
        ({"has_ecommerce_store": "false"}, 1),
    ],
)
def test_lists_can_be_chosen(fake: FakeMailchimp, client: httpx.Client, query: dict[str, str], expected: int) -> None:
    """The audience is listed unless the filter says otherwise."""
    fake.add_member("pat@acme.org")

    assert expected == client.get("/lists", params=query).json()["total_items"]


@pytest.mark.parametrize(
    "path",
    [
        f"{LIST}/merge-fields/99",
        f"{LIST}/interest-categories/nope",
        f"{LIST}/webhooks/nope",
        f"{MEMBERS}/nobody@acme.org/tags",
        "/batches/nope",
        f"{STORES}/nope",
    ],
)
def test_what_is_not_there_is_404(client: httpx.Client, path: str) -> None:
    """Each kind of resource that does not exist is a 404 problem."""
    assert _refusal(client.get(path)) == (404, "Resource Not Found")


def test_a_webhook_url_is_taken_once(client: httpx.Client) -> None:
    """The same URL twice on one audience is refused, also by way of PATCH; so is one that is no URL."""
    hooks = f"{LIST}/webhooks"
    first, second = {"url": "https://a.acme.org"}, {"url": "https://b.acme.org"}
    client.post(hooks, json=first)
    made = client.post(hooks, json=second).json()["id"]

    replies = [
        client.post(hooks, json=first),
        client.patch(f"{hooks}/{made}", json=first),
        client.post(hooks, json={"url": "here"}),
    ]

    assert [400, 400, 400] == [reply.status_code for reply in replies]
    assert "can't set up multiple WebHooks" in replies[0].json()["detail"]


def test_a_signing_secret_is_told_once(client: httpx.Client) -> None:
    """Only the answer that creates a webhook holds its secret."""
    hooks = f"{LIST}/webhooks"
    made = client.post(hooks, json={"url": "https://a.acme.org"}).json()

    assert ("signing_secret" in made, "signing_secret" in client.get(f"{hooks}/{made['id']}").json()) == (True, False)


# Commerce


def _open_store(client: httpx.Client) -> None:
    store = {"id": "acme", "list_id": "a1b2c3d4e5", "name": "Acme", "currency_code": "USD", "is_syncing": True}
    assert client.post(STORES, json=store).status_code == 200


def _order(order_id: str = "SO-1", **rest: Any) -> dict[str, Any]:
    line = {"id": "1", "product_id": "BOLT", "product_variant_id": "BOLT", "quantity": 2, "price": 2.5}
    customer = {"id": "c1"}
    return {"id": order_id, "customer": customer, "currency_code": "USD", "order_total": 5, "lines": [line], **rest}


@pytest.fixture(name="shop")
def _shop(client: httpx.Client) -> httpx.Client:
    """A client whose account has a store, a customer and a product."""
    _open_store(client)
    product = {"id": "BOLT", "title": "Bolt", "variants": [{"id": "BOLT", "title": "Bolt"}]}
    customer = {"id": "c1", "email_address": "pat@acme.org", "opt_in_status": False}
    client.put(f"{STORES}/acme/customers/c1", json=customer)
    client.post(f"{STORES}/acme/products", json=product)
    return client


@pytest.mark.parametrize(("opted_in", "expected"), [(True, "subscribed"), (False, "transactional")])
def test_a_new_customer_becomes_a_member(
    fake: FakeMailchimp, shop: httpx.Client, opted_in: bool, expected: str
) -> None:
    """A customer with a new address joins the audience by its opt-in."""
    body = {"id": "c2", "email_address": "new@acme.org", "opt_in_status": opted_in}
    shop.put(f"{STORES}/acme/customers/c2", json=body)

    assert expected == fake.members["new@acme.org"].status


def test_a_customer_does_not_resubscribe_anybody(fake: FakeMailchimp, shop: httpx.Client) -> None:
    """An opt-in by e-commerce leaves an unsubscribed member unsubscribed."""
    fake.unsubscribe("pat@acme.org")
    shop.put(f"{STORES}/acme/customers/c1", json={"id": "c1", "email_address": "pat@acme.org", "opt_in_status": True})

    assert fake.members["pat@acme.org"].status == "unsubscribed"


def test_a_customers_address_is_fixed(fake: FakeMailchimp, shop: httpx.Client) -> None:
    """Another address under a known customer id is 400."""
    body = {"id": "c1", "email_address": "new@acme.org", "opt_in_status": False}
    reply = shop.put(f"{STORES}/acme/customers/c1", json=body)

    assert reply.json()["detail"] == "An email address may not be changed once a customer is created."
    assert fake.customers["c1"]["email_address"] == "pat@acme.org"


@pytest.mark.parametrize(
    ("path", "body", "thing"),
    [
        ("/products", {"id": "BOLT", "title": "B", "variants": [{"id": "B", "title": "B"}]}, "product"),
        ("/products/BOLT/variants", {"id": "BOLT", "title": "B"}, "product variant"),
        ("/customers", {"id": "c1", "email_address": "pat@acme.org", "opt_in_status": False}, "customer"),
        ("/orders", _order(), "order"),
    ],
)
def test_nothing_is_created_twice(shop: httpx.Client, path: str, body: dict[str, Any], thing: str) -> None:
    """POST of a known id says that it already exists."""
    shop.post(f"{STORES}/acme/orders", json=_order())

    reply = shop.post(f"{STORES}/acme{path}", json=body)

    assert _refusal(reply) == (400, "Bad Request")
    assert f"A {thing} with the provided ID already exists" in reply.json()["detail"]


@pytest.mark.parametrize("change", [{"product_id": "NUT"}, {"product_variant_id": "NUT"}])
def test_an_order_needs_its_products(fake: FakeMailchimp, shop: httpx.Client, change: dict[str, str]) -> None:
    """An unknown product or variant is 400, and the order is not stored."""
    order = _order()
    order["lines"][0] |= change

    reply = shop.post(f"{STORES}/acme/orders", json=order)

    assert reply.json()["detail"] == "A product with the provided ID does not exist in the account for this list."
    assert fake.orders == {}


@pytest.mark.parametrize(
    "change",
    [{"quantity": 1.5}, {"quantity": "2"}, {"price": "cheap"}, {"id": ""}, {"colour": "red"}],
)
def test_order_lines_are_checked(fake: FakeMailchimp, shop: httpx.Client, change: dict[str, Any]) -> None:
    """A quantity is a whole number, a price a number or numeric text, an id not empty."""
    order = _order()
    order["lines"][0] |= change

    assert shop.post(f"{STORES}/acme/orders", json=order).status_code == 400
    assert fake.orders == {}


def test_an_order_without_lines_is_refused(shop: httpx.Client) -> None:
    """An empty list of lines is 400."""
    assert shop.post(f"{STORES}/acme/orders", json=_order(lines=[])).status_code == 400


def test_an_order_for_an_unknown_customer_needs_an_address(shop: httpx.Client) -> None:
    """Only the id of a customer who does not exist is not enough."""
    reply = shop.post(f"{STORES}/acme/orders", json=_order(customer={"id": "c9"}))

    assert reply.json()["detail"] == "An email address is required to create a customer."


def test_a_patched_order_keeps_lines_not_sent(fake: FakeMailchimp, shop: httpx.Client) -> None:
    """PATCH adds and changes lines by id; only DELETE of a line removes one."""
    shop.post(f"{STORES}/acme/orders", json=_order())
    path = f"{STORES}/acme/orders/SO-1"
    shop.patch(path, json={"lines": [{**_order()["lines"][0], "id": "2"}]})

    assert ["1", "2"] == [line["id"] for line in fake.orders["SO-1"]["lines"]]
    assert shop.delete(f"{path}/lines/1").status_code == 204
    assert ["2"] == [line["id"] for line in fake.orders["SO-1"]["lines"]]


def test_orders_count_for_their_customer(shop: httpx.Client) -> None:
    """A customer's totals follow its orders, cancelled ones not counted."""
    shop.post(f"{STORES}/acme/orders", json=_order())
    shop.post(f"{STORES}/acme/orders", json=_order("SO-2"))
    shop.patch(f"{STORES}/acme/orders/SO-2", json={"cancelled_at_foreign": "2026-03-01T00:00:00Z"})

    customer = shop.get(f"{STORES}/acme/customers/c1").json()

    assert (customer["orders_count"], customer["total_spent"]) == (1, 5)


def test_the_syncing_flag_can_be_followed(fake: FakeMailchimp, shop: httpx.Client) -> None:
    """`is_syncing` of the store is what the last write said."""
    before = fake.stores["acme"].is_syncing
    shop.patch(f"{STORES}/acme", json={"is_syncing": False})

    assert [before, fake.stores["acme"].is_syncing] == [True, False]


def test_products_can_be_put_where_the_contract_has_it() -> None:
    """With product_put PUT updates a product and does not create one."""
    with FakeMailchimp(product_put=True) as fake, _connect(fake) as client:
        _open_store(client)
        path = f"{STORES}/acme/products"
        missing = client.put(f"{path}/BOLT", json={"id": "BOLT", "title": "Bolt"}).status_code
        client.post(path, json={"id": "BOLT", "title": "Bolt", "variants": [{"id": "BOLT", "title": "Bolt"}]})
        title = client.put(f"{path}/BOLT", json={"id": "BOLT", "title": "Bolt M8"}).json()["title"]

    assert (missing, title) == (404, "Bolt M8")


def test_a_transactional_customer_may_opt_in(fake: FakeMailchimp, shop: httpx.Client) -> None:
    """A later opt-in of a customer subscribes its transactional member."""
    shop.patch(f"{STORES}/acme/customers/c1", json={"opt_in_status": True})

    assert fake.members["pat@acme.org"].status == "subscribed"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", STORES, {"id": "b", "list_id": "other", "name": "B", "currency_code": "USD"}),
        ("POST", STORES, {"id": "b", "list_id": "a1b2c3d4e5", "name": "B", "currency_code": "dollar"}),
        ("PATCH", f"{STORES}/acme", {"list_id": "a1b2c3d4e5"}),
        ("PUT", f"{STORES}/acme/customers/c2", {"id": "c3", "email_address": "a@acme.org", "opt_in_status": False}),
        (
            "PUT",
            f"{STORES}/acme/customers/{'c' * 51}",
            {"id": "c" * 51, "email_address": "a@acme.org", "opt_in_status": False},
        ),
        ("PATCH", f"{STORES}/acme/customers/c1", {"email_address": "new@acme.org"}),
        ("POST", f"{STORES}/acme/orders", _order("SO-2", customer={"id": "c9", "email_address": "a@acme.org"})),
        ("POST", f"{STORES}/acme/orders", _order("SO-2", processed_at_foreign="yesterday")),
        ("PATCH", f"{STORES}/acme/orders/SO-1", {"customer": {"id": "c2"}}),
        ("PATCH", f"{STORES}/acme/orders/SO-1", {"lines": [{"id": "2", "quantity": 1}]}),
        ("PATCH", f"{STORES}/acme/orders/SO-1", {"lines": [{"quantity": 1}]}),
        ("POST", f"{STORES}/acme/orders/SO-1/lines", _order()["lines"][0]),
        ("DELETE", f"{STORES}/acme/products/BOLT/variants/BOLT", None),
    ],
)
def test_commerce_writes_are_checked(
    fake: FakeMailchimp, shop: httpx.Client, method: str, path: str, body: dict[str, Any] | None
) -> None:
    """What breaks a rule of the store is 400 and changes nothing."""
    shop.post(f"{STORES}/acme/orders", json=_order())
    before = fake.snapshot()

    reply = shop.request(method, path, json=body)

    assert (reply.status_code, fake.snapshot()) == (400, before)


def test_two_stores_must_be_named(fake: FakeMailchimp, shop: httpx.Client) -> None:
    """The short ways to the only store refuse to guess between two."""
    body = {"id": "b", "list_id": fake.list_id, "name": "B", "currency_code": "EUR"}
    shop.post(STORES, json=body)

    with pytest.raises(LookupError, match="several stores"):
        _ = fake.orders


# Batches


def _finish(client: httpx.Client, operations: list[dict[str, Any]]) -> dict[str, Any]:
    batch = client.post("/batches", json={"operations": operations}).json()
    for _ in range(4):
        batch = client.get(f"/batches/{batch['id']}").json()
    return batch


def _results(batch: dict[str, Any]) -> list[dict[str, Any]]:
    packed = httpx.get(batch["response_body_url"], trust_env=False).content
    results: list[dict[str, Any]] = []
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for entry in archive:
            if entry.isfile() and entry.size:
                results += json.load(archive.extractfile(entry))  # type: ignore[arg-type]
    return results


def test_a_batch_steps_on_as_it_is_polled(fake: FakeMailchimp, client: httpx.Client) -> None:
    """Statuses follow each other, and nothing is written or told before its time."""
    operation = {"method": "PUT", "path": f"{MEMBERS}/x", "body": json.dumps(_new("pat@acme.org"))}
    batch = client.post("/batches", json={"operations": [operation]}).json()
    seen = [(batch["status"], len(fake.members), bool(batch["response_body_url"]))]
    for _ in range(4):
        batch = client.get(f"/batches/{batch['id']}").json()
        seen.append((batch["status"], len(fake.members), bool(batch["response_body_url"])))

    assert seen == [
        ("pending", 0, False),
        ("preprocessing", 0, False),
        ("started", 1, False),
        ("finalizing", 1, False),
        ("finished", 1, True),
    ]


def test_batch_results_carry_every_operation(fake: FakeMailchimp, client: httpx.Client) -> None:
    """Each operation comes back with its id, status and text: empty for 204, a problem for a body that is no text."""
    fake.add_member("pat@acme.org")
    tags = json.dumps({"tags": []})
    batch = _finish(
        client,
        [
            {"method": "GET", "path": "/ping", "operation_id": "ping"},
            {"method": "POST", "path": f"{_path(fake, 'pat@acme.org')}/tags", "body": tags, "operation_id": "tags"},
            {"method": "PUT", "path": f"{MEMBERS}/x", "body": _new("ann@acme.org"), "operation_id": "object"},
        ],
    )

    results = {result["operation_id"]: result for result in _results(batch)}

    assert (batch["finished_operations"], batch["errored_operations"]) == (3, 1)
    assert {"ping": 200, "tags": 204, "object": 400} == {key: r["status_code"] for key, r in results.items()}
    assert results["tags"]["response"] == ""


def test_results_are_served_without_a_key_and_not_for_long(client: httpx.Client, clock: Clock) -> None:
    """The results address refuses an Authorization header and dies after ten minutes; a new look gives a new one."""
    batch = _finish(client, [{"method": "GET", "path": "/ping"}])
    url = batch["response_body_url"]

    with_key = client.get(url).status_code
    clock.advance(minutes=10)
    late = httpx.get(url, trust_env=False).status_code
    renewed = client.get(f"/batches/{batch['id']}").json()["response_body_url"]

    assert [400, 403, 200] == [with_key, late, httpx.get(renewed, trust_env=False).status_code]


def test_a_batched_get_walks_all_pages(fake: FakeMailchimp, client: httpx.Client) -> None:
    """A GET without count gives every entry, not the first ten."""
    for n in range(12):
        fake.add_member(f"p{n}@acme.org")

    (result,) = _results(_finish(client, [{"method": "GET", "path": MEMBERS, "operation_id": "all"}]))

    assert len(json.loads(result["response"])["members"]) == 12


def test_too_many_pending_batches_are_throttled(fake: FakeMailchimp, client: httpx.Client, clock: Clock) -> None:
    """The 501st pending batch is 429."""
    body = {"operations": [{"method": "GET", "path": "/ping"}]}
    for n in range(499):
        fake.batches[str(n)] = Batch(id=str(n), operations=[], submitted_at=clock.time)

    assert [200, 429] == [client.post("/batches", json=body).status_code for _ in range(2)]


def test_batches_run_one_at_a_time(client: httpx.Client) -> None:
    """A batch waits for the one before it."""
    body = {"operations": [{"method": "GET", "path": "/ping"}]}
    client.post("/batches", json=body)
    second = client.post("/batches", json=body).json()["id"]

    assert client.get(f"/batches/{second}").json()["status"] == "pending"


def test_batches_run_by_the_clock(clock: Clock) -> None:
    """With a pace, batches move on as time passes and one after the other, looked at or not."""
    with FakeMailchimp(clock=clock, batch_pace=10) as fake, _connect(fake) as client:
        first, second = (
            client.post("/batches", json={"operations": [{"method": "GET", "path": "/ping"}]}).json() for _ in range(2)
        )
        seen = []
        for seconds in (0, 9, 1, 10, 20, 10, 30):
            clock.advance(seconds=seconds)
            shown = [client.get(f"/batches/{batch['id']}").json() for batch in (first, second)]
            seen.append(tuple(batch["status"] for batch in shown))

    assert seen == [
        ("pending", "pending"),
        ("pending", "pending"),
        ("preprocessing", "pending"),
        ("started", "pending"),
        ("finished", "pending"),
        ("finished", "preprocessing"),
        ("finished", "finished"),
    ]
    assert [40, 80] == [
        (datetime.fromisoformat(batch["completed_at"]) - datetime.fromisoformat(first["submitted_at"])).total_seconds()
        for batch in shown
    ]


def test_operations_run_in_no_order_and_repeatably(clock: Clock) -> None:
    """Operations are shuffled, the same way each time; writes take effect although nobody looks."""
    orders = []
    for _ in range(2):
        with FakeMailchimp(clock=clock, batch_pace=1) as fake, _connect(fake) as client:
            body = [_new(f"p{n}@acme.org") for n in range(20)]
            operations = [{"method": "PUT", "path": f"{MEMBERS}/x", "body": json.dumps(each)} for each in body]
            client.post("/batches", json={"operations": operations})
            clock.advance(seconds=2)
            client.get("/ping")
            orders.append(list(fake.members))

    assert [f"p{n}@acme.org" for n in range(20)] == sorted(orders[0], key=lambda email: int(email[1:-9]))
    assert sorted(orders[0], key=lambda email: int(email[1:-9])) != orders[0] == orders[1]


def test_batches_can_be_held_and_operations_spoilt(fake: FakeMailchimp, client: httpx.Client) -> None:
    """A held batch does not move; a spoilt operation fails with the status it was given and changes nothing."""
    fake.spoil_operations(lambda operation: 500 if operation["operation_id"] == "bad" else None)
    bad, good = (
        {"method": "PUT", "path": f"{MEMBERS}/x", "body": json.dumps(_new(f"{n}@acme.org")), "operation_id": n}
        for n in ("bad", "good")
    )
    fake.hold_batches()
    held = _finish(client, [bad, good])
    fake.hold_batches(hold=False)
    for _ in range(4):
        batch = client.get(f"/batches/{held['id']}").json()

    assert ("pending", "finished", 1) == (held["status"], batch["status"], batch["errored_operations"])
    assert {"bad": 500, "good": 200} == {r["operation_id"]: r["status_code"] for r in _results(batch)}
    assert ["good@acme.org"] == list(fake.members)


def test_a_forged_signature_opens_nothing(client: httpx.Client) -> None:
    """Results are told only to who knows the signed address."""
    url = _finish(client, [{"method": "GET", "path": "/ping"}])["response_body_url"]

    assert httpx.get(f"{url}0", trust_env=False).status_code == 403


# For other tests


def test_snapshots_tell_content_not_history(clock: Clock) -> None:
    """Two accounts with the same content have equal snapshots, whenever and in whatever order it came."""
    snapshots = []
    for emails in (["a@acme.org", "b@acme.org"], ["b@acme.org", "a@acme.org"]):
        clock.advance(days=1)
        with FakeMailchimp(clock=clock) as fake, _connect(fake) as client:
            _open_store(client)
            for email in emails:
                _put(client, email, status_if_new="subscribed", merge_fields={"FNAME": email})
            snapshots.append(fake.snapshot())

    assert snapshots[0] == snapshots[1]
    assert set(snapshots[0]["members"]) == {"a@acme.org", "b@acme.org"}


def test_a_changed_member_changes_the_snapshot(fake: FakeMailchimp) -> None:
    """A snapshot sees a difference in a single value."""
    fake.add_member("pat@acme.org")
    before = fake.snapshot()
    fake.members["pat@acme.org"].merge_fields["FNAME"] = "Pat"

    assert before != fake.snapshot()


def test_bodies_are_kept_when_asked(fake: FakeMailchimp, client: httpx.Client) -> None:
    """The log holds answers only while keep_bodies is set."""
    client.get("/ping")
    fake.keep_bodies = True
    client.get("/ping")

    assert [bool(entry.response_body) for entry in fake.log] == [False, True]
