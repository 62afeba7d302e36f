"""What a page names in code, each looked for where it must be: commands and their options, files, public names.

A name is `Class`, `Class.member`, `Class(argument=…)`, a module, or one word that some public thing has as a member or
an argument. `engine.` and the like stand for the class that people mean by it.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import attrs

import mlconnector_sdk
from tests._imports import modules_of
from tests._pages import without_fences

_SPAN = re.compile(r"`([^`]+)`")
_COMMAND = re.compile(r"nox -s (?P<session>\w+)(?: -- (?P<arguments>.+))?")
_FILE = re.compile(r"(?:tests|docs)/[\w./-]+|[\w-]+\.(?:md|toml|py)")
_OPTION = re.compile(r"--[\w-]+")
_SCRIPT = re.compile(r"tests[./]\w+[./]run")
_WORD = re.compile(r"[A-Za-z_]\w*=?")
_STAND_INS = {"engine": "SyncEngine", "error": "MLConnectorError", "policy": "SyncPolicy", "sink": "MailchimpSink"}


def mentions_of(text: str) -> Iterator[str]:
    """Everything in inline code, on one line each."""
    for found in _SPAN.finditer(without_fences(text)):
        yield " ".join(found[1].split())


def commands_of(text: str) -> list[str]:
    """The checks that a page tells people to run."""
    return [one for one in mentions_of(text) if _COMMAND.fullmatch(one)]


def missing_in(text: str, project: Path, *, foreign: Collection[str] = ()) -> list[str]:
    """What a page names and is not there, words of others aside."""
    return [
        f"{one}: {problem}" for one in mentions_of(text) if one not in foreign and (problem := _wrong(one, project))
    ]


def _wrong(mention: str, project: Path) -> str:
    if command := _COMMAND.fullmatch(mention):
        return _wrong_command(command["session"], (command["arguments"] or "").split(), project)
    if _FILE.fullmatch(mention):
        return "" if (project / mention).exists() else "no such file"
    if mention.startswith(mlconnector_sdk.__name__):
        return "" if importlib.util.find_spec(mention) else "no such module"
    return _wrong_name(mention)


def _wrong_command(session: str, arguments: list[str], project: Path) -> str:
    sessions = _sessions(project / "noxfile.py")
    if session not in sessions:
        return "no such session"
    scripts = {project / f"{found.replace('.', '/')}.py" for found in _SCRIPT.findall(sessions[session])}
    known = "".join(script.read_text("utf-8") for script in scripts)
    for argument in arguments:
        if _OPTION.fullmatch(argument):
            if f'"{argument}"' not in known:
                return f"no option {argument}"
        elif not (project / argument).exists():
            return f"no file {argument}"
        elif "*session.posargs" not in sessions[session] or '"tests/' in sessions[session].replace("'", '"'):
            return "this session does not take files"
    return ""


@cache
def _sessions(noxfile: Path) -> dict[str, str]:
    """Every session with its code."""
    functions = (node for node in ast.parse(noxfile.read_text("utf-8")).body if isinstance(node, ast.FunctionDef))
    return {one.name: ast.unparse(one) for one in functions if "nox.session" in map(ast.unparse, one.decorator_list)}


def _wrong_name(mention: str) -> str:
    public = public_names()
    if _WORD.fullmatch(mention):
        return "" if mention in public or mention.rstrip("=") in _parts_of_all() else "no such name"
    try:
        node = ast.parse(mention.replace("…", "..."), mode="eval").body
    except SyntaxError:
        return "neither a command, nor a file, nor a name"
    arguments = [word.arg for word in node.keywords] if isinstance(node, ast.Call) else []
    first, *members = ast.unparse(node.func if isinstance(node, ast.Call) else node).split(".")
    thing = public.get(_STAND_INS.get(first, first))
    if thing is None:
        return f"no public {first}"
    for number, member in enumerate(members, 1):
        if member not in parts_of(thing):
            return f"no {member}"
        if number < len(members) or arguments:
            thing = getattr(thing, member)
    unknown = [name for name in arguments if name is not None and name not in inspect.signature(thing).parameters]
    return f"no argument {', '.join(unknown)}" if unknown else ""


@cache
def public_names() -> dict[str, Any]:
    """Whatever a public module lists."""
    found: dict[str, Any] = {}
    for name in modules_of(Path(mlconnector_sdk.__file__).parent):
        if not any(part.startswith("_") for part in name.split(".")):
            module = importlib.import_module(name)
            found |= {listed: getattr(module, listed) for listed in getattr(module, "__all__", ())}
    return found


def parts_of(thing: Any) -> set[str]:
    """Members and attributes of a class: those it has, those of attrs, and those its documentation lists."""
    fields = {field.name for field in attrs.fields(thing)} if isinstance(thing, type) and attrs.has(thing) else set()
    listed = re.findall(r"^ +(\w+(?:, \w+)*):", inspect.getdoc(thing) or "", re.MULTILINE)
    return {name for name in dir(thing) if not name.startswith("_")} | fields | set(", ".join(listed).split(", "))


@cache
def _parts_of_all() -> set[str]:
    found: set[str] = set()
    for thing in public_names().values():
        if inspect.isclass(thing) or inspect.isfunction(thing):
            found |= parts_of(thing) if inspect.isclass(thing) else set()
            try:
                found |= set(inspect.signature(thing).parameters)
            except ValueError:
                continue
    return found
