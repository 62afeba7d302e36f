from __future__ import annotations

import doctest
import hashlib
import math
import sys
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import email_validator
import pytest

import mlconnector_sdk.mapping._countries
import mlconnector_sdk.mapping._emails
import mlconnector_sdk.mapping._normalize  # noqa: F401 - its docstrings are run
from mlconnector_sdk.errors import MappingError
from mlconnector_sdk.mapping import (
    clean_email,
    clean_phone,
    country_code,
    cut_utf8,
    member_address,
    merge_value,
    original_id,
    safe_id,
    split_emails,
    store_address,
)
from mlconnector_sdk.mapping._phones import us_phone
from mlconnector_sdk.models import Address, MergeField, member_id

LYON = Address(line1="1 Rue A", city="Lyon", postal_code="69001", country="France")
MADISON = Address(line1="1 Main St", line2="Suite 2", city="Madison", region="WI", postal_code="53703", country="USA")


@pytest.mark.parametrize("name", ["_emails", "_phones", "_countries", "_normalize"])
def test_examples_run(name):
    """Every example in the docstrings gives what it shows."""
    result = doctest.testmod(sys.modules[f"mlconnector_sdk.mapping.{name}"])

    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("bob@x.org", "bob@x.org"),
        ("  Bob.Smith+erp@X.Org ", "bob.smith+erp@x.org"),
        ("mailto:Bob@x.org?subject=Hello", "bob@x.org"),
        ("<mailto:bob@x.org>", "bob@x.org"),
        ("bob@x.org<mailto:bob@x.org>", "bob@x.org"),
        ('"Smith, Bob" <bob@x.org>', "bob@x.org"),
        ('"old@x.org" <bob@x.org>', "bob@x.org"),
        ("bob@x.org <bob@x.org>;", "bob@x.org"),
        ("<Bob> bob@x.org", "bob@x.org"),
        ("bob@x.org (Bob Smith)", "bob@x.org"),
        ("'bob@x.org'", "bob@x.org"),
        ("\u201cbob@x.org\u201d", "bob@x.org"),
        ("bob@x.org.", "bob@x.org"),
        ("bob@x.org,;", "bob@x.org"),
        ("bob@x.org\0\0\0", "bob@x.org"),
        ("\ufeffbob\u200b@x.org\u00a0", "bob@x.org"),
        ("o'neil@x.org", "o'neil@x.org"),
        ("JÜRGEN@BÜCHER.example", "jürgen@bücher.example"),
        ("ju\u0308rgen@x.org", "jürgen@x.org"),
        ("bob@xn--bcher-kva.example", "bob@bücher.example"),
        ("用户@例子.广告", "用户@例子.广告"),
        ("bob@shop.test", "bob@shop.test"),
        ("bob@example.com", "bob@example.com"),
    ],
)
def test_clean_email_takes_off_what_people_type_around_an_address(typed, address):
    """One address comes back bare and lower-cased, however it was dressed."""
    assert address == clean_email(typed)


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("", "empty"),
        ("n/a", "no @ sign"),
        ("secret@@secret.org", "more than one @ sign"),
        ("mailto:" * 2000 + "secret", "no @ sign"),
        ("secret@x.org secret@y.org", "more than one @ sign"),
        ("secret@x.org <other@x.org>", "more than one @ sign"),
        ("<secret@x.org> <other@x.org>", "more than one @ sign"),
        ("bob secret@x.org", "a blank stands inside"),
        ("@secret.org", "nothing stands before the @ sign"),
        ("secret@", "nothing stands after the @ sign"),
        ("secret@secret", "the domain has no dot"),
        ("bob@test", "the domain has no dot"),
        ("bob@-secret.org", "the domain is malformed"),
        ("bob@secret..org", "the domain is malformed"),
        ("bob@xn--secret\u00fc.org", "the domain is malformed"),
        ("bob@[10.11.12.13]", "the domain is malformed"),
        ("se..cret@x.org", "the part before the @ sign is malformed"),
        ('"secret"@x.org', "the part before the @ sign is malformed"),
        ("secret\ud800@x.org", "the part before the @ sign is malformed"),
        ("s" * 250 + "@x.org", "too long"),
    ],
)
def test_clean_email_says_what_is_wrong_and_never_shows_it(typed, fault):
    """The error names the fault, and neither its text nor a chained cause holds the address."""
    with pytest.raises(MappingError) as caught:
        clean_email(typed)

    assert "bad_email" == caught.value.reason
    assert fault in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("name", sorted(set(email_validator.SPECIAL_USE_DOMAIN_NAMES) - {"test"}))
def test_clean_email_refuses_names_no_mail_can_reach(name):
    """Whatever email-validator knows as unreachable is refused by the short cut too."""
    with pytest.raises(MappingError, match="no mail can reach it"):
        clean_email(f"bob@shop.{name}")


def test_clean_email_gives_what_mailchimp_hashes():
    """The cleaned address hashes to Mailchimp's own key of the member."""
    expected = hashlib.md5(b"bob@x.org", usedforsecurity=False).hexdigest()

    assert expected == member_id(clean_email(" Bob@X.org;"))


@pytest.mark.parametrize(
    ("field", "addresses"),
    [
        ("", ()),
        (" \t\r\n", ()),
        ("\0\0", ()),
        (" ; , ", ()),
        ("Ann@x.org", ("ann@x.org",)),
        ("ann@x.org;bob@x.org", ("ann@x.org", "bob@x.org")),
        ("ann@x.org, bob@x.org;", ("ann@x.org", "bob@x.org")),
        ("ann@x.org bob@x.org", ("ann@x.org", "bob@x.org")),
        ("ann@x.org\r\nbob@x.org\n", ("ann@x.org", "bob@x.org")),
        ("ann@x.org/bob@x.org", ("ann@x.org", "bob@x.org")),
        ("ann@x.org / bob@x.org", ("ann@x.org", "bob@x.org")),
        ("ann@x.org&bob@x.org", ("ann@x.org", "bob@x.org")),
        ("ann@x.org|bob@x.org", ("ann@x.org", "bob@x.org")),
        ("ann@x.org or bob@x.org", ("ann@x.org", "bob@x.org")),
        ("Email: ann@x.org and bob@x.org please", ("ann@x.org", "bob@x.org")),
        ("Ann <ann@x.org> Bob <bob@x.org>", ("ann@x.org", "bob@x.org")),
        ('"Doe, Ann" <ann@x.org>, Doe, Bob <bob@x.org>', ("ann@x.org", "bob@x.org")),
        ('"no@x.org, Ann" <ann@x.org>', ("ann@x.org",)),
        ('ann@x.org"; bob@x.org"', ("ann@x.org", "bob@x.org")),
        ("ann@x.org; ANN@X.ORG; bob@x.org", ("ann@x.org", "bob@x.org")),
        ("n/a; ann@x.org; bob@", ("ann@x.org",)),
        ("ann@x.org; bob smith@x.org", ("ann@x.org",)),
        ("sales/export@x.org", ("sales/export@x.org",)),
        ("ann@x.org sales/bob@@x.org", ("ann@x.org",)),
    ],
)
def test_split_emails_finds_every_address_once_and_in_order(field, addresses):
    """However the addresses are parted, each good one is found once, and what is none is dropped."""
    assert addresses == split_emails(field)


@pytest.mark.parametrize("field", ["n/a", "none; nothing", "bob@", "ann@@x.org, @x.org", "bob smith@x.org"])
def test_split_emails_refuses_a_field_without_one_good_address(field):
    """Something that is no address is an error, not an empty field."""
    with pytest.raises(MappingError) as caught:
        split_emails(field)

    assert "bad_email" == caught.value.reason


@pytest.mark.parametrize(
    ("typed", "region", "phone"),
    [
        ("", "US", ""),
        (" \u00a0 ", None, ""),
        ("(414) 555-4787", "US", "+14145554787"),
        ("4145554787", "United States", "+14145554787"),
        ("414-555-4787 ext 12", "US", "+14145554787 ext. 12"),
        ("414.555.4787 x12", "US", "+14145554787 ext. 12"),
        ("tel:+1-414-555-4787;ext=12", None, "+14145554787 ext. 12"),
        ("+44 20 7946 0018", "US", "+442079460018"),
        ("0044 20 7946 0018", None, "+442079460018"),
        ("030 123456", "Deutschland", "+4930123456"),
        ("06 698 12345", "IT", "+390669812345"),
        ("030 123456", None, "030 123456"),
        ("030 123456", "Atlantis", "030 123456"),
        ("  ask   Bob ", "US", "ask Bob"),
        ("000", "US", "000"),
        ("414-555-4787 / 414-555-4788", "US", "414-555-4787 / 414-555-4788"),
        ("1" * 300, "US", "1" * 300),
    ],
)
def test_clean_phone_reads_numbers_and_keeps_the_rest(typed, region, phone):
    """A valid number comes back international with its extension, anything else as it was typed."""
    assert phone == clean_phone(typed, region=region)


@pytest.mark.parametrize(
    ("typed", "phone"),
    [
        ("404 555 0100", "(404) 555-0100"),
        ("+1 404 555 0100 ext. 7", "(404) 555-0100"),
        ("416-555-0199", "(416) 555-0199"),
        ("+49 30 123456", None),
        ("555-0100", None),
        ("000", None),
        ("", None),
    ],
)
def test_us_phone_is_ten_digits_of_the_north_american_plan(typed, phone):
    """Numbers of the North American plan are written the US way, others are none."""
    assert phone == us_phone(typed)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", ""),
        ("-", ""),
        ("Atlantis", ""),
        ("us", "US"),
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("United States of America", "US"),
        ("840", "US"),
        ("UK", "GB"),
        ("England", "GB"),
        ("GB", "GB"),
        ("Deutschland", "DE"),
        ("GER", "DE"),
        (" the netherlands ", "NL"),
        ("Österreich", "AT"),
        ("Oesterreich", "AT"),
        ("COTE D'IVOIRE", "CI"),
        ("Republic of Korea", "KR"),
        ("Korea, Republic of", "KR"),
        ("Hong Kong", "HK"),
        ("Türkiye", "TR"),
        ("Kosovo", "XK"),
        ("EL", "GR"),
    ],
)
def test_country_code_knows_what_erps_write(text, code):
    """Codes, names and common spellings lead to the ISO code; what is unknown leads to nothing."""
    assert code == country_code(text)


def test_member_address_is_in_mailchimps_order():
    """A complete address becomes the ADDRESS value with its keys in Mailchimp's order."""
    expected = OrderedDict(addr1="1 Main St", addr2="Suite 2", city="Madison", state="WI", zip="53703", country="US")

    assert expected == OrderedDict(member_address(MADISON))


@pytest.mark.parametrize("missing", ["line1", "city", "region", "postal_code"])
def test_member_address_is_whole_or_nothing(missing):
    """Without one of the parts Mailchimp insists on there is no value at all."""
    parts = {"line1": "1 Main St", "city": "Madison", "region": "WI", "postal_code": "53703"}

    assert member_address(Address(**parts)) is not None
    assert member_address(Address(**parts | {missing: " "})) is None


def test_member_address_placeholder_stands_for_state_and_postal_code_only():
    """The placeholder fills a missing state or postal code, never street or city."""
    filled = member_address(Address(line2="1 Rue A", city="Lyon"), placeholder="-")

    assert {"addr1": "1 Rue A", "addr2": "", "city": "Lyon", "state": "-", "zip": "-"} == filled
    assert member_address(Address(city="Lyon"), placeholder="-") is None
    assert member_address(Address(line1="1 Rue A"), placeholder="-") is None


def test_member_address_parts_fit_255_bytes():
    """A long part is cut between characters."""
    value = member_address(Address(line1="ü" * 200, city="X", region="Y", postal_code="Z"))

    assert value is not None
    assert "ü" * 127 == value["addr1"]


def test_store_address_holds_what_is_known():
    """Only the parts that are filled are there, and a short region is also its code."""
    assert {
        "address1": "1 Main St",
        "address2": "Suite 2",
        "city": "Madison",
        "province": "WI",
        "province_code": "WI",
        "postal_code": "53703",
        "country": "USA",
        "country_code": "US",
    } == store_address(MADISON)
    assert {"province": "Bayern"} == store_address(Address(region="Bayern"))
    assert store_address(Address(line1="  ")) is None


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("plain", 255, "plain"),
        ("plain", 3, "pla"),
        ("", 3, ""),
        ("grün", 5, "grün"),
        ("grün", 4, "grü"),
        ("grün", 3, "gr"),
        ("xa\u0308\u0301", 4, "x"),
        ("ba\u0308", 3, "b"),
        ("x\U0001f468\u200d\U0001f469", 8, "x"),
        ("x\U0001f44d\U0001f3fd", 8, "x"),
        ("\u0308\u0308", 2, "\u0308"),
        ("a\ud800b", 9, "a?b"),
    ],
)
def test_cut_utf8_parts_no_character(text, limit, cut):
    """The cut falls between whole characters with their accents and joiners."""
    assert cut == cut_utf8(text, limit)


def field(kind: str, **options: object) -> MergeField:
    """A merge field of this type."""
    return MergeField(tag="SOMEFIELD", type=kind, options=options)


COLOURS = {"choices": ["Red", "Dark Blue ", "Yes"]}
NOON = datetime(2026, 3, 1, 23, 30, tzinfo=timezone(timedelta(hours=-5)))


@pytest.mark.parametrize(
    ("kind", "options", "value", "expected"),
    [
        ("text", {}, " Harbour Bikes ", "Harbour Bikes"),
        ("text", {}, "ü" * 200, "ü" * 127),
        ("text", {}, True, "Yes"),
        ("text", {}, False, "No"),
        ("text", {}, 0, "0"),
        ("text", {}, Decimal("12.50"), "12.50"),
        ("text", {}, Decimal("1E+3"), "1000"),
        ("text", {}, 0.1, "0.1"),
        ("text", {}, 12.0, "12"),
        ("text", {}, date(2026, 3, 1), "2026-03-01"),
        ("text", {}, NOON, "2026-03-01"),
        ("smsphone", {}, "+14145554787", "+14145554787"),
        ("number", {}, 7, 7),
        ("number", {}, Decimal("12.00"), 12),
        ("number", {}, Decimal("19.99"), 19.99),
        ("number", {}, 0.1 + 0.2, 0.1 + 0.2),
        ("number", {}, Decimal("1234567890123456.78"), "1234567890123456.78"),
        ("number", {}, 2**60, str(2**60)),
        ("number", {}, " 12.5 ", 12.5),
        ("number", {}, Decimal("1E-400"), 0),
        ("date", {}, date(2026, 3, 1), "2026-03-01"),
        ("date", {}, NOON, "2026-03-01"),
        ("date", {}, datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01"),
        ("date", {}, "2026-03-01", "2026-03-01"),
        ("date", {}, "2026-03-01T10:11:12Z", "2026-03-01"),
        ("date", {}, "2026/3/1", "2026-03-01"),
        ("date", {}, "03/01/2026", "2026-03-01"),
        ("date", {}, "01-03-2026", "2026-03-01"),
        ("birthday", {}, date(1980, 2, 29), "02/29"),
        ("birthday", {}, "2/29", "02/29"),
        ("birthday", {}, "1980-12-24", "12/24"),
        ("zip", {}, "53703", "53703"),
        ("zip", {}, "53703-1234", "53703"),
        ("phone", {}, "ask Bob", "ask Bob"),
        ("phone", {"phone_format": "none"}, "+49 30 123456", "+49 30 123456"),
        ("phone", {"phone_format": "US"}, "+14145554787 ext. 12", "(414) 555-4787"),
        ("phone", {"phone_format": "US"}, 4145554787, "(414) 555-4787"),
        ("url", {}, "www.x.org", "http://www.x.org"),
        ("url", {}, "HTTPS://x.org/a?b=c", "HTTPS://x.org/a?b=c"),
        ("imageurl", {}, "https://x.org/logo.png", "https://x.org/logo.png"),
        ("dropdown", COLOURS, "Red", "Red"),
        ("dropdown", COLOURS, "dark blue", "Dark Blue "),
        ("radio", COLOURS, True, "Yes"),
        ("radio", {}, "Anything", "Anything"),
        ("address", {}, MADISON, member_address(MADISON)),
        ("address", {}, member_address(LYON, placeholder="-"), member_address(LYON, placeholder="-")),
        ("address", {}, LYON, None),
        ("address", {}, Address(), ""),
    ],
)
def test_merge_value_takes_the_form_of_the_field(kind, options, value, expected):
    """Each type of merge field gets the form and the Python type that Mailchimp takes."""
    got = merge_value(value, field(kind, **options))

    assert expected == got
    assert type(expected) is type(got)


@pytest.mark.parametrize(
    "kind",
    ["text", "number", "date", "birthday", "zip", "phone", "url", "imageurl", "radio", "dropdown", "address"],
)
@pytest.mark.parametrize("nothing", [None, "", " \t"])
def test_merge_value_of_nothing_clears_the_field(kind, nothing):
    """No value and blanks become the empty text, which clears a field of any type."""
    assert "" == merge_value(nothing, field(kind, phone_format="US", choices=["A"]))


@pytest.mark.parametrize(
    ("kind", "options", "value", "expected"),
    [
        ("text", {}, ["hidden"], "text"),
        ("text", {}, {"a": "hidden"}, "text"),
        ("text", {}, MADISON, "text"),
        ("text", {}, math.nan, "text"),
        ("number", {}, "hidden", "a number"),
        ("number", {}, True, "a number"),
        ("number", {}, Decimal("Infinity"), "a number"),
        ("number", {}, "1E999999999", "a number"),
        ("number", {}, date(2026, 3, 1), "a number"),
        ("number", {}, "1,5", "a number"),
        ("date", {}, "hidden", "a date"),
        ("date", {}, "02/30/2026", "a date"),
        ("date", {}, 20260301, "a date"),
        ("birthday", {}, "13/01", "MM/DD"),
        ("birthday", {}, "hidden", "MM/DD"),
        ("zip", {}, "SW1A 1AA", "five-digit"),
        ("zip", {}, 53703, "five-digit"),
        ("phone", {"phone_format": "US"}, "+49 30 123456", "US phone number"),
        ("phone", {"phone_format": "US"}, "hidden", "US phone number"),
        ("url", {}, "hidden", "a web address"),
        ("url", {}, "ftp://hidden.org", "a web address"),
        ("url", {}, "http://[hidden.org", "a web address"),
        ("url", {}, "hid den.org", "a web address"),
        ("url", {}, 7, "a web address"),
        ("dropdown", COLOURS, "hidden", "one of its 3 choices"),
        ("address", {}, "hidden", "an address"),
        ("address", {}, {"street": "hidden"}, "addr1, city, state and zip"),
        ("address", {}, {"addr1": "hidden", "city": "hidden", "state": " ", "zip": "1"}, "addr1, city, state and zip"),
    ],
)
def test_merge_value_refuses_what_does_not_fit_and_never_shows_it(kind, options, value, expected):
    """The error names the tag and what the field takes, and keeps the value to itself."""
    with pytest.raises(MappingError) as caught:
        merge_value(value, field(kind, **options))

    assert "merge_field_type" == caught.value.reason
    assert "SOMEFIELD" in str(caught.value)
    assert expected in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("C00012", "C00012"),
        ("01-ABF.x_y", "01-ABF.x_y"),
        ("BOLT 3/8", "BOLT~203~2F8"),
        ("50%~", "50~25~7E"),
        ("ü", "~C3~BC"),
        (".", "~2E"),
        ("..", "~2E~2E"),
        ("a\n", "a~0A"),
    ],
)
def test_safe_id_keeps_plain_keys_and_escapes_the_rest(key, expected):
    """Only letters, digits and a few signs survive as they are, and the key can be read back."""
    assert expected == safe_id(key)
    assert key == original_id(expected)


def test_safe_id_shortens_long_keys_to_one_id_each():
    """A key that does not fit becomes its start and a hash: short enough, distinct, and marked as not reversible."""
    first, second = safe_id("K" * 60 + "1"), safe_id("K" * 60 + "2")

    assert 50 == len(first) == len(second)
    assert first != second
    assert first.startswith("K" * 28 + "~~")
    with pytest.raises(ValueError, match="shortened"):
        original_id(first)


def test_safe_id_refuses_an_empty_key_and_a_limit_without_room():
    """Neither an empty key nor a limit shorter than the hash can give an id."""
    with pytest.raises(MappingError) as caught:
        safe_id("")
    assert "empty_id" == caught.value.reason

    with pytest.raises(ValueError, match="at least 22"):
        safe_id("K" * 30, limit=21)


@pytest.mark.parametrize("strange", ["", "a b", "~2f", "~4", "~FF", "~41", ".", "x/y"])
def test_original_id_refuses_what_safe_id_never_makes(strange):
    """An id that this library did not make is not given a key."""
    with pytest.raises(ValueError, match=r"safe_id|decode"):
        original_id(strange)
