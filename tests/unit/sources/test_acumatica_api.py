"""How Acumatica is asked, and what its answers mean, without a connection."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qsl, urlsplit

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
from mlconnector_sdk.sources._odata import text_literal
from mlconnector_sdk.sources.acumatica._api import (
    QUERY_LENGTH,
    CannotOptimizeError,
    Verdicts,
    key_batches,
    key_path,
    list_path,
    moment_literal,
    offers_in,
    rejections_in,
)
from mlconnector_sdk.sources.acumatica._fields import ENTITIES, KNOWN_VERSIONS, field_release, shape_of

VERDICTS = Verdicts(seat_wait=15.0)


def reply(status, body=b"", **headers):
    """An answer; a dict or list is JSON, a text is HTML, bytes are plain."""
    kind = "text/html" if isinstance(body, str) else "text/plain" if isinstance(body, bytes) else "application/json"
    content = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
    content = content.encode() if isinstance(content, str) else content
    return HttpReply(status=status, headers={"content-type": kind, **headers}, body=content)


def failure(text, kind="PX.Data.PXException", **more):
    """The body of a 500."""
    return {"message": "An error has occurred.", "exceptionMessage": text, "exceptionType": kind, **more}


def query_of(path):
    """The decoded query of a path."""
    return dict(parse_qsl(urlsplit(path).query))


def test_apostrophes_are_doubled():
    """A text with apostrophes stays one literal."""
    assert "'O''Hara ''s'" == text_literal("O'Hara 's")


def test_moments_are_utc_and_never_later_than_meant():
    """A moment is written in UTC with Z and cut to the millisecond, so that no change slips past the bound."""
    local = datetime(2024, 5, 19, 23, 50, 36, 837_999, tzinfo=timezone(timedelta(hours=1)))

    assert "datetimeoffset'2024-05-19T22:50:36.837Z'" == moment_literal(local)


def test_keys_are_one_segment_each():
    """What would cut a URL apart inside a key is encoded."""
    assert "/Credit%20Memo/A%231%3F%25%2Fx" == key_path(["Credit Memo", "A#1?%/x"])


def test_every_linked_field_has_its_parents_expanded():
    """`$expand` names each linked entity that `$select` reaches into, from the outside in."""
    shape = shape_of(ENTITIES["Customer"], 24, ("PrimaryContact/Contact.UsrX", "Attributes/Value"))
    query = query_of(list_path(shape, filter_text="A eq 'B&C'", top=5, skip=10))

    assert ["MainContact", "MainContact/Address", "PrimaryContact", "Attributes"] == query["$expand"].split(",")
    assert "Attributes/Value" in query["$select"].split(",")
    assert ("PrimaryContact/Contact.UsrX", "A eq 'B&C'", "5", "10") == (
        query["$custom"],
        query["$filter"],
        query["$top"],
        query["$skip"],
    )


@pytest.mark.parametrize("name", ["Customer", "Contact", "SalesInvoice", "SalesOrder"])
def test_batches_fit_into_a_request(name):
    """Keys are asked for in requests of bounded length, every key once and one field only."""
    keys = [f"10{n:06}" if name == "Contact" else f"Invoice/AR'{n:06}" for n in range(200)]
    shape = shape_of(ENTITIES[name], 24)

    batches = list(key_batches(shape, keys))

    assert keys == [key for batch, _ in batches for key in batch]
    field = ENTITIES[name].keys[-1]
    for batch, text in batches:
        path = list_path(shape, filter_text=text)
        assert len(urlsplit(path).query) <= QUERY_LENGTH
        assert text == query_of(path)["$filter"]
        assert len(batch) == text.count(" or ") + 1 == text.count(f"{field} eq ")
    assert len(batches) < 20


def test_a_key_too_long_for_any_request_still_goes_alone():
    """A batch has one key at least, however long."""
    shape = shape_of(ENTITIES["Customer"], 24)

    assert [["x" * 3000], ["y"]] == [batch for batch, _ in key_batches(shape, ["x" * 3000, "y"])]


@pytest.mark.parametrize("name", sorted(ENTITIES))
@pytest.mark.parametrize("version", KNOWN_VERSIONS)
def test_keys_stamp_and_consent_cannot_be_given_up(name, version):
    """What identifies a row, orders it, or forbids mailing is never optional."""
    shape = shape_of(ENTITIES[name], field_release("Default", version))
    needed = {
        *ENTITIES[name].keys,
        "Status",
        *(p for p in shape.paths if p.rpartition("/")[2].startswith(("No", "DoNot"))),
    }

    assert needed <= set(shape.paths)
    assert not needed & shape.optional
    assert shape.stamp[-1] in {*shape.paths, "LastModifiedDateTime"}
    assert set(shape.keys_only().paths) <= {*ENTITIES[name].keys, *shape.stamp}


def test_stamp_hidden_by_the_endpoint_is_read_from_the_screen():
    """Old versions hide a sales invoice's stamp; filter and row then use the screen's own field."""
    shape = shape_of(ENTITIES["SalesInvoice"], 22)

    assert "cf.DateTime(f='Document.LastModifiedDateTime')" == shape.cursor
    assert ("custom", "Document", "LastModifiedDateTime") == shape.stamp
    assert ("Document.LastModifiedDateTime",) == shape.custom == shape.keys_only().custom


@pytest.mark.parametrize("version", ["17.200.001", "6", "newest"])
def test_version_too_old_is_named(version):
    """A version whose fields are not known is refused, and the message names the oldest that is."""
    with pytest.raises(ConfigurationError, match=r"20\.200\.001"):
        field_release("Default", version)


def test_custom_endpoint_is_asked_for_what_all_versions_have():
    """A site's own endpoint has a version of its own numbering."""
    assert 20 == field_release("Acme", "1.0")


def test_both_shapes_of_the_listing_are_read():
    """The endpoint listing is an object on current builds and a bare array on older ones."""
    row = {"name": "Default", "version": "20.200.001", "href": "/x"}

    new = offers_in(reply(200, {"version": {"acumaticaBuildVersion": "25.1"}, "endpoints": [row]}))
    old = offers_in(reply(200, [row]))

    assert ["20.200.001"] == new.versions("Default") == old.versions("Default")
    assert ("25.1", "") == (new.build, old.build)


@pytest.mark.parametrize("body", [b"{}", b"[1]", b"null", b"hello", b'{"endpoints": 5}', b'[{"name": "x"}]'])
def test_something_else_at_the_address_is_found_out(body):
    """An address that answers, but not with endpoints, is no Acumatica."""
    with pytest.raises(ContractError, match="not as Acumatica"):
        offers_in(reply(200, body))


VERDICT_CASES = [
    (reply(200, []), None, None),
    (reply(204), None, None),
    (reply(200, b'[{"CustomerID": {"val'), UnavailableError, "cut_off"),
    (reply(200, "<!DOCTYPE html><html>Maintenance</html>"), UnavailableError, "maintenance"),
    (reply(503, "<html></html>"), UnavailableError, "maintenance"),
    (reply(502, b"bad gateway"), UnavailableError, "unavailable"),
    (reply(302, "", location="/Acme/Frames/Login.aspx"), UnavailableError, "redirected"),
    (reply(400, {"message": "The request is invalid."}), ContractError, "bad_request"),
    (reply(411, "<html>Length Required</html>"), UnavailableError, "maintenance"),
    (reply(401, {"message": "no"}), AuthenticationError, "not_signed_in"),
    (reply(404, {"message": "No HTTP resource"}), ContractError, "not_found"),
    (reply(404, "<html>404</html>"), ContractError, "not_found"),
    (reply(429, {}), RateLimitError, "rate_limited"),
    (reply(429, b"The custom error module does not recognize this error."), RateLimitError, "api_login_limit"),
    (reply(200, "<html><title>API Login Limit</title></html>"), RateLimitError, "api_login_limit"),
    (reply(500, failure("Error: API Login Limit")), RateLimitError, "api_login_limit"),
    (reply(500, failure("x", "PX.License_LoginLimitExceeded")), RateLimitError, "api_login_limit"),
    (reply(500, failure("Error: Invalid credentials. Please try again.")), AuthenticationError, "bad_credentials"),
    (reply(500, failure("You must change your password.")), AuthenticationError, "bad_credentials"),
    (reply(500, failure("Your account is locked out.")), AuthenticationError, "locked_out"),
    (reply(500, failure("Your account has been disabled.")), AuthenticationError, "locked_out"),
    (reply(500, failure("x", "PX.Data.PXUndefinedCompanyException")), AuthenticationError, "unknown_tenant"),
    (
        reply(500, failure("x", "PX.Api.ContractBased.NoEntitySatisfiesTheConditionException")),
        RecordNotFoundError,
        "not_found",
    ),
    (
        reply(500, failure("x", "System.Collections.Generic.KeyNotFoundException")),
        ContractError,
        "unknown_field",
    ),
    (reply(500, failure("Type conversions are not supported.", "E")), ContractError, "bad_literal"),
    (reply(500, failure("incompatible types Edm.Boolean", "E")), ContractError, "bad_literal"),
    (reply(500, failure("An exception occurred during input parsing.", "E")), ContractError, "bad_body"),
    (reply(500, failure("x on the Sales Preferences form.", "PX.Data.PXSetupNotEnteredException")),
     PermissionDeniedError, "module_not_set_up"),
    (reply(500, failure("Another process has added the record")), ServerFaultError, "server_fault"),
    (reply(500, {"message": "An error has occurred."}), ServerFaultError, "server_fault"),
    (reply(500, b"oops"), ServerFaultError, "server_fault"),
    (reply(500, failure("x", "E", innerException=failure("Invalid credentials"))),
     AuthenticationError, "bad_credentials"),
    (reply(418, {}), ContractError, "bad_request"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "error", "reason"), VERDICT_CASES)
def test_answers_are_sorted_by_what_to_do_next(answer, error, reason):
    """Each answer becomes the error that says whether to wait, to stop, or to set a record aside."""
    verdict = VERDICTS.judge(answer, "GET Customer")

    assert (error, reason) == (type(verdict) if verdict else None, verdict.reason if verdict else None)


def test_customer_named_like_the_limit_is_a_customer():
    """Good data is never taken for the seat limit, whatever a customer is called."""
    assert VERDICTS.judge(reply(200, [{"CustomerName": {"value": "API Login Limit Ltd"}}]), "GET Customer") is None


def test_seat_limit_waits_as_long_as_the_longer_of_two_wishes():
    """A taken seat is waited for in steps of the configured length, and longer if the server asks."""
    html = "<html>API Login Limit</html>"

    assert 15.0 == VERDICTS.seat_limit(reply(500, html)).retry_after
    assert 40.0 == VERDICTS.seat_limit(reply(500, html, **{"retry-after": "40"})).retry_after


def test_missing_right_names_entity_and_form():
    """A 403 says which form the user needs a right to."""
    verdict = VERDICTS.judge(reply(403, {}), "GET Contact")

    assert isinstance(verdict, PermissionDeniedError)
    assert "Contact" in verdict.message
    assert "CR302000" in verdict.message


def test_redirect_to_https_is_a_setting():
    """A site that wants https is named as such instead of being waited for."""
    moved = reply(301, "", location="https://erp.example/Acme/entity")

    assert isinstance(Verdicts(secure=False).judge(moved, "x"), ConfigurationError)
    assert isinstance(Verdicts(secure=True).judge(moved, "x"), UnavailableError)


def test_blamed_fields_are_read_from_the_message():
    """The optimiser's message says which fields it cannot have, and the error survives pickling with them."""
    text = (
        "Optimization cannot be performed.The following fields cause the error:\r\n"
        "InventoryID: View Filter has BQL delegate\r\nMainContact/Phone1: View Def has BQL delegate\r\n"
    )

    verdict = VERDICTS.judge(reply(500, failure(text, "PX.X.CannotOptimizeException")), "GET Customer")

    assert isinstance(verdict, CannotOptimizeError)
    assert ("InventoryID", "MainContact/Phone1") == pickle.loads(pickle.dumps(verdict)).fields


def test_texts_of_the_server_stay_out_of_messages():
    """The server's own text may name people, so only its exception type is repeated."""
    verdict = VERDICTS.judge(reply(500, failure("Mary Hara failed", "System.Exception")), "GET Contact")

    assert "System.Exception" in str(verdict)
    assert "Mary" not in str(verdict)


@pytest.mark.parametrize(
    "answer",
    [
        reply(400, {"message": "The request is invalid."}),
        reply(403, {}),
        reply(500, failure("Something else", "PX.Data.PXException")),
        reply(500, failure("gone", "PX.Api.ContractBased.NoEntitySatisfiesTheConditionException")),
    ],
)
def test_refused_sign_in_is_never_repeated(answer):
    """At sign-in every refusal of the application itself is final, because repeats lock the account."""
    assert isinstance(VERDICTS.judge_sign_in(answer, "sign in"), AuthenticationError)


def test_trouble_at_sign_in_may_pass():
    """A busy or restarting instance is no refusal."""
    assert VERDICTS.judge_sign_in(reply(204), "sign in") is None
    assert isinstance(VERDICTS.judge_sign_in(reply(500, failure("API Login Limit")), "sign in"), RateLimitError)
    assert isinstance(VERDICTS.judge_sign_in(reply(503, "<html>"), "sign in"), UnavailableError)
    assert isinstance(VERDICTS.judge_sign_in(reply(500, {"message": "deadlock"}), "sign in"), ServerFaultError)


def test_rejections_name_the_path_and_no_value():
    """Every refused field of a 422 is found, in detail rows too, and its value is cut out of the text."""
    body = {
        "error": "Updating 'Contact' record raised an error.",
        "Email": {"value": "mary@hara.example", "error": "'mary@hara.example' is not an address."},
        "Details": [{"Project": {"value": "X1", "error": "Project 'X1' cannot be found."}}],
    }

    verdict = VERDICTS.judge(reply(422, body), "PUT Contact")

    assert isinstance(verdict, RecordRejectedError)
    assert (
        [
            "record: Updating 'Contact' record raised an error.",
            "Email: '…' is not an address.",
            "Details[1]/Project: Project '…' cannot be found.",
        ]
        == rejections_in(body)
        == verdict.message.split("; ")
    )


def test_wrong_tenant_of_a_client_is_named():
    """The token endpoint's `invalid_client` says where the tenant is in a client id."""
    verdict = VERDICTS.judge_token(reply(400, {"error": "invalid_client"}))

    assert isinstance(verdict, AuthenticationError)
    assert "SM203520" in verdict.message
    assert VERDICTS.judge_token(reply(400, {"error": "invalid_grant"})) is None
    assert VERDICTS.judge_token(reply(400, b"[]")) is None
    assert moment_literal(datetime(2024, 1, 1, tzinfo=UTC)).endswith("00.000Z'")


def test_documents_with_one_number_are_asked_for_once():
    """Two documents that share a number need one condition."""
    shape = shape_of(ENTITIES["SalesInvoice"], 24)

    batches = list(key_batches(shape, ["Invoice/AR1", "Credit Memo/AR1"]))

    assert [(["Invoice/AR1", "Credit Memo/AR1"], "ReferenceNbr eq 'AR1'")] == batches
