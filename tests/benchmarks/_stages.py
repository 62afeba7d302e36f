"""Where the time of a run goes: processor time by stage, and the dearest functions.

Both need a run on one thread. So reading ahead and the writing threads are replaced by plain calls; the work is the
same, only its order differs.
"""

from __future__ import annotations

import cProfile
import functools
import importlib
import inspect
import pstats
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import mlconnector_sdk.sync._run as run_module

__all__ = ["REST", "SOURCES", "STAGES", "Breakdown", "top_functions"]

T = TypeVar("T")

REST = "engine, all else"
HTTP = "HTTP"
STAGES = {
    "recognise": ["sync._seen:Recognition.of"],
    "normalise address": ["sync._members:MemberDecider.draft"],
    "map": ["mapping._members:MemberMapper.payload"],
    "encode": ["mapping._members:json_bytes", "mailchimp._bulk:_body_of"],
    "fingerprint": ["mapping._members:fingerprint_of"],
    "decide": ["sync._members:MemberDecider.claims", "sync._members:MemberDecider.decide"],
    "state look-ups": [
        "state._sql:SQLStateStore.links",
        "state._sql:SQLStateStore.links_to",
        "state._sql:SQLStateStore.suppressions",
        "state._sql:SQLStateStore.seen",
    ],
    "send": ["mailchimp._client:MailchimpClient.send"],
    "send: arrange": ["mailchimp._bulk:BulkWriter.write"],
    "send: read answer": ["mailchimp._bulk:_answer_in", "mailchimp._bulk:BulkWriter._read"],
    "settle": ["sync._load:Loader._finish_oldest"],
    "checkpoint": ["sync._load:Loader._checkpoint", "state._sql:checkpoint_rows"],
    "commit": ["state._sql:SQLStateStore.commit"],
    HTTP: ["_http:HttpClient.request"],
}
"""Stage to the functions in which it happens; what they call belongs to it too, unless that has a stage of its own.

`HTTP` is told apart by what it is done for.
"""

SOURCES = {
    "acumatica": ("sources.acumatica._source:Acumatica", "_page"),
    "sage100": ("sources.sage100._source:Sage100", "_page"),
    "sage300": ("sources.sage300._source:Sage300", "_page"),
    "sagex3": ("sources.sagex3._source:SageX3", "_pages"),
    "syspro": ("sources.syspro._source:Syspro", "_page"),
}
"""The class of each source, whose `read` is the stage of extraction, and its method that makes records of rows."""


class _Inline(Executor):
    """Does the work at once, in the caller's thread."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


@contextmanager
def _on_one_thread() -> Iterator[None]:
    kept = run_module.read_ahead, run_module.ThreadPoolExecutor
    run_module.read_ahead = lambda pages: (page for page in pages)
    run_module.ThreadPoolExecutor = _Inline
    try:
        yield
    finally:
        run_module.read_ahead, run_module.ThreadPoolExecutor = kept


def places_for(site: str) -> Iterator[tuple[str, str]]:
    """Every stage of a run with this source, and a function in which it happens."""
    source, records = SOURCES[site.partition("-")[0]]
    yield "extract: read answer", f"{source}.read"
    yield "structure", f"{source}.{records}"
    for stage, places in STAGES.items():
        for place in places:
            yield stage, place


class Breakdown:
    """While inside, every moment of processor time counts for the innermost stage under way."""

    def __init__(self, site: str) -> None:
        self.seconds: Counter[str] = Counter()
        self._site = site
        self._under_way = [REST]
        self._since = 0
        self._kept: list[tuple[Any, str, Any]] = []
        self._one_thread = _on_one_thread()

    def __enter__(self) -> Self:
        self._one_thread.__enter__()
        for stage, place in places_for(self._site):
            self._watch(stage, place)
        self._since = time.thread_time_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._charge()
        for owner, name, function in self._kept:
            setattr(owner, name, function)
        self._one_thread.__exit__(kind, error, trace)

    def _watch(self, stage: str, place: str) -> None:
        module, _, path = place.partition(":")
        *outer, name = path.split(".")
        owner = functools.reduce(getattr, outer, importlib.import_module(f"mlconnector_sdk.{module}"))
        function = getattr(owner, name)
        self._kept.append((owner, name, function))
        watched = self._watched_pages if inspect.isgeneratorfunction(function) else self._watched_call
        setattr(owner, name, functools.wraps(function)(watched(stage, function)))

    def _watched_call(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self._enter(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self._leave()

        return watched

    def _watched_pages(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The stage is under way only while the next page is made, not while somebody works on the last one."""

        def watched(*args: Any, **kwargs: Any) -> Generator[Any]:
            pages = function(*args, **kwargs)
            try:
                while True:
                    self._enter(stage)
                    try:
                        page = next(pages)
                    except StopIteration as end:
                        return end.value
                    finally:
                        self._leave()
                    yield page
            finally:
                pages.close()

        return watched

    def _enter(self, stage: str) -> None:
        self._charge()
        if stage == HTTP:
            stage = f"{self._under_way[-1].partition(':')[0]}: {HTTP}"
        self._under_way.append(stage)

    def _leave(self) -> None:
        self._charge()
        self._under_way.pop()

    def _charge(self) -> None:
        now = time.thread_time_ns()
        self.seconds[self._under_way[-1]] += (now - self._since) / 1e9
        self._since = now


def top_functions(work: Callable[[], T]) -> tuple[T, list[tuple[str, int, float, float]]]:
    """What `work` gave, and each function as (place, calls, own seconds, seconds with what it called)."""
    profile = cProfile.Profile()
    with _on_one_thread():
        result = profile.runcall(work)
    rows = []
    for (file, line, name), (_, calls, own, whole, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        place = file.rpartition("mlconnector_sdk/")[2] if "mlconnector_sdk/" in file else "/".join(file.split("/")[-2:])
        rows.append((f"{place}:{line} {name}" if line else name, calls, own, whole))
    return result, sorted(rows, key=lambda row: -row[2])[:60]
