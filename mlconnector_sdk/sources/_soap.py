"""SOAP services through zeep, over the HTTP client that everything else uses.

zeep builds and reads envelopes; time-outs, retries, error translation, counting and silence about secrets are those of
`HttpClient`. zeep is loaded with the first call, not with this module.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs

from .._http import HttpClient, HttpReply
from .._quiet import our_call, silence
from ..errors import ContractError, MLConnectorError
from ..retry import RetryPolicy
from ._xml import Tree, tree_in, without_forbidden

__all__ = ["SoapFault", "SoapService", "fault_in", "fault_of", "plain", "wsdl_of"]

_MOST_DOCUMENTS = 100
_CHATTY = ("zeep.xsd.types.simple", "zeep.xsd.types.any", "zeep.xsd.elements.attribute")
"""They log values that are not of their type, as errors and with a traceback."""
_ADDRESSING = re.compile(rb"<(?:\w+:)?UsingAddressing[\s/>]")


@attrs.frozen(kw_only=True)
class SoapFault:
    """A fault of SOAP 1.1 or 1.2.

    Attributes:
        code: without its prefix; `""` where there is none.
        detail: what the service adds, by local names.
    """

    code: str
    text: str
    detail: Tree = attrs.field(repr=False)


def fault_of(reply: HttpReply) -> SoapFault | None:
    """A SOAP fault, 1.1 or 1.2; `None` where the answer is none.

    Faults come with status 500 (some with 200), which then is no failure of the server: a judge looks for them first,
    so that the retry loop treats what they mean as it treats the same thing from any other API.
    """
    if reply.status not in {200, 400, 500} or b"Fault" not in reply.body[:2000]:
        return None
    try:
        envelope = tree_in(reply.body).get("Envelope")
    except MLConnectorError:
        return None
    fault = _part(_part(envelope, "Body"), "Fault")
    if not isinstance(fault, dict):
        return None
    reason = fault.get("Reason")
    text = _part(reason, "Text") if isinstance(reason, dict) else fault.get("faultstring")
    code = fault.get("faultcode") or _part(fault.get("Code"), "Value")
    detail = fault.get("detail") or fault.get("Detail")
    return SoapFault(
        code=code.rpartition(":")[2].strip() if isinstance(code, str) else "",
        text=text if isinstance(text, str) else "",
        detail=detail if isinstance(detail, dict) else {},
    )


def fault_in(reply: HttpReply) -> str | None:
    """The text of a SOAP fault; `None` where the answer is none."""
    fault = fault_of(reply)
    return None if fault is None else fault.text


def _part(element: Any, name: str) -> Any:
    return element.get(name) if isinstance(element, dict) else None


def plain(value: Any) -> Any:
    """What `SoapService.call` returned, as dicts, lists and values."""
    from zeep import helpers

    as_dicts: Any = helpers.serialize_object
    return as_dicts(value, dict)


class SoapService:
    """One service of a WSDL at one address. Calls may come from several threads.

    Args:
        http: sends the envelopes; its judge turns faults into errors (see `fault_of`).
        wsdl: the document itself, or the path below the client's base URL where it is.
        binding: the binding's qualified name, `{namespace}name`; without one, the first of SOAP 1.1.
        path: where the service is, below the client's base URL. What the WSDL says of that is often wrong.
        documents: a path, ending in `/`, below which the WSDL may refer to further documents. Whatever host it names,
            they are asked of ours. Whatever else it wants to load is refused.
    """

    def __init__(
        self, http: HttpClient, *, wsdl: bytes | str, path: str, binding: str | None = None, documents: str = ""
    ) -> None:
        self._http = http
        self._wsdl = wsdl
        self._binding = binding
        self._path = path
        self._documents = documents
        self._opening = threading.Lock()
        self._transport: Any = None
        self._service: Any = None

    def call(self, name: str, *, operation: str, retry: RetryPolicy | None = None, **parameters: Any) -> Any:
        """The result of the service's operation `name`; `operation` stands for it in messages.

        Raises:
            ContractError: the answer is no SOAP, or the WSDL does not have the operation.
            TransientError, FatalError: as the client's judge says.
        """
        with self._translated(operation, "the SOAP exchange failed"):
            service = self.opened(retry)
            self._transport.says(operation, retry)
            return service[name](**parameters)

    def opened(self, retry: RetryPolicy | None = None) -> Any:
        """The service as zeep knows it; the first call loads the description.

        Raises:
            ContractError: the description cannot be used: `reason` is `"wsdl"`, `"wsdl_import"`, or `"no_soap11"`
                where it describes nothing but SOAP 1.2 or wants WS-Addressing.
        """
        with self._opening:
            if self._service is None:
                with self._translated("WSDL", "the description of the service cannot be used", reason="wsdl"):
                    self._service = self._load(retry)
            return self._service

    def _load(self, retry: RetryPolicy | None) -> Any:
        import zeep

        silence(*_CHATTY)
        transport = self._transport = _transport_class()(self._http, self._wsdl, self._documents)
        transport.says("WSDL", retry)
        make_settings: Any = zeep.Settings
        settings = make_settings(
            forbid_dtd=True,
            forbid_entities=True,
            forbid_external=not self._documents,
            force_https=False,
            xml_huge_tree=True,
        )
        make_client: Any = zeep.Client
        wsdl = BytesIO(self._wsdl) if isinstance(self._wsdl, bytes) else self._http.base_url + self._wsdl
        client = make_client(wsdl, transport=transport, settings=settings)
        binding = self._binding or _basic_binding(client, addressing=transport.addressing)
        return client.create_service(binding, self._http.base_url + self._path)

    @contextmanager
    def _translated(self, operation: str, what: str, *, reason: str = "soap") -> Iterator[None]:
        from zeep.exceptions import Error

        try:
            with our_call():
                yield
        except MLConnectorError:
            raise
        except (
            Error,
            ArithmeticError,
            AttributeError,
            LookupError,
            NotImplementedError,
            TypeError,
            ValueError,
        ) as error:
            # Their texts hold whole envelopes, passwords included.
            raise ContractError(
                f"{what} ({type(error).__name__})", system=self._http.system, operation=operation, reason=reason
            ) from None


def _basic_binding(client: Any, *, addressing: bool) -> Any:
    """The name of the first binding of SOAP 1.1, made free of WS-Addressing, which it does not speak."""
    from zeep.wsdl.bindings.soap import Soap11Binding

    basic = [binding for binding in client.wsdl.bindings.values() if isinstance(binding, Soap11Binding)]
    ports = [port.binding for service in client.wsdl.services.values() for port in service.ports.values()]
    offered = [binding for binding in ports if isinstance(binding, Soap11Binding)] or basic
    if not offered or addressing:
        raise ContractError("the WSDL describes no plain SOAP 1.1", operation="WSDL", reason="no_soap11")
    chosen: Any = offered[0]
    for operation in chosen.all().values():
        # Descriptions name actions in any case, and zeep would then send headers of WS-Addressing.
        operation.abstract.wsa_action = None
    return chosen.name


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
        """Sends with an `HttpClient`, and loads documents with it from where the service is."""

        def __init__(self, http: HttpClient, wsdl: bytes | str, documents: str) -> None:
            # The base class would open a session of another HTTP library.
            self._close_session = False
            self.http = http
            self.addressing = False
            self._first = None if isinstance(wsdl, bytes) else http.base_url + wsdl
            self._documents = documents
            self._loaded = 0
            self._said = threading.local()

        def says(self, operation: str, retry: RetryPolicy | None) -> None:
            """What this thread sends next is called so in messages, and repeated so."""
            self._said.operation, self._said.retry = operation, retry

        def load(self, url: str) -> bytes:
            self._loaded += 1
            path = _place_of(url, self._first, self._documents)
            if path is None or self._loaded > _MOST_DOCUMENTS:
                raise ContractError(
                    f"the WSDL refers to {_shown(url)}, which is not loaded",
                    system=self.http.system,
                    operation="WSDL",
                    reason="wsdl_import",
                )
            where = self.http.base_url + path if path else url
            reply = self.http.request(
                "GET", where, operation=f"GET {_shown(where)}", retry=self._said.retry, headers={"Accept": "*/*"}
            )
            self.addressing = self.addressing or _ADDRESSING.search(reply.body) is not None
            return reply.body

        def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> _Response:
            reply = self.http.request(
                "POST",
                address,
                operation=self._said.operation,
                content=message,
                headers=headers,
                retry=self._said.retry,
            )
            media_type = reply.headers.get("content-type", "text/xml")
            return _Response(reply.status, {"Content-Type": media_type}, without_forbidden(reply.body))

    return HttpTransport


def _place_of(url: str, first: str | None, documents: str) -> str | None:
    """Where to ask for a document: `""` for as it is given, a path on our host, or `None` for not at all."""
    if url == first:
        return ""
    parts = urlsplit(url)
    below = bool(documents) and parts.path.startswith(documents) and ".." not in unquote(parts.path).split("/")
    if parts.scheme not in {"http", "https"} or not below:
        return None
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _shown(url: str) -> str:
    """An address as it may be told, without a user name."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()[:200]


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
