"""GraphQL (Xtrem) as a way to a folder: what people set, and how the connection is put together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import quote, urlsplit

import attrs
import httpx

from ..._http import checked_url
from ..._secret import Secret
from ...auth import BasicLogin, CloudPairing, OAuth2ClientCredentials, OAuth2Token, SelfSignedJWT
from ...network import Network
from ...protocols import SystemClock
from ...retry import RetryPolicy
from .._settings import require
from ._api import ENTITIES, SYSTEM, EntityName
from ._graphql_plans import Names
from ._graphql_reading import GraphQLConnection, Watch
from ._graphql_schema import Schema
from ._graphql_session import GraphQLSession

__all__ = ["GraphQLAuth", "SageX3GraphQL"]

GraphQLAuth: TypeAlias = SelfSignedJWT | CloudPairing | OAuth2ClientCredentials | BasicLogin | OAuth2Token

_CLOUD_ROOT = re.compile(r"/v\d+$")
_NODE = re.compile(r"\w+\.\w+")
_MOST_ROWS = 500


@attrs.frozen
class SageX3GraphQL:
    """Where and as whom to read a folder through the GraphQL service of X3 (Sage X3 Services, 2021 R2 and later).

    Its schema changes from release to release. So it is asked for once in each connection: the packages' prefix is
    found there, and properties by the field code at the end of their descriptions, else by the names that the vendor
    documents. What a site has otherwise can be named.

    Args:
        graphql_url: on premise `https://x3.example.com:8124/xtrem/api`; in the cloud the gateway's root
            (`https://api.eu-prod-sagex3.com/v1`) or the whole address of the folder's service below it.
        endpoint: the Syracuse endpoint, such as `SEED`; in the cloud the folder, unless the address names it.
        auth: a connected application's `SelfSignedJWT` (on premise), `CloudPairing` or `OAuth2ClientCredentials` (in
            the cloud), or `BasicLogin` where the site has it.
        token_url: where tokens are got; the gateway's own if not given.
        properties: the site's names by entity and field code, as paths: `{"customers": {"BPCNAM": "companyName1",
            "BPADDRESS.WEB": "defaultAddress.addressEmails.addressEmail"}}`; `""` leaves a field out. Entities are
            customers, contacts, suppliers, invoices, sales_orders, partners, addresses and persons.
        nodes: the site's own nodes by entity, as `package.node`: `{"customers": "acmeSales.shopCustomer"}`.
        page_size: rows to ask for at once, 500 at the most; halved when the service is too slow.
        concurrency: how many records are read at once where each is read by its key.
        timeout: seconds to wait for an answer; the first one after an idle time is slow.
        network: whom to trust, and how much of an answer is read.

    Example:
        >>> from mlconnector_sdk.auth import SelfSignedJWT
        >>> application = SelfSignedJWT(client_id="0f3c9a", secret="secret", user="MAILSYNC")
        >>> SageX3GraphQL("https://x3.example.com:8124/xtrem/api", endpoint="SEED", auth=application)
        SageX3GraphQL(graphql_url='https://x3.example.com:8124/xtrem/api', endpoint='SEED')
    """

    graphql_url: str
    endpoint: str = attrs.field(default="", kw_only=True)
    auth: GraphQLAuth = attrs.field(kw_only=True, repr=False)
    token_url: str = attrs.field(default="", kw_only=True, repr=False)
    properties: Names = attrs.field(factory=dict, kw_only=True, repr=False)
    nodes: Mapping[EntityName, str] = attrs.field(factory=dict, kw_only=True, repr=False)
    page_size: int = attrs.field(
        default=100,
        kw_only=True,
        repr=False,
        validator=attrs.validators.and_(attrs.validators.ge(1), attrs.validators.le(_MOST_ROWS)),
    )
    concurrency: int = attrs.field(default=2, kw_only=True, repr=False, validator=attrs.validators.ge(1))
    timeout: float = attrs.field(default=120.0, kw_only=True, repr=False, validator=attrs.validators.gt(0))
    network: Network = attrs.field(factory=Network, kw_only=True, repr=False)

    def connect(self, retry: RetryPolicy) -> GraphQLConnection:
        """The live connection; nothing is sent yet.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        for entity, node in self.nodes.items():
            require(entity in ENTITIES, f"nodes names {entity}: there are {', '.join(ENTITIES)}", system=SYSTEM)
            require(bool(_NODE.fullmatch(node)), f"nodes[{entity!r}] must be package.node", system=SYSTEM)
        address, headers = self._place()
        watch = Watch(SystemClock())
        session = GraphQLSession(
            address,
            headers=headers,
            flow=self._flow(address, watch),
            retry=retry,
            timeout=self.timeout,
            connections=self.concurrency,
            network=self.network,
        )
        return GraphQLConnection(
            session=session,
            schema=Schema(session.ask, self.nodes),
            names=self.properties,
            page_size=self.page_size,
            concurrency=self.concurrency,
            user=_user_of(self.auth),
            watch=watch,
        )

    def _place(self) -> tuple[str, dict[str, str | Secret]]:
        """The whole address, and what every document is sent with: on premise the endpoint is not part of it."""
        address = checked_url(self.graphql_url.strip(), SYSTEM)
        path, endpoint = urlsplit(address).path, self.endpoint.strip()
        key: str | Secret = self.auth.api_key if isinstance(self.auth, OAuth2ClientCredentials) else ""
        headers: dict[str, str | Secret] = {"X-API-Key": key} if key else {}
        if "/service/" in path:
            return address, headers
        require(bool(endpoint), "endpoint must name the Syracuse endpoint or the folder, such as SEED", system=SYSTEM)
        if _CLOUD_ROOT.search(path):
            return f"{address}/service/{quote(endpoint, safe='')}/api", headers
        return address if path else f"{address}/xtrem/api", {**headers, "x-xtrem-endpoint": endpoint}

    def _flow(self, address: str, watch: Watch) -> httpx.Auth:
        auth = self.auth
        if isinstance(auth, SelfSignedJWT):
            return auth.flow(address=address, now=watch, system=SYSTEM)
        if isinstance(auth, CloudPairing):
            root, cloud, _ = address.partition("/service/")
            require(bool(self.token_url or cloud), "token_url must say where the gateway renews tokens", system=SYSTEM)
            return auth.flow(
                token_url=self.token_url or f"{root}/token", now=watch, network=self.network, system=SYSTEM
            )
        if isinstance(auth, OAuth2ClientCredentials):
            return auth.flow(token_url=self.token_url, now=watch, network=self.network, system=SYSTEM)
        return auth.flow(system=SYSTEM)


def _user_of(auth: GraphQLAuth) -> str:
    """As whom it signs in, for people."""
    named = (getattr(auth, name, "") for name in ("user", "username", "client_id"))
    return next((name for name in named if name), "")
