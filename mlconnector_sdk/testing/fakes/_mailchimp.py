"""`FakeMailchimp`: the Marketing API 3.0 on loopback, strict in what it accepts and true in what it answers."""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from ._mailchimp_audience import Audience, Member, Members, digest
from ._mailchimp_batches import RESULTS_PATH, Batch, BatchResources
from ._mailchimp_commerce import Document, Shop, Store
from ._mailchimp_deliveries import Deliveries, Delivery
from ._mailchimp_lists import ListResources
from ._mailchimp_members import MemberResources
from ._mailchimp_merge import MergeField, MergeFields
from ._mailchimp_oauth import LOGIN_PATH, LoginService
from ._mailchimp_problems import Problem
from ._mailchimp_reports import ReportResources
from ._mailchimp_routes import Route, Router, method_of, project
from ._mailchimp_stores import StoreResources
from ._server import FakeServer, Reply, Request

__all__ = ["FakeMailchimp"]

_KEY = re.compile(r"[0-9a-f]{32}-([a-z]+\d+)")
_POISONS = ("schema", "fake", "signups", "server")


def _system_clock() -> datetime:
    return datetime.now(UTC)


class FakeMailchimp(FakeServer):
    """One Mailchimp account with one audience, answering over real HTTP.

    Its data is plain and may be read and changed at any time: `members`, `merge_fields`, `stores`, `forgotten`,
    `webhooks`, `batches`, `refused_domains`. `deliveries` sends webhooks, and `deliver` is the short way to it.
    `reports` holds the campaigns that `send_campaign` sent, and what people did with them.

    Args:
        api_key: the account's key; the part after `-` is its data centre.
        list_id: the id of the audience.
        double_optin: what the audience says of itself.
        role: role of the key's user; a `viewer` may not write.
        clock: gives the far system's time as an aware UTC datetime.
        latency: seconds each answer takes.
        bulk_status_if_new: what the bulk call makes of `status_if_new`: `"honour"`; `"ignore"` (the property counts
            for nothing, so a new member without `status` is an error of its own); `"refuse"` (the whole call is 400).
        max_connections: simultaneous requests before 429.
        product_put: offer `PUT` on products, as the 2026 contract does; 405 otherwise.
        check_webhook_urls: ask a webhook's URL by GET before it is saved, and refuse it unless it answers 2xx.
        webhook_signing: which new webhooks get a secret: `"always"`; `"asked"`, with `signing_enabled` only; `"never"`.
        batch_pace: seconds of `clock` that a batch stays at each of its five steps, one batch at a time; without it
            each look at any batch moves the one at work a step. Operations run in a shuffled order, at `started`.
    """

    def __init__(
        self,
        api_key: str = "0123456789abcdef0123456789abcdef-us6",
        *,
        list_id: str = "a1b2c3d4e5",
        double_optin: bool = False,
        role: str = "owner",
        clock: Callable[[], datetime] | None = None,
        latency: float = 0.0,
        bulk_status_if_new: Literal["honour", "ignore", "refuse"] = "honour",
        max_connections: int = 10,
        product_put: bool = False,
        check_webhook_urls: bool = False,
        webhook_signing: Literal["always", "asked", "never"] = "always",
        batch_pace: float | None = None,
    ) -> None:
        super().__init__(latency=latency)
        self.api_key = api_key
        self.tokens: set[str] = set()
        self.role = role
        self.max_connections = max_connections
        self.audience = Audience(list_id, clock=clock or _system_clock, double_optin=double_optin)
        self.login = LoginService(
            self.tokens, now=self.present, endpoint=lambda: self.url, dc=api_key.rpartition("-")[2], role=role
        )
        self.deliveries = Deliveries(self.audience)
        self._shop = Shop(self.audience)
        self.reports = ReportResources(self.audience, self._shop)
        self._batches = BatchResources(self.audience, self._run_operation, lambda: self.url, pace=batch_pace)
        self._request_numbers = itertools.count(1)
        lists = ListResources(
            self.audience,
            role=role,
            has_stores=lambda: bool(self.stores),
            check_urls=check_webhook_urls,
            signing=webhook_signing,
        )
        self._router = Router(
            [
                *lists.routes(),
                *MemberResources(self.audience, bulk_status_if_new=bulk_status_if_new).routes(),
                *StoreResources(self._shop, product_put=product_put).routes(),
                *self.reports.routes(),
                *self._batches.routes(),
            ]
        )

    def present(self) -> datetime:
        """The account's time."""
        return self.audience.clock()

    def revoke(self, token: str | None = None) -> None:
        """The account's owner disconnects an application: this token, or every one, is void."""
        with self.lock:
            self.login.revoke(token)

    # What tests read and change

    @property
    def base_url(self) -> str:
        """The API root with its version, no trailing slash."""
        return f"{self.url}/3.0"

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every operation the fake offers."""
        return self._router.routes

    @property
    def list_id(self) -> str:
        return self.audience.list_id

    @property
    def members(self) -> Members:
        """Members by address, in any case."""
        return self.audience.members

    @property
    def merge_fields(self) -> MergeFields:
        """Merge field definitions by tag."""
        return self.audience.merge_fields

    @property
    def forgotten(self) -> set[str]:
        """Addresses deleted for good, in lower case."""
        return self.audience.forgotten

    @property
    def webhooks(self) -> dict[str, Document]:
        return self.audience.webhooks

    @property
    def batches(self) -> dict[str, Batch]:
        return self._batches.batches

    def spoil_operations(self, spoil: Callable[[Mapping[str, Any]], int | None] | None) -> None:
        """Let operations of batches fail: given an operation, a status to fail with, or `None` to let it run."""
        self._batches.spoil = spoil

    def hold_batches(self, *, hold: bool = True) -> None:
        """Let no batch move on, until told otherwise."""
        self._batches.stuck = hold

    @property
    def stores(self) -> dict[str, Store]:
        """Stores by id."""
        return self._shop.stores

    @property
    def customers(self) -> dict[str, Document]:
        """Customers of the only store; empty when there is none."""
        return self._only_store().customers

    @property
    def products(self) -> dict[str, Document]:
        """Products of the only store; empty when there is none."""
        return self._only_store().products

    @property
    def orders(self) -> dict[str, Document]:
        """Orders of the only store; empty when there is none."""
        return self._only_store().orders

    @property
    def refused_domains(self) -> tuple[str, ...]:
        """Domains whose addresses "look fake": the reserved ones, as on a live account."""
        return self.audience.refused_domains

    @refused_domains.setter
    def refused_domains(self, domains: tuple[str, ...]) -> None:
        self.audience.refused_domains = domains

    def _only_store(self) -> Store:
        if len(self.stores) > 1:
            raise LookupError("the account has several stores; name one: fake.stores[store_id]")
        return next(iter(self.stores.values()), Store(settings={}))

    def add_member(
        self,
        email: str,
        status: str = "subscribed",
        merge_fields: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
    ) -> Member:
        """Put a member there as it is, past all checks."""
        with self.lock:
            return self.audience.add_member(email, status, merge_fields, tags)

    def unsubscribe(self, email: str, reason: str = "N/A (Unsubscribed by the contact)") -> Member:
        """The contact leaves by their own hand: `subscribed` is refused from now on."""
        with self.lock:
            return self.audience.unsubscribe(email, reason)

    def confirm(self, email: str) -> Member:
        """The contact signs up or confirms by their own hand."""
        with self.lock:
            return self.audience.confirm(email)

    def clean(self, email: str) -> Member:
        """Mail to the address bounced for good."""
        with self.lock:
            return self.audience.clean(email)

    def archive(self, email: str) -> Member:
        """Somebody archives the member in the web application."""
        with self.lock:
            return self.audience.archive(email)

    def forget(self, email: str) -> None:
        """The contact is deleted for good; the address can never be imported again."""
        with self.lock:
            self.audience.forget(email)

    def deliver(self, url: str, kind: str, email: str = "", **rest: Any) -> Delivery:
        """Deliver an event to a webhook, signed; see `Deliveries.send`."""
        return self.deliveries.send(url, kind, email, **rest)

    def send_campaign(self, title: str, to: Iterable[str] | None = None, **more: Any) -> str:
        """Send a campaign to these addresses, or to all who are subscribed, gives its id."""
        with self.lock:
            return self.reports.send(title, to, **more)

    def open(self, email: str, campaign: str) -> None:
        """Somebody opens a campaign that was sent to them."""
        with self.lock:
            self.reports.act(email, campaign, "open")

    def click(self, email: str, campaign: str, url: str = "https://acme.org/offer") -> None:
        """Somebody follows a link in a campaign that was sent to them."""
        with self.lock:
            self.reports.act(email, campaign, "click", url=url)

    def bounce(self, email: str, campaign: str, *, hard: bool = False) -> None:
        """A campaign does not reach somebody; a hard bounce cleans the member."""
        with self.lock:
            self.reports.act(email, campaign, "bounce", type="hard" if hard else "soft")

    def poison(self, email: str, kind: str) -> None:
        """Make every request with this address fail.

        Args:
            email: the address.
            kind: `"schema"`: the whole request is 400 without naming the member; `"fake"`: this member "looks fake";
                `"signups"`: this member signed up too often lately; `"server"`: the whole request is 500.
        """
        if kind not in _POISONS:
            raise ValueError(f"kind must be one of {', '.join(_POISONS)}, not {kind!r}")
        self.audience.poisoned[email.strip().lower()] = kind

    def cure(self, email: str) -> None:
        """Take a poison away again."""
        self.audience.poisoned.pop(email.strip().lower(), None)

    def add_merge_field(
        self,
        tag: str,
        type: str = "text",  # noqa: A002 - the vendor's word
        *,
        required: bool = False,
        choices: Iterable[str] | None = None,
        **rest: Any,
    ) -> MergeField:
        """Define a merge field; `rest` are further properties, such as `name`, `options`, `default_value`."""
        options = dict(rest.pop("options", {}))
        if choices is not None:
            options["choices"] = list(choices)
        with self.lock:
            return self.audience.add_merge_field(tag, type, required=required, options=options, **rest)

    def add_interest_category(
        self, title: str, interests: Iterable[str] = (), *, shown_as: str = "checkboxes"
    ) -> dict[str, str]:
        """Define an interest group; gives the ids of its interests by name."""
        ids = {name: digest("interest", title, name, length=10) for name in interests}
        group = {"title": title, "type": shown_as, "interests": {key: name for name, key in ids.items()}}
        self.audience.interest_categories[digest("category", title, length=10)] = group
        return ids

    def add_marketing_permission(self, text: str) -> str:
        """Define a marketing permission; gives its id."""
        permission_id = digest("permission", text, length=10)
        self.audience.permissions[permission_id] = text
        return permission_id

    def snapshot(self) -> dict[str, Any]:
        """Audience and stores as plain data without stamps and made-up ids, to compare two runs."""
        with self.lock:
            return {
                "members": {email: _member_facts(member) for email, member in sorted(self.members.items())},
                "forgotten": sorted(self.forgotten),
                "merge_fields": {tag: (f.type, f.name, f.required) for tag, f in sorted(self.merge_fields.items())},
                "stores": {name: _store_facts(store) for name, store in sorted(self.stores.items())},
            }

    # HTTP

    def answer(self, request: Request) -> tuple[Reply | None, int | None]:
        if request.in_flight > self.max_connections:
            problem = Problem(
                429,
                "Too Many Requests",
                f"You have exceeded the limit of {self.max_connections} simultaneous connections.",
            )
            return self._finished(problem.reply, None), None
        return super().answer(request)

    def handle(self, request: Request) -> Reply:
        if request.path.startswith(RESULTS_PATH):
            return self._batches.download(request)
        if request.path.startswith(LOGIN_PATH):
            return self.login.handle(request)
        self._batches.catch_up()
        try:
            self._admit(request)
            return self._finished(None, self._run(request))
        except Problem as problem:
            return self._finished(problem.reply, None)

    def _finished(self, refusal: Callable[[str], Reply] | None, body: Any) -> Reply:
        """The reply under a new request id, which a problem repeats as its `instance`."""
        instance = f"00000000-0000-4000-8000-{next(self._request_numbers):012x}"
        headers = {"Server": "openresty", "X-Request-Id": instance}
        if refusal is not None:
            reply = refusal(instance)
            return Reply(reply.status, reply.body, {**reply.headers, **headers})
        if body is None:
            return Reply(204, None, headers)
        return Reply(200, body, {**headers, "Link": f'<{self.url}/schema/3.0/Response.json>; rel="describedBy"'})

    def _run(self, request: Request) -> Any:
        segments = request.segments
        if segments[:1] != ["3.0"]:
            raise Problem.not_found()
        href = self.url + urlsplit(request.raw_path).path.rstrip("/")
        call = self._router.call(request, segments[1:], href)
        if call.ids.get("list_id", self.list_id) != self.list_id:
            raise Problem.not_found()
        return project(call.route.run(call), call.query)

    def _run_operation(self, request: Request) -> tuple[int, str]:
        """One operation of a batch: its status and its body as text."""
        try:
            reply = self._finished(None, self._run(request))
        except Problem as problem:
            reply = self._finished(problem.reply, None)
        return reply.status, "" if reply.body is None else json.dumps(reply.body)

    def _admit(self, request: Request) -> None:
        secret = _secret(request.headers.get("authorization", ""))
        if secret is None:
            raise Problem(401, "API Key Missing", "Your request did not include an API key.")
        if secret != self.api_key and secret not in self.tokens:
            raise self._rejection(secret)
        if self.role == "viewer" and method_of(request) != "GET":
            raise Problem(403, "Forbidden", "The user of this key does not have permission to make this request.")

    def _rejection(self, secret: str) -> Problem:
        shape = _KEY.fullmatch(secret)
        if shape and shape[1] != self.api_key.rpartition("-")[2]:
            return Problem(403, "Forbidden", f"The API key provided is linked to datacenter '{shape[1]}'")
        return Problem(
            401,
            "API Key Invalid",
            "Your API key may be invalid, or you've attempted to access the wrong datacenter.",
        )


def _secret(authorization: str) -> str | None:
    """The key or token of an Authorization header: Basic with any user, Bearer, or the older OAuth."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() in {"bearer", "oauth"}:
        return value.strip() or None
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2] or None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _member_facts(member: Member) -> dict[str, Any]:
    return {
        "email_address": member.email_address,
        "status": member.status,
        "merge_fields": {tag: value for tag, value in sorted(member.merge_fields.items()) if value != ""},
        "tags": sorted(member.tags),
        "language": member.language,
        "vip": member.vip,
        "email_type": member.email_type,
        "interests": sorted(key for key, chosen in member.interests.items() if chosen),
        "marketing_permissions": sorted(key for key, given in member.marketing_permissions.items() if given),
        "unsubscribe_reason": member.unsubscribe_reason,
    }


def _store_facts(store: Store) -> dict[str, Any]:
    return {
        "settings": _unstamped(store.settings),
        "customers": _unstamped(dict(sorted(store.customers.items()))),
        "products": _unstamped(dict(sorted(store.products.items()))),
        "orders": _unstamped(dict(sorted(store.orders.items()))),
    }


def _unstamped(node: Any) -> Any:
    if isinstance(node, list):
        return [_unstamped(entry) for entry in node]
    if isinstance(node, dict):
        return {k: _unstamped(v) for k, v in node.items() if k not in {"created_at", "updated_at"}}
    return node
