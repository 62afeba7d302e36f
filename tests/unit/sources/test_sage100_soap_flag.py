"""Marking a customer of Sage 100 through its web service: read, look again, write the whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from mlconnector_sdk.errors import (
    ConfigurationError,
    PermissionDeniedError,
    RecordNotFoundError,
    RecordRejectedError,
    UnavailableError,
)
from mlconnector_sdk.models import Suppression
from mlconnector_sdk.sources.sage100._soap_flag import set_column
from mlconnector_sdk.testing import FakeClock, FakeSage100
from tests.unit.sources._sage100_soap import UDFS, calls, close_all, source_of

KEY = "00-0000001"
FIELD = "UDF_DO_NOT_EMAIL"
SUPPRESSION = Suppression(
    address="ann@example.com", reason="unsubscribed", origin="webhook", at=datetime(2026, 3, 1, tzinfo=UTC)
)


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock(datetime(2026, 3, 1, 18, tzinfo=UTC))


@pytest.fixture(name="erp")
def _erp(clock) -> Iterator[FakeSage100]:
    with FakeSage100(clock=clock, udfs=UDFS) as erp:
        erp.add_customer(
            "1", email="ann@example.com", CreditLimit="1200.50", DateLastActivity="20260201", UDF_DO_NOT_EMAIL="N"
        )
        erp.add_customer("2")
        clock.advance(hours=1)
        yield erp
        close_all()


def flag(erp, key=KEY, field=FIELD, **settings):
    """Flag a customer with a new source."""
    source_of(erp, own={"flag_field": field}, **settings).flag("customers", key, SUPPRESSION)


def row(erp, key=KEY):
    """A customer as Sage 100 has it."""
    return erp.table("AR_Customer").get(erp.key_of("AR_Customer", key))


@pytest.mark.parametrize("blanks", ["empty", "nil", "absent"])
@pytest.mark.parametrize("suffix", ["", "$"])
def test_one_column_is_written_and_nothing_else(erp, suffix, blanks):
    """The column is set under the name it came with, the change is stamped, and everything else is as it was."""
    erp.setup.exposed.suffix, erp.setup.blanks = suffix, blanks
    before = dict(row(erp))
    flag(erp)

    changed = {name for name, value in row(erp).items() if value != before.get(name)}
    assert {FIELD, "TimeUpdated", "UserUpdatedKey"} == changed
    assert "Y" == row(erp)[FIELD]


def test_a_column_that_holds_the_value_is_not_written(erp):
    """Flagging twice is harmless: no call to write, no stamp that moves."""
    flag(erp)
    before = dict(row(erp))
    erp.log.clear()
    flag(erp)

    assert "UpdateCustomer" not in calls(erp.log)
    assert before == dict(row(erp))


def test_a_change_just_before_the_write_is_kept(erp, clock):
    """What somebody saves between our reading and our writing is there afterwards."""
    seen = []

    def edit(request):
        if b"GetCustomer" in request.body:
            seen.append(request)
            if len(seen) == 2:
                clock.advance(seconds=5)
                erp.edit("AR_Customer", KEY, CustomerName="Renamed meanwhile")

    erp.before_each.append(edit)
    flag(erp)

    assert ("Renamed meanwhile", "Y") == (row(erp)["CustomerName"], row(erp)[FIELD])


def test_a_customer_that_keeps_changing_is_left_for_later(erp, clock):
    """After a few readings nothing is written: the next run tries again."""

    def edit(request):
        if b"GetCustomer" in request.body:
            clock.advance(seconds=5)
            erp.edit("AR_Customer", KEY, CustomerName=f"Renamed at {clock()}")

    erp.before_each.append(edit)

    with pytest.raises(UnavailableError, match="changed"):
        flag(erp)
    assert "N" == row(erp)[FIELD]
    assert "UpdateCustomer" not in calls(erp.log)


def test_an_answer_that_is_lost_is_no_failure(erp):
    """The write was applied and its answer was lost: the repeat changes nothing, and nobody is told of an error."""
    source = source_of(erp, own={"flag_field": FIELD})
    source.present("customers")
    erp.fail(drop="after", method="POST", nth=3)
    source.flag("customers", KEY, SUPPRESSION)

    assert "Y" == row(erp)[FIELD]


def test_somebody_who_holds_the_customer_is_waited_for(erp):
    """A held customer is tried again; in the end it is an error of the kind that passes."""
    erp.lock_record(KEY)

    with pytest.raises(UnavailableError) as caught:
        flag(erp)
    assert "locked" == caught.value.reason
    assert 6 == calls(erp.log)["UpdateCustomer"]

    erp.unlock_record(KEY)
    flag(erp)
    assert "Y" == row(erp)[FIELD]


def test_a_column_that_is_not_exposed_is_told(erp):
    """The message says where to expose it."""
    erp.setup.exposed.columns.clear()

    with pytest.raises(ConfigurationError, match=r"UDF_DO_NOT_EMAIL.*configuration utility"):
        flag(erp)


@pytest.mark.parametrize("field", ["DateTimeUpdated", "CustomerNo", "OtherFields"])
def test_what_may_only_be_read_is_told(erp, field):
    """Keys and stamps are no flags."""
    with pytest.raises(ConfigurationError, match=field):
        flag(erp, field=field)


def test_a_usual_column_can_be_the_flag(erp):
    """Any member that may be written serves."""
    flag(erp, field="EBMEnabled")

    assert "Y" == row(erp)["EBMEnabled"]


def test_a_customer_that_is_gone_is_told(erp):
    """There is nothing to mark any more."""
    with pytest.raises(RecordNotFoundError):
        flag(erp, key="00-0000099")


def test_a_missing_right_is_told(erp):
    """A role that may look and not change says what to allow."""
    erp.user.deny("AR_Customer_ui", "Modify")

    with pytest.raises(PermissionDeniedError, match="Modify"):
        flag(erp)


def test_a_value_that_is_refused_names_the_column(erp):
    """A record that Sage 100 does not take in its whole is refused with the column."""
    source = source_of(erp, own={"flag_field": FIELD, "flag_value": "X"})

    with pytest.raises(RecordRejectedError, match=FIELD):
        source.flag("customers", KEY, SUPPRESSION)


class Customers:
    """Customers whose own columns come in the shape that is given."""

    def __init__(self, fields) -> None:
        self.customer = {"DateTimeUpdated": None, "UserUpdatedKey": "1", **fields}
        self.written = []

    def record(self, table, key, retry=None):
        return self.customer

    def update(self, customer) -> None:
        self.written.append(customer)


@pytest.mark.parametrize(
    "shape",
    [
        lambda field: [field],
        lambda field: field,
        lambda field: {"Field": [field]},
        lambda field: {"Field": field},
        lambda field: {"CustomField": [{"MasFieldName": "UDF_X", "Value": "1"}, field]},
    ],
)
def test_own_columns_are_found_in_any_shape(shape):
    """One column alone or several, as a list or within an element: the one that is meant is set."""
    field = {"MasFieldName": "UDF_DO_NOT_EMAIL$", "Value": "N"}
    customers = Customers({"OtherFields": shape(field)})

    assert set_column(customers, ("00", "ABF"), "udf_do_not_email", "Y")
    assert "Y" == field["Value"]
    assert 1 == len(customers.written)


@pytest.mark.parametrize("fields", [{}, {"OtherFields": None}, {"OtherFields": {"Field": None}}, {"OtherFields": {}}])
def test_no_own_columns_at_all_are_told_as_not_exposed(fields):
    """Whatever form nothing has, the cure is the same."""
    with pytest.raises(ConfigurationError, match="expose"):
        set_column(Customers(fields), ("00", "ABF"), FIELD, "Y")
