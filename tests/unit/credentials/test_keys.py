"""The keys of a vault."""

from __future__ import annotations

import base64
import pickle
import re

import pytest
from hypothesis import given, strategies as st

from mlconnector_sdk.credentials import KeyRing
from mlconnector_sdk.errors import ConfigurationError, VaultError
from tests.unit.credentials._told import everything_told

OLD, NEW = KeyRing.generate(), KeyRing.generate()


def test_a_generated_key_is_a_new_one():
    """No two keys are the same, and each makes a ring of one name."""
    assert OLD != NEW
    assert KeyRing(OLD).names != KeyRing(NEW).names
    assert 1 == len(KeyRing(OLD).names)


def test_a_ring_shows_names_and_no_keys():
    """Neither repr nor str of a ring has a key; the names tell keys apart, the newest first."""
    ring = KeyRing(NEW, OLD)

    assert (*KeyRing(NEW).names, *KeyRing(OLD).names) == ring.names
    assert not any(key.rstrip("=") in f"{ring!r} {ring}" for key in (OLD, NEW))
    assert f"<KeyRing {ring.names[0]} {ring.names[1]}>" == repr(ring)


def test_one_key_has_one_name():
    """A key given twice counts once."""
    assert KeyRing(NEW).names == KeyRing(NEW, NEW).names


@given(st.binary())
def test_what_is_sealed_can_be_opened(content):
    """Any content comes back, also by a ring on which its key is not the newest."""
    sealed = KeyRing(OLD).seal(content)

    assert content == KeyRing(OLD).unseal(sealed) == KeyRing(NEW, OLD).unseal(sealed)
    assert KeyRing(NEW, OLD).seal(content).startswith(KeyRing(NEW).names[0])


@given(st.data())
def test_not_a_character_of_what_is_sealed_may_change(data):
    """Changed, added or removed in any place by any character, it does not open; nor does anything else break."""
    ring = KeyRing(NEW, OLD)
    sealed = ring.seal(data.draw(st.binary(max_size=20)))
    place = data.draw(st.integers(0, len(sealed)))
    length = data.draw(st.integers(0, 1))
    put = data.draw(st.text(max_size=2))
    changed = sealed[:place] + put + sealed[place + length :]

    if changed == sealed:
        assert ring.unseal(changed) is not None
    elif re.match(r"[0-9a-f]{8}\.", changed) and changed[:8] not in ring.names:
        with pytest.raises(VaultError, match="sealed with key"):
            ring.unseal(changed)
    else:
        assert ring.unseal(changed) is None


@pytest.mark.parametrize("bits", range(1, 4))
def test_meaningless_bits_may_not_change_either(bits):
    """Base64 has spare bits at its end; a text that differs in them only is not the one that was sealed."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    ring = KeyRing(NEW)
    sealed = ring.seal(b"")
    last = len(sealed.rstrip("=")) - 1
    changed = sealed[:last] + letters[letters.index(sealed[last]) ^ bits] + sealed[last + 1 :]

    assert base64.urlsafe_b64decode(changed.partition(".")[2]) == base64.urlsafe_b64decode(sealed.partition(".")[2])
    assert ring.unseal(changed) is None


def test_another_key_of_the_ring_does_not_open():
    """What bears the name of the wrong key is not opened by guessing."""
    ring = KeyRing(NEW, OLD)
    token = KeyRing(OLD).seal(b"x").partition(".")[2]

    assert ring.unseal(f"{ring.names[0]}.{token}") is None


def test_a_missing_key_is_named():
    """What was sealed with a key that is not on the ring says which one it needs."""
    with pytest.raises(VaultError, match=f"sealed with key {KeyRing(OLD).names[0]}.*{KeyRing(NEW).names[0]}.*add") as e:
        KeyRing(NEW).unseal(KeyRing(OLD).seal(b"x"))

    assert "wrong_key" == e.value.reason


def test_keys_come_from_the_environment(monkeypatch):
    """A variable holds one key or several, the newest first."""
    monkeypatch.setenv("MLCONNECTOR_KEY", NEW)
    monkeypatch.setenv("ACME_KEYS", f" {NEW},\n {OLD} ")

    assert KeyRing(NEW).names == KeyRing.from_environment().names
    assert KeyRing(NEW, OLD).names == KeyRing.from_environment("ACME_KEYS").names


def test_keys_come_from_a_file(tmp_path):
    """A file holds a key a line, with remarks between them."""
    path = tmp_path / "keys"
    path.write_text(f"# since spring\n{NEW}\n\n  # until then\n{OLD}\n")

    assert KeyRing(NEW, OLD).names == KeyRing.from_file(path).names == KeyRing.from_file(str(path)).names


def test_a_ring_travels_as_the_way_to_its_keys(monkeypatch, tmp_path):
    """A pickled ring holds no key but where they are to be found; one that was handed its keys is not pickled."""
    (tmp_path / "keys").write_text(NEW)
    monkeypatch.setenv("ACME_KEYS", NEW)
    monkeypatch.chdir(tmp_path)
    for ring in (KeyRing.from_environment("ACME_KEYS"), KeyRing.from_file("keys")):
        pickled = pickle.dumps(ring)
        monkeypatch.chdir("/")

        assert NEW.encode() not in pickled
        assert ring.names == pickle.loads(pickled).names
        monkeypatch.chdir(tmp_path)
    for ring in (KeyRing(NEW), KeyRing.from_text(NEW)):
        with pytest.raises(TypeError, match="from_environment"):
            pickle.dumps(ring)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: KeyRing("correct horse"), "the key is no vault key: make one with KeyRing.generate"),
        (lambda path: KeyRing(NEW[:-4]), "the key is no vault key"),
        (lambda path: KeyRing(None), "the key is no vault key"),
        (lambda path: KeyRing(NEW, "correct horse"), "key 2 of 2 is no vault key"),
        (lambda path: KeyRing("schlüssel"), "the key is no vault key"),
        (lambda path: KeyRing.from_text(" , "), "the text holds no key"),
        (lambda path: KeyRing.from_text(f"{NEW} correct horse"), "the text: key 2 of 3 is no vault key"),
        (lambda path: KeyRing.from_environment("NO_SUCH_NAME"), "the environment variable NO_SUCH_NAME holds no key"),
        (lambda path: KeyRing.from_file(path / "none"), r"the key file .*none cannot be read \(No such file"),
        (lambda path: KeyRing.from_file(path), "the key file .* cannot be read"),
        (lambda path: KeyRing.from_file(path / "text"), "the key file .*text: key 1 of 2 is no vault key"),
        (lambda path: KeyRing.from_file(path / "bytes"), "the key file .*bytes: key 1 of 2 is no vault key"),
        (lambda path: KeyRing.from_file(path / "remarks"), "the key file .*remarks holds no key"),
    ],
)
def test_what_is_no_key_is_refused(make, message, tmp_path):
    """A key that is missing or none is told at once, with the place where it should be and without its text."""
    (tmp_path / "text").write_text("correct horse")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "remarks").write_text(f"# {NEW}\n")

    with pytest.raises(VaultError, match=message) as caught:
        make(tmp_path)

    assert "no_key" == caught.value.reason
    assert isinstance(caught.value, ConfigurationError)
    assert not any(text in everything_told(caught.value) for text in (NEW[:-4], "horse", "schl"))
