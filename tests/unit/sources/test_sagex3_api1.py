"""api1 without I/O: questions are written as the vendor documents them, and answers judged by what they say."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from urllib.parse import unquote

import pytest

from mlconnector_sdk._http import HttpReply
from mlconnector_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    PermissionDeniedError,
    RateLimitError,
    RecordNotFoundError,
    RecordRejectedError,
    ServerFaultError,
    UnavailableError,
)
from mlconnector_sdk.sources.sagex3._api1 import (
    details_path,
    judge,
    list_path,
    listed_in,
    literal,
    next_path,
    prototype_path,
    record_in,
    types_in,
    where_any,
)

WHAT = "GET BPCUSTOMER/YMCBPC.$query"


def reply(status=200, body=b"{}", kind="application/json", **headers):
    """An answer; a dict is its JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(status=status, headers={"content-type": kind, **headers}, body=content)


def diagnosis(severity="error", message="Unknown property X in where clause", *, name="$diagnoses"):
    """An error body."""
    return {name: [{"$severity": severity, "$message": message}]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Maxim's", "'Maxim''s'"),
        (17, "17"),
        (date(2026, 1, 18), "@2026-01-18@"),
        (datetime(2026, 1, 18, 8, 14, 25, 999, tzinfo=UTC), "@2026-01-18T08:14:25Z@"),
        (datetime(2026, 1, 18, 10, 14, 25, tzinfo=timezone(timedelta(hours=2))), "@2026-01-18T08:14:25Z@"),
    ],
)
def test_literals_are_those_of_the_query_language(value, text):
    """Quotes are doubled, and moments are UTC and say so, because without it they would be the server's own time."""
    assert text == literal(value)


@pytest.mark.parametrize("value", ["A\x00B", "A\nB", "\x7f"])
def test_control_characters_are_not_asked_for(value):
    """No code of X3 has them, and they must not get into a question."""
    with pytest.raises(ConfigurationError, match="control characters"):
        literal(value)


def test_a_list_is_asked_for_with_blanks_as_percent_20():
    """A plus sign is no blank everywhere, and nothing that has a meaning in an address stays bare."""
    path = list_path("BPCUSTOMER", "YMCBPC", count=100, where="BPCNAM eq 'A+B & C/D'", order_by="UPDDATTIM desc,BPCNUM")

    assert path == (
        "/BPCUSTOMER?representation=YMCBPC.$query&count=100&where=BPCNAM%20eq%20%27A%2BB%20%26%20C%2FD%27"
        "&orderBy=UPDDATTIM%20desc%2CBPCNUM"
    )


def test_a_record_is_asked_for_by_the_parts_of_its_key():
    """Parts are joined by tildes, quotes doubled, slashes encoded."""
    assert details_path("CONTACT", "YMCCNT", [1, "O'H/1", "C 1"]) == (
        "/CONTACT('1~O%27%27H%2F1~C%201')?representation=YMCCNT.$details"
    )
    assert prototype_path("YMCCNT", "$query") == "/$prototypes('YMCCNT.$query')"


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("https://inner:8124/api1/x3/erp/SEED/A?key=gt.1", "/A?key=gt.1"),
        ("/api1/x3/erp/SEED/A?key=gt.1", "/A?key=gt.1"),
        ("https://proxy.example/x3web/api1/x3/erp/SEED/A", "/A"),
        ("http://evil.example/steal?x=1", None),
        ("/api1/x3/erp/OTHER/A", None),
        ("javascript:alert(1)", None),
        ("http://[bad/api1/x3/erp/SEED/A", None),
    ],
)
def test_links_stay_on_the_configured_host(link, path):
    """Of a link only what is below the endpoint is used."""
    assert path == next_path(link, "/api1/x3/erp/SEED")


def test_many_conditions_are_asked_for_in_several_questions():
    """No question names more than 25 records, or gets longer than what is known to pass."""
    short = list(where_any([{"BPCNUM": f"{n:04d}"} for n in range(60)], {}))
    long = list(where_any([{"BPCNUM": "Ü" * 15, "BPAADD": f"{n}"} for n in range(60)], {"BPCNUM": "ZNUM"}))

    assert [where.count(" eq ") for where in short] == [25, 25, 10]
    assert sum(where.count("ZNUM eq") for where in long) == 60
    assert max(len(list_path("A", "A", count=1, where=where)) for where in long) < 1600
    assert long[0].startswith("(ZNUM eq 'ÜÜÜ")
    assert list(where_any([], {})) == []


def test_a_long_single_condition_comes_alone():
    """A condition is never cut."""
    long = [{"A": "x" * 2000}, {"A": "y"}]

    assert [len(where) > 1000 for where in where_any(long, {})] == [True, False]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"$resources": []}, None),
        (200, {"$resources": [], "$diagnoses": [{"$severity": "warning", "$message": "old"}]}, None),
        (200, {"BPCNUM": "1", "$diagnoses": []}, None),
        (200, diagnosis(message="721 : Record does not exist"), RecordNotFoundError),
        (200, diagnosis(message="721 : L'enregistrement manque"), RecordNotFoundError),
        (200, diagnosis(message="Locked"), RecordRejectedError),
        (200, diagnosis(name="$diagnosis"), RecordRejectedError),
        (200, {"$diagnosis": {"$severity": "Fatal"}}, RecordRejectedError),
        (200, {**diagnosis(), "$resources": []}, ContractError),
        (200, diagnosis("transient"), UnavailableError),
        (500, diagnosis("Transient"), UnavailableError),
        (500, diagnosis(), ContractError),
        (400, diagnosis(), ContractError),
        (404, diagnosis("error", "Class not found"), ContractError),
        (404, diagnosis("error", "721 : Record does not exist"), RecordNotFoundError),
        (405, {}, ContractError),
        (500, {}, ServerFaultError),
        (500, b"<html>crash</html>", ServerFaultError),
        (401, {}, AuthenticationError),
        (403, {}, PermissionDeniedError),
        (429, {}, RateLimitError),
        (408, {}, UnavailableError),
        (502, b"<html>", UnavailableError),
        (503, b"", UnavailableError),
        (504, b"", UnavailableError),
        (302, b"", ConfigurationError),
        (200, b"<html>sign in</html>", ConfigurationError),
        (200, b"[]", ConfigurationError),
        (200, b'{"$resources": [', UnavailableError),
    ],
)
def test_answers_are_judged_by_what_they_say(status, body, kind):
    """Only what may pass is transient; a good status alone proves nothing."""
    error = judge(reply(status, body), WHAT)

    assert (error is None) if kind is None else type(error) is kind


def test_a_page_without_a_media_type_is_a_web_page_too():
    """Text in the place of JSON tells a wrong address, with the cure."""
    error = judge(reply(200, b"Welcome", "text/plain"), WHAT)

    assert isinstance(error, ConfigurationError)
    assert "nodelocal.js" in error.message


def test_waits_that_the_server_asks_for_are_kept():
    """`Retry-After` goes with whatever is transient."""
    answer = reply(503, b"", "text/plain", **{"retry-after": "7"})

    assert judge(answer, WHAT).retry_after == 7.0


def test_messages_of_the_server_stay_out_of_ours():
    """They may name values of records."""
    error = judge(reply(200, diagnosis(message="Jane Doe is locked")), WHAT)

    assert "Jane" not in str(error)


@pytest.mark.parametrize("body", [[], {}, {"$resources": {}}, {"$resources": ["a"]}])
def test_what_is_no_list_is_refused(body):
    """A list has its records in `$resources`."""
    with pytest.raises(ContractError, match="list of records"):
        listed_in(body)


@pytest.mark.parametrize("links", [None, [], {"$next": "x"}, {"$next": {"$url": None}}, {}])
def test_a_page_without_a_usable_link_is_the_last(links):
    """Only the address of a next page leads on."""
    assert listed_in({"$resources": [], "$links": links}).next_link == ""


def test_what_is_no_record_is_refused():
    """A record is an object, and so is the description of a facet."""
    with pytest.raises(ContractError, match="expected a record"):
        record_in([])
    for body in ([], {"$properties": []}):
        with pytest.raises(ContractError, match=r"no \$properties"):
            types_in(body)


def test_occurrences_are_known_by_their_common_code():
    """A facet that shows `WEB1` to `WEB5` shows `WEB`; a row tells what it has as well."""
    assert {"WEB", "WEB1", "TEL", "TEL_0", "ITMDES1", "ITMDES"} == set(
        types_in({"WEB1": "", "TEL_0": "", "ITMDES1": "", "$etag": ""})
    )
    assert types_in({"$properties": {"A": {"$type": "application/x-date"}, "B": None}}) == {
        "A": "application/x-date",
        "B": "",
    }


def test_encoded_addresses_read_back_as_they_were_meant():
    """What goes out is what was asked for."""
    where = "A eq 'é%&=#?+/'"

    assert unquote(list_path("A", "A", count=1, where=where)).endswith(f"where={where}")
