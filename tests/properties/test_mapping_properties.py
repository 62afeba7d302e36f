from __future__ import annotations

from decimal import Decimal

import phonenumbers
import pytest
from email_validator import validate_email
from hypothesis import example, given, settings, strategies as st

from mlconnector_sdk.errors import MappingError
from mlconnector_sdk.mapping import (
    GLAccountFormat,
    clean_email,
    clean_phone,
    cut_utf8,
    member_address,
    merge_value,
    original_id,
    safe_id,
    split_emails,
)
from mlconnector_sdk.mapping._emails import _is_plain
from mlconnector_sdk.mapping._phones import short_way
from mlconnector_sdk.models import Address, MergeField

COUNTRIES = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS_OF_NUMBER = [phonenumbers.PhoneNumberType.FIXED_LINE, *range(11)]
FORMS_OF_NUMBERS = [
    phonenumbers.PhoneNumberFormat.E164,
    phonenumbers.PhoneNumberFormat.INTERNATIONAL,
    phonenumbers.PhoneNumberFormat.NATIONAL,
]

LABELS = st.text("ab-09", min_size=1, max_size=6) | st.just("b" * 64) | st.just("xn--bcher-kva")
ENDINGS = st.sampled_from(["org", "co.uk", "x", "c0m", "a-b", "local", "test", "invalid", "localx", "arpa", "o" * 64])
NEARLY_ADDRESSES = st.builds(
    "{}@{}.{}".format,
    st.text("ab.-_+0'!\u00fc ", min_size=1, max_size=8) | st.just("l" * 250),
    st.lists(LABELS, min_size=1, max_size=3).map(".".join),
    ENDINGS,
)
ADDRESSES = st.builds(
    "{}@{}.{}".format,
    st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8})?", fullmatch=True),
    st.from_regex(r"[a-z]{1,8}(-[a-z]{1,3})?", fullmatch=True),
    st.sampled_from(["org", "com", "example"]),
)


@given(NEARLY_ADDRESSES | st.emails() | ADDRESSES)
@example("bob@a.org")
@example("bob@ab--c.org")
def test_the_short_cut_agrees_with_the_library(text):
    """What the short cut accepts, email-validator accepts and returns unchanged."""
    lowered = text.lower()
    if _is_plain(lowered):
        found = validate_email(lowered, check_deliverability=False, test_environment=True)

        assert lowered == found.normalized


@given(ADDRESSES)
def test_ordinary_addresses_take_the_short_cut(address):
    """The short cut is there for the common case."""
    assert _is_plain(address)


def cleaned(text: str) -> str | None:
    """The cleaned address, or nothing when it is refused."""
    try:
        return clean_email(text)
    except MappingError:
        return None


@given(NEARLY_ADDRESSES | st.emails() | st.text() | st.text('ab@.,;:<>"() /\u00df\u0130\u1e9e\u200b\x00'))
def test_cleaning_twice_changes_nothing(text):
    """A cleaned address is clean, lower-cased and stripped; anything else is refused with our own error."""
    address = cleaned(text)
    if address is not None:
        assert address == clean_email(address)
        assert address == address.strip().lower()
        assert 1 == address.count("@")


@given(
    ADDRESSES, st.sampled_from(["{}", " {} ", "<{}>", '"A, B" <{}>', "mailto:{}", "{};", "'{}'", "{}\0\0", "{} (x)"])
)
def test_no_dress_changes_the_address(address, dress):
    """However an address is dressed, in whatever case, the same address comes out."""
    assert address == clean_email(dress.format(address.upper()))


@given(st.lists(ADDRESSES, min_size=1), st.sampled_from([";", ",", " ", "; ", "/", " / ", "\n", " or ", "|", "&"]))
def test_every_address_of_a_field_is_found(addresses, separator):
    """Joining addresses and splitting the field again gives the distinct addresses in order."""
    assert tuple(dict.fromkeys(addresses)) == split_emails(separator.join(addresses))


@given(st.text() | st.text('ab@x.org,;:<>"() /\x00'))
def test_split_emails_yields_clean_addresses_or_our_error(text):
    """Whatever the field holds, every piece that comes out is a clean address."""
    try:
        found = split_emails(text)
    except MappingError:
        return

    assert list(found) == [clean_email(address) for address in found]
    assert len(found) == len(set(found))


@given(st.text() | st.text("+0123456789-() x./"), st.sampled_from([None, "US", "DE", "IT", "nowhere"]))
def test_clean_phone_never_fails_and_is_stable(text, region):
    """Any text gives a phone text, and cleaning it again changes nothing."""
    phone = clean_phone(text, region=region)

    assert phone == clean_phone(phone, region=region)


@st.composite
def nearly_phones(draw: st.DrawFn) -> tuple[str, str]:
    """A number of some country as people there write it, or nearly, and the country it is read in."""
    country = draw(st.sampled_from(COUNTRIES))
    number = phonenumbers.example_number_for_type(country, draw(st.sampled_from(KINDS_OF_NUMBER)))
    form = draw(st.sampled_from(FORMS_OF_NUMBERS))
    written = phonenumbers.format_number(number, form) if number is not None else draw(st.from_regex(r"\+?[0-9]{3,14}"))
    at = draw(st.integers(0, len(written)))
    instead = draw(st.sampled_from(["", "", "", "0", "1", "7", "+", "00", "(0)", " ", "-", "/", "x1"]))
    text = written[:at] + instead + written[at + draw(st.integers(0, 1)) * bool(instead) :]
    return draw(st.sampled_from(["", "+", "0", "011"])) * draw(st.booleans()) + text, draw(
        st.just(country) | st.sampled_from([*COUNTRIES, ""])
    )


@given(nearly_phones())
@example(("+04684601234", "SE"))
@settings(max_examples=400)
def test_the_short_way_to_a_phone_number_agrees_with_the_library(phone):
    """What the short way makes of a number is what phonenumbers makes of it."""
    text, country = phone
    found = short_way(text, country)
    if found is not None:
        number = phonenumbers.parse(text, country or None)

        assert phonenumbers.is_valid_number(number)
        assert found == phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@pytest.mark.parametrize("country", ["US", "CA", "FR", "DE", "GB", "IT", "ES", "AU", "ZA", "NL"])
def test_ordinary_phone_numbers_take_the_short_way(country):
    """The short way is there for the common case: fixed lines, as the country and as the world writes them."""
    number = phonenumbers.example_number(country)
    written = [phonenumbers.format_number(number, form) for form in FORMS_OF_NUMBERS]

    assert None not in [short_way(text, country) for text in written]


@given(st.text(), st.integers(0, 40))
def test_a_cut_fits_and_is_a_beginning(text, limit):
    """The cut fits the limit, encodes, and is where the text begins; what fits stays whole."""
    cut = cut_utf8(text, limit)

    assert len(cut.encode()) <= limit
    assert text.startswith(cut)
    if len(text.encode()) <= limit:
        assert text == cut


ANY_TEXT = st.text(st.characters(), min_size=1)


@given(ANY_TEXT)
@example("~")
@example("%41")
@example("\ud800")
def test_store_ids_can_be_read_back(key):
    """An id that was not shortened leads back to its key, and holds URL-safe characters only."""
    safe = safe_id(key, limit=10_000)

    assert key == original_id(safe)
    assert not set(safe) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~")


@given(st.lists(ANY_TEXT | st.text("a~2/", min_size=20, max_size=60), unique=True), st.integers(22, 50))
def test_store_ids_are_distinct_and_short(keys, limit):
    """Different keys never share an id, and no id is longer than the limit."""
    ids = [safe_id(key, limit=limit) for key in keys]

    assert len(keys) == len(set(ids))
    assert all(0 < len(text) <= limit for text in ids)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20))
def test_numbers_keep_their_value(number):
    """A decimal in a number field is exactly the decimal, whatever Python type carries it."""
    got = merge_value(number, MergeField(tag="CREDIT", type="number"))

    assert number == Decimal(repr(got) if isinstance(got, float) else got)


@given(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text() | st.dates() | st.datetimes(),
    st.sampled_from("text number date birthday zip phone url imageurl radio dropdown address other".split()),
    st.sampled_from([{}, {"phone_format": "US", "choices": ["Yes", "No"]}]),
)
def test_merge_values_fit_or_are_refused(value, kind, options):
    """Any value gives a JSON scalar of bounded size, or the record is set aside with a reason."""
    try:
        got = merge_value(value, MergeField(tag="FIELD", type=kind, options=options))
    except MappingError as error:
        refusal = error.reason
    else:
        refusal = None
        assert isinstance(got, str | int | float)
        assert kind not in {"text", "other"} or len(str(got).encode()) <= 255

    assert refusal in {None, "merge_field_type"}


PARTS = st.text(max_size=6) | st.sampled_from(["", " ", "x"])


@given(st.builds(Address, line1=PARTS, line2=PARTS, city=PARTS, region=PARTS, postal_code=PARTS, country=PARTS))
def test_an_address_is_complete_or_absent(address):
    """No partial ADDRESS ever leaves: either every required part is filled, or there is no value."""
    value = member_address(address)
    if value is not None:
        assert all(value[name].strip() for name in ("addr1", "city", "state", "zip"))
        assert list(value) == [name for name in ("addr1", "addr2", "city", "state", "zip", "country") if name in value]


FILLS = {"N": "0123456789", "A": "ABCabc", "X": "AB01"}


@st.composite
def formats_and_texts(draw):
    """A format and a text that fits it."""
    segments = draw(st.lists(st.text("NAX", min_size=1, max_size=4), min_size=1, max_size=5))
    separators = [draw(st.sampled_from(["-", ".", "|", "/", "--", "-|"])) for _ in segments[1:]] + [""]
    pattern = "".join(segment + separator for segment, separator in zip(segments, separators, strict=True))
    text = "".join(draw(st.sampled_from(FILLS[letter])) if letter in FILLS else letter.strip("|") for letter in pattern)
    return GLAccountFormat(pattern, dimensions=[f"d{number}" for number in range(len(segments))]), text


@given(formats_and_texts())
def test_accounts_survive_writing_and_reading(format_and_text):
    """What is parsed is written as it was, and what is written parses to the same account."""
    ledger, text = format_and_text
    account = ledger.parse(text)

    assert text == account.format()
    assert account == ledger.parse(account.format())
    assert ledger.matches(text)
    assert account.parts == tuple(account.segments.values())


@given(formats_and_texts(), st.data())
def test_a_broken_account_is_refused_with_its_position(format_and_text, data):
    """Spoil one character and the error names that very position."""
    ledger, text = format_and_text
    position = data.draw(st.integers(0, len(text) - 1))
    spoiled = f"{text[:position]}#{text[position + 1 :]}"

    with pytest.raises(MappingError, match=f"position {position + 1}: "):
        ledger.parse(spoiled)
