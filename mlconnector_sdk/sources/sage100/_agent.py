"""Sage 100 through the agent that runs beside it and hands out its business objects as JSON."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from hashlib import blake2b
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import attrs

from ..._http import HttpClient
from ..._secret import Secret, not_empty, revealed
from ..._trust import is_exposed
from ...auth import OAuth2Token, TokenFlow
from ...errors import (
    AuthenticationError,
    ConfigurationError,
    ContractError,
    RecordError,
    RecordRejectedError,
    UnavailableError,
)
from ...models import CheckResult
from ...network import Network
from ...protocols import Clock, WaitListener
from ...retry import RetryPolicy
from .._base import placed
from .._checks import ONCE, UnwellError, tried
from .._paging import cursor_pages
from .._settings import require
from .._values import Row
from ._agent_errors import ONE_CUSTOMER, STALE, CursorExpiredError, judged, token_refused
from ._api import (
    CUSTOMER,
    CUSTOMER_CONTACT,
    GL_ACCOUNT,
    INVOICE_HISTORY,
    ORDER_HISTORY,
    SALES_ORDER,
    SYSTEM,
    VENDOR,
    Key,
    KnownKeys,
    Table,
)
from ._stamps import Stamp, moment_of, stamp_at, wall_of

__all__ = ["AgentTables", "Sage100Agent"]

log = logging.getLogger("mlconnector_sdk.sources.sage100")

_BASE_PATH = "/sage100/v1"
_PATHS = {
    CUSTOMER.name: "customers",
    CUSTOMER_CONTACT.name: "customer-contacts",
    VENDOR.name: "vendors",
    SALES_ORDER.name: "sales-orders",
    ORDER_HISTORY.name: "sales-order-history",
    INVOICE_HISTORY.name: "invoice-history",
    GL_ACCOUNT.name: "gl-accounts",
}

_LONGEST_QUERY = 1900
"""IIS refuses a query string of more than 2,048 characters unless set up otherwise."""

_MOST_KEYS = 100
_BEGINNINGS = 3
"""How often a listing is begun before it is given up."""

_READINGS = 4
"""How often a customer is read that somebody else keeps changing."""

_NOBODY = "~"
"""No key in Sage 100 has a tilde."""


def _with_path(url: str) -> str:
    """A bare host means the agent's usual path there."""
    text = url.rstrip("/")
    return text + _BASE_PATH if text.count("/") == 2 else text


@attrs.frozen
class Sage100Agent:
    """Where the agent is, and the token it knows us by. The Sage 100 user and password stay with the agent.

    Args:
        url: of the agent, `https://erp.example.com/sage100/v1`; a bare host means just that.
        token: one of the tokens in the agent's settings.
        page_size: records to ask for at once, 1,000 at most.
        timeout: seconds to wait for an answer. The first one of a listing takes a scan of the whole table.
        network: whom to trust, and how much of an answer is read. Its `allow_http` lets token and data go unencrypted;
            that is needed for other machines only.

    Raises:
        ConfigurationError: the address begins with http and leads to another machine.

    Example:
        >>> Sage100Agent("https://erp.example.com", token="secret")
        Sage100Agent(url='https://erp.example.com/sage100/v1')
    """

    url: str = attrs.field(converter=_with_path)
    token: str | Secret = attrs.field(kw_only=True, repr=False, validator=not_empty)
    page_size: int = attrs.field(
        default=250, kw_only=True, repr=False, validator=[attrs.validators.ge(1), attrs.validators.le(1000)]
    )
    timeout: float = attrs.field(default=300.0, kw_only=True, repr=False, validator=attrs.validators.gt(0))
    network: Network = attrs.field(factory=Network, kw_only=True, repr=False)

    def __attrs_post_init__(self) -> None:
        require(
            self.network.allow_http or not is_exposed(self.url),
            "the agent's address must begin with https://: the token and customers' data would travel unencrypted "
            "(network=Network(allow_http=True) if that is wanted)",
            system=SYSTEM,
        )

    def connect(self, *, company: str, zone: ZoneInfo, retry: RetryPolicy) -> AgentTables:
        """The live connection to one company; nothing is sent yet."""
        return AgentTables(self, company=company, zone=zone, retry=retry)


@attrs.frozen
class _GivenToken:
    """The token as it was given, or as it stands where it is kept: there it may have been replaced meanwhile."""

    token: str | Secret = attrs.field(repr=False)

    def obtain(self, previous: OAuth2Token | None) -> OAuth2Token:
        found = OAuth2Token(access_token=revealed(self.token))
        if found == previous:
            raise token_refused("")
        return found


class AgentTables:
    """Tables of one company through the agent, one request at a time."""

    tables = frozenset(_PATHS)

    def __init__(self, api: Sage100Agent, *, company: str, zone: ZoneInfo, retry: RetryPolicy) -> None:
        self._company = company
        self._zone = zone
        self._page_size = api.page_size
        self._http = HttpClient(
            SYSTEM,
            api.url,
            judge=judged,
            auth=TokenFlow(_GivenToken(api.token), system=SYSTEM),
            timeout=api.timeout,
            retry=retry,
            max_connections=1,
            network=api.network,
        )
        self._refusal: AuthenticationError | None = None
        self._lacking: dict[str, tuple[str, ...]] = {}

    @property
    def address(self) -> str:
        return f"{self._http.base_url} {self._company}"

    @property
    def request_count(self) -> int:
        return self._http.request_count

    def attach(self, *, retry: RetryPolicy | None, on_wait: WaitListener | None, clock: Clock | None) -> None:
        """Take over an engine's wishes."""
        self._http.retry = retry or self._http.retry
        self._http.on_wait = on_wait

    def attach_keys(self, known: KnownKeys) -> None:
        """Nothing to note: the agent can list."""

    def close(self) -> None:
        """Close connections, and forget a refusal; harmless when repeated."""
        self._refusal = None
        self._http.close()

    # -- what there is ----------------------------------------------------------------------------------------------

    def now(self, *, retry: RetryPolicy | None = None) -> datetime | None:
        """The clock of the server, by its wall and what that is ahead of Greenwich."""
        with placed(SYSTEM, "GET health"):
            return self._clock_in(self._health(retry))

    def greet(self) -> Iterator[CheckResult]:
        """The agent, the company, and the zone its stamps are in."""
        found: dict[str, Any] = {}

        def agent() -> str:
            found.update(self._health(ONCE))
            return _at_ease(found)

        yield tried(SYSTEM, "agent and token", agent)
        yield tried(SYSTEM, f"company {self._company}", self._company_name)
        yield tried(SYSTEM, "time zone", lambda: self._same_zone(found))

    def remarks(self) -> Iterator[CheckResult]:
        """There is nothing that the agent cannot see."""
        return iter(())

    def try_out(self, table: Table, retry: RetryPolicy) -> str:
        """Ask for a key that there is not: that takes the same rights as a listing, and no scan."""
        self._page(table, {**self._columns(table), "key": _json(_NOBODY for _ in table.key)}, retry=retry)
        lacking = ", ".join(self._lacking.get(table.name, ()))
        return f"{table.name}, changes by DateUpdated and TimeUpdated{f', without {lacking}' if lacking else ''}"

    # -- reading ----------------------------------------------------------------------------------------------------

    def pages(self, table: Table, since: Stamp | None) -> Iterator[list[Row]]:
        """Every row changed at `since` or later, or all of them.

        A listing that the agent has given up is begun again, because what changed meanwhile may stand anywhere in it.

        Raises:
            UnavailableError: it is given up each time.
        """
        query = {**self._columns(table), "limit": str(self._page_size)}
        if since is not None:
            query |= {"sinceDate": since.day_text, "sinceTime": since.hours_text}
        for _ in range(_BEGINNINGS):
            try:
                yield from cursor_pages(lambda cursor: self._page(table, {"cursor": cursor} if cursor else query))
            except CursorExpiredError:
                log.info("sage100 %s: the agent gave up the listing", table.name, extra={"mlc_system": SYSTEM})
            else:
                return
        raise UnavailableError(
            "the agent gives up listings before they are read to the end: let it keep cursors longer",
            system=SYSTEM,
            operation=f"GET {_PATHS[table.name]}",
            reason="cursor_expired",
        )

    def of(self, table: Table, keys: Sequence[Key]) -> Iterator[list[Row]]:
        """The rows with these keys as they are now."""
        columns = urlencode(self._columns(table))
        batch: list[str] = []
        room = _LONGEST_QUERY - len(columns)
        for key in dict.fromkeys(keys):
            text = urlencode({"key": _json(key)})
            if batch and (len(batch) == _MOST_KEYS or room < len(text) + 1):
                yield self._page(table, "&".join([columns, *batch]))[0]
                batch, room = [], _LONGEST_QUERY - len(columns)
            batch.append(text)
            room -= len(text) + 1
        if batch:
            yield self._page(table, "&".join([columns, *batch]))[0]

    def _columns(self, table: Table) -> dict[str, str]:
        query = {"fields": ",".join((*table.columns, *table.needed))}
        return query | ({"expand": "lines", "lineFields": ",".join(table.line_columns)} if table.lines else {})

    def _page(
        self, table: Table, query: Mapping[str, str] | str, *, retry: RetryPolicy | None = None
    ) -> tuple[list[Row], str | None]:
        """Rows, and the cursor of the page behind them."""
        path = f"/companies/{self._company}/{_PATHS[table.name]}"
        text = query if isinstance(query, str) else urlencode(query)
        operation = f"GET {_PATHS[table.name]}"
        with placed(SYSTEM, operation):
            body = self._get(f"{path}?{text}", operation, retry)
            rows, cursor = body.get("records"), body.get("nextCursor")
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise ContractError("the answer is no page of records: is this the agent's address?", reason="no_page")
            if body.get("companyCode") != self._company:
                raise ContractError("the agent answers for another company", reason="other_company")
            self._notice_what_is_missing(table, body.get("missingFields"))
        for row in rows:
            row.pop("_stamp", None)
        return rows, cursor if isinstance(cursor, str) else None

    def _notice_what_is_missing(self, table: Table, names: Any) -> None:
        """Columns that a release does without; an opt-out must not vanish that way unseen."""
        missing = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
        if needed := [name for name in missing if name in table.needed]:
            raise ContractError(
                f"{table.name} has no {', '.join(needed)}: check the names in optout_field, status_field, gl_accounts "
                "and custom_fields",
                reason="unknown_column",
            )
        if missing and table.name not in self._lacking:
            self._lacking[table.name] = tuple(sorted(missing))
            log.info(
                "sage100 %s is read without %s",
                table.name,
                ", ".join(self._lacking[table.name]),
                extra={"mlc_system": SYSTEM, "mlc_table": table.name},
            )

    # -- writing ----------------------------------------------------------------------------------------------------

    def set_column(self, customer: Key, column: str, value: str) -> bool:
        """Write one column of a customer, unless it holds the value already."""
        try:
            return self._set_column(customer, column, value)
        except RecordError as error:
            raise error.about(CUSTOMER.text_of(customer)) from None

    def _set_column(self, customer: Key, column: str, value: str) -> bool:
        place = "/".join(quote(part, safe="") for part in customer)
        path = f"/companies/{self._company}/customers/{place}"
        for _ in range(_READINGS):
            row = self._get(path, f"GET {ONE_CUSTOMER}", None)
            if column not in row:
                raise ConfigurationError(
                    f"AR_Customer has no {column}: check flag_field, or make the column in Custom Office", system=SYSTEM
                )
            if str(row[column]).strip() == value:
                return False
            expected = {name: str(row.get(name) or "") for name in ("DateUpdated", "TimeUpdated")}
            change = json.dumps({"expected": expected, "set": {column: value}}, sort_keys=True).encode()
            try:
                body = self._patch(path, change)
            except RecordRejectedError as error:
                if error.reason != STALE:
                    raise
                continue
            return body.get("changed") is not False
        raise UnavailableError(
            "somebody keeps changing the customer: it is tried again later",
            system=SYSTEM,
            operation=f"PATCH {ONE_CUSTOMER}",
            reason="keeps_changing",
        )

    def _patch(self, path: str, change: bytes) -> dict[str, Any]:
        # Made of the change itself, so that a repeat has the same one.
        key = blake2b(path.encode() + b"\0" + change, digest_size=16).hexdigest()
        return self._ask(
            "PATCH",
            path,
            f"PATCH {ONE_CUSTOMER}",
            content=change,
            headers={"Content-Type": "application/json", "Idempotency-Key": key},
        )

    # -- asking -----------------------------------------------------------------------------------------------------

    def _get(self, path: str, operation: str, retry: RetryPolicy | None) -> dict[str, Any]:
        return self._ask("GET", path, operation, retry=retry)

    def _ask(self, method: str, path: str, operation: str, **more: Any) -> dict[str, Any]:
        found = self._answer(method, path, operation, **more)
        if not isinstance(found, dict):
            raise ContractError("the answer is no JSON object", system=SYSTEM, operation=operation)
        return found

    def _answer(self, method: str, path: str, operation: str, **more: Any) -> Any:
        if self._refusal is not None:
            # A fresh one each time: an exception that is raised twice collects the tracebacks of both.
            raise copy.copy(self._refusal)
        try:
            reply = self._http.request(method, path, operation=operation, **more)
        except AuthenticationError as error:
            refusal = error if error.reason == "sage_logon_failed" else token_refused(operation)
            refusal.system = SYSTEM
            self._refusal = copy.copy(refusal)
            raise refusal from None
        try:
            return reply.json(decimals=True)
        except ValueError:
            raise ContractError("the answer is no JSON", system=SYSTEM, operation=operation) from None

    def _health(self, retry: RetryPolicy | None) -> dict[str, Any]:
        return self._get("/health", "GET health", retry)

    def _clock_in(self, health: Mapping[str, Any]) -> datetime:
        now = health.get("now")
        stamp = stamp_at(now, "date", "time") if isinstance(now, dict) else None
        if stamp is None or not isinstance(now, dict):
            raise ContractError("the agent does not tell the time: install a newer one", reason="no_clock")
        offset = now.get("utcOffsetMinutes", health.get("utcOffsetMinutes"))
        if not isinstance(offset, int) or abs(offset) > 840:
            return moment_of(stamp, self._zone)
        return wall_of(stamp).replace(tzinfo=timezone(timedelta(minutes=offset))).astimezone(UTC)

    def _company_name(self) -> str:
        with placed(SYSTEM, "GET companies"):
            found = self._answer("GET", "/companies", "GET companies", retry=ONCE)
            companies = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
            name = next((one.get("CompanyName") for one in companies if one.get("CompanyCode") == self._company), None)
            if name is None:
                there = ", ".join(str(one.get("CompanyCode")) for one in companies)
                raise ConfigurationError(f"the agent has no such company: it has {there or 'none'}; check company=")
        return str(name)

    def _same_zone(self, health: Mapping[str, Any]) -> str:
        """The wall clock of the configured zone shows what the server's shows, or stamps would be misread."""
        theirs = str(health.get("timeZone") or "unknown")
        moment = self._clock_in(health)
        offset = moment.astimezone(self._zone).utcoffset()
        now = health.get("now")
        stated = now.get("utcOffsetMinutes") if isinstance(now, dict) else None
        if isinstance(stated, int) and offset != timedelta(minutes=stated):
            raise UnwellError(f"the server's zone is {theirs}, not {self._zone.key}: set timezone={theirs!r}")
        return theirs


def _at_ease(health: Mapping[str, Any]) -> str:
    problem = health.get("lastProblem")
    if isinstance(problem, dict):
        raise UnwellError(
            f"the agent has trouble with Sage 100 ({problem.get('code')}, {problem.get('count')} times in a row): see "
            "its log, and whether its user can log on"
        )
    release = " ".join(str(health[name]) for name in ("sage100Version", "edition") if health.get(name))
    return f"agent {health.get('agentVersion')}, Sage 100 {release}".strip()


def _json(parts: Any) -> str:
    return json.dumps(list(parts), separators=(",", ":"), ensure_ascii=False)
