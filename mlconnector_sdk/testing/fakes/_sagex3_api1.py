"""api1 of a fake Sage X3: the REST side of Syracuse, read-only, with Basic authentication.

What is not established of the real one (which status a wrong representation has, how a key says where an ordered list
goes on) follows the nearest thing that is documented, and is refused rather than guessed at wherever a client could
come to rely on it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from uuid import UUID

import attrs

from ._sagex3_access import Access
from ._sagex3_facets import Facet, Looks, as_moment, facet_of
from ._sagex3_representations import CLASSES, Representation
from ._sagex3_site import Key, Row, SageX3Site, sort_key
from ._sagex3_tables import Kind
from ._sagex3_where import Property, WhereError, compile_where
from ._server import Reply, Request

__all__ = ["Api1Door", "Api1Setup"]

_PARAMETERS = frozenset({"representation", "count", "where", "orderBy", "key"})
_ENTRY = re.compile(r"(?P<name>\$?\w+)(?:\('(?P<key>(?:[^']|'')*)'\))?", re.DOTALL)
_ASKED = re.compile(r"(?P<name>\w+)\.(?P<facet>\$\w+)")
_STAMPS = frozenset({"CREDATTIM", "UPDDATTIM", "CREDAT", "UPDDAT"})
_DEFAULT_COUNT = 20
_NUMBER = (int, Decimal)
_PYTHON: Mapping[Kind, tuple[type, ...]] = {
    "text": (str,),
    "menu": _NUMBER,
    "int": _NUMBER,
    "amount": _NUMBER,
    "day": (date,),
    "moment": (datetime,),
    "uuid": (UUID,),
}


@attrs.define(kw_only=True)
class Api1Setup:
    """What sites and releases do differently.

    Attributes:
        page_cap: the most rows of a page, whatever `count` asks for.
        datetime_where: `where` takes comparisons with moments; no recorded request with one is known.
        stamp_where: `where` takes the stamps at all, days included.
        order_by_stamp: `orderBy` takes the stamps.
        prototypes: `$prototypes` answers.
        link_host: scheme and host of absolute links; the server's own unless a proxy stands in front.
        link_after_last: a full last page has a link to one without rows.
        looks: how values are written.
    """

    page_cap: int = 1000
    datetime_where: bool = True
    stamp_where: bool = True
    order_by_stamp: bool = True
    prototypes: bool = True
    link_host: str | None = None
    link_after_last: bool = False
    looks: Looks = attrs.field(factory=Looks)


class _Refusal(Exception):
    """An answer with a diagnosis."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@attrs.frozen
class _Order:
    """One property that a list is ordered by."""

    name: str
    property: Property
    descending: bool


class Api1Door:
    """Classes, details and prototypes of one endpoint."""

    def __init__(
        self,
        site: SageX3Site,
        access: Access,
        setup: Api1Setup,
        representations: Mapping[str, Representation],
        *,
        endpoint: str,
        origin: Callable[[], str],
    ) -> None:
        self.site = site
        self.access = access
        self.setup = setup
        self.representations = representations
        self.classes: dict[str, str] = dict(CLASSES)
        self.endpoint = endpoint
        self._origin = origin

    def handle(self, request: Request) -> Reply:
        """The answer to a request whose path begins with `/api1`."""
        if refusal := self.access.turned_away(request):
            return refusal
        try:
            return Reply(200, self._answer(request))
        except _Refusal as error:
            trace = {"$stackTrace": "..."} if error.status == 500 else {}
            return Reply(error.status, _diagnoses(error.message, **trace))

    def _answer(self, request: Request) -> dict[str, Any]:
        segments = request.segments
        if segments[1:2] == ["syracuse"]:
            raise _Refusal(403, "This user has no administration rights")
        if segments[1:3] != ["x3", "erp"] or len(segments) != 5:
            raise _Refusal(404, "Invalid URL")
        if segments[3] != self.endpoint:
            raise _Refusal(404, f"Endpoint {segments[3]} not found")
        if request.method != "GET":
            raise _Refusal(405, f"{request.method} is not allowed")
        entry = _ENTRY.fullmatch(segments[4])
        if entry is None:
            raise _Refusal(400, "Invalid resource path")
        key = None if entry["key"] is None else entry["key"].replace("''", "'")
        if entry["name"] == "$prototypes":
            return self._prototype(key or "")
        return self._resource(request, entry["name"], key)

    def _resource(self, request: Request, name: str, key: str | None) -> dict[str, Any]:
        if name not in self.classes:
            raise _Refusal(404, f"Class {name} not found")
        if name in self.access.forbidden:
            raise _Refusal(403, f"You are not authorized to read {name}")
        parameters = _parameters(urlsplit(request.raw_path).query)
        wanted = "$query" if key is None else "$details"
        asked = parameters.get("representation")
        if not asked:
            raise _Refusal(400, "The representation is mandatory")
        match = _ASKED.fullmatch(asked)
        found = self.representations.get(match["name"]) if match else None
        if match is None or found is None or found.of != name:
            raise _Refusal(400, f"Representation {asked} not found for class {name}")
        if match["facet"] != wanted:
            raise _Refusal(400, f"Facet {match['facet']} does not fit this URL")
        facet = self._facet(found, wanted)
        if key is not None:
            return self._details(found, facet, key, parameters)
        return self._list(request, found, facet, parameters)

    def _facet(self, representation: Representation, kind: str) -> Facet:
        try:
            return facet_of(self.site, representation, self.classes[representation.of], kind, self.setup.looks)
        except ValueError as error:
            raise _Refusal(500, f"Representation {representation.name} is not valid: {error}") from error

    # -- one record ---------------------------------------------------------------------------------------------

    def _details(self, of: Representation, facet: Facet, key: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        if more := parameters.keys() - {"representation"}:
            raise _Refusal(400, f"Unexpected parameter {min(more)}")
        found = self.site.stores[self.classes[of.of]].get(self._key(of, key))
        if found is None:
            return _diagnoses("721 : Record does not exist")
        head = self._head(of, found)
        return {**head, **facet.render(found), "$links": {"$details": {"$url": head["$url"]}}}

    def _key(self, of: Representation, text: str) -> Key:
        table = self.site.tables[self.classes[of.of]]
        parts = text.split("~") if len(table.keys) > 1 else [text]
        if len(parts) != len(table.keys):
            raise _Refusal(400, f"The key of {of.of} has {len(table.keys)} parts")
        values: list[str | int] = []
        for name, part in zip(table.keys, parts, strict=True):
            number = table.columns[name].kind != "text"
            values.append(int(part) if number and part.isdigit() else part)
        return values[0] if len(values) == 1 else tuple(values)

    def _head(self, of: Representation, row: Row) -> dict[str, Any]:
        text = _key_text(row.key)
        path = quote(text.replace("'", "''"), safe="~' ()")
        head: dict[str, Any] = {}
        if row["AUUID"] is not None:
            head["$uuid"] = str(row["AUUID"])
        if self.setup.looks.etags and isinstance(row["UPDDATTIM"], datetime):
            head["$etag"] = as_moment(row["UPDDATTIM"])
        root = f"/api1/x3/erp/{self.endpoint}"
        return {**head, "$key": text, "$url": f"{root}/{of.of}('{path}')?representation={of.name}.$details"}

    def _prototype(self, text: str) -> dict[str, Any]:
        match = _ASKED.fullmatch(text)
        found = self.representations.get(match["name"]) if match else None
        if not self.setup.prototypes or match is None or found is None or match["facet"] not in {"$query", "$details"}:
            raise _Refusal(404, f"Prototype {text} not found")
        if found.of in self.access.forbidden:
            raise _Refusal(403, f"You are not authorized to read {found.of}")
        return {"$properties": self._facet(found, match["facet"]).prototype}

    # -- lists --------------------------------------------------------------------------------------------------

    def _list(self, request: Request, of: Representation, facet: Facet, sent: Mapping[str, str]) -> dict[str, Any]:
        count = min(_count(sent.get("count")), self.setup.page_cap)
        order = self._order(facet, sent.get("orderBy"))
        rows = self._rows(of, facet, sent.get("where"), order)
        start, stop = self._place(of, order, rows, sent.get("key"), count)
        page = rows[start:stop]
        here = f"{self.setup.link_host or self._origin()}{request.raw_path.replace('%24', '$')}"
        first = re.sub(r"([?&])key=[^&]*(?:&|$)", r"\1", here).rstrip("&")
        links: dict[str, Any] = {}
        if page:
            links["$first"] = {**_link(first), "$title": "First page"}
            if start > 0:
                links["$prev"] = _link(f"{first}&key=lt.{_mark(page[0], order)}")
            if stop < len(rows) or (self.setup.link_after_last and len(page) == count):
                links["$next"] = {**_link(f"{first}&key=gt.{_mark(page[-1], order)}"), "$title": "Next page"}
        return {
            "$url": here,
            "$descriptor": of.of,
            "$itemsPerPage": count,
            "$resources": [{**self._head(of, row), **facet.render(row)} for row in page],
            "$links": links,
        }

    def _order(self, facet: Facet, text: str | None) -> tuple[_Order, ...]:
        found: list[_Order] = []
        for part in text.split(",") if text else []:
            match = re.fullmatch(r"\s*(\w+)(?:\s+(asc|desc))?\s*", part)
            if match is None:
                raise _Refusal(500, "Syntax error in orderBy clause")
            name = match[1]
            if name not in facet.properties:
                raise _Refusal(500, f"Unknown property {name} in orderBy clause")
            if name in _STAMPS and not self.setup.order_by_stamp:
                raise _Refusal(500, f"Property {name} cannot be sorted")
            found.append(_Order(name, facet.properties[name], match[2] == "desc"))
        return tuple(found)

    def _rows(self, of: Representation, facet: Facet, where: str | None, order: tuple[_Order, ...]) -> Sequence[Row]:
        """Rows that a predicate selects, in order; worked out once until a row changes."""
        test = self._test(facet, where)
        rows = self.site.rows(self.classes[of.of])
        if test is None and not order:
            return rows

        def build() -> Sequence[Row]:
            found = [row for row in rows if test(row)] if test else list(rows)
            for one in reversed(order):
                found.sort(key=_sorter(one.property), reverse=one.descending)
            return found

        names = tuple((one.name, one.descending) for one in order)
        found: Sequence[Row] = self.site.cached(("api1", of, where, names, self._today()), build)
        return found

    def _today(self) -> date:
        return self.site.clock().astimezone(self.site.zone).date()

    def _test(self, facet: Facet, where: str | None) -> Callable[[Row], bool] | None:
        if where is None:
            return None
        hidden = frozenset() if self.setup.stamp_where else _STAMPS
        properties = {name: one for name, one in facet.properties.items() if name not in hidden}
        moments = self.setup.datetime_where
        try:
            return compile_where(where, properties, zone=self.site.zone, today=self._today(), moments=moments)
        except WhereError as error:
            raise _Refusal(500, str(error)) from error

    def _place(
        self, of: Representation, order: tuple[_Order, ...], rows: Sequence[Row], key: str | None, count: int
    ) -> tuple[int, int]:
        """Where a page starts and stops; what moved meanwhile is where its values put it now."""
        if key is None:
            return 0, min(count, len(rows))
        word, _, text = key.partition(".")
        parts = [unquote(part) for part in text.split("~")]
        if word not in {"gt", "lt"} or len(parts) != len(order) + len(self.site.tables[self.classes[of.of]].keys):
            raise _Refusal(400, "Invalid key parameter")
        kinds: list[Kind] = [one.property.kind for one in order]
        try:
            values = [_lifted(_value(part, kind), kind) for part, kind in zip(parts, kinds, strict=False)]
            last = sort_key(self._key(of, "~".join(parts[len(order) :])))
        except ValueError as error:
            raise _Refusal(400, "Invalid key parameter") from error

        def side(row: Row) -> int:
            for one, value in zip(order, values, strict=True):
                found = _lifted(one.property.read(row), one.property.kind)
                if found != value:
                    return 1 if (found > value) is not one.descending else -1
            own = sort_key(row.key)
            return (own > last) - (own < last)

        if word == "gt":
            start = bisect_right(rows, 0, key=side)
            return start, min(start + count, len(rows))
        stop = bisect_left(rows, 0, key=side)
        return max(0, stop - count), stop


def _parameters(query: str) -> dict[str, str]:
    """The parameters, each at most once. A plus sign is a plus sign: blanks come as `%20`."""
    found: dict[str, str] = {}
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        name = unquote(name)
        if name not in _PARAMETERS or name in found:
            raise _Refusal(400, f"Unexpected parameter {name}")
        found[name] = unquote(value)
    return found


def _count(text: str | None) -> int:
    if text is None:
        return _DEFAULT_COUNT
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        raise _Refusal(400, "Invalid count parameter")
    return int(text)


def _lifted(value: Any, kind: Kind) -> tuple[Any, ...]:
    """A value as the database sorts it: nothing comes before everything, what was spoilt behind everything."""
    if value is None:
        return (0,)
    return (1, value) if isinstance(value, _PYTHON[kind]) else (2, str(value))


def _sorter(of: Property) -> Callable[[Row], tuple[Any, ...]]:
    return lambda row: _lifted(of.read(row), of.kind)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return as_moment(value) if isinstance(value, datetime) else str(value)


def _value(text: str, kind: Kind) -> Any:
    if kind == "text":
        return text
    if not text:
        return None
    reads: Mapping[Kind, Callable[[str], Any]] = {"moment": datetime.fromisoformat, "day": date.fromisoformat,
                                                 "uuid": UUID, "amount": Decimal}  # fmt: skip
    return reads.get(kind, int)(text)


def _key_text(key: Key) -> str:
    return "~".join(str(part) for part in sort_key(key))


def _mark(row: Row, order: tuple[_Order, ...]) -> str:
    """A row's place in a list for a link: what it is ordered by, then its key."""
    parts = [*(_text(one.property.read(row)) for one in order), *(str(part) for part in sort_key(row.key))]
    return quote("~".join(part.replace("%", "%25").replace("~", "%7E") for part in parts), safe="~:")


def _link(url: str) -> dict[str, str]:
    return {"$url": url, "$type": "application/json"}


def _diagnoses(message: str, **more: str) -> dict[str, Any]:
    return {"$diagnoses": [{"$severity": "error", "$message": message, **more}]}
