"""Both far sides in a process of their own, so that a client's processor time is the client's alone.

The ERP's pages are written before the clock starts. Bulk calls are answered by a short cut, because the strict fake
takes several times as long over a member as the client does, and then the table would show the fake's speed; what is
answered is what the strict fake would answer.

Commands come on standard input, a line each, and are answered with `done`: `later SECONDS` moves both clocks,
`empty` forgets all members. The end of the input ends the process.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import md5
from typing import Any

import attrs
from _customers import customers

from mlconnector_sdk.auth import CookieLogin
from mlconnector_sdk.sources.acumatica import Acumatica
from mlconnector_sdk.testing import FakeAcumatica, FakeMailchimp
from mlconnector_sdk.testing.fakes import Reply, Request

PROBE = "probe@probe.com"
USERNAME, PASSWORD, TENANT = "sync", "correct horse", "Acme"


class Clock:
    """The real time, moved on by command."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class PreparedAcumatica(FakeAcumatica):
    """Answers the same list call with the same bytes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(username=USERNAME, password=PASSWORD, tenant=TENANT, **options)
        self.keep_log = False
        self.pages: dict[str, Reply] = {}

    def handle(self, request: Request) -> Reply:
        known = self.pages.get(request.raw_path)
        if known is not None:
            date = format_datetime(self.clock(), usegmt=True)
            return Reply(200, known.body, {**known.headers, "Date": date})
        reply = super().handle(request)
        if request.method == "GET" and "$skip=" in request.raw_path and reply.status == 200:
            self.pages[request.raw_path] = attrs.evolve(reply, cookies=())
        return reply

    def prepare(self) -> int:
        """Write every page once; returns the bytes of all of them."""
        login = CookieLogin(username=USERNAME, password=PASSWORD, tenant=TENANT)
        with Acumatica(self.base_url, auth=login, version=self.version) as source:
            for _ in source.read("customers"):
                pass
        return sum(len(page.body) for page in self.pages.values())


class QuickMailchimp(FakeMailchimp):
    """Answers bulk calls with member documents filled into the one that the strict fake writes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.keep_log = False
        self.template = ""

    def handle(self, request: Request) -> Reply:
        path = f"/3.0/lists/{self.list_id}"
        if request.method != "POST" or request.path != path or self.audience.poisoned:
            return super().handle(request)
        if not self.template:
            self.template = self._template(request, path)
        return Reply(200, self._bulk(json.loads(request.body)["members"]), {"Content-Type": "application/json"})

    def _template(self, request: Request, path: str) -> str:
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
        audience = self.audience
        written: dict[bool, list[str]] = {True: [], False: []}
        stamp = audience.now()
        for body in members:
            address = body["email_address"]
            member = audience.members.get(address)
            is_new = member is None
            if member is None:
                member = audience.add_member(address, body.get("status") or body["status_if_new"])
            member.last_changed = stamp
            values = {
                "id": md5(address.lower().encode(), usedforsecurity=False).hexdigest(),
                "email_address": address,
                "contact_id": member.contact_id,
                "status": member.status,
                "last_changed": stamp.isoformat(),
                "merge_fields": json.dumps(body["merge_fields"], ensure_ascii=False),
            }
            written[is_new].append(self.template % values)
        new, updated = written[True], written[False]
        text = (
            f'{{"new_members": [{", ".join(new)}], "updated_members": [{", ".join(updated)}], "errors": [], '
            f'"total_created": {len(new)}, "total_updated": {len(updated)}, "error_count": 0}}'
        )
        return text.encode()


def main() -> None:
    """Start both, say where they are, and obey."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds each answer takes")
    options = parser.parse_args()
    clock = Clock()
    with PreparedAcumatica(clock=clock) as erp, QuickMailchimp(clock=clock) as mailchimp:
        for row in customers(options.customers):
            erp.customers[row["CustomerID"]] = row
        size = erp.prepare()
        erp.latency = mailchimp.latency = options.latency / 1000
        where = {
            "erp": {"base_url": erp.base_url, "version": erp.version},
            "login": {"username": USERNAME, "password": PASSWORD, "tenant": TENANT},
            "mailchimp": {"base_url": mailchimp.base_url, "api_key": mailchimp.api_key, "list_id": mailchimp.list_id},
            "bytes_per_record": size / options.customers,
        }
        print(json.dumps(where), flush=True)
        for line in sys.stdin:
            command, _, value = line.strip().partition(" ")
            if command == "later":
                clock.ahead += timedelta(seconds=float(value))
            elif command == "empty":
                mailchimp.audience.members = type(mailchimp.members)()
            else:
                raise ValueError(f"unknown command {command!r}")
            print("done", flush=True)


if __name__ == "__main__":
    main()
