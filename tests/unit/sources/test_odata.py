"""OData V4: what is sent, and how answers are read."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from urllib.parse import unquote

import pytest
from hypothesis import given, strategies as st

from mlconnector_sdk._http import HttpReply
from mlconnector_sdk.errors import ContractError
from mlconnector_sdk.sources._odata import (
    any_of,
    collection_in,
    day_literal,
    encoded_length,
    fault_in,
    midnight_literal,
    moment_literal,
    number_literal,
    properties_in,
    query_text,
    text_literal,
)

EDMX = b"""<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>
<Schema Namespace="Models" xmlns="http://docs.oasis-open.org/odata/ns/edm">
<EntityType Name="Base"><Key><PropertyRef Name="Id"/></Key><Property Name="Id" Type="Edm.Int32"/></EntityType>
<EntityType Name="Customer" BaseType="Models.Base"><Property Name="Name" Type="Edm.String"/></EntityType>
<EntityType Name="Loop" BaseType="Models.Loop"><Property Name="Id" Type="Edm.String"/></EntityType>
</Schema><Schema Namespace="Default" xmlns="http://docs.oasis-open.org/odata/ns/edm"><EntityContainer Name="Container">
<EntitySet Name="Customers" EntityType="Models.Customer"/><EntitySet Name="Loops" EntityType="Models.Loop"/>
<EntitySet Name="Ghosts" EntityType="Models.Ghost"/>
</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"""


def reply(body, *, status=200, media="application/json"):
    """An answer with this body."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(status=status, headers={"content-type": media}, body=content)


def test_literals_are_those_of_version_4():
    """Texts in quotes, dates and numbers bare, instants in UTC and never rounded up."""
    berlin = timezone(timedelta(hours=2))

    assert "'O''Hara ''s'" == text_literal("O'Hara 's")
    assert "2024-05-06" == day_literal(date(2024, 5, 6))
    assert "2024-05-06T00:00:00Z" == midnight_literal(date(2024, 5, 6))
    assert "2024-05-06T10:00:00Z" == moment_literal(datetime(2024, 5, 6, 12, tzinfo=berlin))
    assert "2024-05-06T12:00:00.999Z" == moment_literal(datetime(2024, 5, 6, 12, 0, 0, 999_999, tzinfo=UTC))
    assert ["1793", "0.00000001", "1000"] == [number_literal(n) for n in (1793, Decimal("1E-8"), Decimal("1E+3"))]


def test_queries_are_encoded_and_leave_out_what_is_empty():
    """What a server could take for something else is encoded; what keeps a query readable and short is not."""
    options = {"$filter": "Name eq 'A+B & C#1%'", "$select": "A,B", "$top": "100", "$skip": ""}

    assert "$filter=Name%20eq%20'A%2BB%20%26%20C%231%25'&$select=A,B&$top=100" == query_text(options)


@given(
    st.lists(st.text(min_size=1, max_size=8), max_size=40),
    st.integers(1, 120),
    st.none() | st.integers(1, 5),
)
def test_every_key_is_asked_for_once_within_the_room(keys, room, most):
    """Groups keep the order of the keys, and are as short and as small as asked, single long terms aside."""
    groups = list(any_of(keys, lambda key: f"K eq {text_literal(key)}", room=room, most=most))

    assert keys == [key for group, _ in groups for key in group]
    for group, condition in groups:
        terms = [f"K eq {text_literal(key)}" for key in dict.fromkeys(group)]
        assert " or ".join(terms) == condition
        assert len(terms) == 1 or encoded_length(condition) <= room
        assert most is None or len(terms) <= most


def test_keys_with_one_term_share_it():
    """Documents of several types under one number are asked for once."""
    assert [(["A/1", "B/1"], "N eq 1")] == list(any_of(["A/1", "B/1"], lambda key: f"N eq {key[2:]}", room=99, most=1))


def test_a_list_is_read_with_exact_numbers():
    """Rows, count and the news that there is more; the link itself is not kept."""
    body = b'{"@odata.count": 625, "value": [{"Total": 0.1}], "@odata.nextLink": "http://evil.example/?$skip=1"}'

    found = collection_in(reply(body))

    assert [{"Total": Decimal("0.1")}] == found.rows
    assert (625, True) == (found.count, found.has_more)
    assert "evil" not in repr(found)


@pytest.mark.parametrize(("count", "expected"), [(3, 3), ("3", 3), (None, None), ("many", None), ("³", None)])
def test_the_count_may_be_a_text(count, expected):
    """A count in text is a number; what is none is no count."""
    assert expected == collection_in(reply({"value": [], "@odata.count": count})).count


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"value": {}}', b'{"value": [1]}', b'{"value": [{}'])
def test_what_is_no_list_is_refused(body):
    """Anything but an object with a list of records is another API."""
    with pytest.raises(ContractError):
        collection_in(reply(body))


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"error": {"code": "General", "message": {"lang": "en-US", "value": "Locked"}}}, "General", "Locked"),
        ({"error": {"code": "", "message": "Could not find", "innererror": {}}}, "", "Could not find"),
        ({"odata.error": {"code": None, "message": {"value": None}}}, "", ""),
        ({"error": "no"}, "", ""),
        (["error"], "", ""),
        (b"<html>", "", ""),
        (b"", "", ""),
    ],
)
def test_errors_are_read_in_each_form(body, code, message):
    """The vendor's form, the library's form, and none; whatever the media type says."""
    fault = fault_in(reply(body, status=500, media="text/plain"))

    assert (code, message) == (fault.code, fault.message)
    assert not message or message not in repr(fault)


def test_metadata_names_the_properties_of_each_collection():
    """Inherited properties count; a type that is missing, or inherits from itself, does no harm."""
    assert {
        "Customers": {"Name": "Edm.String", "Id": "Edm.Int32"},
        "Loops": {"Id": "Edm.String"},
        "Ghosts": {},
    } == properties_in(EDMX)


@pytest.mark.parametrize("body", [b"", b"{}", b"<a>", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'])
def test_other_documents_are_no_metadata(body):
    """What is no XML is refused, and so is a document type, which could blow up."""
    with pytest.raises(ContractError) as refused:
        properties_in(body)

    assert "bad_metadata" == refused.value.reason


@given(st.text())
def test_texts_survive_the_way_into_a_query(text):
    """A literal in a query decodes to the text that went in."""
    query = query_text({"$filter": text_literal(text)})

    assert text == unquote(query.removeprefix("$filter="))[1:-1].replace("''", "'")
