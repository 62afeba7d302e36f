"""How the rows of an entity are read of a schema: which properties hold its fields, and what is asked for besides."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping

import attrs

from ...errors import ContractError
from ...retry import RetryPolicy
from .._settings import require
from ._api import ENTITIES, SYSTEM, Entity, EntityName, Join, Known, StampKind
from ._graphql_names import LINES, NODES
from ._graphql_places import Atlas, Place, Step
from ._graphql_schema import Kind, Node, Schema

__all__ = ["Beside", "Field", "LinesPlan", "Names", "Plan", "Planner"]

log = logging.getLogger("mlconnector_sdk.sources.sagex3")

Names = Mapping[EntityName, Mapping[str, str]]
"""The site's names of properties, by entity and field code; `""` leaves a field out."""

_PATH = re.compile(r"(\w+(\.\w+)*)?")
_OPTIONAL_KEY = "BPATYP"
"""Nodes of addresses and contacts that belong to partners alone have none."""

_DAYS = frozenset({"UPDDAT", "CREDAT"})
_LINE_NEEDS = {"ITMREF": "ITMREF", "QTY": "QTY", "AMTNOTLIN|NETPRINOT|NETPRI": "NETPRI"}


@attrs.frozen
class Field:
    """A field code, and where its value is; in several places it occurs several times."""

    code: str
    places: tuple[Place, ...]

    @property
    def is_plain(self) -> bool:
        """Whether there is one value at the most."""
        return len(self.places) == 1 and not self.places[0].is_many


@attrs.frozen(kw_only=True)
class LinesPlan:
    """The lines of a document; `order` is the property that numbers them."""

    name: str
    step: Step
    fields: tuple[Field, ...]
    order: str = ""


@attrs.frozen(kw_only=True)
class Beside:
    """A table to which no reference leads: its rows are asked for by key."""

    join: Join
    entity: Entity


@attrs.frozen(kw_only=True)
class Plan:
    """How an entity is read.

    Attributes:
        lacking: what is needed and not there, said for people; `""` where nothing is.
    """

    entity: Entity
    node: Node
    fields: tuple[Field, ...]
    lines: LinesPlan | None
    beside: tuple[Beside, ...]
    known: Known
    lacking: str = ""

    def place(self, code: str) -> Place | None:
        """Where one of its fields is."""
        return next((field.places[0] for field in self.fields if field.code == code), None)


class Planner:
    """Makes plans, each once.

    Args:
        names: see `Names`.

    Raises:
        ConfigurationError: names of an entity that there is not, or that are none.
    """

    def __init__(self, schema: Schema, names: Names) -> None:
        strangers = sorted(set(names) - set(ENTITIES))
        known = ", ".join(ENTITIES)
        require(not strangers, f"properties names {', '.join(strangers)}: there are {known}", system=SYSTEM)
        for entity, given in names.items():
            wrong = sorted(code for code, path in given.items() if not _PATH.fullmatch(path))
            require(
                not wrong,
                f"properties[{entity!r}] names no property for {', '.join(wrong)}: write it as code.companyName1",
                system=SYSTEM,
            )
        self._schema = schema
        self._names = names
        self._plans: dict[tuple[str, ...], Plan] = {}

    def plan(self, entity: Entity, *, retry: RetryPolicy | None = None) -> Plan:
        """How an entity is read.

        Raises:
            ContractError: the service has no such node.
        """
        place = (entity.name, *entity.fields, "needed", *entity.needed, "stamps", *entity.stamps)
        if place not in self._plans:
            node = self._schema.node(entity.table, retry=retry)
            draft = _Draft(entity, node, Atlas(self._schema, retry), self._names)
            self._plans[place] = draft.plan()
        return self._plans[place]


class _Draft:
    """One plan in the making."""

    def __init__(self, entity: Entity, node: Node, atlas: Atlas, names: Names) -> None:
        self._entity = entity
        self._node = node
        self._atlas = atlas
        self._names = names
        self._kind = atlas.kind(node.kind)
        self._lacking: list[str] = []
        self._omitted: set[str] = set()

    def plan(self) -> Plan:
        entity = self._entity
        fields = {code: places for code in self._own_codes() if (places := self._own(code))}
        beside: list[Beside] = []
        for join in entity.joins:
            found = self._joined(join)
            if found is None:
                beside += self._by_key(join, fields)
            else:
                fields |= found
        lines = self._lines() if entity.lines[0] else None
        shown = {*fields, *(f"{one.join.table}.{field}" for one in beside for field in one.entity.fields)}
        self._demand(shown)
        return Plan(
            entity=entity,
            node=self._node,
            fields=tuple(Field(code, tuple(places)) for code, places in fields.items()),
            lines=lines,
            beside=tuple(beside),
            known=Known(fields=frozenset(shown), stamps=self._stamps(fields), note=str(self._node)),
            lacking="; ".join(self._lacking),
        )

    def _own_codes(self) -> Iterable[str]:
        entity = self._entity
        tables = {join.table for join in entity.joins}
        needed = [name for names in entity.needed for name in names.split("|") if name.partition(".")[0] not in tables]
        stamps = [stamp for stamp in entity.stamps if not stamp.startswith("$")]
        return dict.fromkeys((*entity.keys, *entity.fields, *entity.vital, *needed, *stamps))

    def _own(self, code: str) -> list[Place]:
        given = self._given(self._entity.name, code)
        if given is not None:
            return self._as_given(self._kind, code, given)
        if "." in code:
            return [] if (place := self._atlas.walk(self._kind, code)) is None else [place]
        return self._atlas.places(self._kind, self._entity.table, code)

    def _given(self, entity: EntityName, code: str) -> str | None:
        return self._names.get(entity, {}).get(code)

    def _as_given(self, kind: Kind, code: str, path: str) -> list[Place]:
        if not path:
            self._omitted.add(code)
            return []
        place = self._atlas.walk(kind, path)
        if place is None:
            self._lacking.append(f"{self._node} has no {path}, which properties names for {code}")
            return []
        return [place]

    # -- beside -----------------------------------------------------------------------------------------------------

    def _joined(self, join: Join) -> dict[str, list[Place]] | None:
        """The fields of another table's row to which a reference leads; `None` where none does."""
        sources = [source for source in join.on.values() if isinstance(source, str)]
        own = self._given(self._entity.name, sources[-1]) or ""
        found = self._atlas.reference(self._kind, self._entity.table, sources[-1], given=own)
        if found is None:
            return None
        step, kind = found
        steps: tuple[Step, ...] = (step,)
        key = list(join.on)[-1]
        # A document or a customer refers to the person at a partner, who refers to the person.
        if join.table == "CONTACTCRM" and (further := self._atlas.reference(kind, join.table, key)) is not None:
            steps, kind = (step, further[0]), further[1]
        fields: dict[str, list[Place]] = {}
        for code in self._join_codes(join):
            full = f"{join.table}.{code}"
            given = self._given(self._entity.name, full)
            if given is not None:
                places = self._as_given(self._kind, full, given)
            elif (theirs := self._given(_entity_of(join.table), code)) is not None:
                places = [one.behind(steps) for one in self._as_given(kind, full, theirs)]
            else:
                places = [one.behind(steps) for one in self._atlas.places(kind, join.table, code)]
            if places:
                fields[full] = places
        return fields

    def _join_codes(self, join: Join) -> tuple[str, ...]:
        prefix = f"{join.table}."
        needed = [name.removeprefix(prefix) for names in self._entity.needed for name in names.split("|")
                  if name.startswith(prefix)]  # fmt: skip
        return tuple(dict.fromkeys((*join.fields, *needed)))

    def _by_key(self, join: Join, own: Mapping[str, object]) -> list[Beside]:
        sources = {source for source in join.on.values() if isinstance(source, str)}
        if not join.vital or set(join.marks) <= set(own) or join.table not in NODES or not sources <= set(own):
            return []
        entity = attrs.evolve(
            ENTITIES[_entity_of(join.table)],
            keys=tuple(join.on),
            fields=self._join_codes(join),
            vital=(),
            needed={},
            joins=(),
            stamps=(),
        )
        try:
            node = self._atlas.schema.node(join.table, retry=self._atlas.retry)
        except ContractError as error:
            log.warning(
                "sagex3 reads nothing of %s: %s", join.table, error.message,
                extra={"mlc_system": SYSTEM, "mlc_entity": join.table},
            )  # fmt: skip
            return []
        plan = _Draft(entity, node, self._atlas, self._names).plan()
        if any(plan.place(key) is None for key, source in join.on.items() if isinstance(source, str)):
            return []
        fields = tuple(code for code in entity.fields if plan.place(code) is not None)
        return [Beside(join=join, entity=attrs.evolve(entity, fields=fields))]

    # -- lines ------------------------------------------------------------------------------------------------------

    def _lines(self) -> LinesPlan | None:
        name, codes = self._entity.lines
        given = self._given(self._entity.name, name)
        if given == "":
            return None
        found = self._atlas.collection(self._kind, given or LINES)
        if found is None:
            self._lacking.append(
                f"{self._node} has no collection {given or LINES}: properties={{{self._entity.name!r}: {{{name!r}: "
                "'…'}} names the one with its lines, '' does without them"
            )
            return None
        step, kind = found
        fields: dict[str, list[Place]] = {}
        for code in codes:
            own = self._given(self._entity.name, f"{name}.{code}")
            full = f"{name}.{code}"
            places = self._atlas.places(kind, name, code) if own is None else self._as_given(kind, full, own)
            if places:
                fields[code] = places
        self._demand_of_lines(name, fields)
        number = fields.get(codes[0], [])
        order = number[0].leaves[0] if number and not number[0].steps else ""
        plain = tuple(Field(code, tuple(places)) for code, places in fields.items())
        return LinesPlan(name=name, step=step, fields=plain, order=order)

    def _demand_of_lines(self, name: str, fields: Mapping[str, object]) -> None:
        for codes, usual in _LINE_NEEDS.items():
            wanted = codes.split("|")
            if not self._omitted.isdisjoint(f"{name}.{code}" for code in wanted):
                continue
            if fields.keys().isdisjoint(wanted):
                self._lacking.append(
                    f"{self._unnamed(f'{name}.{usual}', f'lines of {self._node}')}, '' does without it"
                )

    # -- what is needed ---------------------------------------------------------------------------------------------

    def _demand(self, shown: set[str]) -> None:
        entity = self._entity
        cures = {**dict.fromkeys(entity.vital, ""), **entity.needed}
        cures |= {key: "" for key in entity.keys if key != _OPTIONAL_KEY}
        for names, cure in cures.items():
            wanted = names.split("|")
            if shown.isdisjoint(wanted) and self._omitted.isdisjoint(wanted):
                more = f"; {cure}" if cure else ", '' does without it" if wanted[0] in entity.vital else ""
                self._lacking.append(self._unnamed(wanted[0], str(self._node)) + more)

    def _unnamed(self, code: str, where: str) -> str:
        return (
            f"{where} ({self._node.era}) has no property for {code}: name it with properties={{"
            f"{self._entity.name!r}: {{{code!r}: '…'}}}}"
        )

    def _stamps(self, fields: Mapping[str, list[Place]]) -> dict[str, StampKind]:
        found: dict[str, StampKind] = {}
        for name in self._entity.stamps:
            places = fields.get(name)
            if places:
                leaf = self._kind.properties.get(places[0].leaves[0])
                found[name] = "day" if (leaf and leaf.type == "Date") or name in _DAYS else "moment"
        return found


def _entity_of(table: str) -> EntityName:
    """What settings call a table."""
    return NODES[table][0]
