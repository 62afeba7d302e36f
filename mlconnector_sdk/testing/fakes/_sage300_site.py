"""The HTTP side of a fake Sage 300: addresses, query options, pages, single entries, and the answers to misuse."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import attrs

from ._sage300_access import Account
from ._sage300_data import Records, folded_key
from ._sage300_errors import CODES, BadQuery, Refusal, error_body, http_page, library_body
from ._sage300_filter import compile_filter
from ._sage300_metadata import metadata_document, namespace_of
from ._sage300_rows import Manner, Rendering, as_json
from ._sage300_schema import Column, Model, Resource, release_of
from ._sage300_tables import RESOURCES, TABLES
from ._server import FakeServer, Reply, Request

__all__ = ["Sage300Site"]

_APPLICATION = "Sage300WebApi"
_LIST_OPTIONS = frozenset({"$filter", "$select", "$top", "$skip", "$count"})
_QUERY_LIMIT = 2048
_REFUSED_BY_IIS = frozenset('%&*:<>?"')
_ENTRY = re.compile(r"(?P<name>\w+)(?:\((?P<key>.*)\))?", re.DOTALL)
_KEY_PART = re.compile(r"(?:(?P<name>[A-Za-z]\w*)=)?(?:'(?P<text>(?:[^']|'')*)'|(?P<number>\d+))(?:,|$)")
_LANDING = (
    "<!DOCTYPE html>\n<html><head><title>Sage 300 Web API</title></head><body><h1>Sage 300 Web API</h1></body></html>"
)


@attrs.frozen
class _Query:
    """The options of one list request, each at most once."""

    options: Mapping[str, str]

    def number(self, name: str) -> int | None:
        text = self.options.get(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit()):
            raise BadQuery(f"Invalid value '{text}' for {name} query option found: it takes a whole number.")
        return int(text)

    @property
    def wants_count(self) -> bool:
        text = self.options.get("$count", "false")
        if text not in {"true", "false"}:
            raise BadQuery(f"Invalid value '{text}' for $count query option found. Valid values are 'true', 'false'.")
        return text == "true"


class Sage300Site(FakeServer):
    """One Web API with one company behind it; `FakeSage300` adds records and troubles.

    Attributes:
        page_cap: rows in a page at the most, whatever `$top` asks for (`PageSize` of the Web.config).
        believed_host: scheme and host the server takes for its own; it stands in contexts and next links.
        link_keeps_query: next links repeat the request's other options; the recorded ones name `$skip` alone.
        link_after_top: a next link also follows a page that has all rows `$top` asked for.
        count_form: how `$count` is answered: `"number"`, `"text"`, or `None` for not at all.
        library_errors: bad queries get the OData library's form; otherwise the vendor's `InvalidParameters`.
        error_content_type: media type of JSON errors; some servers say `text/plain`.
        needs_content_type: a request without `Content-Type: application/json` is answered with 500.
        iis_basic: Basic authentication is switched on in IIS, which then answers every request itself.
        allow_admin: the Web.config lets `ADMIN` use the API; by the vendor's default it does not.
        concurrent: requests at the same time; more are `TooManyRequests`.
        unknown_company: code of the answer to a company that is not there.
        filter_node_limit: how many nodes a `$filter` may have (a comparison counts as three); `None` is without end.
        manner: padding and the look of dates.
        cookies_given: sessions begun, one for each request that brought no cookie.
    """

    def __init__(
        self,
        account: Account,
        *,
        company: str,
        tenant: str,
        version: str,
        zone: ZoneInfo,
        clock: Callable[[], datetime],
        latency: float,
    ) -> None:
        super().__init__(latency=latency)
        if not re.fullmatch(r"[A-Z0-9]{1,6}", company):
            raise ValueError("company is the Org ID: 1 to 6 capital letters and digits")
        self.company = company
        self.tenant = tenant
        self.version = version
        self.zone = zone
        self.clock = clock
        self.session_date: date | None = None
        self.page_cap = 100
        self.believed_host = "http://localhost"
        self.link_keeps_query = False
        self.link_after_top = True
        self.count_form: str | None = "number"
        self.library_errors = True
        self.error_content_type = "application/json; charset=utf-8"
        self.needs_content_type = True
        self.iis_basic = False
        self.allow_admin = True
        self.concurrent = 2
        self.unknown_company = "SessionError"
        self.filter_node_limit: int | None = None
        self.manner = Manner()
        self.cookies_given = 0
        self.forbidden: set[str] = set()
        self.dropped: dict[str, str] = {}
        self._account = account
        self._model = Model(TABLES, RESOURCES, release_of(version))
        self._records = Records(self._model, self._today)

    def present(self) -> datetime:
        return self.clock().astimezone(UTC)

    def _today(self) -> date:
        """The date a record gets as its stamp: the session date if one was chosen, else the site's calendar day."""
        return self.session_date or self.clock().astimezone(self.zone).date()

    @property
    def base_url(self) -> str:
        """The root of the IIS application, without version, tenant and company; no slash at the end."""
        return f"{self.url}/{_APPLICATION}"

    @property
    def company_url(self) -> str:
        """The root of the company's modules; no slash at the end."""
        return f"{self.base_url}/v1.0/{self.tenant}/{self.company}"

    @property
    def resources(self) -> frozenset[str]:
        """The resources this release has."""
        return frozenset(self._model.resources)

    # -- from request to answer ---------------------------------------------------------------------------------

    def handle(self, request: Request) -> Reply:
        try:
            return self._route(request)
        except Refusal as refusal:
            reply = refusal.page or self._error(refusal.code, refusal.text)
            if reply.status == 401:
                return attrs.evolve(reply, headers={**reply.headers, "WWW-Authenticate": "Basic"})
            return reply
        except BadQuery as bad:
            return (
                self._json_error(400, library_body(str(bad)))
                if self.library_errors
                else self._error("InvalidParameters", str(bad))
            )

    def _error(self, code: str, text: str | None = None) -> Reply:
        return self._json_error(CODES[code][0], error_body(code, text))

    def _json_error(self, status: int, body: Any) -> Reply:
        return Reply(status, as_json(body, Manner()), {"Content-Type": self.error_content_type})

    def _route(self, request: Request) -> Reply:
        inside = request.path.removeprefix(f"/{_APPLICATION}")
        if len(urlsplit(request.raw_path).query) > _QUERY_LIMIT or inside == request.path:
            return http_page(404)
        if _REFUSED_BY_IIS & set(inside):
            return http_page(400)
        if inside in {"", "/"} and request.method == "GET":
            return Reply(200, _LANDING)
        parts = inside.removeprefix("/").split("/")
        # Before the first update of 2017 the address had no version, and modules no prefix.
        if len(parts) != 5 or parts[0] != "v1.0" or self._model.release < (2017, 1):
            return http_page(404)
        if request.in_flight > self.concurrent:
            raise Refusal("TooManyRequests")
        self._admit(request)
        reply = self._in_company(request, *parts[1:])
        cookie = "" if "asp.net_sessionid" in request.headers.get("cookie", "").lower() else self._new_session()
        return attrs.evolve(reply, cookies=(cookie,)) if cookie else reply

    def _admit(self, request: Request) -> None:
        self._account.admit(request, iis_basic=self.iis_basic)
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self.needs_content_type and media != "application/json":
            raise Refusal("InternalServerError")
        if self._account.username == "ADMIN" and not self.allow_admin:
            raise Refusal("Forbidden")

    def _new_session(self) -> str:
        self.cookies_given += 1
        return f"ASP.NET_SessionId=sage{self.cookies_given:08d}; path=/; HttpOnly"

    def _in_company(self, request: Request, tenant: str, company: str, module: str, last: str) -> Reply:
        if tenant != self.tenant:
            raise Refusal("ResourceNotFound")
        if company != self.company:
            raise Refusal(self.unknown_company)
        found = [one for one in self._model.resources.values() if one.module == module]
        if not found:
            raise Refusal("ResourceNotFound")
        self._check_standing(module)
        if last == "$metadata":
            return self._metadata(request, module, found)
        match = _ENTRY.fullmatch(last)
        resource = self._model.resources.get(match["name"]) if match else None
        if match is None or resource is None or resource.module != module:
            raise Refusal("ResourceNotFound")
        self._check_standing(resource.name)
        self._check_method(request, resource)
        if match["key"] is None:
            return self._list(request, resource)
        return self._entry(request, resource, match["key"])

    def _check_standing(self, place: str) -> None:
        """Whether a module or resource is there, and open to the user."""
        if place in self.dropped:
            raise Refusal(self.dropped[place])
        if place in self.forbidden:
            raise Refusal("Forbidden")

    def _check_method(self, request: Request, resource: Resource) -> None:
        if request.method == "GET":
            return
        # This user's security group may view; what can be written at all still answers by the resource.
        raise Refusal("Forbidden" if request.method in resource.writes else "MethodNotAllowed")

    def _metadata(self, request: Request, module: str, found: list[Resource]) -> Reply:
        if request.method != "GET":
            raise Refusal("MethodNotAllowed")
        if request.query:
            raise Refusal("InvalidParameters")
        shown = [one for one in found if one.name not in self.dropped]
        return Reply(200, metadata_document(self._model, module, shown), {"Content-Type": "application/xml"})

    # -- reading ------------------------------------------------------------------------------------------------

    def _query(self, request: Request, known: frozenset[str]) -> _Query:
        pairs = parse_qsl(urlsplit(request.raw_path).query, keep_blank_values=True)
        names = [name for name, _ in pairs]
        if not set(names) <= known or len(set(names)) != len(names):
            raise Refusal("InvalidParameters")
        return _Query(dict(pairs))

    def _selected(self, resource: Resource, query: _Query) -> tuple[dict[str, Column], str]:
        """Columns to show, and how the context names the selection."""
        columns = self._model.columns_of(resource.name)
        if "$select" not in query.options:
            return columns, ""
        names = query.options["$select"].split(",")
        for name in names:
            if name not in columns:
                raise BadQuery(f"Could not find a property named '{name}' on type '{self._type_name(resource)}'.")
        return {name: columns[name] for name in names}, f"({','.join(names)})"

    def _type_name(self, resource: Resource) -> str:
        return f"{namespace_of(resource.module)}.{resource.table}"

    def _list(self, request: Request, resource: Resource) -> Reply:
        query = self._query(request, _LIST_OPTIONS)
        columns, selection = self._selected(resource, query)
        rows = self._matching(resource, query.options.get("$filter"))
        skip, top = query.number("$skip") or 0, query.number("$top")
        size = self.page_cap if top is None else min(top, self.page_cap)
        page = rows[skip : skip + size]
        answer: dict[str, Any] = {"@odata.context": self._context(resource, selection)}
        if query.wants_count and self.count_form is not None:
            answer["@odata.count"] = str(len(rows)) if self.count_form == "text" else len(rows)
        render = Rendering(self._model, self.manner).of(columns)
        answer["value"] = [render(row) for row in page]
        done = skip + len(page)
        if page and done < len(rows) and (self.link_after_top or top is None or top > size):
            answer["@odata.nextLink"] = self._next_link(request, resource, done)
        return self._json(answer)

    def _matching(self, resource: Resource, text: str | None) -> list[Any]:
        """Rows a filter selects, in key order; worked out once until a record changes."""
        rows = self._records.in_key_order(resource.name)
        if text is None:
            return rows
        test = compile_filter(
            text,
            self._model.columns_of(resource.name),
            self._type_name(resource),
            node_limit=self.filter_node_limit,
        )
        found: list[Any] = self._records.cached((resource.name, text), lambda: [row for row in rows if test(row)])
        return found

    def _entry(self, request: Request, resource: Resource, text: str) -> Reply:
        query = self._query(request, frozenset({"$select"}))
        columns, selection = self._selected(resource, query)
        row = self._records.by_key(resource.name).get(folded_key(self._key(resource, text)))
        if row is None:
            raise Refusal("RecordNotFound")
        context = self._context(resource, f"{selection}/$entity")
        return self._json({"@odata.context": context, **Rendering(self._model, self.manner).of(columns)(row)})

    def _key(self, resource: Resource, text: str) -> tuple[Any, ...]:
        """The values between the brackets: `'1200'`, `1793`, or each with its name."""
        parts: list[tuple[str | None, Any]] = []
        position = 0
        while position < len(text) or not parts:
            match = _KEY_PART.match(text, position)
            if match is None:
                raise Refusal("InvalidEntityKey")
            plain = match["text"]
            parts.append((match["name"], int(match["number"]) if plain is None else plain.replace("''", "'")))
            position = match.end()
        if text.endswith(","):
            raise Refusal("InvalidEntityKey")
        if len(parts) == 1 and parts[0][0] is None and len(resource.keys) == 1:
            values: Mapping[str | None, Any] = {resource.keys[0]: parts[0][1]}
        else:
            values = dict(parts)
        if set(values) != set(resource.keys) or len(parts) != len(resource.keys):
            raise Refusal("InvalidEntityKey")
        columns = {column.stored: column for column in self._model.columns_of(resource.name).values()}
        if any(isinstance(values[name], str) != (columns[name].property.kind == "text") for name in resource.keys):
            raise Refusal("InvalidEntityKey")
        return tuple(values[name] for name in resource.keys)

    # -- answers ------------------------------------------------------------------------------------------------

    def _json(self, answer: dict[str, Any]) -> Reply:
        headers = {"Content-Type": "application/json; odata.metadata=minimal; charset=utf-8", "OData-Version": "4.0"}
        return Reply(200, as_json(answer, self.manner), headers)

    def _module_root(self, resource: Resource) -> str:
        return f"{self.believed_host}/{_APPLICATION}/v1.0/{self.tenant}/{self.company}/{resource.module}"

    def _context(self, resource: Resource, selection: str) -> str:
        return f"{self._module_root(resource)}/$metadata#{resource.name}{selection}"

    def _next_link(self, request: Request, resource: Resource, skip: int) -> str:
        kept = ""
        if self.link_keeps_query:
            pairs = urlsplit(request.raw_path).query.split("&")
            kept = "".join(f"{pair}&" for pair in pairs if pair and not pair.startswith(("$skip", "%24skip")))
        return f"{self._module_root(resource)}/{resource.name}?{kept}$skip={skip}"
