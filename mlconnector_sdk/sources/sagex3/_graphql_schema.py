"""The schema of a GraphQL service, as far as it is read: packages, nodes, and properties with their field codes.

Names differ between releases, while nine in ten descriptions end in the classic field code: `Is active (BPCSTA)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from ...errors import ContractError
from ...retry import RetryPolicy
from ._api import SYSTEM, EntityName
from ._graphql_names import CODES, FAMILIES, NODES, PROPERTIES

__all__ = ["INTROSPECTION", "Kind", "Node", "Property", "Schema"]

INTROSPECTION = "introspection"

_NAMED = "type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }"
_PACKAGES = f"query Packages {{ __schema {{ queryType {{ name fields {{ name {_NAMED} }} }} }} }}"
_KIND = f"fragment Kind on __Type {{ name fields {{ name description {_NAMED} }} }}"
_CODE = re.compile(r"\(([A-Z][A-Z0-9_]*)\)\s*$")
_MOST_TYPES = 40
_PLUMBING = frozenset({"query", "edges", "node", *(name for _, _, names in NODES.values() for name in names)})
_PREFIXES = ("x3", "xtremX3")
"""How the vendor's packages begin, today and in 2021 and 2022."""

Ask = Callable[[str, Mapping[str, Any], str, RetryPolicy | None], Mapping[str, Any]]
"""Sends a document with its variables under an operation's name; gives `data`."""


@attrs.frozen(kw_only=True)
class Property:
    """One property: `type` without what wraps it, `code` as its description ends, `""` where it does not."""

    name: str
    type: str
    is_object: bool
    code: str = ""


@attrs.frozen
class Kind:
    """An object type with its properties by name."""

    name: str
    properties: Mapping[str, Property]

    @property
    def is_collection(self) -> bool:
        """Whether its rows are behind a `query` of their own."""
        return "query" in self.properties

    @property
    def is_text(self) -> bool:
        """Whether it is a long text (`{ value }`)."""
        return "value" in self.properties and "_id" not in self.properties

    def coded(self, code: str) -> list[Property]:
        """The properties whose description ends in that field code."""
        return [one for one in self.properties.values() if one.code == code]


@attrs.frozen
class Node:
    """Where a table is read: `package { name { query } }`, and the type of its rows."""

    package: str
    name: str
    kind: str

    def __str__(self) -> str:
        return f"{self.package}.{self.name}"

    @property
    def era(self) -> str:
        """Which releases have such packages, for people."""
        if self.package.startswith(_PREFIXES[1]):
            return "the schema of 2021 and 2022"
        return "the schema of 2022 R3 and later" if self.package.startswith(_PREFIXES[0]) else "a package of the site"


class Schema:
    """Asks what there is, each type once. Types that will probably be needed come along with the first one that is.

    Args:
        ask: sends a document.
        nodes: the site's own nodes by entity, as `package.node`.
    """

    def __init__(self, ask: Ask, nodes: Mapping[EntityName, str]) -> None:
        self._ask = ask
        self._given = nodes
        self._packages: Mapping[str, Property] = {}
        self._kinds: dict[str, Kind] = {}
        self._likely: set[str] = set()
        self._nodes: dict[str, Node] = {}

    def packages(self, *, retry: RetryPolicy | None = None) -> list[str]:
        """Names of the packages.

        Raises:
            ContractError: the service does not show its schema.
        """
        if not self._packages:
            found = self._ask(_PACKAGES, {}, INTROSPECTION, retry).get("__schema")
            root = found.get("queryType") if isinstance(found, dict) else None
            if not isinstance(root, dict):
                raise ContractError("the service shows no schema", system=SYSTEM, operation=INTROSPECTION)
            self._packages = {one.name: one for one in _properties(root) if one.is_object}
            self._likely.update(one.type for name, one in self._packages.items() if name.endswith(FAMILIES))
        return sorted(self._packages)

    def node(self, table: str, *, retry: RetryPolicy | None = None) -> Node:
        """Where a table is read.

        Raises:
            ContractError: the service has no such node.
        """
        if table not in self._nodes:
            self.packages(retry=retry)
            self._nodes[table] = self._found(table, retry)
        return self._nodes[table]

    def kind(self, name: str, *, retry: RetryPolicy | None = None) -> Kind:
        """A type by its name.

        Raises:
            ContractError: there is none.
        """
        if name not in self._kinds:
            self._load([name, *sorted(self._likely - {name})[: _MOST_TYPES - 1]], retry)
        return self._kinds[name]

    def element(self, collection: str, *, retry: RetryPolicy | None = None) -> Kind:
        """The type of the rows behind a `query`: that of a node's operations, or of a collection.

        Raises:
            ContractError: it is none.
        """
        kind = self.kind(collection, retry=retry)
        for name in ("query", "edges", "node"):
            found = kind.properties.get(name)
            if found is None:
                raise ContractError(
                    f"{collection} has no rows (query, edges, node)", system=SYSTEM, operation=INTROSPECTION
                )
            kind = self.kind(found.type, retry=retry)
        return kind

    # -- finding ----------------------------------------------------------------------------------------------------

    def _found(self, table: str, retry: RetryPolicy | None) -> Node:
        entity, family, names = NODES[table]
        given = self._given.get(entity, "")
        if given:
            package, _, name = given.partition(".")
            names, packages = (name,), [package] if package in self._packages else []
        else:
            packages = self._in_order(family)
        for package in packages:
            operations = self.kind(self._packages[package].type, retry=retry).properties
            for name in names:
                # A node may have nothing but mutations there.
                if name in operations and self.kind(operations[name].type, retry=retry).is_collection:
                    kind = self.element(operations[name].type, retry=retry)
                    return Node(package, name, kind.name)
        roots = ", ".join(one for one in self._packages if one.endswith(FAMILIES)) or "neither of them"
        raise ContractError(
            f"the service has no node {given or names[0]}: it belongs to {_PREFIXES[0]}{family} (2022 R3 and later) or "
            f"{_PREFIXES[1]}{family} (2021 and 2022), and there is {roots}. A site's own node can be named "
            f"(nodes={{{entity!r}: 'package.node'}})",
            system=SYSTEM,
            operation=INTROSPECTION,
            reason="no_node",
        )

    def _in_order(self, family: str) -> list[str]:
        """The vendor's package of today, of 2021, others of that family, then all others."""

        def rank(package: str) -> int:
            for number, prefix in enumerate(_PREFIXES):
                if package == f"{prefix}{family}":
                    return number
            return len(_PREFIXES) if package.endswith(family) else len(_PREFIXES) + 1

        return sorted(self._packages, key=lambda package: (rank(package), package))

    def _load(self, names: list[str], retry: RetryPolicy | None) -> None:
        found = self._ask(
            _types_text(len(names)), {f"t{i}": name for i, name in enumerate(names)}, INTROSPECTION, retry
        )
        for i, name in enumerate(names):
            shown = found.get(f"t{i}")
            if isinstance(shown, dict):
                self._kinds[name] = Kind(name, {one.name: one for one in _properties(shown)})
                self._likely.update(one.type for one in self._kinds[name].properties.values() if _is_likely(one))
        self._likely.difference_update(self._kinds, names)
        if names[0] not in self._kinds:
            raise ContractError(f"the service shows no type {names[0]}", system=SYSTEM, operation=INTROSPECTION)


def _types_text(count: int) -> str:
    variables = ", ".join(f"$t{i}: String!" for i in range(count))
    types = " ".join(f"t{i}: __type(name: $t{i}) {{ ...Kind }}" for i in range(count))
    return f"query Types({variables}) {{ {types} }} {_KIND}"


def _properties(shown: Mapping[str, Any]) -> Iterable[Property]:
    for one in shown.get("fields") or ():
        kind, name = _unwrapped(one.get("type") or {})
        found = _CODE.search(one.get("description") or "")
        yield Property(name=one["name"], type=name, is_object=kind == "OBJECT", code=found[1] if found else "")


def _unwrapped(kind: Mapping[str, Any]) -> tuple[str, str]:
    while kind.get("ofType"):
        kind = kind["ofType"]
    return str(kind.get("kind") or ""), str(kind.get("name") or "")


def _is_likely(one: Property) -> bool:
    return one.is_object and (one.name in _PLUMBING or one.code in CODES or one.name in PROPERTIES)
