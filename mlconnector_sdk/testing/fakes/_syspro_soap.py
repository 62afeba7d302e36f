"""e.net over SOAP 1.1: the four classic ASMX services, their WSDLs, and failures as faults."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import attrs

from ._server import Reply, Request
from ._syspro_enet import Enet
from ._syspro_pages import html_page
from ._syspro_sessions import EnetError

__all__ = ["SoapDoor"]

_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "Server": "Microsoft-IIS/10.0", "X-Powered-By": "ASP.NET"}
_LANGUAGES = (
    "AUTO ENGLISH_US FRENCH_CANADIAN DANISH DUTCH ENGLISH FINNISH FRENCH GERMAN ITALIAN NORWEGIAN PORTUGUESE SPANISH "
    "SWEDISH"
)
_ENUMERATIONS: Mapping[str, tuple[str, ...]] = {
    "Language": tuple(_LANGUAGES.split()),
    "LogDetail": ("ldNoDebug", "ldDebug"),
    "Instance": tuple(f"EncoreInstance_{number}" for number in range(10)),
}
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_ENUMERATED = {"LanguageCode": "Language", "LogLevel": "LogDetail", "EncoreInstance": "Instance"}

_LOGON = "Operator OperatorPassword CompanyId CompanyPassword LanguageCode LogLevel EncoreInstance XmlIn"
_WRITE = "UserId BusinessObject XMLParameters XMLIn"
_QUERY = "UserId BusinessObject XMLIn"
_KEYED = "UserId XMLIn"

SERVICES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    service: {name: tuple(parameters.split()) for name, parameters in operations.items()}
    for service, operations in {
        "Utilities": {
            "Logon": _LOGON,
            "Logoff": "UserId",
            "GetLogonProfile": "UserId",
            "Run": "UserId BusinessObject Parameter",
        },
        "Query": dict.fromkeys(("Browse", "Fetch"), _KEYED)
        | {"Query": _QUERY}
        | dict.fromkeys(("NextKey", "PreviousKey"), _KEYED),
        "Setup": dict.fromkeys(("Add", "Update", "Delete"), _WRITE),
        "Transaction": {"Build": _QUERY, "Post": _WRITE},
    }.items()
}
"""Operations of each service, with their parameters in the schema's order."""


@attrs.define
class _Fault(Exception):
    """A SOAP fault: `code` says whose fault it is."""

    code: str
    text: str


class SoapDoor:
    """`/SYSPROWebServices/*.asmx`.

    `errors_as_results` puts what e.net refuses into an ordinary result that begins with `ERROR`, as REST does.
    """

    def __init__(self, enet: Enet) -> None:
        self.enet = enet
        self.errors_as_results = False

    def handle(self, request: Request, name: str, url: str) -> Reply:
        """The answer of the service in the file `name`, whose own address is `url`."""
        service = next((one for one in SERVICES if f"{one}.asmx".lower() == name.lower()), None)
        if service is None:
            return html_page(404, "The resource cannot be found.")
        if request.method == "GET":
            asked = request.raw_path.partition("?")[2].lower() == "wsdl"
            return Reply(200, _wsdl(service, url).encode(), _HEADERS) if asked else html_page(200, service)
        if request.method != "POST":
            return html_page(405, "Method not allowed.")
        try:
            operation, sent = _call(service, request)
            return Reply(200, _envelope(_result(service, operation, self._run(service, operation, sent))), _HEADERS)
        except _Fault as fault:
            return Reply(500, _envelope(_fault(fault)), _HEADERS)

    def _run(self, service: str, operation: str, sent: Mapping[str, str]) -> str:
        enet = self.enet
        user_id, xml = sent.get("UserId", ""), sent.get("XMLIn", "")
        known: Mapping[tuple[str, str], Callable[[], str]] = {
            ("Utilities", "Logon"): lambda: self._log_on(sent),
            ("Utilities", "Logoff"): lambda: enet.sessions.log_off(user_id),
            ("Utilities", "GetLogonProfile"): lambda: enet.profile(user_id),
            ("Query", "Query"): lambda: enet.query(user_id, sent.get("BusinessObject", ""), xml),
            ("Query", "Fetch"): lambda: enet.fetch(user_id, xml),
            ("Query", "Browse"): lambda: enet.browse(user_id, xml),
        }
        try:
            return known.get((service, operation), lambda: enet.write(user_id))()
        except EnetError as error:
            if self.errors_as_results:
                return f"ERROR: {error}"
            raise _Fault("soap:Server", f"Server was unable to process request. ---> {error}") from None

    def _log_on(self, sent: Mapping[str, str]) -> str:
        names = ("Operator", "OperatorPassword", "CompanyId", "CompanyPassword")
        return self.enet.sessions.log_on(*(sent.get(name, "") for name in names))


def _call(service: str, request: Request) -> tuple[str, dict[str, str]]:
    """Operation and parameters of an envelope, strictly after the schema."""
    space = f"http://www.syspro.com/ns/{service.lower()}/"
    action = request.headers.get("soapaction", "").strip('"')
    operation = action.removeprefix(space)
    if not action.startswith(space) or operation not in SERVICES[service]:
        raise _Fault("soap:Client", f"Server did not recognize the value of HTTP Header SOAPAction: {action}.")
    if not request.headers.get("content-type", "").startswith("text/xml"):
        raise _Fault("soap:Client", "The content type of a SOAP 1.1 request is text/xml.")
    try:
        if b"<!DOCTYPE" in request.body:
            raise ET.ParseError("a document type is not allowed")
        root = ET.fromstring(request.body)  # noqa: S314 - loopback only, and no document type
    except ET.ParseError as error:
        raise _Fault("soap:Client", f"Server was unable to read request. ---> {error}") from None
    body = root.find(f"{{{_ENVELOPE}}}Body")
    call = body[0] if root.tag == f"{{{_ENVELOPE}}}Envelope" and body is not None and len(body) else None
    if call is None or call.tag != f"{{{space}}}{operation}":
        raise _Fault("soap:Client", f"The body does not hold {operation} of {space}.")
    return operation, _parameters(call, space, SERVICES[service][operation])


def _parameters(call: ET.Element, space: str, names: tuple[str, ...]) -> dict[str, str]:
    found = [child.tag.removeprefix(f"{{{space}}}") for child in call]
    if found != [name for name in names if name in found]:
        raise _Fault("soap:Client", f"The parameters are not {', '.join(names)} in this order.")
    sent = {name: child.text or "" for name, child in zip(found, call, strict=True)}
    for name in names:
        if name in _ENUMERATED and sent.get(name) not in _ENUMERATIONS[_ENUMERATED[name]]:
            raise _Fault("soap:Client", f"Instance validation error: {name} has no valid value.")
    return sent


def _envelope(inner: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{_ENVELOPE}">'
        f"<soap:Body>{inner}</soap:Body></soap:Envelope>"
    ).encode()


def _result(service: str, operation: str, text: str) -> str:
    # A control character is not allowed in XML, and .NET writes it as a reference all the same.
    shown = _CONTROLS.sub(lambda found: f"&#x{ord(found[0]):X};", escape(text))
    return (
        f'<{operation}Response xmlns="http://www.syspro.com/ns/{service.lower()}/">'
        f"<{operation}Result>{shown}</{operation}Result></{operation}Response>"
    )


def _fault(fault: _Fault) -> str:
    return (
        f"<soap:Fault><faultcode>{fault.code}</faultcode>"
        f"<faultstring>{escape(fault.text)}</faultstring><detail /></soap:Fault>"
    )


# -- WSDL -----------------------------------------------------------------------------------------------------------


def _wsdl(service: str, url: str) -> str:
    """The service's description, written from the table of operations."""
    space = f"http://www.syspro.com/ns/{service.lower()}/"
    port = f"{service.lower()}classSoap"
    operations = SERVICES[service]
    types = "".join(_schema(name, parameters) for name, parameters in operations.items())
    if service == "Utilities":
        types += "".join(_enumeration(name, values) for name, values in _ENUMERATIONS.items())
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" '
        'xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:s="http://www.w3.org/2001/XMLSchema" '
        f'xmlns:tns="{space}" targetNamespace="{space}">\n'
        f'<wsdl:types><s:schema elementFormDefault="qualified" targetNamespace="{space}">{types}</s:schema>'
        "</wsdl:types>\n"
        + "".join(_messages(name) for name in operations)
        + f'<wsdl:portType name="{port}">{"".join(_operation(name) for name in operations)}</wsdl:portType>\n'
        + f'<wsdl:binding name="{port}" type="tns:{port}">'
        + '<soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>'
        + "".join(_bound(name, space) for name in operations)
        + f'</wsdl:binding>\n<wsdl:service name="{service.lower()}class"><wsdl:port name="{port}" binding="tns:{port}">'
        + f'<soap:address location="{escape(url)}"/></wsdl:port></wsdl:service>\n</wsdl:definitions>\n'
    )


def _schema(name: str, parameters: tuple[str, ...]) -> str:
    asked = "".join(_element(one) for one in parameters)
    return _complex(name, asked) + _complex(f"{name}Response", _element(f"{name}Result"))


def _complex(name: str, inner: str) -> str:
    return f'<s:element name="{name}"><s:complexType><s:sequence>{inner}</s:sequence></s:complexType></s:element>\n'


def _element(name: str) -> str:
    kind = f"tns:{_ENUMERATED[name]}" if name in _ENUMERATED else "s:string"
    return f'<s:element minOccurs="{int(name in _ENUMERATED)}" maxOccurs="1" name="{name}" type="{kind}"/>'


def _enumeration(name: str, values: tuple[str, ...]) -> str:
    listed = "".join(f'<s:enumeration value="{value}"/>' for value in values)
    return f'<s:simpleType name="{name}"><s:restriction base="s:string">{listed}</s:restriction></s:simpleType>\n'


def _messages(name: str) -> str:
    pairs = ((f"{name}SoapIn", name), (f"{name}SoapOut", f"{name}Response"))
    return "".join(
        f'<wsdl:message name="{message}"><wsdl:part name="parameters" element="tns:{part}"/></wsdl:message>\n'
        for message, part in pairs
    )


def _operation(name: str) -> str:
    return (
        f'<wsdl:operation name="{name}"><wsdl:input message="tns:{name}SoapIn"/>'
        f'<wsdl:output message="tns:{name}SoapOut"/></wsdl:operation>'
    )


def _bound(name: str, space: str) -> str:
    body = '<soap:body use="literal"/>'
    return (
        f'<wsdl:operation name="{name}"><soap:operation soapAction="{space}{name}" style="document"/>'
        f"<wsdl:input>{body}</wsdl:input><wsdl:output>{body}</wsdl:output></wsdl:operation>"
    )
