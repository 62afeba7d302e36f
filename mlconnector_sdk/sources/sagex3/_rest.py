"""api1 (Syracuse REST) as a way to a folder: what people set, and reading by its thin lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import attrs
import httpx

from ..._secret import Secret
from ...auth import BasicLogin, OAuth2AuthorizationCode, OAuth2ClientCredentials, OAuth2Token
from ...network import Network
from ...retry import RetryPolicy
from .._settings import require
from ._api import SYSTEM
from ._rest_reading import RestConnection
from ._rest_session import RestSession
from ._views import Representation, Views

__all__ = ["RestAuth", "SageX3Rest"]

RestAuth: TypeAlias = BasicLogin | OAuth2Token | OAuth2ClientCredentials | OAuth2AuthorizationCode


@attrs.frozen
class SageX3Rest:
    """Where and as whom to read a folder through api1, X3's REST API.

    Its default lists are thin: names without addresses. Then further classes are read, and each record by its key
    where nothing else helps, which takes long. So ask the site's X3 team for a representation that has everything in
    its query facet, the change stamp included, and name it.

    Args:
        base_url: scheme, host and port, such as `https://x3.example.com:8124`.
        endpoint: the name of the Syracuse endpoint, such as `SEED`; mostly the folder's code, not always.
        folder: the folder's code, for sites where the endpoint has the same name.
        username, password: of a Syracuse user that is set to basic authentication.
        auth: instead of them, OAuth 2 (Sage X3 Online has nothing else), with `token_url` where tokens are got.
        representations: by class, such as `{"BPCUSTOMER": "YMCBPC"}`; a `Representation` says more.
        page_size: rows to ask for at once; the server may give fewer.
        concurrency: how many records are read at once where each is read by its key; X3's processes are shared with
            the people who work with it.
        timeout: seconds to wait for an answer; the first one after an idle time is slow.
        network: whom to trust, and how much of an answer is read.
        path: between host and endpoint.

    Example:
        >>> SageX3Rest("https://x3.example.com:8124", endpoint="SEED", username="MAILSYNC", password="secret")
        SageX3Rest(base_url='https://x3.example.com:8124', endpoint='SEED', username='MAILSYNC')
    """

    base_url: str
    endpoint: str = attrs.field(default="", kw_only=True)
    folder: str = attrs.field(default="", kw_only=True, repr=False)
    username: str = attrs.field(default="", kw_only=True)
    password: str | Secret = attrs.field(default="", kw_only=True, repr=False)
    auth: RestAuth | None = attrs.field(default=None, kw_only=True, repr=False)
    token_url: str = attrs.field(default="", kw_only=True, repr=False)
    representations: Mapping[str, str | Representation] = attrs.field(factory=dict, kw_only=True, repr=False)
    page_size: int = attrs.field(default=200, kw_only=True, repr=False, validator=attrs.validators.ge(1))
    concurrency: int = attrs.field(default=2, kw_only=True, repr=False, validator=attrs.validators.ge(1))
    timeout: float = attrs.field(default=120.0, kw_only=True, repr=False, validator=attrs.validators.gt(0))
    network: Network = attrs.field(factory=Network, kw_only=True, repr=False)
    path: str = attrs.field(default="/api1/x3/erp", kw_only=True, repr=False)

    def connect(self, retry: RetryPolicy) -> RestConnection:
        """The live connection; nothing is sent yet.

        Raises:
            ConfigurationError: a setting is missing or wrong.
        """
        endpoint = (self.endpoint or self.folder).strip()
        require(bool(endpoint), "endpoint must name the Syracuse endpoint, such as SEED", system=SYSTEM)
        session = RestSession(
            self.base_url,
            path=f"{self.path.rstrip('/')}/{endpoint}",
            flow=self._flow(),
            retry=retry,
            timeout=self.timeout,
            connections=self.concurrency,
            network=self.network,
        )
        return RestConnection(
            session=session,
            views=Views(self.representations),
            page_size=self.page_size,
            concurrency=self.concurrency,
            user=self.username,
        )

    def _flow(self) -> httpx.Auth:
        if self.auth is None:
            require(bool(self.username.strip()), "username must not be empty", system=SYSTEM)
            return BasicLogin(username=self.username, password=self.password).flow(system=SYSTEM)
        require(not self.username, "give username and password, or auth, not both", system=SYSTEM)
        if isinstance(self.auth, (BasicLogin, OAuth2Token)):
            return self.auth.flow(system=SYSTEM)
        require(bool(self.token_url), "token_url must say where tokens are got", system=SYSTEM)
        return self.auth.flow(token_url=self.token_url, network=self.network, system=SYSTEM)
