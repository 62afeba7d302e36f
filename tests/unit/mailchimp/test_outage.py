"""Bad records and a far side that is down are told apart by how many fail in a row."""

from __future__ import annotations

import pytest

from mlconnector_sdk.errors import UnavailableError
from mlconnector_sdk.mailchimp._outage import FaultsInARow
from mlconnector_sdk.models import WriteResult

FAULT = WriteResult(kind="dead", reason="server_fault", status_code=500)


@pytest.mark.parametrize("other", [WriteResult(kind="updated"), WriteResult(kind="dead", reason="schema_refused")])
def test_nineteen_bad_records_are_bad_records(other):
    """Fewer than twenty in a row are set aside; one that went through, or was refused with a reason, begins anew."""
    faults = FaultsInARow()
    for _ in range(3):
        results = [FAULT] * 19 + [other]
        assert results == [faults.see(result) for result in results]


def test_twenty_in_a_row_are_an_outage():
    """The twentieth fault in a row raises one clear error."""
    faults = FaultsInARow()
    for _ in range(19):
        faults.see(FAULT)
    with pytest.raises(UnavailableError, match="20 records in a row") as caught:
        faults.see(FAULT)
    assert ("outage", 500) == (caught.value.reason, caught.value.status_code)
