"""Sources for a fake Acumatica, shared by the tests of the source."""

from __future__ import annotations

from mlconnector_sdk.auth import CookieLogin, OAuth2Password
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.acumatica import Acumatica

VERSIONS = ("20.200.001", "22.200.001", "23.200.001", "24.200.001")


def by_cookie(**changes):
    """The fake's user, signing in for a session cookie."""
    return CookieLogin(**{"username": "sync", "password": "correct horse", "tenant": "Acme", **changes})


def by_token(**changes):
    """The fake's user and connected application."""
    settings = {
        "client_id": "88358B02-A48D-A50E-F710-39C1636C30F6@Acme",
        "client_secret": "s3cret",
        "username": "sync",
        "password": "correct horse",
    }
    return OAuth2Password(**{**settings, **changes})


def source_of(erp, **changes):
    """A source on the fake that waits for nothing."""
    settings = {"auth": by_token(), "version": erp.version, "retry": RetryPolicy.immediate(), "seat_wait": 0.0}
    base_url = changes.pop("base_url", erp.base_url)
    return Acumatica(base_url, **{**settings, **changes})


def keys_of(pages):
    """The keys of all records, in their order."""
    return [record.key for page in pages for record in page]


def records_of(pages):
    """The last record of each key."""
    return {record.key: record for page in pages for record in page}
