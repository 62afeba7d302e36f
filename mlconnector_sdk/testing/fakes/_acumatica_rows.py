"""From stored records to the JSON of the contract API: which fields a request touches, and how they are written.

A `Rendering` is worked out once per combination of version, `$select`, `$expand` and `$custom`, and then writes JSON
text straight from the records, so that a page of some hundred rows costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from json.encoder import encode_basestring as quoted
from typing import Any

import attrs

from ._acumatica_data import Records, as_instant
from ._acumatica_errors import cannot_optimize, failure, unknown_field
from ._acumatica_filter import Operand, Resolver
from ._acumatica_reading import nested_identity, part_rows, read_field
from ._acumatica_tables import POSTED, SHAPES, Entity, Part, Shape, release

__all__ = ["Names", "Rendering", "Wanted", "page_text", "screen_field"]

Row = Mapping[str, Any]
Tree = dict[str, "Tree"]

_CUSTOM_TYPES = {
    "S": "CustomStringField",
    "B": "CustomBooleanField",
    "D": "CustomDecimalField",
    "T": "CustomDateTimeField",
    "I": "CustomIntField",
    "H": "CustomShortField",
    "G": "CustomGuidField",
}


def stamp_text(value: Any) -> str:
    """A date-time as the wire has it: milliseconds without trailing zeros, offset `+00:00`."""
    instant = as_instant(value)
    text = instant.isoformat()
    fraction = f"{instant.microsecond // 1000:03d}".rstrip("0")
    return text[:19] + (f".{fraction}" if fraction else "") + "+00:00"


def _number_text(value: Any) -> str:
    if not isinstance(value, Decimal):
        return repr(float(value))
    text = format(value, "f")
    return text if "." in text else f"{text}.0"


_WRITERS: dict[str, Callable[[Any], str]] = {
    "S": lambda value: quoted(str(value)),
    "G": lambda value: quoted(str(value)),
    "B": lambda value: "true" if value else "false",
    "D": _number_text,
    "T": lambda value: f'"{stamp_text(value)}"',
    "I": lambda value: str(int(value)),
    "H": lambda value: str(int(value)),
}


def tree_of(paths: str) -> Tree:
    """`A,B/C` as a tree of names; an empty part of the list names nothing."""
    tree: Tree = {}
    for path in filter(None, (part.strip() for part in paths.split(","))):
        branch = tree
        for name in path.split("/"):
            branch = branch.setdefault(name, {})
    return tree


@attrs.frozen
class Wanted:
    """What a request asks to see. `select=None` is everything; an empty branch of `select` is all of that part."""

    version: str
    select: Tree | None
    expand: Tree
    custom: tuple[str, ...] = ()

    @classmethod
    def of(cls, version: str, query: Mapping[str, str]) -> Wanted:
        select = query.get("$select", "")
        custom = tuple(part.strip() for part in query.get("$custom", "").split(",") if part.strip())
        return cls(version, tree_of(select) if select.strip() else None, tree_of(query.get("$expand", "")), custom)

    def under(self, part: Part) -> Wanted:
        """The same wish seen from inside one part."""
        if self.select is None:
            select = None
        else:
            branch = self.select.get(part.name)
            select = None if branch == {} else branch or {"": {}}
        prefix = f"{part.name}/"
        custom = tuple(path.removeprefix(prefix) for path in self.custom if path.startswith(prefix))
        return Wanted(self.version, select, self.expand.get(part.name, {}), custom)


class Names(Resolver):
    """The names of one entity in one version, for filters, `$select`, `$expand` and `$custom`."""

    def __init__(self, records: Records, entity: Entity, version: str) -> None:
        self.records = records
        self.entity = entity
        self.since = release(version)
        self.touched: list[str] = []

    def field(self, path: str) -> Operand:
        self.touched.append(path)
        *outer, name = path.split("/")
        shape, steps = self.entity.shape, []
        for step in outer:
            part = shape.parts.get(step)
            if part is None or part.since > self.since:
                raise unknown_field(path)
            if part.many:
                raise cannot_optimize([path])
            steps.append(part_rows(self.records, part, shape))
            shape = SHAPES[part.shape]
        field = shape.fields.get(name)
        if field is None or field.since > self.since:
            if name in shape.unmapped:
                return Operand("S", lambda row: None)
            raise unknown_field(path)
        return Operand(field.kind, _through(steps, read_field(shape, field)))

    def screen_field(self, kind: str, path: str) -> Operand:
        known, read = screen_field(self.records, self.entity, path)
        if known != kind:
            raise failure("Type conversions are not supported.", "System.NotSupportedException")
        return Operand(kind, read)


def _through(steps: list[Callable[[Row], Any]], read: Callable[[Row], Any]) -> Callable[[Row], Any]:
    if not steps:
        return read

    def reader(row: Row) -> Any:
        inner: Any = row
        for step in steps:
            inner = step(inner)
            if not inner:
                return None
        return read(inner)

    return reader


def screen_field(records: Records, entity: Entity, path: str) -> tuple[str, Callable[[Row], Any]]:
    """Kind and reader of `View.Field`: a site's own field, or a screen field under a contract name."""
    view, _, name = path.partition(".")
    if own := records.custom_fields.get(entity.name, {}).get(path):
        return own, lambda row: ((row.get("custom") or {}).get(view) or {}).get(name)
    if path not in entity.views:
        raise unknown_field(path)
    kind, place = entity.views[path]
    if place == "Released":
        return kind, lambda row: row.get("Status", "Open") in POSTED
    *outer, last = place.split("/")
    return kind, _through(
        [_getter(step) for step in outer], lambda row: row.get(last, row.get("id") if last == "NoteID" else None)
    )


def _getter(name: str) -> Callable[[Row], Any]:
    return lambda row: row.get(name)


class Rendering:
    """Writes records of one shape as JSON. `touched` lists the paths the query reads, for the optimiser."""

    def __init__(self, records: Records, entity: Entity, wanted: Wanted) -> None:
        self.touched: list[str] = []
        self._write = self._plan(records, entity, entity.shape, wanted, "")

    def row(self, row: Row, number: int, links: str = "") -> str:
        """One top-level record; `links` is JSON text put at its end."""
        return self._write(row, row["id"], number, links)

    def _plan(
        self, records: Records, entity: Entity, shape: Shape, wanted: Wanted, prefix: str
    ) -> Callable[[Row | None, str, int, str], str]:
        _refuse_unknown(shape, wanted)
        since = release(wanted.version)
        writers: list[tuple[str, Callable[[Row, str], str]]] = []
        for name, field in shape.fields.items():
            if field.since <= since and (wanted.select is None or name in wanted.select):
                self.touched.append(prefix + name)
                writers.append((name, _field_writer(read_field(shape, field), _WRITERS[field.kind])))
        for place, (name, part) in enumerate(shape.parts.items(), 1):
            if name in wanted.expand:
                self.touched.append(prefix + name)
                writers.append((name, self._part_writer(records, entity, shape, part, wanted, prefix, place)))
        if "files" in wanted.expand:
            writers.append(("files", lambda row, identity: "[]"))
        writers.sort(key=lambda pair: pair[0].casefold())
        custom = _custom_writer(records, entity, wanted.custom if prefix == "" else _own(wanted.custom))
        note = '{"value":""}' if prefix == "" else "null"
        head = f'{{"id":"%s","rowNumber":%d,"note":{note}'
        template = head + "".join(f',"{name}":%s' for name, _ in writers) + ',"custom":%s%s}'
        functions = [write for _, write in writers]
        empty = "".join([head, *(f',"{name}":{{}}' for name, _ in writers), ',"custom":{}}'])

        def write(row: Row | None, identity: str, number: int, links: str) -> str:
            if row is None:
                return empty % (identity, number)
            return template % (identity, number, *[each(row, identity) for each in functions], custom(row), links)

        return write

    def _part_writer(
        self, records: Records, entity: Entity, shape: Shape, part: Part, wanted: Wanted, prefix: str, place: int
    ) -> Callable[[Row, str], str]:
        find = part_rows(records, part, shape)
        offset = place << (8 if prefix else 12)
        if part.many and wanted.select is not None and part.name not in wanted.select:
            return lambda row, identity: "[]"
        write = self._plan(records, entity, SHAPES[part.shape], wanted.under(part), f"{prefix}{part.name}/")
        if not part.many:

            def linked(row: Row, identity: str) -> str:
                inner = find(row) or None
                own = inner.get("id") if inner else None
                return write(inner, own or nested_identity(identity, offset), 1, "")

            return linked

        def details(row: Row, identity: str) -> str:
            lines = enumerate(find(row), 1)
            texts = [write(one, one.get("id") or nested_identity(identity, offset + n), n, "") for n, one in lines]
            return f"[{','.join(texts)}]"

        return details


def _field_writer(read: Callable[[Row], Any], text: Callable[[Any], str]) -> Callable[[Row, str], str]:
    def write(row: Row, _identity: str) -> str:
        value = read(row)
        return "{}" if value is None or value == "" else '{"value":' + text(value) + "}"

    return write


def _refuse_unknown(shape: Shape, wanted: Wanted) -> None:
    since = release(wanted.version)
    fields = {name for name, field in shape.fields.items() if field.since <= since}
    parts = {name for name, part in shape.parts.items() if part.since <= since}
    for name in wanted.expand:
        if name not in parts and name != "files":
            raise unknown_field(name)
    for name, branch in (wanted.select or {}).items():
        allowed = parts if branch else fields | parts | shape.unmapped | {""}
        if name not in allowed:
            raise unknown_field(name)


def _own(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(path for path in paths if "/" not in path)


def _custom_writer(records: Records, entity: Entity, paths: tuple[str, ...]) -> Callable[[Row], str]:
    own = _own(paths)
    if not own:
        return lambda row: "{}"
    found = [(path.partition("."), *screen_field(records, entity, path)) for path in own]

    def write(row: Row) -> str:
        views: dict[str, list[str]] = {}
        for (view, _, name), kind, read in found:
            value = read(row)
            text = "" if value is None or value == "" else f',"value":{_WRITERS[kind](value)}'
            views.setdefault(view, []).append(f'{quoted(name)}:{{"type":"{_CUSTOM_TYPES[kind]}"{text}}}')
        return "{" + ",".join(f"{quoted(view)}:{{{','.join(fields)}}}" for view, fields in views.items()) + "}"

    return write


def page_text(rendering: Rendering, rows: Iterable[Row]) -> bytes:
    """A list answer: a bare JSON array."""
    return f"[{','.join(rendering.row(row, number) for number, row in enumerate(rows, 1))}]".encode()
