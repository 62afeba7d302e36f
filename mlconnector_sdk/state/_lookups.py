"""The questions a run asks for every page: links, what was seen, suppressions, of hundreds of records at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Column,
    ColumnElement,
    String,
    any_,
    bindparam,
    func,
    literal_column,
    select,
)

from .._json import json_bytes
from ..models import HIDDEN
from ._rows import (
    LINK_COLUMNS,
    MARK_COLUMNS,
    PARTY_STREAMS,
    SEEN_COLUMNS,
    SUPPRESSION_COLUMNS,
    is_keepable,
)
from ._schema import Tables

__all__ = ["LookUps", "columns_of"]


class LookUps:
    """The statements, built once so that SQLAlchemy finds them compiled.

    Attributes:
        among: makes of some names what the parameter `names` of a statement takes.
    """

    def __init__(self, tables: Tables, dialect: str) -> None:
        is_among, self.among = _WAYS.get(dialect, (_is_one_of, list))
        pipeline: BindParameter[str] = bindparam("pipeline")
        stream: BindParameter[str] = bindparam("stream")
        links, marks, suppressions = tables.links.c, tables.marks.c, tables.suppressions.c
        by_key = (links.pipeline == pipeline, links.stream == stream, is_among(links.key))
        self.links = select(*columns_of(links, LINK_COLUMNS)).where(*by_key)
        self.seen = select(*columns_of(links, SEEN_COLUMNS)).where(*by_key, links.seen != "")
        self.links_to = select(*columns_of(links, LINK_COLUMNS)).where(
            links.pipeline == pipeline, is_among(links.address), links.stream.in_(PARTY_STREAMS)
        )
        self.mark = select(*columns_of(marks, MARK_COLUMNS)).where(marks.pipeline == pipeline, marks.stream == stream)
        suppressed = select(*columns_of(suppressions, SUPPRESSION_COLUMNS)).where(suppressions.pipeline == pipeline)
        self.suppressions = suppressed.where(is_among(suppressions.address))
        after = HIDDEN[:-1] + chr(ord(HIDDEN[-1]) + 1)
        self.hidden = suppressed.where(suppressions.address >= HIDDEN, suppressions.address < after).limit(1)


def columns_of(columns: Any, names: Sequence[str]) -> list[Column[Any]]:
    """The columns of a row as `_rows` reads it: all but the pipeline."""
    return [columns[name] for name in names[1:]]


# To bind one parameter for each of 500 names costs SQLAlchemy and the driver more than the database needs to answer:
# where a database takes them as one, they go as one.


def _is_one_of(column: Column[str]) -> ColumnElement[bool]:
    return column.in_(bindparam("names", expanding=True))


def _is_in_json(column: Column[str]) -> ColumnElement[bool]:
    every = func.json_each(bindparam("names", type_=String)).table_valued("value")
    return column.in_(select(literal_column("value")).select_from(every))


def _is_in_array(column: Column[str]) -> ColumnElement[bool]:
    return column == any_(bindparam("names", type_=ARRAY(String)))


def _as_json(names: Sequence[str]) -> str:
    return json_bytes(_keepable(names)).decode()


def _keepable(names: Sequence[str]) -> list[str]:
    """Names that no row can have are not found."""
    if is_keepable("".join(names)):
        return list(names)
    return [name for name in names if is_keepable(name)]


_WAYS: dict[str, tuple[Callable[[Column[str]], ColumnElement[bool]], Callable[[Sequence[str]], Any]]] = {
    "sqlite": (_is_in_json, _as_json),
    "postgresql": (_is_in_array, _keepable),
}
