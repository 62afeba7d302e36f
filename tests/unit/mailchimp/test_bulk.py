from __future__ import annotations

import threading

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from mlconnector_sdk.errors import AuthenticationError, TimeoutExceededError, UnavailableError
from mlconnector_sdk.mailchimp import MailchimpSink
from mlconnector_sdk.mailchimp._bulk import rounds_of
from mlconnector_sdk.models import MemberWrite, member_id
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.testing.fakes._mailchimp import FakeMailchimp
from tests.unit.mailchimp._writes import member_write, member_writes


def bulk_sizes(fake: FakeMailchimp) -> list[int]:
    """How many members each bulk call held."""
    path = f"/3.0/lists/{fake.list_id}"
    return [len(entry.request.json()["members"]) for entry in fake.requests("POST") if entry.path == path]


def test_calls_start_small_and_grow(fake, sink):
    """The first call is a trial, the next one is modest, then calls grow to Mailchimp's limit while they are quick."""
    results = sink.write_members(member_writes(1300))
    assert [5, 250, 500, 500, 45] == bulk_sizes(fake)
    assert {("created", "subscribed")} == {(result.kind, result.member_status) for result in results}
    assert 1300 == len(fake.members)


def test_the_number_of_members_in_a_call_can_be_bounded(fake, make_sink):
    """No call holds more than the caller allows."""
    make_sink(bulk_size=50).write_members(member_writes(120))
    assert [5, 50, 50, 15] == bulk_sizes(fake)


def test_bulk_adds_tags_and_keeps_those_of_others(fake, sink):
    """Tags of the body are added, named ones switched off, marketing's own stay."""
    fake.add_member("member0@acme.org", tags=["Marketing", "Old"])
    sink.write_members(member_writes(5, more={"tags": ["ERP"]}, tags_off=("Old",)))
    assert ["Marketing", "ERP"] == fake.members["member0@acme.org"].tags
    assert all(not entry.request.json()["sync_tags"] for entry in fake.requests("POST") if "/tags" not in entry.path)


@pytest.mark.parametrize(("status", "reason"), [(500, "server_fault"), (404, "not_found"), (400, "refused")])
def test_a_tag_that_cannot_be_switched_concerns_its_member(fake, sink, status, reason):
    """The member whose tags were refused is set aside, the others are not."""
    fake.fail(status=status, body={"title": "?"}, path=f"{member_id('member1@acme.org')}/tags")
    results = sink.write_members(member_writes(5, tags_off=("Old",)))
    assert ["created", "dead", "created", "created", "created"] == [result.kind for result in results]
    assert reason == results[1].reason


def test_faults_of_a_few_are_no_outage(fake, sink):
    """Bad members side by side do not stop the run while others go through."""
    for number in range(20, 35):
        fake.poison(f"member{number}@acme.org", "server")
    results = sink.write_members(member_writes(60))
    assert set(range(20, 35)) == {number for number, result in enumerate(results) if result.kind == "dead"}


def test_bodies_are_joined_as_they_are(fake, sink):
    """What the mapping encoded is what arrives, byte by byte, with the status added."""
    body = b'{"email_address":"pat@acme.org","merge_fields":{"FNAME":"P\\u00e4t \xc3\xa4"}}'
    writes = [MemberWrite(record_key="1", address="pat@acme.org", body=body), *member_writes(4)]
    sink.write_members(writes)
    assert body[:-1] + b',"status_if_new":"subscribed"}' in fake.log[0].request.body


def test_each_member_has_its_own_result(fake, sink):
    """Results come in the order of the writes, whatever the answer's order."""
    fake.add_merge_field("LTV", "number")
    fake.add_member("old@acme.org", "cleaned")
    fake.forget("gone@acme.org")
    fake.add_member("left@acme.org")
    fake.unsubscribe("left@acme.org")
    fake.poison("eager@acme.org", "signups")
    writes = [
        member_write("new@acme.org"),
        member_write(" OLD@acme.org "),
        member_write("gone@acme.org"),
        member_write("pat@example.com"),
        member_write("rich@acme.org", fields={"LTV": "much"}),
        member_write("left@acme.org", status="subscribed"),
        member_write("eager@acme.org"),
    ]
    assert [
        ("created", "", "subscribed"),
        ("updated", "", "cleaned"),
        ("skipped", "forgotten", None),
        ("dead", "address_refused", None),
        ("dead", "merge_fields_invalid", None),
        ("skipped", "compliance", None),
        ("dead", "too_many_signups", None),
    ] == [(result.kind, result.reason, result.member_status) for result in sink.write_members(writes)]
    assert [5, 2] == bulk_sizes(fake)


@pytest.mark.parametrize("kind", ["schema", "server"])
@pytest.mark.parametrize("poisoned", [{0}, {57}, {99}, {13, 14, 80}])
def test_poisoned_members_are_found_and_the_others_go_through(fake, sink, kind, poisoned):
    """One member that spoils a whole call is set aside with its own reason, in few calls."""
    for number in poisoned:
        fake.poison(f"member{number}@acme.org", kind)
    results = sink.write_members(member_writes(100))
    assert poisoned == {number for number, result in enumerate(results) if result.kind == "dead"}
    assert {"schema": {"schema_refused"}, "server": {"server_fault"}}[kind] == {
        result.reason for result in results if result.kind == "dead"
    }
    assert 100 - len(poisoned) == len(fake.members)


def test_a_blamed_member_is_found_at_once(fake, sink):
    """When the refusal names the member's position, no halving is needed."""
    writes = member_writes(100)
    writes[60] = member_write("member60@acme.org", fields={"FNAME": ["P"]})
    results = sink.write_members(writes)
    assert [60] == [number for number, result in enumerate(results) if result.kind == "dead"]
    assert "FNAME" in results[60].message
    assert [5, 95, 1, 94] == bulk_sizes(fake)


def test_parts_of_a_faulty_call_are_tried_once(fake, make_sink):
    """On the way to a bad member each part is sent once; the first call and the member alone get every try."""
    fake.poison("member57@acme.org", "server")
    sink = make_sink(retry=RetryPolicy.immediate(fault_attempts=3))
    results = sink.write_members(member_writes(100))
    assert [57] == [number for number, result in enumerate(results) if result.kind == "dead"]
    assert [5, 95, 95, 95, 47, 48, 24, 12, 6, 3, 3, 1, 2, 1, 1, 1, 1, 6, 12, 24] == bulk_sizes(fake)


def test_an_outage_by_server_faults_is_raised(fake, sink):
    """When every member fails, the far side is down and nobody is set aside."""
    fake.fail(status=500, body={"title": "Internal Server Error"})
    with pytest.raises(UnavailableError, match="20 records in a row"):
        sink.write_members(member_writes(100))


def test_an_outage_is_seen_in_calls_of_their_own(fake, sink):
    """When members that need calls of their own fail one after the other, most of them are not even begun."""
    fake.fail(status=500, body={"title": "Internal Server Error"})
    with pytest.raises(UnavailableError, match="20 records in a row"):
        sink.write_members(member_writes(200, status="archived", exists=True))
    assert len(fake.log) < 200


def test_calls_shrink_when_they_time_out(fake, make_sink):
    """A call that took too long is sent again in halves, whose success lets later calls grow again."""
    sink = make_sink(retry=RetryPolicy(attempts=1))
    fake.fail(status=504, body="<html>", nth=2)
    results = sink.write_members(member_writes(505))
    assert ({"created"}, 505) == ({result.kind for result in results}, len(fake.members))
    assert [5, 250, 125, 125, 250] == bulk_sizes(fake)


def test_small_calls_that_time_out_are_an_outage(fake, make_sink):
    """Shrinking ends at ten members: then it is not the size."""
    sink = make_sink(retry=RetryPolicy(attempts=1))
    fake.fail(status=504)
    with pytest.raises(TimeoutExceededError):
        sink.write_members(member_writes(50))
    assert 1 == len(fake.log)


def test_a_call_whose_answer_is_lost_is_repeated_without_harm(fake, sink):
    """Members written by a call that broke off are met as updates; nobody is doubled or lost."""
    fake.fail_next(drop="after", nth=2)
    results = sink.write_members(member_writes(50))
    assert {"created", "updated"} == {result.kind for result in results}
    assert 50 == len(fake.members)


def test_members_the_answer_forgets_are_written_singly(fake, sink):
    """Nothing is taken for done that the answer does not name."""
    stranger = {"email_address": "stranger@acme.org", "status": "subscribed"}
    fake.fail_next(200, body={"new_members": [stranger], "updated_members": None, "errors": [{"error": "?"}]})
    results = sink.write_members(member_writes(4))
    assert (["created"] * 4, 4) == ([result.kind for result in results], len(fake.members))


def test_a_member_reported_as_existing_is_written_singly(fake, sink):
    """The bulk call's odd refusal of a known member costs one more call and no record."""
    entry = {"email_address": "member1@acme.org", "error": "…", "error_code": "ERROR_CONTACT_EXISTS"}
    fake.fail_next(200, body={"new_members": [], "updated_members": [], "errors": [entry]})
    assert "created" == sink.write_members(member_writes(4))[1].kind


def test_later_writes_to_one_address_come_later(fake, sink):
    """The same address twice in one batch is written twice, the last one last."""
    writes = [*member_writes(5, fields={"FNAME": "first"}), *member_writes(5, fields={"FNAME": "last"})]
    results = sink.write_members(writes)
    assert ["created"] * 5 + ["updated"] * 5 == [result.kind for result in results]
    assert {"last"} == {member.merge_fields["FNAME"] for member in fake.members.values()}


addresses = st.sampled_from(["a@acme.org", "A@acme.org ", "b@acme.org", "c@acme.org"])


@given(st.lists(st.tuples(addresses, st.none() | addresses), max_size=12))
def test_rounds_keep_the_order_of_each_address(pairs):
    """Every write is in exactly one round, no round names an address twice, and no write overtakes another."""
    writes = [member_write(new, previous_address=old) for new, old in pairs]
    rounds = rounds_of(writes)
    assert list(range(len(writes))) == sorted(index for items in rounds for index, _ in items)
    number = {index: n for n, items in enumerate(rounds) for index, _ in items}
    touched = [{new.strip().lower(), (old or new).strip().lower()} for new, old in pairs]
    for later in range(len(writes)):
        assert all(number[earlier] < number[later] for earlier in range(later) if touched[earlier] & touched[later])


def test_single_calls_run_side_by_side_within_the_limit(make_sink, fake):
    """Many moves go by several connections, never more than the sink may use."""
    fake.latency = 0.005
    for number in range(30):
        fake.add_member(f"old{number}@acme.org")
    writes = [attrs.evolve(w, previous_address=f"old{n}@acme.org") for n, w in enumerate(member_writes(30))]
    results = make_sink(concurrency=4).write_members(writes)
    assert ({"updated"}, True) == ({result.kind for result in results}, 1 < fake.max_in_flight <= 4)


def test_a_wrong_key_ends_side_by_side_calls(fake, make_sink):
    """After the first refusal of the key, calls that have not begun are not made."""
    sink = make_sink(auth="wrong-us6", concurrency=2)
    fake.latency = 0.01
    writes = [attrs.evolve(w, previous_address=f"old{n}@acme.org") for n, w in enumerate(member_writes(100))]
    with pytest.raises(AuthenticationError):
        sink.write_members(writes)
    assert len(fake.log) < 20


def test_many_threads_write_at_once(make_sink, fake):
    """Batches of several threads all arrive, only one of them makes the trial, and the limit holds."""
    fake.latency = 0.005
    sink: MailchimpSink = make_sink(concurrency=4)
    batches = [[member_write(f"m{n}.{number}@acme.org") for number in range(40)] for n in range(8)]
    kinds: list[str] = []

    def load(writes: list[MemberWrite]) -> None:
        kinds.extend(result.kind for result in sink.write_members(writes))

    threads = [threading.Thread(target=load, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (["created"] * 320, 1) == (kinds, bulk_sizes(fake).count(5))
    assert fake.max_in_flight <= 4


@settings(max_examples=15)
@given(st.lists(st.sampled_from(["fine", "schema", "fake", "server", "signups"]), min_size=4, max_size=30))
def test_whatever_is_poisoned_only_that_is_set_aside(kinds):
    """In any mixture, exactly the poisoned members end dead and all others are created."""
    with FakeMailchimp() as fake:
        for number, kind in enumerate(kinds):
            if kind != "fine":
                fake.poison(f"member{number}@acme.org", kind)
        with MailchimpSink(
            fake.api_key, list_id=fake.list_id, base_url=fake.base_url, retry=RetryPolicy.immediate(fault_attempts=1)
        ) as sink:
            if kinds.count("server") > 20:
                return
            results = sink.write_members(member_writes(len(kinds)))
    expected = ["created" if kind == "fine" else "dead" for kind in kinds]
    assert expected == [result.kind for result in results]
