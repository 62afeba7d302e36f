"""Sage 100's own web services (eBusiness Web Services): records by exact key, one call each, and no list of any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import attrs

from ..._secret import Secret
from ..._trust import is_exposed
from ...models import StreamName
from ...network import Network
from ...retry import RetryPolicy
from .._settings import require
from ._api import CUSTOMER, SYSTEM
from ._discovery import TABLES, Clues, ToldKeys
from ._soap_connection import SoapConnection
from ._soap_service import Service

__all__ = ["Sage100Soap"]

_NOBODY = "00-ZZNOONE"


@attrs.frozen
class Sage100Soap:
    """Where and as whom to use the web services of Sage 100, which know records by their exact key only.

    There is no list, no search and no feed of changes. So records are found by four ways: those known from earlier
    runs are read again one by one, and told apart by when they were changed; the next numbers of sales orders and of
    customers are looked up, until none was there for `gap` numbers; who placed such an order is read as well; and a
    caller may name `keys`. Nothing else is found: `check` says what that leaves out. For everything there is the agent
    (`Sage100Agent`). The first call loads zeep.

    Args:
        wsdl_url: the whole address of the description of the basic entry point, such as
            `https://erp.example.com/eBusinessWebServices/MasBasicWsdl.svc?wsdl`.
        username, password: a user of Sage 100 who is enabled for web services.
        base_url: scheme, host and port by which the server is reached, if they are not those of `wsdl_url`. What the
            description says of that is not believed.
        keys: keys that the caller knows of, by stream: a list of them, or a function asked for it with each read.
            Customers are `01-ABF`, contacts `01-ABF/A. BUYER`, orders `0000304`.
        first_order: the number of the sales order to begin with, such as `0000001`: while none as high is known, and
            with each full read.
        first_customers: the same for customers: a key such as `00-0000001` for each division that has numbers.
        gap: how many numbers in a row must be unused before a walk ends. Orders that were completed are not there any
            more, so this is how many orders may be completed between two runs.
        recent_orders: how many of the orders known last are read again with each run.
        parallel: calls at the same time.
        timeout: seconds to wait for an answer. The first one after a while of idleness is slow.
        network: whom to trust, and how much of an answer is read. Its `allow_http` lets user and password go over an
            unencrypted connection.
        lock_patterns: pieces of error texts that mean that somebody has a record open.
        probe_customer: the key that `check` asks for; whether there is such a customer does not matter.

    Raises:
        ConfigurationError: an argument is wrong.

    Example:
        >>> url = "https://erp.example.com/eBusinessWebServices/MasBasicWsdl.svc?wsdl"
        >>> Sage100Soap(url, username="mlsync", password="secret", first_order="0000001")
        Sage100Soap(wsdl_url='https://erp.example.com/eBusinessWebServices/MasBasicWsdl.svc?wsdl', username='mlsync')
    """

    wsdl_url: str
    username: str = attrs.field(kw_only=True)
    password: str | Secret = attrs.field(kw_only=True, repr=False)
    base_url: str | None = attrs.field(default=None, kw_only=True, repr=False)
    keys: Mapping[StreamName, ToldKeys] = attrs.field(factory=dict, kw_only=True, repr=False)
    first_order: str = attrs.field(default="", kw_only=True, repr=False)
    first_customers: Sequence[str] = attrs.field(default=(), kw_only=True, repr=False)
    gap: int = attrs.field(default=50, kw_only=True, repr=False)
    recent_orders: int = attrs.field(default=500, kw_only=True, repr=False)
    parallel: int = attrs.field(default=2, kw_only=True, repr=False)
    timeout: float = attrs.field(default=60.0, kw_only=True, repr=False)
    network: Network = attrs.field(factory=Network, kw_only=True, repr=False)
    lock_patterns: Sequence[str] = attrs.field(default=("in use", "locked", "busy"), kw_only=True, repr=False)
    probe_customer: str = attrs.field(default=_NOBODY, kw_only=True, repr=False)

    def __attrs_post_init__(self) -> None:
        wsdl = urlsplit(self.wsdl_url)
        _need(wsdl.scheme in {"http", "https"} and bool(wsdl.path), "wsdl_url must be the whole address of the WSDL")
        _need(not wsdl.username and not wsdl.password, "wsdl_url must not contain a user name or password")
        base = urlsplit(self.base_url or self.wsdl_url)
        _need(not self.base_url or base.path in {"", "/"}, "base_url is scheme, host and port only")
        for name, url in {"wsdl_url": wsdl, "base_url": base}.items():
            _need(
                self.network.allow_http or not is_exposed(url.geturl()),
                f"{name} must be https: the password goes with each call (network=Network(allow_http=True) permits it)",
            )
        _need(bool(self.username.strip()), "username must not be empty")
        for name in ("gap", "parallel"):
            _need(getattr(self, name) >= 1, f"{name} must be 1 at least")
        _need(self.recent_orders >= 0, "recent_orders must not be negative")
        _need(self.timeout > 0, "timeout must be more than 0 seconds")
        _need(not isinstance(self.lock_patterns, str), "lock_patterns must be a list")
        _need(not isinstance(self.first_customers, str), "first_customers must be a list of keys")
        _need(CUSTOMER.parts_of(self.probe_customer) is not None, "probe_customer must be a key such as 01-ABF")
        self._check_keys()

    def _check_keys(self) -> None:
        strangers = sorted(str(stream) for stream in self.keys if stream not in TABLES)
        _need(not strangers, f"keys names {', '.join(strangers)}: there are {', '.join(TABLES)}")
        for stream, told in self.keys.items():
            _need(not isinstance(told, str), f"keys[{stream!r}] must be a list of keys, or a function")
        clues = self._clues()
        for stream in TABLES:
            if not callable(self.keys.get(stream)):
                clues.keys(stream)
        clues.check()

    def connect(self, *, company: str, zone: ZoneInfo, retry: RetryPolicy) -> SoapConnection:
        """The live connection to one company; nothing is sent yet."""
        service = Service(
            self.wsdl_url,
            base_url=self.base_url,
            username=self.username,
            password=self.password,
            company=company,
            timeout=self.timeout,
            network=self.network,
            lock_patterns=tuple(pattern.lower() for pattern in self.lock_patterns if pattern.strip()),
            connections=self.parallel,
            retry=retry,
        )
        probe = CUSTOMER.parts_of(self.probe_customer)
        assert probe is not None
        return SoapConnection(service, clues=self._clues(), parallel=self.parallel, probe=probe)

    def _clues(self) -> Clues:
        return Clues(
            told=dict(self.keys),
            first_order=self.first_order.strip(),
            first_customers=tuple(self.first_customers),
            gap=self.gap,
            recent_orders=self.recent_orders,
        )


def _need(condition: bool, message: str) -> None:  # noqa: FBT001
    require(condition, message, system=SYSTEM)
