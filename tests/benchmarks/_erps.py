"""The ERPs as far sides that cost next to nothing: a fake answers everything but pages of customers.

Those are joined from records that were written before the clock starts, in the bytes of the fake's own answer.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs

from mlconnector_sdk.testing import FakeAcumatica, FakeSage100, FakeSage300, FakeSageX3, FakeServer, FakeSyspro
from mlconnector_sdk.testing.fakes import Reply, Request

from ._customers import KINDS, Kind, Stencil, json_items, kinds, number_in

__all__ = ["SITES"]


@attrs.frozen
class Part:
    """A part of the listing: the number of its first customer, and how many are asked for."""

    first: int
    count: int


class CannedSite(FakeServer):
    """One API of one ERP; comes before a fake in the order of bases.

    Attributes:
        opening: what stands before the records of a page.
        between: what stands between two of them.
    """

    charset = "utf-8"
    opening = "["
    between = b","

    def hold(self, count: int) -> None:
        """Hold so many customers; the records are written when the first page is asked for."""
        self.keep_log = False
        self._held = count
        self._ready: list[bytes] = []
        for kind in kinds():
            self.put_kind(kind)

    @property
    def bytes_per_record(self) -> float:
        """On the wire, on average."""
        return sum(map(len, self._ready)) / max(len(self._ready), 1)

    def handle(self, request: Request) -> Reply:
        part = self.part(request)
        # Who asks for one or two only looks whether there are any.
        if part is None or part.count < KINDS:
            return super().handle(request)
        if not self._ready:
            self._write(request)
        records = self._ready[part.first : part.first + part.count]
        # A page that has no further one says so in its own way.
        behind = part.first + len(records)
        head, tail = self.frame(part, len(records), behind if behind < self._held else None)
        body = head.encode(self.charset) + self.between.join(records) + tail.encode(self.charset)
        return Reply(200, body, self.headers)

    def _write(self, request: Request) -> None:
        reply = super().handle(request)
        body, content_type = reply.encoded()
        if reply.status != 200:
            raise RuntimeError(f"the fake answers {reply.status}: {body[:200]!r}")
        self.headers = {"Content-Type": content_type, **reply.headers}
        records = self.learn(body.decode(self.charset))
        self._ready = Stencil(records, self.charset).filled(self._held)

    def learn(self, page: str) -> list[str]:
        """Keep what stands around the records of the fake's whole page, and return those."""
        start = page.index("[", page.index(self.opening))
        records, end = json_items(page, start)
        self.head, self.tail = page[: start + 1], page[end:]
        return records

    @property
    @abstractmethod
    def where(self) -> dict[str, Any]:
        """What a client has to know, as JSON."""

    @abstractmethod
    def part(self, request: Request) -> Part | None:
        """What a request for a page of customers asks for; nothing if it is none. The first one must be for all."""

    @abstractmethod
    def frame(self, part: Part, count: int, behind: int | None) -> tuple[str, str]:
        """What stands before and behind the records of a page; `behind` is the next customer, if there is one."""

    @abstractmethod
    def put_kind(self, kind: Kind) -> None:
        """Give the fake a customer of this kind."""


def query_of(request: Request) -> dict[str, str]:
    """The parameters of a request."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(request.raw_path).query).items()}


class AcumaticaSite(CannedSite, FakeAcumatica):
    """The contract-based REST API: `$top` and `$skip`."""

    @property
    def where(self) -> dict[str, Any]:
        return {"base_url": self.base_url, "version": self.version}

    def put_kind(self, kind: Kind) -> None:
        address = {"AddressLine1": kind.street, "City": kind.city, "State": kind.region or None}
        address |= {"PostalCode": kind.postal_code, "Country": kind.country}
        self.add_customer(
            f"C{kind.number}",
            name=kind.name,
            email=kind.email,
            CustomerClass="WHOLESALE" if kind.index % 3 else "RETAIL",
            CurrencyID="USD" if kind.country == "US" else "EUR",
            MainContact={"Phone1": kind.phone, "Address": address},
        )
        if kind.has_person:
            self.add_contact(
                100_000 + kind.index,
                first=kind.first,
                last=kind.last,
                email=kind.person_email,
                account=f"C{kind.number}",
                primary=True,
            )

    def part(self, request: Request) -> Part | None:
        query = query_of(request)
        if request.method != "GET" or not request.path.endswith("/Customer") or "$expand" not in query:
            return None
        return Part(int(query.get("$skip", "0")), int(query["$top"]))

    def frame(self, part: Part, count: int, behind: int | None) -> tuple[str, str]:
        return self.head, self.tail


class Sage300Site(CannedSite, FakeSage300):
    """The Web API in OData: `$top` and `$skip`, a link to the next page."""

    opening = '"value"'

    @property
    def where(self) -> dict[str, Any]:
        return {"base_url": self.base_url, "company": self.company, "timezone": str(self.zone)}

    def put_kind(self, kind: Kind) -> None:
        self.add_customer(
            f"C{kind.number}",
            name=kind.name,
            email=kind.email,
            AddressLine1=kind.street,
            City=kind.city,
            StateProvince=kind.region,
            ZipPostalCode=kind.postal_code,
            Country=kind.country3,
            PhoneNumber=re.sub(r"\D", "", kind.phone),
            ContactName=f"{kind.first} {kind.last}" if kind.has_person else "",
            ContactsEmail=kind.person_email or "" if kind.has_person else "",
        )

    def part(self, request: Request) -> Part | None:
        if request.method != "GET" or not request.path.endswith("/ARCustomers"):
            return None
        query = query_of(request)
        if "$top" not in query or "$filter" in query:
            return None
        return Part(int(query.get("$skip", "0")), min(int(query["$top"]), self.page_cap))

    def frame(self, part: Part, count: int, behind: int | None) -> tuple[str, str]:
        if behind is None:
            return self.head, "]}"
        link = f"http://localhost/Sage300WebApi/v1.0/-/{self.company}/AR/ARCustomers?$skip={behind}"
        return self.head, f'],"@odata.nextLink":"{link}"}}'


class Sage100Site(CannedSite, FakeSage100):
    """The agent's JSON: a cursor from page to page."""

    opening = '"records"'
    _limit = 0

    @property
    def where(self) -> dict[str, Any]:
        return {"agent_url": self.agent_url, "token": self.agent_token, "timezone": self.site.timezone}

    def put_kind(self, kind: Kind) -> None:
        self.add_customer(
            f"00-{kind.number}",
            name=kind.name,
            email=kind.email,
            AddressLine1=kind.street,
            City=kind.city,
            State=kind.region,
            ZipCode=kind.postal_code,
            CountryCode=kind.country3,
            TelephoneNo=kind.phone,
            URLAddress=kind.website,
        )

    def part(self, request: Request) -> Part | None:
        query = query_of(request)
        if not request.path.endswith("/customers") or not {"limit", "cursor"} & query.keys():
            return None
        self._limit = int(query.get("limit", self._limit))
        return Part(number_in(query["cursor"]) if "cursor" in query else 0, self._limit)

    def frame(self, part: Part, count: int, behind: int | None) -> tuple[str, str]:
        cursor = "null" if behind is None else f'"canned.{behind:07d}"'
        return self.head, f'], "nextCursor": {cursor}, "missingFields": []}}'


class SageX3GraphQLSite(CannedSite, FakeSageX3):
    """GraphQL: a cursor from page to page, both in the body."""

    opening = '"edges"'

    @property
    def where(self) -> dict[str, Any]:
        application = self.graphql.application
        signing = {"client_id": application.client_id, "secret": application.secret, "user": self.username}
        return {"url": self.graphql_url, "endpoint": self.endpoint, "signing": signing}

    def put_kind(self, kind: Kind) -> None:
        self.add_customer(
            kind.number,
            name=kind.name,
            email=kind.email,
            first=kind.first,
            last=kind.last if kind.has_person else None,
            person_email=kind.person_email or "",
            BPAADDLIG=(kind.street, ""),
            CTY=kind.city,
            SAT=kind.region,
            POSCOD=kind.postal_code,
            CRY=kind.country,
            CUR="USD" if kind.country == "US" else "EUR",
            TEL=kind.phone,
            FCYWEB=kind.website,
        )

    def part(self, request: Request) -> Part | None:
        if request.method != "POST" or b"{ customer { query(" not in request.body:
            return None
        variables = request.json()["variables"]
        after = variables.get("after")
        return Part(number_in(after) + 1 if after else 0, variables["first"])

    def learn(self, page: str) -> list[str]:
        records = super().learn(page)
        self._closing = page.rpartition('"endCursor": "')[2].partition('"}')[2]
        return records

    def frame(self, part: Part, count: int, behind: int | None) -> tuple[str, str]:
        more, last = json.dumps(behind is not None), part.first + count - 1
        page = f'"pageInfo": {{"hasNextPage": {more}, "endCursor": "canned#{last:07d}"}}'
        return self.head, f"], {page}{self._closing}"


class SageX3RestSite(SageX3GraphQLSite):
    """The REST service api1: a link to the page behind a key."""

    opening = '"$resources"'

    @property
    def where(self) -> dict[str, Any]:
        login = {"username": self.username, "password": self.password}
        return {"url": self.base_url, "endpoint": self.endpoint, **login}

    def part(self, request: Request) -> Part | None:
        query = query_of(request)
        if request.method != "GET" or not request.path.endswith("/BPCUSTOMER") or "count" not in query:
            return None
        key = query.get("key", "")
        self._link = f"{self.url}{request.raw_path.partition('&key=')[0]}"
        return Part(number_in(key) + 1 if key else 0, int(query["count"]))

    def learn(self, page: str) -> list[str]:
        return CannedSite.learn(self, page)

    def frame(self, part: Part, count: int, behind: int | None) -> tuple[str, str]:
        links = {"$first": {"$url": self._link, "$type": "application/json", "$title": "First page"}}
        if behind is not None:
            url = f"{self._link}&key=gt.{behind - 1:07d}"
            links["$next"] = {"$url": url, "$type": "application/json", "$title": "Next page"}
        return self.head, f'], "$links": {json.dumps(links)}}}'


class SysproENetSite(CannedSite, FakeSyspro):
    """The finder of e.net in XML: the rows behind a key."""

    charset = "cp1252"
    between = b""
    _asked = re.compile(r"<Value>(\d+)</Value>")
    _rows = re.compile(r"<ReturnRows>(\d+)</ReturnRows>")

    @property
    def where(self) -> dict[str, Any]:
        return {"url": self.url, "operator": "SYNC", "password": "secret", "company": "EDU1"}

    def put_kind(self, kind: Kind) -> None:
        self.add_customer(
            f"{kind.number:0>15}",
            name=kind.name,
            email=kind.email,
            Contact=f"{kind.first} {kind.last}" if kind.has_person else "",
            Telephone=kind.phone,
            SoldToAddr1=kind.street,
            SoldToAddr3=kind.city,
            SoldToAddr4=kind.region,
            SoldToAddr5=kind.country3,
            SoldPostalCode=kind.postal_code,
            Nationality=kind.country3,
            CustomerClass="W" if kind.index % 3 else "R",
        )

    def part(self, request: Request) -> Part | None:
        asked = query_of(request).get("XmlIn", "")
        if "<TableName>ArCustomer</TableName>" not in asked:
            return None
        rows = self._rows.search(asked)
        key = self._asked.search(asked)
        return Part(number_in(key[1]) + 1 if key else 0, int(rows[1]) if rows else 0)

    def learn(self, page: str) -> list[str]:
        self.head, _, rest = page.partition("<Row>")
        records, _, self.tail = rest.rpartition("</Row>\n")
        self.tail = self.tail.partition("</RowsReturned>")[2]
        return [f"<Row>{record}" for record in f"{records}</Row>\n".split("<Row>")]

    def frame(self, part: Part, count: int, behind: int | None) -> tuple[str, str]:
        return self.head, f"<RowsReturned>{count:8d}</RowsReturned>{self.tail}"


class SysproODataSite(SysproENetSite):
    """OData: the rows behind a key."""

    charset = "utf-8"
    between = b","
    opening = '"value"'
    _behind = re.compile(r"Customer gt '(\d+)'")

    @property
    def where(self) -> dict[str, Any]:
        return {"url": self.odata_root, "username": "SYNC", "password": "odata secret"}

    def part(self, request: Request) -> Part | None:
        query = query_of(request)
        if not request.path.endswith("/ArCustomer") or "$top" not in query:
            return None
        key = self._behind.fullmatch(query.get("$filter", ""))
        return Part(number_in(key[1]) + 1 if key else 0, int(query["$top"]))

    def learn(self, page: str) -> list[str]:
        return CannedSite.learn(self, page)

    def frame(self, part: Part, count: int, behind: int | None) -> tuple[str, str]:
        return self.head, self.tail


SITES: dict[str, type[Any]] = {
    "acumatica": AcumaticaSite,
    "sage100": Sage100Site,
    "sage300": Sage300Site,
    "sagex3": SageX3GraphQLSite,
    "syspro": SysproENetSite,
    "sagex3-api1": SageX3RestSite,
    "syspro-odata": SysproODataSite,
}
"""The API of each ERP that a new site would take, then the others."""
