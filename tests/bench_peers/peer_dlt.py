"""dlt: its REST source with a cursor, and a custom destination around the official client.

Its documentation's advice for speed is taken: rows are flattened as they are read, nested tables and compression are
off. dlt keeps the state in its working folder when the destination cannot hold it, as a custom one cannot. A record
that Mailchimp refuses is logged: the destination has no place to put it, and raising would stop the whole package.
"""

from __future__ import annotations

import os
from typing import Any

from _peer import BULK, CURSOR, EXPAND, FIELDS, PAGE, Job, OfficialWriter, flat, job_of_this_process

JOB = job_of_this_process()
os.environ.update(
    DLT_DATA_DIR=str(JOB.state),
    DLT_PROJECT_DIR=str(JOB.state),
    RUNTIME__DLTHUB_TELEMETRY="false",
    RUNTIME__LOG_LEVEL="ERROR",
    DATA_WRITER__DISABLE_COMPRESSION="true",
)
import dlt  # noqa: E402 - reads its settings when it is imported
from dlt.sources.rest_api import rest_api_resources  # noqa: E402


def resources(job: Job) -> Any:
    """The ERP's list of customers."""
    endpoint: dict[str, Any] = {
        "path": "Customer",
        "params": {"$select": FIELDS, "$expand": EXPAND},
        "data_selector": "$",
        "paginator": {
            "type": "offset",
            "limit": PAGE,
            "offset_param": "$skip",
            "limit_param": "$top",
            "total_path": None,
            "stop_after_empty_page": True,
        },
    }
    if job.by_cursor:
        endpoint["params"]["$filter"] = f"{CURSOR} ge datetimeoffset'{{incremental.start_value}}'"
        endpoint["incremental"] = {"cursor_path": CURSOR, "initial_value": "2000-01-01T00:00:00.000+00:00"}
    resource = {
        "name": "customers",
        "primary_key": "CustomerID",
        "endpoint": endpoint,
        "processing_steps": [{"map": flat}],
    }
    return rest_api_resources({"client": {"base_url": job.customers.removesuffix("Customer")}, "resources": [resource]})


def main() -> None:
    """One run."""
    writer = OfficialWriter(JOB)

    @dlt.destination(batch_size=BULK, name="mailchimp", loader_file_format="typed-jsonl", max_table_nesting=0)
    def mailchimp(items: list[dict[str, Any]], table: dict[str, Any]) -> None:
        writer.write(items)

    pipeline = dlt.pipeline("peers", destination=mailchimp, dataset_name="peers", pipelines_dir=str(JOB.state / "dlt"))
    JOB.begin()
    pipeline.run(resources(JOB))
    JOB.note(kept=0)


if __name__ == "__main__":
    main()
