"""What Sage 100's web service returns, as rows of its tables."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

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
from mlconnector_sdk.sources.sage100._soap_faults import Verdicts
from mlconnector_sdk.sources.sage100._soap_rows import row_of

NULL = datetime(2001, 1, 1)
VERDICTS = Verdicts(company="ABC", lock_patterns=("in use", "busy"))


@pytest.mark.parametrize(
    ("member", "row"),
    [
        ({"CustomerName": " Harbor\0 "}, {"CustomerName": "Harbor"}),
        ({"City": None}, {"City": ""}),
        ({"CreditLimit": Decimal("12.50")}, {"CreditLimit": Decimal("12.50")}),
        ({"NumberOfLabels": 3}, {"NumberOfLabels": Decimal(3)}),
        ({"Weight": 2.5}, {"Weight": Decimal("2.5")}),
        ({"CreditHold": True}, {"CreditHold": "Y"}),
        ({"CreditHold": False}, {"CreditHold": "N"}),
        ({"DateEstablished": datetime(2019, 1, 1)}, {"DateEstablished": "20190101"}),
        ({"DateEstablished": date(2019, 1, 1)}, {"DateEstablished": "20190101"}),
        ({"DateLastPayment": NULL}, {"DateLastPayment": ""}),
        ({"DateLastPayment": datetime(1753, 1, 1)}, {"DateLastPayment": ""}),
        ({"DateTimeUpdated": datetime(2025, 3, 4, 15, 30)}, {"DateUpdated": "20250304", "TimeUpdated": "15.5"}),
        ({"DateTimeCreated": datetime(2025, 3, 4, 0, 0)}, {"DateCreated": "20250304", "TimeCreated": "0"}),
        ({"DateTimeUpdated": None}, {"DateUpdated": "", "TimeUpdated": ""}),
        ({"DateTimeUpdated": NULL}, {"DateUpdated": "", "TimeUpdated": ""}),
        ({"SalesPersonNo2": "0100"}, {"SalespersonNo2": "0100"}),
        ({"SalesPersonDivisionNo5": "00"}, {"SalespersonDivisionNo5": "00"}),
        ({"Payments": [{"CardholderName": "Ann"}], "CreditCardGUID": "1"}, {}),
        ({"OtherFields": None}, {}),
        ({"OtherFields": {"Field": {"MasFieldName": "UDF_X$", "Value": " Y "}}}, {"UDF_X": "Y"}),
        ({"OtherFields": {"Field": [{"MasFieldName": "UDF_X", "Value": None}]}}, {"UDF_X": ""}),
        ({"OtherFields": [{"MasFieldName": "UDF_X", "Value": "1"}, {"MasFieldName": None}]}, {"UDF_X": "1"}),
        ({"OtherFields": {"MasFieldName": "UDF_X", "Value": "1"}}, {"UDF_X": "1"}),
        ({"Lines": None}, {"Lines": []}),
        ({"Lines": {"Line": {"ItemCode": "A", "LineKey": "1"}}}, {"Lines": [{"ItemCode": "A", "LineKey": "1"}]}),
        ({"Lines": {"Line": [{"LineKey": "1"}, {"LineKey": "2"}]}}, {"Lines": [{"LineKey": "1"}, {"LineKey": "2"}]}),
    ],
)  # fmt: skip
def test_members_become_columns(member, row):
    """Names, blanks, dates, amounts, own columns and lines stand in the row as they stand in the tables."""
    assert row == row_of(member, NULL)


def envelope(code, text, detail="") -> bytes:
    """A fault."""
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>'
        f"<faultcode>{code}</faultcode><faultstring>{text}</faultstring>{detail}</s:Fault></s:Body></s:Envelope>"
    ).encode()


def mas(code, text) -> str:
    """What the service adds to a fault."""
    inner = f"<x:ErrorCode>{code}</x:ErrorCode><x:ErrorMessage>{text}</x:ErrorMessage>"
    return f'<detail><x:MasFault xmlns:x="urn:x">{inner}</x:MasFault></detail>'


def judged(status, body, media_type="text/xml", **headers):
    """The error that an answer means."""
    return VERDICTS.judge(
        HttpReply(status=status, headers={"content-type": media_type, **headers}, body=body), "GetCustomer"
    )


LOGON = "Logon failure: The user logon or password does not match or the user logon is not enabled for web services."
NOT_ON_FILE = "Could not set AR_Customer_bus column ZipCode$: The ZIP Code is not on file."


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (envelope("a:CI_NoKey", "x"), RecordNotFoundError, ""),
        (envelope("a:b:CI_NoKey", "x"), RecordNotFoundError, ""),
        (envelope("s:Client", "gone", mas("CI_NoKey", "gone")), RecordNotFoundError, ""),
        (envelope("s:Client", "x", f"<detail><a>1</a><b>{mas('CI_NoKey', 'x')}</b></detail>"), RecordNotFoundError, ""),
        (envelope("a:CI_NOF", NOT_ON_FILE), RecordRejectedError, "column ZipCode"),
        (envelope("a:CI_NOF", "", mas("CI_NOF", NOT_ON_FILE)), RecordRejectedError, "column ZipCode"),
        (envelope("a:CI_CharLength", "The Type is greater than 5 character(s)"), RecordRejectedError, "Type"),
        (envelope("a:WS_AlreadyExists", "Record already exists."), RecordRejectedError, "already exists"),
        (envelope("a:X", "The Credit Hold failed validation on Y,N"), RecordRejectedError, "failed validation"),
        (envelope("a:X", "The DateTimeUpdated is read only."), RecordRejectedError, "read only"),
        (envelope("a:Logon", LOGON), AuthenticationError, "Enable Web Services"),
        (envelope("", LOGON), AuthenticationError, "Enable Web Services"),
        (envelope("a:X", "No Access - you are not authorized to perform this action"), PermissionDeniedError, "role"),
        (envelope("a:X", "The Record Is In Use by MARY"), UnavailableError, "held"),
        (envelope("a:X", "An exception occurred."), ServerFaultError, "event log"),
        (envelope("s:InternalServiceFault", "The server was unable to process the request due to an internal error."),
         ServerFaultError, "event log"),
        (envelope("a:X", "The administrator is currently maintaining the system. Try again later."),
         UnavailableError, "maintenance"),
        (envelope("a:ActionNotSupported", "x"), ContractError, "basic entry point"),
        (envelope("a:New_Code", "Unheard of"), RecordRejectedError, "New_Code"),
    ],
)  # fmt: skip
def test_faults_mean_what_the_vendor_means(body, kind, says):
    """Codes without prefix, texts in any case, details of any name and with none at all."""
    error = judged(500, body)

    assert type(error) is kind
    assert says in error.message


def test_values_in_a_fault_are_not_told():
    """Quoted values and addresses in a vendor's text stay out of messages."""
    error = judged(500, envelope("a:X", 'Customer "Ann Buyer" with ann@example.com is odd'))

    assert "Ann" not in error.message
    assert "ann@" not in error.message


@pytest.mark.parametrize(
    ("status", "body", "media_type", "kind"),
    [
        (200, b"<html><body>Mas Service</body></html>", "text/html", UnavailableError),
        (302, b"", "text/html", ConfigurationError),
        (401, b"<html></html>", "text/html", AuthenticationError),
        (403, b"<html></html>", "text/html", AuthenticationError),
        (404, b"<html></html>", "text/html", ConfigurationError),
        (408, b"", "", UnavailableError),
        (415, b"", "", ContractError),
        (429, b"", "", RateLimitError),
        (500, b"<html>Runtime Error</html>", "text/html", UnavailableError),
        (503, b"<html></html>", "text/html", UnavailableError),
    ],
)
def test_what_the_web_server_says_is_told_from_faults(status, body, media_type, kind):
    """IIS, proxies and pages: what passes, what is a matter of settings, and what needs another address."""
    assert type(judged(status, body, media_type)) is kind


def test_a_good_answer_is_no_error():
    """An envelope without a fault is fine."""
    body = b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><ok/></s:Body></s:Envelope>'

    assert judged(200, body) is None


def test_a_failure_without_a_reason_tells_when():
    """The time of the server stands in the message, for the reader of its event log."""
    at = datetime(2026, 3, 1, 18, 5, 7, tzinfo=UTC)
    error = judged(500, envelope("a:X", "An exception occurred."), date=f"{at:%a, %d %b %Y %H:%M:%S} GMT")

    assert "2026-03-01 18:05:07 UTC in company ABC" in error.message
