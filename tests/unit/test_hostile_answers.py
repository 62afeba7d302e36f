"""Answers that no honest far end gives: each is told clearly, and none costs memory, time or credentials."""

from __future__ import annotations

import gzip
import itertools
import socketserver
import threading
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import httpx
import pytest

from mlconnector_sdk._bounds import Bounds
from mlconnector_sdk._http import HttpClient, HttpReply, retry_after
from mlconnector_sdk._json import json_in
from mlconnector_sdk._json_stream import elements
from mlconnector_sdk.auth import (
    CloudPairing,
    OAuth2AuthorizationCode,
    OAuth2ClientCredentials,
    OAuth2Password,
    OAuth2Token,
)
from mlconnector_sdk.errors import (
    ConfigurationError,
    ContractError,
    MappingError,
    MLConnectorError,
    TimeoutExceededError,
    UnavailableError,
)
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources._odata import properties_in
from mlconnector_sdk.sources._xml import table_in, tree_in
from mlconnector_sdk.testing import FakeServer, Reply, Request
from tests.scenarios._worlds import ENDS, World

MIB = 1024 * 1024
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DEEP = b"[" * 200_000 + b"]" * 200_000
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "lol">'
    + b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    + b"]><a>&l9;</a>"
)


class Thief(FakeServer):
    """Another host, which keeps what it is sent."""

    def handle(self, request: Request) -> Reply:
        return Reply(200, {"value": []})


@pytest.fixture
def thief() -> Iterator[Thief]:
    """Another host."""
    with Thief() as thief:
        yield thief


class Wire(socketserver.ThreadingTCPServer):
    """Sends the bytes it was made with to whoever asks, and stops when the listener does."""

    daemon_threads = True
    answer: Iterable[bytes] = ()
    heard: list[bytes]


class _Wired(socketserver.BaseRequestHandler):
    server: Wire

    def handle(self) -> None:
        self.server.heard.append(self.request.recv(65536))
        try:
            for piece in self.server.answer:
                self.request.sendall(piece)
        except OSError:
            return


@contextmanager
def wire(*answer: bytes, endless: Iterable[bytes] = ()) -> Iterator[Wire]:
    """A server that answers with just these bytes."""
    server = Wire(("127.0.0.1", 0), _Wired)
    server.answer, server.heard = itertools.chain(answer, endless), []
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def client_of(server: Wire | FakeServer, **settings: Any) -> HttpClient:
    """A client of the server that tries once."""
    url = server.url if isinstance(server, FakeServer) else f"http://127.0.0.1:{server.server_address[1]}"
    settings = {"judge": lambda reply, operation: None, "retry": RetryPolicy(attempts=1), "timeout": 5.0, **settings}
    return HttpClient("erp", url, **settings)


def asked(server: Wire, **settings: Any) -> HttpReply:
    """What a client makes of the server's answer."""
    client = client_of(server, **settings)
    try:
        return client.request("GET", "/x", operation="GET x")
    finally:
        client.close()


def with_length(body: bytes, head: bytes = HEAD) -> bytes:
    """A whole answer."""
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


# -- size and time ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(HEAD + b"Content-Length: 999999999999\r\n\r\n{", id="announced"),
        pytest.param(HEAD + b"Content-Length: %s\r\n\r\n{" % (b"9" * 5000), id="a length of 5,000 digits"),
        pytest.param(HEAD + b"Connection: close\r\n\r\n" + b"x" * (2 * MIB), id="without a length"),
    ],
)
def test_what_is_too_large_is_refused(answer):
    """A body beyond the limit is an error that names the limit and the cure, announced or not."""
    with wire(answer) as server, pytest.raises(MLConnectorError) as caught:
        asked(server, bounds=Bounds(bytes=MIB))

    assert isinstance(caught.value, ContractError | UnavailableError)
    assert caught.value.system == "erp"


def test_the_limit_is_told():
    """The message names the limit and what to do."""
    with wire(HEAD + b"Content-Length: 2000000\r\n\r\n{") as server, pytest.raises(ContractError) as caught:
        asked(server, bounds=Bounds(bytes=MIB))

    assert str(caught.value).startswith("erp GET x: the answer is larger than 1 MiB")
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"x-gzip"])
def test_a_packed_bomb_costs_no_memory(coding):
    """64 MiB in 64 KiB are given up as soon as they pass the limit of 1 MiB, without unpacking the rest."""
    packer = zlib.compressobj(9, wbits=15 if coding == b"deflate" else 31)
    body = packer.compress(bytes(64 * MIB)) + packer.flush()
    with wire(with_length(body, HEAD + b"Content-Encoding: %s\r\n" % coding)) as server:
        tracemalloc.start()
        try:
            with pytest.raises(ContractError, match="larger than 1 MiB"):
                asked(server, bounds=Bounds(bytes=MIB))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak < 16 * MIB


@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
def test_a_packed_bomb_costs_no_memory_in_a_stream(coding):
    """The same where the body is read while it arrives: one text that never ends, and elements without end."""
    for inside in (b'["' + b"x" * (64 * MIB), b"[" + b"1," * (32 * MIB)):
        packer = zlib.compressobj(9, wbits=15 if coding == b"deflate" else 31)
        body = packer.compress(inside) + packer.flush()
        with wire(with_length(body, HEAD + b"Content-Encoding: %s\r\n" % coding)) as server:
            client = client_of(server, bounds=Bounds(bytes=MIB))
            tracemalloc.start()
            try:
                with pytest.raises(ContractError, match="larger than 1 MiB"):
                    client.request("GET", "/x", reader=lambda chunks: sum(1 for _ in elements(chunks)))
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
                client.close()

        assert peak < 16 * MIB


@pytest.mark.parametrize("coding", [b"gzip, gzip", b"br", b"gzip, br", b"zstd", b"whatever"])
def test_only_what_was_asked_for_is_unpacked(coding):
    """Layers of packing, which multiply, and packings we did not offer to take, are refused."""
    with wire(with_length(b"{}", HEAD + b"Content-Encoding: %s\r\n" % coding)) as server:
        with pytest.raises(ContractError) as caught:
            asked(server)

        assert b"accept-encoding: gzip, deflate\r\n" in server.heard[0].lower()
    assert caught.value.reason == "content_coding"


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"gzip", gzip.compress(b'{"a": 1}', mtime=0)),
        (b"deflate", zlib.compress(b'{"a": 1}')),
        (b"deflate", zlib.compress(b'{"a": 1}', wbits=-15)),
        (b"identity", b'{"a": 1}'),
    ],
)
def test_what_is_honestly_packed_is_read(coding, body):
    """gzip, and deflate in both of its forms, are unpacked."""
    with wire(with_length(body, HEAD + b"Content-Encoding: %s\r\n" % coding)) as server:
        assert asked(server).json() == {"a": 1}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (gzip.compress(b'{"a": 1}' * 99, mtime=0)[:-9], UnavailableError),
        (b"no gzip at all", ContractError),
        (b"", None),
    ],
)
def test_packed_text_without_end_is_cut_off(body, error):
    """Half an archive is no answer, though its length be right; an empty one is an empty body."""
    with wire(with_length(body, HEAD + b"Content-Encoding: gzip\r\n")) as server:
        if error is None:
            assert asked(server).body == b""
        else:
            with pytest.raises(error):
                asked(server)


def test_what_drips_for_ever_has_an_end():
    """A byte now and then keeps every time-out for pieces waiting; the answer as a whole has one too."""
    ticks = itertools.count()
    bounds = Bounds(seconds=100.0, clock=lambda: float(next(ticks)))
    with (
        wire(HEAD + b"Connection: close\r\n\r\n", endless=itertools.repeat(b" " * 70_000)) as server,
        pytest.raises(TimeoutExceededError, match="not complete after 100 s"),
    ):
        asked(server, bounds=bounds)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\n", HEAD + b"Content-Length: 10\r\n\r\n{"])
def test_silence_ends_with_the_time_out(sent):
    """A server that says nothing more is left after the time-out, wherever in its answer it stopped."""
    silence = threading.Event()

    def hold() -> Iterator[bytes]:
        silence.wait(5)
        yield from ()

    with wire(sent, endless=hold()) as server:
        with pytest.raises(TimeoutExceededError):
            asked(server, timeout=0.1)
        silence.set()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(HEAD + b"Content-Length: 50\r\n\r\n{}", id="longer than it is"),
        pytest.param(HEAD + b"Content-Length: -5\r\n\r\n{}", id="negative"),
        pytest.param(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", id="two"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", id="no chunk size"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}", id="chunk cut off"),
        pytest.param(b"\x16\x03\x01 this is no HTTP", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000, id="endless header"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_broken_http_is_told(answer):
    """Whatever is wrong with the exchange is an error of ours."""
    with wire(answer) as server, pytest.raises(UnavailableError):
        asked(server)


# -- credentials ------------------------------------------------------------------------------------------------------


def test_credentials_stay_on_their_host(thief):
    """An absolute address of another host, port or scheme is refused before anything is sent."""
    with Thief() as home:
        client = client_of(home, auth=httpx.BasicAuth("sync", "topsecret"))
        for address in (
            f"{thief.url}/x",
            home.url.replace("127.0.0.1", "localhost"),
            home.url.replace("http", "https"),
        ):
            with pytest.raises(ContractError, match="leads to another host"):
                client.request("GET", address)
        client.request("GET", f"{home.url}/x")
        client.close()

    assert thief.log == []


@pytest.mark.parametrize("path", ["@evil.example/x", ".evil.example/x", ":1/x", "evil"])
def test_a_path_cannot_become_a_host(path):
    """What is appended to the base address begins with a slash, or it could change the host's name."""
    with Thief() as home:
        client = client_of(home)
        with pytest.raises(ContractError, match="leads to another host"):
            client.request("GET", path)
        client.close()


@pytest.mark.parametrize("path", ["/customers/..", "/customers/../secrets", "/a/./b"])
def test_a_path_stays_in_its_place(path):
    """Segments that HTTP reads as another path are refused, as the record's own fault."""
    with Thief() as home:
        client = client_of(home)
        with pytest.raises(MappingError, match="cannot be asked for"):
            client.request("GET", path)
        client.close()

        assert home.log == []


@pytest.mark.parametrize("path", ["/a\x1f", "/a\nb", "/" + "a" * 70_000])
def test_an_address_that_cannot_be_is_told(path):
    """What no address can hold is an error of ours that does not quote it."""
    with Thief() as home:
        client = client_of(home)
        with pytest.raises(ContractError, match="signs that none can have") as caught:
            client.request("GET", path, operation="GET x")
        client.close()

    assert path not in str(caught.value)
    with pytest.raises(ConfigurationError, match="must start with https"):
        HttpClient("erp", f"https://erp{path}", judge=lambda reply, operation: None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status, thief):
    """A redirect to another host is an answer like any other; nothing is sent there."""
    with Thief() as home:
        home.fail(status=status, headers={"Location": f"{thief.url}/stolen"})
        client = client_of(home, auth=httpx.BasicAuth("sync", "topsecret"))
        reply = client.request("POST", "/x", content=b"payload")
        client.close()

    assert (reply.status, thief.log) == (status, [])


@pytest.mark.parametrize("cookie", ["a=b; Domain=evil.example", "a=b; Domain=.com", "a=b; Path=/elsewhere"])
def test_cookies_for_others_are_not_kept(cookie):
    """A cookie for another domain or path does not come along with the next request."""
    with wire(with_length(b"{}", HEAD + b"Set-Cookie: %s\r\nConnection: close\r\n" % cookie.encode())) as server:
        server.answer = list(server.answer)
        client = client_of(server)
        client.request("GET", "/x")
        client.request("GET", "/x")
        client.close()

    assert [b"cookie:" in heard.lower() for heard in server.heard] == [False, False]


# -- bodies -----------------------------------------------------------------------------------------------------------


def test_deep_json_is_no_json():
    """Nesting that no reader survives is told like any other text that is no JSON."""
    with pytest.raises(ValueError, match="nested"):
        HttpReply(status=200, headers={}, body=DEEP).json()
    with pytest.raises(ValueError, match="nested"):
        list(elements([b"[", DEEP, b"]"]))


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'"a\ud83d"', "a\ufffd"),
        (rb'"\udca7\uD83D"', "\ufffd\ufffd"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"\\ud83d"', r"\ud83d"),
        (rb'"\\\ud83d"', "\\\ufffd"),
        (rb'"\u00e9"', "é"),
    ],
)
def test_halves_of_characters_are_replaced(body, value):
    """What no address and no database can hold does not get in; whole pairs and escaped backslashes stay."""
    assert json_in(body) == value


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_halves_of_characters_are_replaced_in_streams(size):
    """The same where a long answer is read piece by piece, wherever the pieces end."""
    text = rb'[{"a": "x\ud83d"}, "\udca7\uD83D", "\ud83d\ude00", "\\ud83d", ' + b"9" * 5000 + b", 12]"
    pieces = [text[start : start + size] for start in range(0, len(text), size)]

    found = list(elements(pieces))

    assert found == [{"a": "x\ufffd"}, "\ufffd\ufffd", "\U0001f600", r"\ud83d", "9" * 5000, 12]


@pytest.mark.parametrize(
    "body",
    [b'"a\xed\xa0\xbd"', '"a\ud83d"'.encode("utf-16-le", "surrogatepass"), '"a\ud83d"'],
    ids=["utf-8", "utf-16", "text"],
)
def test_halves_written_as_bytes_are_replaced(body):
    """Half a character that is no escape, but stands there as if it were one, is replaced as well."""
    assert json_in(body) == "a\ufffd"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e999999999", Decimal("1e999999999")),
        ("1e99999999999999999999", "1e99999999999999999999"),
        ("9" * 5000, "9" * 5000),
        ("-" + "9" * 20, -int("9" * 20)),
        ("0.1", Decimal("0.1")),
    ],
)
def test_numbers_that_none_can_be_are_texts(text, value):
    """They spoil no page: whoever reads the record they are in finds that they are no numbers."""
    assert json_in(f"[{text}]", decimals=True) == [value]
    assert not isinstance(json_in(f"[{text}]", decimals=True)[0], float)


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (b"&#xD83D;", "\ufffd"),
        (b"&#55357;", "\ufffd"),
        (b"&#0;", ""),
        (b"&#x1F;", ""),
        (b"&#x0001f;", ""),
        (b"&#xFFFE;", "\ufffd"),
        (b"&#x110000;", "\ufffd"),
        (b"&#" + b"9" * 100_000 + b";", "\ufffd"),
        (b"&#10;", "\n"),
        (b"&#x1F600;", "\U0001f600"),
        (b"&#0065;", "A"),
        (b"\xed\xa0\xbd", "\ufffd"),
        (b"\xe9", "\xe9"),
    ],
)
def test_references_to_no_character_are_replaced(reference, text):
    """XML that refers to what is no character is read all the same, with the others as they are."""
    found = table_in(b"<t><Row><Name>a" + reference + b"b</Name></Row></t>").rows

    assert found == [{"Name": f"a{text}b"}]


@pytest.mark.parametrize(
    "body", [BOMB, BOMB.decode().encode("utf-16"), b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>']
)
@pytest.mark.parametrize("read", [table_in, tree_in, properties_in])
def test_document_types_are_refused(read, body):
    """No reader of XML expands entities or fetches what a document type names, however the text is encoded."""
    with pytest.raises(MLConnectorError):
        read(body)


@pytest.mark.parametrize("header", ["inf", "nan", "1e999", "Fri, 31 Dec 9999 23:59:59 -1200", "soon", "-5"])
def test_odd_pauses_and_dates_do_no_harm(header):
    """A pause without end is no pause, and a date beyond the calendar is no date."""
    reply = HttpReply(status=429, headers={"retry-after": header, "date": header})

    assert retry_after(reply) in {None, 0.0}
    assert reply.date is None


@pytest.mark.parametrize("lifetime", [1e300, "inf", float("inf"), "soon"])
def test_tokens_of_odd_lifetime_are_none(lifetime):
    """A lifetime that no clock can add is an answer without a token."""
    with pytest.raises(ValueError, match=r".+"):
        OAuth2Token.from_answer({"access_token": "topsecret", "expires_in": lifetime})


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, DEEP, {"Content-Type": "application/json"}),
        Reply(200, [1]),
        Reply(200, "<html>"),
        Reply(200, b"x" * (5 * MIB), {"Content-Type": "application/json"}),
        Reply(200, {"access_token": "a", "expires_in": 1e300}),
        Reply(302, headers={"Location": "http://127.0.0.1:9/"}),
    ],
    ids=["deep", "list", "page", "large", "lifetime", "redirect"],
)
def test_sign_in_bears_any_answer(reply):
    """A token end point that answers with anything else gives an error of ours, without the password in it."""

    class Tokens(FakeServer):
        def handle(self, request: Request) -> Reply:
            return reply

    grant = OAuth2Password(client_id="id", client_secret="topsecret", username="sync", password="topsecret")
    with Tokens() as server:
        client = client_of(server, auth=grant.flow(token_url=f"{server.url}/token", system="erp"))
        with pytest.raises(MLConnectorError) as caught:
            client.request("GET", "/x")
        client.close()

    assert "topsecret" not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_sign_in_is_sent_nowhere_else(status, thief):
    """A token endpoint that points elsewhere gets nobody to follow, even by a caller's own client that would."""

    class Tokens(FakeServer):
        def handle(self, request: Request) -> Reply:
            return Reply(status, headers={"Location": f"{thief.url}/token"})

    login = {"client_id": "id", "client_secret": "topsecret"}
    token = OAuth2Token(access_token="", refresh_token="topsecret")
    pairing = CloudPairing(redirect_uri="https://mine.example/done", token=token, **login)
    grants: list[Any] = [
        OAuth2Password(username="sync", password="topsecret", **login),
        OAuth2ClientCredentials(**login),
        OAuth2AuthorizationCode(token=token, **login),
        pairing,
    ]
    with Tokens() as server, httpx.Client(follow_redirects=True) as eager:
        for grant, http in itertools.product(grants, (None, eager)):
            client = client_of(server, auth=grant.flow(token_url=f"{server.url}/token", http=http, system="erp"))
            with pytest.raises(MLConnectorError):
                client.request("GET", "/x")
            client.close()
        assert len(server.log) == 2 * len(grants)

    assert thief.log == []


# -- every API --------------------------------------------------------------------------------------------------------

JSON = {"Content-Type": "application/json"}
XML = {"Content-Type": "text/xml; charset=utf-8"}
HOSTILE: dict[str, dict[str, Any]] = {
    "page": {"status": 200, "body": "<!DOCTYPE html><html><body>Maintenance</body></html>"},
    "cut off": {"status": 200, "body": b'{"value": [{"a": ', "headers": JSON},
    "deep": {"status": 200, "body": DEEP, "headers": JSON},
    "bomb": {"status": 200, "body": BOMB, "headers": XML},
    "json bomb": {"status": 200, "body": BOMB, "headers": JSON},
    "number": {"status": 200, "body": b"1", "headers": JSON},
    "strange list": {
        "status": 200,
        "body": b'{"value": [null, 1, []], "$resources": [1], "data": []}',
        "headers": JSON,
    },
    "null": {"status": 200, "body": b"null", "headers": JSON},
    "deep fault": {"status": 500, "body": DEEP, "headers": JSON},
    "bomb fault": {"status": 500, "body": b"<Fault>" + BOMB, "headers": XML},
    "packed twice": {"status": 200, "body": b"x", "headers": {"Content-Encoding": "gzip, gzip"}},
    "not packed": {"status": 200, "body": b"x", "headers": {"Content-Encoding": "gzip"}},
    "no utf-8": {"status": 200, "body": b'{"value": [{"a": "\xff\xfe"}]}', "headers": JSON},
}


AT_SIGN_IN = frozenset({"page", "deep", "deep fault", "strange list", "null", "redirect"})
"""Those that are tried from the first request on as well: opening so many connections takes time."""


def met_by(world: World, rule: dict[str, Any], *, signed_in: bool) -> str:
    """What a source says when every answer is a hostile one, from the first request on or after it has read once."""
    source = world.erp.source()
    source.attach(clock=world.clock)
    if signed_in:
        assert [len(page) for page in source.read("customers")] == [1]
    world.erp.fake.fail(**rule)
    try:
        list(source.read("customers"))
    except MLConnectorError as error:
        return type(error).__name__
    finally:
        world.erp.fake.faults.clear()
        source.close()
    return "nothing"


@pytest.mark.parametrize("system", ENDS)
def test_every_api_bears_any_answer(system, thief):
    """Hostile answers, from the first request on or once signed in, are errors of ours; nobody else hears from us."""
    elsewhere = {"redirect": {"status": 307, "headers": {"Location": f"{thief.url}/stolen"}}}
    with World(system) as world:
        world.erp.add_customer("ada@harbor-pumps.com")
        met = {
            (answer, signed_in): met_by(world, rule, signed_in=signed_in)
            for answer, rule in (HOSTILE | elsewhere).items()
            for signed_in in {True, answer not in AT_SIGN_IN}
        }

    assert {place for place, error in met.items() if error == "nothing"} == set()
    assert thief.log == []
