"""The published contract of the Sage 100 agent, and the agent itself, against the proposal both were made from."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.unit.agents._agent import CONTRACT, DO_NOT_EMAIL, World
from tests.unit.agents._openapi import Document

SPECS = os.environ.get("MLCONNECTOR_SPECS")
ADDED_LISTS = {"vendors", "gl-accounts"}
"""What the proposal lacks."""

pytestmark = pytest.mark.skipif(not SPECS, reason="MLCONNECTOR_SPECS does not name the folder of vendor contracts")


@pytest.fixture(name="folder")
def _folder() -> Path:
    assert SPECS is not None
    return Path(SPECS) / "sage100"


@pytest.fixture(name="proposal")
def _proposal(folder: Path) -> Document:
    return Document(folder / "agent_proposal.openapi.json")


@pytest.fixture(name="world")
def _world(proposal: Document):
    """A company with a record in every list, whose agent is held against both documents."""
    world = World(lock_texts=["in use"])
    world.contracts.append(proposal)
    tables = world.company.tables
    world.stamped("0000042", "20250304", "15.5")
    world.stamped("ABF", "20250304", "8.49238", "01")
    tables["AR_CustomerContact"].put(("01", "ABF", "A. BUYER"), {})
    tables["CI_Item"].put(("6655",), {})
    tables["SO_SalesOrderHeader"].put(("0000304",), {"TaxableAmt": "8600.00"})
    tables["SO_SalesOrderDetail"].put(("0000304", "000001"), {"ItemCode": "6655"})
    tables["SO_SalesOrderHistoryHeader"].put(("0000303",), {})
    tables["AR_InvoiceHistoryHeader"].put(("0100063", "000001"), {})
    yield world
    world.agent.close()


def test_contract_has_all_of_the_proposal(proposal: Document) -> None:
    """Every address, method and parameter of the proposal is in the contract, and means the same."""
    ours = CONTRACT.operations()
    for place, operation in proposal.operations().items():
        known = ours[place]["parameters"]
        for key, parameter in operation["parameters"].items():
            assert bool(parameter.get("required")) == bool(known[key].get("required")), (place, key)
            # The contract may say more: that texts are not empty, and which signs they have.
            assert parameter["schema"] == {name: known[key]["schema"].get(name) for name in parameter["schema"]}, key


def test_contract_has_the_errors_of_the_proposal(proposal: Document) -> None:
    """The codes are the same, and so are the members of an error."""
    theirs, ours = (
        document.content["components"]["schemas"]["Error"]["properties"]["error"] for document in (proposal, CONTRACT)
    )

    assert set(theirs["properties"]["code"]["enum"]) == set(ours["properties"]["code"]["enum"])
    assert set(theirs["properties"]) == set(ours["properties"])


def test_proposed_samples_keep_the_contract(folder: Path) -> None:
    """The sample payloads that came with the proposal are requests and errors of the contract as well."""

    def sample(name):
        return json.loads((folder / "samples" / f"agent_{name}.json").read_text("utf-8"))

    schema = "#/components/schemas/{}".format
    assert [] == CONTRACT.problems({"$ref": schema("Patch")}, sample("patch_customer_request"))
    assert [] == CONTRACT.problems({"$ref": schema("PatchResult")}, sample("patch_customer_response"))
    assert [] == CONTRACT.problems({"$ref": schema("Error")}, sample("error_locked_423"))
    for record in sample("customers_page")["records"]:
        assert [] == CONTRACT.problems({"$ref": schema("Customer")}, record)


def test_answers_keep_the_proposal(world: World, proposal: Document) -> None:
    """Health, companies, every list of the proposal with its parameters, keys and a customer satisfy both documents."""
    theirs, ours = (
        {address.split("/")[3] for _, address in document.operations() if address.count("/") == 3}
        for document in (proposal, CONTRACT)
    )
    since = {"sinceDate": "20250101", "sinceTime": "9.25", "limit": 1, "fields": "DateUpdated"}
    assert ours - ADDED_LISTS == theirs
    world.ask("/health")
    world.ask("/companies")
    for path in sorted(theirs):
        assert 1 == len(world.read(path, since)["records"]), path
    cursor = world.read("customers", {"limit": 1})["nextCursor"]
    assert "0000042" == world.read("customers", {"cursor": cursor})["records"][0]["CustomerNo"]
    assert 2 == len(world.read("customers/keys", {"limit": 2})["keys"])
    assert 200 == world.ask("/companies/ABC/customers/01/ABF").status
    # The proposal describes lines in words, and its schema of a record has no room for them.
    world.contracts.remove(proposal)
    assert 1 == len(world.read("sales-orders", {"expand": "lines"})["records"][0]["Lines"])


def test_changes_and_refusals_keep_the_proposal(world: World) -> None:
    """A change, a repeated one, and the refusals a caller meets satisfy both documents."""
    key = ("01", "ABF")
    assert 200 == world.mark(key, set={DO_NOT_EMAIL: "Y"}).status
    assert 200 == world.mark(key, "2", set={DO_NOT_EMAIL: "Y"}).status
    assert (
        409
        == world.mark(
            key, "3", set={DO_NOT_EMAIL: "N"}, expected={"DateUpdated": "20250304", "TimeUpdated": "1"}
        ).status
    )
    assert 404 == world.mark(("01", "NOBODY"), "4", set={DO_NOT_EMAIL: "Y"}).status
    assert 422 == world.mark(key, "5", set={"CustomerName": "Y"}).status
    world.company.lock("AR_Customer", key, "MARY")
    assert 423 == world.mark(key, "6", set={DO_NOT_EMAIL: "N"}).status
    assert 401 == world.ask("/companies/ABC/customers", token=None).status
    assert 410 == world.ask("/companies/ABC/customers", {"cursor": "gone"}).status
    world.user.deny("CI_ItemCode_ui")
    assert 403 == world.ask("/companies/ABC/items").status
    world.script.crash("nFind")
    assert 503 == world.ask("/companies/ABC/customers").status
