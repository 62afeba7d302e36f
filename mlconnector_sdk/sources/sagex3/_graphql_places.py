"""Where the value of a field is in a schema: the way from a node through references and collections."""

from __future__ import annotations

import attrs

from ...retry import RetryPolicy
from ._graphql_names import ANYWHERE, NAMES
from ._graphql_schema import Kind, Property, Schema

__all__ = ["Atlas", "Place", "Step"]

_KEYS = ("code", "id")
_LONGEST_KEY = 3
_ISO = "iso31661Alpha2"
"""Of a country: the site's own code need not be ISO's."""


@attrs.frozen
class Step:
    """A property to follow; `many`: to rows behind a `query`."""

    name: str
    many: bool = False


@attrs.frozen
class Place:
    """A value, seen from a node.

    Attributes:
        leaves: properties that hold it; of several the first that is filled.
    """

    steps: tuple[Step, ...]
    leaves: tuple[str, ...]

    @property
    def is_many(self) -> bool:
        """Whether it is in rows behind a `query`."""
        return any(step.many for step in self.steps)

    @property
    def name(self) -> str:
        """For people: `defaultAddress.addressEmails.addressEmail`."""
        return ".".join([*(step.name for step in self.steps), self.leaves[-1]])

    def behind(self, steps: tuple[Step, ...]) -> Place:
        """The same value, seen from further away."""
        return Place((*steps, *self.steps), self.leaves)


@attrs.frozen
class Atlas:
    """Finds places in one schema."""

    schema: Schema
    retry: RetryPolicy | None = None

    def kind(self, name: str) -> Kind:
        """A type by its name."""
        return self.schema.kind(name, retry=self.retry)

    def places(self, kind: Kind, table: str, code: str) -> list[Place]:
        """Where a field is: by the code at the end of descriptions, else by the vendor's name, else by its own name.

        Several places hold several occurrences of the field, in their order.
        """
        if found := self._coded(kind, table, code):
            return found
        names = (*NAMES.get(table, {}).get(code, ()), *ANYWHERE.get(code, ()), code)
        return next(([place] for name in names if (place := self.walk(kind, name)) is not None), [])

    def reference(self, kind: Kind, table: str, code: str, *, given: str = "") -> tuple[Step, Kind] | None:
        """The row that a field of a table leads to; `None` where the field is a plain value, or not there.

        Args:
            given: the site's own name of it.
        """
        names = (*(one.name for one in kind.coded(code)), *NAMES.get(table, {}).get(code, ()))
        if given:
            names = (given.partition(".")[0],)
        for name in names:
            found = kind.properties.get(name)
            if found is not None and found.is_object:
                target = self.kind(found.type)
                if not target.is_collection and not target.is_text:
                    return Step(name), target
        return None

    def collection(self, kind: Kind, path: str) -> tuple[Step, Kind] | None:
        """The rows of a collection of this kind."""
        found = kind.properties.get(path)
        if found is None or not found.is_object or not self.kind(found.type).is_collection:
            return None
        return Step(path, many=True), self.schema.element(found.type, retry=self.retry)

    def walk(self, kind: Kind, path: str) -> Place | None:
        """The place at the end of a path such as `code.companyName1`; `None` where it leads nowhere."""
        name, _, rest = path.partition(".")
        found = kind.properties.get(name)
        if found is None:
            return None
        if not found.is_object:
            return None if rest else Place((), (name,))
        target = self.kind(found.type)
        step = Step(name, many=target.is_collection)
        if target.is_text:
            return None if rest else Place((step,), ("value",))
        if target.is_collection:
            target = self.schema.element(found.type, retry=self.retry)
            if not rest:
                return None
        inner = self.walk(target, rest) if rest else self._key(target)
        return None if inner is None else inner.behind((step,))

    def _coded(self, kind: Kind, table: str, code: str) -> list[Place]:
        found = kind.coded(code)
        if len(found) > 1:
            found = _occurrences(found) or _preferred(found, NAMES.get(table, {}).get(code, ()))
        places = [place for one in found if (place := self._of(one, code)) is not None]
        return places or [place for one in kind.properties.values() if (place := self._slots(kind, one, code))]

    def _of(self, one: Property, code: str) -> Place | None:
        """A property's value, which is the key of what it refers to, or a value of its rows."""
        if not one.is_object:
            return Place((), (one.name,))
        target = self.kind(one.type)
        if target.is_text:
            return Place((Step(one.name),), ("value",))
        if not target.is_collection:
            return self._key(target).behind((Step(one.name),))
        inner = [item for item in self._rows_of(one).coded(code) if not item.is_object]
        return Place((Step(one.name, many=True),), (inner[0].name,)) if inner else None

    def _slots(self, kind: Kind, one: Property, code: str) -> Place | None:
        """Occurrences of a field are rows of a type that has the name of both: `CustomerAddressAddressEmails`."""
        if not one.is_object or not one.type.startswith(f"{kind.name}{one.name[:1].upper()}{one.name[1:]}"):
            return None
        return self._of(one, code) if self.kind(one.type).is_collection else None

    def _rows_of(self, collection: Property) -> Kind:
        return self.schema.element(collection.type, retry=self.retry)

    def _key(self, kind: Kind, depth: int = 0) -> Place:
        """The business key of a row: in some releases that of a customer is a partner, whose key is a text."""
        if _ISO in kind.properties and "code" in kind.properties:
            return Place((), (_ISO, "code"))
        for name in _KEYS:
            found = kind.properties.get(name)
            if found is not None and not found.is_object:
                return Place((), (name,))
            if found is not None and depth < _LONGEST_KEY:
                return self._key(self.kind(found.type), depth + 1).behind((Step(name),))
        return Place((), ("_id",))


def _occurrences(found: list[Property]) -> list[Property]:
    """`companyName1`, `companyName2`: one field, several times."""
    numbered = all(one.name[-1:].isdigit() and not one.is_object for one in found)
    return sorted(found, key=lambda one: one.name) if numbered else []


def _preferred(found: list[Property], names: tuple[str, ...]) -> list[Property]:
    """One of several properties with one code: the vendor's usual one, else the shortest name."""
    known = [one for name in names for one in found if one.name == name]
    return (known or sorted(found, key=lambda one: (len(one.name), one.name)))[:1]
