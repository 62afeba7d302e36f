"""The far sides of every peer, one process: the ERP's pages and an audience for each peer, over HTTP on loopback.

Paths: `/Acme/entity/...` is the ERP, `/mc/PEER/3.0/...` that peer's Mailchimp, `/control/...` the harness's own door.
The port is printed when it is ready; the end of standard input ends the process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from _audience import Audience
from _feed import Feed

from mlconnector_sdk.testing import FakeAcumatica
from mlconnector_sdk.testing.fakes import Reply, Request

LARGEST_REQUEST = 2**24
SEATS = 1000
"""A process that is killed cannot sign out, and this is no test of how many may be signed in."""


class FarSides:
    """What is served, and the dials that spoil it."""

    def __init__(self, records: int) -> None:
        self.feed = Feed(records)
        self._records = records
        self._ahead = timedelta()
        self.erp = FakeAcumatica(clock=self.now, seats=SEATS)
        self.erp.keep_log = False
        self.origin = ""
        self.latency = 0.0
        self._audiences: dict[str, Audience] = {}
        self._calls = {"erp": 0, "mailchimp": 0}
        self._listed = 0
        self._watched: list[tuple[str, int, asyncio.Event]] = []

    def now(self) -> datetime:
        """The time of both far sides."""
        return datetime.now(UTC) + self._ahead

    def audience(self, peer: str) -> Audience:
        """The peer's own, made when first asked for."""
        if peer not in self._audiences:
            self._audiences[peer] = Audience(f"{self.origin}/mc/{peer}", self.now)
        return self._audiences[peer]

    def answer(self, request: Request) -> Reply:
        """The answer of whichever far side is meant."""
        if request.raw_path.startswith("/mc/"):
            self._calls["mailchimp"] += 1
            peer, _, rest = request.raw_path.removeprefix("/mc/").partition("/")
            audience = self.audience(peer)
            reply = audience.answer(Request(**{**_fields(request), "raw_path": f"/{rest}"}))
            self._tell_watchers(peer, audience)
            return reply
        self._calls["erp"] += 1
        parts = urlsplit(request.raw_path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if request.method == "GET" and parts.path.endswith("/Customer") and "$top" in query:
            page = self.feed.page(query.get("$filter", ""), int(query["$top"]), int(query.get("$skip", 0)))
            self._listed += page.count(b'"rowNumber":')
            return Reply(200, page, {"Content-Type": "application/json; charset=utf-8"})
        return self.erp.handle(request)

    def _tell_watchers(self, peer: str, audience: Audience) -> None:
        for who, members, event in self._watched:
            if who == peer and len(audience.received) >= members:
                event.set()

    # The harness's door

    async def control(self, command: str, options: dict[str, Any]) -> Any:
        """Do what the harness asks, and say what it wants to know."""
        if command == "wait":
            return await self._wait(options["peer"], options["members"])
        done: Callable[..., Any] = getattr(self, f"do_{command}")
        return done(**options)

    async def _wait(self, peer: str, members: int) -> None:
        """Return when so many members were taken."""
        watched = (peer, members, asyncio.Event())
        self._watched.append(watched)
        await watched[2].wait()
        self._watched.remove(watched)

    def do_where(self, peer: str) -> dict[str, str]:
        """What a peer needs to find both."""
        audience = self.audience(peer)
        return {
            "erp": f"{self.origin}/Acme",
            "version": self.erp.version,
            "mailchimp": f"{self.origin}/mc/{peer}/3.0",
            "list_id": audience.list_id,
            "api_key": audience.api_key,
        }

    def do_about(self) -> dict[str, float]:
        return {"bytes_per_record": self.feed.bytes_per_record}

    def do_later(self, seconds: float) -> None:
        """Time goes by."""
        self._ahead += timedelta(seconds=seconds)

    def do_audience(self, peer: str, become: str) -> None:
        """Empty it, save it or restore it."""
        getattr(self.audience(peer), become)()

    def do_begin(self, peer: str, edition: str, choosy: bool, limited_at: int, latency: float) -> None:
        """Set the dials and count from nothing."""
        if edition == "second":
            self.feed.second_edition(self.now())
        else:
            self.feed.first_edition()
        self.latency = latency
        self._calls = {"erp": 0, "mailchimp": 0}
        self._listed = 0
        self.audience(peer).begin(choosy=choosy, limited_at=limited_at)

    def do_counts(self, peer: str) -> dict[str, Any]:
        """What arrived since `begin`."""
        audience = self.audience(peer)
        return {
            "calls": dict(self._calls),
            "bulk_calls": audience.bulk_calls,
            "limits": audience.limits,
            "listed": self._listed,
            "written": audience.received.total(),
            "members": len(audience.received),
            "refused": len(audience.refused),
        }


def _fields(request: Request) -> dict[str, Any]:
    return {"method": request.method, "headers": request.headers, "body": request.body}


class Door:
    """HTTP/1.1 with connections kept open, and nothing else."""

    def __init__(self, far_sides: FarSides) -> None:
        self._far_sides = far_sides

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests until it closes."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._one(reader, writer):
                pass
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ", 2)
        headers = {}
        for line in head[1:-2]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Request(method=method, raw_path=target, headers=headers, body=body)
        reply = await self._reply(request)
        payload, content_type = reply.encoded()
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        if content_type and "Content-Type" not in reply.headers:
            lines.append(f"Content-Type: {content_type}")
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        lines += [f"Set-Cookie: {cookie}" for cookie in reply.cookies]
        if "Date" not in reply.headers:
            lines.append(f"Date: {format_datetime(self._far_sides.now(), usegmt=True)}")
        lines.append(f"Content-Length: {len(payload)}")
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + payload)
        await writer.drain()
        return headers.get("connection", "").lower() != "close"

    async def _reply(self, request: Request) -> Reply:
        if request.raw_path.startswith("/control/"):
            command = request.raw_path.removeprefix("/control/")
            return Reply(200, json.dumps(await self._far_sides.control(command, request.json())).encode())
        if self._far_sides.latency:
            await asyncio.sleep(self._far_sides.latency)
        try:
            return self._far_sides.answer(request)
        except Exception as error:
            # Loud on both ends: the figures of such a run are worth nothing.
            print(f"the far side failed: {error!r}", file=sys.stderr, flush=True)
            raise


async def run(records: int) -> None:
    """Serve until standard input ends."""
    far_sides = FarSides(records)
    server = await asyncio.start_server(Door(far_sides).serve, "127.0.0.1", 0, limit=LARGEST_REQUEST, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    far_sides.origin = f"http://127.0.0.1:{port}"
    print(port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, required=True)
    asyncio.run(run(parser.parse_args().records))
