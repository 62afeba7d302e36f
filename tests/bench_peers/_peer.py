"""What every tool under comparison shares: its job, its row and member, and the notes it leaves about itself.

Only the standard library is imported here: each tool lives in an environment of its own. The member is what our own
default mapping makes of the same row, without its checks of addresses and telephone numbers.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

Row = dict[str, Any]

FIELDS = (
    "CustomerID,CustomerName,CustomerClass,CurrencyID,Status,Email,LastModifiedDateTime,MainContact/Phone1,"
    "MainContact/Address/AddressLine1,MainContact/Address/AddressLine2,MainContact/Address/City,"
    "MainContact/Address/State,MainContact/Address/PostalCode,MainContact/Address/Country,PrimaryContact/ContactID,"
    "PrimaryContact/Email,PrimaryContact/FirstName,PrimaryContact/LastName,PrimaryContact/Phone1,"
    "PrimaryContact/DoNotEmail,PrimaryContact/NoMassMail,PrimaryContact/NoMarketing"
)
EXPAND = "MainContact,MainContact/Address,PrimaryContact"
CURSOR = "LastModifiedDateTime"
PAGE = 1000
BULK = 500


class ListsApi(Protocol):
    """The one call of the official client that is used."""

    def batch_list_members(self, list_id: str, body: dict[str, Any]) -> dict[str, Any]: ...


class Job:
    """What the harness asks for: both far sides, the folder of the state, and how to read."""

    def __init__(self, text: str) -> None:
        job = json.loads(text)
        self.erp: str = job["erp"]
        self.version: str = job["version"]
        self.mailchimp: str = job["mailchimp"]
        self.list_id: str = job["list_id"]
        self.api_key: str = job["api_key"]
        self.state = Path(job["state"])
        self.by_cursor: bool = job["read"] == "cursor"
        self.later: float = job["later"]
        self.notes = Path(job["notes"])

    @property
    def customers(self) -> str:
        """The address of the ERP's list."""
        return f"{self.erp}/entity/Default/{self.version}/Customer"

    def begin(self) -> None:
        """Note what starting has cost; at the end, the peak of memory is noted."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.note(startup_cpu=used.ru_utime + used.ru_stime, at=time.time())
        atexit.register(lambda: self.note(peak_mib=_peak_mib()))

    def note(self, **figures: Any) -> None:
        """A line for the harness."""
        with self.notes.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"pid": os.getpid(), **figures}) + "\n")


def job_of_this_process() -> Job:
    """The job in the last argument."""
    return Job(sys.argv[-1])


def _peak_mib() -> float:
    """`getrusage` would also tell the peak of the process that started this one."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def since(mark: str) -> str:
    """The list's filter for changes from a mark on, the mark itself included."""
    return f"{CURSOR} ge datetimeoffset'{mark}'"


def query(skip: int, filter_text: str = "") -> str:
    """One page of the list."""
    asked = {"$select": FIELDS, "$expand": EXPAND, "$top": str(PAGE), "$skip": str(skip)}
    return urlencode(asked | ({"$filter": filter_text} if filter_text else {}))


def flat(row: Mapping[str, Any]) -> Row:
    """The values of a row of the contract-based API."""
    main, person = row["MainContact"], row["PrimaryContact"]
    address = main["Address"]
    return {
        "CustomerID": row["CustomerID"].get("value"),
        "CustomerName": row["CustomerName"].get("value"),
        "Status": row["Status"].get("value"),
        "Email": row["Email"].get("value"),
        CURSOR: row[CURSOR].get("value"),
        "Phone1": main["Phone1"].get("value"),
        "AddressLine1": address["AddressLine1"].get("value"),
        "AddressLine2": address["AddressLine2"].get("value"),
        "City": address["City"].get("value"),
        "State": address["State"].get("value"),
        "PostalCode": address["PostalCode"].get("value"),
        "Country": address["Country"].get("value"),
        "FirstName": person["FirstName"].get("value"),
        "LastName": person["LastName"].get("value"),
    }


COLUMNS = (
    *("CustomerID", "CustomerName", "Status", "Email", CURSOR, "Phone1", "AddressLine1", "AddressLine2", "City"),
    *("State", "PostalCode", "Country", "FirstName", "LastName"),
)


def member(row: Mapping[str, Any]) -> dict[str, Any]:
    """The member behind a flat row."""
    return {
        "email_address": row["Email"],
        "status_if_new": "subscribed",
        "merge_fields": {
            "FNAME": row.get("FirstName") or "",
            "LNAME": row.get("LastName") or "",
            "COMPANY": row.get("CustomerName") or "",
            "PHONE": row.get("Phone1") or "",
            "ADDRESS": {
                "addr1": row.get("AddressLine1") or "",
                "addr2": row.get("AddressLine2") or "",
                "city": row.get("City") or "",
                "state": row.get("State") or "",
                "zip": row.get("PostalCode") or "",
                "country": row.get("Country") or "",
            },
            "ERPID": row["CustomerID"],
        },
    }


def bulk_body(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One bulk call."""
    return {"members": [member(row) for row in rows], "update_existing": True}


class OfficialWriter:
    """The vendor's own client: bulk calls, and whatever it does about errors."""

    def __init__(self, job: Job) -> None:
        import mailchimp_marketing

        client = mailchimp_marketing.Client({"api_key": job.api_key, "server": "us6"})
        # Loopback instead of the vendor's host.
        client.api_client.host, client.api_client.server = job.mailchimp, ""
        self._lists: ListsApi = client.lists
        self._list_id = job.list_id

    def write(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Write them; what was refused comes back."""
        answer = self._lists.batch_list_members(self._list_id, bulk_body(rows))
        if len(answer["new_members"]) + len(answer["updated_members"]) + len(answer["errors"]) == 0:
            raise RuntimeError("Mailchimp's answer names nobody")
        refused: list[dict[str, Any]] = answer["errors"]
        for error in refused:
            print(f"refused {error['email_address']}: {error['error']}", file=sys.stderr)
        return refused


def kept_safe(path: Path, text: str) -> None:
    """Replace a file so that it is either the old or the new one, and stays."""
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
