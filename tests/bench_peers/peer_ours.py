"""This library, as a user would build it: default mapping and policy, audit, links and fingerprints, state on disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from _peer import PAGE, Job, job_of_this_process

from mlconnector_sdk import MailchimpSink, SyncEngine
from mlconnector_sdk.auth import CookieLogin
from mlconnector_sdk.protocols import SystemClock
from mlconnector_sdk.sources.acumatica import Acumatica
from mlconnector_sdk.state import SQLiteStateStore


class LaterClock(SystemClock):
    """The far sides' time, when the harness has moved it on."""

    def __init__(self, seconds: float) -> None:
        self._ahead = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


def engine_for(job: Job) -> SyncEngine:
    """The pipeline."""
    login = CookieLogin(username="sync", password="correct horse", tenant="Acme")
    source = Acumatica(job.erp, auth=login, version=job.version, page_size=PAGE)
    sink = MailchimpSink(job.api_key, list_id=job.list_id, base_url=job.mailchimp)
    state = SQLiteStateStore(str(job.state / "state.db"))
    return SyncEngine(source, sink, state=state, name="peers", clock=LaterClock(job.later), progress=False)


def main() -> None:
    """One run."""
    job = job_of_this_process()
    with engine_for(job) as engine:
        job.begin()
        report = engine.run(["customers"], full=not job.by_cursor)
        job.note(kept=len(engine.dead_letters()))
    # A report with dead letters is not "ok", and the run is finished all the same.
    if error := report.stream("customers").error:
        raise SystemExit(error)


if __name__ == "__main__":
    main()
