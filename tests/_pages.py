"""Reads the documentation: code blocks, what a page says about running them, links and headings.

A page steers its own test by HTML comments, which readers do not see and which change nothing they do see:

- `<!-- setup: fakes -->` anywhere: the page's code finds the variables that setup provides (see `SETUPS`).
- `<!-- output -->` before a fenced block: the block is what the Python block above printed; `...` stands for anything.
- `<!-- not run: reason -->` before a Python block: it is only compiled, because of that reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import attrs

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<language>[\w+-]*)(?P<rest>.*)$")
_NOTE = re.compile(r"<!--\s*(?P<word>output|not run: *(?P<reason>.*?))\s*-->")
_SETUP = re.compile(r"<!--\s*setup:\s*(?P<name>\w+)\s*-->")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(?P<text>.+?)\s*(?:\{#(?P<anchor>[\w-]+)\})?$", re.MULTILINE)


@attrs.frozen(kw_only=True)
class Block:
    """One fenced block.

    Attributes:
        line: the line of its first line of code, counted from 1.
        is_output: whether it shows what the block above printed.
        not_run: why it is not executed, or `""`.
    """

    language: str
    code: str
    line: int
    is_output: bool = False
    not_run: str = ""


@contextmanager
def _nothing() -> Iterator[dict[str, Any]]:
    yield {}


@contextmanager
def _fakes() -> Iterator[dict[str, Any]]:
    """A small Acumatica and an empty Mailchimp on loopback: `erp_url`, `mailchimp_url`, and `erp`, `mailchimp`."""
    from mlconnector_sdk.testing import FakeAcumatica, FakeMailchimp

    with FakeAcumatica(customers=3) as erp, FakeMailchimp() as mailchimp:
        yield {"erp": erp, "erp_url": erp.base_url, "mailchimp": mailchimp, "mailchimp_url": mailchimp.base_url}


@contextmanager
def _django() -> Iterator[dict[str, Any]]:
    """A project of Django, whose settings are one for the whole process."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None, TIME_ZONE="UTC", DATA_UPLOAD_MAX_MEMORY_SIZE=20_000_000
        )
        django.setup()
    yield {}


SETUPS: dict[str, Callable[[], AbstractContextManager[dict[str, Any]]]] = {
    "": _nothing,
    "django": _django,
    "fakes": _fakes,
}
"""What a page can ask for: each provides variables, and takes down what it put up."""


def setup_of(text: str) -> str:
    """The name of the setup a page asks for."""
    found = _SETUP.search(text)
    return found["name"] if found else ""


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found: list[Block] = []
    note: re.Match[str] | None = None
    lines = enumerate(text.splitlines(), 1)
    for _, line in lines:
        opening = _FENCE.match(line)
        if not opening:
            note = _NOTE.search(line) or (note if not line.strip() else None)
            continue
        start, code = 0, []
        for number, inner in lines:
            start = start or number
            if inner.strip() == opening["fence"]:
                break
            code.append(inner.removeprefix(opening["indent"]))
        found.append(
            Block(
                language=opening["language"],
                code="\n".join(code) + "\n",
                line=start,
                is_output=bool(note) and note["word"] == "output",
                not_run=(note["reason"] or "") if note else "",
            )
        )
        note = None
    return found


def links_of(text: str) -> list[str]:
    """Link targets outside code."""
    return [found["target"] for found in _LINK.finditer(re.sub(r"`[^`\n]*`", "", without_fences(text)))]


def anchors_of(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    headings = _HEADING.finditer(without_fences(text))
    return {found["anchor"] or _slug(found["text"]) for found in headings}


def _slug(heading: str) -> str:
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def without_fences(text: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^( *)(`{3,}|~{3,}).*?^\1\2\s*$", "", text, flags=re.MULTILINE | re.DOTALL)


def pages_of(project: Path) -> list[Path]:
    """Every Markdown page a reader may open."""
    top = [project / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [path for path in [*top, *sorted((project / "docs").rglob("*.md"))] if path.is_file()]
