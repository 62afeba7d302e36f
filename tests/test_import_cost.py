"""What an import brings in: nothing that the caller has not asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    *("zeep", "lxml", "requests", "sqlalchemy", "phonenumbers", "pycountry", "email_validator", "dns"),
    *("authlib", "joserfc", "cryptography"),
    *("tqdm", "IPython", "ipywidgets", "pandas", "opentelemetry", "pytest", "hypothesis"),
}
"""Each takes tens of milliseconds, or megabytes, and is needed late or by few."""


def modules_after(statement: str, folder: Path) -> set[str]:
    """The modules that a statement adds to those of a fresh interpreter."""
    held = "import json, sys\nbefore = set(sys.modules)"
    code = f"{held}\n{statement}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return set(json.loads(answer.stdout))


def test_importing_the_package_loads_nothing_else(project: Path) -> None:
    """`import mlconnector_sdk` loads its own door and parts of the standard library, nothing more."""
    loaded = modules_after("import mlconnector_sdk", project)

    assert {"mlconnector_sdk", "mlconnector_sdk._version"} == {
        name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names
    }


@pytest.mark.parametrize("name", ["Acumatica", "Sage100", "Sage300", "SageX3", "Syspro"])
def test_a_source_loads_neither_heavy_libraries_nor_other_sources(name: str, project: Path) -> None:
    """Who reads one ERP over HTTP pays for no other, nor for SOAP, a database or a telephone book."""
    loaded = modules_after(f"from mlconnector_sdk import {name}", project)

    packages = {module.split(".")[2] for module in loaded if module.startswith("mlconnector_sdk.sources.")}
    assert {name.lower()} == {package for package in packages if not package.startswith("_")}
    assert set() == {module.partition(".")[0] for module in loaded} & HEAVY


def test_the_rest_of_a_pipeline_loads_no_heavy_library(project: Path) -> None:
    """The engine, the sink, the mapping and a state in memory load none of them either, before they have work to do."""
    loaded = modules_after("from mlconnector_sdk import MailchimpSink, Mapping, MemoryStateStore, SyncEngine", project)

    assert set() == {module.partition(".")[0] for module in loaded} & HEAVY


def test_modules_that_are_loaded_are_seen(project: Path) -> None:
    """The tests above would notice."""
    assert "sqlalchemy" in modules_after("from mlconnector_sdk import SQLiteStateStore", project)
