"""FakeMailchimp against the vendor's contract: what it offers, what it takes, what it answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mlconnector_sdk.testing.fakes._mailchimp import FakeMailchimp
from mlconnector_sdk.testing.fakes._mailchimp_checks import Items, Nullable, Object, Shape
from tests.contracts._mailchimp_oracle import (
    check_exchange,
    find_operation,
    operations,
    request_schema,
    specs_folder,
)

pytestmark = pytest.mark.skipif(
    specs_folder() is None, reason="MLCONNECTOR_SPECS names no folder with Mailchimp's contract"
)

LIST = "/lists/a1b2c3d4e5"
STORE = "/ecommerce/stores/acme"
ADDRESS = {"addr1": "1 Main St", "city": "Atlanta", "state": "GA", "zip": "30308", "country": "US"}
LINE = {"id": "1", "product_id": "BOLT", "product_variant_id": "BOLT", "quantity": 2, "price": 2.5}
# Taken and ignored by the real system though the contract does not name it.
IGNORED = {("PUT", "tags"), ("PATCH", "tags")}


@pytest.fixture(name="fake")
def _fake() -> Iterator[FakeMailchimp]:
    with FakeMailchimp(product_put=True) as fake:
        fake.keep_bodies = True
        yield fake


@pytest.fixture(name="client")
def _client(fake: FakeMailchimp) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fake.base_url, auth=("any", fake.api_key), trust_env=False) as client:
        yield client


def _hash(fake: FakeMailchimp, email: str) -> str:
    return fake.members[email].id


def _audience(fake: FakeMailchimp, client: httpx.Client) -> None:
    """Every audience operation once or more, refusals included."""
    fake.add_merge_field("LTV", "number")
    fake.add_interest_category("Trade", ["Retail", "Wholesale"])
    fake.add_marketing_permission("Email")
    for path in ("/ping", "/", "/lists?count=5", LIST, "/lists/unknown"):
        client.get(path)
    person = {"email_address": "Pat@acme.org", "status": "subscribed", "tags": ["ERP"]}
    client.post(f"{LIST}/members", json={**person, "merge_fields": {"ADDRESS": ADDRESS, "LTV": "12.5"}})
    client.post(f"{LIST}/members", json=person)
    pat = f"{LIST}/members/{_hash(fake, 'pat@acme.org')}"
    client.put(f"{pat}?skip_merge_validation=true", json={"email_address": "pat@acme.org", "status_if_new": "pending"})
    client.put(pat, json={"email_address": "pat@acme.org", "merge_fields": {"LTV": "much"}})
    client.patch(pat, json={"vip": True, "language": "en", "ip_opt": "203.0.113.9"})
    client.get(pat)
    client.get(f"{pat}?fields=id,merge_fields.LTV")
    client.post(f"{pat}/tags", json={"tags": [{"name": "Trade", "status": "active"}], "is_syncing": True})
    client.get(f"{pat}/tags?count=1")
    client.get(f"{LIST}/tag-search?name=tr")
    bulk = [
        {"email_address": "pat@acme.org", "status_if_new": "subscribed"},
        {"email_address": "ann@acme.org", "status_if_new": "transactional", "tags": ["ERP"]},
        {"email_address": "nobody@example.com", "status": "subscribed"},
    ]
    client.post(LIST, json={"members": bulk, "update_existing": True})
    client.post(LIST, json={"members": bulk})
    fake.unsubscribe("ann@acme.org")
    client.get(
        f"{LIST}/members?count=1000&sort_field=last_changed&sort_dir=ASC&since_last_changed=2020-01-01T00:00:00Z"
    )
    client.delete(pat)
    client.delete(pat)
    client.put(pat, json={"email_address": "pat@acme.org", "status_if_new": "subscribed"})
    client.post(f"{pat}/actions/delete-permanent")
    client.get(pat)


def _audience_settings(fake: FakeMailchimp, client: httpx.Client) -> None:
    """Merge fields, groups and webhooks."""
    fake.add_interest_category("Trade", ["Retail", "Wholesale"])
    fields = f"{LIST}/merge-fields"
    options = {"choices": ["A", "B"]}
    made = client.post(fields, json={"tag": "erpid", "name": "ERP", "type": "text", "required": False}).json()
    client.post(fields, json={"tag": "CLASS", "name": "Class", "type": "dropdown", "options": options})
    client.post(fields, json={"tag": "ERPID", "name": "ERP", "type": "text"})
    client.get(f"{fields}?count=1000&type=text")
    client.get(f"{fields}/{made['merge_id']}")
    client.patch(f"{fields}/{made['merge_id']}", json={"name": "ERP number", "tag": "ERPNO"})
    client.delete(f"{fields}/{made['merge_id']}")
    groups = f"{LIST}/interest-categories"
    group = client.get(groups).json()["categories"][0]["id"]
    client.get(f"{groups}/{group}")
    client.get(f"{groups}/{group}/interests")
    hooks = f"{LIST}/webhooks"
    body = {"url": "https://hooks.acme.org/mc", "events": {"unsubscribe": True}, "sources": {"user": True}}
    hook = client.post(hooks, json=body).json()["id"]
    client.post(hooks, json=body)
    client.get(hooks)
    client.patch(f"{hooks}/{hook}", json={"events": {"cleaned": True}})
    client.get(f"{hooks}/{hook}")
    client.delete(f"{hooks}/{hook}")


def _store(fake: FakeMailchimp, client: httpx.Client) -> None:
    """Every e-commerce operation."""
    store = {"id": "acme", "list_id": fake.list_id, "name": "Acme", "currency_code": "USD", "is_syncing": True}
    client.post("/ecommerce/stores", json=store)
    client.post("/ecommerce/stores", json=store)
    client.get("/ecommerce/stores")
    client.get(STORE)
    client.patch(STORE, json={"is_syncing": False, "address": {"city": "Atlanta"}})
    customer = {"id": "c1", "email_address": "pat@acme.org", "opt_in_status": False}
    client.put(f"{STORE}/customers/c1", json={**customer, "address": {"address1": "1 Main St"}})
    client.put(f"{STORE}/customers/c1", json={**customer, "email_address": "new@acme.org"})
    client.post(f"{STORE}/customers", json={**customer, "id": "c2", "email_address": "ann@acme.org"})
    client.get(f"{STORE}/customers?email_address=pat@acme.org")
    client.patch(f"{STORE}/customers/c2", json={"company": "Acme"})
    client.get(f"{STORE}/customers/c2")
    client.delete(f"{STORE}/customers/c2")
    _products(client)
    _orders(client)
    client.delete(f"{STORE}/products/BOLT")
    client.delete(STORE)


def _products(client: httpx.Client) -> None:
    variant = {"id": "BOLT", "title": "Bolt", "price": "2.50", "sku": "B-1", "inventory_quantity": 3}
    product = {"id": "BOLT", "title": "Bolt", "variants": [variant], "published_at_foreign": "2026-03-01 10:00"}
    image = {"id": "1", "url": "https://acme.org/bolt.png", "variant_ids": ["BOLT"]}
    client.post(f"{STORE}/products", json={**product, "images": [image]})
    client.post(f"{STORE}/products", json=product)
    client.get(f"{STORE}/products")
    bolt = f"{STORE}/products/BOLT"
    client.patch(bolt, json={"vendor": "Acme"})
    client.put(bolt, json={"id": "BOLT", "title": "Bolt M8", "variants": [variant]})
    client.get(bolt)
    client.post(f"{bolt}/variants", json={**variant, "id": "BOLT-2"})
    client.put(f"{bolt}/variants/BOLT-3", json={**variant, "id": "BOLT-3"})
    client.patch(f"{bolt}/variants/BOLT-3", json={"price": 3})
    client.get(f"{bolt}/variants")
    client.get(f"{bolt}/variants/BOLT-3")
    client.delete(f"{bolt}/variants/BOLT-3")


def _orders(client: httpx.Client) -> None:
    order = {"id": "SO-1", "customer": {"id": "c1"}, "currency_code": "USD", "order_total": "5.00", "lines": [LINE]}
    rest = {"processed_at_foreign": "2026-03-01T10:00:00Z", "billing_address": {"city": "Atlanta"}, "cart_id": "k"}
    orders = f"{STORE}/orders"
    client.post(orders, json={**order, **rest})
    client.post(orders, json=order)
    client.post(orders, json={**order, "id": "SO-2", "lines": [{**LINE, "product_id": "NUT"}]})
    client.get(f"{orders}?customer_id=c1")
    client.get("/ecommerce/orders")
    one = f"{orders}/SO-1"
    promo = {"code": "SPRING", "amount_discounted": 1, "type": "fixed"}
    client.patch(one, json={"lines": [{**LINE, "id": "2"}], "promos": [promo], "financial_status": "paid"})
    client.get(one)
    client.post(f"{one}/lines", json={**LINE, "id": "3"})
    client.patch(f"{one}/lines/3", json={"quantity": 4})
    client.get(f"{one}/lines")
    client.get(f"{one}/lines/3")
    client.delete(f"{one}/lines/3")
    client.delete(one)


def _reports(fake: FakeMailchimp, client: httpx.Client) -> None:
    """Campaigns, what people did with them, and one person's history."""
    campaign = _sent_campaign(fake)
    for path in ("/reports?count=5&type=regular&since_send_time=2020-01-01T00:00:00Z", "/reports/unknown"):
        client.get(path)
    report = f"/reports/{campaign}"
    parts = "open-details click-details email-activity unsubscribed sent-to abuse-reports"
    for path in ("", *(f"/{part}" for part in parts.split())):
        client.get(report + path)
    client.get(f"{report}/open-details?since=2020-01-01T00:00:00Z&sort_field=opens_count")
    client.get(f"{report}/email-activity?since=soon")
    client.get(f"{report}/sent-to?exclude_fields=_links,sent_to.merge_fields")
    client.get(f"{LIST}/members/{_hash(fake, 'ann@acme.org')}/activity-feed")


def _sent_campaign(fake: FakeMailchimp) -> str:
    """A campaign with which everything happened that can."""
    for name in ("ann", "bob", "cleo", "dan"):
        fake.add_member(f"{name}@acme.org")
    campaign = fake.send_campaign("Spring")
    fake.open("ann@acme.org", campaign)
    fake.click("ann@acme.org", campaign)
    fake.bounce("bob@acme.org", campaign, hard=True)
    fake.reports.unsubscribe("cleo@acme.org", campaign)
    fake.reports.complain("dan@acme.org", campaign)
    return campaign


def _batches(client: httpx.Client) -> None:
    batch = client.post("/batches", json={"operations": [{"method": "GET", "path": "/ping"}]}).json()
    for _ in range(5):
        client.get(f"/batches/{batch['id']}")
    client.get("/batches")
    client.delete(f"/batches/{batch['id']}")
    client.get(f"/batches/{batch['id']}")


def _exchanges(fake: FakeMailchimp) -> list[tuple[str, str, bytes, int, bytes]]:
    return [(e.method, e.request.raw_path, e.request.body, e.status, e.response_body) for e in fake.log]


@pytest.mark.parametrize(
    "story", [_audience, _audience_settings, _store, _reports, lambda fake, client: _batches(client)]
)
def test_every_answer_fits(fake: FakeMailchimp, client: httpx.Client, story: Any) -> None:
    """Requests the fake takes and all its answers, refusals included, fit the vendor's contract."""
    story(fake, client)

    assert fake.log
    for exchange in _exchanges(fake):
        check_exchange(*exchange)


def test_the_stories_reach_every_route(fake: FakeMailchimp, client: httpx.Client) -> None:
    """No operation of the fake stays unjudged, and each was answered with success at least once."""
    for story in (_audience, _audience_settings, _store, _reports):
        story(fake, client)
    _batches(client)

    served = {find_operation(e.method, e.path) for e in fake.log if 200 <= e.status < 300}
    assert {f"{route.method} {route.template}" for route in fake.routes} == served


def test_query_parameters_are_the_contracts(fake: FakeMailchimp) -> None:
    """Each route knows exactly the query parameters that the contract gives it."""
    for route in fake.routes:
        parameters = operations()[f"{route.method} {route.template}"].get("parameters", [])
        expected = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}

        assert expected == set(route.query_names), route


def test_request_bodies_are_the_contracts(fake: FakeMailchimp) -> None:
    """Each route's body has exactly the contract's properties, at every depth."""
    for route in fake.routes:
        schema = request_schema(f"{route.method} {route.template}")

        assert (schema is None) == (route.body is None), route
        if schema is not None and route.body is not None:
            _compare(schema, route.body, f"{route.method} {route.template}", route.method)


def test_every_name_of_the_contract_can_be_asked_for(fake: FakeMailchimp, client: httpx.Client) -> None:
    """`fields` takes each property that the contract's answer has, at every depth."""
    fake.add_interest_category("Trade", ["Retail"])
    _make_one_of_each(fake, client)
    for route in fake.routes:
        schema = operations()[f"{route.method} {route.template}"]["responses"].get("200", {}).get("schema", {})
        if "fields" in route.query_names:
            reply = client.get(_filled(fake, route.template), params={"fields": ",".join(_names(schema))})

            assert reply.status_code == 200, reply.text


def _make_one_of_each(fake: FakeMailchimp, client: httpx.Client) -> None:
    fake.add_member("pat@acme.org")
    _sent_campaign(fake)
    store = {"id": "acme", "list_id": fake.list_id, "name": "Acme", "currency_code": "USD"}
    product = {"id": "BOLT", "title": "Bolt", "variants": [{"id": "BOLT", "title": "Bolt"}]}
    customer = {"id": "c1", "email_address": "pat@acme.org", "opt_in_status": False}
    order = {"id": "SO-1", "customer": customer, "currency_code": "USD", "order_total": 5, "lines": [LINE]}
    for path, body in (
        ("/ecommerce/stores", store),
        (f"{STORE}/products", product),
        (f"{STORE}/orders", order),
        ("/batches", {"operations": [{"method": "GET", "path": "/ping"}]}),
    ):
        client.post(path, json=body).raise_for_status()


def _filled(fake: FakeMailchimp, template: str) -> str:
    ids = {"list_id": fake.list_id, "store_id": "acme", "customer_id": "c1", "product_id": "BOLT"}
    ids |= {"variant_id": "BOLT", "order_id": "SO-1", "line_id": "1", "merge_id": "1"}
    ids |= {"subscriber_hash": "pat@acme.org", "batch_id": next(iter(fake.batches))}
    ids |= {"campaign_id": next(iter(fake.reports.campaigns))}
    return template.format(**ids, interest_category_id=next(iter(fake.audience.interest_categories)))


def _names(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        yield prefix + name
        yield from _names(inner.get("items", inner), f"{prefix}{name}.")


def _compare(schema: dict[str, Any], shape: Shape, where: str, method: str) -> None:
    if isinstance(shape, Nullable):
        shape = shape.inner
    if "properties" in schema and isinstance(shape, Object):
        ours = {name for name in shape.fields if (method, name) not in IGNORED or "members" not in where}
        assert set(schema["properties"]) == ours, where
        for name in ours:
            _compare(schema["properties"][name], shape.fields[name], f"{where}.{name}", method)
    if schema.get("type") == "array" and isinstance(shape, Items):
        _compare(schema["items"], shape.inner, f"{where}[]", method)


def test_refusals_name_their_request_id(fake: FakeMailchimp, client: httpx.Client) -> None:
    """A problem document is application/problem+json and repeats the request id as its instance."""
    reply = client.get("/lists/unknown")

    assert reply.headers["content-type"] == "application/problem+json; charset=utf-8"
    assert reply.headers["x-request-id"] == reply.json()["instance"]


GOOD_MEMBER = {"email_address": "pat@acme.org", "status_if_new": "subscribed"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", f"{LIST}/members/x", {**GOOD_MEMBER, "nickname": "Pat"}),
        ("PUT", f"{LIST}/members/x", {**GOOD_MEMBER, "vip": "yes"}),
        ("PUT", f"{LIST}/members/x", {**GOOD_MEMBER, "status": "archived"}),
        ("PUT", f"{LIST}/members/x?skip=true", GOOD_MEMBER),
        ("POST", LIST, {"members": [{"email_address": "pat@acme.org"}]}),
        ("POST", LIST, {"members": [GOOD_MEMBER] * 501}),
        ("GET", f"{LIST}/members?count=1001", None),
        ("GET", f"{LIST}/segments", None),
        ("POST", f"{STORE}/orders", {"id": "1", "customer": {"id": "c"}, "currency_code": "USD", "order_total": 1}),
        ("PATCH", f"{STORE}/orders/1", {"lines": [{**LINE, "quantity": 1.5}]}),
    ],
)
def test_the_oracle_sees_bad_requests(method: str, path: str, body: Any) -> None:
    """Unknown names, wrong types, missing parts and too many entries are told from what fits."""
    sent = b"" if body is None else json.dumps(body).encode()

    with pytest.raises(AssertionError):
        check_exchange(method, f"/3.0{path}", sent, 0, b"")


@pytest.mark.parametrize(
    ("status", "answer"),
    [(200, b'{"id": 5}'), (200, b'{"nickname": "Pat"}'), (404, b'{"status": "404"}'), (204, b""), (201, b"{}")],
)
def test_the_oracle_sees_bad_answers(status: int, answer: bytes) -> None:
    """Answers of the wrong type, with unknown properties or under a status the contract lacks do not pass."""
    with pytest.raises(AssertionError):
        check_exchange("GET", f"/3.0{LIST}/members/x", b"", status, answer)


def test_the_oracle_leaves_foreign_pages_alone() -> None:
    """A proxy's HTML under a 5xx and a dropped connection say nothing about the contract."""
    check_exchange("GET", "/3.0/ping", b"", 502, b"<html></html>")
    check_exchange("GET", "/3.0/ping", b"", 0, b"")
