"""e.net over REST: every call is a GET with everything in its query string, the passwords included.

Therefore nothing of an address is ever shown: not in a log, not in an error, not in a repr.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

import attrs

from ..._http import HttpClient, HttpReply
from ..._secret import Secret, revealed
from ...errors import ContractError, MLConnectorError, UnavailableError
from ...models import StreamName
from ...network import Network
from ...retry import RetryPolicy
from . import _enet as enet
from ._tables import SYSTEM
from ._through_enet import ENetTables

__all__ = ["SysproENet"]

_PATH = "/SYSPROWCFService/Rest"
_LONGEST_LINE = 12_000
"""The server's own limit is about 16 KB for the whole request line."""


def _without_rest_path(url: str) -> str:
    """Host and port, also where the address was given with the service's path."""
    plain = url.rstrip("/")
    return plain[: -len(_PATH)] if plain.lower().endswith(_PATH.lower()) else plain


@attrs.frozen
class SysproENet:
    """Where and as whom to use e.net's REST service (SYSPRO 7 and 8).

    Logon sends the passwords in the query string, because the service takes them nowhere else: use https or a private
    network, and know that proxies and web servers on the way may log addresses.

    Args:
        base_url: host and port, such as `http://erp.example.com:31002`; there is no usual port.
        operator: an operator of the connector's own. A second logon with it, by a person too, ends our session.
        password, company_password: may be empty, where they are empty in SYSPRO.
        company: the company's id; empty for the operator's default company.
        delta_column: a date column or counter of a table that says when a row was changed, for `customers`, or by
            stream: `{"orders": "InvoiceDate"}`. Without one each read is a full scan.
        timeout: seconds to wait for an answer. Scans of big tables take minutes.
        seat_wait: seconds to wait when no licence is free.
        turn_wait: seconds to wait for another reader of this process that uses the same operator.
        network: whom to trust, and how much of an answer is read.

    Example:
        >>> SysproENet("http://erp.example.com:31002", operator="MAILSYNC", password="secret", company="EDU1")
        SysproENet(base_url='http://erp.example.com:31002', operator='MAILSYNC', company='EDU1')
    """

    base_url: str = attrs.field(converter=_without_rest_path)
    operator: str = attrs.field(kw_only=True, validator=attrs.validators.min_len(1))
    password: str | Secret = attrs.field(kw_only=True, repr=False)
    company: str = attrs.field(kw_only=True)
    company_password: str | Secret = attrs.field(default="", kw_only=True, repr=False)
    delta_column: str | Mapping[StreamName, str] | None = attrs.field(default=None, kw_only=True, repr=False)
    timeout: float = attrs.field(default=300.0, kw_only=True, repr=False, validator=attrs.validators.gt(0))
    network: Network = attrs.field(factory=Network, kw_only=True, repr=False)
    seat_wait: float = attrs.field(default=60.0, kw_only=True, repr=False, validator=attrs.validators.ge(0))
    turn_wait: float = attrs.field(default=300.0, kw_only=True, repr=False, validator=attrs.validators.ge(0))

    def connect(self, retry: RetryPolicy) -> ENetTables:
        """The live connection; nothing is sent yet."""
        door = RestDoor(self, retry)
        return ENetTables(door, operator=self.operator, turn_wait=self.turn_wait)


class RestDoor:
    """Builds the calls and judges the answers."""

    longest = _LONGEST_LINE

    def __init__(self, api: SysproENet, retry: RetryPolicy) -> None:
        self._api = api
        self.http = HttpClient(
            SYSTEM,
            api.base_url + _PATH,
            judge=self._judged,
            timeout=api.timeout,
            retry=retry,
            headers={"Accept": "*/*"},
            max_connections=1,
            network=api.network,
        )

    def __repr__(self) -> str:
        return f"<RestDoor {self._api.base_url}>"

    def log_on(self, retry: RetryPolicy | None) -> str:
        """A new session's id. All four parameters are sent, because blank ones are taken and missing ones may not be.

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
        }
        found = enet.session_id(self._get("/Logon", sent, enet.LOGON, retry).body)
        if found is None:
            raise ContractError(
                "Logon answers with something that is no session id: is this e.net's address?", reason="no_session_id"
            )
        return found

    def log_off(self, session_id: str, retry: RetryPolicy) -> None:
        """Frees the seat at once."""
        self._get("/Logoff", {"UserId": session_id}, "Logoff", retry)

    def query(
        self, session_id: str, business_object: str, xml: str, operation: str, retry: RetryPolicy | None
    ) -> bytes:
        """A business object's answer."""
        sent = {"UserId": session_id, "BusinessObject": business_object, "XmlIn": xml}
        return self._get("/Query/Query", sent, operation, retry).body

    def profile(self, session_id: str, retry: RetryPolicy | None) -> bytes:
        """Who is logged on to what."""
        return self._get("/GetLogonProfile", {"UserId": session_id}, "GetLogonProfile", retry).body

    def version(self, retry: RetryPolicy | None) -> HttpReply:
        """What answers without a session: the service's version, and the server's clock in its headers."""
        return self._get("/GetVersion", {}, "GetVersion", retry)

    def length(self, business_object: str, xml: str) -> int:
        """How long a question is in the request line."""
        return len(quote(xml, safe="")) + len(business_object) + 200

    def _get(self, path: str, sent: Mapping[str, str], operation: str, retry: RetryPolicy | None) -> HttpReply:
        text = urlencode(sent, quote_via=quote)
        return self.http.request("GET", f"{path}?{text}" if text else path, operation=operation, retry=retry)

    def _judged(self, reply: HttpReply, operation: str) -> MLConnectorError | None:
        if error := enet.judged_status(reply):
            return error
        text = enet.error_text(reply.body)
        if text is None:
            return None if reply.body.strip() else UnavailableError("the answer is empty", reason="empty_answer")
        if operation == enet.LOGON:
            return enet.logon_error(text, seat_wait=self._api.seat_wait)
        return enet.query_error(text, operation)
