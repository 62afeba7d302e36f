"""Sources for a fake SYSPRO, shared by the tests of the source."""

from __future__ import annotations

from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.syspro import (
    ContactManagement,
    ContactView,
    Syspro,
    SysproENet,
    SysproENetSoap,
    SysproOData,
)

_made: list[Syspro] = []

APIS = ("odata", "enet", "soap")


def api_of(erp, name, **changes):
    """One of the ways into the fake, with what it lets in."""
    if name == "odata":
        settings = {"username": "SYNC", "password": "odata secret", **changes}
        return SysproOData(settings.pop("odata_root", erp.odata_root), **settings)
    settings = {"operator": "SYNC", "password": "secret", "company": "EDU1", "seat_wait": 0.0, **changes}
    if name == "soap":
        return SysproENetSoap(settings.pop("base_url", erp.soap_url), **settings)
    return SysproENet(settings.pop("base_url", erp.url), **settings)


def source_of(erp, name="enet", *, api=None, **settings):
    """A source on the fake that waits for nothing."""
    source = Syspro(api=api or api_of(erp, name), **{"retry": RetryPolicy.immediate(), "page_size": 50, **settings})
    _made.append(source)
    return source


def close_all():
    """Close every source made since the last time."""
    while _made:
        _made.pop().close()


def contacts_of(erp, name):
    """How contacts are found through this API."""
    erp.odata.views["Contacts"] = "Contact"
    return ContactView(table="Contacts") if name == "odata" else ContactManagement(key_type="C")


def records_of(pages):
    """The last record of each key."""
    return {record.key: record for page in pages for record in page}


def unreadable_in(pages):
    """The rows that could not be read, by key."""
    return {row.key: row for page in pages for row in page.unreadable}


def read(source, stream, *args):
    """All records of a stream."""
    return records_of(source.read(stream, *args))
