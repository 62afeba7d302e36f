"""SYSPRO's OData service: read-only, Basic authentication, tables of one company, and the pages of IIS in front.

Paths, links and error bodies of the real service were never recorded; they follow the OData 4 standard as .NET speaks
it, and what differs between servers is a setting.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice
from json.encoder import encode_basestring as quoted
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl, quote, urlsplit

import attrs

from ._server import Reply, Request
from ._syspro_conditions import EVERYTHING, select
from ._syspro_data import Database
from ._syspro_filter import FilterError, compile_filter, edm_type
from ._syspro_pages import html_page
from ._syspro_tables import CONTACT, STAMP, Column, Table, is_text
from ._syspro_text import JsonStyle, json_row

__all__ = ["NextLinks", "ODataDoor", "ODataSetup"]

NextLinks: TypeAlias = Literal["none", "right", "other host", "without filter"]
"""What an answer that was cut by the server's limit says: nothing, where it goes on, or something that misleads."""

_OPTIONS = frozenset({"$select", "$filter", "$orderby", "$top", "$skip"})
_HEADERS = {"Content-Type": "application/json; odata.metadata=minimal; odata.streaming=true", "OData-Version": "4.0"}
_SPACE = "SYSPRO.OData"


@attrs.define(kw_only=True)
class ODataSetup:
    """How a site's service is set up, and what is not established about it.

    Attributes:
        page_cap: the most rows of an answer.
        next_links: what a cut answer says about the rest.
        style: forms of dates and numbers.
        plural: entity sets are called `ArCustomers`.
        form_suffix: what stands for the plus of a custom form's table.
        shows_timestamp: whether the rowversion is a property.
        views: further entity sets, by the table they show.
        hidden: tables that the operator, or the licence, does not show.
        hidden_columns: columns that the service does not show, by table.
        longest_query: what IIS lets through in a query string.
    """

    page_cap: int = 5000
    next_links: NextLinks = "none"
    style: JsonStyle
    plural: bool = False
    form_suffix: str = "Plus"
    shows_timestamp: bool = True
    views: dict[str, str] = attrs.field(factory=dict)
    hidden: set[str] = attrs.field(factory=set)
    hidden_columns: dict[str, set[str]] = attrs.field(factory=dict)
    longest_query: int = 2048


class _Refusal(Exception):
    """400 with the body of an OData error."""


class ODataDoor:
    """The service below its root; `credentials` are the operator and its OData password."""

    def __init__(self, base: Database, setup: ODataSetup, is_operator: Callable[[str, str], bool]) -> None:
        self.base = base
        self.setup = setup
        self._is_operator = is_operator

    def handle(self, request: Request, path: str, root: str) -> Reply:
        """The answer to `path` below the root, whose whole address is `root`."""
        if refusal := self._turned_away(request):
            return refusal
        tables = self._tables()
        if path == "$metadata":
            return Reply(200, self._metadata().encode(), {"Content-Type": "application/xml", "OData-Version": "4.0"})
        if path and path not in tables:
            return html_page(404, "File or directory not found.")
        if not _takes_json(request):
            return html_page(406, "Not Acceptable")
        try:
            options = _options(urlsplit(request.raw_path).query)
            text = self._rows(path, tables[path], options, root) if path else self._service(root, tables)
        except (_Refusal, FilterError) as error:
            message = f"The query specified in the URI is not valid. {error}"
            return Reply(400, {"error": {"code": "", "message": message}}, _HEADERS)
        return Reply(200, text.encode(), _HEADERS)

    def _turned_away(self, request: Request) -> Reply | None:
        """What IIS says before the service is asked."""
        if len(urlsplit(request.raw_path).query) > self.setup.longest_query:
            return html_page(404, "The request filtering module denies a query string that is too long.")
        if not self._is_operator(*_basic(request)):
            challenge = {"WWW-Authenticate": 'Basic realm="SYSPRO OData"'}
            return html_page(401, "Unauthorized: Access is denied due to invalid credentials.", challenge)
        return None if request.method == "GET" else html_page(405, "Method Not Allowed")

    # -- what there is ----------------------------------------------------------------------------------------------

    def _tables(self) -> dict[str, str]:
        """Entity sets and the tables they show."""
        setup = self.setup
        sets = {}
        for name in self.base.tables:
            shown = name.replace("+", setup.form_suffix)
            if name != CONTACT and name not in setup.hidden:
                sets[f"{shown}s" if setup.plural else shown] = name
        return sets | {name: table for name, table in setup.views.items() if name not in setup.hidden}

    def _columns(self, table: Table) -> dict[str, Column]:
        hidden = {*self.setup.hidden_columns.get(table.name, ()), *([] if self.setup.shows_timestamp else [STAMP])}
        return {name: column for name, column in table.columns.items() if name not in hidden}

    def _service(self, root: str, tables: Mapping[str, str]) -> str:
        rows = ",".join(f'{{"name":"{name}","kind":"EntitySet","url":"{name}"}}' for name in tables)
        return f'{{"@odata.context":"{root}/$metadata","value":[{rows}]}}'

    def _metadata(self) -> str:
        tables = self._tables()
        types = "".join(self._entity_type(name, self.base.tables[table]) for name, table in tables.items())
        sets = "".join(f'<EntitySet Name="{name}" EntityType="{_SPACE}.{name}Row"/>\n' for name in tables)
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>\n'
            f'<Schema Namespace="{_SPACE}" xmlns="http://docs.oasis-open.org/odata/ns/edm">\n{types}'
            f'<EntityContainer Name="Container">\n{sets}</EntityContainer>\n</Schema>\n'
            "</edmx:DataServices></edmx:Edmx>\n"
        )

    def _entity_type(self, name: str, table: Table) -> str:
        keys = "".join(f'<PropertyRef Name="{key}"/>' for key in table.keys)
        properties = "".join(self._property(column) for column in self._columns(table).values())
        return f'<EntityType Name="{name}Row">\n<Key>{keys}</Key>\n{properties}</EntityType>\n'

    def _property(self, column: Column) -> str:
        facets = 'Nullable="false"' if is_text(column) or column.kind == "decimal" else ""
        if is_text(column) or column.kind == "timestamp":
            facets += f' MaxLength="{column.size}"'
        elif column.kind == "decimal":
            facets += f' Precision="{column.size}" Scale="{column.scale}"'
        return f'<Property Name="{column.name}" Type="{edm_type(column, self.setup.style)}" {facets.strip()}/>\n'

    # -- rows -------------------------------------------------------------------------------------------------------

    def _rows(self, name: str, table_name: str, options: Mapping[str, str], root: str) -> str:
        table = self.base.tables[table_name]
        columns = self._columns(table)
        chosen = _chosen(options.get("$select"), columns)
        order = _order(options.get("$orderby"), columns)
        text = options.get("$filter", "").strip()
        test = compile_filter(text, columns, self.setup.style) if text else EVERYTHING
        top, skip = _whole(options, "$top"), _whole(options, "$skip") or 0
        limit = self.setup.page_cap if top is None else min(top, self.setup.page_cap)
        rows = list(islice(select(self.base, table_name, test, order), skip, skip + limit + 1))
        write = json_row(chosen, self.setup.style)
        link = ""
        if len(rows) > limit and (top is None or top > limit):
            link = self._next_link(name, options, root, skip + limit, None if top is None else top - limit)
        context = f"{root}/$metadata#{name}"
        body = ",".join([write(row) for row in rows[:limit]])
        return f'{{"@odata.context":{quoted(context)},"value":[{body}]{link}}}'

    def _next_link(self, name: str, options: Mapping[str, str], root: str, skip: int, top: int | None) -> str:
        kind = self.setup.next_links
        if kind == "none":
            return ""
        kept = {**options, "$skip": str(skip)} | ({} if top is None else {"$top": str(top)})
        if kind == "without filter":
            kept.pop("$filter", None)
        place = f"https://erp-internal.invalid{urlsplit(root).path}" if kind == "other host" else root
        query = "&".join(f"{option}={quote(value, safe='')}" for option, value in kept.items())
        return f',"@odata.nextLink":{quoted(f"{place}/{name}?{query}")}'


def _takes_json(request: Request) -> bool:
    accept = request.headers.get("accept", "*/*")
    return "json" in accept or "*/*" in accept


def _basic(request: Request) -> tuple[str, str]:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        name, _, password = b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


def _options(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    for name, count in Counter(name for name, _ in pairs).items():
        # An option without its dollar sign would be ignored, and all rows would come.
        if name not in _OPTIONS:
            raise _Refusal(f"The query parameter '{name}' is not supported.")
        if count > 1:
            raise _Refusal(f"Query option '{name}' was specified more than once.")
    return dict(pairs)


def _chosen(text: str | None, columns: Mapping[str, Column]) -> list[Column]:
    if not text or text.strip() == "*":
        return list(columns.values())
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in columns:
            raise _Refusal(f"Could not find a property named '{name}'.")
    return [column for name, column in columns.items() if name in set(names)]


def _order(text: str | None, columns: Mapping[str, Column]) -> list[tuple[str, bool]]:
    found = []
    for part in text.split(",") if text else []:
        name, _, direction = part.strip().partition(" ")
        if name not in columns:
            raise _Refusal(f"Could not find a property named '{name}'.")
        if direction.strip() not in {"", "asc", "desc"} or columns[name].kind == "timestamp":
            raise _Refusal(f"The $orderby expression '{part.strip()}' is not valid.")
        found.append((name, direction.strip() == "desc"))
    return found


def _whole(options: Mapping[str, str], name: str) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise _Refusal(f"Invalid value '{text}' for {name} query option found.")
    return int(text)
