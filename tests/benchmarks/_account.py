"""A Mailchimp account that costs next to nothing: a fake answers everything but what is asked by the thousand.

The strict fake takes several times as long over a member as a client does, and then the table would show the fake's
speed. What is answered here is what the strict fake would answer: each member whole, some 3.7 kB.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from datetime import datetime
from hashlib import md5
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mlconnector_sdk.testing import FakeMailchimp
from mlconnector_sdk.testing.fakes import Reply, Request

__all__ = ["QuickMailchimp"]

JSON = {"Content-Type": "application/json"}
PROBE = "probe@probe.com"
_CHANGED = {"id", "email_address", "status", "last_changed", "unsubscribe_reason"}


class QuickMailchimp(FakeMailchimp):
    """Answers bulk calls, and the question who changed, from documents filled into one that the strict fake wrote."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.keep_log = False
        self._template = ""
        self._orders: dict[str, dict[str, Any]] = {}
        self.empty()

    def empty(self) -> None:
        """Forget all members."""
        self.audience.members = type(self.members)()
        self._known: dict[str, str] = {}
        self.settle()

    def settle(self) -> None:
        """From now on nobody is told of the changes made so far, as if they were long ago."""
        # By the time of their last change, which is the order they were written in.
        self._stamps: list[datetime] = []
        self._rows: list[str] = []

    def handle(self, request: Request) -> Reply:
        path = f"/3.0/lists/{self.list_id}"
        if request.method == "POST" and request.path == path and not self.audience.poisoned:
            if not self._template:
                self._template = self._written_by_fake(request, path)
            return Reply(200, self._bulk(json.loads(request.body)["members"]), JSON)
        if request.method == "GET" and request.path == f"{path}/members" and self._rows:
            return self._changed(request)
        return super().handle(request)

    def _run(self, request: Request) -> Any:
        """New orders, by calls of their own and in batches, are answered with what the first one was."""
        if request.method != "POST" or not request.path.endswith("/orders"):
            return super()._run(request)
        known = self._orders.get(request.raw_path)
        if known is None:
            known = self._orders[request.raw_path] = super()._run(request)
            return known
        body = request.json()
        return known | {name: value for name, value in body.items() if name in known and isinstance(value, str)}

    def _written_by_fake(self, request: Request, path: str) -> str:
        """The strict fake's own answer for one member, with gaps for what differs from member to member."""
        probe = {"email_address": PROBE, "status_if_new": "subscribed", "merge_fields": {"FNAME": "MERGED"}}
        body = json.dumps({"members": [probe], "update_existing": True}).encode()
        reply = super().handle(Request(method="POST", raw_path=path, headers=request.headers, body=body))
        document = reply.body["new_members"][0]
        del self.members[PROBE]
        text = json.dumps(document).replace("%", "%%")
        text = text.replace(json.dumps(document["merge_fields"]), "%(merge_fields)s")
        for name in ("id", "email_address", "contact_id", "status", "last_changed"):
            text = text.replace(f'"{name}": {json.dumps(document[name])}', f'"{name}": "%({name})s"')
        return text.replace(document["id"], "%(id)s")

    def _bulk(self, members: list[dict[str, Any]]) -> bytes:
        written: dict[bool, list[str]] = {True: [], False: []}
        now = self.audience.now()
        stamp = now.isoformat()
        for body in members:
            address = body["email_address"]
            number = md5(address.lower().encode(), usedforsecurity=False).hexdigest()
            is_new = number not in self._known
            status = self._known.setdefault(number, body.get("status") or body["status_if_new"])
            values = {
                "id": number,
                "email_address": address,
                "contact_id": number[::-1],
                "status": status,
                "last_changed": stamp,
                "merge_fields": json.dumps(body["merge_fields"], ensure_ascii=False),
            }
            written[is_new].append(self._template % values)
            self._stamps.append(now)
            self._rows.append(
                f'{{"id": "{number}", "email_address": "{address}", "status": "{status}", "unsubscribe_reason": "", '
                f'"last_changed": "{stamp}"}}'
            )
        new, updated = written[True], written[False]
        text = (
            f'{{"new_members": [{", ".join(new)}], "updated_members": [{", ".join(updated)}], "errors": [], '
            f'"total_created": {len(new)}, "total_updated": {len(updated)}, "error_count": 0}}'
        )
        return text.encode()

    def _changed(self, request: Request) -> Reply:
        """A page of those changed in a span of time, oldest change first."""
        query = {name: values[-1] for name, values in parse_qs(urlsplit(request.raw_path).query).items()}
        fields = {name.removeprefix("members.") for name in query["fields"].split(",")}
        if query.get("sort_field") != "last_changed" or not fields <= _CHANGED | {"total_items"}:
            raise ValueError(f"no such list of members is held ready: {request.raw_path}")
        since, before = query.get("since_last_changed"), query.get("before_last_changed")
        first = bisect_right(self._stamps, datetime.fromisoformat(since)) if since else 0
        last = bisect_left(self._stamps, datetime.fromisoformat(before)) if before else len(self._stamps)
        total = 0 if query.get("status") == "archived" else max(last - first, 0)
        start = first + int(query["offset"])
        rows = self._rows[start : min(start + int(query["count"]), first + total)]
        return Reply(200, f'{{"members": [{", ".join(rows)}], "total_items": {total}}}'.encode(), JSON)
