"""Lists, links, addresses, values and callers of the fake Sage X3's api1."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import attrs
import httpx
import pytest

from mlconnector_sdk.testing import FakeClock, FakeSageX3
from tests.unit.testing._sagex3_asking import NOW, SAVED, address, asking, client, complaint, keys, rows, walk


@pytest.fixture(name="clock")
def _clock():
    return FakeClock(NOW)


@pytest.fixture(name="erp")
def _erp(clock):
    """A site without records."""
    with FakeSageX3(clock=clock) as fake:
        yield fake


@pytest.fixture(name="api")
def _api(erp):
    """Asks the site as its user."""
    with client(erp) as http:
        yield asking(http)


# -- paging -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order", ["", "UPDDATTIM,BPCNUM", "UPDDATTIM desc", "BPCNAM desc,BPCNUM desc", "BCGCOD", "ORDFIRDAT,OSTAUZ"]
)
def test_links_lead_to_every_row_once(clock, order):
    """Whatever the order, with ties, empty stamps and odd codes, the links lead through all rows and stop."""
    with FakeSageX3(customers=200, clock=clock) as erp, client(erp) as http:
        erp.add_representation("YALL", "BPCUSTOMER", "BPCNUM BPCNAM BCGCOD UPDDATTIM ORDFIRDAT OSTAUZ")
        parameters = {"orderBy": order} if order else {}

        found = walk(http.get, address("/BPCUSTOMER", representation="YALL.$query", count=7, **parameters))

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


def test_the_last_page_may_point_at_nothing(erp, api):
    """On a site that links on after a full last page, the next one has neither rows nor links."""
    for number in range(4):
        erp.add_customer(f"{number:04d}")
    erp.api1.link_after_last = True

    last = api("/BPCUSTOMER", representation="BPCUSTOMER.$query", count=4).json()
    beyond = api(last["$links"]["$next"]["$url"]).json()

    assert ([], {}) == (beyond["$resources"], beyond["$links"])


def test_links_may_name_the_internal_host(erp, api):
    """Behind a proxy the links name a host that the client does not know; rows have relative ones."""
    erp.add_customer("0001")
    erp.add_customer("0002")
    erp.api1.link_host = "http://x3-internal:8124"

    page = api("/BPCUSTOMER", representation="BPCUSTOMER.$query", count=1).json()

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
        ("/BPCUSTOMER", {"representation": "YMCBPC.$query", "orderBy": "UPDDATTIM", "key": "gt.noon~0001"}, 400),
        ("/BPCUSTOMER('00'01')", {"representation": "BPCUSTOMER.$details"}, 400),
        ("/BPCUSTOMER/more", {"representation": "BPCUSTOMER.$query"}, 404),
        ("/../PROD/BPCUSTOMER", {"representation": "BPCUSTOMER.$query"}, 404),
        ("/$prototypes('YNONE.$query')", {}, 404),
        ("/$prototypes('BPCUSTOMER.$edit')", {}, 404),
    ],
)
def test_wrong_addresses_are_refused_with_a_diagnosis(erp, api, path, parameters, status):
    """Class, representation, facet and parameters must be right to the letter."""
    erp.add_customer("0001")

    reply = api(path, **parameters)

    assert status == reply.status_code
    assert complaint(reply)


def test_writing_is_refused(erp):
    """The API is for reading."""
    with client(erp) as http:
        assert 405 == http.post("/BPCUSTOMER?representation=BPCUSTOMER.$create", json={}).status_code


# -- keys and values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["AU/014", "GB 003", "O'HARA", "100%", "Ä-1", "A&B=C"])
def test_odd_codes_are_found_by_their_own_address(erp, api, key):
    """Slashes, blanks and quotes in a code survive the way through the address of its record."""
    erp.add_customer(key)

    path = quote(key.replace("'", "''"), safe="")
    reply = api(f"/BPCUSTOMER('{path}')", representation="BPCUSTOMER.$details")

    assert key == reply.json()["BPCNUM"]


def test_composite_keys_are_joined_with_tildes(erp, api):
    """An address is found by kind of owner, owner and code."""
    erp.add_customer("0001", email="a@example.com")

    assert ["1~0001~A01"] == keys(api("/BPADDRESS", representation="BPADDRESS.$query"))
    found = api("/BPADDRESS('1~0001~A01')", representation="BPADDRESS.$details").json()
    assert ["a@example.com", "", "", "", ""] == found["WEB"]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("array", {"WEB": ["a@x.com", "b@x.com", "", "", ""]}),
        ("from zero", {"WEB_0": "a@x.com", "WEB_1": "b@x.com", "WEB_2": "", "WEB_3": "", "WEB_4": ""}),
        ("from one", {"WEB1": "a@x.com", "WEB2": "b@x.com", "WEB3": "", "WEB4": "", "WEB5": ""}),
        ("objects", {"WEB": [{"WEB": "a@x.com"}, {"WEB": "b@x.com"}, {"WEB": ""}, {"WEB": ""}, {"WEB": ""}]}),
    ],
)
def test_several_occurrences_have_four_forms(erp, api, form, expected):
    """A field that occurs several times comes in the form of the site, in lists and in details."""
    erp.add_customer("0001", email=["a@x.com", "b@x.com"])
    erp.add_representation("YADD", "BPADDRESS", "BPANUM WEB")
    erp.api1.looks.query_dimensions = erp.api1.looks.details_dimensions = form

    row = rows(api("/BPADDRESS", representation="YADD.$query"))[0]
    record = api("/BPADDRESS('1~0001~A01')", representation="YADD.$details").json()

    assert expected == {name: value for name, value in row.items() if name.startswith("WEB")}
    assert expected.items() <= record.items()


@pytest.mark.parametrize("form", [None, "", "0000-00-00", "1599-12-31", "1753-01-01", "missing"])
def test_no_date_has_many_forms(erp, api, form):
    """A day that is not set is null, blank, the database's first day, or not there."""
    erp.add_customer("0001")
    erp.add_representation("YDAY", "BPCUSTOMER", "BPCNUM ORDFIRDAT")
    erp.api1.looks.no_date = form

    row = rows(api("/BPCUSTOMER", representation="YDAY.$query"))[0]

    assert ("nothing" if form == "missing" else form) == row.get("ORDFIRDAT", "nothing")


def test_texts_may_be_padded(erp, api):
    """On a site that pads, texts are as long as their columns, empty ones too."""
    erp.add_customer("0001", name="Harbor")
    erp.add_representation("YPAD", "BPCUSTOMER", "BPCNUM BPCNAM BCGCOD")
    erp.api1.looks.padded = True

    row = rows(api("/BPCUSTOMER", representation="YPAD.$query"))[0]

    assert ("0001".ljust(15), "Harbor".ljust(35), "     ") == (row["BPCNUM"], row["BPCNAM"], row["BCGCOD"])


def test_malformed_values_go_out_as_they_are(erp, api):
    """A row can be spoilt for tests of those who read it."""
    erp.add_customer("0001")
    erp.spoil("BPCUSTOMER", "0001", BPCSTA="two", UPDDATTIM="yesterday")

    row = rows(api("/BPCUSTOMER", representation="YMCBPC.$query"))[0]

    assert ("two", "yesterday", False) == (row["BPCSTA"], row["UPDDATTIM"], "$etag" in row)


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


def test_rights_are_by_class(erp, api):
    """A class that the user may not read is 403, its description too; the others are not."""
    erp.forbid("BPADDRESS")

    assert 403 == api("/BPADDRESS", representation="BPADDRESS.$query").status_code
    assert 403 == api("/$prototypes('BPADDRESS.$query')").status_code
    assert 200 == api("/BPCUSTOMER", representation="BPCUSTOMER.$query").status_code
    erp.forbid("BPADDRESS", allow=True)
    assert 200 == api("/BPADDRESS", representation="BPADDRESS.$query").status_code


def test_prototypes_may_be_missing(erp, api):
    """On a site without descriptions of facets the address is not found."""
    erp.api1.prototypes = False

    assert 404 == api("/$prototypes('BPCUSTOMER.$query')").status_code


def test_administration_needs_rights(erp):
    """The list of endpoints is for administrators."""
    with httpx.Client(auth=(erp.username, erp.password)) as http:
        path = "/api1/syracuse/collaboration/syracuse/endPoints?representation=endPoints.$query"
        assert 403 == http.get(f"{erp.base_url}{path}").status_code


def test_graphql_has_its_own_door(erp):
    """The same server answers for the GraphQL service, which knows its own callers."""
    with httpx.Client() as http:
        assert 401 == http.post(erp.graphql_url, json={"query": "{ x }"}).status_code


@pytest.mark.parametrize("header", ["", "Basic", "Basic !", "Basic gICA", "Bearer", "Digest x"])
def test_headers_that_say_nothing_let_nobody_in(erp, header):
    """What cannot be read as name and password is nobody."""
    with httpx.Client(headers={"Authorization": header}) as http:
        path = f"{erp.base_url}/api1/x3/erp/SEED/BPCUSTOMER?representation=BPCUSTOMER.$query"
        assert 401 == http.get(path).status_code


def test_other_addresses_are_not_found(erp):
    """The server answers for its two APIs and nothing else."""
    with httpx.Client() as http:
        assert 404 == http.get(f"{erp.base_url}/sdata/x3/erp/SEED/BPCUSTOMER").status_code


def test_a_representation_may_be_broken(erp, api):
    """Who changes a representation past its checks gets a server that says which one is broken."""
    erp.representations["YBAD"] = attrs.evolve(erp.representations["YMCBPC"], name="YBAD", query="BPCNUM NOSUCH")

    reply = api("/BPCUSTOMER", representation="YBAD.$query")

    assert 500 == reply.status_code
    assert "YBAD" in complaint(reply)


def test_the_first_answer_may_be_slow(clock):
    """After an idle night api1 takes its time, once."""
    with FakeSageX3(clock=clock, slow_first=0.2) as erp, client(erp) as http:
        for _ in range(2):
            http.get(address("/BPCUSTOMER", representation="BPCUSTOMER.$query"))

        first, second = (call.seconds for call in erp.log)
        assert first >= 0.2 > second
