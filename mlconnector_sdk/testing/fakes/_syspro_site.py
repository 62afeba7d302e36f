"""The HTTP side of `FakeSyspro`: which address leads to which of the three services."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ._server import FakeServer, Reply, Request
from ._syspro_data import Database
from ._syspro_enet import Enet, EnetSetup
from ._syspro_odata import ODataDoor, ODataSetup
from ._syspro_pages import html_page
from ._syspro_rest import Encoding, RestDoor
from ._syspro_sessions import Account, Sessions
from ._syspro_soap import SoapDoor
from ._syspro_text import JsonStyle

__all__ = ["SysproSite"]

_REST = "/SYSPROWCFService/Rest"
_SOAP = "/SYSPROWebServices"
_ODATA = "/SYSPRO8Odata/SYSPROOData"


class SysproSite(FakeServer):
    """One company's database behind three doors, which share data but not their ways."""

    def __init__(
        self,
        account: Account,
        *,
        odata_login: tuple[str, str],
        licences: int,
        session_timeout: timedelta,
        clock: Callable[[], datetime],
        latency: float,
        zone: str,
    ) -> None:
        super().__init__(latency=latency)
        self.clock = clock
        style = JsonStyle(zone)
        self._base = Database(lambda: clock().astimezone(style.zone).replace(microsecond=0))
        self._sessions = Sessions(account, licences=licences, timeout=session_timeout, now=clock)
        self._odata_login = odata_login
        self.enet = EnetSetup()
        self.odata = ODataSetup(style=style)
        enet = Enet(self._base, self._sessions, self.enet)
        self._rest = RestDoor(enet)
        self._odata = ODataDoor(self._base, self.odata, self._is_operator)
        self.soap = SoapDoor(enet)
        """How SOAP answers: see `errors_as_results`."""

    def present(self) -> datetime:
        return self.clock().astimezone(UTC)

    @property
    def encoding(self) -> Encoding:
        """Bytes of REST documents, and what their prolog says of them."""
        return self._rest.encoding

    @property
    def enet_url(self) -> str:
        """The root of e.net REST."""
        return f"{self.url}{_REST}"

    @property
    def soap_url(self) -> str:
        """The folder of the ASMX services."""
        return f"{self.url}{_SOAP}"

    @property
    def odata_root(self) -> str:
        """The OData service's address, company included."""
        return f"{self.url}{_ODATA}/{self._sessions.account.company}"

    def handle(self, request: Request) -> Reply:
        path = request.path
        if rest := _below(path, _REST):
            return self._rest.handle(request, rest)
        if file := _below(path, _SOAP):
            return self.soap.handle(request, file, f"{self.soap_url}/{file}")
        inside = _below(path, _ODATA)
        company, _, name = (inside or "").partition("/")
        if company == self._sessions.account.company:
            return self._odata.handle(request, name, self.odata_root)
        return html_page(404, "File or directory not found.")

    def _is_operator(self, name: str, password: str) -> bool:
        return not self._sessions.locked and (name, password) == self._odata_login


def _below(path: str, root: str) -> str | None:
    """What follows a root, which does not mind case."""
    return path[len(root) + 1 :] if path.lower().startswith(f"{root.lower()}/") else None
