"""Names in the audience, permissions, tags of a prefix, and the person's own id: what hangs on a member."""

from __future__ import annotations

from typing import Any

import pytest

from mlconnector_sdk.errors import ConfigurationError
from mlconnector_sdk.mailchimp import MailchimpSink
from mlconnector_sdk.models import MemberWrite, PermissionWish, WriteResult, member_id
from mlconnector_sdk.testing.fakes._mailchimp import FakeMailchimp
from tests.unit.mailchimp._writes import member_write, member_writes


@pytest.fixture(name="email")
def _email(fake: FakeMailchimp) -> str:
    """The id of the audience's permission "Email"; it has another one as well."""
    fake.add_marketing_permission("Direct Mail")
    return fake.add_marketing_permission("Email")


# Names


def test_interests_are_found_by_group_and_name(fake, sink):
    """Each name leads to its id, whatever its case and spacing; a group nobody asks for is not read."""
    trade = fake.add_interest_category("Trade", ["Retail", "Whole Sale"])
    fake.add_interest_category("Other", ["Retail"])

    audience = sink.prepare([], interests=["Trade/Retail", "trade/whole  sale"])

    assert {"Trade/Retail": trade["Retail"], "trade/whole  sale": trade["Whole Sale"]} == audience.interests
    assert 1 == len(fake.requests("GET", "/interests"))


def test_a_group_may_have_a_stroke_in_its_name(fake, sink):
    """Where group and interest part is for the audience to say."""
    ids = fake.add_interest_category("Food/Drink", ["Tea/Coffee"])

    assert {"Food/Drink/Tea/Coffee": ids["Tea/Coffee"]} == dict(
        sink.inspect([], interests=["Food/Drink/Tea/Coffee"]).interests
    )


def test_names_nobody_wants_cost_nothing(fake, sink):
    """Interests, permissions and members are read only for a mapping that names some."""
    sink.prepare([])
    list(sink.check([]))

    assert [] == [entry.path for entry in fake.log if "interest" in entry.path or "/members" in entry.path]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Trade/Retial", r"no interest 'Trade/Retial'; it has 'Trade/Retail', 'Trade/Wholesale', 'Other/…'"),
        ("Trades/Retail", r"no interest 'Trades/Retail'; it has 'Trade/…', 'Other/…'"),
    ],
)
def test_an_unknown_interest_is_answered_with_those_there_are(fake, sink, name, said):
    """A wrong name is a matter of settings, told before anything is written."""
    fake.add_interest_category("Trade", ["Retail", "Wholesale"])
    fake.add_interest_category("Other", ["Retail"])

    with pytest.raises(ConfigurationError, match=said):
        sink.prepare([], interests=[name])
    assert [] == fake.writes


def test_two_interests_of_one_name_are_told(fake, sink):
    """Which one is meant cannot be guessed."""
    fake.add_interest_category("Trade", ["Retail"])
    fake.add_interest_category("trade", ["RETAIL"])

    with pytest.raises(ConfigurationError, match="2 interests of the name 'Trade/Retail': rename one"):
        sink.inspect([], interests=["Trade/Retail"])


def test_permissions_are_looked_up_on_a_member(fake, sink, email):
    """One member is read, which tells the names that the audience's settings do not."""
    fake.add_member("pat@acme.org")

    sink.prepare([], permissions=["email", "Direct  Mail"])

    [asked] = fake.requests("GET", "/members")
    assert "1" == asked.request.query["count"]


def test_an_unknown_permission_is_answered_with_those_there_are(fake, sink, email):
    """Likewise two of one name."""
    fake.add_member("pat@acme.org")
    with pytest.raises(ConfigurationError, match="no marketing permission 'SMS'; it has 'Direct Mail', 'Email'"):
        sink.prepare([], permissions=["SMS"])

    fake.audience.permissions["another"] = "EMAIL"
    with pytest.raises(ConfigurationError, match="2 marketing permissions of the name 'Email'"):
        sink.prepare([], permissions=["Email"])


def test_an_audience_without_permissions_is_told(fake, sink):
    """Somebody has to switch them on in Mailchimp."""
    with pytest.raises(ConfigurationError, match="GDPR fields"):
        sink.prepare([], permissions=["Email"])


def test_an_empty_audience_shows_its_permissions_with_the_first_member(fake, sink, email):
    """Names hang on members, so a wrong one among them is told as soon as there is a member."""
    sink.prepare([], permissions=["SMS"])

    with pytest.raises(ConfigurationError, match="no marketing permission 'SMS'"):
        sink.write_members([member_write("pat@acme.org", permissions=(PermissionWish(name="SMS", enabled=True),))])


def test_a_check_tells_of_names(fake, sink, email):
    """A row for interests and one for permissions, where the mapping wants them."""
    fake.add_interest_category("Trade", ["Retail"])
    fake.add_member("pat@acme.org")

    fine = {row.what: row for row in sink.check([], interests=["Trade/Retail"], permissions=["Email"])}
    wrong = list(sink.check([], interests=["Trade/Retail"], permissions=["SMS"]))[-1]

    assert ("all 1 there", "all 1 there", True) == (
        fine["interests"].detail,
        fine["permissions"].detail,
        fine["store"].ok,
    )
    assert ("permissions", False, True) == (wrong.what, wrong.ok, "'Direct Mail', 'Email'" in wrong.detail)
    assert [] == fake.writes


# Permissions


def wish(enabled: bool | None, before: Any = "", *, name: str = "Email") -> PermissionWish:
    """What the ERP says."""
    return PermissionWish(name=name, enabled=enabled, before=before)


def write_in(how: str, sink: MailchimpSink, write: MemberWrite) -> WriteResult:
    """Write one member alone, or among others in a bulk call."""
    others = [] if how == "single" else member_writes(6)
    return sink.write_members([*others, write])[-1]


@pytest.mark.parametrize("how", ["single", "bulk"])
@pytest.mark.parametrize(
    ("is_on", "asked", "before", "then", "left"),
    [
        # An explicit yes gives what was never given, and what this library took on an explicit no.
        (False, True, "", True, "given"),
        (False, True, "taken", True, "given"),
        (True, True, "", True, "given"),
        (True, True, "given", True, "given"),
        # What was left on and is off now was withdrawn by the person, for good.
        (False, True, "given", False, "withdrawn"),
        (False, True, "withdrawn", False, "withdrawn"),
        (False, False, "given", False, "withdrawn"),
        # The person gave it again.
        (True, True, "withdrawn", True, "given"),
        # An explicit no takes.
        (True, False, "", False, "taken"),
        (True, False, "given", False, "taken"),
        (True, False, "withdrawn", False, "taken"),
        (False, False, "taken", False, "taken"),
        (False, False, "", False, None),
        # Where the ERP says nothing, nothing is done, but it is noted how things stand.
        (True, None, "", True, "given"),
        (False, None, "", False, None),
        (False, None, "given", False, "withdrawn"),
        (False, None, "taken", False, "taken"),
        (True, None, "taken", True, "given"),
    ],
)
def test_a_permission_follows_the_erps_word_but_never_comes_back_against_the_persons(
    fake, sink, email, how, is_on, asked, before, then, left
):
    """Every combination of what is, what the ERP says, and how it was left; a call only where something changes."""
    member = fake.add_member("pat@acme.org")
    member.marketing_permissions[email] = is_on

    result = write_in(how, sink, member_write("pat@acme.org", permissions=(wish(asked, before),)))

    assert then == member.marketing_permissions.get(email, False)
    assert (() if left is None else (("Email", left),)) == result.permissions
    calls = [entry for entry in fake.requests("PATCH") if b"marketing_permissions" in entry.request.body]
    assert (then != is_on) == len(calls)
    assert [] == fake.requests("GET")


@pytest.mark.parametrize("how", ["single", "bulk"])
@pytest.mark.parametrize("status", ["unsubscribed", "cleaned", "archived"])
def test_nobody_who_left_is_given_a_permission(fake, sink, email, how, status):
    """Whoever is not mailed any more does not come to a consent by a sync; taking one stays possible."""
    member = fake.add_member("pat@acme.org", status)
    mail = next(key for key, text in fake.audience.permissions.items() if text == "Direct Mail")
    member.marketing_permissions[mail] = True
    wishes = (wish(True), wish(False, name="Direct Mail"))

    write_in(how, sink, member_write("pat@acme.org", permissions=wishes))

    assert {mail: False} == member.marketing_permissions


@pytest.mark.parametrize("how", ["single", "bulk"])
@pytest.mark.parametrize("before", ["", "given"])
def test_a_new_member_gets_the_permission_the_erp_has(fake, sink, email, how, before):
    """Somebody who is created just now withdrew nothing."""
    result = write_in(how, sink, member_write("pat@acme.org", permissions=(wish(True, before),)))

    assert ("created", True) == (result.kind, fake.members["pat@acme.org"].marketing_permissions[email])


def test_permissions_of_many_cost_a_call_each_and_only_when_they_change(fake, sink, email):
    """One bulk call tells how they stand; those that stand as they should cost nothing more."""
    writes = member_writes(40, permissions=(wish(True),))
    sink.write_members(writes)
    first = len(fake.log)

    results = sink.write_members(member_writes(40, permissions=(wish(True, "given"),)))

    assert {(("Email", "given"),)} == {result.permissions for result in results}
    assert (2 + 40, 1) == (first, len(fake.log) - first)


def test_an_answer_that_is_silent_about_permissions_costs_a_question(fake, sink, email):
    """Nothing is given on a guess."""
    for number in range(4):
        fake.add_member(f"member{number}@acme.org", "unsubscribed" if number else "subscribed")
    answer = [{"email_address": f"member{number}@acme.org", "status": "subscribed"} for number in range(4)]
    fake.fail_next(200, body={"new_members": [], "updated_members": answer, "errors": []})

    sink.write_members(member_writes(4, permissions=(wish(True),)))

    assert [True, None, None, None] == [
        fake.members[f"member{number}@acme.org"].marketing_permissions.get(email) for number in range(4)
    ]
    assert 4 == len(fake.requests("GET"))


def test_nothing_is_asked_for_the_sake_of_noting_it(fake, sink, email):
    """Where the ERP says nothing and the answer is silent, it stays unknown how a permission stands."""
    answer = [{"email_address": f"member{number}@acme.org", "status": "subscribed"} for number in range(4)]
    fake.fail_next(200, body={"new_members": [], "updated_members": answer, "errors": []})

    results = sink.write_members(member_writes(4, permissions=(wish(None),)))

    assert ({()}, 1) == ({result.permissions for result in results}, len(fake.log))


def test_a_permission_that_cannot_be_changed_concerns_its_member(fake, sink, email):
    """The member is set aside, the others are done."""
    fake.fail(status=400, body={"title": "Invalid Resource"}, method="PATCH", path=member_id("member1@acme.org"))
    results = sink.write_members(member_writes(5, permissions=(wish(True),)))

    assert ["created", "dead", "created", "created", "created"] == [result.kind for result in results]


# The person's own id


@pytest.mark.parametrize("how", ["single", "bulk"])
def test_an_answer_tells_the_persons_own_id(fake, sink, how):
    """It costs no call, and stays when the address changes."""
    created = write_in(how, sink, member_write("pat@acme.org"))
    updated = write_in(how, sink, member_write("pat@acme.org"))
    moved = write_in(how, sink, member_write("new@acme.org", previous_address="pat@acme.org"))

    assert 32 == len(created.contact_id)
    assert {created.contact_id} == {updated.contact_id, moved.contact_id, fake.members["new@acme.org"].contact_id}
    assert [] == fake.requests("GET")


# Tags


@pytest.mark.parametrize("how", ["single", "bulk"])
def test_tags_of_a_prefix_are_ours_whoever_put_them_on(fake, sink, how):
    """What begins so and is not given any more is switched off, case aside; all else stays."""
    fake.add_member("pat@acme.org", tags=["region:West", "REGION:North", "VIP", "regional", "Region:East"])
    write = member_write("pat@acme.org", more={"tags": ["region:east", "ERP"]}, owned_prefix="region:")

    write_in(how, sink, write)

    assert ["ERP", "Region:East", "VIP", "regional"] == sorted(fake.members["pat@acme.org"].tags)


def test_tags_of_a_prefix_that_fit_cost_nothing(fake, sink):
    """Looking at them is part of the answer; a call is made only for those that must go."""
    writes = member_writes(6, more={"tags": ["region:East"]}, owned_prefix="region:")
    sink.write_members(writes)
    before = len(fake.log)

    sink.write_members(writes)

    assert 1 == len(fake.log) - before


@pytest.mark.parametrize("how", ["single", "bulk"])
def test_a_write_without_a_body_only_switches_tags(fake, sink, how):
    """One call for a member, none for its data, and a stranger is not made a member."""
    fake.add_member("pat@acme.org", tags=["ERP", "VIP"])
    fake.log.clear()
    write = MemberWrite(record_key="1", address="pat@acme.org", body=b"", only_if_member=True, tags_off=("ERP",))

    result = write_in(how, sink, write)
    stranger = write_in(how, sink, MemberWrite(record_key="2", address="no@acme.org", body=b"", tags_off=("ERP",)))

    assert ("updated", ["VIP"]) == (result.kind, fake.members["pat@acme.org"].tags)
    assert ("skipped", "not_a_member") == (stranger.kind, stranger.reason)
    assert "no@acme.org" not in fake.members
    assert 2 == len([entry for entry in fake.writes if entry.path.endswith("/tags")])


def test_tags_of_a_member_left_behind_are_not_taken_off_its_neighbour(fake, sink):
    """When the new address has a member already, that member's tags by hand stay."""
    fake.add_member("old@acme.org", tags=["region:West"])
    fake.add_member("new@acme.org", tags=["region:West"])
    write = member_write(
        "new@acme.org", previous_address="old@acme.org", more={"tags": ["region:East"]}, tags_off=("region:West",)
    )

    assert "address_taken" == sink.write_members([write])[0].note
    assert ["region:West", "region:East"] == fake.members["new@acme.org"].tags
