"""Predicates and orders of the fake Sage X3's api1."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from mlconnector_sdk.testing import FakeClock, FakeSageX3
from tests.unit.testing._sagex3_asking import NOW, address, asking, client, complaint, keys, rows


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
        ("lower(trim(BPCNUM)) eq 'a1'", "A1"),
        ("month(ORDFIRDAT) eq 1", ""),
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
        "BPCNUM eq 'A1' 'B2'",
        "BPCNUM eq and",
        "BPCNUM is 'A1'",
        "BPCSTA like '2'",
        "BPCNUM eq ;",
        "bpcnum eq 'A1'",
        "BPCCRY eq 'FR'",
        "",
    ],
)
def test_bad_predicates_are_server_errors(three, api, where):
    """What the grammar or the facet does not have is refused with 500 and a diagnosis; nothing is guessed."""
    reply = api("/BPCUSTOMER", representation="YALL.$query", where=where)

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
def test_sites_may_not_take_stamps(three, api, setting, parameters):
    """A site that does not filter or sort by stamps says 500, and everything else still works."""
    assert 200 == api("/BPCUSTOMER", representation="YALL.$query", **parameters).status_code
    setattr(three.api1, setting, False)

    reply = api("/BPCUSTOMER", representation="YALL.$query", **parameters)

    assert 500 == reply.status_code
    assert 200 == api("/BPCUSTOMER", representation="YALL.$query", where="BPCNUM eq 'A1'").status_code


@pytest.mark.parametrize("order", ["NOSUCH", "BPCSHO", "BPCNUM down", "BPCNUM;BPCNAM", "BPCNUM DESC", "LAN.code"])
def test_bad_orders_are_server_errors(three, api, order):
    """Lists are sorted by properties of the query facet, in the comma form."""
    reply = api("/BPCUSTOMER", representation="YALL.$query", orderBy=order)

    assert 500 == reply.status_code
    assert complaint(reply)


def test_orders_may_be_hidden_joined_and_descending(three, api):
    """Properties that are not shown sort as well, and rows that are equal come by their key."""
    assert ["B2", "C3", "A1"] == keys(api("/BPCUSTOMER", representation="YALL.$query", orderBy="CUR"))
    assert ["A1", "B2", "C3"] == keys(api("/BPCUSTOMER", representation="YALL.$query", orderBy="CUR desc,BPCNUM"))
    assert ["C3", "B2", "A1"] == keys(api("/BPCUSTOMER", representation="YALL.$query", orderBy="LAN,UPDDATTIM desc"))
    assert "CUR" not in rows(api("/BPCUSTOMER", representation="YALL.$query"))[0]


def test_spoilt_values_neither_match_nor_fail(three, api):
    """A row whose stamp is no moment matches no predicate on it, and stands behind all others in its order."""
    three.spoil("BPCUSTOMER", "B2", UPDDATTIM="yesterday")

    since = api("/BPCUSTOMER", representation="YALL.$query", where="UPDDATTIM ge @2000-01-01T00:00:00Z@")
    ordered = api("/BPCUSTOMER", representation="YALL.$query", orderBy="UPDDATTIM")

    assert ["A1", "C3"] == keys(since)
    assert ["A1", "C3", "B2"] == keys(ordered)


def test_a_predicate_is_worked_out_again_after_a_change(three, api):
    """Answers are never older than the rows, however often the same is asked."""
    where = "UPDDATTIM ge @2026-02-01T00:00:00Z@"
    assert [] == keys(api("/BPCUSTOMER", representation="YALL.$query", where=where))

    three.edit("BPCUSTOMER", "B2", BPCNAM="Bell")

    assert ["B2"] == keys(api("/BPCUSTOMER", representation="YALL.$query", where=where))
