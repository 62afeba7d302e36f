"""The fake Sage X3's api1 to the letter: predicates, orders, links, addresses, and who is let in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from mlconnector_sdk.testing import FakeClock, FakeSageX3
from tests.contracts import _sagex3_oracle as oracle
from tests.contracts._sagex3_asking import (
    NOW,
    SAVED,
    address,
    asking,
    asking_anything,
    client,
    complaint,
    keys,
    rows,
    walk,
)

pytestmark = pytest.mark.skipif(
    oracle.spec_folder() is None, reason="the vendor contracts are not on this machine: set MLCONNECTOR_SPECS"
)


@pytest.fixture(name="clock")
def _clock():
    return FakeClock(NOW)


@pytest.fixture(name="erp")
def _erp(clock):
    """A site without records."""
    with FakeSageX3(clock=clock) as fake:
        fake.keep_bodies = True
        yield fake


@pytest.fixture(name="api")
def _api(erp):
    """Asks the site; question and answer are checked against the oracle."""
    with client(erp) as http:
        yield asking(erp, http)


@pytest.fixture(name="raw")
def _raw(erp):
    """Asks the site what nobody should ask."""
    with client(erp) as http:
        yield asking_anything(http)


# -- where and orderBy ------------------------------------------------------------------------------------------------


@pytest.fixture(name="three")
def _three(erp):
    """Three customers, saved on three days."""
    erp.add_representation(
        "YALL", "BPCUSTOMER", "BPCNUM BPCNAM BPCSTA OSTAUZ UPDDATTIM UPDDAT ORDFIRDAT ?CUR partner.LAN REP#1"
    )
    for day, (key, name) in enumerate([("A1", "Maxim's"), ("B2", 'The "Bell"'), ("C3", "Çelik 100 %")]):
        erp.add_customer(key, name=name, CUR="EUR" if day else "USD", OSTAUZ=Decimal(day) / 2, BPCSTA=day or 2)
        moment = datetime(2026, 1, 17 + day, 8, tzinfo=UTC)
        erp.customers[key].write({"UPDDATTIM": moment, "UPDDAT": moment.date()})
    return erp


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("BPCNUM eq 'A1'", "A1"),
        ('BPCNUM eq "A1"', "A1"),
        ("BPCNAM eq 'Maxim''s'", "A1"),
        ('BPCNAM eq "The ""Bell"""', "B2"),
        ("BPCNUM eq 'a1'", ""),
        ("BPCNUM eq 'A1' or BPCNUM eq 'C3'", "A1 C3"),
        ("BPCNUM eq 'A1' or BPCNUM eq 'B2' and BPCSTA eq 1", "A1 B2"),
        ("(BPCNUM eq 'A1' or BPCNUM eq 'B2') and BPCSTA eq 1", "B2"),
        ("not BPCNUM eq 'A1'", "B2 C3"),
        ("not (BPCNUM eq 'A1' or BPCSTA eq 1)", "C3"),
        ("BPCNUM ne 'A1' and BPCNUM gt 'B1'", "B2 C3"),
        ("BPCNUM between 'A' and 'B2'", "A1 B2"),
        ("BPCNUM in ('A1','C3')", "A1 C3"),
        ("BPCNAM like '%axi%'", "A1"),
        ("BPCNAM like '%100 _'", "C3"),
        ("left(BPCNAM,4) eq 'Maxi'", "A1"),
        ("upper(right(BPCNUM, 1)) eq '2' and length(BPCNUM) eq 2", "B2"),
        ("substring(BPCNAM,2,3) eq 'axi'", "A1"),
        ("concat(BPCNUM,CUR) eq 'A1USD'", "A1"),
        ("CUR eq 'USD'", "A1"),
        ("OSTAUZ ge 0.5", "B2 C3"),
        ("OSTAUZ lt 1.0 and BPCSTA le 2", "A1 B2"),
        ("UPDDATTIM ge @2026-01-18T08:00:00Z@", "B2 C3"),
        ("UPDDATTIM gt @2026-01-18T10:00:00+02:00@", "C3"),
        ("UPDDAT ge @2026-01-19@", "C3"),
        ("day(UPDDAT) eq 18 and year(UPDDAT) eq 2026", "B2"),
        ("UPDDAT lt currentDate()", "A1 B2 C3"),
        ("ORDFIRDAT lt @2030-01-01@", ""),
        ("ORDFIRDAT ne @2030-01-01@", ""),
        ("LAN eq 'ENG'", "A1 B2 C3"),
        ("REP1 eq ''", "A1 B2 C3"),
    ],
)
def test_predicates_select(three, api, where, expected):
    """A predicate by the documented grammar selects the rows it means, and the oracle can read it as well."""
    assert expected.split() == keys(api("/BPCUSTOMER", representation="YALL.$query", where=where))


@pytest.mark.parametrize(
    "where",
    [
        "BPCNUM = 'A1'",
        "BPCNUM eq A1",
        "BPCNUM eq 'A1",
        "BPCNUM eq 'A'1'",
        "BPCNUM EQ 'A1'",
        "BPCNUM eq 'A1' and",
        "(BPCNUM eq 'A1'",
        "BPCNUM eq 17",
        "BPCSTA eq '2'",
        "UPDDATTIM ge '2026-01-18T08:00:00Z'",
        "UPDDATTIM ge 2026-01-18T08:00:00Z",
        "UPDDATTIM ge @2026-01-18@",
        "UPDDATTIM ge @2026-01-18 08:00:00@",
        "UPDDATTIM ge @2026-13-18T08:00:00Z@",
        "UPDDAT ge @2026-01-18T08:00:00Z@",
        "$updated gt @2026-01-18T08:00:00Z@",
        "startswith(BPCNAM,'M')",
        "left(BPCNAM) eq 'M'",
        "BPCNUM in ()",
        "BPCNUM",
        "bpcnum eq 'A1'",
        "BPCCRY eq 'FR'",
        "",
    ],
)
def test_bad_predicates_are_server_errors(three, raw, where):
    """What the grammar or the facet does not have is refused with 500 and a diagnosis; nothing is guessed."""
    reply = raw("/BPCUSTOMER", representation="YALL.$query", where=where)

    assert 500 == reply.status_code
    assert "where clause" in complaint(reply)


def test_a_moment_without_offset_is_the_servers_own_time(clock):
    """Who leaves the Z away asks for another moment wherever the server does not live in UTC."""
    with FakeSageX3(clock=clock, zone="Europe/Paris") as erp, client(erp) as http:
        key = erp.add_customer()

        def found(literal):
            where = f"UPDDATTIM ge {literal}"
            return keys(http.get(address("/BPCUSTOMER", representation="YMCBPC.$query", where=where)))

        assert [key] == found("@2026-03-01T12:00:00Z@")
        assert [key] == found("@2026-03-01T13:00:00@")
        assert [] == found("@2026-03-01T12:00:01Z@")
        assert [] == found("@2026-03-01T13:00:01@")


def test_a_plus_sign_is_no_blank(three):
    """Blanks written as plus signs are not understood."""
    with client(three) as http:
        reply = http.get("/BPCUSTOMER?representation=YALL.$query&where=BPCNUM+eq+'A1'")

    assert 500 == reply.status_code


@pytest.mark.parametrize(
    ("setting", "parameters"),
    [
        ("datetime_where", {"where": "UPDDATTIM ge @2026-01-18T08:00:00Z@"}),
        ("stamp_where", {"where": "UPDDAT ge @2026-01-18@"}),
        ("stamp_where", {"where": "UPDDATTIM ge @2026-01-18T08:00:00Z@"}),
        ("order_by_stamp", {"orderBy": "UPDDATTIM desc"}),
        ("order_by_stamp", {"orderBy": "BPCNUM,UPDDAT"}),
    ],
)
def test_sites_may_not_take_stamps(three, raw, setting, parameters):
    """A site that does not filter or sort by stamps says 500, and everything else still works."""
    assert 200 == raw("/BPCUSTOMER", representation="YALL.$query", **parameters).status_code
    setattr(three.api1, setting, False)

    reply = raw("/BPCUSTOMER", representation="YALL.$query", **parameters)

    assert 500 == reply.status_code
    assert 200 == raw("/BPCUSTOMER", representation="YALL.$query", where="BPCNUM eq 'A1'").status_code


@pytest.mark.parametrize("order", ["NOSUCH", "BPCSHO", "BPCNUM down", "BPCNUM;BPCNAM", "BPCNUM DESC", "LAN.code"])
def test_bad_orders_are_server_errors(three, raw, order):
    """Lists are sorted by properties of the query facet, in the comma form."""
    reply = raw("/BPCUSTOMER", representation="YALL.$query", orderBy=order)

    assert 500 == reply.status_code
    assert complaint(reply)


def test_orders_may_be_hidden_joined_and_descending(three, api):
    """Properties that are not shown sort as well, and rows that are equal come by their key."""
    assert ["B2", "C3", "A1"] == keys(api("/BPCUSTOMER", representation="YALL.$query", orderBy="CUR"))
    assert ["A1", "B2", "C3"] == keys(api("/BPCUSTOMER", representation="YALL.$query", orderBy="CUR desc,BPCNUM"))
    assert ["C3", "B2", "A1"] == keys(api("/BPCUSTOMER", representation="YALL.$query", orderBy="LAN,UPDDATTIM desc"))
    assert "CUR" not in rows(api("/BPCUSTOMER", representation="YALL.$query"))[0]


# -- paging -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["", "UPDDATTIM,BPCNUM", "UPDDATTIM desc", "BPCNAM desc,BPCNUM desc", "BCGCOD"])
def test_links_lead_to_every_row_once(clock, order):
    """Whatever the order, with ties, empty stamps and odd codes, the links lead through all rows and stop."""
    with FakeSageX3(customers=200, clock=clock) as erp, client(erp) as http:
        parameters = {"orderBy": order} if order else {}

        found = walk(http.get, address("/BPCUSTOMER", representation="YMCBPC.$query", count=7, **parameters))

        assert sorted(erp.customers) == sorted(row["BPCNUM"] for row in found)


def test_a_row_changed_on_the_way_is_met_again(erp, api):
    """In the order of stamps a row that is saved during the walk moves behind it."""
    for number in range(6):
        erp.add_customer(f"K{number}")
        erp.customers[f"K{number}"].write({"UPDDATTIM": SAVED + timedelta(minutes=number)})
    first = api("/BPCUSTOMER", representation="YMCBPC.$query", count=3, orderBy="UPDDATTIM,BPCNUM")
    erp.edit("BPCUSTOMER", "K0", BPCNAM="Moved")
    erp.edit("BPCUSTOMER", "K4", BPCNAM="Moved as well")

    second = api(first.json()["$links"]["$next"]["$url"])
    third = api(second.json()["$links"]["$next"]["$url"])

    assert ["K0", "K1", "K2"] == keys(first)
    assert ["K3", "K5", "K0"] == keys(second)
    assert ["K4"] == keys(third)


def test_rows_come_from_behind_a_key_and_back(erp, api):
    """`gt.` reads on behind a key, also one that is gone; `lt.` and the link back give the page before."""
    for number in range(1, 10):
        erp.add_customer(f"{number:04d}")
    erp.delete("BPCUSTOMER", "0004")

    ahead = api("/BPCUSTOMER", representation="BPCUSTOMER.$query", count=3, key="gt.0004")
    back = api(ahead.json()["$links"]["$prev"]["$url"])

    assert ["0005", "0006", "0007"] == keys(ahead)
    assert ["0001", "0002", "0003"] == keys(back)
    assert ["0007", "0008"] == keys(api("/BPCUSTOMER", representation="BPCUSTOMER.$query", count=2, key="lt.0009"))


def test_pages_have_their_default_and_their_limit(clock):
    """Without `count` a page has 20 rows; however many are asked for, the server's limit holds."""
    with FakeSageX3(customers=60, clock=clock) as erp, client(erp) as http:
        erp.api1.page_cap = 25
        default = http.get(address("/BPCUSTOMER", representation="BPCUSTOMER.$query")).json()
        capped = http.get(address("/BPCUSTOMER", representation="BPCUSTOMER.$query", count=1000)).json()

    assert (20, 20) == (len(default["$resources"]), default["$itemsPerPage"])
    assert (25, 25) == (len(capped["$resources"]), capped["$itemsPerPage"])


def test_the_last_page_may_point_at_nothing(erp, raw):
    """On a site that links on after a full last page, the next one has neither rows nor links."""
    for number in range(4):
        erp.add_customer(f"{number:04d}")
    erp.api1.link_after_last = True

    last = raw("/BPCUSTOMER", representation="BPCUSTOMER.$query", count=4).json()
    beyond = raw(last["$links"]["$next"]["$url"]).json()

    assert ([], {}) == (beyond["$resources"], beyond["$links"])


def test_links_may_name_the_internal_host(erp, raw):
    """Behind a proxy the links name a host that the client does not know; rows have relative ones."""
    erp.add_customer("0001")
    erp.add_customer("0002")
    erp.api1.link_host = "http://x3-internal:8124"

    page = raw("/BPCUSTOMER", representation="BPCUSTOMER.$query", count=1).json()

    assert page["$links"]["$next"]["$url"].startswith("http://x3-internal:8124/api1/x3/erp/SEED/BPCUSTOMER?")
    assert page["$resources"][0]["$url"].startswith("/api1/")


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        ("/BPCUSTOMER", {}, 400),
        ("/BPCUSTOMER", {"representation": "BPCUSTOMER"}, 400),
        ("/BPCUSTOMER", {"representation": "BPCUSTOMER.$detail"}, 400),
        ("/BPCUSTOMER", {"representation": "BPCUSTOMER.$details"}, 400),
        ("/BPCUSTOMER", {"representation": "BPSUPPLIER.$query"}, 400),
        ("/BPCUSTOMER", {"representation": "YNONE.$query"}, 400),
        ("/BPCUSTOMER('0001')", {"representation": "BPCUSTOMER.$query"}, 400),
        ("/BPCUSTOMER('0001')", {"representation": "BPCUSTOMER.$details", "count": 1}, 400),
        ("/BPADDRESS('0001')", {"representation": "BPADDRESS.$details"}, 400),
        ("/BPCUSTOMER", {"representation": "BPCUSTOMER.$query", "count": 0}, 400),
        ("/BPCUSTOMER", {"representation": "BPCUSTOMER.$query", "count": "ten"}, 400),
        ("/BPCUSTOMER", {"representation": "BPCUSTOMER.$query", "startIndex": 21}, 400),
        ("/BPCUSTOMER", {"representation": "BPCUSTOMER.$query", "offset": 20}, 400),
        ("/BPCUSTOMER", {"representation": "BPCUSTOMER.$query", "key": "0001"}, 400),
        ("/BPCUSTOMER", {"representation": "BPCUSTOMER.$query", "key": "gt.0001~0002"}, 400),
        ("/bpcustomer", {"representation": "BPCUSTOMER.$query"}, 404),
        ("/../PROD/BPCUSTOMER", {"representation": "BPCUSTOMER.$query"}, 404),
        ("/$prototypes('YNONE.$query')", {}, 404),
        ("/$prototypes('BPCUSTOMER.$edit')", {}, 404),
    ],
)
def test_wrong_addresses_are_refused_with_a_diagnosis(erp, raw, path, parameters, status):
    """Class, representation, facet and parameters must be right to the letter."""
    erp.add_customer("0001")

    reply = raw(path, **parameters)

    assert status == reply.status_code
    assert complaint(reply)


def test_writing_is_refused(erp):
    """The API is for reading."""
    with client(erp) as http:
        assert 405 == http.post("/BPCUSTOMER?representation=BPCUSTOMER.$create", json={}).status_code


# -- access -----------------------------------------------------------------------------------------------------------


def test_wrong_credentials_are_refused(erp):
    """A wrong password is 401 in plain text; the server counts the tries."""
    with client(erp, password="Secret") as http:
        reply = http.get("/BPCUSTOMER?representation=BPCUSTOMER.$query")

    assert (401, "Unauthorized", 1) == (reply.status_code, reply.text, erp.access.refusals)
    assert reply.headers["www-authenticate"].startswith("Basic ")


def test_a_misconfigured_server_shows_its_login_page(erp):
    """Where Basic is not switched on, right credentials get a page with 200, or the way to one."""
    erp.access.modes = {"bearer"}
    erp.access.refused = "login page"
    with client(erp) as http:
        page = http.get("/BPCUSTOMER?representation=BPCUSTOMER.$query")
        erp.access.refused = "redirect"
        away = http.get("/BPCUSTOMER?representation=BPCUSTOMER.$query")

    assert (200, "text/html; charset=utf-8") == (page.status_code, page.headers["content-type"])
    assert (302, "/auth/login/page") == (away.status_code, away.headers["location"])


def test_browsers_are_sent_to_the_login_page(erp):
    """Who asks for HTML gets the login page, however good the credentials are."""
    with client(erp, Accept="text/html,application/xhtml+xml,*/*") as http:
        assert "Sign in" in http.get("/BPCUSTOMER?representation=BPCUSTOMER.$query").text


def test_tokens_let_in_where_they_are_switched_on(erp):
    """OAuth 2 is another mode of the same API."""
    erp.access.tokens.add("good")
    path = f"{erp.base_url}/api1/x3/erp/SEED/BPCUSTOMER?representation=BPCUSTOMER.$query"
    with httpx.Client(headers={"Authorization": "Bearer good"}) as http:
        before = http.get(path).status_code
        erp.access.modes.add("bearer")
        after = http.get(path).status_code

    assert (401, 200) == (before, after)


def test_rights_are_by_class(erp, raw):
    """A class that the user may not read is 403, its description too; the others are not."""
    erp.forbid("BPADDRESS")

    assert 403 == raw("/BPADDRESS", representation="BPADDRESS.$query").status_code
    assert 403 == raw("/$prototypes('BPADDRESS.$query')").status_code
    assert 200 == raw("/BPCUSTOMER", representation="BPCUSTOMER.$query").status_code
    erp.forbid("BPADDRESS", allow=True)
    assert 200 == raw("/BPADDRESS", representation="BPADDRESS.$query").status_code


def test_prototypes_may_be_missing(erp, raw):
    """On a site without descriptions of facets the address is not found."""
    erp.api1.prototypes = False

    assert 404 == raw("/$prototypes('BPCUSTOMER.$query')").status_code


def test_administration_needs_rights(erp):
    """The list of endpoints is for administrators."""
    with httpx.Client(auth=(erp.username, erp.password)) as http:
        path = "/api1/syracuse/collaboration/syracuse/endPoints?representation=endPoints.$query"
        assert 403 == http.get(f"{erp.base_url}{path}").status_code


def test_graphql_has_its_own_door(erp):
    """The same server answers for the GraphQL service, which knows its own callers."""
    with httpx.Client() as http:
        assert 401 == http.post(erp.graphql_url, json={"query": "{ x }"}).status_code
