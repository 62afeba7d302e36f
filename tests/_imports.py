"""Reads from source files, without running them, who imports whom."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import attrs


@attrs.frozen
class Import:
    """One import of one name.

    Attributes:
        importer: the module that imports, with dots: `"mlconnector_sdk.sync._engine"`.
        target: the module imported, or the package when a name is taken from its door.
        name: the name taken from it, `""` for a plain `import`.
        line: where it stands.
        at_load: whether it runs while the importer is loaded (not in a function, not for type checkers only).
    """

    importer: str
    target: str
    name: str
    line: int
    at_load: bool

    def __str__(self) -> str:
        taken = f"{self.target}.{self.name}" if self.name else self.target
        return f"{self.importer}:{self.line} imports {taken}"


def modules_of(package: Path) -> dict[str, Path]:
    """Every module of a package folder by its dotted name; a door goes by the name of its package."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(package: Path) -> list[Import]:
    """Every import in every module of a package folder."""
    modules = modules_of(package)
    return [found for name, path in modules.items() for found in _imports_in(name, path, set(modules))]


def _imports_in(importer: str, path: Path, modules: set[str]) -> Iterator[Import]:
    tree = ast.parse(path.read_text("utf-8"), str(path))
    late = {id(node) for node in _nodes_run_late(tree)}
    for node in ast.walk(tree):
        at_load = id(node) not in late
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(importer, alias.name, "", node.lineno, at_load)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, importer, is_door=path.name == "__init__.py")
            for alias in node.names:
                submodule = f"{origin}.{alias.name}"
                target, name = (submodule, "") if submodule in modules else (origin, alias.name)
                yield Import(importer, target, name, node.lineno, at_load)


def _origin(node: ast.ImportFrom, importer: str, *, is_door: bool) -> str:
    """The absolute name behind `from … import`."""
    if not node.level:
        return node.module or ""
    parts = importer.split(".")
    kept = parts[: len(parts) - node.level + is_door]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _nodes_run_late(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if is_function:
            yield from ast.walk(node)
        elif (
            isinstance(node, ast.If)
            and "TYPE_CHECKING" in ast.dump(node.test)
            and not isinstance(node.test, ast.UnaryOp)
        ):
            for statement in node.body:
                yield from ast.walk(statement)


def cycles_in(imports: list[Import], package: str) -> list[str]:
    """Groups of modules that need each other while they load, each as one line."""
    needs: dict[str, set[str]] = {}
    for found in imports:
        if found.at_load and found.target.split(".")[0] == package and found.importer != package:
            needs.setdefault(found.importer, set()).add(found.target)
    reach = {module: _reachable(module, needs) for module in needs}
    groups = {
        tuple(sorted(other for other in reached if module in reach.get(other, ())))
        for module, reached in reach.items()
        if module in reached
    }
    return [f"import cycle: {' <-> '.join(group)}" for group in sorted(groups)]


def _reachable(start: str, needs: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(needs.get(start, ()))
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting.extend(needs.get(module, ()))
    return seen
