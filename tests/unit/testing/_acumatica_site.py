"""A clock, credentials and short ways to ask a fake Acumatica, shared by its tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

LOGIN = {"name": "sync", "password": "correct horse", "tenant": "Acme"}
CLIENT = {"client_id": "88358B02-A48D-A50E-F710-39C1636C30F6@Acme", "client_secret": "s3cret"}
PASSWORD_GRANT = {**CLIENT, "grant_type": "password", "username": "sync", "password": "correct horse"}


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = datetime(2024, 6, 1, 12, 0, 0, 500_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


def ask(client, entity, version="24.200.001", **query):
    """A list or a record, with query options without their `$`."""
    params = {f"${name}": str(value) for name, value in query.items()}
    return client.get(f"/entity/Default/{version}/{entity}", params=params)


def ids(answer, name="CustomerID"):
    """The keys in an answer, in its order."""
    assert 200 == answer.status_code, answer.text
    return [row[name]["value"] for row in answer.json()]


def token(client, **form):
    """A token request by password, with changes."""
    return client.post("/identity/connect/token", data={**PASSWORD_GRANT, "scope": "api offline_access", **form})


def bearer(answer):
    """The header for the token in an answer."""
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def put(client, entity, body, headers=None, **query):
    """A write, with query options without their `$`."""
    params = {f"${name}": value for name, value in query.items()}
    return client.put(f"/entity/Default/24.200.001/{entity}", json=body, headers=headers, params=params)
