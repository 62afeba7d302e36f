"""What callers may rely on: the names, their documentation, and what importing them costs."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import mlconnector_sdk
from tests._imports import modules_of

ROOT = Path(mlconnector_sdk.__file__).parent

HEAVY = ["zeep", "lxml", "sqlalchemy", "psycopg", "pymysql", "phonenumbers", "pycountry", "tqdm", "authlib"]
"""What `import mlconnector_sdk` must not load."""

NEEDS_AN_EXTRA = ("mlconnector_sdk.integrations.",)
"""Modules that cannot be imported without a library of the caller's choice."""

DOOR_FITTINGS = {"Any", "TYPE_CHECKING", "annotations", "import_module"}
"""What a door needs itself."""

PUBLIC = [
    name
    for name in modules_of(ROOT)
    if not any(part.startswith("_") for part in name.split(".")) and not name.startswith(NEEDS_AN_EXTRA)
]
DOORS = [name for name in PUBLIC if modules_of(ROOT)[name].name == "__init__.py"]


def sort_key(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, as the linter sorts `__all__`."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_listed_in_order(name: str) -> None:
    """Every public module lists its names, sorted, and each one is there."""
    module = importlib.import_module(name)
    listed = list(module.__all__)

    assert sorted(set(listed), key=sort_key) == listed
    assert [] == [entry for entry in listed if not hasattr(module, entry)]


@pytest.mark.parametrize("name", DOORS)
def test_door_shows_what_it_lists(name: str) -> None:
    """Nothing but what a package's door lists can be seen through it, whether it loads at once or on first use."""
    module = importlib.import_module(name)
    seen = {entry for entry, value in vars(module).items() if entry[0] != "_" and not isinstance(value, ModuleType)}

    assert set() == seen - set(module.__all__) - DOOR_FITTINGS


@pytest.mark.parametrize("name", [name for name in PUBLIC if name not in DOORS])
def test_module_lists_what_it_defines(name: str) -> None:
    """A public class or function of a module outside a package is listed, or has an underscore."""
    module = importlib.import_module(name)
    defined = {
        entry
        for entry, value in vars(module).items()
        if entry[0] != "_" and (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == name
    }

    assert set() == defined - set(module.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name: str) -> None:
    """Every public module, class, function and constant says what it promises."""
    module = importlib.import_module(name)

    assert inspect.getdoc(module)
    assert [] == [entry for entry in module.__all__ if entry != "__version__" and not documentation(module, entry)]


def documentation(module: ModuleType, name: str) -> str | None:
    """The docstring of a class or function, or the string below a constant."""
    value = getattr(module, name)
    if inspect.isclass(value) or inspect.isfunction(inspect.unwrap(value)):
        return value.__doc__
    for path in modules_of(ROOT).values():
        body = ast.parse(path.read_text("utf-8")).body
        for statement, following in itertools.pairwise(body):
            if name in assigned(statement) and isinstance(following, ast.Expr):
                return ast.unparse(following)
    return None


def assigned(statement: ast.stmt) -> set[str]:
    """The names a statement gives a value."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def test_undocumented_constant_is_found() -> None:
    """A constant counts as documented only with a string below it."""
    made_up = ModuleType("made_up")
    made_up.__dict__.update(UNHEARD_OF=1, STREAMS=2)

    assert documentation(made_up, "UNHEARD_OF") is None
    assert documentation(made_up, "STREAMS")


def test_root_names_agree() -> None:
    """Each name of the root door is listed, can be loaded, and is known to type checkers from the same module."""
    for_checkers = {
        alias.name: node.module
        for node in ast.walk(ast.parse((ROOT / "__init__.py").read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level and node.module != "_version"
        for alias in node.names
    }

    assert for_checkers == mlconnector_sdk._HOMES
    assert {*for_checkers, "__version__"} == set(mlconnector_sdk.__all__)
    for name in mlconnector_sdk.__all__:
        assert getattr(mlconnector_sdk, name) is not None
        assert name in dir(mlconnector_sdk)


def test_misspelt_root_name_is_an_attribute_error() -> None:
    """A name the root door does not have fails as on any module."""
    with pytest.raises(AttributeError, match="has no attribute 'Stroe'"):
        mlconnector_sdk.Stroe  # noqa: B018


def loaded_by(statement: str, folder: Path) -> set[str]:
    """The top-level modules a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return set(json.loads(answer.stdout))


def test_importing_the_package_is_cheap(project: Path) -> None:
    """`import mlconnector_sdk` loads no SOAP, no database, no telephone book, not even an HTTP client."""
    assert set() == loaded_by("import mlconnector_sdk", project) & {*HEAVY, "httpx", "attrs"}


def test_values_need_no_heavy_library(project: Path) -> None:
    """The models and the policy load none of the heavy libraries either."""
    statement = "from mlconnector_sdk import Store, SyncPolicy\nimport mlconnector_sdk.protocols"

    assert set() == loaded_by(statement, project) & set(HEAVY)


def test_fakes_need_no_test_library(project: Path) -> None:
    """The far systems on loopback run where neither pytest nor Hypothesis is installed."""
    statement = "from mlconnector_sdk.testing import FakeAcumatica, FakeClock, FakeMailchimp"

    assert set() == loaded_by(statement, project) & {"pytest", "_pytest", "hypothesis"}


def test_fresh_interpreter_tells_what_is_loaded(project: Path) -> None:
    """The tests above would notice."""
    assert "sqlalchemy" in loaded_by("import sqlalchemy, mlconnector_sdk", project)


def test_package_is_marked_as_typed() -> None:
    """Type checkers of callers read our annotations."""
    assert (ROOT / "py.typed").is_file()
