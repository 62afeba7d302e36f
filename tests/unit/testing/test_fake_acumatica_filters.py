"""What the fake Acumatica takes in a filter, and how it refuses the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from hypothesis import given, strategies as st

from mlconnector_sdk.testing.fakes._acumatica import FakeAcumatica
from mlconnector_sdk.testing.fakes._acumatica_errors import Refusal
from mlconnector_sdk.testing.fakes._acumatica_filter import Operand, compile_filter
from tests.unit.testing._acumatica_site import LOGIN, Clock, ask, ids


@pytest.fixture
def clock():
    """A clock that stands still until moved."""
    return Clock()


@pytest.fixture
def erp(clock):
    """A fake with no records, on that clock."""
    with FakeAcumatica(clock=clock) as fake:
        yield fake


@pytest.fixture
def http(erp):
    """A client that has not signed in."""
    with httpx.Client(base_url=erp.base_url, verify=False) as client:
        yield client


@pytest.fixture
def signed_in(http):
    """A client with a cookie session."""
    assert 204 == http.post("/entity/auth/login", json=LOGIN).status_code
    return http


@pytest.fixture
def three(erp, signed_in):
    """A client of a site with three different customers."""
    stamp = datetime(2024, 5, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    erp.add_customer(
        "C1", name="O'Hara Supply", email="a@harbor.com", LastModifiedDateTime=stamp, CreditLimit=Decimal(5)
    )
    later = stamp + timedelta(days=1)
    erp.add_customer("C2", name="Müller", status="On Hold", IsGuestCustomer=True, LastModifiedDateTime=later)
    erp.add_customer(
        "C3", name="王", email="c@harbor.com", BAccountID=9, LastModifiedDateTime=stamp + timedelta(days=2)
    )
    return signed_in


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CustomerName eq 'O''Hara Supply'", ["C1"]),
        ("CustomerName eq '王'", ["C3"]),
        ("Status eq 'On Hold' or CustomerID eq 'C3'", ["C2", "C3"]),
        ("Status eq 'Active' and CustomerID gt 'C1'", ["C3"]),
        ("CustomerID eq 'C1' or CustomerID eq 'C2' and Status eq 'Active'", ["C1"]),
        ("not (Status eq 'Active')", ["C2"]),
        ("LastModifiedDateTime gt datetimeoffset'2024-05-01T12:00:00.5Z'", ["C2", "C3"]),
        ("LastModifiedDateTime ge datetimeoffset'2024-05-01T15:00:00.500+03:00'", ["C1", "C2", "C3"]),
        ("LastModifiedDateTime lt datetimeoffset'2024-05-02'", ["C1"]),
        ("MainContact/Email eq 'c@harbor.com'", ["C3"]),
        ("Email ne 'c@harbor.com'", ["C1"]),
        ("IsGuestCustomer eq true", ["C2"]),
        ("BAccountID eq 9", ["C3"]),
        ("CreditLimit ge 5M", ["C1"]),
        ("CreditLimit eq 0.0m", ["C2", "C3"]),
        ("substringof('hara',CustomerName)", ["C1"]),
        ("startswith(CustomerName,'Mü')", ["C2"]),
        ("endswith(CustomerName, 'Supply')", ["C1"]),
        ("startswith(AccountRef,'x') or Status eq 'On Hold'", ["C2"]),
        ("'C2' lt CustomerID", ["C3"]),
        ("CustomerName eq MainContact/CompanyName and CustomerID ne 'C2'", ["C1", "C3"]),
        ("CustomerName eq AccountRef", []),
        ("AccountRef eq 'x' and Status eq 'Active'", []),
        ("MainContact/DoNotEmail eq 'x'", []),
        ("PrimaryContact/Email eq 'x'", []),
        ("OrderPriority eq 0 and CustomerID eq 'C1'", ["C1"]),
        ("NoteID eq guid'00000002-2945-ea11-817f-eb1a00000000'", ["C2"]),
        ("cf.String(f='BAccount.AcctCD') eq 'c3'", ["C3"]),
        ("cf.String(f='DefContact.EMail') eq 'a@harbor.com'", ["C1"]),
    ],
)
def test_filters_select(three, text, expected):
    """Documented operators, functions and literals select the right rows."""
    assert expected == ids(ask(three, "Customer", filter=text))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Nothing eq 'x'", "not present in the dictionary"),
        ("MainContact/Nothing eq 'x'", "not present in the dictionary"),
        ("IsGuestCustomer eq 'true'", "incompatible types"),
        ("LastModifiedDateTime gt '2024-05-01'", "incompatible types"),
        ("LastModifiedDateTime gt datetime'2024-05-01T00:00:00'", "incompatible types"),
        ("LastModifiedDateTime gt datetimeoffset'yesterday'", "Unrecognized"),
        ("LastModifiedDateTime gt datetimeoffset'2024-05-01T00:00:00 03:00'", "Unrecognized"),
        ("LastModifiedDateTime gt date'2024-05-01'", "Unrecognized"),
        ("CreditLimit gt 0", "Type conversions are not supported"),
        ("CreditLimit gt 0.5", "Type conversions are not supported"),
        ("BAccountID eq 9M", "Type conversions are not supported"),
        ("BAccountID eq '9'", "incompatible types"),
        ("contains(CustomerName,'x')", "unknown function"),
        ("substringof(CustomerName,'x')", "No function signature"),
        ("CustomerName eq null", "not supported"),
        ("CustomerName eq 'O'Hara'", "Syntax error"),
        ("CustomerName = 'x'", "Syntax error"),
        ("(CustomerName eq 'x'", "Syntax error"),
        ("CustomerName eq 'x' and", "Syntax error"),
        ("1 eq 1", "needs a field"),
        ("()", "Syntax error"),
        ("CustomerName 'x' eq", "Syntax error"),
        ("CustomerName eq 'x' CustomerName", "Syntax error"),
        ("CustomerName eq )", "Syntax error"),
        ("BAccountID eq 9L", "Type conversions are not supported"),
        ("LastModifiedDateTime gt datetimeoffset'2024-13-01T00:00:00Z'", "Unrecognized"),
        ("cf.String(f=BAccount) eq 'x'", "Syntax error"),
        ("cf.Decimal(f='BAccount.AcctCD') eq 1M", "Type conversions are not supported"),
        ("Nowhere/Email eq 'x'", "not present in the dictionary"),
        ("Contacts/ContactID eq 5", "Optimization cannot be performed"),
    ],
)
def test_refused_filters_are_500(three, text, problem):
    """Unknown names, wrong literals, detail rows and foreign syntax are a 500 that says why."""
    answer = ask(three, "Customer", filter=text)
    assert 500 == answer.status_code
    assert problem in answer.json()["exceptionMessage"]


@pytest.mark.parametrize(("option", "value"), [("top", "-1"), ("skip", "x"), ("top", "")])
def test_page_options_are_whole_numbers(signed_in, option, value):
    """`$top` and `$skip` that are no whole numbers are a 500."""
    assert 500 == ask(signed_in, "Customer", **{option: value}).status_code


class _OneField:
    def field(self, path):
        return Operand("S", lambda row: row["name"])

    def screen_field(self, kind, path):
        return self.field(path)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_doubled_apostrophes_carry_any_text(wanted, other):
    """A quoted text with doubled apostrophes finds a record with that text and nothing else."""
    wanted = wanted.rstrip(" ") or "x"
    test = compile_filter(f"name eq '{wanted.replace(chr(39), chr(39) * 2)}'", _OneField())
    assert test({"name": wanted}) is True
    same = other.rstrip(" ").casefold() == wanted.casefold()
    assert (test({"name": other}) is True) == same


@given(st.text("ab' ()eqnotrd,1", max_size=12))
def test_no_filter_text_breaks_the_parser(text):
    """Any text is either taken or refused with an answer."""
    try:
        compile_filter(text, _OneField())
    except Refusal as refusal:
        status = refusal.reply.status
    else:
        status = 200
    assert status in {200, 500}


@pytest.mark.parametrize("name", ["select", "expand", "custom"])
def test_unknown_names_are_500(erp, signed_in, name):
    """Unknown names are a KeyNotFoundException anywhere, on an empty table too."""
    value = "Nowhere.Nothing" if name == "custom" else "Nothing"
    assert "KeyNotFoundException" in ask(signed_in, "Customer", **{name: value}).json()["exceptionType"]


@pytest.mark.parametrize("query", [{"select": "CustomerID,PrimaryContact/Email", "expand": "PrimaryContact"},
                                   {"expand": "PrimaryContact"},
                                   {"filter": "PrimaryContact/Email eq 'x'"}])  # fmt: skip
def test_lists_that_touch_a_blocked_part_fail_and_single_records_do_not(erp, signed_in, query):
    """CannotOptimize hits the list query only, whether it selects, expands or filters the part."""
    erp.add_customer("C1")
    erp.cannot_optimize = {"Customer": ["PrimaryContact"]}
    answer = ask(signed_in, "Customer", **query)
    assert "CannotOptimizeException" in answer.json()["exceptionType"]
    assert "\r\nPrimaryContact: View " in answer.json()["exceptionMessage"]
    assert 200 == ask(signed_in, "Customer", select="CustomerID").status_code
    assert 200 == ask(signed_in, "Customer/C1", expand="PrimaryContact").status_code
