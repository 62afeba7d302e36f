"""Vendor XML as events."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from mlconnector_sdk.errors import ContractError, UnavailableError
from mlconnector_sdk.sources._xml import as_utf8, escaped, table_in, tree_in

PROLOG = '<?xml version="1.0" encoding="Windows-1252"?>\n'


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_bytes_are_read_whatever_the_prolog_says(encoding):
    """The prolog may lie: what is valid UTF-8 is UTF-8, all else is code page 1252."""
    body = f"{PROLOG}<T><Row><Name>Café € Œuvre</Name></Row></T>\n ".encode(encoding)

    assert table_in(body).rows == [{"Name": "Café € Œuvre"}]


def test_rows_are_flat_and_everything_else_is_left_alone():
    """Only rows right below the root are read, texts with what is nested in them; of two of one name the first."""
    body = b"<T><Head><Row><A>no</A></Row></Head><Row><A>1</A><B><C>x</C></B><A>3</A><D/></Row><Row/><N>  1</N></T>"

    table = table_in(body)

    assert ("T", [{"A": "1", "B": "x", "D": ""}, {}]) == (table.root, table.rows)


def test_errors_are_found_anywhere():
    """Error numbers are collected from any depth, whatever the case of their names."""
    body = b"<t><item><key/><x><ERRORNUMBER> 240004 </ERRORNUMBER></x></item></t>"

    assert table_in(body, errors=frozenset({"errornumber"})).errors == ["240004"]


def test_a_tree_has_lists_where_names_repeat():
    """Texts, nested elements and lists; prefixes of names are cut."""
    body = b'<a xmlns:S="S"><b>1</b><b>2</b><b>3</b><c><S:d> x </S:d></c><e/></a>'

    assert tree_in(body) == {"a": {"b": ["1", "2", "3"], "c": {"d": "x"}, "e": ""}}


@pytest.mark.parametrize("body", [b"", b"<a>", b"<a><b>text", b"<a", b"<a><b></b>", b"<a><![CDATA[x", b"<a>\xc3"])
def test_cut_off_documents_may_come_whole_another_time(body):
    """An answer that ends too early is a passing trouble."""
    with pytest.raises(UnavailableError, match="cut off"):
        table_in(body)


@pytest.mark.parametrize("body", [b"hello", b"<a></b>", b"<a/><b/>", b"<a>&unknown;</a>", b"<a b=c/>"])
def test_what_is_no_xml_is_told(body):
    """Anything else that cannot be read is a contract broken."""
    with pytest.raises(ContractError, match="no XML"):
        tree_in(body)


def test_document_types_are_refused():
    """No entity is ever defined, so none can be expanded without end, or read a file."""
    bomb = b'<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y SYSTEM "file:///etc/passwd">]><a>&x;&y;</a>'

    for read in (table_in, tree_in):
        with pytest.raises(ContractError, match="document type"):
            read(bomb)


@given(text=st.text(max_size=60))
def test_any_text_goes_in_and_comes_out(text):
    """Escaped text reads back as itself, less the characters XML has no form for."""
    body = f"<a><b>{escaped(text)}</b></a>".encode()
    read = tree_in(body)["a"]

    kept = "".join(sign for sign in text if sign in "\t\n\r" or (sign >= " " and sign not in "\ufffe\uffff"))
    expected = "".join(sign for sign in kept if not "\ud800" <= sign <= "\udfff")
    # Parsers make one line end of all kinds, and leaves are trimmed.
    assert (read["b"] if read else "") == expected.replace("\r\n", "\n").replace("\r", "\n").strip()


@given(body=st.binary(max_size=80))
def test_any_bytes_become_utf8_without_control_characters(body):
    """Whatever comes in, what goes to the parser is valid UTF-8 without bare control characters."""
    text = as_utf8(body).decode()

    assert not set(text) & {chr(code) for code in range(32) if chr(code) not in "\t\n\r"}


@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from("ABCDE"), st.text(st.characters(codec="cp1252", min_codepoint=32), max_size=9))
    )
)
def test_tables_of_any_values_read_back(rows):
    """Every row and value of a table in code page 1252 comes back."""
    inner = "".join(
        f"<Row>{''.join(f'<{name}>{escaped(value)}</{name}>' for name, value in row.items())}</Row>" for row in rows
    )

    assert table_in(f"{PROLOG}<T>{inner}</T>".encode("cp1252")).rows == rows
