"""Whom clients trust, and what is said where nobody can know who is at the other end."""

from __future__ import annotations

import ipaddress
import os
import ssl
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from urllib.parse import urlsplit

import httpx

from .errors import ConfigurationError, InsecureTransportWarning
from .models import CheckResult
from .network import Network

__all__ = ["is_exposed", "secrecy", "secrecy_of_tokens", "trust_of", "warn_of"]


def trust_of(network: Network, system: str) -> ssl.SSLContext:
    """What a client verifies certificates with.

    Raises:
        ConfigurationError: the bundle cannot be read.
    """
    if network.trust_any_certificate:
        return _anybody()
    if network.ca_bundle is None:
        return _roots(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    try:
        return ssl.create_default_context(cafile=network.ca_bundle)
    except OSError:
        raise ConfigurationError("ca_bundle: no PEM file with certificates can be read there", system=system) from None


@cache
def _roots(*_named: str | None) -> ssl.SSLContext:
    """What httpx trusts by default, made once for all clients: each of its own would cost 30 ms."""
    return httpx.create_ssl_context()


@cache
def _anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def warn_of(network: Network, system: str) -> None:
    """Warn whoever constructs something that trusts any certificate, at the line of their own code."""
    if network.trust_any_certificate:
        warnings.warn(
            f"{system or 'a sign-in'}: any TLS certificate is taken, so whoever stands in between can read the "
            "credentials and change the data; name the authority with ca_bundle= instead of trust_any_certificate=",
            InsecureTransportWarning,
            stacklevel=_frames_of_ours(),
        )


def _frames_of_ours() -> int:
    """How far up the first frame is that is not of this library, as `warn_of` counts them."""
    level, frame = 1, sys._getframe(1)  # noqa: SLF001 - the documented way to look up the stack
    while frame.f_back is not None and (
        frame.f_globals.get("__name__", "").partition(".")[0] == __package__
        # The constructors of values have no module of their own.
        or frame.f_code.co_filename.startswith("<attrs generated")
    ):
        level, frame = level + 1, frame.f_back
    return level


def is_exposed(url: str) -> bool:
    """What is sent there leaves the machine unencrypted."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def secrecy(network: Network, system: str, url: str) -> Iterator[CheckResult]:
    """A row of `check` where others on the way can read or change what is sent; none where all is well."""
    if is_exposed(url):
        yield _unencrypted(network, system, "credentials and data travel unencrypted", "use an https:// address")
    elif network.trust_any_certificate and url.startswith("https:"):
        yield CheckResult(
            system=system,
            what="encryption",
            ok=False,
            detail="any certificate is taken, whoever it is from",
            cure="name the authority that signed it with ca_bundle, and leave trust_any_certificate out",
        )


def secrecy_of_tokens(network: Network, system: str, token_url: str, *, url: str) -> Iterator[CheckResult]:
    """The same of where tokens are got, if that is another host than the one that `secrecy` tells of."""
    if is_exposed(token_url) and urlsplit(token_url).netloc != urlsplit(url).netloc:
        detail = "the client's secret and its tokens travel unencrypted to and from token_url"
        yield _unencrypted(network, system, detail, "give token_url an https:// address")


def _unencrypted(network: Network, system: str, detail: str, cure: str) -> CheckResult:
    detail += ", as allow_http permits" if network.allow_http else ""
    cure += ", or say that it is meant with network=Network(allow_http=True)"
    return CheckResult(system=system, what="encryption", ok=network.allow_http, detail=detail, cure=cure)
