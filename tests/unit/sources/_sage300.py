"""Sources for a fake Sage 300, shared by the tests of the source."""

from __future__ import annotations

from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sage300 import Sage300
from mlconnector_sdk.testing import FakeSage300


def site(**changes):
    """A fake with the user that `source_of` signs in."""
    return FakeSage300(**{"username": "WEBAPI", "password": "SECRET1", **changes})


def source_of(erp, **changes):
    """A source on the fake that waits for nothing."""
    settings = {
        "username": "webapi",
        "password": "secret1",
        "timezone": str(erp.zone),
        "retry": RetryPolicy.immediate(),
    }
    base_url, company = changes.pop("base_url", erp.base_url), changes.pop("company", erp.company)
    return Sage300(base_url, company, **{**settings, **changes})


def keys_of(pages):
    """The keys of all records, in their order."""
    return [record.key for page in pages for record in page]


def records_of(pages):
    """The last record of each key."""
    return {record.key: record for page in pages for record in page}


def asked(erp, resource):
    """The queries that were sent for a resource, in their order."""
    return [entry.request.query for entry in erp.log if entry.path.endswith(f"/{resource}")]
