"""e.net over SOAP: the classic ASMX services of SYSPROWebServices (SYSPRO 6 and 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

from ..._http import HttpClient, HttpReply
from ..._secret import Secret, revealed
from ...errors import ContractError, MLConnectorError
from ...models import StreamName
from ...network import Network
from ...retry import RetryPolicy
from .._soap import SoapService, fault_in, wsdl_of
from . import _enet as enet
from ._tables import SYSTEM
from ._through_enet import ENetTables

__all__ = ["SysproENetSoap"]

_NAMESPACE = "http://www.syspro.com/ns/"
_LOGON = (
    *("Operator", "OperatorPassword", "CompanyId", "CompanyPassword"),
    *("LanguageCode", "LogLevel", "EncoreInstance", "XmlIn"),
)
_SERVICES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "utilities": {"Logon": _LOGON, "Logoff": ("UserId",), "GetLogonProfile": ("UserId",)},
    # Here it is `XMLIn`, with REST and at Logon it is `XmlIn`.
    "query": {"Query": ("UserId", "BusinessObject", "XMLIn")},
}
_LONGEST_QUESTION = 100_000
_PAGE = "utilities.asmx"
_REFUSED_RESULT = re.compile(rb"Result>\s*ERROR[:\s]*([^<]*)", re.IGNORECASE)


@attrs.frozen
class SysproENetSoap:
    """Where and as whom to use e.net's ASMX services. On SYSPRO 8 use `SysproENet`.

    The services are called as their published descriptions say; nothing is loaded from the server for that. The first
    call loads zeep.

    Args:
        base_url: the virtual directory, such as `https://erp.example.com/SYSPROWebServices`.
        operator: an operator of the connector's own. A second logon with it, by a person too, ends our session.
        password, company_password: may be empty, where they are empty in SYSPRO.
        company: the company's id; empty for the operator's default company.
        delta_column, timeout, seat_wait, turn_wait, network: see `SysproENet`.
        instance: which of the server's instances to use, 0 to 9.

    Example:
        >>> url = "https://erp.example.com/SYSPROWebServices"
        >>> SysproENetSoap(url, operator="MAILSYNC", password="secret", company="EDU1")
        SysproENetSoap(base_url='https://erp.example.com/SYSPROWebServices', operator='MAILSYNC', company='EDU1')
    """

    base_url: str
    operator: str = attrs.field(kw_only=True, validator=attrs.validators.min_len(1))
    password: str | Secret = attrs.field(kw_only=True, repr=False)
    company: str = attrs.field(kw_only=True)
    company_password: str | Secret = attrs.field(default="", kw_only=True, repr=False)
    instance: int = attrs.field(
        default=0, kw_only=True, repr=False, validator=[attrs.validators.ge(0), attrs.validators.le(9)]
    )
    delta_column: str | Mapping[StreamName, str] | None = attrs.field(default=None, kw_only=True, repr=False)
    timeout: float = attrs.field(default=300.0, kw_only=True, repr=False, validator=attrs.validators.gt(0))
    network: Network = attrs.field(factory=Network, kw_only=True, repr=False)
    seat_wait: float = attrs.field(default=60.0, kw_only=True, repr=False, validator=attrs.validators.ge(0))
    turn_wait: float = attrs.field(default=300.0, kw_only=True, repr=False, validator=attrs.validators.ge(0))

    def connect(self, retry: RetryPolicy) -> ENetTables:
        """The live connection; nothing is sent yet."""
        return ENetTables(SoapDoor(self, retry), operator=self.operator, turn_wait=self.turn_wait)


class SoapDoor:
    """Calls the two services that reading needs, and says what their faults mean."""

    longest = _LONGEST_QUESTION

    def __init__(self, api: SysproENetSoap, retry: RetryPolicy) -> None:
        self._api = api
        self.http = HttpClient(
            SYSTEM,
            api.base_url,
            judge=self._judged,
            timeout=api.timeout,
            retry=retry,
            headers={"Accept": "text/xml"},
            max_connections=1,
            network=api.network,
        )
        self._services = {name: _service(self.http, name) for name in _SERVICES}

    def __repr__(self) -> str:
        return f"<SoapDoor {self.http.base_url}>"

    def log_on(self, retry: RetryPolicy | None) -> str:
        """A new session's id.

        Raises:
            AuthenticationError: what was sent is wrong.
            RateLimitError: no licence is free.
        """
        api = self._api
        sent = {
            "Operator": api.operator,
            "OperatorPassword": revealed(api.password),
            "CompanyId": api.company,
            "CompanyPassword": revealed(api.company_password),
            "LanguageCode": "AUTO",
            "LogLevel": "ldNoDebug",
            "EncoreInstance": f"EncoreInstance_{api.instance}",
            "XmlIn": "",
        }
        found = enet.session_id(self._call("utilities", enet.LOGON, sent, enet.LOGON, retry))
        if found is None:
            raise ContractError(
                "Logon answers with something that is no session id",
                system=SYSTEM,
                operation=enet.LOGON,
                reason="no_session_id",
            )
        return found

    def log_off(self, session_id: str, retry: RetryPolicy) -> None:
        """Frees the seat at once."""
        self._call("utilities", "Logoff", {"UserId": session_id}, "Logoff", retry)

    def query(
        self, session_id: str, business_object: str, xml: str, operation: str, retry: RetryPolicy | None
    ) -> bytes:
        """A business object's answer."""
        sent = {"UserId": session_id, "BusinessObject": business_object, "XMLIn": xml}
        return self._call("query", "Query", sent, operation, retry)

    def profile(self, session_id: str, retry: RetryPolicy | None) -> bytes:
        """Who is logged on to what."""
        return self._call("utilities", "GetLogonProfile", {"UserId": session_id}, "GetLogonProfile", retry)

    def version(self, retry: RetryPolicy | None) -> HttpReply:
        """The page that a service shows of itself; it needs no session."""
        return self.http.request("GET", "/utilities.asmx", operation=_PAGE, retry=retry)

    def length(self, business_object: str, xml: str) -> int:
        """How long a question is."""
        return len(xml)

    def _call(
        self, service: str, name: str, sent: Mapping[str, str], operation: str, retry: RetryPolicy | None
    ) -> bytes:
        """A result as bytes, whose inner document may say of its encoding what it likes."""
        result = self._services[service].call(name, operation=operation, retry=retry, **sent)
        return str(result or "").encode()

    def _judged(self, reply: HttpReply, operation: str) -> MLConnectorError | None:
        if (text := _refusal_in(reply)) is not None:
            if operation == enet.LOGON:
                return enet.logon_error(text, seat_wait=self._api.seat_wait)
            return enet.query_error(text, operation)
        # A service may refuse to describe itself (405, 500) and work all the same.
        answers = operation == _PAGE and reply.status in {200, 400, 403, 405, 500}
        return None if answers else enet.judged_status(reply)


def _refusal_in(reply: HttpReply) -> str | None:
    """What SYSPRO says in a fault, behind .NET's own words, or in the place of a result."""
    fault = fault_in(reply)
    if fault is not None:
        return fault.rpartition("--->")[2].strip()
    found = _REFUSED_RESULT.search(reply.body[:2000])
    return found[1].decode("utf-8", "replace").strip() if found else None


def _service(http: HttpClient, name: str) -> SoapService:
    namespace, binding = f"{_NAMESPACE}{name}/", f"{name}classSoap"
    description = wsdl_of(namespace, binding, _SERVICES[name])
    return SoapService(http, wsdl=description, binding=f"{{{namespace}}}{binding}", path=f"/{name}.asmx")
