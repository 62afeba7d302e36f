"""Both sides compared whole, and what is ours mended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mlconnector_sdk import Mapping, MemberMapping, SyncPolicy
from mlconnector_sdk.errors import FatalError, LeaseHeldError
from tests.scenarios._worlds import World


def email(number: int) -> str:
    """The address of the customer with this number."""
    return f"c{number}@harbor-pumps.com"


def customers(world: World, count: int, **settings) -> list[str]:
    """So many customers, loaded."""
    keys = [world.erp.add_customer(email(number), name=f"Customer {number}") for number in range(count)]
    world.run(streams=["customers"], **settings)
    return keys


def reconcile(world: World, *, policy: SyncPolicy | None = None, mapping: Mapping | None = None, **how):
    """Compare once, and hold the counts of both sides to their balance."""
    world.clock.advance(minutes=60)
    with world.engine(policy=policy or SyncPolicy(), mapping=mapping) as engine:
        report = engine.reconcile(**how)
    assert report.members == report.same + report.different + report.suppressed_elsewhere + report.foreign
    assert report.links == report.sound + report.missing + report.moved + report.deleted
    return report


def found(report, *kinds: str) -> list[tuple[str, str]]:
    """Kind and record of the differences of these kinds."""
    return [(drift.kind, drift.key) for drift in report.differences if drift.kind in kinds]


def quietly(world: World, number: int, status: str) -> None:
    """Give a member a status without the change stamp that would tell the next run of it."""
    member = world.mailchimp.members[email(number)]
    member.status, member.last_changed = status, member.last_changed - timedelta(days=1)


def spoil(world: World, keys: list[str]) -> None:
    """One drift of each kind, of six customers that were loaded."""
    del world.mailchimp.members[email(1)]
    world.mailchimp.members[email(2)].merge_fields["ERPID"] = "C999999"
    quietly(world, 3, "unsubscribed")
    world.erp.remove(keys[4])
    world.mailchimp.audience.change_address(world.mailchimp.members[email(5)], "elsewhere@harbor-pumps.com")
    world.mailchimp.add_member("foreign@harbor-pumps.com", tags=["VIP"])


def test_sides_that_agree_are_in_step_everywhere(each_world):
    """With every ERP a fresh load reconciles without a difference and without a write, repair or not."""
    world = each_world
    for number in range(3):
        world.erp.add_customer(email(number))
    world.erp.add_contact("mary@harbor-pumps.com")
    world.run(streams=world.people)
    before = len(world.writes)

    reports = [reconcile(world), reconcile(world, repair=True)]

    assert [(True, True, 4, 4, 4, 4)] * 2 == [
        (report.ok, report.in_step, report.members, report.same, report.links, report.sound) for report in reports
    ]
    assert world.writes[before:] == []


def test_a_deleted_customer_is_found_and_let_go_everywhere(each_world):
    """With every ERP a record that is not there any more is told, and by a repair its member leaves by policy."""
    world = each_world
    keys = customers(world, 2)
    world.erp.remove(keys[0])

    told = reconcile(world)
    status = world.status(email(0))
    mended = reconcile(world, repair=True)

    assert ([("deleted", keys[0])], "subscribed") == (found(told, "deleted"), status)
    assert [("deleted", keys[0])] == found(mended, "deleted")
    assert ["unsubscribed", "subscribed"] == [world.status(email(number)) for number in range(2)]
    assert (0, True) == (reconcile(world).deleted, reconcile(world).in_step)


def test_every_kind_of_drift_is_told_and_nothing_written(world):
    """Without a repair each kind is counted and shown once, and neither side nor the state changes."""
    keys = customers(world, 6)
    spoil(world, keys)
    before = len(world.writes)

    reports = [reconcile(world), reconcile(world)]

    for report in reports:
        assert (6, 2, 1, 1, 2) == (
            report.members,
            report.same,
            report.different,
            report.suppressed_elsewhere,
            report.foreign,
        )
        assert (6, 3, 1, 1, 1) == (report.links, report.sound, report.missing, report.moved, report.deleted)
        assert [
            ("deleted", keys[4]),
            ("different", keys[2]),
            ("missing", keys[1]),
            ("moved", keys[5]),
            ("suppressed_elsewhere", keys[3]),
        ] == sorted(drift for drift in found(report, *"deleted different missing moved suppressed_elsewhere".split()))
        assert (True, False) == (report.ok, report.in_step)
    assert world.writes[before:] == []
    assert {} == world.state.suppressions("acme", [email(3)])


def test_a_repair_mends_what_is_ours_and_nothing_else(world):
    """Members are made again, put right, let go of, and statuses taken over; those of nobody stay as they are."""
    keys = customers(world, 6)
    spoil(world, keys)

    mended = reconcile(world, repair=True)
    before = len(world.writes)
    again = reconcile(world, repair=True)

    assert mended.ok, str(mended)
    expected = ["subscribed", "subscribed", "subscribed", "unsubscribed", "unsubscribed", None]
    assert expected == [world.status(email(number)) for number in range(6)]
    assert [keys[1], keys[2]] == [world.mailchimp.members[email(n)].merge_fields["ERPID"] for n in (1, 2)]
    assert "Customer 1" == world.mailchimp.members[email(1)].merge_fields["COMPANY"]
    foreign = world.mailchimp.members["foreign@harbor-pumps.com"]
    assert ("subscribed", ["VIP"], {}) == (foreign.status, foreign.tags, foreign.merge_fields)
    assert "subscribed" == world.status("elsewhere@harbor-pumps.com")
    assert "unsubscribed" == world.state.suppressions("acme", [email(3)])[email(3)].reason
    assert world.writes[before:] == []
    assert (0, 0, 0, 0, 1) == (again.missing, again.deleted, again.different, again.suppressed_elsewhere, again.moved)
    counts = mended.streams["customers"]
    assert (3, 1, 2) == (counts.read, counts.created, counts.updated)


def test_a_report_shows_itself_without_addresses(world):
    """Printed, in a notebook and as rows: the counts and the differences; addresses are in the rows alone."""
    keys = customers(world, 6)
    spoil(world, keys)

    report = reconcile(world, repair=True)

    texts = [str(report), report._repr_html_(), repr(report), repr(report.differences)]
    assert not [text for text in texts if "@" in text]
    assert "6 members = 2 same + 1 different + 1 suppressed elsewhere + 2 foreign" in texts[0]
    assert f"missing: customers {keys[1]}" in texts[0]
    assert f"<td>{keys[1]}</td>" in texts[1]
    assert {"foreign@harbor-pumps.com", "elsewhere@harbor-pumps.com"} == {
        row["address"] for row in report.to_rows() if row["kind"] == "foreign"
    }


def test_only_the_first_differences_are_kept(world):
    """Of each kind two hundred differences are kept, and all are counted."""
    customers(world, 1)
    for number in range(250):
        world.mailchimp.add_member(f"f{number}@harbor-pumps.com")
    del world.mailchimp.members[email(0)]

    report = reconcile(world)

    assert (250, 200, 1) == (report.foreign, len(found(report, "foreign")), len(found(report, "missing")))


def test_long_lists_are_cut_in_print(world):
    """Print shows the first of many differences and says where the others are."""
    customers(world, 30)
    for number in range(30):
        world.mailchimp.members[email(number)].merge_fields["ERPID"] = ""

    text = str(reconcile(world))

    assert 20 == text.count("ERPID is empty")
    assert "more of them in .differences" in text


def test_a_person_who_moved_is_not_written_to_at_the_old_address(world):
    """Whoever changed the address in Mailchimp is known by the contact's own id, even with the ERP's number erased."""
    customers(world, 1)
    member = world.mailchimp.members[email(0)]
    world.mailchimp.audience.change_address(member, "new@harbor-pumps.com")
    member.merge_fields.pop("ERPID")
    member.status = "unsubscribed"

    report = reconcile(world, repair=True)

    assert (1, 0) == (report.moved, report.missing)
    assert (None, "unsubscribed") == (world.status(email(0)), world.status("new@harbor-pumps.com"))


def test_a_member_deleted_for_good_is_not_made_again(world):
    """Mailchimp refuses somebody deleted for good: the repair takes that for an answer, and asks once."""
    keys = customers(world, 2)
    world.mailchimp.forget(email(0))

    report = reconcile(world, repair=True)
    before = len(world.writes)
    again = reconcile(world, repair=True)

    assert ([("missing", keys[0])], {"forgotten": 1}) == (
        found(report, "missing"),
        dict(report.streams["customers"].reasons),
    )
    assert (None, 0) == (world.status(email(0)), again.missing)
    assert world.writes[before:] == []


@pytest.mark.parametrize("reactivated", ["leave", "resubscribe"])
def test_a_lost_member_that_was_off_does_not_come_back_mailed(world, reactivated):
    """Members of inactive, dormant or unsubscribed people that are lost are not made subscribed by a repair."""
    policy = SyncPolicy(reactivated=reactivated)
    keys = customers(world, 3, policy=policy)
    world.erp.deactivate(keys[0])
    world.run(streams=["customers"], policy=policy)
    world.mailchimp.unsubscribe(email(1))
    world.run(streams=["customers"], policy=policy)
    with world.engine(policy=policy) as engine:
        engine.sweep(dormant_after=timedelta(days=30), activity=lambda record: world.clock.now() - timedelta(days=90))
    assert "unsubscribed" == world.status(email(2))
    for number in range(3):
        del world.mailchimp.members[email(number)]

    report = reconcile(world, repair=True, policy=policy)
    world.run(streams=["customers"], full=True, policy=policy)

    assert 3 == report.missing
    assert {world.status(email(number)) for number in range(3)} <= {None, "unsubscribed"}
    assert 0 == reconcile(world, policy=policy).missing


def test_a_lost_member_whose_record_is_gone_is_let_go_of_quietly(world):
    """Neither side has it any more: nobody is written, and it is not told again."""
    keys = customers(world, 2)
    del world.mailchimp.members[email(0)]
    world.erp.remove(keys[0])

    report = reconcile(world, repair=True)

    assert (1, 0, None) == (report.missing, report.deleted, world.status(email(0)))
    assert {"gone": 1} == dict(report.streams["customers"].reasons)
    assert reconcile(world).in_step


def test_whoever_came_back_by_themselves_is_told_and_left(world):
    """A member that we took off and that is subscribed again is a difference once, and stays subscribed."""
    keys = customers(world, 1)
    world.erp.deactivate(keys[0])
    world.run(streams=["customers"])
    quietly(world, 0, "subscribed")

    report = reconcile(world, repair=True)

    assert ["status: subscribed, unsubscribed in the link"] == [drift.detail for drift in report.differences]
    assert ("subscribed", True) == (world.status(email(0)), reconcile(world).in_step)


def test_a_suppression_that_the_audience_ended_is_lifted(world):
    """Somebody who confirmed again without a run noticing is a difference, and free to be written again after it."""
    customers(world, 1)
    world.mailchimp.unsubscribe(email(0))
    world.run(streams=["customers"])
    quietly(world, 0, "subscribed")

    report = reconcile(world, repair=True)

    assert ["status: subscribed, and suppressed in the state"] == [drift.detail for drift in report.differences]
    assert {} == world.state.suppressions("acme", [email(0)])


def test_unsubscribes_that_are_only_noted_are_no_drift(world):
    """With `on_unsubscribe="log"` the state does not hold unsubscribes, and a comparison does not ask it to."""
    policy = SyncPolicy(on_unsubscribe="log")
    customers(world, 2, policy=policy)
    world.mailchimp.unsubscribe(email(0))
    world.mailchimp.add_member("foreign@harbor-pumps.com", "unsubscribed")
    world.run(streams=["customers"], policy=policy)

    assert reconcile(world, repair=True, policy=policy).in_step


def test_the_erps_number_is_compared_where_it_is_held_as_it_is(world):
    """Without a text field for the ERP's number, or with another mapping, only what can be told is compared."""
    world.mailchimp.add_merge_field("NUMBER", "number")
    mapping = Mapping(members=MemberMapping(merge_fields={"FNAME": "first_name", "NUMBER": lambda record: 1}))
    customers(world, 1, mapping=mapping)
    world.mailchimp.members[email(0)].merge_fields["NUMBER"] = 7

    assert reconcile(world, mapping=mapping).in_step


def test_too_many_deleted_records_are_not_believed(world):
    """A reading that lacks many records takes nobody off until it is confirmed; what else differs is mended."""
    keys = customers(world, 30)
    for key in keys[:20]:
        world.erp.remove(key)
    world.mailchimp.members[email(25)].merge_fields["ERPID"] = "C999999"

    report = reconcile(world, repair=True)
    subscribed = sum(member.status == "subscribed" for member in world.mailchimp.members.values())
    confirmed = reconcile(world, repair=True, allow_mass_leave=True)

    assert (False, 20, 30) == (report.ok, report.deleted, subscribed)
    assert "20 of 30 members" in report.held_back
    assert all("allow_mass_leave=True" in shown for shown in (str(report), report._repr_html_()))
    assert keys[25] == world.mailchimp.members[email(25)].merge_fields["ERPID"]
    assert (True, "") == (confirmed.ok, confirmed.held_back)
    assert 10 == sum(member.status == "subscribed" for member in world.mailchimp.members.values())


def test_a_record_that_is_only_out_of_sight_stays(world):
    """A record that the reading did not meet but the ERP knows by key is not deleted."""
    keys = customers(world, 2)
    source = world.erp.source()
    read = source.read

    def blinkered(stream, window):
        for page in read(stream, window):
            yield type(page)(stream=page.stream, records=tuple(r for r in page.records if r.key != keys[0]))

    source.read = blinkered
    with world.engine(source=source) as engine:
        report = engine.reconcile(repair=True)

    assert (0, 2, "subscribed") == (report.deleted, report.sound, world.status(email(0)))


def test_an_heir_takes_over_from_a_deleted_record_in_a_repair(world):
    """The address of a deleted record that others share goes to the next one, in the same repair."""
    first = world.erp.add_customer("shared@harbor-pumps.com")
    second = world.erp.add_customer("shared@harbor-pumps.com")
    world.run(streams=["customers"])
    world.erp.remove(first)

    reconcile(world, repair=True)

    member = world.mailchimp.members["shared@harbor-pumps.com"]
    assert ("subscribed", second) == (member.status, member.merge_fields["ERPID"])


def test_lost_members_are_made_again_in_bulk(world):
    """Hundreds of lost members cost few calls, and none is asked for singly."""
    customers(world, 600)
    for number in range(600):
        del world.mailchimp.members[email(number)]
    before = len(world.mailchimp.log)

    report = reconcile(world, repair=True)

    member_calls = [e for e in world.mailchimp.log[before:] if "/members/" in e.path]
    assert (600, 600, []) == (report.missing, len(world.mailchimp.members), member_calls)
    assert len(world.mailchimp.log) - before < 25


def test_an_audience_that_changes_while_it_is_read_is_not_misjudged(world, monkeypatch):
    """Members whose rows move between two pages are met all the same, and none is taken for missing."""
    monkeypatch.setattr("mlconnector_sdk.mailchimp._audience.LARGEST_PAGE", 7)
    customers(world, 40)
    pages = []

    def touch(request) -> None:
        if request.path.endswith("/members"):
            pages.append(request)
            if len(pages) < 12:
                world.clock.advance(seconds=5)
                world.mailchimp.audience.touch(world.mailchimp.members[email(len(pages))])

    world.mailchimp.before_each.append(touch)

    assert 0 == reconcile(world).missing


@pytest.mark.parametrize("side", ["erp", "audience"])
def test_a_side_that_cannot_be_read_whole_is_an_error(world, side):
    """Nothing is concluded from half a reading, and nothing mended."""
    keys = customers(world, 3)
    spoiled = world.mailchimp.members[email(0)].merge_fields
    spoiled["ERPID"] = "C999999"
    world.erp.remove(keys[1])
    if side == "erp":
        world.erp.fake.fail(status=403, path="/Customer")
    else:
        world.mailchimp.fail(status=403, body={"title": "Forbidden", "status": 403}, path="/members", nth=2)

    with pytest.raises(FatalError):
        reconcile(world, repair=True)

    assert ("C999999", "subscribed") == (spoiled["ERPID"], world.status(email(1)))


@pytest.mark.parametrize("when", ["at once", "among the records", "among the members"])
def test_a_comparison_that_is_stopped_mends_nothing(world, when):
    """Asked to stop, it ends where it is and says so."""
    customers(world, 2)
    del world.mailchimp.members[email(0)]
    engine = world.engine()
    if when == "at once":
        engine.stop()
    elif when == "among the records":
        world.erp.fake.before_each.append(lambda request: engine.stop() if "/Customer" in request.path else None)
    else:
        whole = "members.contact_id"
        world.mailchimp.before_each.append(
            lambda request: engine.stop() if whole in request.query.get("fields", "") else None
        )

    report = engine.reconcile(repair=True)

    assert (True, False, None) == (report.stopped, report.ok, world.status(email(0)))


def test_a_crash_while_mending_is_mended_by_the_next_repair(world):
    """Killed between Mailchimp's answer and our own books, a repair is simply repeated."""
    customers(world, 3)
    del world.mailchimp.members[email(0)]
    committed = world.state.commit

    def crash(checkpoint, lease) -> None:
        if checkpoint.links:
            raise KeyboardInterrupt
        committed(checkpoint, lease)

    world.state.commit = crash
    with pytest.raises(KeyboardInterrupt):
        reconcile(world, repair=True)
    world.state.commit = committed

    reconcile(world, repair=True)

    assert ("subscribed", True) == (world.status(email(0)), reconcile(world).in_step)


def test_a_repair_needs_its_turn_and_a_comparison_does_not(world):
    """A repair does not overlap with a run; looking alone is always possible."""
    customers(world, 1)
    world.state.acquire("acme", "somebody else", now=world.clock.now(), duration=timedelta(days=1))

    with pytest.raises(LeaseHeldError):
        reconcile(world, repair=True)

    assert reconcile(world).in_step


def test_a_repair_is_audited(world):
    """What was written stands in the audit under the repair's own job."""
    keys = customers(world, 2)
    del world.mailchimp.members[email(0)]
    world.erp.remove(keys[1])

    report = reconcile(world, repair=True)

    entries = world.engine().audit(job_id=report.job_id)
    assert [(keys[0], "created", ""), (keys[1], "updated", "gone")] == [
        (entry.key, entry.outcome, entry.reason) for entry in entries
    ]


def test_a_pipeline_that_never_ran_has_nothing_of_ours(world):
    """Before the first run every member is foreign, and the ERP is not even read."""
    world.erp.add_customer(email(0))
    world.mailchimp.add_member("foreign@harbor-pumps.com")

    report = reconcile(world, repair=True)

    assert (1, 0, True) == (report.foreign, report.links, report.in_step)
    assert [] == world.erp.fake.requests("GET", "/Customer")
