"""The ASMX services of a fake SYSPRO: calls after the schema, faults for everything else."""

from __future__ import annotations

from xml.sax.saxutils import escape

import httpx
import pytest
import zeep

from mlconnector_sdk.testing.fakes._syspro import FakeSyspro

LOGON = ("SYNC", "secret", "EDU1", "", "AUTO", "ldNoDebug", "EncoreInstance_0", "")
QUESTION = "<Query><TableName>ArCustomer</TableName><Columns><Column>Name</Column></Columns></Query>"


@pytest.fixture(name="erp")
def _erp():
    with FakeSyspro(customers=3) as fake:
        yield fake


@pytest.fixture(name="utilities")
def _utilities(erp):
    return zeep.Client(f"{erp.soap_url}/utilities.asmx?wsdl").service


@pytest.fixture(name="query")
def _query(erp):
    return zeep.Client(f"{erp.soap_url}/query.asmx?WSDL").service


def test_the_services_do_what_rest_does(erp, utilities, query):
    """A session opened by SOAP is e.net's session: profile, rows, one row, a browse, and its end."""
    user_id = utilities.Logon(*LOGON)

    assert 36 == len(user_id)
    assert "<OperatorCode>SYNC</OperatorCode>" in utilities.GetLogonProfile(user_id)
    assert 3 == query.Query(user_id, "COMFND", QUESTION).count("<Row>")
    fetched = query.Fetch(
        user_id,
        "<Fetch><TableName>ArCustomer</TableName><Key>000000000000001</Key><FullKeyProvided>Y</FullKeyProvided></Fetch>",
    )
    assert "<Customer>000000000000001</Customer>" in fetched
    assert "<NextPrevKey>" in query.Browse(user_id, "<Browse><BrowseName>ArCustomer</BrowseName></Browse>")
    assert httpx.get(f"{erp.enet_url}/GetLogonProfile", params={"UserId": user_id}).text.startswith("<?xml")
    assert "0" == utilities.Logoff(user_id)
    assert (0, []) == (erp.open_sessions, erp.writes)


def test_refusals_are_faults(erp, utilities, query):
    """What e.net refuses comes as a fault with its text, or as a result where a site does so."""
    with pytest.raises(zeep.exceptions.Fault, match="Invalid operator password") as wrong:
        utilities.Logon("SYNC", "wrong", *LOGON[2:])
    with pytest.raises(zeep.exceptions.Fault, match=r"The supplied UserID is invalid\."):
        query.Query("0" * 34, "COMFND", QUESTION)
    erp.soap.errors_as_results = True

    assert "soap:Server" == wrong.value.code
    assert "ERROR: The supplied UserID is invalid." == query.Query("0" * 34, "COMFND", QUESTION)


def test_writing_is_refused_and_noticed(erp, utilities):
    """Setup objects are not licensed, and a call of one is on the list of writes."""
    setup = zeep.Client(f"{erp.soap_url}/setup.asmx?wsdl").service
    user_id = utilities.Logon(*LOGON)

    with pytest.raises(zeep.exceptions.Fault, match="100000"):
        setup.Add(user_id, "ARSSCS", "", "")

    assert [("POST", "/SYSPROWebServices/setup.asmx")] == [(e.method, e.path) for e in erp.writes if e.is_write]


def test_control_characters_break_the_document(erp, utilities, query):
    """A control character in a text makes an answer that is no XML, as .NET makes it."""
    erp.edit("ArCustomer", "1", Name="A\x0bB")
    user_id = utilities.Logon(*LOGON)

    with pytest.raises(zeep.exceptions.TransportError):
        query.Query(user_id, "COMFND", QUESTION)


def envelope(inner, space="http://www.syspro.com/ns/query/"):
    """A SOAP 1.1 envelope."""
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f"{inner.replace('SPACE', space)}</s:Body></s:Envelope>"
    )


CALL = f'<q:Query xmlns:q="SPACE"><q:UserId>X</q:UserId><q:XMLIn>{escape(QUESTION)}</q:XMLIn></q:Query>'


@pytest.mark.parametrize(
    ("body", "headers", "file"),
    [
        (envelope(CALL), {"SOAPAction": '"Query"'}, "query"),
        (envelope(CALL), {"SOAPAction": '"http://www.syspro.com/ns/query/Find"'}, "query"),
        (envelope(CALL), {"Content-Type": "application/soap+xml"}, "query"),
        ("<s:Envelope", {}, "query"),
        ("<!DOCTYPE x><x/>", {}, "query"),
        ("<x/>", {}, "query"),
        (envelope(""), {}, "query"),
        (envelope(CALL, "http://www.syspro.com/ns/setup/"), {}, "query"),
        (envelope(CALL.replace("XMLIn", "XmlIn")), {}, "query"),
        (envelope('<q:Query xmlns:q="SPACE"><q:XMLIn/><q:UserId/></q:Query>'), {}, "query"),
        (
            envelope(
                '<q:Logon xmlns:q="SPACE"><q:LanguageCode>KLINGON</q:LanguageCode></q:Logon>',
                "http://www.syspro.com/ns/utilities/",
            ),
            {"SOAPAction": '"http://www.syspro.com/ns/utilities/Logon"'},
            "utilities",
        ),
    ],
)
def test_envelopes_that_break_the_schema_are_the_clients_fault(erp, body, headers, file):
    """A wrong action, type, body, name, order or value is refused before e.net is asked."""
    sent = {"Content-Type": "text/xml", "SOAPAction": '"http://www.syspro.com/ns/query/Query"', **headers}

    answer = httpx.post(f"{erp.soap_url}/{file}.asmx", content=body, headers=sent)

    assert 500 == answer.status_code
    assert "<faultcode>soap:Client</faultcode>" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/query.asmx", 200), ("GET", "/reports.asmx?wsdl", 404), ("PUT", "/query.asmx", 405)],
)
def test_anything_else_gets_a_page(erp, method, path, status):
    """A service's own page, an unknown service and a wrong verb are answered in HTML."""
    answer = httpx.request(method, erp.soap_url + path)

    assert status == answer.status_code
    assert answer.headers["content-type"].startswith("text/html")
