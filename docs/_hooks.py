"""What the documentation's build adds: one reference page per public module, and the order of the sections."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation

PACKAGE = Path(__file__).parent.parent / "mlconnector_sdk"
ORDER = ["Home", "Tutorial", "How-to guides", "Reference", "Explanation", "Glossary"]
TITLES = {"Howto": "How-to guides", "Api": "Python API"}


def public_modules() -> dict[str, list[str]]:
    """Every public module with the names it lists, read without importing anything."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = [PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not any(part.startswith("_") for part in name.split(".")):
            found[name] = _listed(path)
    return found


def _listed(path: Path) -> list[str]:
    for statement in ast.parse(path.read_text("utf-8")).body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "__all__":
            return [name for name in ast.literal_eval(statement.value) if not name.startswith("__")]
    return []


def on_files(files: Files, config: Any) -> Files:
    """Add a page below reference/api/ for each public module, and the one on security, which lies where people seek it.

    The root door has the names of others only.
    """
    security = (PACKAGE.parent / "SECURITY.md").read_text("utf-8").replace("](docs/", "](")
    files.append(File.generated(config, "security.md", content=security))
    for module, names in public_modules().items():
        if names and module != PACKAGE.name:
            short = module.removeprefix(f"{PACKAGE.name}.")
            files.append(File.generated(config, f"reference/api/{short}.md", content=_page(module, names)))
    return files


def _page(module: str, names: list[str]) -> str:
    listed = "".join(f"        - {name}\n" for name in names)
    return f"# {module}\n\n::: {module}\n    options:\n      members:\n{listed}"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead to the page on security as it is called here."""
    return markdown.replace("../SECURITY.md", "security.md")


def on_nav(nav: Navigation, config: Any, files: Files) -> Navigation:
    """Name the sections and put them in the order in which people need them."""
    for item in nav.items:
        _rename(item)
    nav.items.sort(key=lambda item: ORDER.index(item.title) if item.title in ORDER else len(ORDER))
    return nav


def _rename(item: Any) -> None:
    if item.is_section:
        item.title = TITLES.get(item.title, item.title)
        for child in item.children:
            _rename(child)
