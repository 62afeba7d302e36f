"""What the Sage 100 agent takes and refuses before Sage 100 is asked: tokens, addresses, queries, bodies, settings."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest

from mlconnector_sdk.agents.sage100 import AgentSettings, create_app
from mlconnector_sdk.errors import ConfigurationError, MissingDependencyError
from tests.unit.agents._agent import BASE, CONTRACT, DO_NOT_EMAIL, TOKEN, World, call, problem

CUSTOMERS = "/companies/ABC/customers"
CUSTOMER = f"{CUSTOMERS}/00/0000042"
ERROR_CODES = CONTRACT.content["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"]


# -- tokens ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/companies", CUSTOMERS, f"{CUSTOMERS}/keys", CUSTOMER, "/nowhere", ""])
@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer \xe9"],
)
def test_nothing_is_told_without_the_token(path: str, header: str | None, world: World) -> None:
    """Every address needs a whole token of the agent's, sent as a bearer token; the answer says how to send it."""
    headers = {} if header is None else {"Authorization": header}
    answer = world.ask(path, token=None, headers=headers, sound=False)

    assert (401, "TOKEN_INVALID", "Bearer") == (*problem(answer), answer.headers["www-authenticate"])
    assert 0 == world.script.dispatched


def test_each_of_several_tokens_is_good(make_world) -> None:
    """While a token is replaced, the old and the new one are both good; the scheme may be written as people like."""
    new = "the-token-after-this-one"
    world = make_world(tokens=[TOKEN, new])

    assert [200, 200] == [world.ask("/health", token=token).status for token in (TOKEN, new)]
    assert 200 == world.ask("/health", token=None, headers={"Authorization": f"bearer {new}"}).status


# -- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/nowhere", "/health/", "/companies/ABC", "/companies/ABC/", "/companies/ABC/nowhere"),
        *(f"{CUSTOMERS}/", f"{CUSTOMERS}/keys/x/", f"{CUSTOMERS}/00", "/companies/ABC/vendors/00/QUILL"),
    ],
)
def test_address_that_is_none_is_not_found(path: str, world: World) -> None:
    """What the contract does not have is a 404, or a refused number."""
    assert world.ask(path, sound=False).status in {404, 422}
    assert 0 == world.script.dispatched


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/health", "GET"),
        ("DELETE", CUSTOMER, "GET, PATCH"),
        ("PATCH", CUSTOMERS, "GET"),
        ("PUT", f"{CUSTOMERS}/keys", "GET"),
        ("HEAD", "/companies", "GET"),
    ],
)
def test_method_that_is_not_offered_is_refused(method: str, path: str, allowed: str, world: World) -> None:
    """Another method is a 405 that names the right ones."""
    answer = world.ask(path, method=method, sound=False)

    assert (405, allowed) == (answer.status, answer.headers["allow"])


def test_agent_may_be_mounted(world: World) -> None:
    """A server that serves other things too may mount the agent at its base."""

    def mounted(environ, start_response):
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = BASE, environ["PATH_INFO"].removeprefix(BASE)
        return world.agent(environ, start_response)

    answer = call(mounted, "GET", "/companies", "", {"authorization": f"Bearer {TOKEN}"}, b"")

    assert [200, 2] == [answer.status, len(answer.json())]


def test_clock_is_the_machines_by_default(world: World) -> None:
    """Without a clock of its own the agent tells the time of its machine."""
    with create_app(world.settings, dispatch=world.dispatch) as agent:
        answer = call(agent, "GET", "/health", "", {"authorization": f"Bearer {TOKEN}"}, b"")

    assert "20200101" < answer.json()["now"]["date"] < "99999999"


def test_answers_are_not_to_be_kept(world: World) -> None:
    """Answers hold personal data: no cache may keep them."""
    assert "no-store" == world.ask("/health").headers["cache-control"]


# -- queries --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"sincedate": "20260101"}, "unknown"),
        ({"expand": "lines"}, "unknown"),
        ({"sinceDate": "2026-01-01"}, "sinceDate"),
        ({"sinceTime": "9.5"}, "sinceDate"),
        ({"sinceDate": "20260101", "sinceTime": "24"}, "sinceTime"),
        ({"sinceDate": "20260101", "sinceTime": "9.123456"}, "sinceTime"),
        ({"sinceDate": "20260101", "sinceTime": "noon"}, "sinceTime"),
        ({"sinceDate": ["20260101", "20250101"]}, "once"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"fields": ""}, "fields"),
        ({"fields": "CustomerName$"}, "fields"),
        ({"key": "00-0000042"}, "ARDivisionNo, CustomerNo"),
        ({"key": '["0000042"]'}, "ARDivisionNo"),
        ({"key": '["00",42]'}, "ARDivisionNo"),
        ({"key": '["00","1"]', "limit": "5"}, "limit"),
        ({"key": '["00","1"]', "sinceDate": "20260101"}, "sinceDate"),
        ({"key": [f'["00","{number}"]' for number in range(101)]}, "100"),
    ],
)
def test_query_that_is_not_understood_is_refused(query, word: str, world: World) -> None:
    """A misspelt or malformed parameter is named, and never means "everything"; Sage 100 is not asked."""
    answer = world.ask(CUSTOMERS, query, sound=False)

    assert (422, "VALIDATION") == problem(answer)
    assert word in answer.json()["error"]["message"]
    assert 0 == world.script.dispatched


@pytest.mark.parametrize("query", [{"lineFields": "ItemCode"}, {"expand": "all"}])
def test_lines_are_asked_for_in_one_way(query, world: World) -> None:
    """Only `expand=lines` brings lines, and columns of lines without lines are a mistake."""
    assert (422, "VALIDATION") == problem(world.ask("/companies/ABC/sales-orders", query, sound=False))


def test_query_that_cannot_be_decoded_is_refused(world: World) -> None:
    """Bytes that are no UTF-8, or no pairs, are refused."""
    for query in ("cursor=%FF", "nonsense", "&"):
        answer = call(world.agent, "GET", CUSTOMERS, query, {"authorization": f"Bearer {TOKEN}"}, b"")
        assert (422, "VALIDATION") == problem(answer)


def test_hundred_keys_are_read_at_once(world: World) -> None:
    """As many keys as the contract allows, each given once in the answer, in the order asked for."""
    numbers = [f"{number:07d}" for number in range(100)]
    for number in numbers:
        world.customer(number)
    keys = [json.dumps(["00", number]) for number in reversed(numbers)]

    records = world.read("customers", {"key": keys, "fields": "CustomerName"})["records"]

    assert numbers[::-1] == [record["CustomerNo"] for record in records]
    assert 1 == len(world.read("customers", {"key": [keys[0], keys[0]]})["records"])


# -- bodies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"no JSON", b"[]", b'{"set": {"UDF_DO_NOT_EMAIL": NaN}}', b"\xff", b" " * 70_000),
        *({}, {"set": {}}, {"set": [DO_NOT_EMAIL]}, {"set": {DO_NOT_EMAIL: "Y"}, "force": True}),
        *({"set": {DO_NOT_EMAIL: value}} for value in (None, True, ["Y"])),
        *(
            {"set": {DO_NOT_EMAIL: "Y"}, "expected": expected}
            for expected in (
                *({}, "20260210", {"DateUpdated": "20260210"}, {"DateUpdated": "20260210", "TimeUpdated": 9.5}),
                {"DateUpdated": "2026-02-10", "TimeUpdated": "9.5"},
            )
        ),
    ],
    ids=lambda body: str(body)[:50],
)
def test_body_that_is_not_understood_is_refused(body, world: World) -> None:
    """A body that is not exactly as the contract has it changes nothing."""
    headers = {"Idempotency-Key": "1"}
    answer = world.ask(CUSTOMER, method="PATCH", body=body, headers=headers, sound=False)

    assert (422, "VALIDATION") == problem(answer)
    assert 0 == world.script.dispatched


@pytest.mark.parametrize("key", [None, "", "x" * 65])
def test_change_needs_an_idempotency_key(key: str | None, world: World) -> None:
    """Without a key of 1 to 64 characters a change whose answer gets lost could be made twice."""
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"set": {DO_NOT_EMAIL: "Y"}}

    assert (422, "VALIDATION") == problem(world.ask(CUSTOMER, method="PATCH", body=body, headers=headers, sound=False))


@pytest.mark.parametrize("place", ["0/0000042", "000/0000042", "AB/0000042", f"00/{'9' * 21}", "00/"])
def test_customer_that_cannot_exist_is_refused(place: str, world: World) -> None:
    """A division has two digits and a number 1 to 20 characters."""
    assert (422, "VALIDATION") == problem(world.ask(f"{CUSTOMERS}/{place}", sound=False))


# -- the agent of itself --------------------------------------------------------------------------------------------


def test_health_asks_nothing_of_sage(make_world) -> None:
    """The health of the agent tells clock, zone and what the settings say of Sage 100, and needs no session."""
    world = make_world(sage100_version="7.30.1.0", edition="Premium")

    health = world.ask("/health").json()

    assert ("ok", "7.30.1.0", "Premium") == tuple(health[name] for name in ("status", "sage100Version", "edition"))
    assert {"date": "20260301", "time": "6", "utcOffsetMinutes": -360} == health["now"]
    assert 0 == world.script.dispatched


def test_every_code_of_the_contract_has_its_answer() -> None:
    """The codes that the contract names are those the agent knows, in one order."""
    from typing import get_args

    from mlconnector_sdk.agents.sage100._errors import Code, kind_of

    assert set(ERROR_CODES) == set(get_args(Code))
    for code in get_args(Code):
        assert 400 <= kind_of(code).status < 600


def test_page_about_the_contract_leaves_nothing_out(project) -> None:
    """The page for people names every list, code, parameter and status of the contract for programs."""
    page = (project / "docs/reference/sage100-agent.md").read_text("utf-8")
    lists = {address.split("/")[3] for _, address in CONTRACT.operations() if address.count("/") == 3}
    parameters = {name for operation in CONTRACT.operations().values() for _, name in operation["parameters"]}
    addressed = {"companyCode", "arDivisionNo", "customerNo"}

    assert [] == [name for name in (*lists, *ERROR_CODES, *(parameters - addressed)) if f"`{name}" not in page]


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"home": " "}, "home"),
        ({"username": ""}, "username"),
        ({"tokens": "short"}, "tokens"),
        ({"tokens": []}, "tokens"),
        ({"tokens": "with a blank in the middle"}, "tokens"),
        ({"timezone": "Central"}, "timezone"),
        ({"companies": ["MAS_ABC"]}, "companies"),
        ({"writable": ["UDF_DO_NOT_EMAIL$"]}, "writable"),
        ({"sessions": 0}, "sessions"),
        ({"cursors": 0}, "cursors"),
        ({"edition": "Online"}, "edition"),
        ({"lock_texts": ["("]}, "pattern"),
    ],
)
def test_wrong_setting_is_named(settings, word: str) -> None:
    """A setting that cannot work is refused at the start, by name, without showing a secret."""
    good = {"home": "H", "username": "u", "password": "the password", "tokens": TOKEN, "timezone": "America/Chicago"}
    with pytest.raises(ConfigurationError, match=word) as caught:
        AgentSettings(**{**good, **settings})

    assert "the password" not in str(caught.value)


# -- Windows --------------------------------------------------------------------------------------------------------


def test_without_pywin32_the_extra_is_named(world: World, monkeypatch) -> None:
    """Where pywin32 is missing, starting the agent says what to install and where."""
    monkeypatch.setitem(sys.modules, "win32com.client", None)

    with pytest.raises(MissingDependencyError, match=r"mlconnector_sdk\[sage100-agent\]"):
        create_app(world.settings)


class Variant:
    """An argument by reference as pywin32 has it: what comes back stands in `value`."""

    def __init__(self, kind: int, value: object) -> None:
        self.varianttype, self.value = kind, value


def test_pywin32_is_used_as_it_wants_to_be(world: World, monkeypatch) -> None:
    """COM is begun on the session's own thread, and outputs by reference are taken out of variants."""
    begun = []
    client, package, pythoncom = ModuleType("win32com.client"), ModuleType("win32com"), ModuleType("pythoncom")
    client.__dict__.update(Dispatch=world.script.dispatch, VARIANT=Variant)
    pythoncom.__dict__.update(VT_BYREF=16384, VT_BSTR=8, VT_R8=5, CoInitialize=lambda: begun.append(True))
    for module in (client, package, pythoncom):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    world.customer("0000042", CreditLimit="1500.50")
    world.agent = create_app(world.settings, clock=world.clock)

    (record,) = world.read("customers")["records"]
    changed = world.mark(set={DO_NOT_EMAIL: "Y"}).json()["changed"]

    assert (1500.5, "Customer 0000042", True) == (record["CreditLimit"], record["CustomerName"], changed)
    assert [True] == begun
