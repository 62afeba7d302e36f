"""However many rows there are, no look-up, page or removal reads them all: SQLite says so of each statement."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine

from mlconnector_sdk.state import SQLStateStore
from mlconnector_sdk.state._schema import Tables
from tests._state_statements import CALLS, SERVED_BY, fill, statements_of


@pytest.fixture(name="plans", scope="module")
def _plans(tmp_path_factory):
    """The plan of every statement of every call: one line for each step."""
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('plans') / 'state.db'}")
    store = SQLStateStore(engine)
    fill(store)
    store.exchange_sealed("mailchimp", None, "k1.sealed")
    plans = {}
    for name, call in CALLS.items():
        with statements_of(engine) as statements:
            call(store)
        with engine.connect() as connection:
            plans[name] = [
                [
                    step
                    for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)
                    if not _concerns_names_asked_for(step := str(row[-1]))
                ]
                for sql, parameters in statements
            ]
    engine.dispose()
    return plans


def _concerns_names_asked_for(step):
    return "VIRTUAL TABLE" in step or step.startswith("LIST SUBQUERY")


@pytest.mark.parametrize("name", CALLS)
def test_no_statement_reads_a_whole_table(plans, name):
    """Every statement finds its rows by an index, and sorts none."""
    steps = [step for plan in plans[name] for step in plan]

    assert steps
    assert [] == [step for step in steps if not step.startswith("SEARCH ")]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("links by key", "pipeline=? AND stream=? AND key=?"),
        ("seen", "pipeline=? AND stream=? AND key=?"),
        ("links by address", "pipeline=? AND address=? AND stream=?"),
        ("all links", "pipeline=? AND stream=? AND key>?"),
        ("suppressions", "pipeline=? AND address=?"),
        ("dead letters by stream", "pipeline=? AND stream=? AND key>?"),
        ("dead letters by key", "pipeline=? AND stream=? AND key=?"),
        ("notes", "pipeline=? AND kind=? AND key>?"),
        ("notes by key", "pipeline=? AND kind=? AND key=?"),
        ("audit", "pipeline=? AND id>?"),
        ("audit by key", "pipeline=? AND key=?"),
        ("audit by record", "pipeline=? AND key=?"),
        ("audit by job", "pipeline=? AND job_id=?"),
    ],
)
def test_an_index_is_used_in_full(plans, name, columns):
    """The last statement of a call, a later page where there are several, narrows by all that it knows."""
    assert plans[name][-1][0].endswith(f"({columns})")


def test_no_index_is_without_use(plans):
    """Every index serves a call, and no call is served by another one than it is meant to."""
    made = {index.name for table in Tables("mlconnector_").metadata.sorted_tables for index in table.indexes}
    used = {
        name: {f"mlconnector_{index}" for index in SERVED_BY.get(name, ())}
        == {index for index in made if any(f" {index} " in step for plan in found for step in plan)}
        for name, found in plans.items()
    }

    assert made == {f"mlconnector_{index}" for served in SERVED_BY.values() for index in served}
    assert [] == [name for name, right in used.items() if not right]
