"""SOAP through zeep over our own HTTP client."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from mlconnector_sdk._http import HttpClient, HttpReply
from mlconnector_sdk.errors import ContractError, RecordRejectedError, UnavailableError
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources._soap import SoapService, fault_in, fault_of, wsdl_of
from mlconnector_sdk.testing import FakeServer, Reply

SPACE = "http://erp.example/ns/"
BINDING = f"{{{SPACE}}}EchoSoap"
WSDL = wsdl_of(SPACE, "EchoSoap", {"Echo": ("Text", "Secret")})


def envelope(inner: str) -> str:
    """An answer."""
    return f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{inner}</s:Body></s:Envelope>'


def result(text: str) -> str:
    """An answer of the operation."""
    return envelope(f'<EchoResponse xmlns="{SPACE}"><EchoResult>{text}</EchoResult></EchoResponse>')


class Echo(FakeServer):
    """Answers what it is told to, and describes itself."""

    def __init__(self) -> None:
        super().__init__()
        self.body: str | bytes = result("hello")
        self.status = 200
        self.description: bytes = WSDL

    def handle(self, request):
        headers = {"Content-Type": "text/xml; charset=utf-8"}
        return (
            Reply(200, self.description, headers) if request.method == "GET" else Reply(self.status, self.body, headers)
        )


@pytest.fixture
def far() -> Iterator[Echo]:
    """A service on loopback."""
    with Echo() as far:
        yield far


@pytest.fixture
def http(far) -> Iterator[HttpClient]:
    """A client whose judge knows faults."""

    def judge(reply: HttpReply, _operation: str):
        if (text := fault_in(reply)) is not None:
            return UnavailableError("busy") if text == "busy" else RecordRejectedError(text)
        return None if reply.status == 200 else UnavailableError("down")

    client = HttpClient("erp", far.url, judge=judge, retry=RetryPolicy.immediate())
    yield client
    client.close()


def service_of(http: HttpClient, **settings) -> SoapService:
    """The service under test."""
    return SoapService(http, **{"wsdl": WSDL, "binding": BINDING, "path": "/echo.asmx", **settings})


def test_a_call_goes_to_the_given_address_through_our_client(far, http):
    """The result comes back, the envelope went where we said, and the request was counted."""
    found = service_of(http).call("Echo", operation="echo", Text="a & b")

    [entry] = far.log
    assert ("hello", "/echo.asmx", f'"{SPACE}Echo"') == (found, entry.path, entry.request.headers["soapaction"])
    assert b"a &amp; b" in entry.request.body
    assert http.request_count == 1


def test_a_description_is_loaded_from_where_we_say(far, http):
    """A path instead of a document is read with the same client, once."""
    service = service_of(http, wsdl="/echo.asmx?wsdl")

    assert ["hello", "hello"] == [service.call("Echo", operation="echo") for _ in range(2)]
    assert ["GET", "POST", "POST"] == [entry.method for entry in far.log]


INNER = '<x:import namespace="urn:z" schemaLocation="/etc/hostname"/>'
XSD = "http://www.w3.org/2001/XMLSchema"


@pytest.mark.parametrize(
    "refers",
    [
        '<w:import namespace="urn:x" location="http://127.0.0.1:9/other.wsdl"/>',
        '<w:import namespace="urn:x" location="file:///etc/passwd"/>',
        f'<w:types><x:schema xmlns:x="{XSD}" targetNamespace="urn:y">{INNER}</x:schema></w:types>',
    ],
)
def test_a_description_loads_nothing_else(far, http, refers):
    """A description that wants further documents is refused, wherever they are."""
    start, end = WSDL.split(b"<w:types>", 1)
    document = start + refers.encode() + b"<w:types>" + end

    with pytest.raises(ContractError):
        service_of(http, wsdl=document).call("Echo", operation="echo")
    assert far.log == []


@pytest.mark.parametrize("where", ["description", "answer"])
def test_a_document_type_is_refused(far, http, where):
    """Neither a description nor an answer may declare a document type."""
    doctype = b'<!DOCTYPE a [<!ENTITY x "expanded">]>'
    if where == "answer":
        far.body = doctype + result("&x;").encode()
    document = doctype + WSDL if where == "description" else WSDL

    with pytest.raises(ContractError):
        service_of(http, wsdl=document).call("Echo", operation="echo")


def test_faults_are_judged_inside_the_retry_loop(far, http):
    """A fault that means "try later" is tried later; one that refuses is not."""
    far.status, far.body = 500, fault("busy")
    far.before_each.append(lambda request: recover(far) if len(far.log) == 2 else None)

    assert service_of(http).call("Echo", operation="echo") == "hello"
    assert len(far.log) == 3

    far.status, far.body = 500, fault("no such record")
    with pytest.raises(RecordRejectedError, match="no such record"):
        service_of(http).call("Echo", operation="echo")
    assert len(far.log) == 4


def fault(text: str) -> str:
    """A fault of SOAP 1.1."""
    return envelope(f"<s:Fault><faultcode>s:Server</faultcode><faultstring>{text}</faultstring></s:Fault>")


def recover(far: Echo) -> None:
    """Be well again."""
    far.status, far.body = 200, result("hello")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (500, fault("told"), "told"),
        (500, envelope("<s:Fault><s:Reason><s:Text>told</s:Text></s:Reason></s:Fault>"), "told"),
        (500, envelope("<s:Fault/>"), None),
        (500, envelope("<s:Fault><faultstring><b/></faultstring></s:Fault>"), ""),
        (500, "<html>Fault</html>", None),
        (500, "Fault, and no XML", None),
        (500, envelope("Fault"), None),
        (200, result("hello"), None),
        (404, fault("told"), None),
    ],
)
def test_faults_are_told_from_other_answers(status, body, expected):
    """The text of a fault in either version of SOAP; nothing else is taken for one."""
    assert fault_in(HttpReply(status=status, headers={}, body=body.encode())) == expected


@pytest.mark.parametrize(
    ("inner", "code", "detail"),
    [
        ("<faultcode>a:b:Busy</faultcode><faultstring>t</faultstring>", "Busy", {}),
        ("<s:Code><s:Value>s:Sender</s:Value></s:Code><s:Detail><M>1</M></s:Detail>", "Sender", {"M": "1"}),
        ("<faultstring>t</faultstring><detail>text</detail>", "", {}),
    ],
)  # fmt: skip
def test_a_fault_has_a_code_and_perhaps_a_detail(inner, code, detail):
    """Codes lose their prefixes, details their namespaces; either may be missing."""
    fault = fault_of(HttpReply(status=500, headers={}, body=envelope(f"<s:Fault>{inner}</s:Fault>").encode()))

    assert fault is not None
    assert (code, detail) == (fault.code, fault.detail)


SCHEMA = f'<x:schema xmlns:x="{XSD}" targetNamespace="urn:z"><x:element name="Z" type="x:string"/></x:schema>'


@pytest.mark.parametrize("host", ["http://inside.invalid:8080", "https://inside.invalid", ""])
def test_documents_below_the_allowed_folder_are_loaded_from_our_host(far, http, host):
    """The description may be in pieces: they are asked of the host we know, whichever it names."""
    refers = f'<w:types><x:schema xmlns:x="{XSD}" targetNamespace="urn:y">{{}}</x:schema></w:types>'
    refers = refers.format(f'<x:import namespace="urn:z" schemaLocation="{host}/svc/z.xsd?part=1"/>')
    far.description = WSDL.replace(b"</w:definitions>", refers.encode() + b"</w:definitions>")
    far.before_each.append(lambda request: serve(far, request))

    service = SoapService(http, wsdl="/svc/echo.asmx?wsdl", path="/svc/echo.asmx", documents="/svc/")
    assert service.call("Echo", operation="echo") == "hello"
    assert ["/svc/echo.asmx?wsdl", "/svc/z.xsd?part=1", "/svc/echo.asmx"] == [
        entry.request.raw_path for entry in far.log
    ]


def serve(far: Echo, request) -> None:
    """Give the piece of the description that is asked for."""
    if "z.xsd" in request.raw_path:
        far.description = SCHEMA.encode()


def test_a_description_without_end_is_given_up(far, http):
    """Documents that refer to ever more documents are no description."""
    place = '<x:include schemaLocation="/svc/{}.xsd"/>'

    def endless(request):
        number = len(far.log)
        inner = place.format(number)
        schema = f'<x:schema xmlns:x="{XSD}" targetNamespace="urn:y">{inner}</x:schema>'
        types = f"<w:types>{schema}</w:types></w:definitions>".encode()
        far.description = schema.encode() if number else WSDL.replace(b"</w:definitions>", types)

    far.before_each.append(endless)
    with pytest.raises(ContractError):
        SoapService(http, wsdl="/svc/echo.asmx?wsdl", path="/svc/echo.asmx", documents="/svc/").opened()
    assert len(far.log) == 100


def test_characters_that_xml_forbids_spoil_no_answer(far, http):
    """Control characters, bare or as references, are dropped."""
    far.body = result("Mr\x01 &#x1;&#31;Smith&#10;é").encode()

    assert service_of(http).call("Echo", operation="echo") == "Mr Smith\né"


@pytest.mark.parametrize("body", ["no XML at all", "<a/>", ""])
def test_an_answer_that_is_no_soap_is_told_without_its_content(far, http, body):
    """What cannot be read is a contract broken; the message shows neither envelope nor answer."""
    far.body = body

    with pytest.raises(ContractError, match="SOAP exchange failed") as caught:
        service_of(http).call("Echo", operation="echo", Secret="s3cret")

    assert ("erp", "echo") == (caught.value.system, caught.value.operation)
    assert caught.value.__cause__ is None
    assert "s3cret" not in str(caught.value)


def test_an_operation_that_is_not_described_is_told(http):
    """A call that the description does not have is a contract broken."""
    with pytest.raises(ContractError, match="AttributeError"):
        service_of(http).call("Shout", operation="shout")


def test_zeep_is_loaded_with_the_first_call_only():
    """Importing the sources and making one loads neither zeep nor lxml."""
    program = (
        "import sys; from mlconnector_sdk.sources.syspro import Syspro, SysproENet, SysproENetSoap\n"
        "for api in (SysproENet, SysproENetSoap):\n"
        "    Syspro(api=api('http://erp.example:1', operator='a', password='b', company='c')).close()\n"
        "assert not {'zeep', 'lxml', 'requests'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", program], check=True)
