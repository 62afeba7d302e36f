"""The web service's door: its address, its description, and calls that are answered with records or faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from ._sage100_contracts import CONTRACTS, OPERATIONS
from ._sage100_messages import MasFault, read_call, written, written_fault
from ._sage100_services import Caller, Records, ServiceSetup
from ._sage100_site import Sage100Site
from ._sage100_trade import LINES_OF, ORDER, Trade
from ._sage100_wsdl import ACTIONS, schema_document, wsdl_document
from ._server import Reply, Request
from ._syspro_pages import html_page

__all__ = ["SERVICE", "SoapDoor", "fault_reply"]

SERVICE = "/eBusinessWebServices/MasBasicWsdl.svc"
"""Path of the entry point."""

_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "Server": "Microsoft-IIS/10.0", "X-Powered-By": "ASP.NET"}
_ADDRESSING = "http://schemas.microsoft.com/ws/2005/05/addressing/none"
_UNEXPECTED = "An exception occurred."
_NO_DIAGNOSTICS = "'AllowRemoteDiagnostics' must be set to 'True' to access this method remotely."
_FROM_CUSTOMER = {
    "BillToName": "CustomerName",
    "BillToAddress1": "AddressLine1",
    "BillToAddress2": "AddressLine2",
    "BillToAddress3": "AddressLine3",
    "BillToCity": "City",
    "BillToState": "State",
    "BillToZipCode": "ZipCode",
    "BillToCountryCode": "CountryCode",
    "EmailAddress": "EmailAddress",
    "SalespersonDivisionNo": "SalespersonDivisionNo",
    "SalespersonNo": "SalespersonNo",
    "TermsCode": "TermsCode",
}


def fault_reply(text: str = _UNEXPECTED, code: str = "Internal", *, detailed: bool = False) -> Reply:
    """A fault as the service answers it: HTTP 500 with the text, and in the detail code and text where wished."""
    return Reply(500, written_fault(MasFault(code, text, text, detailed=detailed)), _HEADERS)


class SoapDoor:
    """`MasBasicWsdl.svc`: SOAP 1.1 for one installation."""

    def __init__(self, site: Sage100Site, setup: ServiceSetup) -> None:
        self._site = site
        self._setup = setup

    def handle(self, request: Request, root: str) -> Reply:
        """The answer to a request for the entry point; `root` is scheme and host as the caller sees them."""
        if request.method == "GET":
            return self._describe(request, f"{self._setup.internal_host or root}{SERVICE}")
        if request.method != "POST":
            return html_page(405, "Method not allowed.")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/xml":
            return Reply(415, b"", {"Server": _HEADERS["Server"]})
        try:
            return Reply(200, self._answer(request), _HEADERS)
        except MasFault as fault:
            return Reply(500, written_fault(fault), _HEADERS)
        except (ValueError, InvalidOperation, KeyError):
            # Whatever goes wrong inside is told in the server's event log alone.
            return fault_reply()

    def _describe(self, request: Request, url: str) -> Reply:
        query = urlsplit(request.raw_path).query
        if query.lower() == "wsdl":
            return Reply(200, wsdl_document(url).encode(), _HEADERS)
        name, _, wanted = query.partition("=")
        schema = schema_document(wanted) if name.lower() == "xsd" else None
        if schema is not None:
            return Reply(200, schema.encode(), _HEADERS)
        return html_page(400 if query else 200, "Bad Request" if query else "Mas Service")

    def _answer(self, request: Request) -> bytes:
        action = request.headers.get("soapaction", "").strip('"')
        name = ACTIONS.get(action)
        if name is None:
            text = (
                f"The message with Action '{action}' cannot be processed at the receiver, due to a ContractFilter "
                "mismatch at the EndpointDispatcher."
            )
            raise MasFault("ActionNotSupported", text, space=_ADDRESSING)
        operation = OPERATIONS[name]
        sent = read_call(request.body, operation)
        if operation.parameters:
            return written(operation, self._serve(name, sent))
        return written(operation, self._without_logon(name))

    def _without_logon(self, name: str) -> Mapping[str, Any]:
        setup = self._setup
        if name == "GetDiagnosticInformation":
            if not setup.allow_remote_diagnostics:
                raise MasFault("Internal", _NO_DIAGNOSTICS)
            return {}
        return {
            "AssemblyVersion": "5.0.0.0",
            "ContractVersion": setup.contract_version,
            "NullDateTime": setup.null_date_time,
        }

    def _serve(self, name: str, sent: Mapping[str, Any]) -> Any:
        caller = Caller.of(self._site, self._setup, sent)
        verb, contract, right = _read_name(name)
        caller.need(contract, right)
        desk = _OrderDesk if contract == "SalesOrder" else _Desk
        handler: Callable[[Mapping[str, Any]], Any] = getattr(desk(self._setup, caller, contract), verb)
        return handler(sent)


def _read_name(name: str) -> tuple[str, str, str]:
    """The desk's method for an operation, the contract it is about, and the right it takes."""
    verb, right = next((verb, right) for verb, right in _VERBS.items() if name.startswith(verb))
    rest = name.removeprefix(verb)
    contract = next(one for one in sorted(CONTRACTS, key=len, reverse=True) if rest.startswith(one))
    method = "template" if rest.endswith("Template") else "next_number" if verb == "GetNext" else verb.lower()
    return method, contract, right


_VERBS = {"GetNext": "Create", "Get": "View", "Preview": "Create", "Create": "Create", "Update": "Modify",
          "Delete": "Remove"}  # fmt: skip
_TABLES = {"Customer": "AR_Customer", "SalesOrder": ORDER}


class _Desk:
    """The operations on customers and contacts, whose names are those of the methods."""

    def __init__(self, setup: ServiceSetup, caller: Caller, contract: str) -> None:
        self._setup = setup
        self._caller = caller
        self._contract = contract
        self._records = Records(setup, caller)

    def _key(self, sent: Mapping[str, Any]) -> tuple[str, ...]:
        """The key among the parameters, which are those behind logon and company."""
        return tuple(str(part or "") for part in list(sent.values())[2:])

    def _sent(self, sent: Mapping[str, Any]) -> Mapping[str, Any]:
        """The object among the parameters."""
        found: Mapping[str, Any] | None = list(sent.values())[2]
        if found is None:
            raise MasFault("Internal", _UNEXPECTED)
        return found

    def get(self, sent: Mapping[str, Any]) -> Any:
        return self._records.shown(self._contract, self._records.find(self._contract, self._key(sent)))

    def next_number(self, sent: Mapping[str, Any]) -> str:
        number = self._caller.company.next_number(_TABLES[self._contract])
        self._setup.numbers_used.append(number)
        return number

    def create(self, sent: Mapping[str, Any]) -> None:
        wanted = self._sent(sent)
        if self._contract == "CustomerContact":
            self._records.find("Customer", self._records.key_of("Customer", wanted))
        self._records.create(self._contract, wanted)

    def update(self, sent: Mapping[str, Any]) -> None:
        self._records.update(self._contract, self._sent(sent))

    def delete(self, sent: Mapping[str, Any]) -> None:
        self._records.delete(self._contract, self._key(sent))


class _OrderDesk(_Desk):
    """The operations on sales orders: open ones alone, with their lines."""

    @property
    def _trade(self) -> Trade:
        return Trade(self._caller.company)

    def get(self, sent: Mapping[str, Any]) -> Any:
        (number,) = self._key(sent)
        return self._shown(number)

    def _shown(self, number: str) -> dict[str, Any]:
        values = self._records.shown(self._contract, self._records.find(self._contract, (number,)))
        lines = [self._records.shown("SalesOrderLine", line) for line in self._trade.lines(ORDER, number)]
        return {**values, "Lines": lines, "Payments": []}

    def template(self, sent: Mapping[str, Any]) -> Any:
        division, customer = self._key(sent)
        defaults = self._defaults((division, customer))
        shown = {"ARDivisionNo": division, "CustomerNo": customer, "OrderType": "S", "OrderStatus": "N", **defaults}
        return {**shown, "Lines": [], "Payments": []}

    def _defaults(self, customer: tuple[str, ...]) -> dict[str, Any]:
        row = self._caller.company.tables["AR_Customer"].get(customer)
        if row is None:
            text = "The Customer No is not on file."
            raise MasFault("CI_NOF", f"Could not set SO_SalesOrder_bus column CustomerNo$: {text}", text, detailed=True)
        return {target: row[column] for target, column in _FROM_CUSTOMER.items()}

    def preview(self, sent: Mapping[str, Any]) -> Any:
        wanted = self._sent(sent)
        self._defaults(self._customer_of(wanted))
        lines = [dict(line) for line in self._lines(wanted)]
        given = {name: value for name, value in wanted.items() if value is not None}
        return {**given, **self._trade.totals(lines), "Lines": lines, "Payments": []}

    def _customer_of(self, wanted: Mapping[str, Any]) -> tuple[str, ...]:
        return str(wanted["ARDivisionNo"] or ""), str(wanted["CustomerNo"] or "")

    def _lines(self, wanted: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        columns = self._caller.company.tables[LINES_OF[ORDER]].columns
        items = self._caller.company.tables["CI_Item"]
        for line in wanted["Lines"] or ():
            values = {name: value for name, value in line.items() if value is not None and name in columns}
            item = items.get((str(values.get("ItemCode", "")),))
            if item is None:
                text = "The Item Code is not on file."
                where = f"Could not set SO_SalesOrderDetail_bus column ItemCode$: {text}"
                raise MasFault("CI_NOF", where, text, detailed=True)
            named = {"ItemCodeDesc": item["ItemCodeDesc"], "ItemType": item["ItemType"]}
            yield self._trade.line_values(
                {**named, "QuantityOrdered": Decimal(1), "UnitPrice": item["StandardUnitPrice"], **values}
            )

    def create(self, sent: Mapping[str, Any]) -> None:
        wanted = self._sent(sent)
        defaults = self._defaults(self._customer_of(wanted))
        lines = list(self._lines(wanted))
        filled = {"OrderDate": self._caller.company.now(), "OrderType": "S", "OrderStatus": "N"}
        (number,) = self._records.create(self._contract, wanted)
        row = self._trade.table(ORDER).rows[number,]
        missing = {name: value for name, value in {**defaults, **filled}.items() if not row[name]}
        self._trade.put_order(number, missing, lines, user=self._caller.user.key)

    def update(self, sent: Mapping[str, Any]) -> None:
        wanted, orders = self._sent(sent), self._trade.table(ORDER)
        number = str(wanted["SalesOrderNo"] or "")
        kept = self._trade.lines(ORDER, number)
        if wanted["Lines"] is not None and [line["LineKey"] for line in wanted["Lines"]] != [
            line["LineKey"] for line in kept
        ]:
            # How lines are added and removed by an update is not established.
            raise MasFault("Internal", _UNEXPECTED)
        before = orders.changes
        self._records.update(self._contract, wanted)
        if orders.changes != before:
            self._trade.save_order(number, self._caller.user.key)

    def delete(self, sent: Mapping[str, Any]) -> None:
        (number,) = self._key(sent)
        self._records.find(self._contract, (number,))
        self._records.need_free(self._contract, (number,))
        self._trade.end_order(number, "X", self._caller.user.key)
