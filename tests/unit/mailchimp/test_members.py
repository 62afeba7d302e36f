from __future__ import annotations

import attrs
import pytest

from mlconnector_sdk.errors import ConfigurationError
from mlconnector_sdk.models import member_id
from mlconnector_sdk.testing.fakes._mailchimp_problems import Problem
from tests.unit.mailchimp._writes import member_write, member_writes


def test_a_new_member_gets_the_status_for_new_ones(fake, sink):
    """Who was not there is created, with the status meant for new members."""
    result = sink.write_members([member_write("Pat@acme.org", status_if_new="transactional", fields={"FNAME": "Pat"})])
    member = fake.members["pat@acme.org"]
    assert ("created", "transactional") == (result[0].kind, result[0].member_status)
    assert ("Pat@acme.org", "transactional", {"FNAME": "Pat"}) == (
        member.email_address,
        member.status,
        member.merge_fields,
    )


def test_a_member_that_exists_is_updated(fake, sink):
    """Fields change, the status stays, and the result tells it."""
    fake.add_member("pat@acme.org", "unsubscribed", {"FNAME": "P", "LNAME": "Kept"})
    result = sink.write_members([member_write("pat@acme.org", fields={"FNAME": "Pat"})])
    assert ("updated", "unsubscribed") == (result[0].kind, result[0].member_status)
    assert {"FNAME": "Pat", "LNAME": "Kept"} == fake.members["pat@acme.org"].merge_fields


def test_a_required_field_that_the_erp_lacks_stops_nobody(fake, sink):
    """Members are written without values that only Mailchimp's own forms insist on."""
    fake.add_merge_field("COUNTRY", required=True)
    assert "created" == sink.write_members([member_write("pat@acme.org")])[0].kind


def test_tags_are_set_although_single_calls_ignore_them(fake, sink):
    """Tags of the body are switched on, named others off, and the rest stays."""
    fake.add_member("pat@acme.org", tags=["Marketing", "Old"])
    sink.write_members([member_write("pat@acme.org", more={"tags": ["ERP"]}, tags_off=("Old",))])
    assert ["Marketing", "ERP"] == fake.members["pat@acme.org"].tags


def test_tags_of_a_history_load_start_no_automations(fake, sink):
    """While history is loaded, tag changes are marked as syncing."""
    sink.prepare([])
    with sink.loading_history():
        sink.write_members([member_write("pat@acme.org", more={"tags": ["ERP"]})])
    sink.write_members([member_write("pat@acme.org", more={"tags": ["ERP"]})])
    assert [True, None] == [entry.request.json().get("is_syncing") for entry in fake.requests("POST", "/tags")]


def test_a_changed_address_moves_the_member(fake, sink):
    """The member keeps its history under the new address."""
    old = fake.add_member("pat@old.org", "subscribed", {"LNAME": "Kept"})
    result = sink.write_members([member_write("pat@acme.org", previous_address="Pat@old.org", more={"tags": ["ERP"]})])
    member = fake.members["pat@acme.org"]
    assert ("updated", old.contact_id, ["ERP"]) == (result[0].kind, member.contact_id, member.tags)
    assert ["pat@acme.org"] == list(fake.members)


def test_a_move_of_a_member_that_is_gone_creates_it(fake, sink):
    """When nobody is at the old address, the new one is written as usual."""
    result = sink.write_members([member_write("pat@acme.org", previous_address="pat@old.org")])
    assert ("created", "") == (result[0].kind, result[0].note)


def test_a_move_to_a_taken_address_harms_neither_member(fake, sink):
    """The new address keeps its own member, which is updated; the old one is left alone and the result says so."""
    fake.add_member("pat@old.org", "subscribed")
    fake.add_member("pat@acme.org", "unsubscribed")
    result = sink.write_members([member_write("pat@acme.org", previous_address="pat@old.org", fields={"FNAME": "Pat"})])
    assert ("updated", "address_taken", "unsubscribed") == (result[0].kind, result[0].note, result[0].member_status)
    assert ("subscribed", "Pat") == (
        fake.members["pat@old.org"].status,
        fake.members["pat@acme.org"].merge_fields["FNAME"],
    )


def test_a_refused_move_leaves_the_member(fake, sink):
    """A new address that Mailchimp will not have sets the record aside, and the member stays where it is."""
    fake.add_member("pat@old.org")
    result = sink.write_members([member_write("pat@example.com", previous_address="pat@old.org")])[0]
    assert ("dead", "address_refused", ["pat@old.org"]) == (result.kind, result.reason, list(fake.members))


@pytest.mark.parametrize("previous", ["pat@acme.org", " PAT@acme.org"])
def test_another_spelling_is_no_move(fake, sink, previous):
    """Upper case and blanks make no other address."""
    fake.add_member("pat@acme.org")
    sink.write_members([member_write("pat@acme.org", previous_address=previous)])
    assert ["PATCH"] == [entry.method for entry in fake.log]


def test_the_path_holds_the_hash_of_the_lower_case_address(fake, sink):
    """Addresses never stand in a URL."""
    sink.write_members([member_write("ÄNNE.Müller@acme.org")])
    assert all(member_id("änne.müller@acme.org") in entry.request.raw_path for entry in fake.log)


@pytest.mark.parametrize("status", ["unsubscribed", "subscribed", "pending"])
def test_an_outright_status_is_set(fake, sink, status):
    """A write that says so takes a member off or brings it back."""
    fake.add_member("pat@acme.org", "subscribed" if status == "unsubscribed" else "unsubscribed")
    result = sink.write_members([member_write("pat@acme.org", status=status)])
    assert ("updated", status) == (result[0].kind, fake.members["pat@acme.org"].status)


def test_an_archived_member_can_come_back_as_transactional(fake, sink):
    """`PATCH` cannot set that status, so the write goes another way."""
    fake.add_member("pat@acme.org", "archived")
    result = sink.write_members([member_write("pat@acme.org", status="transactional")])
    assert ("updated", "transactional") == (result[0].kind, fake.members["pat@acme.org"].status)


@pytest.mark.parametrize("wish", [{"status": "cleaned"}, {"status_if_new": "archived"}, {"status_if_new": "cleaned"}])
def test_a_status_that_no_write_can_give_is_not_sent(fake, sink, wish):
    """Such a write is set aside without a call."""
    result = sink.write_members([member_write("pat@acme.org", **wish)])
    assert ("dead", "status_refused", []) == (result[0].kind, result[0].reason, fake.log)


@pytest.mark.parametrize("count", [1, 10])
@pytest.mark.parametrize("name", ["status", "status_if_new"])
def test_a_status_hidden_in_the_body_is_not_sent(fake, sink, count, name):
    """Consent is decided by the write alone; a body that brings its own status is set aside."""
    writes = [*member_writes(count), member_write("pat@acme.org", more={name: "subscribed"})]
    assert ("dead", "status_in_body") == (sink.write_members(writes)[-1].kind, sink.write_members(writes)[-1].reason)
    assert "pat@acme.org" not in fake.members


def test_a_value_that_reads_status_is_no_status(fake, sink):
    """The word may stand in a merge field."""
    assert "created" == sink.write_members([member_write("pat@acme.org", fields={"FNAME": "status"})])[0].kind


def test_who_left_by_their_own_hand_is_skipped(fake, sink):
    """A compliance answer is a skip, met once and not retried."""
    fake.add_member("pat@acme.org")
    fake.unsubscribe("pat@acme.org")
    result = sink.write_members([member_write("pat@acme.org", status="subscribed")])
    assert ("skipped", "compliance", 1) == (result[0].kind, result[0].reason, len(fake.log))


def test_who_was_deleted_for_good_is_skipped(fake, sink):
    """Erasure is final: no member is created, and the result says why."""
    fake.forget("pat@acme.org")
    result = sink.write_members([member_write("pat@acme.org")])
    assert ("skipped", "forgotten", 400) == (result[0].kind, result[0].reason, result[0].status_code)


@pytest.mark.parametrize(
    ("address", "fields", "reason"),
    [
        ("pat@example.com", {}, "address_refused"),
        ("pat@@acme.org", {}, "address_refused"),
        ("pat@acme.org", {"LTV": "much"}, "merge_fields_invalid"),
        ("pat@acme.org", {"ADDRESS": {"addr1": "1 Main St"}}, "merge_fields_invalid"),
        ("pat@acme.org", {"FNAME": ["Pat"]}, "schema_refused"),
    ],
)
def test_a_refused_member_is_set_aside_with_its_reason(fake, sink, address, fields, reason):
    """The result names cause, fields, status and request, and neither address nor values."""
    fake.add_merge_field("LTV", "number")
    result = sink.write_members([member_write(address, fields=fields)])[0]
    assert ("dead", reason, 400, False) == (result.kind, result.reason, result.status_code, result.retry)
    assert all(tag in result.message for tag in fields)
    assert "much" not in result.message
    assert address not in result.message
    assert result.request_id


def test_too_many_signups_are_worth_a_replay(fake, sink):
    """That refusal passes after a day, so the dead letter says that trying again makes sense."""
    fake.poison("pat@acme.org", "signups")
    result = sink.write_members([member_write("pat@acme.org")])[0]
    assert ("dead", "too_many_signups", True) == (result.kind, result.reason, result.retry)


def test_bad_data_behind_a_server_error_is_set_aside(fake, sink):
    """A fault that persists concerns the record: after a few tries it is dead, and may be replayed."""
    fake.poison("pat@acme.org", "server")
    result = sink.write_members([member_write("pat@acme.org")])[0]
    assert ("dead", "server_fault", 500, True) == (result.kind, result.reason, result.status_code, result.retry)
    assert sink.request_count <= 6


def test_a_write_whose_answer_is_lost_is_repeated(fake, sink):
    """The member exists once, whatever the network did."""
    fake.fail_next(drop="after", method="PUT")
    assert "created" == sink.write_members([member_write("pat@acme.org")])[0].kind
    assert ["pat@acme.org"] == list(fake.members)


def test_an_audience_that_is_gone_stops_the_run(fake, make_sink):
    """No record is blamed for a missing audience."""
    sink = make_sink(list_id="gone")
    for count in (1, 20):
        with pytest.raises(ConfigurationError):
            sink.write_members(member_writes(count))


# Leaving


def test_an_opt_out_creates_nobody(fake, sink):
    """A write for members only leaves others alone and says so."""
    fake.add_member("pat@acme.org")
    writes = [
        member_write(address, status="unsubscribed", only_if_member=True) for address in ("pat@acme.org", "no@acme.org")
    ]
    results = sink.write_members(writes)
    assert [("updated", ""), ("skipped", "not_a_member")] == [(result.kind, result.reason) for result in results]
    assert {"pat@acme.org": "unsubscribed"} == {address: member.status for address, member in fake.members.items()}


def test_many_opt_outs_go_in_bulk_and_still_create_nobody(fake, sink):
    """Known members are taken off together; one that is not there after all stays out of the audience's reach."""
    for number in range(9):
        fake.add_member(f"member{number}@acme.org")
    writes = member_writes(10, status="unsubscribed", only_if_member=True, exists=True)
    results = sink.write_members(writes)
    assert ["updated"] * 9 == [result.kind for result in results[:9]]
    assert "not_a_member" == results[9].reason
    assert {"unsubscribed"} == {fake.members[write.address].status for write in writes[:9]}
    assert "archived" == fake.members["member9@acme.org"].status


def test_archiving_is_a_write_too(fake, sink):
    """Status `archived` archives; a second time, or for a bounced member, nothing is wrong; strangers are skipped."""
    fake.add_member("pat@acme.org")
    fake.add_member("dead@acme.org", "cleaned")
    writes = [
        member_write(address, status="archived", only_if_member=True)
        for address in ("pat@acme.org", "dead@acme.org", "no@acme.org")
    ]
    first, second = sink.write_members(writes), sink.write_members(writes)
    assert ["updated", "updated", "skipped"] == [result.kind for result in first]
    assert [result.kind for result in first] == [result.kind for result in second]
    assert ("archived", "cleaned") == (fake.members["pat@acme.org"].status, fake.members["dead@acme.org"].status)


def test_who_has_yet_to_confirm_is_unsubscribed_instead_of_archived(fake, sink):
    """Mailchimp archives nobody whose confirmation is awaited, and a later click would subscribe them."""
    fake.add_member("pat@acme.org", "pending")
    [result] = sink.write_members([member_write("pat@acme.org", status="archived", only_if_member=True)])
    assert ("updated", "unsubscribed") == (result.kind, result.member_status)
    assert "unsubscribed" == fake.members["pat@acme.org"].status


def test_a_way_back_is_for_the_member_that_moves_only(fake, sink):
    """A status that goes with a move is not given to a member that was at the new address before."""
    fake.add_member("pat@old.org", "archived")
    fake.add_member("pat@acme.org", "pending")
    write = member_write("pat@acme.org", previous_address="pat@old.org", status="subscribed")
    assert "address_taken" == sink.write_members([write])[0].note
    assert ("archived", "pending") == (fake.members["pat@old.org"].status, fake.members["pat@acme.org"].status)


def test_a_way_back_creates_nobody(fake, sink):
    """Where the member to be moved is gone, a new one starts as the write says of new ones."""
    write = member_write(
        "pat@acme.org", previous_address="pat@old.org", status="subscribed", status_if_new="unsubscribed"
    )
    assert "unsubscribed" == sink.write_members([write])[0].member_status


def test_an_opt_out_reaches_both_addresses(fake, sink):
    """Who opted out while their address changed is unsubscribed at the old one and at the new one."""
    fake.add_member("pat@old.org")
    fake.add_member("pat@acme.org")
    sink.write_members([member_write("pat@acme.org", previous_address="pat@old.org", status="unsubscribed")])
    assert ["unsubscribed", "unsubscribed"] == [member.status for member in fake.members.values()]


def test_an_erased_member_is_gone_for_good(fake, sink):
    """Erasing takes away all that is known of a member; a second time, or for a stranger, there is nothing to erase."""
    fake.add_member("pat@acme.org")
    writes = [attrs.evolve(member_write(address), forget=True) for address in ("pat@acme.org", "no@acme.org")]
    first, second = sink.write_members(writes), sink.write_members(writes)
    assert ["updated", "skipped"] == [result.kind for result in first]
    assert ["skipped", "skipped"] == [result.kind for result in second]
    assert "pat@acme.org" not in fake.members
    assert "forgotten" == sink.write_members([member_write("pat@acme.org")])[0].reason


def test_a_refused_archiving_is_raised(fake, sink):
    """Another refusal than "cannot be removed" is no success."""
    fake.fail(status=400, body=Problem.bad_request("No.").document("i-1"))
    assert "dead" == sink.write_members([member_write("pat@acme.org", status="archived")])[0].kind
