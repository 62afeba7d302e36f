"""The activity of many recipients by way of batches: Mailchimp reads it by itself, we take the results."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import attrs

from ..errors import ContractError, RecordNotFoundError, TransientError
from ..models import CampaignReading
from ._batches import Batches, Operation, OperationResult
from ._client import LARGEST_PAGE
from ._report_pages import activity_params, is_active
from ._reports_wire import PackedRows, PageRead
from ._wire import path

__all__ = ["ActivityBatches", "pages_of"]

log = logging.getLogger("mlconnector_sdk.mailchimp")

# No limit is documented; results of so many pages are some hundred megabytes unpacked, of which little is kept.
_MOST_PAGES = 500


@attrs.define
class _Found:
    """What the results hold of one campaign: whether every page came, and the rows of those who did anything."""

    pages: int = 0
    rows: int = 0
    total: int = 0
    good: bool = True
    packed: PackedRows = attrs.field(factory=PackedRows)

    def take(self, result: OperationResult) -> None:
        self.good = self.good and result.error is None
        if not self.good:
            return
        page = PageRead.of_chunks([result.response.encode()], "emails", is_active)
        self.pages += 1
        self.rows += page.count
        self.total = max(self.total, page.total or 0)
        for _, row in page.kept:
            self.packed.add(row)


class ActivityBatches:
    """Asks for the activity of many recipients, a GET for each thousand of them."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def groups(self, readings: Sequence[CampaignReading]) -> Iterator[list[CampaignReading]]:
        """The campaigns, one or more, that go into one batch each, in their order; a campaign is never split."""
        group: list[CampaignReading] = []
        weight = 0
        for reading in readings:
            pages = pages_of(reading)
            if group and weight + pages > _MOST_PAGES:
                yield group
                group, weight = [], 0
            group.append(reading)
            weight += pages
        yield group

    def read(self, readings: Sequence[CampaignReading]) -> dict[str, PackedRows]:
        """Rows of active recipients by campaign. What a batch could not do in time, or not whole, is absent.

        Raises:
            FatalError, ConfigurationError: the key or the account is wrong.
        """
        operations = [operation for reading in readings for operation in _operations(reading)]

        def taken(results: Iterator[OperationResult]) -> dict[str, _Found]:
            found: dict[str, _Found] = {}
            for result in results:
                found.setdefault(result.id.rpartition("/")[0], _Found()).take(result)
            return found

        try:
            found = self._batches.read(self._batches.submit(operations), taken)
        except (TransientError, ContractError, RecordNotFoundError) as error:
            # Reading again is harmless, and needs no batch.
            log.warning("activity is read page by page, because the batch did not work: %s", error.reason)
            return {}
        whole: dict[str, PackedRows] = {}
        for reading in readings:
            part = found.get(reading.report.id)
            if part is not None and part.good and part.pages == pages_of(reading) and part.rows >= part.total:
                whole[reading.report.id] = part.packed
        return whole


def pages_of(reading: CampaignReading) -> int:
    """How many pages a campaign's activity has: Mailchimp gives a row for every recipient, whatever `since` says."""
    return max(1, -(-reading.report.emails_sent // LARGEST_PAGE))


def _operations(reading: CampaignReading) -> list[Operation]:
    campaign_id = reading.report.id
    params: dict[str, str | int] = {**activity_params(reading.since)}
    params |= {"exclude_fields": "_links,emails._links", "count": LARGEST_PAGE}
    return [
        Operation(
            id=f"{campaign_id}/{number}",
            method="GET",
            path=path("reports", campaign_id, "email-activity"),
            params={**params, "offset": number * LARGEST_PAGE},
        )
        for number in range(pages_of(reading))
    ]
