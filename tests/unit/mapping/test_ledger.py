from __future__ import annotations

import doctest
import pickle
import sys

import pytest

import mlconnector_sdk.mapping._ledger  # noqa: F401 - its docstrings are run
from mlconnector_sdk.errors import ConfigurationError, MappingError
from mlconnector_sdk.mapping import GLAccountFormat

SAGE_100 = GLAccountFormat("NNNN-NN-NN", dimensions=["account", "branch", "department"])
SAGE_100_RAW = GLAccountFormat("NNNN|NN|NN", dimensions=["account", "branch", "department"])


def test_examples_run():
    """Every example in the docstrings gives what it shows."""
    result = doctest.testmod(sys.modules["mlconnector_sdk.mapping._ledger"])

    assert result.attempted > 0
    assert result.failed == 0


def test_an_account_is_cut_into_its_dimensions():
    """Parsing gives each dimension its text, zeros kept, and the account writes itself as it was read."""
    account = SAGE_100.parse(" 4000-01-00 ")

    assert {"account": "4000", "branch": "01", "department": "00"} == dict(account.segments)
    assert ["account", "branch", "department"] == list(account.segments)
    assert "4000" == account.main
    assert "4000-01-00" == account.format() == str(account)
    assert "<GLAccount 4000-01-00>" == repr(account)


def test_raw_form_becomes_the_printed_form():
    """What an ERP stores without punctuation is written with it by the other format."""
    raw = SAGE_100_RAW.parse("40000100")

    assert "40000100" == raw.format()
    assert "4000-01-00" == SAGE_100.write(raw.parts)


def test_the_main_dimension_can_stand_anywhere():
    """The main segment is the named one, not the first one, when the company says so."""
    ledger = GLAccountFormat("AA.XXXX", dimensions=["entity", "account"], main_dimension="account")

    assert "40B1" == ledger.parse("US.40B1").main


def test_accounts_are_values():
    """Equal texts of equal formats are one account to sets, dicts and pickle; formats set them apart."""
    account = SAGE_100.parse("4000-01-00")

    assert account == SAGE_100.parse("4000-01-00")
    assert account != SAGE_100.parse("4000-01-01")
    assert account != SAGE_100_RAW.parse("40000100")
    assert 1 == len({account, SAGE_100.parse("4000-01-00")})
    assert account == pickle.loads(pickle.dumps(account))
    with pytest.raises(TypeError):
        account.segments["branch"] = "02"  # type: ignore[index]


@pytest.mark.parametrize("text", ["4010-100-10", "4100"])
def test_one_of_several_structures_fits(text):
    """Sage 300 keeps accounts of several structures side by side, and exactly one of them matches."""
    structures = [
        GLAccountFormat("NNNN-NNN-NN", dimensions=["account", "region", "branch"]),
        GLAccountFormat("NNNN", dimensions=["account"]),
    ]

    assert 1 == sum(structure.matches(text) for structure in structures)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "position 1: a digit expected, but the account ends"),
        ("4000-01", "position 8: '-' expected, but the account ends"),
        ("4000-0", "position 7: a digit expected, but the account ends"),
        ("4000-0a-00", "position 7: a digit expected"),
        ("40000100", "position 5: '-' expected"),
        ("4000-01-000", "position 11: the account should end here"),
        ("\uff14000-01-00", "position 1: a digit expected"),
    ],
)
def test_what_does_not_fit_is_named_by_its_position(text, message):
    """The error names the first position that does not fit, and what belongs there."""
    with pytest.raises(MappingError) as caught:
        SAGE_100.parse(text)

    assert "gl_account" == caught.value.reason
    assert str(caught.value).endswith(message)
    assert not SAGE_100.matches(text)


@pytest.mark.parametrize(
    ("pattern", "text", "message"),
    [("AA", "A1", "position 2: a letter expected"), ("XX", "A-", "position 2: a letter or a digit expected")],
)
def test_each_class_of_characters_is_named(pattern, text, message):
    """Letters and either-kind positions say so."""
    with pytest.raises(MappingError, match=message):
        GLAccountFormat(pattern, dimensions=["account"]).parse(text)


@pytest.mark.parametrize(
    ("pattern", "dimensions", "main", "message"),
    [
        ("NN9-B", ["a", "b"], "a", "pattern: 9, B stands for nothing"),
        ("--", [], "a", "pattern: it has no segment"),
        ("", [], "a", "pattern: it has no segment"),
        ("NN-NN", ["a"], "a", "dimensions: 1 names for 2 segments"),
        ("NN-NN", ["a", "a"], "a", "dimensions: a name occurs twice"),
        ("NN-NN", ["a", "b"], "c", "main_dimension: 'c' is none of the dimensions"),
    ],
)
def test_an_unusable_format_says_which_setting_is_wrong(pattern, dimensions, main, message):
    """A format that cannot work is refused when it is made, by the name of the setting."""
    with pytest.raises(ConfigurationError, match=message):
        GLAccountFormat(pattern, dimensions=dimensions, main_dimension=main)
