"""The `$metadata` document of one module of a fake Sage 300: EDMX of OData V4."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from ._sage300_schema import Column, Model, Resource

__all__ = ["metadata_document", "namespace_of"]

_TYPES = {"text": "Edm.String", "date": "Edm.DateTimeOffset", "amount": "Edm.Decimal", "flag": "Edm.Boolean",
          "int": "Edm.Int32"}  # fmt: skip
_EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
_EDM = "http://docs.oasis-open.org/odata/ns/edm"


def namespace_of(module: str) -> str:
    """The namespace of a module's types."""
    return f"Sage.CA.SBS.ERP.Sage300.{module}.WebApi.Models"


def metadata_document(model: Model, module: str, resources: list[Resource]) -> str:
    """What the module has in this release at this site, complex types and enumerations included."""
    namespace = namespace_of(module)
    writer = _Writer(model, namespace)
    for resource in resources:
        writer.entity(resource)
    writer.complex_types()
    sets = "".join(f'<EntitySet Name="{one.name}" EntityType="{namespace}.{one.table}" />' for one in resources)
    return (
        f'<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" xmlns:edmx="{_EDMX}"><edmx:DataServices>'
        f'<Schema Namespace="{namespace}" xmlns="{_EDM}">{"".join(writer.parts)}</Schema>'
        f'<Schema Namespace="Default" xmlns="{_EDM}"><EntityContainer Name="Container">{sets}</EntityContainer>'
        "</Schema></edmx:DataServices></edmx:Edmx>"
    )


class _Writer:
    def __init__(self, model: Model, namespace: str) -> None:
        self.model = model
        self.namespace = namespace
        self.parts: list[str] = []
        self.waiting: list[str] = []
        self.written: set[str] = set()

    def entity(self, resource: Resource) -> None:
        # A key is named as the wire names it, which a site may have changed.
        wires = {column.stored: column.wire for column in self.model.columns_of(resource.name).values()}
        keys = "".join(f'<PropertyRef Name="{wires[key]}" />' for key in resource.keys)
        body = self._properties(resource.table, self.model.columns_of(resource.name), resource.keys)
        self.parts.append(f'<EntityType Name="{resource.table}"><Key>{keys}</Key>{body}</EntityType>')

    def complex_types(self) -> None:
        """The tables of collections, found while properties were written."""
        while self.waiting:
            name = self.waiting.pop()
            if name not in self.written:
                self.written.add(name)
                body = self._properties(name, self.model.columns(name), ())
                self.parts.append(f'<ComplexType Name="{name}">{body}</ComplexType>')

    def _properties(self, owner: str, columns: dict[str, Column], keys: tuple[str, ...]) -> str:
        return "".join(self._property(owner, column, keys) for column in columns.values())

    def _property(self, owner: str, column: Column, keys: tuple[str, ...]) -> str:
        one = column.property
        if one.kind == "rows":
            self.waiting.append(one.rows)
            kind = f"Collection({self.namespace}.{one.rows})"
        elif one.kind == "choice":
            kind = self._enumeration(f"{owner}{one.name}", one.members)
        else:
            kind = _TYPES[one.kind]
        optional = one.kind == "date" or (one.kind == "text" and one.name not in keys)
        nullable = "" if optional or one.kind == "rows" else ' Nullable="false"'
        return f"<Property Name={quoteattr(column.wire)} Type={quoteattr(kind)}{nullable} />"

    def _enumeration(self, name: str, members: tuple[str, ...]) -> str:
        rows = "".join(f'<Member Name="{member}" Value="{number}" />' for number, member in enumerate(members))
        self.parts.append(f'<EnumType Name="{name}">{rows}</EnumType>')
        return f"{self.namespace}.{name}"
