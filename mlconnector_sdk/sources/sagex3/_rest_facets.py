"""What api1's facets have, and how the rows of an entity become whole with it."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import attrs

from ...errors import ContractError, PermissionDeniedError, RecordError
from ...retry import RetryPolicy
from ._api import SYSTEM, Entity, Join, Known, StampKind
from ._api1 import Facet, details_path, list_path, listed_in, prototype_path, types_in
from ._rest_session import RestSession
from ._views import View, Views

__all__ = ["Facets", "JoinPlan", "Plan"]

log = logging.getLogger("mlconnector_sdk.sources.sagex3")

_ETAG = "$etag"
_DAYS = frozenset({"UPDDAT", "CREDAT"})


@attrs.frozen(kw_only=True)
class JoinPlan:
    """How a table beside an entity is read: by lists of it, or each record by its key."""

    join: Join
    view: View
    by_list: bool


@attrs.frozen(kw_only=True)
class Plan:
    """How rows become whole.

    Attributes:
        details: each record is read by its key.
    """

    view: View
    known: Known
    details: bool
    joins: tuple[JoinPlan, ...]


@attrs.frozen(kw_only=True)
class Facets:
    """Asks what facets have, once for each."""

    session: RestSession
    views: Views
    _types: dict[tuple[str, Facet], Mapping[str, str]] = attrs.field(factory=dict, init=False)
    _plans: dict[tuple[str, ...], Plan] = attrs.field(factory=dict, init=False)

    def plan(self, entity: Entity, *, retry: RetryPolicy | None) -> Plan:
        """How the rows of an entity become whole; worked out once."""
        place = (entity.name, *entity.needed, *entity.stamps)
        plan = self._plans.get(place)
        if plan is None:
            plan = self._planned(entity, retry)
            # Without descriptions and without rows nothing is known yet.
            if plan.known.fields is not None:
                self._plans[place] = plan
        return plan

    def _planned(self, entity: Entity, retry: RetryPolicy | None) -> Plan:
        view = self.views.of(entity.table)
        listed = self._facet(view, "$query", entity.keys, retry)
        own = {code for names in entity.needed for code in names.split("|") if "." not in code}
        vital = {*entity.vital, *own}
        missing = {code for code in vital if code not in listed}
        wanted = [join for join in entity.joins if not set(join.marks) <= set(listed)]
        missing |= {source for join in wanted if join.vital for source in _sources(join) if source not in listed}
        detailed: Mapping[str, str] = {}
        if missing or entity.lines[0]:
            detailed = self._facet(view, "$details", entity.keys, retry)
        details = not missing.isdisjoint(detailed)
        # Documents are read by their key for their lines as well, where lists do not have them.
        flat = {*listed, *(detailed if details or entity.lines[0] else ())}
        joins = [self._join(join, retry) for join in wanted if set(_sources(join)) <= flat]
        found = [one for one in joins if one is not None]
        stamps: dict[str, StampKind] = {
            name: _kind(name, listed) for name in entity.stamps if name in listed or name == _ETAG
        }
        beside = {f"{one.join.table}.{field}" for one in found for field in self._shown(one)}
        fields = frozenset({*flat, *beside}) if listed else None
        known = Known(fields=fields, stamps=stamps, note=str(view))
        return Plan(view=view, known=known, details=details, joins=tuple(found))

    def _join(self, join: Join, retry: RetryPolicy | None) -> JoinPlan | None:
        """How a table beside is read; `None` where it cannot be."""
        view = self.views.of(join.table)
        try:
            listed = self._facet(view, "$query", tuple(join.on), retry)
            told = {*join.fields} & {*listed}
            by_list = {*join.on} <= {*listed} and bool(told) and {*join.marks} & {*join.fields} <= told
            if not by_list:
                self._facet(view, "$details", tuple(join.on), retry)
        except (ContractError, PermissionDeniedError) as error:
            log.warning(
                "sagex3 reads nothing of %s: %s",
                view,
                error.message,
                extra={"mlc_system": SYSTEM, "mlc_entity": join.table},
            )
            return None
        return JoinPlan(join=join, view=view, by_list=by_list)

    def _shown(self, plan: JoinPlan) -> set[str]:
        shown = self._types.get((str(plan.view), "$query" if plan.by_list else "$details"))
        return {field for field in plan.join.fields if shown is None or field in shown}

    def _facet(self, view: View, facet: Facet, keys: tuple[str, ...], retry: RetryPolicy | None) -> Mapping[str, str]:
        """Field codes of a facet and their types; from a row where the server does not describe its facets."""
        place = (str(view), facet)
        if place not in self._types:
            operation = f"GET $prototypes {view}.{facet}"
            path = prototype_path(view.representation, facet)
            types: Mapping[str, str]
            try:
                types = types_in(self.session.get(path, operation, retry=retry)[0])
            except (ContractError, RecordError):
                types = self._of_a_row(view, facet, keys, retry)
            if not types:
                return {}
            ours = {theirs: code for code, theirs in view.names.items()}
            self._types[place] = {ours.get(name, name): kind for name, kind in types.items()}
        return self._types[place]

    def _of_a_row(
        self, view: View, facet: Facet, keys: tuple[str, ...], retry: RetryPolicy | None
    ) -> Mapping[str, str]:
        path = list_path(view.class_name, view.representation, count=1)
        body, _ = self.session.get(path, f"GET {view}.$query", retry=retry)
        rows = [view.renamed(row) for row in listed_in(body).rows[:1]]
        if not rows:
            return {}
        if facet == "$details":
            path = details_path(view.class_name, view.representation, [rows[0].get(key, "") for key in keys])
            try:
                body, _ = self.session.get(path, f"GET {view}.$details", retry=retry)
            except RecordError:
                return {}
            rows = [view.renamed(body)]
        return types_in(rows[0])


def _sources(join: Join) -> list[str]:
    return [value for value in join.on.values() if isinstance(value, str)]


def _kind(name: str, types: Mapping[str, str]) -> StampKind:
    told = types.get(name, "")
    return "day" if told.endswith("x-date") or (not told and name in _DAYS) else "moment"
