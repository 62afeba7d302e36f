from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given, strategies as st

from mlconnector_sdk._http import HttpReply
from mlconnector_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    MLConnectorError,
    PermissionDeniedError,
    RateLimitError,
    RecordNotFoundError,
    ServerFaultError,
    TimeoutExceededError,
    UnavailableError,
)
from mlconnector_sdk.mailchimp._wire import Problem, RefusedError, judge, path, refusal, result_of

GLOSSARY = [
    (
        "Member Exists",
        "pat@acme.org is already a list member. Use PUT to insert or update list members.",
        "member_exists",
    ),
    (
        "Member In Compliance State",
        "pat@acme.org is in a compliance state due to unsubscribe, bounce, or review and cannot be subscribed.",
        "compliance",
    ),
    (
        "Forgotten Email Not Subscribed",
        "pat@acme.org was permanently deleted and cannot be re-imported. The contact must re-subscribe.",
        "forgotten",
    ),
    ("Invalid Resource", "pat@acme.org looks fake or invalid, please enter a real email address.", "address_refused"),
    ("Invalid Resource", "Please provide a valid email address.", "address_refused"),
    ("Invalid Resource", "Your merge fields were invalid.", "merge_fields_invalid"),
    (
        "Invalid Resource",
        "pat@acme.org has signed up to a lot of lists very recently; we're not allowing more signups for now",
        "too_many_signups",
    ),
    ("Bad Request", "A product with the provided ID does not exist in the account for this list.", "product_unknown"),
    (
        "Bad Request",
        "We were unable to process the request. A product with the provided ID already exists in the account.",
        "already_exists",
    ),
    ("Bad Request", "An email address may not be changed once a customer is created.", "address_fixed"),
    ("Bad Request", "An email address is required to create a customer.", "address_missing"),
    ("Invalid Resource", 'A Merge Field with the tag "X" already exists for this list.', "already_exists"),
    ("Invalid Action", "That cannot be done now.", "refused"),
    ("", "", "refused"),
]

UNVALIDATED = "The resource submitted could not be validated. For field-specific details, see the 'errors' array."


def answer(status: int, body: Any = None, **headers: str) -> HttpReply:
    """An answer with a problem document for a dict, else with this text."""
    if isinstance(body, dict):
        return HttpReply(
            status=status, headers={"content-type": "application/problem+json"}, body=json.dumps(body).encode()
        )
    return HttpReply(status=status, headers=headers, body=(body or "").encode())


def problem(**parts: Any) -> dict[str, Any]:
    """An error document."""
    return {"title": "Invalid Resource", "detail": "", "instance": "i-1", **parts}


@pytest.mark.parametrize(("title", "detail", "reason"), GLOSSARY)
def test_one_refusal_means_the_same_wherever_it_comes_from(title, detail, reason):
    """A text has one meaning in a single call's answer, in a bulk answer and in a batch result."""
    single = judge(answer(400, {"title": title, "detail": detail}), "PUT member")
    bulk = Problem.of_bulk_entry({"error": detail, "error_code": "ERROR_GENERIC"})
    batch = Problem.of_document(400, json.dumps({"title": title, "detail": detail, "status": 400}))
    assert isinstance(single, RefusedError)
    assert batch is not None
    assert (reason, reason, reason) == (single.reason, bulk.reason, batch.reason)


@pytest.mark.parametrize(("title", "detail", "reason"), GLOSSARY)
def test_no_message_holds_an_address(title, detail, reason):
    """What Mailchimp says about a person's address never reaches our message."""
    assert "pat@acme.org" not in refusal(Problem(title=title, detail=detail)).message


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer(401, problem(title="API Key Invalid")), AuthenticationError),
        (answer(403, problem(title="Forbidden")), PermissionDeniedError),
        (answer(403, problem(title="User Disabled")), AuthenticationError),
        (answer(403), RateLimitError),
        (answer(403, "<html><h1>Denied</h1></html>"), RateLimitError),
        (answer(404, problem(title="Resource Not Found")), RecordNotFoundError),
        (answer(404, "<!doctype html>"), ContractError),
        (answer(405, problem(title="Method Not Allowed")), RefusedError),
        (answer(408), TimeoutExceededError),
        (answer(414, problem(title="Resource Nesting Too Deep")), RefusedError),
        (answer(426, problem()), ConfigurationError),
        (answer(429), RateLimitError),
        (answer(429, problem(title="Too Many Requests")), RateLimitError),
        (answer(500, problem(title="Internal Server Error")), ServerFaultError),
        (answer(502, "<html>"), UnavailableError),
        (answer(503), UnavailableError),
        (answer(503, problem(title="ComplianceRelated")), PermissionDeniedError),
        (answer(504, "<html>"), TimeoutExceededError),
        (answer(302), ContractError),
        (answer(200, "<html>sign in</html>"), ContractError),
    ],
)
def test_every_answer_is_sorted_by_what_the_caller_does_next(reply, error):
    """Throttling, outage, wrong key, missing right and refused record are told apart by status and body."""
    assert type(judge(reply, "GET member")) is error


@pytest.mark.parametrize("reply", [answer(200, "{}"), answer(204)])
def test_good_answers_are_no_errors(reply):
    """A document and an empty 204 both pass."""
    assert judge(reply, "DELETE member") is None


def test_a_wrong_data_centre_is_named():
    """The message tells the data centre the key belongs to."""
    error = judge(answer(403, problem(detail="The API key provided is linked to datacenter 'us6'")), "GET account")
    assert isinstance(error, AuthenticationError)
    assert "us6" in error.message


@pytest.mark.parametrize("status", [502, 504])
def test_a_gateway_error_asks_for_a_pause(status):
    """The request may still be running on the far side, so the repeat waits five seconds at least."""
    error = judge(answer(status), "POST members")
    assert isinstance(error, UnavailableError | TimeoutExceededError)
    assert error.retry_after is not None
    assert error.retry_after >= 5


def test_a_key_that_got_lost_on_the_way_is_told_from_a_wrong_one():
    """The message points at what strips the header."""
    error = judge(answer(401, problem(title="API Key Missing")), "GET account")
    assert isinstance(error, AuthenticationError)
    assert "Authorization header" in error.message


def test_retry_after_is_obeyed_when_it_is_given():
    """A pause that the far side names is handed on."""
    error = judge(HttpReply(status=429, headers={"retry-after": "7"}, body=b""), "GET member")
    assert isinstance(error, RateLimitError)
    assert 7.0 == error.retry_after


def test_a_refusal_names_fields_and_not_values():
    """Merge tags are named; the texts about their values are not repeated."""
    body = problem(
        detail="Your merge fields were invalid.", errors=[{"field": "LTV", "message": "secret9 is no number"}]
    )
    error = judge(answer(400, body), "PUT member")
    assert error is not None
    assert ("merge fields were refused (LTV)", "i-1") == (error.message, error.request_id)


def test_a_schema_refusal_says_which_type_was_wrong():
    """The field's path and the expected type are told, without quoted values."""
    body = problem(detail=UNVALIDATED, errors=[{"field": "lines.item:0.quantity", "message": "not an integer: '9.5'"}])
    error = judge(answer(400, body), "POST order")
    assert error is not None
    assert "the shape of the data was refused (lines.item:0.quantity: not an integer: …)" == error.message


@pytest.mark.parametrize(
    "errors",
    [
        [{"field": "members.item:0.status_if_new", "message": "Schema does not describe a property of this name"}],
        [{"field": "members.item:0", "message": "Required fields were not provided: status"}],
    ],
)
def test_a_refused_status_is_known_from_other_schema_errors(errors):
    """Both ways in which a server can refuse `status_if_new` are told apart from bad data."""
    error = judge(answer(400, problem(detail=UNVALIDATED, errors=errors)), "POST members")
    assert isinstance(error, RefusedError)
    assert ("status_refused", frozenset({0})) == (error.reason, error.problem.items)


def test_a_merge_field_called_status_is_no_subscription_status():
    """A refused value of the merge field STATUS is a matter of merge fields."""
    entry = {"error": "", "error_code": "ERROR_GENERIC", "field": "STATUS", "field_message": "Please enter a value"}
    assert "merge_fields_invalid" == Problem.of_bulk_entry(entry).reason


@pytest.mark.parametrize(
    ("reason", "kind", "retry"),
    [
        ("compliance state", "skipped", False),
        ("permanently deleted", "skipped", False),
        ("has been cleaned", "skipped", False),
        ("signed up to a lot of lists", "dead", True),
        ("looks fake or invalid", "dead", False),
    ],
)
def test_refusals_become_results(reason, kind, retry):
    """Contacts that must not be mailed are skipped, the rest is set aside; only a passing refusal is worth a replay."""
    result = result_of(refusal(Problem(detail=f"pat@acme.org {reason}")))
    assert (kind, retry) == (result.kind, result.retry)


def test_a_refusal_survives_pickling():
    """The error keeps its problem on the way to another process."""
    error = refusal(Problem(status=400, detail="looks fake or invalid", request_id="r-1"))
    copy = pickle.loads(pickle.dumps(error))
    assert (error.problem, str(error)) == (copy.problem, str(copy))


scalars = st.none() | st.booleans() | st.integers() | st.text()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(status=st.sampled_from([400, 401, 403, 404, 422, 429, 500, 503]), document=json_values, errors=json_values)
def test_no_error_document_is_too_odd(status, document, errors):
    """Whatever the body holds, an error answer is an error of ours."""
    body = {**document, "errors": errors} if isinstance(document, dict) else document
    assert isinstance(
        judge(HttpReply(status=status, headers={}, body=json.dumps(body).encode()), "x"), MLConnectorError
    )


@given(st.lists(st.text(min_size=1).filter(lambda text: text not in {".", ".."}), min_size=1))
def test_ids_never_leave_their_segment(segments):
    """Slashes, blanks and dots of an id stay inside its path segment."""
    encoded = path(*segments)
    assert len(segments) == encoded.count("/")
    assert "?" not in encoded
    assert "#" not in encoded
