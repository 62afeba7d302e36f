"""However many rows there are, no look-up, page or removal reads them all: the servers say so of each statement."""

from __future__ import annotations

import json
import re

import pytest

from mlconnector_sdk.state import SQLStateStore
from tests._state_statements import CALLS, SERVED_BY, fill, statements_of
from tests.contracts._state_databases import SERVERS, opened

__test__ = bool(SERVERS)


@pytest.fixture(name="database", scope="module", params=SERVERS)
def _database(request, tmp_path_factory):
    with opened(request.param, tmp_path_factory.mktemp("plans")) as database:
        store = SQLStateStore(database.engine, table_prefix=database.prefix)
        fill(store)
        store.exchange_sealed("mailchimp", None, "k1.sealed")
        store.mark("acme", "customers")
        words = "ANALYZE" if database.name == "postgresql" else "ANALYZE TABLE"
        database.run(*(f"{words} {table}" for table in database.shape()))
        yield database


def _plan(database, connection, sql, parameters):
    """Steps of a plan as (how rows are found, by which index, that narrowing uses the index)."""
    if database.name == "postgresql":
        # Of tables this small PostgreSQL would read the whole: what matters is what it does when that is dear.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        (document,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}", parameters).scalars()
        (plan,) = document if isinstance(document, list) else json.loads(document)
        return list(_nodes(plan["Plan"]))
    rows = connection.exec_driver_sql(f"EXPLAIN {sql}", parameters).mappings().all()
    return [
        (row["type"], row["key"], row["type"] in ("const", "eq_ref", "ref", "range")) for row in rows if row["table"]
    ]


def _nodes(plan):
    if "Relation Name" in plan or "Index Name" in plan:
        narrowed = "Index Cond" in plan or plan["Node Type"] == "Bitmap Heap Scan" or plan["Node Type"] == "ModifyTable"
        yield plan["Node Type"], plan.get("Index Name"), narrowed
    for part in plan.get("Plans", []):
        yield from _nodes(part)


@pytest.mark.parametrize("name", CALLS)
def test_no_statement_reads_a_whole_table(database, name):
    """Every statement finds its rows by an index: by the one that is there for it, or by the primary key."""
    store = SQLStateStore(database.engine, table_prefix=database.prefix)
    store.mark("acme", "customers")
    with statements_of(database.engine) as statements:
        CALLS[name](store)
    with database.engine.connect() as connection:
        plans = [(sql, _plan(database, connection, sql, parameters)) for sql, parameters in statements]
    meant = {f"{database.prefix}{index}" for index in SERVED_BY.get(name, ())}
    used = {index for _, plan in plans for _, index, _ in plan if index}

    assert plans
    assert [] == [(sql, plan) for sql, plan in plans if not plan or not all(narrowed for _, _, narrowed in plan)]
    assert meant == {index for index in used if not re.search(r"PRIMARY|_pkey$", index)}
