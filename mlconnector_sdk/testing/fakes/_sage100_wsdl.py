"""The description of the web service as WCF publishes it: a WSDL whose schemas are documents of their own."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from ._sage100_contracts import CONTRACTS, NAMESPACE, OPERATIONS, Member, Operation

__all__ = ["ACTIONS", "SERIALIZATION", "schema_document", "wsdl_document"]

SERIALIZATION = "http://schemas.microsoft.com/2003/10/Serialization/"
ACTIONS = {f"{NAMESPACE}/IMas/{name}": name for name in OPERATIONS}
"""Operation by SOAPAction."""

_PROLOG = '<?xml version="1.0" encoding="utf-8"?>'
_SIMPLE = {"string", "decimal", "dateTime", "int"}


def wsdl_document(url: str) -> str:
    """The main document of the service at `url`; `url` also leads to its schemas."""
    imports = "".join(
        f'<xsd:import schemaLocation={quoteattr(f"{url}?xsd=xsd{place}")} namespace="{space}"/>'
        for place, space in enumerate((NAMESPACE, SERIALIZATION))
    )
    return (
        f'{_PROLOG}<wsdl:definitions name="Mas" targetNamespace="{NAMESPACE}" '
        'xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" '
        f'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:tns="{NAMESPACE}">'
        f'<wsdl:types><xsd:schema targetNamespace="{NAMESPACE}/Imports">{imports}</xsd:schema></wsdl:types>'
        + "".join(_messages(name) for name in OPERATIONS)
        + f'<wsdl:portType name="IMas">{"".join(_abstract(name) for name in OPERATIONS)}</wsdl:portType>'
        + '<wsdl:binding name="BasicHttpBinding_IMas" type="tns:IMas">'
        + '<soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>'
        + "".join(_bound(name) for name in OPERATIONS)
        + '</wsdl:binding><wsdl:service name="Mas">'
        + '<wsdl:port name="BasicHttpBinding_IMas" binding="tns:BasicHttpBinding_IMas">'
        + f"<soap:address location={quoteattr(url)}/></wsdl:port></wsdl:service></wsdl:definitions>"
    )


def schema_document(name: str) -> str | None:
    """The schema behind `?xsd=…`: ours, or the one every WCF service has beside it."""
    if name == "xsd0":
        return _own_schema()
    return _COMPANION if name == "xsd1" else None


def _own_schema() -> str:
    lists = {member.item for members in CONTRACTS.values() for member in members if member.item}
    elements = [_wrapper(operation) for operation in OPERATIONS.values()]
    types = [_contract(name, members) for name, members in CONTRACTS.items()]
    types += [_contract(f"ArrayOf{item}", (Member(item, item),), many=True) for item in sorted(lists)]
    return (
        f'{_PROLOG}<xs:schema elementFormDefault="qualified" targetNamespace="{NAMESPACE}" '
        f'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:tns="{NAMESPACE}">{"".join(elements + types)}</xs:schema>'
    )


def _wrapper(operation: Operation) -> str:
    asked = "".join(_element(Member(name, kind)) for name, kind in operation.parameters.items())
    answered = _element(Member(f"{operation.name}Result", operation.result)) if operation.result else ""
    return "".join(
        f'<xs:element name="{name}"><xs:complexType><xs:sequence>{inner}</xs:sequence></xs:complexType></xs:element>'
        for name, inner in ((operation.name, asked), (f"{operation.name}Response", answered))
    )


def _contract(name: str, members: tuple[Member, ...], *, many: bool = False) -> str:
    inner = "".join(_element(member, many=many) for member in members)
    return (
        f'<xs:complexType name="{name}"><xs:sequence>{inner}</xs:sequence></xs:complexType>'
        f'<xs:element name="{name}" nillable="true" type="tns:{name}"/>'
    )


def _element(member: Member, *, many: bool = False) -> str:
    kind = f"xs:{member.kind}" if member.kind in _SIMPLE else f"tns:{_type_name(member)}"
    nillable = ' nillable="true"' if member.kind != "int" else ""
    bounds = 'minOccurs="0" maxOccurs="unbounded"' if many else 'minOccurs="0"'
    return f'<xs:element {bounds} name="{member.name}"{nillable} type="{kind}"/>'


def _type_name(member: Member) -> str:
    return f"ArrayOf{member.item}" if member.item else member.kind


def _messages(name: str) -> str:
    pairs = ((f"IMas_{name}_InputMessage", name), (f"IMas_{name}_OutputMessage", f"{name}Response"))
    faults = (
        f'<wsdl:message name="IMas_{name}_MasFault"><wsdl:part name="detail" element="tns:MasFault"/></wsdl:message>'
    )
    return (
        "".join(
            f'<wsdl:message name="{message}"><wsdl:part name="parameters" element="tns:{part}"/></wsdl:message>'
            for message, part in pairs
        )
        + faults
    )


def _abstract(name: str) -> str:
    return (
        f'<wsdl:operation name="{name}"><wsdl:input message="tns:IMas_{name}_InputMessage"/>'
        f'<wsdl:output message="tns:IMas_{name}_OutputMessage"/>'
        f'<wsdl:fault name="MasFault" message="tns:IMas_{name}_MasFault"/></wsdl:operation>'
    )


def _bound(name: str) -> str:
    body = '<soap:body use="literal"/>'
    return (
        f'<wsdl:operation name="{name}"><soap:operation soapAction="{NAMESPACE}/IMas/{name}" style="document"/>'
        f"<wsdl:input>{body}</wsdl:input><wsdl:output>{body}</wsdl:output>"
        '<wsdl:fault name="MasFault"><soap:fault name="MasFault" use="literal"/></wsdl:fault></wsdl:operation>'
    )


_COMPANION = (
    f'{_PROLOG}<xs:schema attributeFormDefault="qualified" elementFormDefault="qualified" '
    f'targetNamespace="{SERIALIZATION}" xmlns:xs="http://www.w3.org/2001/XMLSchema">'
    + "".join(
        f'<xs:element name="{name}" nillable="true" type="xs:{name}"/>'
        for name in ("anyType", "boolean", "dateTime", "decimal", "int", "string")
    )
    + "</xs:schema>"
)
