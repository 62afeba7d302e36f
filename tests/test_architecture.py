"""Who may import whom, where each library is at home, and how large a file may grow."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import mlconnector_sdk
from tests._imports import Import, cycles_in, imports_of, modules_of

PACKAGE = "mlconnector_sdk"

LAYERS = [
    {"_version", "_secret", "_stopping", "errors", "models", "cursors", "events"},
    {"protocols", "retry", "network", "_bounds", "_converter", "_json", "_json_stream", "_quiet", "policy"},
    {"_http", "_trust", "credentials", "auth"},
    {"sources", "mailchimp", "mapping", "state", "progress"},
    {"sync", "config"},
    {"integrations", "testing", "demo", "agents"},
]
"""Lowest first; a unit imports from the layers below its own."""

SAME_LAYER = {
    ("models", "cursors"),
    ("protocols", "retry"),
    ("_bounds", "network"),
    ("_json_stream", "_json"),
    ("_http", "_trust"),
    ("auth", "_http"),
    ("auth", "_trust"),
    ("credentials", "auth"),  # a vault keeps tokens
    ("config", "sync"),
    ("demo", "testing"),
    ("testing", "agents"),  # the simulated Sage 100 answers through the real agent
}
"""Neighbours that may be imported all the same: (importer, target)."""

IN_FUNCTIONS = {("sync", "config")}
"""Imports allowed inside a function only: `SyncEngine.from_config` is a door to `config`, not a part of it."""

SYNC_REACH = {*LAYERS[0], *LAYERS[1], "mapping", "progress", "sync"}
"""The engine knows sources, sinks and stores by their protocols alone; mapping and progress touch no system."""

OPEN_TO_ALL = {"attrs", "httpx"}

HOMES = {
    "joserfc": ["auth/*"],
    "authlib": ["auth/*", "credentials/*"],
    "backoff": ["retry.py"],
    "cattrs": ["_converter.py"],
    "cryptography": ["auth/*", "credentials/*"],
    "email_validator": ["mapping/*"],
    "graphql": ["testing/fakes/*"],
    "hypothesis": ["testing/*"],
    "IPython": ["progress/*"],
    "lxml": ["sources/_soap.py", "sources/*/_soap.py"],
    "msgspec": ["_json.py"],
    "phonenumbers": ["mapping/*"],
    "pycountry": ["mapping/*"],
    "pytest": ["testing/*"],
    "sqlalchemy": ["state/*"],
    "tqdm": ["progress/*"],
    "zeep": ["sources/_soap.py", "sources/*/_soap.py"],
}
"""Third-party module -> the files that may import it; `integrations/` may import its host libraries."""

FILE_LINES = 500
FUNCTION_LINES = 60

Rule = Callable[[Path], list[str]]


def unit_of(module: str) -> str:
    """The top-level module or package a module belongs to; `""` for the root door."""
    return module.split(".")[1] if "." in module else ""


def inner_imports(package: Path) -> list[Import]:
    """Imports of our own modules, without those of the root door, which names everything lazily."""
    return [found for found in imports_of(package) if found.target.split(".")[0] == PACKAGE and unit_of(found.importer)]


def layer_breaches(package: Path) -> list[str]:
    """Imports that go up or sideways."""
    layer = {unit: number for number, units in enumerate(LAYERS) for unit in units}
    homeless = sorted({unit_of(module) for module in modules_of(package)} - {"", *layer})
    breaches = [f"{unit} has no layer: place it in LAYERS" for unit in homeless]
    for found in inner_imports(package):
        importer, target = unit_of(found.importer), unit_of(found.target)
        if importer in homeless or target in {"", *homeless, importer}:
            if not target and found.name != "__version__":
                breaches.append(f"{found}: the root door is for callers")
            continue
        pair = (importer, target)
        sideways = pair in SAME_LAYER or (pair in IN_FUNCTIONS and not found.at_load)
        if layer[target] >= layer[importer] and not sideways:
            breaches.append(f"{found}: layer {layer[importer]} must not reach layer {layer[target]}")
        elif importer == "sync" and target not in SYNC_REACH and not sideways:
            breaches.append(f"{found}: sync knows the outside by its protocols")
        elif pair == ("agents", "sync"):
            breaches.append(f"{found}: an agent runs without the engine")
        elif layer[importer] == len(LAYERS) - 1 and target.startswith("_"):
            breaches.append(f"{found}: the outermost layer uses public names")
    return breaches


def sibling_breaches(package: Path) -> list[str]:
    """One ERP's package reaching into another's, or a part of a source reaching back to its `_source`."""
    breaches = []
    for found in inner_imports(package):
        importer, target = found.importer.split("."), found.target.split(".")
        if "sources" not in (importer[1], *target[1:2]) or min(len(importer), len(target)) < 3:
            continue
        if target[2] != importer[2] and importer[1] == target[1] and not target[2].startswith("_"):
            breaches.append(f"{found}: sources do not know each other")
        elif target[-1] == "_source" and len(importer) > 3:
            breaches.append(f"{found}: only the door of a source imports its _source")
    return breaches


def door_breaches(package: Path) -> list[str]:
    """Imports past a package's door: a private module, or a private name, of a package one is not part of."""
    doors = {name for name, path in modules_of(package).items() if path.name == "__init__.py"}
    breaches = []
    for found in inner_imports(package):
        parts = found.target.split(".")
        owners = {part: ".".join(parts[:depth]) for depth, part in enumerate(parts)}
        if found.name:
            # A private name belongs to the package its module is part of; at the top level, to the module alone.
            owners[found.name] = found.target if found.target in doors or len(parts) < 3 else ".".join(parts[:-1])
        for part, owner in owners.items():
            inside = found.importer == owner or found.importer.startswith(f"{owner}.")
            if part.startswith("_") and not part.startswith("__") and not inside:
                breaches.append(f"{found}: {part} is private to {owner}")
    return breaches


def home_breaches(package: Path) -> list[str]:
    """Third-party libraries imported away from home."""
    files = {name: path.relative_to(package).as_posix() for name, path in modules_of(package).items()}
    breaches = []
    for found in imports_of(package):
        library, file = found.target.split(".")[0], files[found.importer]
        if library in sys.stdlib_module_names or library in {PACKAGE, *OPEN_TO_ALL} or file.startswith("integrations/"):
            continue
        homes = HOMES.get(library)
        if homes is None:
            breaches.append(f"{found}: {library} has no home: name it in HOMES")
        elif not any(fnmatchcase(file, home) for home in homes):
            breaches.append(f"{found}: {library} is at home in {', '.join(homes)}")
    return breaches


def cycle_breaches(package: Path) -> list[str]:
    """Modules that cannot be loaded one after the other."""
    return cycles_in(imports_of(package), PACKAGE)


def size_breaches(package: Path) -> list[str]:
    """Files and functions too long to be read in one go."""
    return [breach for path in modules_of(package).values() for breach in _too_long(path, package)]


def _too_long(path: Path, package: Path) -> Iterator[str]:
    text = path.read_text("utf-8")
    where = path.relative_to(package).as_posix()
    if len(text.splitlines()) > FILE_LINES:
        yield f"{where} has {len(text.splitlines())} lines, {FILE_LINES} at most"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            length = (node.end_lineno or 0) - first.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{where}:{node.lineno} {node.name} has {length} lines, {FUNCTION_LINES} at most"


RULES: list[Rule] = [
    layer_breaches,
    sibling_breaches,
    door_breaches,
    home_breaches,
    cycle_breaches,
    size_breaches,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_package_keeps_the_rule(rule: Rule) -> None:
    """The package as it stands breaks none of the rules of its layout."""
    assert rule(Path(mlconnector_sdk.__file__).parent) == []


MADE_UP: list[tuple[Rule, dict[str, str], str]] = [
    (layer_breaches, {"errors.py": "from .retry import x"}, "layer 0 must not reach layer 1"),
    (layer_breaches, {"state/_sql.py": "from ..mapping import x"}, "layer 3 must not reach layer 3"),
    (layer_breaches, {"models/_a.py": "def f():\n    from ..sync import x"}, "layer 0 must not reach layer 4"),
    (layer_breaches, {"sync/_a.py": "from ..mailchimp import x"}, "sync knows the outside by its protocols"),
    (layer_breaches, {"sync/_a.py": "from ..config import x"}, "layer 4 must not reach layer 4"),
    (layer_breaches, {"config.py": "import mlconnector_sdk.integrations.airflow"}, "layer 4 must not reach layer 5"),
    (layer_breaches, {"agents/_a.py": "from ..sync import x"}, "an agent runs without the engine"),
    (layer_breaches, {"testing/_a.py": "from .._http import x"}, "the outermost layer uses public names"),
    (layer_breaches, {"sync/_a.py": "from .. import Store"}, "the root door is for callers"),
    (layer_breaches, {"helpers.py": ""}, "helpers has no layer"),
    (sibling_breaches, {"sources/one/_a.py": "from ..two import x"}, "sources do not know each other"),
    (sibling_breaches, {"sources/one/_a.py": "from ._source import x"}, "only the door of a source"),
    (door_breaches, {"demo.py": "from .sync._engine import x"}, "_engine is private to mlconnector_sdk.sync"),
    (door_breaches, {"demo.py": "from .sync import _x"}, "_x is private to mlconnector_sdk.sync"),
    (door_breaches, {"retry.py": "from .errors import _x"}, "_x is private to mlconnector_sdk.errors"),
    (home_breaches, {"sync/_a.py": "import backoff"}, "backoff is at home in retry.py"),
    (home_breaches, {"sources/one/_a.py": "def f():\n    import zeep"}, "zeep is at home in"),
    (home_breaches, {"auth/_a.py": "from authlib.oauth2 import x\nimport jose"}, "jose has no home"),
    (cycle_breaches, {"sync/_a.py": "from . import _b", "sync/_b.py": "from ._a import x"}, "import cycle"),
    (cycle_breaches, {"sync/_a.py": "from ..sync import x", "sync/__init__.py": "from ._a import x"}, "import cycle"),
    (size_breaches, {"demo.py": "x = 1\n" * 501}, "demo.py has 501 lines"),
    (size_breaches, {"demo.py": "def f():\n" + "    x = 1\n" * 61}, "demo.py:1 f has 61 lines"),
]


@pytest.mark.parametrize(("rule", "files", "expected"), MADE_UP)
def test_made_up_breach_is_found(rule: Rule, files: dict[str, str], expected: str, tmp_path: Path) -> None:
    """Each rule finds a breach planted for it, and says what is wrong."""
    breaches = rule(made_up_package(tmp_path, files))

    assert len(breaches) == 1
    assert expected in breaches[0]


ALLOWED: list[tuple[Rule, dict[str, str]]] = [
    (layer_breaches, {"sync/_a.py": "def f():\n    from ..config import x"}),
    (layer_breaches, {"demo.py": "from .testing import x\nfrom . import __version__"}),
    (
        sibling_breaches,
        {"sources/one/_a.py": "from .._paging import x", "sources/one/__init__.py": "from ._source import x"},
    ),
    (door_breaches, {"sync/_a.py": "from .._http import x\nfrom ._b import _y\nfrom __future__ import annotations"}),
    (home_breaches, {"integrations/airflow.py": "import airflow", "sources/one/_soap.py": "import zeep"}),
    (cycle_breaches, {"sync/_a.py": "from . import _b", "sync/_b.py": "if TYPE_CHECKING:\n    from ._a import x"}),
]


@pytest.mark.parametrize(("rule", "files"), ALLOWED)
def test_allowed_import_passes(rule: Rule, files: dict[str, str], tmp_path: Path) -> None:
    """No rule cries about what the layout allows."""
    assert rule(made_up_package(tmp_path, files)) == []


def made_up_package(folder: Path, files: dict[str, str]) -> Path:
    """A package folder with these files."""
    package = folder / PACKAGE
    for name, text in {"__init__.py": "", **files}.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text, "utf-8")
    return package


def test_declared_libraries_are_those_at_home(project: Path) -> None:
    """Every run-time dependency is imported somewhere by name, or is data others read; no other is imported."""
    declared = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = {re.split(r"[<>=\[]", line)[0].lower().replace("-", "_") for line in declared}
    # Brought by a notebook, by zeep, by whoever runs tests.
    optional = {"IPython", "lxml", "graphql", "hypothesis", "pytest"}

    assert names - {"tzdata"} == {name.lower() for name in {*OPEN_TO_ALL, *HOMES} - optional}
