"""One connection to one company: credentials with every request, metadata once for each module, the server's clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

import attrs

from ..._http import HttpClient, HttpReply
from ..._secret import Secret, revealed
from ...auth import BasicLogin
from ...errors import AuthenticationError, ContractError
from ...network import Network
from ...protocols import Clock, WaitListener
from ...retry import RetryPolicy
from .._base import placed
from .._odata import Collection, collection_in, properties_in
from .._settings import require
from ._api import SYSTEM, Verdicts, refused
from ._fields import Resource

__all__ = ["Session"]

_DEFAULT_APPLICATION = "/Sage300WebApi"


@attrs.frozen
class UpperCase:
    """A secret in upper case."""

    secret: str | Secret = attrs.field(repr=False)

    def reveal(self) -> str:
        """See `Secret.reveal`."""
        return revealed(self.secret).upper()


class Session:
    """Talks to one company of one site, one request at a time: too many at once are refused."""

    def __init__(
        self,
        base_url: str,
        *,
        company: str,
        tenant: str,
        username: str,
        password: str | Secret,
        upper_case: bool,
        retry: RetryPolicy,
        timeout: float,
        network: Network,
    ) -> None:
        self.company = company.strip().upper()
        valid = re.fullmatch(r"[A-Z0-9]{1,6}", self.company)
        require(valid is not None, "company must be the Org ID of up to 6 letters and digits", system=SYSTEM)
        require(bool(username.strip()), "username must not be empty", system=SYSTEM)
        # User IDs have no lower case at all; passwords have one in newer releases.
        self.user = username.strip().upper()
        login = BasicLogin(username=self.user, password=UpperCase(password) if upper_case else password)
        self._http = HttpClient(
            SYSTEM,
            f"{_with_application(base_url)}/v1.0/{tenant}/{self.company}",
            judge=Verdicts(secure=base_url.startswith("https://")).judge,
            auth=login.flow(system=SYSTEM),
            timeout=timeout,
            retry=retry,
            max_connections=1,
            network=network,
            # Without a content type even a GET may be answered with a 500.
            headers={"Content-Type": "application/json"},
        )
        self._properties: dict[str, dict[str, dict[str, str]]] = {}

    @property
    def address(self) -> str:
        return self._http.base_url

    @property
    def request_count(self) -> int:
        return self._http.request_count

    def attach(self, *, retry: RetryPolicy | None, on_wait: WaitListener | None, clock: Clock | None) -> None:
        """Take over a retry policy, if there is one, and a listener for pauses; nothing here needs a clock."""
        self._http.retry = retry or self._http.retry
        self._http.on_wait = on_wait

    def rows(self, resource: Resource, path: str, *, retry: RetryPolicy | None = None) -> Collection:
        """One answer of a list."""
        operation = f"GET {resource.path}"
        reply = self._get(path, operation, retry=retry)
        with placed(SYSTEM, operation):
            return collection_in(reply)

    def properties(self, resource: Resource, *, retry: RetryPolicy | None = None) -> Mapping[str, str]:
        """Property names and types of a resource; a module's metadata is asked for once.

        Raises:
            ContractError: the release has no such resource.
        """
        module = resource.module
        operation = f"GET {module}/$metadata"
        if module not in self._properties:
            reply = self._get(f"/{module}/$metadata", operation, retry=retry, headers={"Accept": "application/xml"})
            with placed(SYSTEM, operation):
                self._properties[module] = properties_in(reply.body)
        found = self._properties[module].get(resource.name)
        if not found:
            raise ContractError(
                f"module {module} has no {resource.name} in this release: leave the module out (modules=)",
                system=SYSTEM,
                operation=operation,
                reason="no_resource",
            )
        return found

    def now(self, resource: Resource, *, retry: RetryPolicy | None = None) -> datetime:
        """The server's clock.

        Raises:
            ContractError: it does not tell the time.
        """
        operation = f"GET {resource.path}"
        moment = self._get(f"/{resource.path}?$select={resource.keys[0]}&$top=1", operation, retry=retry).date
        if moment is None:
            raise ContractError(
                "the answer has no Date header, perhaps cut by a proxy: the server's clock is needed",
                system=SYSTEM,
                operation=operation,
                reason="no_clock",
            )
        return moment

    def close(self) -> None:
        """Close connections and forget cookies; harmless when repeated."""
        self._http.close()

    def _get(
        self, path: str, operation: str, *, retry: RetryPolicy | None, headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        try:
            return self._http.request("GET", path, operation=operation, retry=retry, headers=headers)
        except AuthenticationError as error:
            raise refused(operation) from error


def _with_application(base_url: str) -> str:
    """A bare host means the usual application; a site may have published it elsewhere."""
    text = base_url.rstrip("/")
    return text + _DEFAULT_APPLICATION if text.count("/") == 2 else text
