"""The script that everybody writes first: `requests` reads, the official client writes, a file keeps the mark."""

from __future__ import annotations

import requests
from _peer import BULK, CURSOR, PAGE, OfficialWriter, flat, job_of_this_process, kept_safe, query, since


def main() -> None:
    """One run. An error ends it; the mark moves at the end, for the ERP lists its rows by key and not by time."""
    job = job_of_this_process()
    writer = OfficialWriter(job)
    job.begin()
    state = job.state / "mark.txt"
    mark = state.read_text(encoding="utf-8") if state.exists() and job.by_cursor else ""
    latest, skip = mark, 0
    with requests.Session() as session:
        while True:
            answer = session.get(f"{job.customers}?{query(skip, since(mark) if mark else '')}", timeout=180)
            answer.raise_for_status()
            rows = [flat(row) for row in answer.json()]
            for start in range(0, len(rows), BULK):
                writer.write(rows[start : start + BULK])
            latest = max([latest, *(row[CURSOR] for row in rows)])
            if len(rows) < PAGE:
                break
            skip += PAGE
    kept_safe(state, latest)
    job.note(kept=0)


if __name__ == "__main__":
    main()
