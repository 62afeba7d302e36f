"""Batches: many operations handed over at once, which Mailchimp works on by itself, in any order.

Results lie in a cloud storage as a packed archive, behind an address that is good for ten minutes and needs no
credentials; each look at the batch makes a new one. They are kept for seven days. The archive is read while it arrives
and never touches the disk, so names inside it can do no harm.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar, cast

import attrs

from .._bounds import bounds_of
from .._http import HttpClient, HttpReply
from .._json import json_in
from .._json_stream import elements
from ..errors import (
    ContractError,
    MLConnectorError,
    ServerFaultError,
    TimeoutExceededError,
    TransientError,
    UnavailableError,
)
from ..retry import RetryPolicy
from ._client import READ_TIMEOUT, MailchimpClient, json_object
from ._wire import SYSTEM, RefusedError, judge, path

__all__ = ["POLLING", "Batches", "Operation", "OperationResult", "results_in"]

T = TypeVar("T")

POLLING = RetryPolicy(attempts=1000, within=timedelta(hours=1), first_wait=5.0, longest_wait=60.0)
"""How a batch is asked for until it is finished: after 5 s, then at twice the pause up to a minute, for an hour."""

_ONCE = RetryPolicy(attempts=1)
_FIELDS = "id,status,response_body_url"

# JSON of this API shrinks by a factor of 10 to 30. What unpacks to far more than that is no list of results.
_LARGEST_RATIO = 200
_ALWAYS_ALLOWED = 64 * 1024 * 1024
_LARGEST_ARCHIVE = 1024 * 1024 * 1024
_MOST_FILES = 10_000
_PIECE = 64 * 1024
_GZIP = b"\x1f\x8b"


@attrs.frozen(kw_only=True)
class Operation:
    """One call inside a batch.

    Attributes:
        id: comes back with the result; unique within a batch, or results cannot be told apart.
        path: below the API root, percent-encoded.
        body: encoded JSON.
        params: query parameters of a GET; those of a write go into the path.
    """

    id: str
    method: str
    path: str
    body: bytes | None = attrs.field(default=None, repr=False)
    params: Mapping[str, str | int] = attrs.field(factory=dict)

    def document(self) -> dict[str, Any]:
        """As it is submitted; a body is text there, an object would fail when the operation is run."""
        document: dict[str, Any] = {"method": self.method, "path": self.path, "operation_id": self.id}
        if self.params:
            document["params"] = dict(self.params)
        if self.body is not None:
            document["body"] = self.body.decode()
        return document


@attrs.frozen(kw_only=True)
class OperationResult:
    """What became of one operation. A GET that was paged has several results with the same `id`."""

    id: str
    status: int
    response: str = attrs.field(default="", repr=False)

    @property
    def error(self) -> MLConnectorError | None:
        """What the answer means, as if it had come by a call of its own; `None` when it is good: any 2xx."""
        return judge(HttpReply(status=self.status, headers={}, body=self.response.encode()), "")

    def json(self) -> Any:
        """The answer's body. Raises `ValueError` when it is empty or no JSON."""
        return json_in(self.response)


class Batches:
    """Hands over batches of one account and reads their results.

    Args:
        client: the account.
        polling: how often and how long a batch is asked for; its `within` is the deadline.
    """

    def __init__(self, client: MailchimpClient, *, polling: RetryPolicy = POLLING) -> None:
        self._client = client
        self._polling = polling
        # Its own client: the storage refuses requests that also log in, and must never see the key.
        self._storage = HttpClient(
            SYSTEM,
            client.http.base_url,
            judge=_judged,
            timeout=READ_TIMEOUT,
            retry=_ONCE,
            follow_redirects=True,
            network=client.network,
            warns=False,
            bounds=attrs.evolve(bounds_of(client.network), bytes=max(_LARGEST_ARCHIVE, client.network.answer_bytes)),
        )

    @property
    def request_count(self) -> int:
        """Downloads so far; the other requests are counted by the client."""
        return self._storage.request_count

    def close(self) -> None:
        """Close connections; harmless when repeated."""
        self._storage.close()

    def submit(self, operations: Sequence[Operation]) -> str:
        """Hand over a batch and give its id. An account may have 500 waiting; then this waits too.

        Raises:
            TransientError: not accepted within the deadline; or no answer came, and the batch may have been accepted.
            ContractError: Mailchimp refuses batches of this kind.
        """
        body = {"operations": [operation.document() for operation in operations]}
        try:
            reply = self._client.send("POST", "/batches", body, operation="POST batch", retry=self._polling)
        except RefusedError as error:
            raise ContractError(
                f"Mailchimp refuses the batch: {error.message}",
                system=SYSTEM,
                operation="POST batch",
                status_code=error.status_code,
                request_id=error.request_id,
            ) from None
        return str(json_object(reply).get("id") or "")

    def read(
        self,
        batch_id: str,
        reader: Callable[[Iterator[OperationResult]], T],
        *,
        before_each_look: Callable[[], None] | None = None,
    ) -> T:
        """Wait until the batch is finished and give what `reader` makes of its results.

        Args:
            batch_id: as `submit` gave it.
            reader: gets the results one by one while they arrive. It starts anew when a download breaks off.
            before_each_look: called before each request; may raise to leave.

        Raises:
            TransientError: the batch is not finished, or its results cannot be had, within the deadline.
            RecordNotFoundError: there is no such batch any more: it is older than seven days, or was deleted.
            ContractError: the results are not what they should be.
        """

        def look() -> T:
            if before_each_look is not None:
                before_each_look()
            try:
                return self._download(self._address(batch_id), reader)
            except ServerFaultError as error:
                # A fault here is no sign of a bad record, so the tries of the polling policy count.
                raise UnavailableError(
                    error.message, system=SYSTEM, operation=error.operation, status_code=error.status_code
                ) from error

        return self._polling.call(look, on_wait=self._announce)

    def _address(self, batch_id: str) -> str:
        """Where the results are, for the next ten minutes."""
        operation = "GET batch"
        where = path("batches", batch_id)
        reply = self._client.send("GET", where, operation=operation, params={"fields": _FIELDS}, retry=_ONCE)
        batch = json_object(reply)
        if batch.get("status") != "finished":
            raise TimeoutExceededError(
                f"Mailchimp is not done with batch {batch_id}: run again later, then its results are taken",
                system=SYSTEM,
                operation=operation,
                reason="batch_unfinished",
            )
        address = batch.get("response_body_url")
        if not isinstance(address, str) or not address:
            raise _no_results("the batch is finished, but its results cannot be had yet")
        if not address.startswith("https://") and self._client.http.base_url.startswith("https://"):
            raise ContractError("the results lie behind an address without TLS", system=SYSTEM, operation=operation)
        return address

    def _download(self, address: str, reader: Callable[[Iterator[OperationResult]], T]) -> T:
        reply = self._storage.request(
            "GET",
            address,
            operation="GET batch results",
            reader=lambda chunks: reader(results_in(chunks)),
            reads="",
        )
        return cast("T", reply.parsed)

    def _announce(self, error: TransientError, seconds: float, tries: int) -> None:
        listener = self._client.http.on_wait
        if listener is not None:
            listener(SYSTEM, error.operation, error, seconds, tries)


def _judged(reply: HttpReply, _operation: str) -> MLConnectorError | None:
    """The storage's answers: anything but the archive may be better after another look at the batch."""
    return None if reply.status == 200 else _no_results("the results' address expired, or the storage is unavailable")


def _no_results(message: str) -> UnavailableError:
    return UnavailableError(message, system=SYSTEM, operation="GET batch results", reason="batch_results")


def results_in(chunks: Iterable[bytes]) -> Iterator[OperationResult]:
    """The results in an archive, read while it arrives: every regular file in it is an array of them.

    Raises:
        UnavailableError: the archive is cut off or spoilt.
        ContractError: it unpacks to more than results ever would.
    """
    try:
        with tarfile.open(fileobj=cast("Any", _Unpacked(chunks)), mode="r|") as archive:
            for number, entry in enumerate(archive):
                if number >= _MOST_FILES:
                    raise ContractError("the archive of results has too many files", system=SYSTEM)
                # Links, devices and sparse files are never results; a sparse one may claim any size.
                if not entry.isreg() or entry.issparse() or not entry.size:
                    continue
                content = archive.extractfile(entry)
                assert content is not None
                for document in elements(iter(partial(content.read, _PIECE), b"")):
                    if isinstance(document, dict):
                        yield _result_of(document)
    except (tarfile.TarError, zlib.error, EOFError, ValueError, RecursionError):
        raise _no_results("the archive of results is cut off or spoilt") from None


def _result_of(document: Mapping[str, Any]) -> OperationResult:
    status = document.get("status_code")
    return OperationResult(
        id=str(document.get("operation_id") or ""),
        status=status if isinstance(status, int) else 500,
        response=str(document.get("response") or ""),
    )


class _Unpacked:
    """A file of unpacked bytes that are made as they are read, and of which there cannot be absurdly many."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = (chunk for chunk in chunks if chunk)
        self._inflate: Any = None
        self._begun = False
        self._ready = bytearray()
        self._taken = 0
        self._made = 0

    def read(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        while len(self._ready) < size and self._make():
            pass
        piece = bytes(self._ready[:size])
        del self._ready[:size]
        return piece

    def _make(self) -> bool:
        packed = self._inflate.unconsumed_tail if self._inflate is not None else b""
        if not packed:
            packed = next(self._chunks, b"")
            self._taken += len(packed)
            if not packed:
                return self._ended()
        if not self._begun:
            self._begun = True
            packed += next(self._chunks, b"") if len(packed) < len(_GZIP) else b""
            # Some storages have the packing undone on the way, as a matter of HTTP.
            self._inflate = zlib.decompressobj(wbits=31) if packed.startswith(_GZIP) else None
        made = packed if self._inflate is None else self._inflate.decompress(packed, _PIECE)
        self._made += len(made)
        if self._made > max(_ALWAYS_ALLOWED, _LARGEST_RATIO * self._taken):
            raise ContractError("the archive of results unpacks to an absurd size", system=SYSTEM)
        self._ready += made
        return True

    def _ended(self) -> bool:
        if self._inflate is not None and not self._inflate.eof:
            raise EOFError
        return False
