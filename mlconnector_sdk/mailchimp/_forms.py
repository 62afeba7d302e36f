"""Form bodies as webhooks send them: PHP's bracket keys, read into a tree. Never fails, whatever the bytes."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

__all__ = ["pairs_of", "text_of", "tree_of"]

_KEY = re.compile(r"(?P<root>[^\[\]]+)(?P<path>(?:\[[^\[\]]*\])*)")
_STEP = re.compile(r"\[([^\[\]]*)\]")

# Deliveries go four deep: data, merges, GROUPINGS, a number, a name. What is much deeper is no delivery.
_DEEPEST = 16


def pairs_of(body: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values in the order they came, percent-decoded: the bytes that signatures of whole forms cover."""
    pairs = (part.partition(b"=") for part in body.split(b"&") if part)
    return [(_decoded(name), _decoded(value)) for name, _, value in pairs]


def text_of(value: bytes) -> str:
    """UTF-8; a name that somebody encoded otherwise must not cost the whole delivery."""
    return value.decode("utf-8", "replace")


def tree_of(body: bytes) -> dict[str, Any]:
    """The form, with `data[merges][FNAME]=Pat` as `{"data": {"merges": {"FNAME": "Pat"}}}`; all leaves are text.

    `[]` stands for the number of values before it. A later value takes the place of an earlier one, as in PHP. A key
    whose brackets do not match stands as it is; one without a name, or nested deeper than any delivery, is left out.
    """
    tree: dict[str, Any] = {}
    for name, value in pairs_of(body):
        steps = _steps(text_of(name))
        if not steps[0] or len(steps) > _DEEPEST:
            continue
        branch = tree
        for step in steps[:-1]:
            branch = _below(branch, _place(branch, step))
        branch[_place(branch, steps[-1])] = text_of(value)
    return tree


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def _steps(key: str) -> list[str]:
    match = _KEY.fullmatch(key)
    return [match["root"], *_STEP.findall(match["path"])] if match else [key]


def _place(branch: dict[str, Any], step: str) -> str:
    return step or str(len(branch))


def _below(branch: dict[str, Any], step: str) -> dict[str, Any]:
    inner = branch.get(step)
    if not isinstance(inner, dict):
        inner = branch[step] = {}
    return inner
