"""The Web API of Sage 300 without I/O: questions, and what answers mean."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from mlconnector_sdk._http import HttpReply
from mlconnector_sdk.cursors import Window
from mlconnector_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    PermissionDeniedError,
    RateLimitError,
    RecordNotFoundError,
    RecordRejectedError,
    ServerFaultError,
    TransientError,
    UnavailableError,
)
from mlconnector_sdk.sources.sage300._api import MOST_TERMS, Verdicts, changed_since, list_path, with_keys
from mlconnector_sdk.sources.sage300._fields import RESOURCES, shape_of

CUSTOMERS, ORDERS, SHIP_TO = (RESOURCES[name] for name in ("ARCustomers", "OEOrders", "ARShipToLocations"))


def all_of(resource, **changes):
    """The properties of a release that has everything under the names we know, and a few more."""
    names = (*resource.keys, *resource.cursors, *resource.fields.replace("|", " ").split())
    kinds = {name: "Edm.DateTimeOffset" if "Date" in name else "Edm.String" for name in names}
    return {**kinds, "OrderOptionalFields": "Collection(M.OrderOptionalField)", **changes}


def shape(resource):
    """A resource in that release."""
    return shape_of(resource, all_of(resource))


def query_of(path):
    """The options of a path."""
    return dict(parse_qsl(urlsplit(path).query))


def judged(status, body=b"", *, operation="GET OE/OEOrders", secure=True, **headers):
    """What an answer means."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {"content-type": "text/plain", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Verdicts(secure=secure).judge(HttpReply(status=status, headers=names, body=content), operation)


def vendor(code, text=""):
    """The vendor's own form of an error."""
    return {"error": {"code": code, "message": {"lang": "en-US", "value": text}}}


# -- asking ---------------------------------------------------------------------------------------------------------


def test_a_list_is_asked_for_in_the_documented_way():
    """Selected properties, rows and offset; never an order, because the API has none."""
    path = list_path(shape(CUSTOMERS), condition="CustomerNumber gt '11''00'", top=100, skip=200)

    assert path.startswith("/AR/ARCustomers?")
    query = query_of(path)
    assert {"$filter", "$select", "$top", "$skip"} == query.keys()
    assert ("CustomerNumber gt '11''00'", "100", "200") == (query["$filter"], query["$top"], query["$skip"])
    assert {"CustomerNumber", "DateLastMaintained", "Email"} <= set(query["$select"].split(","))


def test_orders_are_restricted_whatever_else_is_asked():
    """Quotes, future and standing orders are kept out by the filter itself."""
    assert "OrderType eq 'Active'" == query_of(list_path(shape(ORDERS), top=2))["$filter"]
    assert (
        "(OrderType eq 'Active') and (A eq 1)"
        == query_of(list_path(shape(ORDERS), condition="A eq 1", top=2))["$filter"]
    )


def test_windows_begin_at_midnight_and_include_their_day():
    """A date is asked for as the midnight the server keeps; two cursors stand side by side."""
    assert "" == changed_since(shape(CUSTOMERS), Window())
    assert "DateLastMaintained ge 2024-05-03T00:00:00Z" == changed_since(
        shape(CUSTOMERS), Window(lower=date(2024, 5, 3))
    )
    assert "LastPostingDate ge 2024-05-03T00:00:00Z or OrderUniquifier ge 1743" == changed_since(
        shape(ORDERS), Window(lower=(date(2024, 5, 3), 1743))
    )


def test_a_cursor_that_saw_nothing_finds_nothing_out():
    """As long as one of two cursors has no value, everything is read."""
    assert "" == changed_since(shape(ORDERS), Window(lower=(None, 1743)))


@pytest.mark.parametrize(
    "lower", [5, "x", datetime(2024, 5, 3, tzinfo=UTC), (date(2024, 5, 3),), (1, date(2024, 5, 3)), date(2024, 5, 3)]
)
def test_a_mark_of_another_source_is_refused(lower):
    """A state that belongs to something else is told, not turned into a wrong question."""
    with pytest.raises(ConfigurationError, match="belongs to other settings"):
        changed_since(shape(ORDERS), Window(lower=lower))


def test_keys_are_asked_for_in_small_groups():
    """No filter has more comparisons than the server's library takes, or is longer than IIS takes."""
    keys = [f"O'HARA/{number:03}%" for number in range(100)]

    filters = list(with_keys(shape(CUSTOMERS), [*keys, keys[0]]))

    assert 100 == sum(text.count(" eq ") for text in filters)
    assert all(text.count(" eq ") <= MOST_TERMS for text in filters)
    assert filters[0].startswith("CustomerNumber eq 'O''HARA/000%' or CustomerNumber eq 'O''HARA/001%'")


def test_numbered_documents_are_asked_for_by_bare_numbers():
    """What is no number cannot be a document's key."""
    assert ["OrderUniquifier eq 1793 or OrderUniquifier eq 5"] == list(
        with_keys(shape(ORDERS), ["1793", "no such key", "5", "-1", "²"])
    )


# -- what a release has ---------------------------------------------------------------------------------------------


def test_names_are_matched_without_regard_to_case():
    """The release's spelling is asked for, ours is read."""
    properties = all_of(CUSTOMERS)
    properties["EMail"] = properties.pop("Email")

    found = shape_of(CUSTOMERS, properties)

    assert "EMail" in found.select
    assert {"Email": "a@b.org", "City": "Leeds"} == found.renamed({"EMail": "a@b.org", "City": "Leeds"})
    assert {} == found.renamed({})


def test_what_a_release_lacks_is_left_out():
    """Of two names for one thing the one that is there is asked for, and neither is missed."""
    properties = all_of(ORDERS)
    del properties["BillToStateProvince"], properties["LastShipmentNumber"]

    found = shape_of(ORDERS, properties)

    assert ("LastShipmentNumber",) == found.lacking
    assert "BillToState" in found.select
    assert "LastShipmentNumber" not in found.select


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("LastPostingDate", "cursor_fields=; its dates are OrderCompletionDate, OrderDate"),
        ("OrderUniquifier", "speaks another version"),
        ("OrderType", "speaks another version"),
    ],
)
def test_a_release_without_what_is_needed_is_told(name, advice):
    """A missing key or cursor ends the run at its start, with what to check."""
    properties = all_of(ORDERS)
    del properties[name]

    with pytest.raises(ContractError, match=f"OE/OEOrders has no property {name}") as refused:
        shape_of(ORDERS, properties)

    assert advice in refused.value.message


def test_own_fields_are_properties_or_optional_fields():
    """For an optional field the collection is asked for that holds all of them."""
    found = shape_of(ORDERS, all_of(ORDERS, PARTNER="Edm.String"), own=("PARTNER", "UPSZONE", "CHANNEL"))

    assert ("PARTNER", "OrderOptionalFields") == found.select[-2:]


def test_a_name_that_can_be_neither_is_refused():
    """A typing error in a setting must not become an opt-out that nobody ever has."""
    with pytest.raises(ContractError, match="neither a property nor an optional field NoMail"):
        shape_of(ORDERS, all_of(ORDERS), own=("NoMail",))
    without = all_of(ORDERS)
    del without["OrderOptionalFields"]
    with pytest.raises(ContractError, match="neither a property nor an optional field NOMAIL"):
        shape_of(ORDERS, without, own=("NOMAIL",))


# -- judging --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kind", "reason"),
    [
        (401, "Unauthorized", AuthenticationError, "bad_credentials"),
        (403, "Forbidden", PermissionDeniedError, "no_right"),
        (429, "TooManyRequests", RateLimitError, "rate_limited"),
        (400, "InvalidParameters", ContractError, "bad_request"),
        (404, "ResourceNotFound", ContractError, "no_resource"),
        (400, "InvalidEntityKey", ContractError, "bad_request"),
        (404, "RecordNotFound", RecordNotFoundError, "not_found"),
        (405, "MethodNotAllowed", ContractError, "bad_request"),
        (409, "RecordDuplicate", UnavailableError, "busy"),
        (422, "RecordInvalid", RecordRejectedError, "rejected"),
        (409, "General", ServerFaultError, "server_fault"),
        (500, "General", ServerFaultError, "server_fault"),
        (500, "DBLinkError", UnavailableError, "no_company"),
        (500, "SessionError", UnavailableError, "no_company"),
        (500, "InternalServerError", ServerFaultError, "server_fault"),
        (418, "Teapot", ContractError, "bad_request"),
        (423, "Locked", UnavailableError, "busy"),
        (503, "Later", UnavailableError, "unavailable"),
    ],
)
def test_the_code_decides_before_the_status(status, code, kind, reason):
    """Each code of the vendor has its meaning, whatever status comes with it; unknown codes leave it to the status."""
    error = judged(status, vendor(code, "some text"))

    assert kind is type(error)
    assert reason == error.reason
    assert "some text" not in str(error)


@pytest.mark.parametrize("text", ["Day End Processing is running.", "Fin de journée en cours"])
def test_day_end_is_worth_waiting_for(text):
    """A module that Day End keeps busy says "duplicate", and a reader cannot have made one."""
    error = judged(409, vendor("RecordDuplicate", text))

    assert isinstance(error, TransientError)
    assert "day_end" == error.reason


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (401, AuthenticationError, "bad_credentials"),
        (403, PermissionDeniedError, "no_right"),
        (404, ContractError, "not_found"),
        (408, UnavailableError, "unavailable"),
        (409, UnavailableError, "busy"),
        (423, UnavailableError, "busy"),
        (429, RateLimitError, "rate_limited"),
        (500, ServerFaultError, "server_fault"),
        (502, UnavailableError, "unavailable"),
        (503, UnavailableError, "unavailable"),
        (504, UnavailableError, "unavailable"),
        (400, ContractError, "bad_request"),
    ],
)
def test_pages_of_iis_are_judged_by_their_status(status, kind, reason):
    """IIS and proxies answer in HTML, or with nothing at all."""
    page = b"<!DOCTYPE HTML><HTML><BODY><h2>Error</h2></BODY></HTML>"

    assert (kind, reason) == (type(judged(status, page)), judged(status, page).reason)
    assert kind is type(judged(status))


def test_a_page_where_data_should_be_is_no_success():
    """A good status with HTML is a start-up or sign-in page; a cut answer is asked for again."""
    assert "web_page" == judged(200, b"<html>Welcome</html>").reason
    assert "cut_off" == judged(200, b'{"value":[{"a":').reason
    assert "cut_off" == judged(200).reason
    assert judged(200, b'{"value":[]}\r\n') is None
    assert judged(200, b"<edmx:Edmx></edmx:Edmx>") is None


def test_a_redirect_to_https_is_a_wrong_setting():
    """Credentials do not follow a redirect."""
    assert isinstance(judged(301, secure=False, location="https://erp.example.com/x"), ConfigurationError)
    assert isinstance(judged(302, secure=False, location="http://erp.example.com/x"), UnavailableError)
    assert isinstance(judged(302, secure=True, location="https://sso.example.com/x"), UnavailableError)


def test_an_unknown_property_is_named():
    """The library's refusal says which property; ours says which settings may have named it."""
    body = {"error": {"code": "", "message": "The query is not valid. Could not find a property named 'DocumentDate'."}}

    error = judged(400, body)

    assert "no_property" == error.reason
    assert "DocumentDate" in error.message
    assert "cursor_fields" in error.message


def test_missing_rights_and_modules_are_named():
    """The message says which module to look at."""
    assert "in MT the right 'Sage 300 Web API'" in judged(403, operation="GET MT/MTContacts").message
    assert "module MT is activated" in judged(404, vendor("ResourceNotFound"), operation="GET MT/MTContacts").message


def test_a_wait_that_was_asked_for_is_kept():
    """`Retry-After` was never seen, and is honoured."""
    for status in (429, 503, 409):
        assert 7.0 == judged(status, retry_after="7").retry_after
