"""What both ends do wrong, by name, so that an example of it can be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import attrs

from mlconnector_sdk.testing import FakeServer, Reply, Request

__all__ = ["ERP_FAULTS", "MAILCHIMP_FAULTS", "Trouble"]

_PAGE = "<!DOCTYPE html>\n<html><head><title>Sorry</title></head><body><h1>Sorry</h1></body></html>"
_HTML = {"Content-Type": "text/html; charset=utf-8"}
_AT_ONCE, _LATER = {"Retry-After": "0"}, {"Retry-After": "86400"}
# An answer of a server behind a gateway that has no words of its own.
_BLANK: dict[str, Any] = {"message": "An error has occurred."}

_OF_ANY_SERVER: dict[str, dict[str, Any]] = {
    "429": {"status": 429},
    "429, at once": {"status": 429, "headers": _AT_ONCE},
    "429, tomorrow": {"status": 429, "headers": _LATER},
    "500": {"status": 500, "body": _BLANK},
    "502": {"status": 502, "body": _PAGE},
    "503": {"status": 503},
    "503, tomorrow": {"status": 503, "headers": _LATER},
    "504": {"status": 504},
    "a page": {"status": 200, "body": _PAGE, "headers": _HTML},
    "a page of 503": {"status": 503, "body": _PAGE, "headers": _HTML},
    "dropped before": {"drop": "before"},
    "dropped after": {"drop": "after"},
    "broken off": {"truncate": 25},
}


def _half(reply: Reply) -> Reply:
    """Half of the answer, as if that were all."""
    body, kind = reply.encoded()
    return Reply(reply.status, body[: len(body) // 2], {"Content-Type": kind, **reply.headers}, reply.cookies)


def _of_rows(change: Callable[[list[Any]], list[Any]]) -> Callable[[Reply], Reply]:
    """The rows of a list in another way, whatever holds them; other answers stay."""

    def altered(reply: Reply) -> Reply:
        body, kind = reply.encoded()
        try:
            tree = json.loads(body)
        except ValueError:
            return reply
        if isinstance(tree, list):
            tree = change(tree)
        elif isinstance(tree, dict):
            tree = {name: change(v) if name in {"value", "records"} else v for name, v in tree.items()}
        else:
            return reply
        return Reply(reply.status, json.dumps(tree).encode(), {"Content-Type": kind, **reply.headers}, reply.cookies)

    return altered


def _the_page_before(request: Request) -> Request:
    """A list is answered with its first page again; a cursor or an offset counts for nothing."""
    parts = urlsplit(request.raw_path)
    pairs = [(name, "0" if name == "$skip" else value) for name, value in parse_qsl(parts.query)]
    query = "&".join(f"{name}={quote(value, safe='$')}" for name, value in pairs)
    return attrs.evolve(request, raw_path=f"{parts.path}?{query}" if query else parts.path)


class _SameLink:
    """The link to the next page, or its cursor, is the one of the page before."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def __call__(self, reply: Reply) -> Reply:
        body, kind = reply.encoded()
        try:
            tree = json.loads(body)
        except ValueError:
            return reply
        if not isinstance(tree, dict):
            return reply
        links = {name: tree[name] for name in ("nextCursor", "@odata.nextLink") if tree.get(name)}
        tree |= {name: self._known.setdefault(name, link) for name, link in links.items()}
        return Reply(reply.status, json.dumps(tree).encode(), {"Content-Type": kind, **reply.headers}, reply.cookies)


_LOCKED = {"error": {"code": "RECORD_LOCKED", "message": "held", "retryable": True, "requestId": "r-1"}}
_BUSY = {"error": {"code": "RecordDuplicate", "message": {"lang": "en-US", "value": "Day End Processing is running."}}}
_SEATS = {"message": "An error has occurred.", "exceptionMessage": "Error: API Login Limit"}

_OF_ANY_LIST: dict[str, dict[str, Any]] = {
    "cut short": {"alter": _half},
    "rows twice": {"alter": _of_rows(lambda rows: [row for row in rows for _ in range(2)])},
}
_OF_OFFSETS: dict[str, dict[str, Any]] = {
    "the first page again": {"instead": _the_page_before},
    "rows turned round": {"alter": _of_rows(lambda rows: rows[::-1])},
}

MAILCHIMP_FAULTS: dict[str, dict[str, Any]] = {**_OF_ANY_SERVER, "cut short": {"alter": _half}}

ERP_FAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "acumatica": {
        **_OF_ANY_SERVER,
        **_OF_ANY_LIST,
        **_OF_OFFSETS,
        "no seat": {"status": 500, "body": _SEATS},
        "session over": {"meanwhile": "expire_sessions"},
        "token over": {"meanwhile": "expire_tokens"},
    },
    "sage300": {
        **_OF_ANY_SERVER,
        **_OF_ANY_LIST,
        **_OF_OFFSETS,
        "locked 423": {"status": 423},
        "locked 409": {"status": 409},
        "day end": {"status": 409, "body": _BUSY},
        "the same link": {"alter": _SameLink},
    },
    "sage100 agent": {
        **_OF_ANY_SERVER,
        "cut short": {"alter": _half},
        "locked 423": {"status": 423, "body": _LOCKED},
        "locked 423, tomorrow": {"status": 423, "body": _LOCKED, "headers": _LATER},
        "the same link": {"alter": _SameLink},
    },
    "syspro odata": {**_OF_ANY_SERVER, **_OF_ANY_LIST, "the same link": {"alter": _SameLink}},
}


@attrs.frozen(kw_only=True)
class Trouble:
    """A fault and when it strikes: the nth call alone, or so many calls, each k-th.

    Attributes:
        kind: a name out of `ERP_FAULTS` or `MAILCHIMP_FAULTS`.
        path: only calls whose path has this text.
    """

    kind: str
    nth: int | None = None
    times: int = 1
    every: int | None = None
    path: str | None = None

    def strike(self, server: FakeServer, faults: dict[str, dict[str, Any]]) -> None:
        """Tell the fake."""
        rule = dict(faults[self.kind])
        if isinstance(rule.get("meanwhile"), str):
            rule["meanwhile"] = getattr(server, rule["meanwhile"])
        if rule.get("alter") is _SameLink:
            rule["alter"] = _SameLink()
        server.fail(**rule, nth=self.nth, times=self.times, every=self.every, path=self.path)
