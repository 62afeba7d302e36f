"""Sources for a fake Sage 100, shared by the tests of the source."""

from __future__ import annotations

from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sage100 import Sage100, Sage100Agent
from mlconnector_sdk.testing import FakeSage100

NO_MAIL = "UDF_DO_NOT_EMAIL"
LEDGER = "UDF_SALES_ACCT"


def site(**changes):
    """A fake whose customers have a do-not-mail column and one for an account."""
    return FakeSage100(**{"udfs": {"AR_Customer": {NO_MAIL: "Y/N", LEDGER: "9"}}, **changes})


def agent_of(erp, **changes):
    """The fake's agent, with what it lets in."""
    url = changes.pop("url", erp.agent_url)
    return Sage100Agent(url, **{"token": erp.agent_token, "page_size": 3, **changes})


def source_of(erp, *, api=None, **changes):
    """A source on the fake that waits for nothing."""
    settings = {"company": "ABC", "timezone": erp.site.timezone, "retry": RetryPolicy.immediate(), **changes}
    return Sage100(api=api or agent_of(erp), **settings)


def records_of(pages):
    """The last record of each key."""
    return {record.key: record for page in pages for record in page}


def keys_of(pages):
    """The keys of all records, in their order."""
    return [record.key for page in pages for record in page]


def asked(erp, end):
    """The queries that were sent to a path with this end, in their order."""
    return [entry.request.query for entry in erp.log if entry.path.endswith(end)]


def agent_error(code, **more):
    """The body of an agent's refusal."""
    known = {"message": "no", "retryable": False, "requestId": "r-1", "boi": None, "key": None, "lock": None}
    return {"error": {"code": code, **known, **more}}
