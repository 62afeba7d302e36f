"""An agent over a made-up Sage 100, called as a WSGI server calls it; every exchange is held against the contract."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlencode
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from mlconnector_sdk.agents.sage100 import Agent, AgentSettings, create_app
from mlconnector_sdk.testing import FakeClock, FakeProvideX
from mlconnector_sdk.testing.fakes._sage100_site import Sage100Site
from tests.unit.agents._openapi import Document, Exchange

BASE = "/sage100/v1"
TOKEN = "a-token-that-only-tests-know"
USER, PASSWORD = "mcsync", "correct horse"
DO_NOT_EMAIL = "UDF_DO_NOT_EMAIL"
CONTRACT = Document(Path(__file__).parents[3] / "docs/reference/sage100-agent.openapi.yaml")


class Beside:
    """A COM object seen through another one: a subclass changes what it wants, all else passes through.

    `New` makes what stands beside the business objects of a script; sessions pass as they are.
    """

    New: type[Beside] | None = None

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __getattr__(self, name: str) -> Any:
        return getattr(self.thing, name)

    def NewObject(self, name: str, session: Any = None) -> Any:  # noqa: N802 - Sage 100's name
        made = self.thing.NewObject(name, session)
        return made if self.New is None or made is None or name == "SY_Session" else self.New(made)


class World:
    """A Sage 100 of two companies, its COM object, and one agent in front of it.

    Calls go through `ask`; the first company is `ABC`. `contracts` are the documents each exchange must satisfy.
    """

    def __init__(
        self, *, clock: FakeClock | None = None, timezone: str = "America/Chicago", seats: int = 5, **settings: Any
    ) -> None:
        self.clock = clock or FakeClock()
        udfs = {"AR_Customer": {DO_NOT_EMAIL: "Y/N", "UDF_SCORE": "5.2"}}
        self.site = Sage100Site(clock=self.clock, timezone=timezone, companies=("ABC", "XYZ"), udfs=udfs, seats=seats)
        self.user = self.site.add_user(USER, PASSWORD)
        self.company = self.site.companies["ABC"]
        self.script = FakeProvideX(self.site)
        self.contracts = [CONTRACT]
        self.settings = AgentSettings(
            **{
                "home": r"C:\Sage\MAS90\Home",
                "username": USER,
                "password": PASSWORD,
                "tokens": TOKEN,
                "timezone": timezone,
                "writable": [DO_NOT_EMAIL, "UDF_SCORE", "CreditLimit"],
                **settings,
            }
        )
        self.dispatch: Callable[[], Any] = lambda: self.script.dispatch("ProvideX.Script")
        """Starts a process for a session; may be replaced by one that spoils what it starts."""
        self.agent: Agent = create_app(self.settings, dispatch=lambda: self.dispatch(), clock=self.clock)

    def restart(self) -> None:
        """End the agent and start it anew."""
        self.agent.close()
        self.agent = create_app(self.settings, dispatch=lambda: self.dispatch(), clock=self.clock)

    def customer(self, number: str, division: str = "00", *, company: str = "ABC", **columns: Any) -> tuple[str, str]:
        """Store a customer; without stamps among the columns it is stamped with the present."""
        key = (division, number)
        self.site.companies[company].tables["AR_Customer"].put(key, {"CustomerName": f"Customer {number}", **columns})
        return key

    def stamped(self, number: str, date: str, time: str, division: str = "00") -> tuple[str, str]:
        """Store a customer that was changed at a stamp and created long before."""
        created = {"DateCreated": "20100105", "TimeCreated": "9.5"}
        return self.customer(number, division, **created, DateUpdated=date, TimeUpdated=time)

    def ask(
        self,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        method: str = "GET",
        body: object = None,
        token: str | None = TOKEN,
        headers: Mapping[str, str] | None = None,
        sound: bool = True,
    ) -> Exchange:
        """One exchange; `path` is percent-encoded. A request that is not `sound` breaks the contract on purpose."""
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        exchange = call(self.agent, method, path, urlencode(query or {}, doseq=True), sent, content)
        for contract in self.contracts:
            known = contract.operation_of(method, path) is not None
            if known or sound:
                assert [] == contract.complaints(exchange, request_too=sound)
        return exchange

    def read(self, path: str, query: Mapping[str, Any] | None = None, *, company: str = "ABC") -> Any:
        """The answer of a list of a company that must succeed."""
        answer = self.ask(f"/companies/{company}/{path}", query)
        assert 200 == answer.status, answer.json()
        return answer.json()

    def pages(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[Any]:
        """All pages of a listing."""
        page = self.read(path, query)
        yield page
        while page["nextCursor"] is not None:
            page = self.read(path, {"cursor": page["nextCursor"]})
            yield page

    def numbers(self, query: Mapping[str, Any] | None = None) -> list[str]:
        """The numbers of the customers of a listing, in its order."""
        return [row["CustomerNo"] for page in self.pages("customers", query) for row in page["records"]]

    def mark(
        self, key: tuple[str, str] = ("00", "0000042"), idempotency_key: str = "1", *, company: str = "ABC", **body: Any
    ) -> Exchange:
        """Change a customer; `body` has `set` and `expected`."""
        path = f"/companies/{company}/customers/{key[0]}/{quote(key[1], safe='')}"
        return self.ask(path, method="PATCH", body=body, headers={"Idempotency-Key": idempotency_key})

    def row(self, number: str = "0000042", division: str = "00") -> Any:
        """A customer as Sage 100 has it."""
        return self.company.tables["AR_Customer"].get((division, number))


def problem(answer: Exchange) -> tuple[int, str]:
    """Status and code of an error."""
    return answer.status, answer.json()["error"]["code"]


def call(
    application: Callable[..., Any], method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> Exchange:
    """Call a WSGI application as a server does, and watch that both sides keep to PEP 3333."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(BASE + path).decode("latin-1"),
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
    }
    setup_testing_defaults(environ)
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, fields: list[tuple[str, str]], failure: Any = None) -> Callable[[bytes], object]:
        started.append((status, fields))
        return lambda data: None

    chunks = validator(application)(environ, start_response)
    try:
        content = b"".join(chunks)
    finally:
        chunks.close()
    status, fields = started[0]
    return Exchange(
        method=method,
        path=path,
        query=query,
        request_headers=dict(headers),
        request_body=body,
        status=int(status[:3]),
        headers={name.lower(): value for name, value in fields},
        body=content,
    )
