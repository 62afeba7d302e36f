"""Sources for the web service of a fake Sage 100, shared by the tests of that API."""

from __future__ import annotations

import re
from collections import Counter

from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sage100 import Sage100, Sage100Soap

_made: list[Sage100] = []

UDFS = {"AR_Customer": {"UDF_DO_NOT_EMAIL": "Y/N"}}

NUMBERED = {"first_order": "0000001", "first_customers": ["00-0000001"], "gap": 8}
"""Where a site begins whose numbers are handed out one after the other."""

_CALL = re.compile(rb"Body><(?:\w+:)?(\w+)")


def api_of(erp, **settings):
    """The way into the fake."""
    return Sage100Soap(erp.wsdl_url, **{"username": "mcsync", "password": "secret", **NUMBERED, **settings})


def source_of(erp, *, known=None, company="ABC", retry=RetryPolicy.immediate(), own=None, **settings):
    """A source on the fake that waits for nothing; `known` are keys by stream, `own` are settings of the source."""
    own = {"timezone": erp.site.timezone, **(own or {})}
    source = Sage100(company=company, api=api_of(erp, **settings), retry=retry, **own)
    if known is not None:
        source.attach_keys(lambda stream: iter(sorted(known.get(stream, ()))))
    _made.append(source)
    return source


def close_all():
    """Close every source made since the last time."""
    while _made:
        _made.pop().close()


def read(source, stream, *window):
    """All records of a stream by key."""
    return {record.key: record for page in source.read(stream, *window) for record in page}


def unreadable(source, stream, *window):
    """The rows of a stream that could not be read, by key."""
    return {row.key: row for page in source.read(stream, *window) for row in page.unreadable}


def calls(entries):
    """How often each operation was called."""
    found = (_CALL.search(entry.request.body.replace(b"soap-env:", b"")) for entry in entries)
    return Counter(match[1].decode() for match in found if match)
