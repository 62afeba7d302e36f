"""What a site answers: which call means what, lists, single records, `PUT` and the schema of custom fields."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import attrs

from ._acumatica_access import Access, Site
from ._acumatica_data import Records, Row, is_identity
from ._acumatica_errors import Refusal, cannot_optimize, failure, html_page, no_entity, plain
from ._acumatica_filter import compile_filter
from ._acumatica_rows import Names, Rendering, Wanted, page_text
from ._acumatica_tables import ENTITIES, Entity, Shape, release
from ._acumatica_write import Writer, writable
from ._server import FakeServer, Reply, Request

__all__ = ["AcumaticaSite", "to_millisecond"]

_JSON = {"Content-Type": "application/json; charset=utf-8"}
_CUSTOM_TYPES = {"S": "String", "B": "Boolean", "D": "Decimal", "T": "DateTime", "I": "Int"}


class AcumaticaSite(FakeServer):
    """The HTTP side of `FakeAcumatica`: one instance under its folder, with records, sessions and versions."""

    def __init__(
        self,
        account: Site,
        *,
        folder: str,
        versions: Sequence[str],
        clock: Callable[[], datetime],
        seats: int,
        latency: float,
    ) -> None:
        super().__init__(latency=latency)
        self.site = folder.strip("/")
        self.versions = tuple(versions)
        self.clock = clock
        self.crm = True
        self.bare_listing = False
        self.cannot_optimize: dict[str, list[str]] = {}
        self.forbidden: set[str] = set()
        self._access = Access(account, seats, clock)
        self._records = Records(self._present)
        self._writer = Writer(self._records)
        self._renderings: dict[tuple[Any, ...], Rendering] = {}

    def _present(self) -> datetime:
        return to_millisecond(self.clock())

    @property
    def base_url(self) -> str:
        """The instance root, site folder included; no slash at the end."""
        return f"{self.url}/{self.site}" if self.site else self.url

    def handle(self, request: Request) -> Reply:
        try:
            reply = self._route(request)
        except Refusal as refusal:
            reply = refusal.reply
        stamp = format_datetime(self.clock().astimezone(UTC), usegmt=True)
        return attrs.evolve(reply, headers={**reply.headers, "Date": stamp})

    def _route(self, request: Request) -> Reply:
        if request.method in {"POST", "PUT"} and "content-length" not in request.headers:
            return html_page(411, "Length Required")
        path = request.path.strip("/")
        inside = path.removeprefix(self.site).lstrip("/") if self.site else path
        if self.site and path.partition("/")[0] != self.site:
            return html_page(404, "404 - File or directory not found.")
        call = (request.method, inside)
        plain_calls: dict[tuple[str, str], Callable[[], Reply]] = {
            ("GET", "entity"): self._listing,
            ("POST", "entity/auth/login"): lambda: self._access.log_in(request),
            ("POST", "entity/auth/logout"): lambda: self._access.log_out(request),
            ("POST", "identity/connect/token"): lambda: self._access.token(request),
            ("POST", "identity/connect/revocation"): lambda: self._access.revoke(request),
            ("GET", "identity/connect/authorize"): lambda: self._access.authorize(request),
            ("GET", "identity/.well-known/openid-configuration"): lambda: self._access.discovery(self.base_url),
        }
        if call in plain_calls:
            return plain_calls[call]()
        parts = inside.split("/")
        if parts[0] != "entity" or len(parts) < 4:
            return html_page(404, "404 - File or directory not found.")
        cookies = self._access.admit(request)
        reply = self._entity_call(request, parts[1], parts[2], parts[3:])
        standing = ("Locale=Culture=en-US&TimeZone=GMTM0800A; path=/", "UserBranch=16; path=/")
        return attrs.evolve(reply, cookies=(*cookies, *standing))

    def _listing(self) -> Reply:
        """The built-in endpoints; needs no sign-in."""
        folder = f"/{self.site}" if self.site else ""
        rows = [
            {"name": name, "version": version, "href": f"{folder}/entity/{name}/{version}/"}
            for name, version in [
                *(("Default", version) for version in self.versions),
                ("eCommerce", self.versions[-1]),
            ]
        ]
        if self.bare_listing:
            return Reply(200, rows)
        build = f"{release(max(self.versions, key=release)) + 1}.101.0213"
        return Reply(200, {"version": {"acumaticaBuildVersion": build, "databaseVersion": build}, "endpoints": rows})

    def _entity_call(self, request: Request, endpoint: str, version: str, rest: list[str]) -> Reply:
        entity = ENTITIES.get(rest[0])
        if endpoint != "Default" or version not in self.versions or entity is None:
            raise plain(404, "No HTTP resource was found that matches the request URI.")
        if entity.name in self.forbidden or (entity.name == "Contact" and not self.crm):
            raise Refusal(
                Reply(403, failure(f"You have insufficient rights to access the object ({entity.screen}).").reply.body)
            )
        key = [part for part in "/".join(rest[1:]).replace("|", "/").split("/") if part]
        if request.method == "GET" and key == ["$adHocSchema"]:
            return self._schema(entity, version)
        if request.method == "GET":
            return self._one(request, entity, version, key) if key else self._list(request, entity, version)
        if request.method == "PUT" and not key and writable(entity.name):
            row = self._writer.put(entity, version, request)
            return self._record(request, entity, version, row)
        raise plain(405, f"The requested resource does not support http method '{request.method}'.")

    def _rendering(self, request: Request, entity: Entity, version: str) -> Rendering:
        """Plans are kept: the same request comes once for every page."""
        query = request.query
        asked = (query.get("$select"), query.get("$expand"), query.get("$custom"))
        own_fields = len(self._records.custom_fields.get(entity.name, ()))
        place = (entity.name, version, own_fields, *asked)
        if place not in self._renderings:
            if len(self._renderings) > 256:
                self._renderings.clear()
            self._renderings[place] = Rendering(self._records, entity, Wanted.of(version, query))
        return self._renderings[place]

    def _list(self, request: Request, entity: Entity, version: str) -> Reply:
        query = request.query
        rendering = self._rendering(request, entity, version)
        text = query.get("$filter", "").strip()
        names = Names(self._records, entity, version)
        test = compile_filter(text, names) if text else None
        self._check_optimizer(entity, [*rendering.touched, *names.touched])
        ordered = self._records.in_key_order(entity.name)
        rows = ordered
        if test is not None:
            place = f"filter {entity.name} {version} {text}"
            rows = self._records.cached(place, lambda: [row for row in ordered if test(row) is True])
        start = _whole_number(query, "$skip", 0)
        stop = start + _whole_number(query, "$top", len(rows))
        return Reply(200, page_text(rendering, itertools.islice(rows, start, stop)), _JSON)

    def _check_optimizer(self, entity: Entity, touched: Collection[str]) -> None:
        blocked = [
            path
            for path in self.cannot_optimize.get(entity.name, [])
            if any(one == path or one.startswith(f"{path}/") for one in touched)
        ]
        if blocked:
            raise cannot_optimize(blocked)

    def _one(self, request: Request, entity: Entity, version: str, key: list[str]) -> Reply:
        if len(key) == 1 and is_identity(key[0]):
            row = self._records.by_identity(entity.name).get(key[0].lower())
        elif len(key) != len(entity.keys):
            raise no_entity()
        else:
            row = self._records.by_folded_key(entity.name).get(tuple(part.strip().casefold() for part in key))
        if row is None:
            raise no_entity()
        return self._record(request, entity, version, row)

    def _record(self, request: Request, entity: Entity, version: str, row: Row) -> Reply:
        folder = f"/{self.site}" if self.site else ""
        link = f"{folder}/entity/Default/{version}/{entity.name}/{row['id']}"
        links = f',"_links":{{"self":"{link}","files:put":"{link}/files/{{filename}}"}}'
        return Reply(200, self._rendering(request, entity, version).row(row, 1, links).encode(), _JSON)

    def _schema(self, entity: Entity, version: str) -> Reply:
        """`$adHocSchema`: the contract fields, and the site's own ones under `custom`."""
        custom: dict[str, dict[str, Any]] = {}
        for path, kind in self._records.custom_fields.get(entity.name, {}).items():
            view, _, name = path.partition(".")
            custom.setdefault(view, {})[name] = {"type": f"Custom{_CUSTOM_TYPES.get(kind, 'String')}Field"}
        return Reply(200, {"id": None, "note": None, **_empty_fields(entity.shape, version), "custom": custom})


def _empty_fields(shape: Shape, version: str) -> dict[str, Any]:
    return {name: {} for name, field in shape.fields.items() if field.since <= release(version)}


def _whole_number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise failure(f"Invalid value '{text}' for {name} query option found.", "Microsoft.Data.OData.ODataException")
    return int(text)


def to_millisecond(moment: datetime) -> datetime:
    """The database keeps no more than milliseconds."""
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)
