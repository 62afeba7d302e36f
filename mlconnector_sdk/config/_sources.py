"""What a config says of each ERP. `system` tells which one it is; `build` makes the source of it.

Fields that hold secrets hold references such as `env:ERP_PASSWORD`; `network` is the table `[source.network]`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, TypeAlias

import attrs

from ..errors import ConfigurationError
from ..network import Network
from ..protocols import Source
from ._secrets import SecretLookup

__all__ = [
    "SOURCES",
    "AcumaticaConfig",
    "AuthConfig",
    "Sage100Config",
    "Sage300Config",
    "SageX3AuthConfig",
    "SageX3Config",
    "SourceConfig",
    "SysproConfig",
]


@attrs.frozen(kw_only=True)
class AuthConfig:
    """How to sign in. `secret` fields hold references such as `env:ERP_PASSWORD`.

    Attributes:
        kind: `password` (OAuth 2 resource-owner password), `code` (OAuth 2 with a stored token), or `cookie`.
        token: of `code`, where its token is kept, such as `vault:acumatica consent`; each renewed one is kept there.
        refresh_token: instead of that, for connected applications whose refresh token stays the same.
    """

    kind: Literal["password", "code", "cookie"]
    username: str = ""
    password: str = attrs.field(default="", repr=False)
    client_id: str = ""
    client_secret: str = attrs.field(default="", repr=False)
    token: str = attrs.field(default="", repr=False)
    refresh_token: str = attrs.field(default="", repr=False)
    redirect_uri: str = ""
    tenant: str = ""
    branch: str = ""


@attrs.frozen(kw_only=True)
class AcumaticaConfig:
    """The settings of `mlconnector_sdk.Acumatica` that plain data can hold."""

    system: Literal["acumatica"]
    url: str
    auth: AuthConfig
    version: str | None = None
    endpoint: str = "Default"
    orders: Literal["SalesInvoice", "Invoice", "SalesOrder"] | None = None
    optout_field: str | None = None
    customer_email: Literal["main", "primary"] = "main"
    network: Network = attrs.field(factory=Network)

    def build(self, secret: SecretLookup) -> Source:
        """The source of it."""
        from ..sources.acumatica import Acumatica

        return Acumatica(
            self.url,
            version=self.version,
            endpoint=self.endpoint,
            auth=_auth(self.auth, secret),
            orders=self.orders,
            optout_field=self.optout_field,
            customer_email=self.customer_email,
            network=self.network,
        )


@attrs.frozen(kw_only=True)
class Sage100Config:
    """The settings of `mlconnector_sdk.Sage100` that plain data can hold.

    Attributes:
        api: `agent`, which takes a `token`, or `soap` (web services), which takes `username` and `password`; `url` is
            the agent's address, or that of the WSDL.
        first_order, first_customers: where the web services begin to look while nothing is known.
        base_url, gap, recent_orders, parallel: of the web services, as `Sage100Soap` has them.
    """

    system: Literal["sage100"]
    api: Literal["agent", "soap"]
    url: str
    company: str
    token: str = attrs.field(default="", repr=False)
    username: str = ""
    password: str = attrs.field(default="", repr=False)
    timezone: str = "UTC"
    orders: Literal["sales_orders", "order_history", "invoices"] = "sales_orders"
    optout_field: str | None = None
    flag_field: str | None = None
    exclude_keys: list[str] = attrs.field(factory=list)
    gl_accounts: list[str] = attrs.field(factory=list)
    first_order: str = ""
    first_customers: list[str] = attrs.field(factory=list)
    base_url: str | None = None
    gap: int = 50
    recent_orders: int = 500
    parallel: int = 2
    network: Network = attrs.field(factory=Network)

    def build(self, secret: SecretLookup) -> Source:
        """The source of it."""
        from ..sources.sage100 import Sage100

        return Sage100(
            company=self.company,
            api=self._api(secret),
            timezone=self.timezone,
            orders=self.orders,
            optout_field=self.optout_field,
            flag_field=self.flag_field,
            exclude_keys=self.exclude_keys,
            gl_accounts=self.gl_accounts,
        )

    def _api(self, secret: SecretLookup) -> Any:
        from ..sources.sage100 import Sage100Agent, Sage100Soap

        if self.api == "agent":
            return Sage100Agent(
                self.url,
                token=secret(self.token, "source.token"),
                network=self.network,
            )
        return Sage100Soap(
            self.url,
            username=self.username,
            password=secret(self.password, "source.password"),
            network=self.network,
            first_order=self.first_order,
            first_customers=self.first_customers,
            base_url=self.base_url,
            gap=self.gap,
            recent_orders=self.recent_orders,
            parallel=self.parallel,
        )


@attrs.frozen(kw_only=True)
class Sage300Config:
    """The settings of `mlconnector_sdk.Sage300` that plain data can hold."""

    system: Literal["sage300"]
    url: str
    company: str
    username: str
    password: str = attrs.field(repr=False)
    upper_case_credentials: bool = True
    timezone: str = "UTC"
    orders: Literal["OEOrders", "OEInvoices"] = "OEOrders"
    ship_to: bool = False
    optout_field: str | None = None
    network: Network = attrs.field(factory=Network)

    def build(self, secret: SecretLookup) -> Source:
        """The source of it."""
        from ..sources.sage300 import Sage300

        return Sage300(
            self.url,
            self.company,
            username=self.username,
            password=secret(self.password, "source.password"),
            upper_case_credentials=self.upper_case_credentials,
            timezone=self.timezone,
            orders=self.orders,
            ship_to=self.ship_to,
            optout_field=self.optout_field,
            network=self.network,
        )


@attrs.frozen(kw_only=True)
class SageX3AuthConfig:
    """How to sign in to X3's GraphQL without a password.

    Attributes:
        kind: `application` (a connected application, which signs its own tokens), `client` (OAuth 2 client
            credentials), or `pairing` (with the cloud's gateway).
        user, audience, lifetime: of the application; `lifetime` is in seconds.
        token_url, scope, api_key: of the client; `audience` is for both.
        redirect_uri, token: of the pairing; `token` is where its pair is kept, such as `vault:x3 pairing`.
    """

    kind: Literal["application", "client", "pairing"]
    client_id: str
    client_secret: str = attrs.field(repr=False)
    user: str = ""
    audience: str | None = None
    lifetime: float = 300.0
    token_url: str = ""
    scope: str = ""
    api_key: str = attrs.field(default="", repr=False)
    redirect_uri: str = ""
    token: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class SageX3Config:
    """The settings of `mlconnector_sdk.SageX3` that plain data can hold.

    Attributes:
        api: `rest` (api1), which takes `username` and `password`, or `graphql`, which takes those or `auth`.
        representations: of api1, by class: `{"BPCUSTOMER": "YMCBPC"}`.
        properties: of GraphQL, by entity and field code: `{"customers": {"BPCNAM": "companyName1"}}`.
        posted: values of INVSTA that mean posted; without them the usual ones.
    """

    system: Literal["sagex3"]
    api: Literal["rest", "graphql"]
    url: str
    endpoint: str = ""
    username: str = ""
    password: str = attrs.field(default="", repr=False)
    auth: SageX3AuthConfig | None = None
    representations: dict[str, str] = attrs.field(factory=dict)
    properties: dict[str, dict[str, str]] = attrs.field(factory=dict)
    orders: Literal["invoices", "sales_orders"] = "invoices"
    suppliers: Literal["own", "none"] = "own"
    posted: list[str] | None = None
    customer_email: Literal["contact", "address"] = "contact"
    mailing_flags: bool = True
    optout_field: str | None = None
    network: Network = attrs.field(factory=Network)

    def build(self, secret: SecretLookup) -> Source:
        """The source of it."""
        from ..sources.sagex3 import POSTED, SageX3

        return SageX3(
            api=self._api(secret),
            orders=self.orders,
            suppliers=self.suppliers,
            customer_email=self.customer_email,
            mailing_flags=self.mailing_flags,
            optout_field=self.optout_field,
            posted=POSTED if self.posted is None else self.posted,
        )

    def _api(self, secret: SecretLookup) -> Any:
        from ..auth import BasicLogin
        from ..sources.sagex3 import SageX3GraphQL, SageX3Rest

        if self.api == "graphql" and self.auth is not None:
            auth: Any = _x3_auth(self.auth, secret)
        elif self.auth is not None:
            raise ConfigurationError("source.auth: api1 (rest) takes username and password")
        elif not self.username:
            raise ConfigurationError("source.username: missing, and there is no auth either")
        else:
            auth = BasicLogin(username=self.username, password=secret(self.password, "source.password"))
        if self.api == "rest":
            return SageX3Rest(
                self.url,
                endpoint=self.endpoint,
                username=auth.username,
                password=auth.password,
                representations=self.representations,
                network=self.network,
            )
        properties: Any = self.properties
        return SageX3GraphQL(self.url, endpoint=self.endpoint, auth=auth, properties=properties, network=self.network)


@attrs.frozen(kw_only=True)
class SysproConfig:
    """The settings of `mlconnector_sdk.Syspro` that plain data can hold.

    Attributes:
        api: `odata`, `enet` (REST) or `soap`; `user` is then an OData user or an operator, and `company` is for e.net.
        contacts: read contacts through e.net's Contact Management.
    """

    system: Literal["syspro"]
    api: Literal["odata", "enet", "soap"]
    url: str
    user: str
    password: str = attrs.field(repr=False)
    company: str = ""
    company_password: str = attrs.field(default="", repr=False)
    delta_column: str | None = None
    timezone: str = "UTC"
    orders: Literal["invoices", "sales_orders"] = "invoices"
    contacts: bool = False
    multiple_addresses: bool = False
    optout_field: str | None = None
    network: Network = attrs.field(factory=Network)

    def build(self, secret: SecretLookup) -> Source:
        """The source of it."""
        from ..sources.syspro import ContactManagement, Syspro

        return Syspro(
            api=self._api(secret),
            timezone=self.timezone,
            orders=self.orders,
            contacts=ContactManagement() if self.contacts else None,
            multiple_addresses=self.multiple_addresses,
            optout_field=self.optout_field,
        )

    def _api(self, secret: SecretLookup) -> Any:
        from ..sources.syspro import SysproENet, SysproENetSoap, SysproOData

        password = secret(self.password, "source.password")
        if self.api == "odata":
            return SysproOData(
                self.url,
                username=self.user,
                password=password,
                delta_column=self.delta_column,
                network=self.network,
            )
        company_password = secret(self.company_password, "source.company_password") if self.company_password else ""
        return (SysproENet if self.api == "enet" else SysproENetSoap)(
            self.url,
            operator=self.user,
            password=password,
            company=self.company,
            company_password=company_password,
            delta_column=self.delta_column,
            network=self.network,
        )


def _auth(config: AuthConfig, secret: SecretLookup) -> Any:
    from ..auth import CookieLogin, OAuth2AuthorizationCode, OAuth2Password, OAuth2Token

    if config.kind == "cookie":
        password = secret(config.password, "source.auth.password")
        return CookieLogin(username=config.username, password=password, tenant=config.tenant, branch=config.branch)
    client_secret = secret(config.client_secret, "source.auth.client_secret")
    if config.kind == "code":
        kept: dict[str, Any]
        if config.token:
            vault, name = secret.token_vault(config.token, "source.auth.token")
            kept = {"save": vault.saver(name), "load": vault.loader(name)}
        else:
            refresh_token = secret.text(config.refresh_token, "source.auth.refresh_token")
            kept = {"token": OAuth2Token(access_token="", refresh_token=refresh_token)}
        return OAuth2AuthorizationCode(
            client_id=config.client_id, client_secret=client_secret, redirect_uri=config.redirect_uri, **kept
        )
    password = secret(config.password, "source.auth.password")
    return OAuth2Password(
        client_id=config.client_id, client_secret=client_secret, username=config.username, password=password
    )


def _x3_auth(config: SageX3AuthConfig, secret: SecretLookup) -> Any:
    from ..auth import CloudPairing, OAuth2ClientCredentials, SelfSignedJWT

    client_secret = secret(config.client_secret, "source.auth.client_secret")
    if config.kind == "application":
        return SelfSignedJWT(
            client_id=config.client_id,
            secret=client_secret,
            user=config.user,
            audience=config.audience,
            lifetime=timedelta(seconds=config.lifetime),
        )
    if config.kind == "pairing":
        vault, name = secret.token_vault(config.token, "source.auth.token")
        scope: dict[str, Any] = {"scope": config.scope} if config.scope else {}
        return CloudPairing(
            client_id=config.client_id,
            client_secret=client_secret,
            redirect_uri=config.redirect_uri,
            save=vault.saver(name),
            load=vault.loader(name),
            **scope,
        )
    return OAuth2ClientCredentials(
        client_id=config.client_id,
        client_secret=client_secret,
        scope=config.scope,
        audience=config.audience or "",
        token_url=config.token_url,
        api_key=secret(config.api_key, "source.auth.api_key") if config.api_key else "",
    )


SourceConfig: TypeAlias = AcumaticaConfig | Sage100Config | Sage300Config | SageX3Config | SysproConfig
"""Any source that a config can describe."""

SOURCES: dict[str, type] = {
    "acumatica": AcumaticaConfig,
    "sage100": Sage100Config,
    "sage300": Sage300Config,
    "sagex3": SageX3Config,
    "syspro": SysproConfig,
}
"""The same by `system`."""
