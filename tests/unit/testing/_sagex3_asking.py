"""How tests ask the fake Sage X3: requests encoded as the vendor's pages show them, and what answers hold."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import httpx

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAVED = datetime(2026, 1, 18, 8, 14, 25, tzinfo=UTC)


def client(erp, password=None, **headers):
    """A client of the endpoint."""
    login = (erp.username, erp.password if password is None else password)
    root = f"{erp.base_url}/api1/x3/erp/{erp.endpoint}"
    return httpx.Client(base_url=root, auth=login, headers={"Accept": "application/json", **headers}, timeout=30)


def address(path, **parameters):
    """Path and query, encoded as the vendor's pages show it."""
    query = "&".join(f"{name}={quote(str(value), safe='$.~')}" for name, value in parameters.items())
    return f"{path}?{query}" if query else path


def rows(reply):
    """The records of a list."""
    assert 200 == reply.status_code, reply.text
    return reply.json()["$resources"]


def keys(reply):
    """The keys of a list's records."""
    return [row["$key"] for row in rows(reply)]


def complaint(reply):
    """The message of an answer that says no."""
    return reply.json()["$diagnoses"][0]["$message"]


def without(value, *names):
    """The same JSON without members of these names, at any depth."""
    if isinstance(value, dict):
        return {name: without(one, *names) for name, one in value.items() if name not in names}
    return [without(one, *names) for one in value] if isinstance(value, list) else value


def walk(api, path, **parameters):
    """All records of a list, by the server's links."""
    reply = api(path, **parameters)
    found = rows(reply)
    while following := reply.json()["$links"].get("$next"):
        reply = api(following["$url"])
        found += rows(reply)
    return found


def asking(http):
    """A way to ask with path and parameters."""
    return lambda path, **parameters: http.get(address(path, **parameters))
