"""A Mailchimp that costs almost nothing: it remembers who is a member, and answers bulk calls with full documents.

The strict fake writes one answer; all others are filled into it. Whatever is no bulk call, no change list and no write
of one member goes to the strict fake itself.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from _feed import is_refused

from mlconnector_sdk.testing import FakeMailchimp
from mlconnector_sdk.testing.fakes import Reply, Request

__all__ = ["Audience"]

_PROBE = "probe@probe.com"
_LIMITED = {
    "type": "https://mailchimp.com/developer/marketing/docs/errors/",
    "title": "Too Many Requests",
    "status": 429,
    "detail": "You have exceeded the limit of 10 simultaneous connections.",
}
_JSON = {"Content-Type": "application/json; charset=utf-8"}

Members = dict[str, tuple[str, str]]
"""Address to contact id and stamp of the last change."""


class _Strict(FakeMailchimp):
    """Answers without a server of its own."""

    origin = ""

    @property
    def url(self) -> str:
        return self.origin


class Audience:
    """One peer's audience.

    Attributes:
        choosy: refuse one address in a hundred, in `errors[]`.
        limited_at: which bulk call of each hundred is answered with 429; 0 for none.
        received: how often each accepted address was written.
    """

    def __init__(self, origin: str, clock: Callable[[], datetime]) -> None:
        self._strict = _Strict(clock=clock)
        self._strict.origin = origin
        self._strict.keep_log = False
        self._clock = clock
        self._members: Members = {}
        self._saved: Members = {}
        self._template = ""
        self.choosy, self.limited_at = False, 0
        self.received: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.bulk_calls = self.limits = 0

    @property
    def list_id(self) -> str:
        return self._strict.list_id

    @property
    def api_key(self) -> str:
        return self._strict.api_key

    def empty(self) -> None:
        """Nobody is a member."""
        self._members = {}

    def save(self) -> None:
        """Remember who is a member."""
        self._saved = dict(self._members)

    def restore(self) -> None:
        """Those are members who were when it was saved."""
        self._members = dict(self._saved)

    def begin(self, *, choosy: bool, limited_at: int) -> None:
        """Count from nothing."""
        self.choosy, self.limited_at = choosy, limited_at
        self.received, self.refused = Counter(), Counter()
        self.bulk_calls = self.limits = 0

    def answer(self, request: Request) -> Reply:
        """What Mailchimp says; `request` has the path as if this were the only audience."""
        segments = request.segments
        if segments[:3] == ["3.0", "lists", self.list_id]:
            if request.method == "POST" and len(segments) == 3:
                return self._bulk(request)
            if request.method == "GET" and segments[3:] == ["members"]:
                return self._changes(request.query)
            if request.method in {"PUT", "PATCH"} and segments[3:4] == ["members"] and len(segments) == 5:
                return self._one(request)
        return self._strict.handle(request)

    def _bulk(self, request: Request) -> Reply:
        self.bulk_calls += 1
        if self.limited_at and self.bulk_calls % 100 == self.limited_at % 100:
            self.limits += 1
            return Reply(429, _LIMITED, {"Retry-After": "2", "Content-Type": "application/problem+json"})
        self._template = self._template or self._made_template(request)
        created: list[str] = []
        updated: list[str] = []
        errors: list[dict[str, str]] = []
        stamp = self._clock().isoformat(timespec="seconds")
        for body in request.json()["members"]:
            address = body["email_address"]
            if self.choosy and is_refused(address):
                self.refused[address] += 1
                errors.append({**_REFUSAL, "email_address": address})
            else:
                (updated if address in self._members else created).append(self._written(body, stamp))
        text = (
            f'{{"new_members":[{",".join(created)}],"updated_members":[{",".join(updated)}],'
            f'"errors":{json.dumps(errors)},"total_created":{len(created)},"total_updated":{len(updated)},'
            f'"error_count":{len(errors)}}}'
        )
        return Reply(200, text.encode(), _JSON)

    def _one(self, request: Request) -> Reply:
        self._template = self._template or self._made_template(request)
        body = request.json()
        address = body["email_address"]
        if self.choosy and is_refused(address):
            self.refused[address] += 1
            problem = {"title": "Invalid Resource", "status": 400, "detail": _REFUSAL["error"]}
            return Reply(400, problem, {"Content-Type": "application/problem+json"})
        return Reply(200, self._written(body, self._clock().isoformat(timespec="seconds")).encode(), _JSON)

    def _written(self, body: dict[str, Any], stamp: str) -> str:
        """Take the member, and give the document for the answer."""
        address = body["email_address"]
        known = self._members.get(address)
        contact_id = known[0] if known else uuid.uuid4().hex
        self._members[address] = contact_id, stamp
        self.received[address] += 1
        return self._template % {
            "id": hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest(),
            "email_address": address,
            "contact_id": contact_id,
            "last_changed": stamp,
            "merge_fields": json.dumps(body["merge_fields"], ensure_ascii=False),
        }

    def _made_template(self, request: Request) -> str:
        """The strict fake's answer for one member, with gaps for what differs from member to member."""
        probe = {"email_address": _PROBE, "status_if_new": "subscribed", "merge_fields": {"FNAME": "Probe"}}
        asked = {"members": [probe], "update_existing": True}
        path = f"/3.0/lists/{self.list_id}"
        reply = self._strict.handle(
            Request(method="POST", raw_path=path, headers=request.headers, body=json.dumps(asked).encode())
        )
        document = reply.body["new_members"][0]
        text = json.dumps(document, ensure_ascii=False).replace("%", "%%")
        text = text.replace(json.dumps(document["merge_fields"], ensure_ascii=False), "%(merge_fields)s")
        for name in ("email_address", "contact_id", "last_changed"):
            text = text.replace(f'"{name}": {json.dumps(document[name])}', f'"{name}": "%({name})s"')
        return text.replace(document["id"], "%(id)s")

    def _changes(self, query: dict[str, str]) -> Reply:
        """Members by the time of their last change; nobody here ever left."""
        after = datetime.fromisoformat(query.get("since_last_changed", "1970-01-01T00:00:00+00:00"))
        before = datetime.fromisoformat(query.get("before_last_changed", "2999-01-01T00:00:00+00:00"))
        rows = []
        if query.get("status", "subscribed") == "subscribed":
            stamped = ((datetime.fromisoformat(stamp), address) for address, (_, stamp) in self._members.items())
            rows = sorted(row for row in stamped if after < row[0] < before)
        offset, count = int(query.get("offset", 0)), int(query.get("count", 10))
        members = [
            {
                "id": hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest(),
                "email_address": address,
                "status": "subscribed",
                "last_changed": stamp.isoformat(timespec="seconds"),
            }
            for stamp, address in rows[offset : offset + count]
        ]
        return Reply(200, {"members": members, "total_items": len(rows)})


_REFUSAL = {
    "error": "This address looks fake or invalid, please enter a real email address.",
    "error_code": "ERROR_GENERIC",
    "field": "",
    "field_message": "",
}
