from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from mlconnector_sdk.mailchimp import MailchimpSink
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.testing.fakes._mailchimp import FakeMailchimp
from mlconnector_sdk.testing.fakes._server import Reply, Request
from tests.unit.mailchimp._writes import member_write, member_writes

STATUSES = ["subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived"]


class WilfulMailchimp(FakeMailchimp):
    """A Mailchimp whose bulk call gives every new member a status of its own choice."""

    chosen = "subscribed"

    def handle(self, request: Request) -> Reply:
        """Replace `status_if_new` in bulk calls."""
        if request.method == "POST" and request.segments[-1] == self.list_id:
            content = request.json()
            for member in content["members"]:
                if member.pop("status_if_new", None) and member["email_address"] not in self.members:
                    member["status"] = self.chosen
            request = attrs.evolve(request, body=json.dumps(content).encode())
        return super().handle(request)


@pytest.fixture(name="wilful")
def _wilful() -> Iterator[WilfulMailchimp]:
    with WilfulMailchimp() as fake:
        yield fake


def sink_of(fake: FakeMailchimp) -> MailchimpSink:
    """A sink for the fake's audience."""
    return MailchimpSink(fake.api_key, list_id=fake.list_id, base_url=fake.base_url, retry=RetryPolicy.immediate())


def sent_members(fake: FakeMailchimp) -> Iterator[dict[str, Any]]:
    """Every member as it was sent, in bulk or alone."""
    for entry in fake.writes:
        body = json.loads(entry.request.body or b"{}")
        yield from body.get("members", [body])


states = st.fixed_dictionaries(
    {
        "held": st.none() | st.sampled_from(STATUSES),
        "own_will": st.booleans(),
        "wish": st.sampled_from(["subscribed", "pending", "transactional"]),
        "previous": st.none() | st.sampled_from(STATUSES),
        "exists": st.booleans(),
        "only_if_member": st.booleans(),
    }
)


@settings(max_examples=25)
@given(people=st.lists(states, min_size=1, max_size=12), bulk=st.sampled_from(["honour", "ignore", "refuse"]))
def test_no_write_subscribes_anybody_who_is_not_new(people, bulk):
    """Whatever a member's status, and whatever the bulk call makes of ours: unless a write says so, nobody moves."""
    with FakeMailchimp(bulk_status_if_new=bulk) as fake, sink_of(fake) as sink:
        before, writes = {}, []
        for number, person in enumerate(people):
            address, previous = f"p{number}@acme.org", None
            if person["held"]:
                member = fake.add_member(address, person["held"])
                member.opted_out = person["held"] == "unsubscribed" and person["own_will"]
                before[address] = person["held"]
            if person["previous"]:
                previous = f"old{number}@acme.org"
                before[previous] = fake.add_member(previous, person["previous"]).status
            writes.append(
                member_write(
                    address,
                    status_if_new=person["wish"],
                    previous_address=previous,
                    exists=person["exists"],
                    only_if_member=person["only_if_member"],
                )
            )
        sink.write_members(writes)
        assert not any(member.get("status") for member in sent_members(fake))
        for number, person in enumerate(people):
            held = before.get(f"p{number}@acme.org") or before.get(f"old{number}@acme.org")
            now = fake.members.get(f"p{number}@acme.org")
            if held:
                assert now is not None
                assert held == now.status
            elif now is not None:
                assert now.status in {person["wish"], "archived"}


@pytest.mark.parametrize("bulk", ["ignore", "refuse"])
def test_a_server_that_has_no_status_if_new_in_bulk_is_noticed(bulk):
    """New members still get the status they should, one by one, and bulk is not tried again by this sink."""
    with FakeMailchimp(bulk_status_if_new=bulk) as fake, sink_of(fake) as sink:
        results = sink.write_members(member_writes(30, status_if_new="transactional"))
        more = sink.write_members([member_write(f"more{n}@acme.org", status_if_new="pending") for n in range(30)])
        path = f"/3.0/lists/{fake.list_id}"
        assert 1 == len([entry for entry in fake.requests("POST") if entry.path == path])
        assert {"created"} == {result.kind for result in [*results, *more]}
        assert {"transactional": 30, "pending": 30} == {
            status: sum(member.status == status for member in fake.members.values())
            for status in ("transactional", "pending")
        }


def test_distrust_may_come_in_the_middle_of_a_search():
    """When the bulk call turns out to ignore `status_if_new` while a bad member is looked for, the rest goes singly."""
    with FakeMailchimp(bulk_status_if_new="ignore") as fake, sink_of(fake) as sink:
        fake.poison("member0@acme.org", "schema")
        results = sink.write_members(member_writes(20, status_if_new="pending"))
        assert ["dead"] + ["created"] * 19 == [result.kind for result in results]
        assert {"pending"} == {member.status for member in fake.members.values()}


@pytest.mark.parametrize("asked", ["transactional", "pending", "unsubscribed"])
def test_members_created_more_mailable_than_asked_are_taken_back(wilful, asked):
    """Of the first small call at the most, new members got a wrong status; they end as asked, or unsubscribed."""
    with sink_of(wilful) as sink:
        results = sink.write_members(member_writes(20, status_if_new=asked))
    statuses = {member.status for member in wilful.members.values()}
    assert "subscribed" not in statuses
    assert statuses <= {asked, "unsubscribed"}
    assert [member.status for member in wilful.members.values()] == [result.member_status for result in results]
    assert 5 == sum(result.note == "status_differs" for result in results)


def test_a_status_that_cannot_be_taken_back_is_told(wilful):
    """When every correction is refused, the record is set aside with what is left to do."""
    wilful.fail(status=400, method="PUT", body={"title": "Bad Request"})
    with sink_of(wilful) as sink:
        results = sink.write_members(member_writes(4, status_if_new="transactional"))
    assert {("dead", "status_differs")} == {(result.kind, result.reason) for result in results}
    assert "unsubscribe it there" in results[0].message


def test_members_created_less_mailable_than_asked_are_left(wilful):
    """Nobody is subscribed by way of correction; the result tells the status there is."""
    wilful.chosen = "unsubscribed"
    with sink_of(wilful) as sink:
        results = sink.write_members(member_writes(4))
    assert {("unsubscribed", "status_differs")} == {(result.member_status, result.note) for result in results}


def test_the_first_call_risks_little(wilful):
    """A server that decides on its own is found out by five members at the most."""
    with sink_of(wilful) as sink:
        sink.write_members(member_writes(100, status_if_new="transactional"))
    assert [5] == [
        len(json.loads(e.request.body)["members"]) for e in wilful.requests("POST") if "members" not in e.path
    ]


def test_a_double_opt_in_audience_gets_what_was_asked():
    """The sink writes the status it is told; to choose `pending` is the caller's part."""
    with FakeMailchimp(double_optin=True) as fake, sink_of(fake) as sink:
        sink.write_members(member_writes(5, status_if_new="pending"))
        assert {"pending"} == {member.status for member in fake.members.values()}
