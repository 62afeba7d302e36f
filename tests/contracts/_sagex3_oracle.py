"""Judges single exchanges with Sage X3's api1 against what is documented of it, without looking at our fake or client.

`check_api1_exchange` knows the columns of tables from two real installations and the shape of answers from the vendor's
pages; it raises `AssertionError` for anything that the real system is not known to take or to answer.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mlconnector_sdk.testing import Request

PARAMETERS = {"representation", "count", "where", "orderBy", "key"}
KEY_PARTS = {"BPADDRESS": 3, "CONTACT": 3}
TEXT_OPERATORS = {"eq", "ne", "lt", "le", "gt", "ge"}
FUNCTIONS = {"left", "right", "substring", "upper", "lower", "concat", "length", "trim", "year", "month", "day",
             "currentDate"}  # fmt: skip
SEVERITIES = {"info", "warning", "transient", "error", "fatal"}
_LONGEST_URL = 2048
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")|@(?P<time>[^@]*)@|(?P<number>-?\d+(?:\.\d+)?)(?![\w.])
    |(?P<name>[A-Za-z]\w*)|(?P<mark>[(),]))""",
    re.VERBOSE,
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_KINDS = {"char": "text", "tinyint": "number", "int": "number", "decimal": "number", "numeric": "number",
          "datetime": "time", "binary": "uuid", "rowid": "number", "AutoField": "number"}  # fmt: skip
_NO_DATE = ("", "0000-00-00", "1599-12-31", "1753-01-01")


def spec_folder() -> Path | None:
    """The folder with the vendor's contracts, if this machine has it."""
    root = os.environ.get("MLCONNECTOR_SPECS")
    return Path(root) / "sagex3" if root else None


def _folder() -> Path:
    folder = spec_folder()
    assert folder is not None, "set MLCONNECTOR_SPECS to the folder with the vendor contracts"
    return folder


def fixture(name: str) -> Any:
    """An answer in the true shape."""
    return json.loads((_folder() / "fixtures" / name).read_text(encoding="utf-8"))


@cache
def tables() -> dict[str, dict[str, dict[str, Any]]]:
    """Columns of the tables that real installations have, by field code."""
    text = (_folder() / "x3_table_columns.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, dict[str, Any]]] = json.loads(text)["tables"]
    return found


def kind_of(column: dict[str, Any]) -> str:
    """`text`, `number`, `time` or `uuid`."""
    if (column["type"], column.get("len")) == ("char", 16):
        return "uuid"
    return _KINDS[re.split(r"[(/]", str(column["type"]))[0]]


@cache
def known_kind(code: str) -> str | None:
    """What a field code holds in every table that has it; `None` where tables differ or nobody knows."""
    kinds = {kind_of(columns[code]) for columns in tables().values() if code in columns}
    if kinds == {"time"}:
        return "moment" if code.endswith("DATTIM") else "day"
    return kinds.pop() if len(kinds) == 1 else None


# -- every exchange ---------------------------------------------------------------------------------------------------


def check_api1_exchange(request: Request, status: int, body: bytes) -> None:
    """Raise `AssertionError` unless request and answer fit what is known of api1.

    Requests are judged as ours: whatever answer they got, they must be well formed.
    """
    parts = urlsplit(request.raw_path)
    assert (request.method, request.body) == ("GET", b""), "reading is GET without a body"
    assert len(request.raw_path) <= _LONGEST_URL, "the address is longer than 2 kB"
    _check_encoding(request.raw_path)
    _check_headers(request)
    segments = parts.path.split("/")
    assert segments[:4] == ["", "api1", "x3", "erp"], f"no class of an endpoint: {parts.path}"
    assert len(segments) == 6, f"no class of an endpoint: {parts.path}"
    assert re.fullmatch(r"[A-Za-z0-9_]+", segments[4]), f"no endpoint: {segments[4]}"
    entry = re.fullmatch(r"(?P<name>[$\w]+)(?:\('(?P<key>.*)'\))?", unquote(segments[5]), re.DOTALL)
    assert entry is not None, f"no class: {segments[5]}"
    key = entry["key"]
    if entry["name"] == "$prototypes":
        assert not parts.query, "a prototype takes no parameters"
        assert key is not None
        assert re.fullmatch(r"[A-Z]\w*\.\$(?:query|details)", key), f"no facet: {key}"
        check_answer("prototype", "", status, body)
        return
    given = check_query(entry["name"], parts.query, single=key is not None)
    if key is not None:
        _check_key(entry["name"], key)
    check_answer("record" if key is not None else "list", entry["name"], status, body, count=given.get("count"))


def _check_encoding(raw: str) -> None:
    assert raw.isascii(), "an address is ASCII"
    assert not re.search(r"%(?![0-9A-Fa-f]{2})", raw), "a percent sign without two digits"
    assert not set(raw) & set(' "<>\\^`{|}#'), "a character that must be percent-encoded"
    unquote(raw, errors="strict")


def _check_headers(request: Request) -> None:
    assert "json" in request.headers.get("accept", ""), "Accept must ask for JSON"
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    assert kind in {"Basic", "Bearer"}, "each call brings its credentials"
    assert token, "credentials without a token"
    if kind == "Basic":
        assert ":" in b64decode(token, validate=True).decode()
    assert "cookie" not in request.headers, "api1 keeps no sessions"


def check_query(name: str, query: str, *, single: bool) -> dict[str, str]:
    """The parameters, each at most once and in its own form."""
    given: dict[str, str] = {}
    for part in query.split("&"):
        assert "+" not in part, "a plus sign is no blank: write %20"
        title, _, value = part.partition("=")
        title = unquote(title)
        assert title in PARAMETERS, f"api1 has no parameter {title}"
        assert title not in given, f"{title} comes twice"
        given[title] = unquote(value)
    facet = re.fullmatch(r"(?P<name>[A-Z]\w*)\.(?P<facet>\$\w+)", given.get("representation", ""))
    assert facet is not None, "the representation is mandatory"
    assert facet["facet"] == ("$details" if single else "$query"), f"{facet['facet']} does not fit the address"
    if single:
        assert set(given) == {"representation"}, "details take no further parameters"
    if "count" in given:
        assert re.fullmatch(r"[1-9]\d{0,4}", given["count"]), f"no count: {given['count']}"
    columns = tables().get(name) if facet["name"] == name else None
    if "where" in given:
        check_where(given["where"], columns)
    if "orderBy" in given:
        for part in given["orderBy"].split(","):
            match = re.fullmatch(r" ?([A-Za-z]\w*)(?: (?:asc|desc))?", part)
            assert match is not None, f"no order: {part}"
            assert columns is None or match[1] in columns, f"{name} has no {match[1]}"
    if "key" in given:
        assert re.match(r"(?:gt|lt)\..", given["key"]), f"no place: {given['key']}"
    return given


def _check_key(name: str, key: str) -> None:
    assert key, "an empty key"
    assert not re.search(r"(?<!')'(?:'')*(?!')", key), "a quote in a key is doubled"
    if name in KEY_PARTS:
        assert key.count("~") == KEY_PARTS[name] - 1, f"the key of {name} has {KEY_PARTS[name]} parts"


# -- where ------------------------------------------------------------------------------------------------------------


def check_where(text: str, columns: dict[str, dict[str, Any]] | None = None) -> None:
    """A predicate by the grammar, with literals of the columns' types; moments always say their offset."""
    judge = _Where(text, columns)
    judge.alternatives()
    assert judge.peek()[0] == "end", f"where goes on after its end: {text}"


class _Where:
    def __init__(self, text: str, columns: dict[str, dict[str, Any]] | None) -> None:
        self.columns = columns
        self.tokens: list[tuple[str, str]] = []
        self.at = position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            assert match is not None, f"where cannot be read at {text[position:]!r}"
            assert match.lastgroup is not None
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "")

    def take(self, *wanted: str) -> str:
        kind, word = self.peek()
        assert kind != "end", "where ends too early"
        assert not wanted or word in wanted, f"{word!r} where {' or '.join(wanted)} was expected"
        self.at += 1
        return word

    def alternatives(self) -> None:
        self.condition()
        while self.peek()[1] in {"and", "or"}:
            self.take()
            self.condition()

    def condition(self) -> None:
        if self.peek() == ("name", "not"):
            self.take()
            self.condition()
        elif self.peek() == ("mark", "("):
            self.take()
            self.alternatives()
            self.take(")")
        else:
            self.comparison()

    def comparison(self) -> None:
        left = self.operand()
        word = self.take(*TEXT_OPERATORS, "between", "in", "like")
        if word == "in":
            self.take("(")
            self.fits(left, self.operand())
            while self.take(",", ")") == ",":
                self.fits(left, self.operand())
            return
        self.fits(left, self.operand())
        if word == "between":
            self.take("and")
            self.fits(left, self.operand())

    def fits(self, left: str | None, right: str | None) -> None:
        assert left is None or right is None or left == right, f"a {left} is compared with a {right}"

    def operand(self) -> str | None:
        kind, word = self.peek()
        self.take()
        if kind in {"text", "number"}:
            return kind
        if kind == "time":
            if _DAY.fullmatch(word):
                return "day"
            assert _MOMENT.fullmatch(word), f"@{word}@ is no day, and no moment with its offset"
            return "moment"
        assert kind == "name", f"{word!r} is no operand"
        if self.peek() == ("mark", "("):
            return self.function(word)
        assert self.columns is None or word in self.columns, f"the class has no {word}"
        return known_kind(word)

    def function(self, name: str) -> str | None:
        assert name in FUNCTIONS, f"no function {name}"
        self.take("(")
        while self.peek() != ("mark", ")"):
            self.operand()
            if self.peek() == ("mark", ","):
                self.take()
        self.take(")")
        if name == "currentDate":
            return "day"
        return "number" if name in {"length", "year", "month", "day"} else "text"


# -- answers ----------------------------------------------------------------------------------------------------------


def check_answer(what: str, name: str, status: int, body: bytes, *, count: str | None = None) -> None:
    """An answer to a `"list"`, a `"record"` or a `"prototype"`; only errors and logins are other pages than JSON."""
    try:
        answer = json.loads(body)
    except ValueError:
        assert status != 200 or body.lstrip()[:1] == b"<", "a good answer is JSON, or a page to log in"
        return
    assert isinstance(answer, dict)
    if status != 200 or "$diagnoses" in answer:
        _check_diagnoses(answer)
        assert status != 200 or what == "record", "only a missing record is an error with 200"
    elif what == "prototype":
        assert answer["$properties"]
        for code, one in answer["$properties"].items():
            assert _CODE.fullmatch(code)
            assert str(one["$type"]).startswith("application/x-")
    elif what == "record":
        check_row(answer, tables().get(name, {}))
    else:
        check_list(answer, name, count)


def _check_diagnoses(answer: dict[str, Any]) -> None:
    assert answer["$diagnoses"], "an error without a diagnosis"
    for one in answer["$diagnoses"]:
        assert one["$severity"].lower() in SEVERITIES
        assert one["$message"]


def check_list(answer: dict[str, Any], name: str, count: str | None) -> None:
    """A page: its rows, and links that are complete addresses."""
    assert {"$url", "$descriptor", "$itemsPerPage", "$resources", "$links"} <= answer.keys()
    assert answer["$descriptor"] == name
    assert len(answer["$resources"]) <= answer["$itemsPerPage"] <= int(count or 20)
    for title, link in answer["$links"].items():
        assert title in {"$first", "$next", "$prev", "$last"}, f"a link {title}"
        assert urlsplit(link["$url"]).scheme in {"http", "https"}
    if following := answer["$links"].get("$next"):
        assert answer["$resources"], "a page without rows has no next one"
        assert "key=gt." in following["$url"]
    for row in answer["$resources"]:
        assert row["$url"].startswith("/api1/x3/erp/")
        assert row["$key"]
        check_row(row, tables().get(name, {}))


def check_row(row: dict[str, Any], columns: dict[str, dict[str, Any]]) -> None:
    """A record: values in the forms of their columns, references beside their keys, lines as lists of records."""
    for code, value in row.items():
        if code.startswith("$"):
            continue
        assert _CODE.fullmatch(code), f"no field code: {code}"
        if code.endswith("_REF"):
            assert code[:-4] in row
            assert value["$title"]
        elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            for line in value:
                check_row(line, {})
        else:
            _check_value(code, value, columns)


def _check_value(code: str, value: Any, columns: dict[str, dict[str, Any]]) -> None:
    column = columns.get(code)
    kind = known_kind(code) if column is None else kind_of(column)
    if column is not None and column["dim"] > 1 and isinstance(value, list):
        assert len(value) == column["dim"], f"{code} occurs {column['dim']} times"
    for one in value if isinstance(value, list) else [value]:
        if kind == "text":
            assert isinstance(one, str), f"{code} is a text"
            assert column is None or len(one) <= column["len"], f"{code} has {column['len']} characters"
        elif kind == "number":
            assert isinstance(one, int | float), f"{code} is a number"
            assert not isinstance(one, bool), f"{code} is a number, also where it means yes or no"
        elif kind in {"time", "moment", "day"}:
            assert one is None or one[:10] in _NO_DATE or _DAY.fullmatch(one) or _MOMENT.fullmatch(one), (
                f"{code}: {one}"
            )
