"""The Sage X3 end of a pipeline through GraphQL, of today's schema or that of 2021."""

from __future__ import annotations

from typing import Any, Literal

from mlconnector_sdk.auth import SelfSignedJWT
from mlconnector_sdk.network import Network
from mlconnector_sdk.protocols import Source
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sagex3 import SageX3, SageX3GraphQL
from mlconnector_sdk.testing import FakeClock, Request
from tests.scenarios._sagex3_end import SageX3End


class SageX3GraphQLEnd(SageX3End):
    """One folder behind the GraphQL service, as a connected application."""

    def __init__(self, clock: FakeClock, *, release: Literal["current", "2021"] = "current", **options: Any) -> None:
        super().__init__(clock, **options)
        self.fake.graphql.setup.release = release

    def source(
        self, *, kind: type[SageX3] = SageX3, password: str | None = None, network: Network = Network(), **settings: Any
    ) -> Source:
        application = self.fake.graphql.application
        # The length of a real one, so that nobody warns of it.
        secret = password.ljust(32, ".") if password else application.secret
        door = SageX3GraphQL(
            self.fake.graphql_url,
            endpoint=self.fake.endpoint,
            auth=SelfSignedJWT(client_id=application.client_id, secret=secret, user=self.fake.username),
            page_size=50,
            network=network,
        )
        return kind(api=door, **{"retry": RetryPolicy.immediate(), **settings})

    def rename(self, key: str, name: str) -> None:
        # A customer's name is that of its partner, whose row has a stamp of its own.
        self.fake.edit("BPARTNER", key, BPRNAM=(name, ""))

    def lists_customers(self, request: Request) -> bool:
        """Whether this request asks for a further page of customers."""
        if not self.fake.graphql.serves(request.path):
            return False
        body = request.json()
        return "MasterData { customer { query(" in body["query"] and "after" in body["variables"]
