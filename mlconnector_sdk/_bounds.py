"""How much of an answer is read, and for how long, whatever the far side sends.

Packed answers are unpacked here in small pieces and never all at once: a few kilobytes may unpack to gigabytes.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator

import attrs
import httpx

from .errors import ContractError, TimeoutExceededError, UnavailableError
from .network import Network

__all__ = ["CODINGS", "SMALL_ANSWERS", "Bounds", "bounds_of"]

CODINGS = "gzip, deflate"
"""What may be asked for as `Accept-Encoding`."""

_PIECE = 256 * 1024
_MIB = 1024 * 1024


@attrs.frozen(kw_only=True)
class Bounds:
    """A response hook of httpx that lets answers be only so large, and take only so long.

    Attributes:
        bytes: of the body when it is unpacked.
        seconds: from its first header to its last byte; a time-out for each piece does not end what drips for days.
    """

    bytes: int = attrs.field(default=256 * _MIB, validator=attrs.validators.gt(0))
    seconds: float = attrs.field(default=3600.0, validator=attrs.validators.gt(0))
    clock: Callable[[], float] = attrs.field(default=time.monotonic, repr=False)

    def __call__(self, response: httpx.Response) -> None:
        """Bound a response of which no body was read yet.

        Raises:
            ContractError: it says that it is too large, or is packed in a way that was not asked for.
        """
        codings = [one.lower() for one in response.headers.get_list("content-encoding", split_commas=True)]
        codings = [one.strip() for one in codings if one.strip() not in {"", "identity"}]
        if len(codings) > 1 or not {"gzip", "x-gzip", "deflate"}.issuperset(codings):
            raise ContractError("the answer is packed in a way that was not asked for", reason="content_coding")
        length = response.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > self.bytes):
            raise self.too_large()
        if codings:
            # Or httpx would unpack it a second time.
            del response.headers["content-encoding"]
        stream = response.stream
        assert isinstance(stream, httpx.SyncByteStream)
        response.stream = _Bounded(stream, self, _Unpacking(codings[0]) if codings else None)

    def too_large(self) -> ContractError:
        """The error for an answer beyond the limit."""
        return ContractError(
            f"the answer is larger than {self.bytes / _MIB:g} MiB, which no answer should be: ask for smaller pages "
            "where there is such a setting, and check what answers at this address",
            reason="too_large",
        )


def bounds_of(network: Network) -> Bounds:
    """The limits that a setting names."""
    return Bounds(bytes=network.answer_bytes, seconds=network.answer_time.total_seconds())


SMALL_ANSWERS = Bounds(bytes=4 * _MIB, seconds=120.0)
"""For sign-in and tokens."""


class _Bounded(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, bounds: Bounds, unpacking: _Unpacking | None) -> None:
        self._stream = stream
        self._bounds = bounds
        self._unpacking = unpacking
        self._until = bounds.clock() + bounds.seconds

    def __iter__(self) -> Iterator[bytes]:
        room = self._bounds.bytes
        for piece in self._pieces():
            room -= len(piece)
            if room < 0:
                raise self._bounds.too_large()
            yield piece

    def close(self) -> None:
        self._stream.close()

    def _pieces(self) -> Iterator[bytes]:
        for piece in self._stream:
            if self._bounds.clock() > self._until:
                raise TimeoutExceededError(f"the answer was not complete after {self._bounds.seconds:g} s")
            if self._unpacking is None:
                yield piece
            else:
                yield from self._unpacking.feed(piece)
        if self._unpacking is not None:
            self._unpacking.end()


class _Unpacking:
    """Unpacks gzip, or deflate with or without the header that it should have."""

    def __init__(self, coding: str) -> None:
        self._first = coding == "deflate"
        self._begun = False
        self._packed = zlib.decompressobj(zlib.MAX_WBITS if self._first else zlib.MAX_WBITS | 16)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data and not self._packed.eof:
            self._begun = True
            yield self._piece(data)
            data = self._packed.unconsumed_tail

    def end(self) -> None:
        """Raises when the packed text has no end; what httpx itself takes for whole."""
        if self._begun and not self._packed.eof:
            raise UnavailableError("the answer was cut off", reason="cut_off")

    def _piece(self, data: bytes) -> bytes:
        first, self._first = self._first, False
        try:
            return self._packed.decompress(data, _PIECE)
        except zlib.error:
            if not first:
                raise ContractError("the answer is not packed as it says", reason="content_coding") from None
        self._packed = zlib.decompressobj(-zlib.MAX_WBITS)
        return self._piece(data)
