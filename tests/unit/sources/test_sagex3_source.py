"""The Sage X3 source through api1: how changes are found, what is read beside a row, and what goes wrong on the way."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, date, datetime, timedelta

import pytest

from mlconnector_sdk.auth import BasicLogin, OAuth2AuthorizationCode, OAuth2ClientCredentials, OAuth2Token
from mlconnector_sdk.cursors import Window
from mlconnector_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    PermissionDeniedError,
    ServerFaultError,
)
from mlconnector_sdk.network import Network
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sagex3 import Representation, SageX3, SageX3Rest
from mlconnector_sdk.sources.sagex3._api import CUSTOMERS, Known, RefusedQuestionError
from mlconnector_sdk.sources.sagex3._ladder import Ladder
from mlconnector_sdk.testing import FakeClock, FakeServer, Reply
from tests.unit.sources._sagex3 import REPRESENTATIONS, asked, door, keys_of, records_of, site, source_of

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOGIN = "<!DOCTYPE html><html><body>Sign in</body></html>"


@pytest.fixture
def clock():
    """The time at the site."""
    return FakeClock(START)


@pytest.fixture
def erp(clock):
    """A site with three customers, written an hour ago."""
    with site(clock=clock) as erp:
        for number in (1, 2, 3):
            erp.add_customer(f"000{number}", email=f"c{number}@x.example", last="Hara", person_email="")
        clock.advance(hours=1)
        yield erp


def since(clock, **ago):
    """A window from some time ago."""
    return Window(lower=clock.now() - timedelta(**ago), upper=clock.now())


def wheres(erp, class_name):
    """The conditions that were sent for a class."""
    return [where for request in asked(erp, class_name) if (where := request.query.get("where"))]


# -- how changes are found ------------------------------------------------------------------------------------------


def test_changes_are_asked_for_by_a_moment_in_utc(erp, clock):
    """One filter, inclusive, with its zone; rows that did not change do not come."""
    erp.edit("BPCUSTOMER", "0002", BPCNAM="Renamed")
    with source_of(erp) as source:
        assert keys_of(source.read("customers", since(clock, minutes=0))) == ["0002"]

    assert wheres(erp, "BPCUSTOMER") == ["UPDDATTIM ge @2026-03-01T13:00:00Z@"]


@pytest.mark.parametrize(
    ("refuses", "found_by"),
    [
        (("datetime_where",), "changes by UPDDAT"),
        (("stamp_where",), "changes by UPDDATTIM, the latest first"),
        (("stamp_where", "order_by_stamp"), "everything each time, changes by UPDDATTIM"),
    ],
)
def test_what_a_site_refuses_is_asked_once(erp, clock, caplog, refuses, found_by):
    """The next best way is taken and remembered, told by the check and in the log, and finds the same."""
    for name in refuses:
        setattr(erp.api1, name, False)
    erp.edit("BPCUSTOMER", "0002", BPCNAM="Renamed")
    with source_of(erp) as source, caplog.at_level(logging.WARNING):
        first = keys_of(source.read("customers", since(clock, minutes=1)))
        failed = sum(entry.status == 500 for entry in erp.log)
        second = keys_of(source.read("customers", since(clock, minutes=1)))
        [row] = [row for row in source.check() if row.what == "stream customers"]

    assert "0002" in first
    assert first == second
    assert failed > 0
    customers = [e for e in erp.log if e.path.endswith("/BPCUSTOMER") and e.status == 500]
    assert len(customers) == {"changes by UPDDAT": 1}.get(found_by, 2 if len(refuses) == 1 else 4)
    assert row.detail == f"BPCUSTOMER/YMCBPC, {found_by}"
    assert any(f"BPCUSTOMER: {found_by}, because the server refused" in text for text in caplog.messages)


def test_days_step_back_by_a_day_more(erp, clock):
    """A calendar day is the server's own, which may begin earlier or later than in UTC."""
    erp.api1.datetime_where = False
    with source_of(erp) as source:
        list(source.read("customers", since(clock, minutes=5)))

    assert "UPDDAT ge @2026-02-28@" in wheres(erp, "BPCUSTOMER")


def test_the_latest_first_ends_at_the_first_older_row(clock):
    """Of a long list sorted by the stamp only the beginning is read."""
    with site(clock=clock, customers=60) as erp:
        erp.api1.stamp_where = False
        clock.advance(hours=1)
        key = erp.add_customer(email="new@x.example", last=None)
        with source_of(erp, api={"page_size": 5}) as source:
            found = keys_of(source.read("customers", since(clock, minutes=5)))

    assert found == [key]
    assert len([r for r in asked(erp, "BPCUSTOMER") if r.query.get("orderBy") == "UPDDATTIM desc"]) == 1


def test_a_list_that_is_not_sorted_as_asked_is_read_whole(erp, clock):
    """A server that ignores the order must not hide changed rows behind old ones."""
    erp.api1.stamp_where = False
    erp.edit("BPCUSTOMER", "0003", BPCNAM="Renamed")
    place = erp.handle
    erp.handle = lambda request: place(attrs_without_order(request))
    with source_of(erp) as source:
        found = keys_of(source.read("customers", since(clock, minutes=5)))
        again = keys_of(source.read("customers", since(clock, minutes=5)))

    assert "0003" in found
    assert "0003" in again


def attrs_without_order(request):
    """The request as a server sees it that knows no order."""
    path, _, query = request.raw_path.partition("?")
    kept = "&".join(part for part in query.split("&") if not part.startswith("orderBy"))
    return type(request)(
        method=request.method,
        raw_path=f"{path}?{kept}" if kept else path,
        headers=request.headers,
        body=request.body,
        in_flight=request.in_flight,
    )


def test_equal_stamps_prove_no_order(erp, clock):
    """Rows of one import share a stamp: the list is read on until it is seen to get older, or proves unsorted."""
    erp.api1.stamp_where = False
    for number in range(10, 20):
        erp.add_customer(f"00{number}", last=None)
    for row in erp.customers.values():
        row.write({"UPDDATTIM": START})
    erp.edit("BPCUSTOMER", "0019", BPCNAM="Renamed")
    place = erp.handle
    erp.handle = lambda request: place(attrs_without_order(request))
    with source_of(erp, api={"page_size": 4}) as source:
        found = keys_of(source.read("customers", since(clock, minutes=5)))

    assert "0019" in found


def test_empty_stamps_end_nothing(erp, clock):
    """Rows that never got a stamp come with a full scan, wherever a list puts them."""
    erp.api1.stamp_where = False
    erp.table("BPCUSTOMER")["0001"].write({"UPDDATTIM": None})
    erp.edit("BPCUSTOMER", "0002", BPCNAM="Renamed")
    with source_of(erp) as source:
        assert keys_of(source.read("customers", since(clock, minutes=5))) == ["0002"]
        assert keys_of(source.read("customers")) == ["0001", "0002", "0003"]


def test_bad_stamps_hide_nobody(erp, clock):
    """Where everything is read, a row whose stamp cannot be read comes, and is set aside with its reason."""
    erp.api1.stamp_where = erp.api1.order_by_stamp = False
    erp.spoil("BPCUSTOMER", "0003", UPDDATTIM="soon")
    with source_of(erp) as source:
        pages = list(source.read("customers", since(clock, minutes=5)))

    assert [("0003", "bad_stamp", None)] == [
        (row.key, row.reason, row.modified_at) for page in pages for row in page.unreadable
    ]


def test_nothing_is_remembered_of_a_site_that_refuses_everything(erp, clock):
    """When the plain list fails too, it was not the stamp: the next read asks again."""
    with source_of(erp) as source:
        list(source.read("customers"))
        fault = erp.fail(status=500, body={"$diagnoses": [{"$severity": "error"}]}, path="/BPCUSTOMER")
        with pytest.raises(ContractError):
            list(source.read("customers", since(clock, minutes=5)))
        erp.faults.remove(fault)
        erp.log.clear()
        list(source.read("customers", since(clock, minutes=5)))

    assert wheres(erp, "BPCUSTOMER")[0].startswith("UPDDATTIM ge")


def test_a_site_that_refuses_later_is_read_another_way(erp, clock):
    """What worked once may be taken away: the read goes on below."""
    with source_of(erp) as source:
        list(source.read("customers", since(clock, minutes=5)))
        erp.api1.stamp_where = erp.api1.order_by_stamp = False
        erp.edit("BPCUSTOMER", "0002", BPCNAM="Renamed")

        assert keys_of(source.read("customers", since(clock, minutes=5))) == ["0002"]


class Stubborn:
    """A way to a site that refuses everything."""

    def known(self, entity, *, retry=None):
        return Known()

    def pages(self, entity, question):
        raise RefusedQuestionError("not that either")


def test_there_is_no_way_below_reading_everything():
    """An API that refuses even that is not taken for an empty one."""
    with pytest.raises(RefusedQuestionError):
        list(Ladder(Stubborn()).changed(CUSTOMERS, START))


def test_a_refusal_in_the_middle_is_an_error(erp, clock):
    """A list that breaks off is no reason to ask for less."""
    with source_of(erp, api={"page_size": 1}) as source:
        list(source.read("customers", since(clock, hours=2)))
        erp.fail(status=500, body={"$diagnoses": [{"$severity": "error"}]}, path="/BPCUSTOMER", nth=2)
        with pytest.raises(ContractError):
            list(source.read("customers", since(clock, hours=2)))


def test_without_stamps_every_read_is_a_full_scan(erp, clock):
    """A site that wants no change stamps has none: each stream says so."""
    with source_of(erp, stamps=()) as source:
        assert source.streams["customers"].cursor_field is None
        assert len(keys_of(source.read("customers", since(clock, minutes=0)))) == 3
        assert all(row.ok for row in source.check() if row.what != "clock")


def test_the_etag_may_be_the_stamp(erp, clock):
    """Where it is a time and nothing else tells, it spares reading each record by its key."""
    erp.edit("BPCUSTOMER", "0002", BPCNAM="Renamed")
    with source_of(erp, api={"representations": {}}, stamps=["$etag"]) as source:
        list(source.check())
        erp.log.clear()
        found = keys_of(source.read("customers", since(clock, minutes=5)))

    assert found == ["0002"]
    assert len([r for r in asked(erp, "BPCUSTOMER") if "('" in r.path]) == 1


def test_only_changed_rows_are_read_by_their_key(erp, clock):
    """Where a list has the stamp and little else, records are read one by one, those that changed."""
    erp.add_representation("YSTAMP", "BPCUSTOMER", "BPCNUM BPCNAM UPDDATTIM")
    erp.edit("BPCUSTOMER", "0002", BPCNAM="Renamed")
    reps = {**REPRESENTATIONS, "BPCUSTOMER": "YSTAMP"}
    for refuses in ((), ("stamp_where", "order_by_stamp")):
        for name in refuses:
            setattr(erp.api1, name, False)
        with source_of(erp, api={"representations": reps}) as source:
            list(source.check())
            erp.log.clear()
            [record] = records_of(source.read("customers", since(clock, minutes=5))).values()

        assert ("0002", "c2@x.example") == (record.key, record.email)
        assert [r.path.rpartition("/")[2] for r in asked(erp, "BPCUSTOMER") if "('" in r.path] == ["BPCUSTOMER('0002')"]


# -- what is changed beside a row -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "key", "fields"),
    [
        ("BPADDRESS", (1, "0002", "A01"), {"WEB": "new@x.example"}),
        ("BPARTNER", "0002", {"BPRFBDMAG": 2}),
        ("CONTACT", None, {"WEB": "desk@x.example"}),
        ("CONTACTCRM", None, {"CNTFBDMAG": 2}),
    ],
)
def test_a_change_beside_a_customer_is_its_own(erp, clock, table, key, fields):
    """Address, header, contact and person have stamps of their own; the mark may follow them."""
    person = erp.customers["0002"]["CNTNAM"]
    key = key or ((1, "0002", person) if table == "CONTACT" else person)
    erp.edit(table, key, **fields)
    with source_of(erp) as source:
        found = records_of(source.read("customers", since(clock, minutes=5)))
        suppliers = keys_of(source.read("suppliers", since(clock, minutes=5)))
        contacts = keys_of(source.read("contacts", since(clock, minutes=5)))

        assert list(found) == ["0002"]
        assert found["0002"].modified_at == clock.now()
        assert source.parse("customers", found["0002"].raw) == found["0002"]
    assert suppliers == []
    assert contacts == ([f"0002~{person}"] if table.startswith("CONTACT") else [])


def test_a_person_of_several_partners_changes_all_of_them(erp, clock):
    """One person, two accounts: both are read again, and both contacts."""
    person = erp.customers["0001"]["CNTNAM"]
    erp.add_contact("0003", person)
    clock.advance(hours=1)
    erp.edit("CONTACTCRM", person, CNTWEB="moved@x.example")
    with source_of(erp) as source:
        customers = keys_of(source.read("customers", since(clock, minutes=5)))
        contacts = keys_of(source.read("contacts", since(clock, minutes=5)))

    assert sorted(customers) == ["0001", "0003"]
    assert sorted(contacts) == [f"0001~{person}", f"0003~{person}"]


def test_a_customer_that_changed_itself_is_not_read_twice(erp, clock):
    """Its address may have changed with it."""
    erp.edit("BPCUSTOMER", "0002", BPCNAM="Renamed")
    erp.edit("BPADDRESS", (1, "0002", "A01"), WEB="new@x.example")
    erp.edit("BPARTNER", "0002", LAN="FRA")
    with source_of(erp) as source:
        assert keys_of(source.read("customers", since(clock, minutes=5))) == ["0002"]


def test_the_latest_change_beside_a_customer_counts(erp, clock):
    """Two addresses were saved: the mark may follow the later one, in whichever order they come."""
    for code, minutes in (("A02", 2), ("A03", 1)):
        stamp = clock.now() - timedelta(minutes=minutes)
        erp.site.put("BPADDRESS", {"BPATYP": 1, "BPANUM": "0001", "BPAADD": code}, at=stamp)
        erp.site.put("BPADDRESS", {"BPATYP": 1, "BPANUM": "0002", "BPAADD": code}, at=stamp - 2 * (stamp - clock.now()))
    with source_of(erp) as source:
        found = records_of(source.read("customers", since(clock, minutes=5)))

    assert {key: record.modified_at for key, record in found.items()} == {
        "0001": clock.now() - timedelta(minutes=1),
        "0002": clock.now() + timedelta(minutes=2),
    }


def test_addresses_of_sites_concern_nobody(erp, clock):
    """Sites and companies have addresses and contacts as well, and may share a partner's code."""
    erp.site.put("BPADDRESS", {"BPATYP": 3, "BPANUM": "0001", "BPAADD": "A01", "WEB": "site@x.example"})
    erp.site.put("CONTACT", {"BPATYP": 3, "BPANUM": "0002", "CCNCRM": "C1"})
    with source_of(erp) as source:
        assert keys_of(source.read("customers", since(clock, minutes=5))) == []
        assert keys_of(source.read("contacts", since(clock, minutes=5))) == []


def test_persons_of_nobody_and_bad_stamps_concern_nobody(erp, clock):
    """A person without a partner changes no customer; a row whose stamp cannot be read moves no mark."""
    erp.api1.stamp_where = erp.api1.order_by_stamp = False
    erp.site.put("CONTACTCRM", {"CCNCRM": "C-ALONE", "CNTLNA": "Alone"})
    erp.site.put("CONTACTCRM", {"CCNCRM": "C-SITE", "CNTLNA": "Site"})
    erp.site.put("CONTACT", {"BPATYP": 3, "BPANUM": "0001", "CCNCRM": "C-SITE"})
    erp.spoil("BPADDRESS", (1, "0002", "A01"), UPDDATTIM="soon")
    with source_of(erp) as source:
        found = records_of(source.read("customers", since(clock, minutes=5)))

    assert {"0002": START} == {key: record.modified_at for key, record in found.items()}


def test_what_is_remembered_is_bounded(erp, clock, monkeypatch):
    """A forgotten customer is only read once more."""
    monkeypatch.setattr("mlconnector_sdk.sources.sagex3._owners._REMEMBERED", 0)
    erp.edit("BPADDRESS", (1, "0002", "A01"), WEB="new@x.example")
    erp.edit("BPARTNER", "0002", LAN="FRA")
    erp.edit("BPCUSTOMER", "0002", BPCNAM="Renamed")
    with source_of(erp) as source:
        assert set(keys_of(source.read("customers", since(clock, minutes=5)))) == {"0002"}


@pytest.mark.parametrize("trouble", ["forbidden", "no stamp"])
def test_what_cannot_be_seen_beside_a_row_is_told_once(erp, clock, caplog, trouble):
    """The stream goes on, and the log says what waits for the next full scan."""
    representations = dict(REPRESENTATIONS)
    if trouble == "forbidden":
        erp.forbid("BPADDRESS")
    else:
        del representations["BPADDRESS"]
    erp.edit("BPCUSTOMER", "0002", BPCNAM="Renamed")
    with source_of(erp, api={"representations": representations}) as source, caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert keys_of(source.read("customers", since(clock, minutes=5))) == ["0002"]

        [row] = [row for row in source.check() if row.what == "stream customers"]

    told = [text for text in caplog.messages if "changes of BPADDRESS alone are not seen" in text]
    assert len(told) == 1
    assert row.ok
    assert row.detail.endswith("; a full scan finds changes of BPADDRESS alone")


def test_a_list_beside_that_breaks_off_is_an_error(erp, clock):
    """What was not read must not be taken for unchanged: the mark stays where it was."""
    with source_of(erp, api={"page_size": 1}) as source:
        list(source.check())
        erp.fail(status=500, body={"$diagnoses": [{"$severity": "error"}]}, path="/BPADDRESS", nth=2)
        with pytest.raises(ContractError):
            list(source.read("customers", since(clock, hours=2)))


def test_owners_that_cannot_be_read_are_an_error(erp, clock):
    """That belongs to the customers themselves, and not to what is beside them."""
    erp.edit("BPADDRESS", (1, "0002", "A01"), WEB="new@x.example")
    with source_of(erp) as source:
        list(source.read("customers", since(clock, minutes=5)))

        def refuse(request):
            if "BPCNUM%20eq" in request.raw_path:
                erp.forbid("BPCUSTOMER")

        erp.before_each.append(refuse)
        with pytest.raises(PermissionDeniedError):
            list(source.read("customers", since(clock, minutes=5)))


def test_documents_are_never_scanned_again(erp):
    """Posted ones are not deleted, and there are too many; everybody else is read whole once a day."""
    with source_of(erp) as source:
        assert {name: spec.full_scan_every for name, spec in source.streams.items()} == {
            "customers": timedelta(days=1),
            "contacts": timedelta(days=1),
            "suppliers": timedelta(days=1),
            "orders": None,
        }


# -- what a list lacks ----------------------------------------------------------------------------------------------


def test_thin_lists_are_made_whole(erp):
    """With nothing but the standard representations a customer has its address, flags and language all the same."""
    erp.add_customer("0009", email=["", "nine@x.example"], LAN="FRA", last="Fay", mailing_prohibited=True)
    with source_of(erp, api={"representations": {}}) as source:
        found = records_of(source.read("customers"))

    assert ("c1@x.example", "Hara", False) == (found["0001"].email, found["0001"].last_name, found["0001"].opted_out)
    assert ("nine@x.example", "fr", True) == (found["0009"].email, found["0009"].language, found["0009"].opted_out)


def test_records_are_read_a_few_at_once(erp):
    """No more than `concurrency`; one at a time where that is wanted."""
    erp.latency = 0.01
    for most in (1, 3):
        erp.max_in_flight = 0
        with source_of(erp, api={"representations": {}, "concurrency": most}) as source:
            assert len(keys_of(source.read("customers"))) == 3
        assert erp.max_in_flight == most


def test_workers_end_with_the_source(erp):
    """A closed source leaves no thread behind, and can be used again."""
    with source_of(erp, api={"representations": {}}) as source:
        list(source.read("customers"))
        source.close()
        assert [thread.name for thread in threading.enumerate() if thread.name.startswith("sagex3")] == []
        assert len(keys_of(source.read("customers"))) == 3


def test_a_record_that_goes_while_it_is_read_is_absent(erp):
    """Between the list and the record anything may be deleted."""

    def delete(request):
        if "BPCUSTOMER('0002')" in request.path:
            erp.customers.pop("0002", None)

    erp.before_each.append(delete)
    with source_of(erp, api={"representations": {}}) as source:
        assert keys_of(source.read("customers")) == ["0001", "0003"]


@pytest.mark.parametrize("path", ["BPCUSTOMER('0002')", "BPARTNER('0002')"])
def test_a_record_that_comes_as_an_error_is_set_aside(erp, path):
    """A status of 200 proves nothing; the others go through."""
    with source_of(erp, api={"representations": {}, "concurrency": 1}) as source:
        list(source.check())
        erp.fail(status=200, body={"$diagnoses": [{"$severity": "error", "$message": "locked"}]}, path=path)
        pages = list(source.read("customers"))

    assert keys_of(pages) == ["0001", "0003"]
    [bad] = [row for page in pages for row in page.unreadable]
    assert ("0002", "no_record") == (bad.key, bad.reason)


def test_lines_come_with_the_list_where_a_representation_has_them(erp):
    """Only documents without them are read by their key."""
    numbers = [erp.add_invoice("0001", [("BIK001", "Bike", 2, 10)]) for _ in range(3)]
    query = erp.representations["YMCSIV"].query
    for lines, details in ((True, 0), (False, 3)):
        erp.add_representation("YMCSIV", "SINVOICEV", query, lines=lines)
        erp.log.clear()
        with source_of(erp) as source:
            found = records_of(source.read("orders"))
        assert sorted(found) == numbers
        assert {len(order.lines) for order in found.values()} == {1}
        assert len([r for r in asked(erp, "SINVOICEV") if "('" in r.path]) == details


def test_another_class_and_other_names_can_be_given(erp):
    """A site's own class and field names become ours, in lists, filters and conditions."""
    erp.add_representation(
        "ZCUS", "ZCUSTOMER", "ZNUM=BPCNUM BPCNAM BPCSTA BPAADD CNTNAM ZUPD=UPDDATTIM", table="BPCUSTOMER"
    )
    own = Representation("ZCUS", class_name="ZCUSTOMER", fields={"BPCNUM": "ZNUM", "UPDDATTIM": "ZUPD"})
    with source_of(erp, api={"representations": {**REPRESENTATIONS, "BPCUSTOMER": own}}) as source:
        found = records_of(source.read("customers", Window(lower=START - timedelta(days=1))))
        fetched = keys_of(source.fetch("customers", ["0002", "no such"]))

    assert ["0001", "0002", "0003"] == sorted(found)
    assert found["0001"].email == "c1@x.example"
    assert found["0001"].modified_at == START
    assert fetched == ["0002"]
    assert "ZUPD ge @2026-02-28T12:00:00Z@" in wheres(erp, "ZCUSTOMER")
    assert "ZNUM eq '0002' or ZNUM eq 'no such'" in wheres(erp, "ZCUSTOMER")


def test_an_empty_table_is_no_trouble(clock):
    """Without rows and without descriptions nobody knows what a facet has, and nobody minds."""
    with site(clock=clock) as erp:
        erp.api1.prototypes = False
        with source_of(erp, api={"representations": {}}) as source:
            assert [keys_of(source.read(stream)) for stream in source.streams] == [[], [], [], []]
            erp.add_customer("0001", email="c1@x.example")
            assert records_of(source.read("customers"))["0001"].email == "c1@x.example"


def test_a_first_record_that_comes_as_an_error_tells_no_fields(erp):
    """Without descriptions a record tells what there is; one that is locked tells nothing, and the next does."""
    erp.api1.prototypes = False
    erp.fail_next(200, body={"$diagnoses": [{"$severity": "error"}]}, path="BPARTNER('0001')")
    with source_of(erp, api={"representations": {}}) as source:
        assert len(keys_of(source.read("customers"))) == 3


def test_fields_of_the_site_are_there_or_missed(erp):
    """Further fields are read, by the record's key where the list lacks them; others are an error with its cure."""
    erp.edit("BPCUSTOMER", "0001", BPCREM="VIP")
    with source_of(erp, custom_fields={"customers": ["BPCREM"]}) as source:
        assert records_of(source.read("customers"))["0001"].raw["BPCREM"] == "VIP"
    with source_of(erp, optout_field="YNOMAIL") as source:
        with pytest.raises(ContractError, match="BPCUSTOMER/YMCBPC shows no YNOMAIL: check optout_field"):
            list(source.read("customers"))
        assert any("shows no YNOMAIL" in row.detail for row in source.check())


def test_nobody_is_read_whose_wish_is_unknown(erp):
    """Without the flags that prohibit mailing a stream is refused, unless the site says that it has none."""
    erp.forbid("BPARTNER")
    representations = {"BPCUSTOMER": "BPCUSTOMER"}
    with (
        source_of(erp, api={"representations": representations}) as source,
        pytest.raises(ContractError, match=r"BPCUSTOMER shows no BPARTNER\.BPRFBDMAG: .*mailing_flags=False"),
    ):
        list(source.read("customers"))
    with source_of(erp, api={"representations": representations}, mailing_flags=False) as source:
        assert len(keys_of(source.read("customers"))) == 3


def test_invoices_say_whether_they_are_posted(erp):
    """Only posted ones are final; a list without the status is refused unless every invoice counts."""
    erp.add_invoice("0001", [("BIK001", "Bike", 1, 10)], key="A")
    erp.add_invoice("0001", [("BIK001", "Bike", 1, 10)], key="B", posted=False)
    with source_of(erp) as source:
        assert {"A": True, "B": False} == {key: order.final for key, order in records_of(source.read("orders")).items()}
    own = Representation("YMCSIV", fields={"INVSTA": "NOTHERE"})
    erp.representations["YMCSIV"] = erp.representations["YMCSIV"]
    with source_of(erp, api={"representations": {"SINVOICEV": own}}, posted=None) as source:
        assert all(order.final for order in records_of(source.read("orders")).values())


# -- pages ----------------------------------------------------------------------------------------------------------


def test_credentials_go_to_the_configured_host_only(erp):
    """A link to another host is followed on ours."""
    with FakeServer() as stranger:
        erp.api1.link_host = stranger.url
        with source_of(erp, api={"page_size": 1}) as source:
            assert keys_of(source.read("customers")) == ["0001", "0002", "0003"]
        assert stranger.log == []


@pytest.mark.parametrize("link", ["https://elsewhere.example/pages/2", "/api1/x3/erp/OTHER/BPCUSTOMER?key=gt.1"])
def test_a_link_that_leads_elsewhere_ends_the_read(erp, link):
    """It is no page of the list."""
    page = {"$resources": [{"BPCNUM": "1"}], "$links": {"$next": {"$url": link}}}
    with source_of(erp) as source:
        list(source.check())
        erp.fail(status=200, body=page, path="/BPCUSTOMER")
        with pytest.raises(ContractError, match="leads out of the API"):
            list(source.read("customers"))


def test_a_link_that_comes_again_ends_the_read(erp):
    """A server that gives the same page for ever is not followed for ever."""
    link = f"/api1/x3/erp/{erp.endpoint}/BPCUSTOMER?key=gt.1"
    page = {"$resources": [{"BPCNUM": "1", "BPRFBDMAG": 1}], "$links": {"$next": {"$url": link}}}
    with source_of(erp) as source:
        list(source.check())
        erp.fail(status=200, body=page, path="/BPCUSTOMER")
        with pytest.raises(ContractError, match="round in circles"):
            list(source.read("customers"))


def test_codes_of_every_kind_are_found_by_key(erp):
    """Quotes, slashes and blanks in a code are asked for; control characters are not, nor what is no key."""
    keys = ["O'HARA/1", "A B", 'QU"OTE', "ÄÖÜ&+%"]
    for key in keys:
        erp.add_customer(key, email="x@x.example")
    person = erp.customers["O'HARA/1"]["CNTNAM"]
    with source_of(erp) as source:
        assert sorted(keys_of(source.fetch("customers", [*keys, "A\x00B", "A\nB", " "]))) == sorted(keys)
        assert keys_of(source.fetch("contacts", [f"O'HARA/1~{person}", "O'HARA/1", "~", "a~b"])) == [
            f"O'HARA/1~{person}"
        ]


# -- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_sent_once(erp):
    """Not even by another stream."""
    with source_of(erp, api={"password": "wrong"}) as source:
        for stream in ("customers", "orders"):
            with pytest.raises(AuthenticationError, match="set to basic authentication"):
                list(source.read(stream))
        rows = list(source.check())

    assert len(erp.log) == 1
    assert [row.ok for row in rows] == [False]
    assert "nodelocal.js" in rows[0].cure


@pytest.mark.parametrize("refused", ["login page", "redirect"])
def test_a_login_page_is_a_matter_of_configuration(erp, refused):
    """Neither a page with 200 nor a way to it is taken for data, and it is not tried again."""
    erp.access.refused = refused
    with (
        source_of(erp, api={"password": "wrong"}) as source,
        pytest.raises(ConfigurationError, match="check address, endpoint and path"),
    ):
        list(source.read("customers"))

    assert len(erp.log) == 1


def test_a_missing_right_names_the_class(erp):
    """The stream is not read, and the others are."""
    erp.forbid("BPCUSTOMER")
    with source_of(erp) as source, pytest.raises(PermissionDeniedError, match="BPCUSTOMER/YMCBPC"):
        list(source.read("customers"))
    with source_of(erp) as source:
        assert len(keys_of(source.read("contacts"))) == 3


def test_a_wrong_endpoint_is_told(erp):
    """It is not always the folder's code."""
    with source_of(erp, api={"endpoint": "REC"}) as source:
        [row] = list(source.check())

    assert not row.ok
    assert "not always the folder's" in row.cure


def test_an_unknown_property_is_explained_and_not_asked_again(erp):
    """X3 says no more than 500: the error names property, representation and whom to ask."""
    wrong = Representation("YMCBPC", fields={"BPCNUM": "YNUM"})
    with (
        source_of(erp, api={"representations": {"BPCUSTOMER": wrong}}) as source,
        pytest.raises(ContractError, match=r"YMCBPC\.\$query does not filter or sort by YNUM: ask the site's X3 team"),
    ):
        list(source.fetch("customers", ["0001"]))

    assert len([e for e in erp.log if e.status == 500]) == 1


def test_what_may_pass_is_tried_again(erp):
    """Busy servers, and whatever the server itself calls transient."""
    with source_of(erp) as source:
        erp.fail_next(503, path="/BPCUSTOMER")
        assert len(keys_of(source.read("customers"))) == 3
        transient = {"$diagnoses": [{"$severity": "transient", "$message": "later"}]}
        erp.fail_next(200, body=transient, path="/BPCUSTOMER")
        assert len(keys_of(source.read("customers"))) == 3
        erp.fail(status=500, body={}, path="/BPCUSTOMER")
        with pytest.raises(ServerFaultError):
            list(source.read("customers"))


def test_the_present_is_the_servers(erp, clock):
    """Its own clock less what a change needs to become visible; it must be told."""
    with source_of(erp, commit_lag=timedelta(minutes=3)) as source:
        assert source.present("orders") == clock.now() - timedelta(minutes=3)
        erp.fail(status=200, body={"$resources": []}, headers={"Date": "soon"})
        with pytest.raises(ContractError, match="no Date header"):
            source.present("orders")


def test_marks_of_another_kind_are_refused(erp):
    """They belong to another source."""
    with source_of(erp) as source, pytest.raises(ConfigurationError, match="the mark is a date"):
        list(source.read("customers", Window(lower=date(2026, 1, 1))))


def test_a_clock_that_is_off_is_told(erp):
    """Marks follow the server."""
    with source_of(erp) as source:
        source.attach(clock=FakeClock(START - timedelta(days=1)))
        rows = {row.what: row for row in source.check()}

    assert not rows["clock"].ok
    assert rows["stream customers"].ok


def test_pauses_are_announced(erp):
    """An engine hears of them, and its retry policy is used."""
    heard = []
    with source_of(erp, retry=RetryPolicy(attempts=1)) as source:
        source.attach(retry=RetryPolicy.immediate(), on_wait=lambda *args: heard.append(args[1]))
        erp.fail_next(503, path="/BPCUSTOMER")
        list(source.read("customers"))

    assert heard == ["GET BPCUSTOMER/YMCBPC.$query"]


# -- settings -------------------------------------------------------------------------------------------------------


def test_one_list_of_partners_has_no_stream_of_suppliers(erp):
    """Where customers and suppliers are one list they are read once, and asking for the other says which setting."""
    with source_of(erp, suppliers="none") as source:
        assert list(source.streams) == ["customers", "contacts", "orders"]
        with pytest.raises(ConfigurationError, match="see suppliers="):
            list(source.read("suppliers"))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"orders": "quotes"}, "orders must be"),
        ({"suppliers": "all"}, "suppliers must be"),
        ({"customer_email": "any"}, "customer_email must be"),
        ({"stamps": "UPDDATTIM"}, "stamps must be a list"),
        ({"posted": "3"}, "posted must be a list"),
        ({"api": {"endpoint": ""}}, "endpoint must name"),
        ({"api": {"username": " "}}, "username must not be empty"),
        ({"api": {"representations": {"CUSTOMER": "YMCBPC"}}}, "representations names CUSTOMER"),
        ({"api": {"representations": {"BPCUSTOMER": "YMCBPC.$query"}}}, "without a facet"),
        ({"api": {"auth": OAuth2Token(access_token="t")}}, "not both"),
        ({"api": {"auth": OAuth2ClientCredentials(client_id="a", client_secret="b"), "username": ""}}, "token_url"),
        ({"api": {"base_url": "x3.example"}}, "must start with https"),
        ({"api": {"network": Network(ca_bundle="/no/such/file.pem")}}, "ca_bundle"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_sent(erp, settings, named):
    """The message names the setting."""
    with pytest.raises(ConfigurationError, match=named):
        source_of(erp, **settings)

    assert erp.log == []


@pytest.mark.parametrize(
    "auth", [OAuth2Token(access_token="good"), BasicLogin(username="MAILCHIMP", password="secret")]
)
def test_other_ways_to_sign_in(erp, auth):
    """A token made elsewhere, or the same login as a value."""
    erp.access.modes.add("bearer")
    erp.access.tokens.add("good")
    api = SageX3Rest(erp.base_url, endpoint=erp.endpoint, auth=auth, representations=REPRESENTATIONS)
    with SageX3(api=api) as source:
        assert len(keys_of(source.read("customers"))) == 3
        assert next(iter(source.check())).ok


@pytest.mark.parametrize(
    "grant",
    [
        OAuth2ClientCredentials(client_id="app", client_secret="s"),
        OAuth2AuthorizationCode(client_id="app", token=OAuth2Token(access_token="", refresh_token="r")),
    ],
)
def test_tokens_are_got_where_the_site_says(erp, grant):
    """Sage X3 Online has nothing but OAuth 2."""
    erp.access.modes = {"bearer"}
    erp.access.tokens.add("fresh")

    class Issuer(FakeServer):
        def handle(self, request):
            return Reply(200, {"access_token": "fresh", "token_type": "Bearer", "expires_in": 3600})

    with Issuer() as issuer:
        api = SageX3Rest(
            erp.base_url,
            endpoint=erp.endpoint,
            auth=grant,
            token_url=f"{issuer.url}/token",
            representations=REPRESENTATIONS,
        )
        with SageX3(api=api) as source:
            assert len(keys_of(source.read("customers"))) == 3


def test_an_address_copied_from_a_browser_is_understood(erp):
    """With the path of the API in it; and the folder's name serves where the endpoint has the same."""
    copied = f"{erp.base_url}/api1/x3/erp/{erp.endpoint}/BPCUSTOMER?representation=BPCUSTOMER.$query"
    with source_of(erp, api={"base_url": copied, "endpoint": "", "folder": erp.endpoint}) as source:
        assert len(keys_of(source.read("customers"))) == 3
        assert source.request_count == len(erp.log)


def test_nothing_shows_secrets(erp):
    """Neither the door nor the source, nor an error."""
    shown = door(erp, password="hunter2")
    with source_of(erp, api={"password": "hunter2"}) as source:
        assert "hunter2" not in repr(shown) + repr(source)
        with pytest.raises(AuthenticationError) as caught:
            list(source.read("customers"))
    assert "hunter2" not in str(caught.value)
    assert repr(source) == f"<SageX3 {erp.base_url}/api1/x3/erp/SEED>"
