"""Requests to handlers: route table, query and body checks, paging, `fields` projection and `_links`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import attrs

from ._mailchimp_checks import Shape, parse_time
from ._mailchimp_problems import FieldError, Problem
from ._server import Request

__all__ = ["COLLECTION", "ITEM", "Call", "Route", "Router", "links", "page"]

ITEM = "fields exclude_fields"
COLLECTION = "fields exclude_fields count offset"
LARGEST_PAGE = 1000

_FLAGS = frozenset(
    "skip_merge_validation skip_duplicate_check vip_only since_last_campaign required include_total_contacts "
    "has_ecommerce_store has_outreach".split()
)
_NUMBERS = {"count": LARGEST_PAGE, "offset": None}
_CHOICES = {
    "status": "subscribed unsubscribed cleaned pending transactional archived".split(),
    "sort_field": (
        "timestamp_opt timestamp_signup last_changed date_created opens_count total_clicks unique_clicks".split()
    ),
    "sort_dir": "ASC DESC".split(),
    "interest_match": "any all none".split(),
}
# A path that goes on after one of these ids holds an unescaped slash.
_CALLER_IDS = frozenset(
    f"{{{name}}}" for name in "subscriber_hash store_id customer_id product_id variant_id order_id line_id".split()
)

Tree = dict[str, Any]


@attrs.define(kw_only=True)
class Call:
    """One request on its way to a handler, already checked.

    Attributes:
        ids: the path parameters, decoded.
        query: the query parameters as sent.
        body: the parsed JSON body, `None` where the route takes none.
        href: the resource's own address, for `_links`.
    """

    request: Request
    route: Route
    ids: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    href: str

    def flag(self, name: str) -> bool:
        return self.query.get(name) in {"true", "1"}

    def time(self, name: str) -> datetime | None:
        return parse_time(self.query[name]) if name in self.query else None

    @property
    def count(self) -> int:
        return int(self.query.get("count", 10))

    @property
    def offset(self) -> int:
        return int(self.query.get("offset", 0))

    def omits(self, *path: str) -> bool:
        """Whether the caller's `fields` or `exclude_fields` leave this out, so that it need not be built."""
        if "exclude_fields" in self.query:
            return _names(_tree(self.query["exclude_fields"]), path) == {}
        return "fields" in self.query and _names(_tree(self.query["fields"]), path) is None


@attrs.frozen(kw_only=True, slots=False)
class Route:
    """One operation.

    Attributes:
        run: the handler: JSON for 200, `None` for 204.
        query: the query parameters it knows, blank-separated.
        body: what its body must look like; `None`: it takes none.
        sample: a full answer, from which the names that `fields` may use are known.
    """

    method: str
    template: str
    run: Callable[[Call], Any] = attrs.field(repr=False)
    query: str = ""
    body: Shape | None = None
    sample: Callable[[], Any] | None = attrs.field(default=None, repr=False)

    @cached_property
    def query_names(self) -> frozenset[str]:
        return frozenset(self.query.split())

    @cached_property
    def parts(self) -> tuple[str, ...]:
        return tuple(part for part in self.template.split("/") if part)


class Router:
    """Finds the route of a request and prepares its `Call`."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)

    @cached_property
    def _by_length(self) -> dict[int, list[Route]]:
        table: dict[int, list[Route]] = {}
        for route in self.routes:
            table.setdefault(len(route.parts), []).append(route)
        return table

    def call(self, request: Request, segments: Sequence[str], href: str) -> Call:
        """The checked call; raises `Problem` for what the real system would refuse before looking at its data."""
        route, ids = self._find(method_of(request), segments)
        query = request.query
        _check_query(query, route)
        body = None if route.body is None else _read_body(request.body, route.body)
        return Call(request=request, route=route, ids=ids, query=query, body=body, href=href)

    def _find(self, method: str, segments: Sequence[str]) -> tuple[Route, dict[str, str]]:
        allowed = []
        for route in self._by_length.get(len(segments), []):
            ids = _match(route.parts, segments)
            if ids is not None and route.method == method:
                return route, ids
            if ids is not None:
                allowed.append(route.method)
        if allowed:
            raise Problem(
                405,
                "Method Not Allowed",
                "The requested method and resource are not compatible. "
                "See the Allow header for this resource's available methods.",
                headers={"Allow": ", ".join(sorted(allowed))},
            )
        if any(self._runs_past_an_id(segments[:length]) for length in range(len(segments) - 1, 0, -1)):
            raise Problem(414, "Resource Nesting Too Deep", "The sub-resource requested is nested too deeply.")
        raise Problem.not_found()

    def _runs_past_an_id(self, head: Sequence[str]) -> bool:
        return any(
            route.parts[-1] in _CALLER_IDS and _match(route.parts, head) is not None
            for route in self._by_length.get(len(head), [])
        )


def method_of(request: Request) -> str:
    """The method meant: `X-HTTP-Method-Override` counts on POST only."""
    override = request.headers.get("x-http-method-override")
    if override is None:
        return request.method
    if request.method != "POST":
        raise Problem(422, "Invalid Method Override", "The method override header works on POST requests only.")
    return override.upper()


def _match(parts: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    ids = {}
    for part, segment in zip(parts, segments, strict=True):
        if part[0] == "{":
            ids[part[1:-1]] = segment
        elif part != segment:
            return None
    return ids


def _read_body(body: bytes, shape: Shape) -> Any:
    try:
        value = json.loads(body)
    except ValueError:
        raise Problem(400, "JSON Parse Exception", "We encountered an unspecified JSON parsing error.") from None
    errors: list[FieldError] = []
    shape.check(value, "", errors)
    if errors:
        raise Problem.invalid(*errors)
    return value


def _check_query(query: Mapping[str, str], route: Route) -> None:
    errors = [error for name, value in query.items() if (error := _query_error(name, value, route))]
    if errors:
        raise Problem.invalid(*errors)
    if "fields" in query and "exclude_fields" in query:
        raise _bad_fields("'fields' and 'exclude_fields' may not be used together.")
    if route.sample is not None and (query.get("fields") or query.get("exclude_fields")):
        _check_names(route.sample(), query.get("fields") or query["exclude_fields"])


def _query_error(name: str, value: str, route: Route) -> FieldError | None:
    if name not in route.query_names:
        return name, "This is not a query parameter of this resource."
    if name in _NUMBERS:
        most = _NUMBERS[name]
        fits = value.isascii() and value.isdigit() and (most is None or int(value) <= most)
        return None if fits else (name, f"Value must be a whole number of 0 to {most or 'any size'}.")
    if name in _FLAGS:
        return None if value in {"true", "false", "1", "0"} else (name, "Value must be a boolean.")
    if name in _CHOICES:
        return None if value in _CHOICES[name] else (name, f"Value must be one of: {', '.join(_CHOICES[name])}")
    if name.startswith(("since_", "before_")) or name == "unsubscribed_since":
        return None if parse_time(value) else (name, "This value is not a valid datetime.")
    return None


def _bad_fields(detail: str) -> Problem:
    return Problem(422, "Requested Fields Invalid", detail)


def _tree(names: str) -> Tree:
    tree: Tree = {}
    for name in names.split(","):
        node = tree
        for part in name.strip().split("."):
            node = node.setdefault(part, {})
    return tree


def _names(tree: Tree, path: Sequence[str]) -> Tree | None:
    """The part of the tree at `path`: `{}` when all of it is named, `None` when nothing of it is."""
    for part in path:
        if part not in tree:
            return None
        tree = tree[part]
        if not tree:
            break
    return tree


# Objects whose keys the account decides, so that any name may be asked for.
_FREE = frozenset({"merge_fields", "interests", "options"})


def _check_names(sample: Any, names: str) -> None:
    for name in names.split(","):
        node = sample
        for part in name.strip().split("."):
            node = node[0] if isinstance(node, list) and node else node
            if not isinstance(node, dict) or part not in node:
                raise _bad_fields(f"The requested field '{name}' is not part of this resource.")
            node = node[part]
            if part in _FREE and isinstance(node, dict):
                break


def project(document: Any, query: Mapping[str, str]) -> Any:
    """The document as `fields` or `exclude_fields` leave it."""
    if query.get("fields"):
        return _keep(document, _tree(query["fields"]))
    if query.get("exclude_fields"):
        return _drop(document, _tree(query["exclude_fields"]))
    return document


def _keep(node: Any, tree: Tree) -> Any:
    if not tree:
        return node
    if isinstance(node, list):
        return [_keep(entry, tree) for entry in node]
    if isinstance(node, dict):
        return {name: _keep(node[name], branch) for name, branch in tree.items() if name in node}
    return node


def _drop(node: Any, tree: Tree) -> Any:
    if isinstance(node, list):
        return [_drop(entry, tree) for entry in node]
    if not isinstance(node, dict):
        return node
    return {
        name: _drop(value, tree[name]) if name in tree else value
        for name, value in node.items()
        if name not in tree or tree[name]
    }


_LINK_METHODS = {
    "self": "GET",
    "parent": "GET",
    "create": "POST",
    "update": "PATCH",
    "upsert": "PUT",
    "delete": "DELETE",
}
_SCHEMA = "https://us1.api.mailchimp.com/schema/3.0/Definitions"


def links(kind: str, href: str, *rels: str, **subresources: str) -> list[dict[str, str]]:
    """The `_links` of a resource: `rels` on itself (`parent` one step up), then `name="METHOD path"` below it."""
    found = [_link(kind, rel, href.rsplit("/", 1)[0] if rel == "parent" else href, _LINK_METHODS[rel]) for rel in rels]
    for rel, target in subresources.items():
        method, path = target.split(" ")
        found.append(_link(kind, rel, f"{href}/{path}", method))
    return found


def _link(kind: str, rel: str, href: str, method: str) -> dict[str, str]:
    link = {"rel": rel, "href": href, "method": method}
    if method != "DELETE":
        link["targetSchema"] = f"{_SCHEMA}/{kind}/{'CollectionResponse' if rel == 'parent' else 'Response'}.json"
    if method in {"POST", "PUT", "PATCH"}:
        link["schema"] = f"{_SCHEMA}/{kind}/{method}.json"
    return link


def page(
    call: Call, name: str, entries: Sequence[Any], render: Callable[[Any], dict[str, Any]], **rest: Any
) -> dict[str, Any]:
    """One page of a collection: `count` and `offset` applied, `total_items` of the whole, `_links`."""
    shown = entries[call.offset : call.offset + call.count]
    return {
        name: [render(entry) for entry in shown],
        **rest,
        "total_items": len(entries),
        "_links": links(name.title().replace("_", ""), call.href, "self", "parent"),
    }
