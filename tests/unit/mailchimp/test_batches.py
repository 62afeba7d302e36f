from __future__ import annotations

import gzip
import io
import json
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from mlconnector_sdk.errors import (
    ContractError,
    RateLimitError,
    RecordNotFoundError,
    TimeoutExceededError,
    UnavailableError,
)
from mlconnector_sdk.mailchimp._batches import Batches, Operation, OperationResult, results_in
from mlconnector_sdk.mailchimp._client import MailchimpClient
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.testing import FakeClock, FakeMailchimp, FakeServer, Reply

PING = Operation(id="ping", method="GET", path="/ping")


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="fake")
def _fake(clock: FakeClock) -> Iterator[FakeMailchimp]:
    with FakeMailchimp(clock=clock) as fake:
        yield fake


@pytest.fixture(name="make")
def _make(fake: FakeMailchimp) -> Iterator[Callable[..., Batches]]:
    opened: list[Any] = []

    def make(polling: RetryPolicy | None = None) -> Batches:
        client = MailchimpClient(
            fake.api_key, base_url=fake.base_url, concurrency=8, retry=RetryPolicy.immediate(attempts=1)
        )
        batches = Batches(client, polling=polling or RetryPolicy.immediate(attempts=20))
        opened.extend([client, batches])
        return batches

    yield make
    for each in opened:
        each.close()


@pytest.fixture(name="batches")
def _batches(make: Callable[..., Batches]) -> Batches:
    return make()


def statuses(results: Iterator[OperationResult]) -> dict[str, int]:
    """Status by operation."""
    return {result.id: result.status for result in results}


def archive(*files: tuple[str | tarfile.TarInfo, bytes]) -> bytes:
    """A tar of these files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, content in files:
            entry = tarfile.TarInfo(name) if isinstance(name, str) else name
            entry.size = entry.size or len(content)
            tar.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


def entry(number: int = 1, **rest: Any) -> dict[str, Any]:
    """A result as an archive holds it."""
    return {"operation_id": f"op{number}", "status_code": 200, "response": "{}", **rest}


def pieces(content: bytes, size: int = 7) -> Iterator[bytes]:
    """The bytes in pieces, as a network might bring them."""
    return (content[start : start + size] for start in range(0, len(content), size))


# From end to end


def test_every_operation_has_its_own_result(fake, batches):
    """Operations succeed and fail one by one; 204 is a success, and errors mean what they mean in single calls."""
    fake.add_member("pat@acme.org")
    members = f"/lists/{fake.list_id}/members"
    tags = Operation(id="tags", method="POST", path=f"{members}/pat@acme.org/tags", body=b'{"tags":[]}')
    fresh = Operation(
        id="new", method="POST", path=members, body=b'{"email_address":"ann@acme.org","status":"subscribed"}'
    )
    fake_one = Operation(
        id="fake", method="POST", path=members, body=b'{"email_address":"a@b.test","status":"subscribed"}'
    )
    lost = Operation(id="lost", method="GET", path=f"{members}/nobody@acme.org", params={"fields": "id"})

    batch = batches.submit([tags, fresh, fake_one, lost, PING])
    found = batches.read(batch, lambda results: {result.id: result for result in results})

    assert {"tags": 204, "new": 200, "fake": 400, "lost": 404, "ping": 200} == {k: r.status for k, r in found.items()}
    reasons = {key: result.error and result.error.reason for key, result in found.items()}
    assert {"tags": None, "new": None, "fake": "address_refused", "lost": "not_found", "ping": None} == reasons
    assert "ann@acme.org" == found["new"].json()["email_address"]
    assert "pat@acme.org" not in repr(found)


def test_the_key_never_reaches_the_storage(fake, batches):
    """Results are fetched without credentials, by the very address that was given, and the download is counted."""
    batch = batches.submit([PING])
    batches.read(batch, list)

    (download,) = fake.requests(path="/batch-results/")
    assert ("authorization" not in download.request.headers, 200) == (True, download.status)
    assert download.request.raw_path.endswith("%2B%2fx%3D")
    assert 1 == batches.request_count


def test_waiting_grows_and_is_announced(make, fake):
    """Each look that finds the batch unfinished is told, with a pause twice as long, up to the longest."""
    batches = make(RetryPolicy(attempts=20, first_wait=0.001, longest_wait=0.004))
    told: list[tuple[str, str, float]] = []
    batches._client.attach(
        retry=None, on_wait=lambda _, what, error, wait, tries: told.append((what, error.reason, wait))
    )

    batches.read(batches.submit([PING]), list)

    assert [("GET batch", "batch_unfinished")] * 3 == [(what, reason) for what, reason, _ in told]
    for least, (_, _, wait) in zip((0.001, 0.002, 0.004), told, strict=True):
        assert least <= wait <= least * 1.25


def test_the_deadline_ends_the_wait(make, fake):
    """A batch that is not finished in time is an error that says what to do; a later look finds the results."""
    batches = make(RetryPolicy.immediate(attempts=3))
    batch = batches.submit([PING])
    fake.hold_batches()

    with pytest.raises(TimeoutExceededError, match=f"{batch}: run again later"):
        batches.read(batch, list)
    fake.hold_batches(hold=False)

    assert 3 == len(fake.requests("GET", f"/batches/{batch}"))
    assert {"ping": 200} == make().read(batch, statuses)


def test_the_wait_may_be_left(batches, fake):
    """Whoever waits is asked before each look, and an exception gets out."""
    batch = batches.submit([PING])
    fake.hold_batches()
    looks: list[int] = []

    def leave() -> None:
        looks.append(1)
        if len(looks) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batches.read(batch, list, before_each_look=leave)

    assert 2 == len(fake.requests("GET", f"/batches/{batch}"))


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503, "path": "/3.0/batches/"},
        {"status": 500, "path": "/3.0/batches/", "times": 5},
        {"status": 429, "path": "/3.0/batches/"},
        {"drop": "before", "path": "/3.0/batches/"},
        {"status": 503, "body": "<Error/>", "path": "/batch-results/"},
        {"status": 500, "path": "/batch-results/", "times": 5},
        {"status": 403, "body": "<Error/>", "path": "/batch-results/", "times": 2},
        {"truncate": 60, "path": "/batch-results/"},
        {"drop": "after", "path": "/batch-results/"},
        {"status": 200, "body": b"this is no archive", "path": "/batch-results/"},
        {"status": 200, "body": b"", "path": "/batch-results/"},
    ],
)
def test_troubles_on_the_way_are_overcome(fake, batches, fault):
    """What may be better later is tried again, from the look at the batch on."""
    batch = batches.submit([PING])
    fake.fail_next(**fault)

    assert {"ping": 200} == batches.read(batch, statuses)


def test_an_expired_address_is_renewed(fake, batches, clock):
    """Where the address died before it was used, another look gives a new one."""
    batch = batches.submit([PING])
    downloads: list[str] = []

    def dawdle(request) -> None:
        if request.path.startswith("/batch-results/"):
            downloads.append(request.raw_path)
            clock.advance(minutes=11 if len(downloads) == 1 else 0)

    fake.before_each.append(dawdle)

    assert {"ping": 200} == batches.read(batch, statuses)
    assert (2, 2) == (len(downloads), len(set(downloads)))


def test_results_that_lack_an_address_are_asked_for_again(fake, batches):
    """A finished batch without an address, as was seen, is looked at again."""
    batch = batches.submit([PING])
    fake.fail_next(200, body={"id": batch, "status": "finished", "response_body_url": ""}, path="/3.0/batches/")

    assert {"ping": 200} == batches.read(batch, statuses)


def test_a_redirected_download_is_followed(fake, batches):
    """The storage may send the reader elsewhere."""
    batch = batches.submit([PING])
    with FakeServer() as other:
        content = gzip.compress(archive(("a.json", json.dumps([entry()]).encode())))
        other.handle = lambda request: Reply(200, content)  # type: ignore[method-assign]
        fake.fail_next(307, headers={"Location": f"{other.url}/elsewhere"}, path="/batch-results/")

        assert {"op1": 200} == batches.read(batch, statuses)


def test_results_are_kept_for_seven_days(fake, batches, clock):
    """After that, as for an id that never was, there is no such batch."""
    batch = batches.submit([PING])
    batches.read(batch, list)
    clock.advance(days=7, seconds=1)

    for gone in (batch, "0123456789"):
        with pytest.raises(RecordNotFoundError):
            batches.read(gone, list)


def test_too_many_waiting_batches_are_waited_for(make, fake):
    """A refusal for 500 waiting batches is repeated until there is room, or the deadline comes."""
    fake.fail_next(429, times=3, method="POST", path="/batches")
    make().submit([PING])
    assert 4 == len(fake.requests("POST", "/batches"))

    fake.fail(status=429, method="POST", path="/batches")
    with pytest.raises(RateLimitError):
        make(RetryPolicy.immediate(attempts=2)).submit([PING])


def test_a_refused_batch_is_no_record_error(fake, batches):
    """A batch that the API refuses as a whole is nobody's record's fault."""
    fake.fail_next(400, body={"title": "Invalid Resource", "detail": "no"}, method="POST", path="/batches")

    with pytest.raises(ContractError, match="refuses the batch"):
        batches.submit([PING])


def test_results_without_tls_are_refused(fake, batches):
    """An address without TLS is not followed by a client that speaks TLS."""
    batch = batches.submit([PING])
    for _ in range(4):
        httpx.get(f"{fake.base_url}/batches/{batch}", auth=("any", fake.api_key), trust_env=False)
    batches._client.http.base_url = fake.base_url.replace("http://", "https://")
    seen = json.dumps({"id": batch, "status": "finished", "response_body_url": "http://storage.acme.org/x"})

    def answered(*args: Any, **rest: Any) -> Any:
        from mlconnector_sdk._http import HttpReply

        return HttpReply(status=200, headers={}, body=seen.encode())

    batches._client.send = answered  # type: ignore[method-assign]
    with pytest.raises(ContractError, match="without TLS"):
        batches.read(batch, list)


def test_batches_of_several_threads_do_not_mix(fake, make):
    """Batches may be handed over and read side by side."""
    batches = make(RetryPolicy.immediate(attempts=500))
    found: dict[int, dict[str, int]] = {}

    def work(number: int) -> None:
        batch = batches.submit([Operation(id=f"op{number}", method="GET", path="/ping")])
        found[number] = batches.read(batch, statuses)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {number: {f"op{number}": 200} for number in range(4)} == found


# Archives


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_all_regular_files_are_read(packed, size):
    """Results come from every file, whatever pieces the archive comes in, packed or with the packing undone."""
    raw = archive(
        ("a/1.json", json.dumps([entry(1), entry(2, status_code=204, response="")]).encode()),
        ("a/empty.json", b""),
        ("a/2.json", json.dumps([entry(3, response=json.dumps({"name": "Zoë" * 40_000}))]).encode()),
    )
    content = gzip.compress(raw) if packed else raw

    assert {"op1": 200, "op2": 204, "op3": 200} == statuses(results_in(pieces(content, size)))


def test_names_and_kinds_of_files_do_no_harm(tmp_path, monkeypatch):
    """Names that climb out of a folder write nothing; links, devices, folders and sparse files are passed over."""
    monkeypatch.chdir(tmp_path)
    odd = []
    for name, kind in {
        "link": tarfile.SYMTYPE,
        "hard": tarfile.LNKTYPE,
        "pipe": tarfile.FIFOTYPE,
        "device": tarfile.BLKTYPE,
        "folder": tarfile.DIRTYPE,
    }.items():
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        odd.append((info, b""))
    sparse = tarfile.TarInfo("sparse")
    sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(10**15)}
    files = [
        *odd,
        ("../../evil.json", json.dumps([entry(1)]).encode()),
        ("/etc/evil.json", json.dumps([entry(2)]).encode()),
        (sparse, b"1\n0\n1\n".ljust(512, b"\0") + b"["),
    ]

    assert {"op1": 200, "op2": 200} == statuses(results_in([gzip.compress(archive(*files))]))
    assert [] == list(tmp_path.parent.rglob("evil*"))


def test_a_bomb_is_not_unpacked():
    """An archive that unpacks to a thousand times its size is given up long before its end."""
    squeeze = zlib.compressobj(9, wbits=31)
    header = tarfile.TarInfo("bomb.json")
    header.size = 10**12
    taken: list[int] = []

    def bomb() -> Iterator[bytes]:
        yield squeeze.compress(header.tobuf() + b'["')
        blank = b"a" * 1_000_000
        while True:
            taken.append(1)
            yield squeeze.compress(blank)

    with pytest.raises(ContractError, match="absurd"):
        list(results_in(bomb()))
    assert len(taken) < 200


def test_an_archive_of_endless_files_is_given_up():
    """More files than results ever lie in are no results."""
    with pytest.raises(ContractError, match="too many files"):
        list(results_in([archive(*[(f"{number}.json", b"") for number in range(10_001)])]))


@pytest.mark.parametrize("at", [0.0, 0.2, 0.6, 0.97])
def test_a_cut_archive_is_noticed(at):
    """An archive that ends early is an error worth another try, never a shorter list."""
    results = [entry(number, response=f"{number * 7919}") for number in range(200)]
    whole = gzip.compress(archive(("a.json", json.dumps(results).encode())))

    with pytest.raises(UnavailableError, match="cut off"):
        list(results_in([whole[: int(len(whole) * at)]]))


@pytest.mark.parametrize("content", [b"{}", b"[1, 2", b"\xff\xfe", b"[" * 100_000, b"[{]"])
def test_a_spoilt_list_is_noticed(content):
    """A file that is no JSON array is an error worth another try."""
    with pytest.raises(UnavailableError, match="cut off or spoilt"):
        list(results_in([gzip.compress(archive(("a.json", content)))]))


def test_odd_entries_are_read_as_failures():
    """An entry without a status counts as a fault, and what is no entry is passed over."""
    odd = [entry(1, status_code=None), {"status_code": 200}, 5, None, entry(2)]

    found = list(results_in([archive(("a.json", json.dumps(odd).encode()))]))

    assert [("op1", 500), ("", 200), ("op2", 200)] == [(result.id, result.status) for result in found]
