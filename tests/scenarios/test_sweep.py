"""Customers that have been quiet for long, and their members."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from mlconnector_sdk import Mapping, MemberMapping, SyncPolicy
from mlconnector_sdk.errors import ConfigurationError, FatalError, LeaseHeldError
from mlconnector_sdk.events import PageCommitted
from tests.scenarios._worlds import World

TWO_YEARS = timedelta(days=730)
THREE_YEARS = timedelta(days=1095)


def email(number: int) -> str:
    """The address of the customer with this number."""
    return f"c{number}@harbor-pumps.com"


def quiet_customers(world: World, count: int, *, busy: int = 1, **settings) -> list[str]:
    """Customers who bought once, three years ago, and some that bought again lately; all of them loaded."""
    keys = [world.erp.add_customer(email(number)) for number in range(count + busy)]
    for key in keys:
        world.erp.add_order(key)
    world.run(**settings)
    world.clock.advance(seconds=THREE_YEARS.total_seconds())
    for key in keys[count:]:
        world.erp.add_order(key)
    world.run(**settings)
    return keys


def sweep(world: World, *, policy: SyncPolicy | None = None, dormant_after: timedelta = TWO_YEARS, source=None, **how):
    """Sweep once, as a scheduler would."""
    world.clock.advance(minutes=60)
    with world.engine(policy=policy or SyncPolicy(), source=source) as engine:
        return engine.sweep(dormant_after=dormant_after, **how)


def test_whoever_bought_nothing_for_long_leaves_everywhere(each_world):
    """With every ERP loaded orders tell who is dormant; others stay, and a second sweep writes nothing."""
    world = each_world
    keys = quiet_customers(world, 2)

    report = sweep(world)
    before = len(world.writes)
    again = sweep(world)

    assert report.ok, str(report)
    assert ["unsubscribed", "unsubscribed", "subscribed"] == [world.status(email(number)) for number in range(3)]
    assert [("customers", key, "updated", "dormant") for key in keys[:2]] == [
        (record.stream, record.key, record.outcome, record.reason) for record in report.records
    ]
    assert {date(2026, 3, 1)} == {record.last_activity for record in report.records}
    assert world.writes[before:] == []
    assert (0, {"dormant": 2}) == (again.left, dict(again.streams["customers"].reasons))


@pytest.mark.parametrize(
    ("system", "entity", "field"),
    [
        ("sage100 agent", "AR_Customer", "DateLastActivity"),
        ("sage300", "ARCustomers", "DateOfLastActivity"),
        ("syspro odata", "ArCustomer", "DateLastSale"),
    ],
)
def test_the_records_own_date_tells_without_any_order(system, entity, field):
    """Where the ERP keeps the date with the customer no order is needed; who buys again is back with the next run."""
    policy = SyncPolicy(reactivated="resubscribe")
    with World(system) as world:
        form = (lambda day: day.strftime("%Y%m%d")) if system == "sage100 agent" else (lambda day: day.isoformat())
        keys = [world.erp.add_customer(email(number)) for number in range(3)]
        world.erp.fake.edit(entity, keys[0], **{field: form(date(2023, 5, 1))})
        world.erp.fake.edit(entity, keys[1], **{field: form(date(2026, 2, 1))})
        world.run(streams=["customers"], policy=policy)

        report = sweep(world, policy=policy)
        after_sweep = [world.status(email(number)) for number in range(3)]
        world.run(streams=["customers"], full=True, policy=policy)
        after_run = world.status(email(0))
        world.erp.fake.edit(entity, keys[0], **{field: form(world.clock.now().date())})
        world.run(streams=["customers"], full=True, policy=policy)

        assert ["unsubscribed", "subscribed", "subscribed"] == after_sweep
        assert [(keys[0], date(2023, 5, 1))] == [(record.key, record.last_activity) for record in report.records]
        assert {"no_date": 1} == dict(report.streams["customers"].reasons)
        assert ("unsubscribed", "subscribed") == (after_run, world.status(email(0)))


def test_a_plan_says_who_would_leave_and_writes_nothing(world):
    """Before a sweep, its plan tells the same people with the same reasons, and changes neither side nor the state."""
    keys = quiet_customers(world, 2)
    before = len(world.writes)

    plan = sweep(world, plan=True)

    assert world.writes[before:] == []
    assert "subscribed" == world.status(email(0))
    assert {"dormant"} == {record.reason for record in plan.records}
    assert (2, True, plan.planned) == (plan.left, plan.ok, True)
    assert plan.to_rows()[0]["key"] == keys[0]
    assert all(said in str(plan) for said in ("2 would leave", "customers C000001: dormant, last business 2026-03-01"))
    carried_out = sweep(world)
    assert [record.key for record in plan.records] == [record.key for record in carried_out.records]


def test_a_sweep_is_audited_and_shown(world):
    """Who left and why stands in the audit for good, and a notebook shows it as a table."""
    keys = quiet_customers(world, 2)

    report = sweep(world)

    entries = world.engine().audit(job_id=report.job_id)
    assert [("customers", key, "updated", "dormant") for key in keys[:2]] == [
        (entry.stream, entry.key, entry.outcome, entry.reason) for entry in entries
    ]
    assert "<td>2026-03-01</td>" in report._repr_html_()
    assert "2 left, 0 awake" in str(report)
    counts = report.streams["customers"]
    assert counts.read == counts.created + counts.updated + counts.unchanged + counts.skipped + counts.dead == 3


@pytest.mark.parametrize(
    ("dormant", "status", "tags"),
    [
        ("unsubscribe", "unsubscribed", ["ERP"]),
        ("archive", "archived", ["ERP"]),
        ("tag", "subscribed", ["Dormant", "ERP"]),
        ("ignore", "subscribed", ["ERP"]),
    ],
)
def test_the_policy_decides_what_becomes_of_dormant_members(world, dormant, status, tags):
    """Unsubscribed, archived, tagged or left alone; runs and sweeps afterwards leave it so without a write."""
    settings = {"policy": SyncPolicy(dormant=dormant), "mapping": Mapping(members=MemberMapping(tags=["ERP"]))}
    quiet_customers(world, 1, **settings)

    report = sweep(world, policy=settings["policy"])
    before = len(world.writes)
    world.run(full=True, **settings)
    again = sweep(world, policy=settings["policy"])

    member = world.mailchimp.members[email(0)]
    assert (status, tags) == (member.status, sorted(member.tags))
    assert [record.reason for record in report.records] == ["ignored" if dormant == "ignore" else "dormant"]
    assert world.writes[before:] == []
    assert (0, 0) == (again.left, again.awake)


def test_the_tag_stays_while_data_change_and_goes_with_new_business(world):
    """A tagged member's data are kept right with its tag on; the first sweep after new business takes the tag off."""
    settings = {"policy": SyncPolicy(dormant="tag"), "mapping": Mapping(members=MemberMapping(tags=["name:{name}"]))}
    keys = quiet_customers(world, 1, **settings)
    sweep(world, policy=settings["policy"])
    member = world.mailchimp.members[email(0)]
    world.erp.rename(keys[0], "New Name")
    world.run(**settings)
    while_dormant = sorted(member.tags)
    world.erp.add_order(keys[0])
    world.run(**settings)

    report = sweep(world, policy=settings["policy"])

    assert ["Dormant", "name:New Name"] == while_dormant
    assert ["name:New Name"] == member.tags
    assert (0, 1) == (report.left, report.awake)


@pytest.mark.parametrize(("reactivated", "status"), [("resubscribe", "subscribed"), ("leave", "unsubscribed")])
def test_whoever_buys_again_comes_back_by_policy_alone(world, reactivated, status):
    """New orders wake a dormant member with the next sweep; whether it is mailed again is for the policy to say."""
    policy = SyncPolicy(reactivated=reactivated)
    keys = quiet_customers(world, 1, policy=policy)
    sweep(world, policy=policy)
    world.erp.rename(keys[0], "Renamed Meanwhile")
    world.run(policy=policy)
    assert "unsubscribed" == world.status(email(0))
    world.erp.add_order(keys[0])
    world.run(policy=policy)

    report = sweep(world, policy=policy)
    before = len(world.writes)
    sweep(world, policy=policy)
    world.run(full=True, policy=policy)

    assert status == world.status(email(0))
    assert 1 == report.awake
    assert "Renamed Meanwhile" == world.mailchimp.members[email(0)].merge_fields["COMPANY"]
    assert world.writes[before:] == []


def test_whoever_is_off_and_falls_quiet_again_costs_nothing(world):
    """A member that stayed off when its customer bought again is not taken off twice."""
    keys = quiet_customers(world, 1)
    sweep(world)
    world.erp.add_order(keys[0])
    world.run()
    sweep(world)
    world.clock.advance(seconds=THREE_YEARS.total_seconds())
    world.run()

    report = sweep(world)

    assert [(keys[0], "skipped"), (keys[1], "updated")] == [(record.key, record.outcome) for record in report.records]
    assert (1, "unsubscribed") == (report.left, world.status(email(0)))


def test_suppliers_leave_by_their_own_date_alone():
    """A supplier buys nothing: its record's date counts, and no order of a customer with the same number does."""
    with World("sage300") as world:
        world.erp.add_customer(email(0), key="1200")
        supplier = world.erp.add_supplier("sales@quillpaper.com")
        world.erp.fake.edit("APVendors", supplier, DateOfLastActivity="2020-05-01")
        world.run()

        report = sweep(world, streams=["suppliers"])

        assert [(supplier, date(2020, 5, 1))] == [(record.key, record.last_activity) for record in report.records]
        assert "unsubscribed" == world.status("sales@quillpaper.com")


def test_whoever_left_by_their_own_hand_never_comes_back(world):
    """Somebody who unsubscribed after a sweep stays so, however much they buy and whatever the policy says."""
    policy = SyncPolicy(reactivated="resubscribe")
    keys = quiet_customers(world, 1, policy=policy)
    sweep(world, policy=policy)
    world.mailchimp.confirm(email(0))
    world.clock.advance(minutes=10)
    world.mailchimp.unsubscribe(email(0))
    world.erp.add_order(keys[0])
    world.run(policy=policy)

    sweep(world, policy=policy)

    assert "unsubscribed" == world.status(email(0))


def test_whoever_is_silent_already_is_left_as_they_are(world):
    """A dormant customer's member that unsubscribed, bounced or was archived by hand does not count as leaving."""
    quiet_customers(world, 3)
    world.mailchimp.unsubscribe(email(0))
    world.mailchimp.clean(email(1))
    world.mailchimp.members[email(2)].status = "archived"
    world.mailchimp.audience.touch(world.mailchimp.members[email(2)])
    before = len(world.writes)

    report = sweep(world)

    assert world.writes[before:] == []
    assert {"unsubscribed": 1, "cleaned": 1, "archived": 1} == dict(report.streams["customers"].reasons)
    assert 0 == report.left


def test_a_shared_address_stays_until_all_its_records_are_dormant(world):
    """One record in business keeps the member for all who share its address; the last one to fall quiet lets it go."""
    quiet = world.erp.add_customer("office@harbor-pumps.com")
    busy = world.erp.add_customer("office@harbor-pumps.com")
    for key in (quiet, busy):
        world.erp.add_order(key)
    world.run()
    world.clock.advance(seconds=THREE_YEARS.total_seconds())
    world.erp.add_order(busy)
    world.run()
    kept = sweep(world)
    status = world.status("office@harbor-pumps.com")
    world.clock.advance(seconds=THREE_YEARS.total_seconds())
    world.run()

    left = sweep(world)
    before = len(world.writes)
    world.run(full=True)

    assert ("subscribed", 0) == (status, kept.left)
    assert ("unsubscribed", 1) == (world.status("office@harbor-pumps.com"), left.left)
    assert world.writes[before:] == []
    world.erp.add_order(busy)
    world.run()
    assert 1 == sweep(world, policy=SyncPolicy(reactivated="resubscribe")).awake
    assert "subscribed" == world.status("office@harbor-pumps.com")


def test_a_credit_memo_is_no_business(world):
    """Money given back does not keep a customer awake; an invoice that could not be loaded does."""
    keys = quiet_customers(world, 2, busy=0)
    world.erp.add_order(keys[0], type="Credit Memo")
    world.erp.add_order(keys[1], status="On Hold")
    world.run()

    sweep(world)

    assert ["unsubscribed", "subscribed"] == [world.status(email(number)) for number in range(2)]


def test_a_contact_does_business_through_its_customer(world):
    """Contacts leave with their customer, and one without customer stays, for nothing is known of it."""
    [quiet, busy] = quiet_customers(world, 1)
    world.erp.add_contact("mary@harbor-pumps.com", account=quiet)
    world.erp.add_contact("ann@harbor-pumps.com", account=busy)
    world.erp.add_contact("lone@harbor-pumps.com")
    world.run()

    report = sweep(world)

    statuses = [world.status(f"{name}@harbor-pumps.com") for name in ("mary", "ann", "lone")]
    assert ["unsubscribed", "subscribed", "subscribed"] == statuses
    assert {"no_date": 1} == dict(report.streams["contacts"].reasons)


def test_only_the_streams_named_leave(world):
    """Members of other streams stay, though their records are read to find out about the ones named."""
    [quiet, _] = quiet_customers(world, 1)
    world.erp.add_contact("mary@harbor-pumps.com", account=quiet)
    world.run()

    sweep(world, streams=["contacts"])

    assert ("subscribed", "unsubscribed") == (world.status(email(0)), world.status("mary@harbor-pumps.com"))


def test_too_many_leaving_need_a_confirmation(world):
    """If more than the policy's share would leave at once, nobody does until that is confirmed; a plan shows them."""
    quiet_customers(world, 20, busy=10)
    before = len(world.writes)

    stopped = sweep(world)
    plan = sweep(world, plan=True)

    assert world.writes[before:] == []
    assert (False, 0, 20) == (stopped.ok, stopped.left, len(stopped.records))
    assert "20 of 30 members are dormant" in stopped.held_back
    assert {"held_back": 20} == dict(stopped.streams["customers"].reasons)
    assert all("allow_mass_leave=True" in shown for shown in (str(stopped), stopped._repr_html_()))
    assert (20, stopped.held_back) == (plan.left, plan.held_back)
    confirmed = sweep(world, allow_mass_leave=True)
    assert (True, 20) == (confirmed.ok, confirmed.left)
    assert 10 == sum(member.status == "subscribed" for member in world.mailchimp.members.values())


def test_tagging_many_is_no_leaving(world):
    """The brake is for members that would hear no more; a tag may be given to any number."""
    quiet_customers(world, 20, busy=1)

    assert 20 == sweep(world, policy=SyncPolicy(dormant="tag")).left


def test_members_leave_in_bulk(world):
    """Hundreds of dormant members are unsubscribed by few calls."""
    quiet_customers(world, 600, busy=0)
    before = len(world.writes)

    report = sweep(world, allow_mass_leave=True)

    assert 600 == report.left
    assert len(world.writes) - before <= 4


def test_nobody_leaves_when_nothing_tells_of_business(world):
    """An ERP without such dates, and no orders loaded: the sweep refuses, and says which settings would help."""
    world.erp.add_customer(email(0))
    world.run(streams=["customers"])

    with pytest.raises(ConfigurationError, match=r"activity=lambda record.*") as caught:
        sweep(world)

    assert "load orders" in str(caught.value)
    assert "subscribed" == world.status(email(0))


def test_the_caller_can_name_the_date(world):
    """`activity` tells from each record when business was last done, whatever the site calls the field."""
    world.erp.add_customer(email(0), name="Idle since 2020-01-01")
    world.erp.add_customer(email(1), name="Idle since 2026-02-01")
    world.erp.add_customer(email(2), name="New")
    world.run(streams=["customers"])

    def last(record) -> datetime | None:
        said = record.name.removeprefix("Idle since ")
        return None if said == record.name else datetime.fromisoformat(said).replace(tzinfo=UTC)

    report = sweep(world, activity=last)

    assert ["unsubscribed", "subscribed", "subscribed"] == [world.status(email(number)) for number in range(3)]
    assert [date(2020, 1, 1)] == [record.last_activity for record in report.records]


@pytest.mark.parametrize(
    ("tells", "said"), [(lambda record: record.no_such_field, "AttributeError"), (lambda record: "2020-01-01", "a str")]
)
def test_a_function_that_fails_takes_nobody_off(world, tells, said):
    """A mistake in the caller's function ends the sweep before anybody leaves, naming the record and not its data."""
    key = world.erp.add_customer(email(0))
    world.run(streams=["customers"])

    with pytest.raises(ConfigurationError, match=said) as caught:
        sweep(world, activity=tells)

    assert key == caught.value.record_key
    assert "subscribed" == world.status(email(0))


def test_an_erp_that_cannot_be_read_whole_takes_nobody_off(world):
    """Half a reading proves nothing: the error comes through, and every member stays."""
    quiet_customers(world, 2)
    world.erp.fake.fail(status=403, path="/Customer")
    before = len(world.writes)

    with pytest.raises(FatalError):
        sweep(world)

    assert world.writes[before:] == []


@pytest.mark.parametrize("when", ["at once", "while reading"])
def test_a_sweep_that_is_stopped_takes_nobody_off(world, when):
    """Stopped before everything was read, a sweep ends without leavers, for nothing is proven."""
    quiet_customers(world, 2)
    engine = world.engine()
    if when == "at once":
        engine.stop()
    else:
        world.erp.fake.before_each.append(lambda request: engine.stop() if "/Customer" in request.path else None)

    report = engine.sweep(dormant_after=TWO_YEARS)

    assert (True, False, 0) == (report.stopped, report.ok, report.left)
    assert "subscribed" == world.status(email(0))


def test_a_sweep_that_is_stopped_ends_with_the_stream_at_hand(world):
    """Stopped while members leave, it finishes what it began, and the next sweep does the rest."""
    [quiet, _] = quiet_customers(world, 1)
    world.erp.add_contact("mary@harbor-pumps.com", account=quiet)
    world.run()
    engine = world.engine(on_event=lambda event: engine.stop() if isinstance(event, PageCommitted) else None)

    report = engine.sweep(dormant_after=TWO_YEARS)
    statuses = (world.status(email(0)), world.status("mary@harbor-pumps.com"))
    sweep(world)

    assert (True, ("unsubscribed", "subscribed")) == (report.stopped, statuses)
    assert "unsubscribed" == world.status("mary@harbor-pumps.com")


def test_a_record_that_is_set_aside_on_its_way_out_is_told(world):
    """A member that Mailchimp does not let go of is a dead letter like any other, and the others leave."""
    keys = quiet_customers(world, 6)
    world.mailchimp.poison(email(2), "server")

    report = sweep(world)

    assert (5, 1, False) == (report.left, report.streams["customers"].dead, report.ok)
    assert [keys[2]] == [letter.key for letter in world.engine().dead_letters()]
    assert ("dead", "server_fault") in {(record.outcome, record.reason) for record in report.records}


def test_long_lists_are_cut_in_print(world):
    """Print shows the first of many records and says where the others are; two hundred are kept."""
    quiet_customers(world, 210, busy=0)

    plan = sweep(world, plan=True)

    assert (200, 210) == (len(plan.records), plan.left)
    assert 20 == str(plan).count(": dormant, last business")
    assert "more of them in .records" in str(plan)


def test_a_crash_in_the_middle_is_mended_by_the_next_sweep(world):
    """Some left and were not noted down when the process died: the next sweep ends as an undisturbed one."""
    quiet_customers(world, 3)
    with world.engine() as engine:
        committed = world.state.commit

        def crash(checkpoint, lease) -> None:
            if any(link.reason == "dormant" for link in checkpoint.links):
                raise KeyboardInterrupt
            committed(checkpoint, lease)

        world.state.commit = crash
        with pytest.raises(KeyboardInterrupt):
            engine.sweep(dormant_after=TWO_YEARS)
        world.state.commit = committed

    report = sweep(world)

    assert {"unsubscribed"} == {world.status(email(number)) for number in range(3)}
    assert report.ok, str(report)
    before = len(world.writes)
    sweep(world)
    world.run(full=True)
    assert world.writes[before:] == []


def test_one_job_at_a_time(world):
    """A sweep does not overlap with a run; its plan needs no turn."""
    quiet_customers(world, 1)
    now = world.clock.now()
    world.state.acquire("acme", "somebody else", now=now, duration=timedelta(days=1))

    with pytest.raises(LeaseHeldError):
        sweep(world)

    assert 1 == sweep(world, plan=True).left


@pytest.mark.parametrize("dormant_after", [timedelta(hours=23), 3600.0, timedelta(days=-3)])
def test_a_span_that_no_date_could_tell_is_refused(world, dormant_after):
    """Less than a day, or a time ahead, is a mistake in the settings."""
    with pytest.raises(ConfigurationError, match="at least a day"):
        world.engine().sweep(dormant_after=dormant_after)


def test_seconds_do_as_well(world):
    """A number of seconds means the same span."""
    quiet_customers(world, 1)

    assert 1 == world.engine().sweep(dormant_after=TWO_YEARS.total_seconds()).left


def test_a_dormant_record_whose_customer_turns_inactive_stays_off(world):
    """The ERP's own word replaces the calendar's: then it is an inactive one, and is not written again."""
    keys = quiet_customers(world, 1)
    sweep(world)
    world.erp.deactivate(keys[0])
    before = len(world.writes)

    report = world.run()

    assert {"inactive": 1} == dict(report.streams["customers"].reasons)
    assert world.writes[before:] == []
    assert "unsubscribed" == world.status(email(0))


def test_a_dormant_record_moves_to_its_new_address_only_when_awake(world):
    """A changed address is no business; once awake the member follows with its history, and comes back by policy."""
    policy = SyncPolicy(reactivated="resubscribe")
    keys = quiet_customers(world, 1, policy=policy)
    sweep(world, policy=policy)
    contact_id = world.mailchimp.members[email(0)].contact_id
    world.erp.set_email(keys[0], "new@harbor-pumps.com")
    world.run(policy=policy)
    still = (world.status(email(0)), world.status("new@harbor-pumps.com"))
    world.erp.add_order(keys[0])
    world.run(policy=policy)

    sweep(world, policy=policy)
    world.run(full=True, policy=policy)

    assert ("unsubscribed", None) == still
    assert (None, "subscribed") == (world.status(email(0)), world.status("new@harbor-pumps.com"))
    assert contact_id == world.mailchimp.members["new@harbor-pumps.com"].contact_id
