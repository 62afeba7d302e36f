"""Sources for a fake Sage X3 behind GraphQL, shared by the tests of the source."""

from __future__ import annotations

from mlconnector_sdk.auth import SelfSignedJWT
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sagex3 import SageX3, SageX3GraphQL


def application(erp, **changes):
    """The site's connected application."""
    own = erp.graphql.application
    settings = {"client_id": own.client_id, "secret": own.secret, "user": erp.username}
    return SelfSignedJWT(**{**settings, **changes})


def door(erp, **changes):
    """GraphQL on premise with the right credentials."""
    settings = {"endpoint": erp.endpoint, "auth": application(erp), "page_size": 50}
    url = changes.pop("url", erp.graphql_url)
    return SageX3GraphQL(url, **{**settings, **changes})


def source_of(erp, *, api=None, **changes):
    """A source on the fake, by the fake's clock, that waits for nothing; `api` are settings of the door."""
    source = SageX3(api=door(erp, **(api or {})), **{"retry": RetryPolicy.immediate(), **changes})
    clock = erp.site.clock
    if hasattr(clock, "monotonic"):
        source.attach(clock=clock)
    return source


def documents(erp):
    """The bodies of all documents that were sent for rows, in their order."""
    # The log is in the order of answers, and a slow one comes late.
    asked_for = sorted(erp.log, key=lambda entry: entry.started)
    served = [entry.request.json() for entry in asked_for if erp.graphql.serves(entry.path) and entry.method == "POST"]
    return [body for body in served if "query List" in body.get("query", "") or "query Rest" in body.get("query", "")]


def asked(erp, node):
    """The variables of the lists of one node, in their order."""
    return [body["variables"] for body in documents(erp) if f" {{ {node} {{ query(" in body["query"]]
