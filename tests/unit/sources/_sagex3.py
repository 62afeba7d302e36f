"""Sources for a fake Sage X3 behind api1, shared by the tests of the source."""

from __future__ import annotations

from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sagex3 import SageX3, SageX3Rest
from mlconnector_sdk.testing import FakeSageX3

REPRESENTATIONS = {
    "BPCUSTOMER": "YMCBPC",
    "BPSUPPLIER": "YMCBPS",
    "BPARTNER": "YMCBPR",
    "BPADDRESS": "YMCBPA",
    "CONTACT": "YMCCNT",
    "CONTACTCRM": "YMCCCN",
    "SORDER": "YMCSOH",
    "SINVOICEV": "YMCSIV",
}
"""What the X3 team of the fake site built for us."""


def site(**changes):
    """A fake site."""
    return FakeSageX3(**changes)


def door(erp, **changes):
    """api1 with the right credentials."""
    settings = {
        "endpoint": erp.endpoint,
        "username": erp.username,
        "password": erp.password,
        "representations": REPRESENTATIONS,
        "page_size": 50,
    }
    base_url = changes.pop("base_url", erp.base_url)
    return SageX3Rest(base_url, **{**settings, **changes})


def source_of(erp, *, api=None, **changes):
    """A source on the fake that waits for nothing; `api` are settings of the door."""
    return SageX3(api=door(erp, **(api or {})), **{"retry": RetryPolicy.immediate(), **changes})


def keys_of(pages):
    """The keys of all records, in their order."""
    return [record.key for page in pages for record in page]


def records_of(pages):
    """The last record of each key."""
    return {record.key: record for page in pages for record in page}


def asked(erp, class_name):
    """The requests that were sent for a class, in their order."""
    return [entry.request for entry in erp.log if f"/{class_name}" in entry.path.partition("/erp/")[2]]
