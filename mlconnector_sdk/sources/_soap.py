"""SOAP services through zeep, over the HTTP client that everything else uses.

zeep builds and reads envelopes; time-outs, retries, error translation, counting and silence about secrets are those of
`HttpClient`. zeep is loaded with the first service, not with this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any

import attrs

from .._http import HttpClient, HttpReply
from ..errors import ContractError, MLConnectorError
from ..retry import RetryPolicy
from ._xml import tree_in, without_forbidden

__all__ = ["SoapService", "fault_in", "wsdl_of"]


def fault_in(reply: HttpReply) -> str | None:
    """The text of a SOAP fault, 1.1 or 1.2; `None` where the answer is none.

    Faults come with status 500 (some with 200), which then is no failure of the server: a judge looks for them first,
    so that the retry loop treats what they mean as it treats the same thing from any other API.
    """
    if reply.status not in {200, 400, 500} or b"Fault" not in reply.body[:2000]:
        return None
    try:
        envelope = tree_in(reply.body).get("Envelope")
    except MLConnectorError:
        return None
    body = envelope.get("Body") if isinstance(envelope, dict) else None
    fault = body.get("Fault") if isinstance(body, dict) else None
    if not isinstance(fault, dict):
        return None
    reason = fault.get("Reason")
    text = reason.get("Text") if isinstance(reason, dict) else fault.get("faultstring")
    return text if isinstance(text, str) else ""


class SoapService:
    """One service of a WSDL at one address.

    Args:
        http: sends the envelopes; its judge turns faults into errors (see `fault_in`).
        wsdl: the document itself, or the path below the client's base URL where it is. Whatever else the document
            wants to load is refused.
        binding: the binding's qualified name, `{namespace}name`.
        path: where the service is, below the client's base URL. What the WSDL says of that is often wrong.
    """

    def __init__(self, http: HttpClient, *, wsdl: bytes | str, binding: str, path: str) -> None:
        self._http = http
        self._wsdl = wsdl
        self._binding = binding
        self._path = path
        self._transport: Any = None
        self._service: Any = None

    def call(self, name: str, *, operation: str, retry: RetryPolicy | None = None, **parameters: Any) -> Any:
        """The result of the service's operation `name`; `operation` stands for it in messages.

        Raises:
            ContractError: the answer is no SOAP, or the WSDL does not have the operation.
            TransientError, FatalError: as the client's judge says.
        """
        from zeep.exceptions import Error

        try:
            service = self._opened(retry)
            self._transport.operation, self._transport.retry = operation, retry
            return service[name](**parameters)
        except MLConnectorError:
            raise
        except (Error, AttributeError, TypeError, ValueError) as error:
            # Their texts hold whole envelopes, passwords included.
            raise ContractError(
                f"the SOAP exchange failed ({type(error).__name__})",
                system=self._http.system,
                operation=operation,
                reason="soap",
            ) from None

    def _opened(self, retry: RetryPolicy | None) -> Any:
        if self._service is None:
            import zeep

            document = self._wsdl
            if isinstance(document, str):
                document = self._http.request("GET", document, operation="WSDL", retry=retry).body
            self._transport = _transport_class()(self._http)
            make_settings: Any = zeep.Settings
            settings = make_settings(forbid_dtd=True, forbid_entities=True, forbid_external=True, xml_huge_tree=True)
            make_client: Any = zeep.Client
            client = make_client(BytesIO(document), transport=self._transport, settings=settings)
            self._service = client.create_service(self._binding, self._http.base_url + self._path)
        return self._service


@attrs.define
class _Response:
    """As much of an answer as zeep looks at."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes = attrs.field(repr=False)
    encoding: str = "utf-8"


@cache
def _transport_class() -> type:
    """The transport of zeep with our client in the place of its own."""
    from zeep.transports import Transport

    class HttpTransport(Transport):
        """Sends with an `HttpClient`; loads nothing from anywhere."""

        def __init__(self, http: HttpClient) -> None:
            # The base class would open a session of another HTTP library.
            self._close_session = False
            self.http = http
            self.operation = ""
            self.retry: RetryPolicy | None = None

        def load(self, url: str) -> bytes:
            raise ContractError("the WSDL refers to further documents, which are not loaded", reason="wsdl_import")

        def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> _Response:
            reply = self.http.request(
                "POST", address, operation=self.operation, content=message, headers=headers, retry=self.retry
            )
            media_type = reply.headers.get("content-type", "text/xml")
            return _Response(reply.status, {"Content-Type": media_type}, without_forbidden(reply.body))

    return HttpTransport


def wsdl_of(
    namespace: str, binding: str, operations: Mapping[str, tuple[str, ...]], *, result: str = "Result"
) -> bytes:
    """A minimal description of a document/literal service all of whose parameters and results are texts.

    For services whose own description is often switched off, or names addresses that lead nowhere.

    Args:
        operations: their parameters, in the schema's order.
        result: the results are called `<operation><result>`.
    """
    elements = "".join(
        _element(name, parameters) + _element(f"{name}Response", (f"{name}{result}",))
        for name, parameters in operations.items()
    )
    messages = "".join(
        f'<w:message name="{message}"><w:part name="parameters" element="t:{message}"/></w:message>'
        for name in operations
        for message in (name, f"{name}Response")
    )
    ports = "".join(
        f'<w:operation name="{name}"><w:input message="t:{name}"/><w:output message="t:{name}Response"/></w:operation>'
        for name in operations
    )
    literal = '<s:body use="literal"/>'
    bound = "".join(
        f'<w:operation name="{name}"><s:operation soapAction="{namespace}{name}"/>'
        f"<w:input>{literal}</w:input><w:output>{literal}</w:output></w:operation>"
        for name in operations
    )
    return (
        '<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"'
        f' xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="{namespace}" targetNamespace="{namespace}">'
        f'<w:types><x:schema elementFormDefault="qualified" targetNamespace="{namespace}">{elements}</x:schema>'
        "</w:types>"
        f'{messages}<w:portType name="{binding}">{ports}</w:portType><w:binding name="{binding}" type="t:{binding}">'
        f'<s:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>{bound}</w:binding>'
        "</w:definitions>"
    ).encode()


def _element(name: str, parameters: tuple[str, ...]) -> str:
    inner = "".join(f'<x:element minOccurs="0" name="{one}" type="x:string"/>' for one in parameters)
    return f'<x:element name="{name}"><x:complexType><x:sequence>{inner}</x:sequence></x:complexType></x:element>'
