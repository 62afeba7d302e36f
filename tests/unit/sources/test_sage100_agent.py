"""The way to Sage 100 through the agent: refusals, cursors, locks, the flag, and secrets that stay in."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest

from mlconnector_sdk._http import HttpReply
from mlconnector_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    FatalError,
    PermissionDeniedError,
    RateLimitError,
    RecordNotFoundError,
    RecordRejectedError,
    ServerFaultError,
    TimeoutExceededError,
    UnavailableError,
)
from mlconnector_sdk.models import Suppression
from mlconnector_sdk.network import Network
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sage100 import Sage100Agent
from mlconnector_sdk.sources.sage100._agent_errors import CursorExpiredError, judged
from mlconnector_sdk.testing import FakeClock
from tests.unit.sources._sage100 import NO_MAIL, agent_error, agent_of, asked, keys_of, records_of, site, source_of

NOON = datetime(2026, 3, 10, 17, tzinfo=UTC)
ONCE = RetryPolicy.immediate(1)
GONE = Suppression(address="office@harbor.example", reason="unsubscribed", origin="mailchimp", at=NOON)


@pytest.fixture
def clock():
    """The time at the site; the real one stands still."""
    return FakeClock(NOON)


@pytest.fixture
def erp(clock):
    """An empty company."""
    with site(clock=clock) as erp:
        yield erp


@pytest.fixture
def source(erp):
    """A source on it that asks for three rows at a time and may set a flag."""
    with source_of(erp, flag_field=NO_MAIL) as source:
        yield source


def patches(erp):
    """The changes that were sent."""
    return [entry for entry in erp.log if entry.method == "PATCH"]


# -- the address ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://erp.example.com", "https://erp.example.com/sage100/v1"),
        ("https://erp.example.com:8443/", "https://erp.example.com:8443/sage100/v1"),
        ("https://erp.example.com/agent/v1/", "https://erp.example.com/agent/v1"),
        ("http://127.0.0.1:8100", "http://127.0.0.1:8100/sage100/v1"),
        ("http://localhost/sage100/v1", "http://localhost/sage100/v1"),
    ],
)
def test_a_bare_host_means_the_usual_path(given, meant):
    """Any other path is used as it stands."""
    assert meant == Sage100Agent(given, token="secret").url


def test_nothing_goes_unencrypted_to_another_machine_unless_wanted():
    """Plain http carries the token in clear; on the same machine there is no wire."""
    with pytest.raises(ConfigurationError, match="https://"):
        Sage100Agent("http://erp.example.com", token="secret")
    assert Sage100Agent("http://erp.example.com", token="secret", network=Network(allow_http=True)).url


def test_a_missing_file_of_authorities_is_told_before_anything_is_sent(erp):
    """The setting is named."""
    with pytest.raises(ConfigurationError, match="ca_bundle"):
        source_of(erp, api=agent_of(erp, network=Network(ca_bundle="/nowhere/ca.pem")))


def test_the_token_is_shown_nowhere(erp, caplog):
    """Not in a repr, a message, or the log."""
    caplog.set_level(logging.DEBUG)
    api = agent_of(erp, token="0123456789-very-secret")
    with source_of(erp, api=api) as source, pytest.raises(AuthenticationError) as error:
        list(source.read("customers"))

    texts = (repr(api), repr(source), str(error.value), repr(error.value), caplog.text)
    assert not [text for text in texts if "very-secret" in text]
    assert erp.log[0].request.headers["authorization"] == "Bearer 0123456789-very-secret"


# -- what answers mean ----------------------------------------------------------------------------------------------


def verdict(status, body=b"", operation="GET customers", **headers):
    """The error that an answer means."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {"content-type": "application/json"} if not isinstance(body, bytes) else {}
    return judged(HttpReply(status=status, headers={**kind, **headers}, body=content), operation)


@pytest.mark.parametrize(
    ("status", "code", "operation", "kind", "reason"),
    [
        (401, "TOKEN_INVALID", "GET customers", AuthenticationError, "token_refused"),
        (503, "SAGE_LOGON_FAILED", "GET customers", AuthenticationError, "sage_logon_failed"),
        (403, "SAGE_SECURITY", "GET customers", PermissionDeniedError, "sage_security"),
        (404, "COMPANY_NOT_FOUND", "GET customers", ConfigurationError, "no_company"),
        (404, "NOT_FOUND", "GET customers", ContractError, "no_list"),
        (404, "NOT_FOUND", "GET customer", RecordNotFoundError, "not_found"),
        (404, "NOT_FOUND", "PATCH customer", RecordNotFoundError, "not_found"),
        (409, "STALE_RECORD", "PATCH customer", RecordRejectedError, "stale_record"),
        (410, "CURSOR_EXPIRED", "GET customers", CursorExpiredError, "cursor_expired"),
        (422, "VALIDATION", "GET customers", ContractError, "bad_request"),
        (422, "VALIDATION", "PATCH customer", RecordRejectedError, "refused_by_sage"),
        (422, "COLUMN_NOT_ALLOWED", "PATCH customer", ConfigurationError, "column_not_allowed"),
        (423, "RECORD_LOCKED", "PATCH customer", UnavailableError, "locked"),
        (429, "AGENT_BUSY", "GET customers", RateLimitError, "agent_busy"),
        (503, "NO_LICENSE", "GET customers", RateLimitError, "no_licence"),
        (503, "MAINTENANCE", "GET customers", UnavailableError, "maintenance"),
        (503, "SESSION_LOST", "GET customers", UnavailableError, "session_lost"),
        (504, "TIMEOUT", "GET customers", TimeoutExceededError, "timeout"),
        (500, "INTERNAL", "GET customers", ServerFaultError, "server_fault"),
    ],
)
def test_each_code_means_what_to_do_next(status, code, operation, kind, reason):
    """The code decides, and the agent's id of the request is kept."""
    found = verdict(status, agent_error(code), operation)

    assert type(found) is kind
    assert reason == found.reason
    assert found.request_id == "r-1"


@pytest.mark.parametrize("code", ["RECORD_LOCKED", "AGENT_BUSY", "NO_LICENSE", "MAINTENANCE", "SESSION_LOST"])
def test_a_pause_that_the_agent_asks_for_is_taken_over(code):
    """As a number of seconds."""
    assert verdict(503, agent_error(code), **{"retry-after": "17"}).retry_after == 17.0


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ConfigurationError),
        (403, PermissionDeniedError),
        (404, ContractError),
        (400, ContractError),
        (429, RateLimitError),
        (502, UnavailableError),
        (503, UnavailableError),
        (500, ServerFaultError),
    ],
)
@pytest.mark.parametrize("body", [b"<html><body>IIS</body></html>", b"", b"[1]", b'{"error": "text"}'])
def test_what_stands_before_the_agent_is_judged_by_its_status(status, kind, body):
    """A proxy or IIS knows nothing of codes."""
    assert type(verdict(status, body)) is kind


def test_an_unknown_code_is_judged_by_its_status():
    """A newer agent may have more of them."""
    assert isinstance(verdict(503, agent_error("OUT_OF_PAPER")), UnavailableError)


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"<!DOCTYPE html><p>Starting", "web_page"), (b'{"records": [{"a"', "cut_off"), (b"", "cut_off")],
)
def test_a_good_status_needs_a_good_body(body, reason):
    """Pages of a proxy and answers that end too early may be better next time."""
    found = verdict(200, body)

    assert isinstance(found, UnavailableError)
    assert reason == found.reason


def test_a_refused_column_is_named_and_its_message_is_not():
    """What Sage 100 says may hold the customer's data; the id of the request finds it in the agent's log."""
    boi = {"object": "AR_Customer_bus", "method": "SetValue", "column": "UDF_NO$", "result": 0, "lastErrorMsg": "Mary!"}
    found = verdict(422, agent_error("VALIDATION", boi=boi), "PATCH customer")

    assert "UDF_NO:" in str(found)
    assert "Mary" not in str(found)


def test_a_missing_right_is_named():
    """The business object, where the agent knows it, and what is wanted of it."""
    boi = {"object": "AR_Customer_bus", "method": "NewObject", "column": None, "result": 0, "lastErrorMsg": ""}

    assert "AR_Customer_bus: let it modify" in str(
        verdict(403, agent_error("SAGE_SECURITY", boi=boi), "PATCH customer")
    )
    assert "GET customers: let it view" in str(verdict(403, agent_error("SAGE_SECURITY")))


# -- credentials ----------------------------------------------------------------------------------------------------


def test_a_refused_token_is_tried_once(erp):
    """One request, whatever is asked afterwards."""
    with source_of(erp, api=agent_of(erp, token="not-the-token-at-all")) as source:
        for _ in range(3):
            with pytest.raises(AuthenticationError, match="settings") as error:
                source.present("customers")

    assert len(erp.log) == 1
    assert (error.value.system, error.value.reason, error.value.status_code) == ("sage100", "token_refused", 401)


def test_a_user_whom_sage_refuses_is_not_hammered(erp):
    """Each logon of the agent that fails may lock its user: nothing more is sent until the source is closed."""
    assert erp.agent
    erp.user.password = "changed"
    erp.add_customer(email="a@harbor.example")
    source = source_of(erp)
    for stream in ("customers", "contacts", "orders"):
        with pytest.raises(AuthenticationError, match="locked the user"):
            list(source.read(stream))

    assert len(erp.log) == 1
    assert erp.user.failures == 1
    erp.user.password = "secret"
    source.close()
    assert len(records_of(source.read("customers"))) == 1
    source.close()


def test_a_missing_role_names_what_is_missing(erp, source):
    """It ends the stream and no other."""
    erp.user.deny("AR_Customer_ui")
    with pytest.raises(PermissionDeniedError, match="Role Maintenance"):
        list(source.read("customers"))

    assert records_of(source.read("orders")) == {}


def test_a_company_that_the_agent_does_not_have_stops_the_run(erp):
    """The setting is named."""
    with source_of(erp, company="XYZ") as source, pytest.raises(ConfigurationError, match="company="):
        list(source.read("customers"))


# -- trouble on the way ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "body": agent_error("SESSION_LOST")},
        {"status": 429, "body": agent_error("AGENT_BUSY"), "headers": {"Retry-After": "0"}},
        {"status": 500, "body": agent_error("INTERNAL")},
        {"drop": "before"},
        {"truncate": 40},
        {"status": 200, "body": "<html>Starting</html>"},
    ],
)
def test_what_passes_is_waited_for(erp, source, fault):
    """The same page is asked for again, and nothing is lost or doubled."""
    keys = [erp.add_customer(email=f"c{number}@harbor.example") for number in range(8)]
    erp.fail_next(path="/customers", nth=2, **fault)

    assert sorted(keys) == sorted(keys_of(source.read("customers")))


@pytest.mark.parametrize(
    "body",
    [
        {"companyCode": "ABC", "records": {}, "nextCursor": None},
        {"companyCode": "ABC", "records": [1], "nextCursor": None},
        {"companyCode": "XYZ", "records": [], "nextCursor": None},
        {"hello": "world"},
        [1, 2],
        b"{oh}",
    ],
)
def test_what_is_no_page_is_told(erp, source, body):
    """Another service at the address, or the agent of another company, is not read."""
    erp.fail(path="/customers", status=200, body=body)
    with pytest.raises(ContractError):
        list(source.read("customers"))


def test_a_cursor_that_comes_again_is_found_out(erp, source):
    """The list would never end."""
    page = {
        "companyCode": "ABC",
        "records": [{"ARDivisionNo": "00", "CustomerNo": "A", NO_MAIL: "N"}],
        "nextCursor": "x",
    }
    erp.fail(path="/customers", status=200, body=page)
    with pytest.raises(ContractError, match="round in circles"):
        list(source.read("customers"))


def test_a_listing_that_was_given_up_is_begun_again(erp, source):
    """From the same lower bound, so that nothing that changed meanwhile is missed."""
    keys = [erp.add_customer(email=f"c{number}@harbor.example") for number in range(7)]
    pages = source.read("customers")
    found = keys_of([next(pages)])
    erp.restart_agent()
    late = erp.add_customer(email="late@harbor.example")
    found += keys_of(pages)

    assert {*keys, late} == set(found)
    assert [("cursor" in query) for query in asked(erp, "/customers")] == [False, True, False, True, True]


def test_listings_that_are_given_up_each_time_are_an_error(erp, source):
    """After three beginnings, with the cure."""
    for number in range(7):
        erp.add_customer(email=f"c{number}@harbor.example")
    erp.fail(path="/customers", every=2, status=410, body=agent_error("CURSOR_EXPIRED"))
    with pytest.raises(UnavailableError, match="keep cursors longer"):
        list(source.read("customers"))

    assert len(erp.log) == 6


def test_keys_are_asked_for_in_queries_that_iis_takes(erp):
    """None is longer than 2,048 characters, and each key is asked for once."""
    keys = [erp.add_customer(f"12-{'Ü' * 10}{number:03d}", email="a@harbor.example") for number in range(60)]
    with source_of(erp) as source:
        found = keys_of(source.fetch("customers", [*keys, *keys, "99-GONE", "no key"]))

    assert keys == sorted(found)
    assert max(len(entry.request.raw_path.partition("?")[2]) for entry in erp.log) <= 2048
    assert len(erp.log) > 3


# -- columns --------------------------------------------------------------------------------------------------------


def test_only_columns_that_are_needed_are_asked_for(erp):
    """Each takes a call of a business object for each record; further ones are the site's own."""
    erp.add_customer(email="a@harbor.example", Comment="not asked for")
    with source_of(erp, optout_field=f"{NO_MAIL}$", custom_fields={"customers": ["FaxNo"]}) as source:
        (found,) = records_of(source.read("customers")).values()

    assert {"EmailAddress", NO_MAIL, "FaxNo", "PIIEncryptedDate"} <= set(found.raw)
    assert not {"Comment", "_stamp"} & set(found.raw)


def test_a_release_without_a_column_is_read_without_it(erp, source):
    """Older ones do not have encryption."""
    del erp.table("AR_Customer").columns["PIIEncryptedDate"]
    erp.add_customer(email="a@harbor.example")

    assert len(records_of(source.read("customers"))) == 1
    assert any("without PIIEncryptedDate" in row.detail for row in source.check())


def test_a_column_of_the_site_that_is_not_there_ends_the_stream(erp):
    """An opt-out that is misspelt must not look like nobody opting out."""
    erp.add_customer(email="a@harbor.example")
    with source_of(erp, optout_field="UDF_NO_EMAIL") as source:
        with pytest.raises(ContractError, match="UDF_NO_EMAIL"):
            list(source.read("customers"))
        row = next(row for row in source.check() if row.what == "stream customers")

    assert not row.ok
    assert "optout_field" in row.cure


# -- the flag -------------------------------------------------------------------------------------------------------


def flag_of(erp, key):
    """What the customer's do-not-mail column holds."""
    return erp.table("AR_Customer").rows[erp.key_of("AR_Customer", key)][NO_MAIL]


def test_a_flag_is_set_once(erp, source):
    """One change, with the stamp that was read; a repeat sends none, so that no stamp moves."""
    key = erp.add_customer("01-A B/C", email="office@harbor.example")
    for _ in range(3):
        source.flag("customers", key, GONE)

    assert flag_of(erp, key) == "Y"
    (change,) = patches(erp)
    assert change.request.segments[-2:] == ["01", "A B/C"]
    assert change.request.json()["set"] == {NO_MAIL: "Y"}
    assert set(change.request.json()["expected"]) == {"DateUpdated", "TimeUpdated"}
    assert 1 <= len(change.request.headers["idempotency-key"]) <= 64


def test_a_flag_whose_answer_was_lost_is_repeated_with_the_same_key(erp, source):
    """So that the agent may tell a repeat from another change."""
    key = erp.add_customer(email="office@harbor.example")
    erp.fail_next(method="PATCH", drop="after")
    source.flag("customers", key, GONE)

    first, second = patches(erp)
    assert first.request.headers["idempotency-key"] == second.request.headers["idempotency-key"]
    assert flag_of(erp, key) == "Y"


def test_a_customer_that_changed_meanwhile_is_read_again(erp, clock, source):
    """Somebody's change between reading and writing is not written over."""
    key = erp.add_customer(email="office@harbor.example")
    erp.fail_next(method="PATCH", status=409, body=agent_error("STALE_RECORD"))
    source.flag("customers", key, GONE)

    assert flag_of(erp, key) == "Y"
    assert len(patches(erp)) == 2
    assert [entry.method for entry in erp.log] == ["GET", "PATCH", "GET", "PATCH"]


def test_a_customer_that_keeps_changing_is_left_for_later(erp, source):
    """After four readings."""
    key = erp.add_customer(email="office@harbor.example")
    erp.fail(method="PATCH", status=409, body=agent_error("STALE_RECORD"))
    with pytest.raises(UnavailableError, match="keeps changing"):
        source.flag("customers", key, GONE)

    assert len(patches(erp)) == 4


def test_a_stale_stamp_is_noticed_by_the_agent(erp, clock, source):
    """What is expected is the stamp that was read, so a real change in between is refused and read again."""
    key = erp.add_customer(email="office@harbor.example")
    entered = erp.agent

    class Interfering:
        """Changes the customer just before the first write arrives."""

        done = False

        def __call__(self, environ, start_response):
            if environ["REQUEST_METHOD"] == "PATCH" and not self.done:
                self.done = True
                clock.advance(minutes=5)
                erp.edit("AR_Customer", key, CustomerName="Changed by Mary")
            return entered(environ, start_response)

        def close(self):
            entered.close()

    erp._agent = Interfering()
    source.flag("customers", key, GONE)

    assert [entry.status for entry in patches(erp)] == [409, 200]
    row = erp.table("AR_Customer").rows[erp.key_of("AR_Customer", key)]
    assert (row["CustomerName"], row[NO_MAIL]) == ("Changed by Mary", "Y")


def test_a_customer_that_somebody_has_open_is_left_for_later(erp):
    """The error may pass; nothing was written."""
    key = erp.add_customer(email="office@harbor.example")
    erp.lock_record(key)
    with source_of(erp, flag_field=NO_MAIL, retry=ONCE) as source, pytest.raises(UnavailableError) as error:
        source.flag("customers", key, GONE)

    assert (error.value.reason, error.value.retry_after) == ("locked", 15.0)
    assert flag_of(erp, key) != "Y"


@pytest.mark.parametrize("key", ["00-0009999", "no key", "C00012"])
def test_a_customer_that_is_gone_has_nothing_to_flag(source, key):
    """The record is named."""
    with pytest.raises(RecordNotFoundError) as error:
        source.flag("customers", key, GONE)

    assert key == error.value.record_key


def test_a_column_that_the_agent_does_not_let_us_write_is_a_setting(erp):
    """Of the agent: its list of columns."""
    key = erp.add_customer(email="office@harbor.example")
    with source_of(erp, flag_field="Comment") as source, pytest.raises(ConfigurationError, match="settings allow"):
        source.flag("customers", key, GONE)


def test_a_column_that_there_is_not_is_a_setting(erp):
    """Of ours, and it is named."""
    key = erp.add_customer(email="office@harbor.example")
    with source_of(erp, flag_field="UDF_NONE") as source, pytest.raises(ConfigurationError, match="flag_field"):
        source.flag("customers", key, GONE)


def test_a_value_that_sage_refuses_is_an_error_of_the_record(erp):
    """It names the record and the column, and waits for the next run."""
    key = erp.add_customer(email="office@harbor.example")
    with (
        source_of(erp, flag_field=NO_MAIL, flag_value="NEVER") as source,
        pytest.raises(RecordRejectedError, match=NO_MAIL) as error,
    ):
        source.flag("customers", key, GONE)

    assert key == error.value.record_key


def test_only_customers_can_be_flagged(erp, source):
    """And only where a column was named for it."""
    assert list(source.flagged_streams) == ["customers"]
    for stream in ("contacts", "suppliers"):
        with pytest.raises(ConfigurationError, match="only customers"):
            source.flag(stream, "00-0000001", GONE)
    with source_of(erp) as plain:
        assert list(plain.flagged_streams) == []
        with pytest.raises(ConfigurationError, match="flag_field is not set"):
            plain.flag("customers", "00-0000001", GONE)


def test_errors_of_the_flag_are_fatal_or_of_a_kind_the_engine_waits_for(erp, source):
    """A token that was withdrawn stops the run."""
    erp.fail(method="PATCH", status=401, body=agent_error("TOKEN_INVALID"))
    key = erp.add_customer(email="office@harbor.example")
    with pytest.raises(FatalError):
        source.flag("customers", key, GONE)
