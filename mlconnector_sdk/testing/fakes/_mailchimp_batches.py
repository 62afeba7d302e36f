"""Batch operations: queued, run by and by and in any order, results in a tar.gz behind a short-lived open address."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import attrs

from ._mailchimp_audience import Audience, digest
from ._mailchimp_bodies import BATCH
from ._mailchimp_problems import Problem
from ._mailchimp_routes import COLLECTION, ITEM, LARGEST_PAGE, Call, Route, links, page
from ._server import Reply, Request

__all__ = ["Batch", "BatchResources"]

RESULTS_PATH = "/batch-results/"
STEPS = ("pending", "preprocessing", "started", "finalizing", "finished")
MOST_PENDING = 500
_URL_LIFETIME = timedelta(minutes=10)

Run = Callable[[Request], tuple[int, str]]
"""Runs one request past log-in and gives its status and body text."""

Spoil = Callable[[Mapping[str, Any]], int | None]
"""Sees an operation before it is run; a status makes it fail with that, `None` lets it run."""


@attrs.define(kw_only=True)
class Batch:
    """One submitted batch; its operations run on reaching `started`."""

    id: str
    operations: list[dict[str, Any]]
    submitted_at: datetime
    status: str = "pending"
    stepped_at: datetime | None = None
    completed_at: datetime | None = None
    results: list[dict[str, Any]] = attrs.field(factory=list)
    signature: str = ""
    url_expires_at: datetime | None = None

    @property
    def errored(self) -> int:
        return sum(result["status_code"] >= 400 for result in self.results)


class BatchResources:
    """Routes under `/batches`, and the storage that hands out results.

    Args:
        audience: tells the time.
        run: runs one operation.
        storage_url: address of the server that serves results.
        pace: seconds of the account's clock from step to step; `None`: each look at any batch moves the
            one at work a step.

    Attributes:
        spoil: makes operations fail.
        stuck: no batch moves on.
    """

    def __init__(self, audience: Audience, run: Run, storage_url: Callable[[], str], *, pace: float | None) -> None:
        self.audience = audience
        self.batches: dict[str, Batch] = {}
        self.spoil: Spoil | None = None
        self.stuck = False
        self._pace = None if pace is None else timedelta(seconds=pace)
        self._run = run
        self._storage_url = storage_url
        self._submitted = 0

    def routes(self) -> list[Route]:
        batch = "/batches/{batch_id}"

        def many() -> dict[str, Any]:
            return {"batches": [self._show(_SAMPLE, "/")], "total_items": 0, "_links": [{"rel": ""}]}

        return [
            Route(method="GET", template="/batches", run=self.browse, query=COLLECTION, sample=many),
            Route(method="POST", template="/batches", run=self.submit, body=BATCH),
            Route(method="GET", template=batch, run=self.poll, query=ITEM, sample=lambda: self._show(_SAMPLE, "/")),
            Route(method="DELETE", template=batch, run=self.remove),
        ]

    def browse(self, call: Call) -> dict[str, Any]:
        batches = list(self.batches.values())
        return page(call, "batches", batches, lambda batch: self._show(batch, f"{call.href}/{batch.id}"))

    def submit(self, call: Call) -> dict[str, Any]:
        if sum(batch.status == "pending" for batch in self.batches.values()) >= MOST_PENDING:
            raise Problem(429, "Too Many Requests", f"You have more than {MOST_PENDING} pending batches.")
        self._submitted += 1
        batch = Batch(
            id=digest("batch", self._submitted, length=10),
            operations=call.body["operations"],
            submitted_at=self.audience.now(),
        )
        self.batches[batch.id] = batch
        return self._show(batch, f"{call.href}/{batch.id}")

    def poll(self, call: Call) -> dict[str, Any]:
        batch = self._find(call)
        # Batches of one account run one at a time.
        at_work = self._first_unfinished()
        if self._pace is None and at_work is not None and not self.stuck:
            self._step(at_work, self.audience.now())
        if batch.status == "finished":
            # Every look makes a new address, good for ten minutes.
            batch.url_expires_at = self.audience.now() + _URL_LIFETIME
            # Escaped characters: whoever decodes and encodes the address anew spoils it.
            batch.signature = digest("signature", batch.id, batch.url_expires_at) + "%2B%2fx%3D"
        return self._show(batch, call.href)

    def remove(self, call: Call) -> None:
        del self.batches[self._find(call).id]

    def _find(self, call: Call) -> Batch:
        batch = self.batches.get(call.ids["batch_id"])
        if batch is None or self.audience.now() - batch.submitted_at > timedelta(days=7):
            raise Problem.not_found()
        return batch

    def catch_up(self) -> None:
        """Let the batches do what they have done by now, one after the other."""
        if self._pace is None or self.stuck:
            return
        now = self.audience.now()
        while (batch := self._first_unfinished()) is not None:
            due = self._last_step(batch) + self._pace
            if due > now:
                return
            self._step(batch, due)

    def _last_step(self, batch: Batch) -> datetime:
        """When the batch reached the step it stands at, or could have begun."""
        if batch.stepped_at is not None:
            return batch.stepped_at
        ends = [other.completed_at for other in self.batches.values() if other.completed_at is not None]
        return max([batch.submitted_at, *ends])

    def _first_unfinished(self) -> Batch | None:
        return next((batch for batch in self.batches.values() if batch.status != "finished"), None)

    def _step(self, batch: Batch, at: datetime) -> None:
        batch.status, batch.stepped_at = STEPS[STEPS.index(batch.status) + 1], at
        if batch.status == "started":
            # The vendor promises no order. The same batch runs in the same order each time, so that tests repeat.
            operations = random.Random(batch.id).sample(batch.operations, len(batch.operations))
            for operation in operations:
                batch.results += self._results(operation)
        if batch.status == "finished":
            batch.completed_at = at

    def _results(self, operation: Mapping[str, Any]) -> list[dict[str, Any]]:
        """One entry, or one per page for a GET that names no `count`."""
        params = dict(operation.get("params", {})) if operation["method"] == "GET" else {}
        first = self._result(operation, params)
        results, total = [first], _total_items(first["response"])
        asked = "count" in params or "count=" in operation["path"]
        if operation["method"] != "GET" or asked or total is None:
            return results
        pages = range(0, max(total, 1), LARGEST_PAGE)
        return [self._result(operation, {**params, "count": LARGEST_PAGE, "offset": offset}) for offset in pages]

    def _result(self, operation: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
        body = operation.get("body", "")
        path = operation["path"]
        if params:
            path += ("&" if "?" in path else "?") + urlencode(params)
        spoilt = self.spoil(operation) if self.spoil is not None else None
        if spoilt is not None:
            problem = Problem(spoilt, "Spoilt", "This operation was made to fail.")
            status, text = spoilt, json.dumps(problem.document(digest("operation", path)))
        elif isinstance(body, str):
            where = "/3.0/" + path.lstrip("/")
            status, text = self._run(
                Request(method=operation["method"], raw_path=where, headers={}, body=body.encode())
            )
        else:
            problem = Problem(400, "JSON Parse Exception", "We encountered an unspecified JSON parsing error.")
            status, text = 400, json.dumps(problem.document(digest("operation", path)))
        return {"status_code": status, "operation_id": operation.get("operation_id", ""), "response": text}

    def _show(self, batch: Batch, href: str) -> dict[str, Any]:
        prepared = batch.status not in STEPS[:2]
        expires = int(batch.url_expires_at.timestamp()) if batch.url_expires_at else 0
        name = f"{batch.id}-response.tar.gz?Expires={expires}&Signature={batch.signature}"
        return {
            "id": batch.id,
            "status": batch.status,
            "total_operations": max(len(batch.operations), len(batch.results)) if prepared else 0,
            "finished_operations": len(batch.results),
            "errored_operations": batch.errored,
            "submitted_at": batch.submitted_at.isoformat(),
            "completed_at": batch.completed_at.isoformat() if batch.completed_at else "",
            "response_body_url": f"{self._storage_url()}{RESULTS_PATH}{name}" if batch.signature else "",
            "_links": links("Batches", href, "self", "parent", "delete"),
        }

    # Results

    def download(self, request: Request) -> Reply:
        """The archive, as cloud storage hands it out: by signature alone, and never to a request that also logs in."""
        batch_id = request.path.removeprefix(RESULTS_PATH).removesuffix("-response.tar.gz")
        batch = self.batches.get(batch_id)
        if "authorization" in request.headers:
            return _storage_error(400, "InvalidArgument", "Only one auth mechanism allowed")
        if batch is None or not batch.signature or not request.raw_path.endswith(f"&Signature={batch.signature}"):
            return _storage_error(403, "SignatureDoesNotMatch", "The request signature does not match")
        if batch.url_expires_at is None or self.audience.now() >= batch.url_expires_at:
            return _storage_error(403, "AccessDenied", "Request has expired")
        return Reply(200, _archive(batch), {"Content-Type": "application/x-gzip"})


_SAMPLE = Batch(id="", operations=[], submitted_at=datetime.min.replace(tzinfo=UTC))


def _storage_error(status: int, code: str, message: str) -> Reply:
    xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Reply(status, xml, {"Content-Type": "application/xml"})


def _total_items(response: str) -> int | None:
    document = json.loads(response) if response else None
    total = document.get("total_items") if isinstance(document, dict) else None
    return total if isinstance(total, int) else None


def _archive(batch: Batch) -> bytes:
    """Results spread over several files, with a folder and an empty file among them, as seen."""
    middle = (len(batch.results) + 1) // 2
    files = {
        f"{batch.id}/{digest(batch.id, 1, length=10)}.json": batch.results[:middle],
        f"{batch.id}/{digest(batch.id, 2, length=10)}.json": batch.results[middle:],
    }
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        folder = tarfile.TarInfo(f"{batch.id}/")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, results in files.items():
            content = json.dumps(results).encode() if results else b""
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)
