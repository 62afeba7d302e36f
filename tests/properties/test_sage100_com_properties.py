"""The fake Business Object Interface: return codes of any sequence of calls, and result sets against a plain walk."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import given, settings, strategies as st

from mlconnector_sdk.testing import FakeProvideX
from mlconnector_sdk.testing.fakes._sage100_site import Sage100Site

# -- return codes ---------------------------------------------------------------------------------------------------

KEYS = [("00", "A"), ("00", "B"), ("01", "A")]
EDITORS = st.sampled_from([0, 1])
CALLS = st.one_of(
    st.tuples(st.sampled_from(["key", "find"]), EDITORS, st.sampled_from(KEYS)),
    st.tuples(st.just("value"), EDITORS, st.sampled_from(["Racine", "Kenosha", 31 * "x"])),
    st.tuples(st.sampled_from(["write", "clear", "delete", "drop", "first"]), EDITORS, st.none()),
    st.tuples(st.just("warn"), st.sampled_from(["nSetValue", "nWrite"]), st.none()),
)


def enter(script: FakeProvideX, home: str = r"C:\Sage\MAS90\Home") -> Any:
    """A session in the program of customers."""
    script.Init(home)
    session = script.NewObject("SY_Session")
    session.nSetUser("sync", "secret")
    session.nSetCompany("ABC")
    session.nSetDate("A/R", "20260301")
    session.nSetModule("A/R")
    session.nSetProgram(session.nLookupTask("AR_Customer_ui"))
    return session


@attrs.define
class Hand:
    """What one editor has in hand."""

    key: tuple[str, str]
    new: bool
    city: str | None = None


class Model:
    """Customers by key, who has which in hand, and warnings to come: the vendor's table of return codes in short."""

    def __init__(self) -> None:
        self.cities = {KEYS[0]: ""}
        self.hands: list[Hand | None] = [None, None]
        self.warnings: list[str] = []

    def answer(self, call: str, who: int, argument: Any) -> int:
        hand = self.hands[who]
        if call == "value":
            return self._warned("nSetValue", self._value(hand, argument))
        if call == "write":
            return self._warned("nWrite", self._write(who, hand))
        if call == "delete":
            if hand is None or hand.new:
                return 0
            del self.cities[hand.key]
        self.hands[who] = None
        if call == "key":
            return self._key(who, argument)
        if call == "find":
            return int(argument in self.cities)
        return int(bool(self.cities)) if call == "first" else 1

    def _key(self, who: int, key: tuple[str, str]) -> int:
        other = self.hands[1 - who]
        if other is not None and other.key == key:
            return 0
        self.hands[who] = Hand(key, key not in self.cities)
        return 1 if key in self.cities else 2

    @staticmethod
    def _value(hand: Hand | None, city: str) -> int:
        if hand is None or len(city) > 30:
            return 0
        hand.city = city
        return 1

    def _write(self, who: int, hand: Hand | None) -> int:
        if hand is None:
            return 0
        self.cities[hand.key] = hand.city if hand.city is not None else self.cities.get(hand.key, "")
        self.hands[who] = None
        return 1

    def _warned(self, method: str, code: int) -> int:
        if method not in self.warnings:
            return code
        self.warnings.remove(method)
        return -1 if code == 1 else code


@settings(max_examples=300, deadline=None)
@given(calls=st.lists(CALLS, max_size=40))
def test_any_sequence_of_calls_keeps_to_the_table_of_return_codes(calls: list[tuple[str, Any, Any]]) -> None:
    """Existing 1, new 2, failed 0 with a message, warned -1 with a message; locks and records follow the codes."""
    site = Sage100Site()
    site.add_user("sync", "secret")
    company = site.companies["ABC"]
    table = company.tables["AR_Customer"]
    table.put(KEYS[0], {})
    script = FakeProvideX(site)
    session = enter(script)
    editors = [script.NewObject("AR_Customer_bus", session) for _ in range(2)]
    model = Model()

    for call, who, argument in calls:
        if call == "warn":
            script.warn(who, "Careful.")
            model.warnings.append(who)
            continue
        expected = model.answer(call, who, argument)
        if call == "drop":
            editors[who] = script.NewObject("AR_Customer_bus", session)
        else:
            assert expected == perform(editors[who], call, argument)
            assert (expected in {0, -1}) == bool(editors[who].sLastErrorMsg) or call == "first"
        assert {hand.key for hand in model.hands if hand} == {key for _, key in company.locks}
        assert model.cities == {key: row["City"] for key, row in table.rows.items()}


def perform(editor: Any, call: str, argument: Any) -> Any:
    """Make one call on an editor."""
    if call in {"key", "find"}:
        editor.nSetKeyValue("ARDivisionNo$", argument[0])
        editor.nSetKeyValue("CustomerNo$", argument[1])
        return editor.nSetKey() if call == "key" else editor.nFind()
    if call == "value":
        return editor.nSetValue("City$", argument)
    return {"write": editor.nWrite, "clear": editor.nClear, "delete": editor.nDelete, "first": editor.nMoveFirst}[
        call
    ]()


# -- result sets ----------------------------------------------------------------------------------------------------

TEXTS = {
    "ARDivisionNo$": st.sampled_from(["00", "01"]),
    "CustomerNo$": st.sampled_from(["A", "AB", "B", "0000001"]),
    "ContactCode$": st.sampled_from(["A", "A B", "BOSS"]),
    "ContactName$": st.sampled_from(["", "a", "A", 'A "B"', "B "]),
    "DateUpdated$": st.sampled_from(["", "20260228", "20260301"]),
}
MARKS = {
    "=": lambda one, other: one == other,
    "<>": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


@attrs.frozen
class Condition:
    """A filter as text, and the same as a test of values."""

    text: str
    test: Any


@st.composite
def comparisons(draw: st.DrawFn) -> Condition:
    """A column, or two joined ones, against a literal with or without the padding it came with."""
    names = draw(st.lists(st.sampled_from(sorted(TEXTS)), min_size=1, max_size=2, unique=True))
    # Equality is what finds records by key, so it comes more often.
    mark = draw(st.sampled_from(["=", "=", "=", *MARKS]))
    literal = "".join(draw(TEXTS[name]) for name in names)
    padding = draw(st.sampled_from(["", 17 * "\0"]))
    quoted = literal.replace('"', '""') + padding
    return Condition(
        f'{"+".join(names)}{mark}"{quoted}"',
        lambda row: MARKS[mark]("".join(row[name] for name in names).rstrip("\0"), literal),
    )


def joined(word: str, parts: list[Condition]) -> Condition:
    """Several conditions in brackets, all or any of which must hold."""
    every = all if word == "AND" else any
    text = f" {word} ".join(f"({part.text})" for part in parts)
    return Condition(text, lambda row: every(part.test(row) for part in parts))


def negated(inner: Condition) -> Condition:
    """The opposite of a condition."""
    return Condition(f"NOT ({inner.text})", lambda row: not inner.test(row))


CONDITIONS = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.builds(joined, st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=1, max_size=4)),
        st.builds(negated, inner),
    ),
    max_leaves=12,
)
KEY = ("ARDivisionNo$", "CustomerNo$", "ContactCode$")
ROWS = st.dictionaries(
    st.tuples(*(TEXTS[name] for name in KEY)), st.tuples(TEXTS["ContactName$"], TEXTS["DateUpdated$"])
)


def walked(reader: Any) -> list[dict[str, str]]:
    """All records, read one value at a time."""
    rows = []
    moved = reader.nMoveFirst()
    while moved:
        rows.append({name: reader.nGetValue(name, "")[1] for name in TEXTS})
        moved = reader.nMoveNext()
    return rows


@settings(max_examples=500, deadline=None)
@given(rows=ROWS, condition=CONDITIONS, padded=st.booleans())
def test_result_sets_equal_a_plain_walk(
    rows: dict[tuple[str, str, str], tuple[str, str]], condition: Condition, padded: bool
) -> None:
    """Whatever the filter, a result set has the records that a walk with the same test finds, in the same order."""
    site = Sage100Site()
    site.add_user("sync", "secret")
    table = site.companies["ABC"].tables["AR_CustomerContact"]
    for key, (name, day) in rows.items():
        table.put(key, {"ContactName": name, "DateUpdated": day})
    script = FakeProvideX(site, padded=padded)
    session = enter(script)
    reader = script.NewObject("AR_CustomerContact_svc", session)

    expected = [row for row in walked(reader) if condition.test(row)]
    names, key = 'ContactName$+"|"+DateUpdated$', "+".join(KEY)
    code, first, second = reader.nGetResultSets(names, key, "", "", condition.text, "", "")

    assert 1 == code
    assert [f"{row['ContactName$']}|{row['DateUpdated$']}" for row in expected] == first.split("\u0160")[:-1]
    assert ["".join(row[name] for name in KEY) for row in expected] == second.split("\u0160")[:-1]
