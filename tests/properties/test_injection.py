"""Whatever stands in a key or a value, a request stays in its place and asks for what was meant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings, strategies as st

from mlconnector_sdk._http import HttpClient
from mlconnector_sdk.errors import MappingError, MLConnectorError, RecordError
from mlconnector_sdk.mailchimp._wire import path as mailchimp_path
from mlconnector_sdk.sources.acumatica._api import key_path
from mlconnector_sdk.sources.sagex3._api1 import details_path, next_path
from mlconnector_sdk.sources.syspro._enet import find_request
from mlconnector_sdk.sources.syspro._tables import Condition, Query, Table
from mlconnector_sdk.state import SQLiteStateStore
from mlconnector_sdk.testing import FakeServer, Reply, Request
from tests.scenarios._worlds import ENDS, World

SIGNS = st.text(
    "'\"/\\.%#?&=;:@+~()[]{}<>$*,|-_ \n\r\t\0\x1f\x7fé\u202e\u2028\ufffe\U0001f600aB0", min_size=1, max_size=10
)
TRICKS = st.sampled_from([
    "..", ".", "../..", "..%2F..", "%2F", "%2e%2e", "%00", "a\0b", "a\r\nX-Evil: 1", "x' or 'a' eq 'a", "1 or 1 eq 1",
    "' or 1 eq 1 or '", "x') or ('a' eq 'a", "'; DROP TABLE customers;--", "]]>", "<!--", "&l;", "&#0;", "${x}",
    "{{x}}", "</Value><Value>1", '"}]}', '\\"', "\\", "\\u0000", "$filter", "?$top=1", "#", "*", "%", "_", "~",
    "@evil.example", "//evil.example/", "http://evil.example/", "C000001'", "c000001", "C000001 ", "\u2028", "\u202e",
])  # fmt: skip
HOSTILE = SIGNS | TRICKS


class Echo(FakeServer):
    """Tells where it was asked."""

    def handle(self, request: Request) -> Reply:
        return Reply(200, {"segments": request.segments, "query": request.query})


@pytest.fixture(scope="module", name="echo")
def _echo() -> Iterator[HttpClient]:
    """A client of a server that tells where it was asked."""
    with Echo() as server:
        client = HttpClient("erp", f"{server.url}/api", judge=lambda reply, operation: None)
        yield client
        client.close()


def reached(echo: HttpClient, path: str) -> dict[str, Any] | None:
    """Where a path leads, `None` where it is refused as the record's own fault."""
    try:
        reply = echo.request("GET", path, operation="GET x")
    except RecordError:
        return None
    found: dict[str, Any] = reply.json()
    return found


@given(HOSTILE)
@example("..")
def test_keys_stay_one_segment(echo, text):
    """A key in a path is one segment and arrives as it is; what HTTP would read as a step is the record's fault."""
    found = reached(echo, f"/Customer{key_path([text, 'z'])}")

    assert found is None if text in {".", ".."} else found["segments"] == ["api", "Customer", text, "z"]


@given(HOSTILE)
def test_mailchimp_ids_stay_one_segment(echo, text):
    """The same for ids below Mailchimp's root, where a step up would delete an order for a line."""
    try:
        path = mailchimp_path("ecommerce", "stores", "acme", "orders", text, "lines", text)
    except MappingError:
        assert text in {".", ".."}
    else:
        expected = ["api", "ecommerce", "stores", "acme", "orders", text, "lines", text]
        assert reached(echo, path)["segments"] == expected


@given(st.lists(HOSTILE, min_size=1, max_size=3))
def test_keys_of_x3_stay_in_their_brackets(echo, key):
    """The key of a record of api1 is one segment, quotes doubled, and the representation stays what it was."""
    found = reached(echo, details_path("BPCUSTOMER", "YMCBPC", key))

    inner = "~".join(part.replace("'", "''") for part in key)
    assert found == {"segments": ["api", f"BPCUSTOMER('{inner}')"], "query": {"representation": "YMCBPC.$details"}}


@given(st.lists(HOSTILE, max_size=4), st.sampled_from(["http://x3.example.com", "https://evil.example", "//evil", ""]))
def test_links_of_x3_stay_within_the_endpoint(echo, parts, host):
    """A link to a next page is followed below the configured endpoint or not at all."""
    path = next_path(f"{host}/api1/x3/erp/SEED/{'/'.join(parts)}", "/api1/x3/erp/SEED")

    if path is not None:
        try:
            reply = echo.request("GET", f"/x3{path}", operation="GET x")
        except MLConnectorError:
            return
        assert reply.json()["segments"][:2] == ["api", "x3"]


@given(st.lists(HOSTILE, min_size=1, max_size=4))
def test_questions_to_enet_keep_their_form(values):
    """Values in a question to a business object are its text, whatever they look like."""
    table = Table(name="ArCustomer", key=("Customer",))
    conditions = tuple(Condition(column="Name", operator="eq", value=value) for value in values)
    root = ET.fromstring(find_request(Query(table=table, conditions=conditions, rows=5, any_of=True)))

    assert [child.tag for child in root] == ["TableName", "ReturnRows", "Columns", "Where", "OrderBy"]
    assert len(root.findall("Where/Expression")) == len(values)
    for found, value in zip(root.iterfind("Where/Expression/Value"), values, strict=True):
        printable = "".join(sign for sign in value if sign >= " " and sign != "\ufffe")
        assert "".join(sign for sign in found.text or "" if sign >= " ").strip() == printable.strip()


@pytest.fixture(scope="module", name="worlds")
def _worlds() -> Iterator[dict[str, Any]]:
    """Every ERP with two customers, and a source that is signed in."""
    with ExitStack() as stack:
        worlds = {}
        for system in ENDS:
            world = stack.enter_context(World(system))
            keys = [world.erp.add_customer(f"{name}@harbor-pumps.com", name=name) for name in ("ada", "bob")]
            source = stack.enter_context(world.erp.source())
            source.attach(clock=world.clock)
            assert {record.key for page in source.read("customers") for record in page} == set(keys)
            worlds[system] = (world, source, keys)
        yield worlds


@pytest.mark.parametrize("system", ENDS)
@settings(max_examples=12)
@given(strange=st.lists(HOSTILE, min_size=1, max_size=6, unique=True))
@example(strange=["..", "x' or 'a' eq 'a", "a\0b", "a\r\nb", "</Value><Value>1", '"}]}', "1 or 1 eq 1", "\\", "%2F"])
def test_what_is_asked_by_key_is_what_comes(worlds, system, strange):
    """Beside keys of any form the one that is there is found, and nobody else; no request leaves its place."""
    world, source, (ada, bob) = worlds[system]
    with world.erp.fake.recording() as plain:
        list(source.fetch("customers", [ada]))
    with world.erp.fake.recording() as calls:
        found = [record.key for page in source.fetch("customers", [*strange, ada]) for record in page]

    assert ada in found
    assert bob not in found
    assert {(call.method, call.path) for call in calls} <= {(call.method, call.path) for call in plain}
    assert all(call.status == 200 for call in calls)


TRICKY = [
    "..", ".", "x' or 'a' eq 'a", "1 or 1 eq 1", "0) or (1 eq 1", "a\0b", "a\r\nb", "</Value><Value>1", '"}]}', "\\",
    "%2F", "INV/1' or 'a' eq 'a", "SO/../x", "1e999999999", "NaN", "9" * 200, "-1", "\u00b2", "a/b/c", "&l;", "{}", "",
    " ",
]  # fmt: skip


@pytest.mark.parametrize("stream", ["contacts", "suppliers", "orders"])
@pytest.mark.parametrize("system", ENDS)
def test_every_stream_is_asked_for_by_key_alone(system, stream):
    """Beside tricky keys the record that is there is found, and no other; numbers that are none equal none."""
    with World(system) as world:
        keys = [world.erp.add_customer(f"{name}@harbor-pumps.com", name=name) for name in ("ada", "bob")]
        with world.erp.source() as source:
            if stream not in source.streams:
                return
            made = {
                "contacts": lambda key: world.erp.add_contact(f"mary@{key.strip('-').lower()}.example", account=key),
                "suppliers": lambda key: world.erp.add_supplier(f"sales@{key.strip('-').lower()}.example"),
                "orders": world.erp.add_order,
            }[stream]
            for key in keys:
                made(key)
            source.attach(clock=world.clock)
            ada, bob = sorted(record.key for page in source.read(stream) for record in page)[:2]
            found = {record.key for page in source.fetch(stream, [*TRICKY, ada]) for record in page}

    assert ada != bob
    assert found == {ada}


KEYS = ["O'N&B", "A/B", "A%2FB", 'A"B', "A<B>", "A#B?C", "A;B", "A+B", "A\\\\B", "A,B=C", "A $B", "A~B", "..", "A''B"]
"""Keys that an ERP's user may well have typed."""


@pytest.mark.parametrize("system", ENDS)
def test_keys_full_of_signs_are_keys_like_any_other(system):
    """Customers with such keys are loaded, changed with a later run, asked for by key, and have their orders."""
    with World(system) as world:
        # Sage 100 begins numbers with the division.
        lead = "00-" if system.startswith("sage100") else ""
        keys = [
            world.erp.add_customer(f"c{number}@harbor-pumps.com", name=str(number), key=f"{lead}{key}")
            for number, key in enumerate(KEYS)
        ]
        for key in keys:
            world.erp.add_order(key)
        first = world.run()
        for key in keys:
            world.erp.rename(key, "Another name")
        second = world.run()
        with world.erp.source() as source:
            source.attach(clock=world.clock)
            found = {key: [one.key for page in source.fetch("customers", [key]) for one in page] for key in keys}

    assert (first.ok, second.ok) == (True, True), f"{first} {second}"
    assert first.streams["customers"].created == second.streams["customers"].updated == len(keys)
    assert first.streams["orders"].dead == 0
    assert found == {key: [key] for key in keys}


JSON_SYSTEMS = [system for system in ENDS if system not in {"sage100 soap", "syspro enet", "syspro soap"}]
"""Those that speak JSON, where anything can be written as an escape."""

NO_TEXT = {b"QX0Q": rb"\ud83d", b"QX1Q": rb"\udc00", b"QX2Q": rb"\u0000", b"QX3Q": rb"\u001f", b"QX4Q": rb"\ufffe"}


@pytest.mark.parametrize("system", JSON_SYSTEMS)
def test_what_no_text_can_hold_harms_no_run(system, tmp_path):
    """Halves of characters, NUL and the like in names stop neither the run nor the state, nor set anybody aside."""
    with World(system, state=SQLiteStateStore(tmp_path / "state.db")) as world:
        emails = [f"c{number}@harbor-pumps.com" for number in range(len(NO_TEXT))]
        for email, placeholder in zip(emails, NO_TEXT, strict=True):
            world.erp.add_customer(email, name=f"Ada {placeholder.decode()} Ltd")
        world.erp.add_customer("no address", name=f"Bob {b' '.join(NO_TEXT).decode()}")
        handle = world.erp.fake.handle

        def spoil(request: Request) -> Reply:
            reply = handle(request)
            body, kind = reply.encoded()
            for placeholder, sign in NO_TEXT.items():
                body = body.replace(placeholder, sign)
            return Reply(reply.status, body, {"Content-Type": kind, **reply.headers}, reply.cookies)

        world.erp.fake.handle = spoil
        customers = world.run(streams=["customers"]).streams["customers"]
        letters = world.state.dead_letters("acme")

        assert (customers.error, customers.created, customers.dead) == ("", len(emails), 1)
        companies = [world.mailchimp.members[email].merge_fields["COMPANY"] for email in emails]
        assert all(company.startswith("Ada ") and company.endswith("Ltd") for company in companies), companies
        assert [letter.reason for letter in letters] == ["bad_email"]
    world.state.close()


@pytest.mark.parametrize("system", ENDS)
def test_values_arrive_as_they_are(system):
    """Names full of signs reach the audience as text, beside each other, and set nobody else aside."""
    names = ["O'Hara & <Sons>", 'Say "hi"', "a/../b%2F", "${x} {{y}}", "]]> -- ;", "\\u0041 \\", "*|FNAME|*"]
    with World(system) as world:
        emails = {f"c{number}@harbor-pumps.com": name for number, name in enumerate(names)}
        for email, name in emails.items():
            world.erp.add_customer(email, name=name)
        report = world.run(streams=["customers"])

        assert report.ok, str(report)
        companies = {email: world.mailchimp.members[email].merge_fields["COMPANY"] for email in emails}
    assert report.streams["customers"].created == len(names)
    assert companies == emails
