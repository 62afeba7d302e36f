"""Secrets by name, sealed."""

from __future__ import annotations

import json
import pickle
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from mlconnector_sdk.auth import CloudPairing, OAuth2AuthorizationCode, OAuth2Token
from mlconnector_sdk.credentials import EncryptedVault, KeyRing
from mlconnector_sdk.errors import ConfigurationError, StateError, VaultError
from mlconnector_sdk.protocols import Vault
from mlconnector_sdk.state import MemoryStateStore, SQLiteStateStore
from tests.unit.credentials._told import everything_told

OLD, NEW = KeyRing.generate(), KeyRing.generate()
SECRET = "correct horse battery staple"

# One vault serves all examples of a test.
one_vault = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

TEXTS = st.text() | st.text(st.characters(categories=["Cs", "Cc", "So"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=255)
TOKENS = st.builds(
    OAuth2Token,
    access_token=st.text(),
    refresh_token=st.text(),
    expires_at=st.none() | st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=-5, minutes=-30)))),
    scope=st.text(),
)


@pytest.fixture(name="place", params=["file", "memory", "sqlite"])
def _place(request, tmp_path):
    """Where a vault keeps its secrets: a file, or a state store."""
    if request.param == "file":
        yield tmp_path / "acme.vault"
        return
    store = MemoryStateStore() if request.param == "memory" else SQLiteStateStore(tmp_path / "state.db")
    yield store
    store.close()


@pytest.fixture(name="vault")
def _vault(place):
    return EncryptedVault(place, key=OLD)


@given(secrets=st.dictionaries(NAMES, VALUES, max_size=3))
@one_vault
def test_what_is_put_comes_back(vault, secrets):
    """Any name and any value that JSON can hold come back equal, in a vault opened anew as well, until deleted."""
    for name, secret in secrets.items():
        vault.put(name, secret)

    again = EncryptedVault(getattr(vault._entries, "path", vault._entries), key=OLD)
    assert secrets == {name: again.get_value(name) for name in secrets}
    assert tuple(sorted(secrets)) == again.names()
    for name in secrets:
        again.delete(name)
    assert () == vault.names()


def test_a_later_secret_replaces_an_earlier_one(vault):
    """The name stands for what was put last; the same value is sealed differently each time."""
    vault.put("erp", "first")
    before = vault._entries.sealed()
    vault.put("erp", SECRET)
    vault.put("other", SECRET)

    assert SECRET == vault.get("erp")
    assert 3 == len({*before.values(), *vault._entries.sealed().values()})


def test_a_missing_secret_is_named(vault):
    """Asking for what is not there says its name, the place, and what to do; deleting it is harmless."""
    with pytest.raises(VaultError, match=r"there is no secret 'erp' in .*: put it there, or check the name") as caught:
        vault.get("erp")

    assert "no_secret" == caught.value.reason
    assert isinstance(caught.value, ConfigurationError)
    vault.delete("erp")


def test_text_and_other_values_are_told_apart(vault):
    """A value that is no text is not handed out as one."""
    vault.put("limits", {"a": [1, 2.5, None]})

    assert {"a": [1, 2.5, None]} == vault.get_value("limits")
    with pytest.raises(VaultError, match="secret 'limits' is no text: read it with get_value"):
        vault.get("limits")


@pytest.mark.parametrize(
    "secret",
    [
        b"bytes " + SECRET.encode(),
        (SECRET,),
        {1: SECRET},
        {SECRET},
        [float("nan"), SECRET],
        OAuth2Token(access_token=SECRET),
        object,
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_would_come_back_changed_is_refused(vault, secret):
    """What JSON cannot hold exactly is not kept, and the error does not show it."""
    with pytest.raises(VaultError, match="secret 'erp' would not come back as it is: put text") as caught:
        vault.put("erp", secret)

    assert "horse" not in everything_told(caught.value)
    assert () == vault.names()


def test_a_value_without_end_is_refused(vault):
    """A list that holds itself is refused like any other value that cannot be kept."""
    endless = []
    endless.append(endless)

    with pytest.raises(VaultError, match="would not come back as it is"):
        vault.put("erp", endless)


@pytest.mark.parametrize("name", ["", " erp", "erp ", "e\nrp", "\x00", "\ud800", "x" * 256])
def test_an_odd_name_is_refused(vault, name):
    """A name is short and can be printed."""
    with pytest.raises(VaultError, match="1 to 255 printable characters"):
        vault.put(name, SECRET)


@given(data=st.data())
@one_vault
def test_nobody_changes_a_secret_unnoticed(vault, data):
    """One character more, less or different in an entry, wherever: the secret is not given out, and the entry named."""
    vault.put("erp", SECRET)
    sealed = vault._entries.sealed()["erp"]
    place = data.draw(st.integers(0, len(sealed)))
    changed = sealed[:place] + data.draw(st.text(max_size=2)) + sealed[place + data.draw(st.integers(0, 1)) :]
    assert vault._entries.exchange_sealed("erp", sealed, changed)

    if changed != sealed:
        with pytest.raises(VaultError, match=r"secret 'erp' (is not what was sealed|was sealed with key)") as caught:
            vault.get("erp")
        assert "horse" not in everything_told(caught.value)
        assert vault._entries.exchange_sealed("erp", changed, sealed)
    assert SECRET == vault.get("erp")


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_file_gives_no_other_secret(tmp_path, data):
    """Whatever byte of a vault's file is changed, a secret comes out as it was, or not at all."""
    path = tmp_path / "acme.vault"
    path.unlink(missing_ok=True)
    vault = EncryptedVault(path, key=OLD)
    vault.put("erp", SECRET)
    vault.put("shop", "another one")
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)

    for name, secret in {"erp": SECRET, "shop": "another one"}.items():
        try:
            found = vault.get(name)
        except VaultError as error:
            assert "horse" not in str(error)  # noqa: PT017 - either is fine, a wrong secret is not
        else:
            assert secret == found


def test_entries_do_not_change_places(vault):
    """A secret that was put under the name of another is noticed, whether it was moved or copied."""
    vault.put("erp", SECRET)
    vault.put("shop", "another one")
    sealed = vault._entries.sealed()
    vault._entries.exchange_sealed("erp", sealed["erp"], sealed["shop"])

    with pytest.raises(VaultError, match="secret 'erp' is not what was sealed under that name") as caught:
        vault.get("erp")
    assert "changed" == caught.value.reason
    assert "another one" == vault.get("shop")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b'{"name": "erp"}', b"\xff"])
def test_what_others_sealed_with_the_key_is_no_secret(vault, content):
    """A key that is used elsewhere too lets nothing in that is no entry of a vault."""
    vault._entries.exchange_sealed("erp", None, KeyRing(OLD).seal(content))

    with pytest.raises(VaultError, match="is not what was sealed under that name"):
        vault.get("erp")


def test_a_wrong_key_is_told(vault, place):
    """With another key nothing is read, and nothing written that nobody else could read; entries can be deleted."""
    vault.put("erp", SECRET)
    other = EncryptedVault(place, key=NEW)
    names = f"{KeyRing(OLD).names[0]}.*{KeyRing(NEW).names[0]}"

    with pytest.raises(VaultError, match=f"secret 'erp' was sealed with key {names}.*: add that key") as reading:
        other.get("erp")
    with pytest.raises(VaultError, match=f"was sealed with other keys than {KeyRing(NEW).names[0]}: add") as writing:
        other.put("shop", SECRET)
    assert {"wrong_key"} == {reading.value.reason, writing.value.reason}
    assert not any(text in everything_told(reading.value) for text in ("horse", OLD[:-4], NEW[:-4]))
    assert ("erp",) == other.names()
    other.delete("erp")
    other.put("erp", "new start")
    assert "new start" == other.get("erp")


def test_keys_rotate_while_others_read_and_write(vault, place):
    """With both keys on the ring everything can be read; after `rotate` the old key is not needed any more."""
    vault.put("erp", SECRET)
    vault.put("limits", [1, 2])
    meanwhile = EncryptedVault(place, key=KeyRing(OLD, NEW))
    rotating = EncryptedVault(place, key=KeyRing(NEW, OLD))
    rotating.put("shop", "another one")

    assert 2 == rotating.rotate()
    assert (SECRET, "another one") == (meanwhile.get("erp"), meanwhile.get("shop"))
    meanwhile.put("late", "sealed with the old key")
    assert 1 == rotating.rotate()
    assert 0 == rotating.rotate()
    after = EncryptedVault(place, key=NEW)
    assert [SECRET, "sealed with the old key", [1, 2], "another one"] == [after.get_value(n) for n in after.names()]
    with pytest.raises(VaultError, match="sealed with key"):
        vault.get("erp")


def test_rotation_leaves_out_what_it_cannot_read(vault, place):
    """A damaged entry, or one of a lost key, keeps none of the others from being sealed anew, and is named."""
    vault.put("erp", SECRET)
    vault.put("shop", "another one")
    vault._entries.exchange_sealed("lost", None, KeyRing(KeyRing.generate()).seal(b"x"))
    vault._entries.exchange_sealed("damaged", None, "x")

    with pytest.raises(VaultError, match="2 secrets were sealed anew, but not damaged, lost: add the keys") as caught:
        EncryptedVault(place, key=KeyRing(NEW, OLD)).rotate()
    assert "wrong_key" == caught.value.reason
    assert SECRET == EncryptedVault(place, key=NEW).get("erp")


class Overtaken:
    """A store in which somebody else always writes first, once."""

    def __init__(self, store, key):
        self.store = store
        self.ring = KeyRing(key)
        self.pending = True

    def sealed(self, names=None):
        return self.store.sealed(names)

    def exchange_sealed(self, name, before, after):
        if self.pending:
            self.pending = False
            theirs = json.dumps({"name": name, "value": "theirs"}).encode()
            assert self.store.exchange_sealed(name, before, self.ring.seal(theirs))
        return self.store.exchange_sealed(name, before, after)


@pytest.mark.parametrize(
    ("use", "left"),
    [
        (lambda vault: vault.put("erp", "ours"), "ours"),
        (lambda vault: vault.rotate(), "theirs"),
        (lambda vault: vault.delete("erp"), None),
    ],
    ids=["put", "rotate", "delete"],
)
@pytest.mark.parametrize("their_key", [OLD, NEW], ids=["old key", "new key"])
def test_who_is_overtaken_begins_again(use, left, their_key):
    """When somebody writes the same entry in between, a write still counts, and rotation keeps what was written."""
    store = MemoryStateStore()
    EncryptedVault(store, key=OLD).put("erp", SECRET)
    vault = EncryptedVault(Overtaken(store, their_key), key=KeyRing(NEW, OLD))
    use(vault)

    assert ([] if left is None else [left]) == [vault.get(name) for name in vault.names()]
    assert all(sealed.startswith(KeyRing(NEW).names[0]) for sealed in store.sealed().values())


def test_rotation_lets_go_of_what_is_deleted(vault, place):
    """An entry that somebody deletes meanwhile stays deleted."""
    vault.put("erp", SECRET)

    class Deleting(Overtaken):
        def exchange_sealed(self, name, before, after):
            self.store.exchange_sealed(name, before, None)
            return False

    assert 0 == EncryptedVault(Deleting(vault._entries, OLD), key=KeyRing(NEW, OLD)).rotate()
    assert () == vault.names()


def test_rotation_stops_when_the_file_is_refused(tmp_path):
    """What is wrong with the file itself is told as it is."""
    path = tmp_path / "acme.vault"
    EncryptedVault(path, key=OLD).put("erp", SECRET)

    class Opening(Overtaken):
        def exchange_sealed(self, name, before, after):
            path.chmod(0o644)
            return self.store.exchange_sealed(name, before, after)

    vault = EncryptedVault(path, key=KeyRing(NEW, OLD))
    vault._entries = Opening(vault._entries, OLD)
    with pytest.raises(VaultError, match="is open to others"):
        vault.rotate()


def test_threads_share_a_vault(vault):
    """Many threads that put, read and rotate at once lose nothing."""
    vault.put("erp", SECRET)
    failures = []

    def work(number):
        try:
            for turn in range(5):
                vault.put(f"{number} {turn}", turn)
                assert SECRET == vault.get("erp")
            vault.rotate()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failures
    assert 21 == len(vault.names())


def test_a_key_may_be_asked_for(place):
    """A function that gives the key, or a ring, is called when first needed, and once."""
    asked = []

    def ask(answer):
        asked.append(answer)
        return answer

    for key in (OLD, f"{NEW} {OLD}", KeyRing(NEW, OLD)):
        vault = EncryptedVault(place, key=lambda key=key: ask(key))
        assert repr(vault)
        vault.names()
        assert key not in asked
        vault.put("erp", SECRET)
        assert SECRET == vault.get("erp")
        assert key == asked[-1]
    assert 3 == len(asked)


def test_a_vault_shows_where_it_is(vault, place):
    """Neither repr nor str of a vault shows a key or a secret."""
    vault.put("erp", SECRET)

    assert repr(vault) == str(vault) == f"<EncryptedVault {place if hasattr(place, 'name') else repr(place)}>"


def test_vaults_of_one_place_are_equal(vault, place, tmp_path):
    """Two vaults are the same when they keep their secrets in one place."""
    assert vault == EncryptedVault(place, key=OLD)
    assert hash(vault) == hash(EncryptedVault(place, key=OLD))
    assert vault != EncryptedVault(tmp_path / "other.vault", key=OLD)
    assert vault != place


@pytest.mark.parametrize("key", ["", "correct horse"])
def test_a_key_that_is_none_is_refused_at_once(tmp_path, key):
    """A vault is not made with a text that holds no key."""
    with pytest.raises(VaultError, match="key") as caught:
        EncryptedVault(tmp_path / "acme.vault", key=key)
    assert "horse" not in everything_told(caught.value)


def test_a_store_that_keeps_no_secrets_is_refused():
    """What is neither a path nor such a store is told by its kind."""
    with pytest.raises(VaultError, match="a dict keeps no secrets: name a file"):
        EncryptedVault({}, key=OLD)


def test_a_closed_database_is_a_state_error(tmp_path):
    """What a database refuses is told as for any other use of it."""
    (tmp_path / "state.db").write_text("no database, but some text that is long enough to look at")
    store = SQLiteStateStore(tmp_path / "state.db")

    with pytest.raises(StateError, match="no SQLite database"):
        EncryptedVault(store, key=OLD).names()
    store.close()


def test_a_vault_in_a_file_travels_without_its_key(tmp_path, monkeypatch):
    """Pickled, a vault is its path and where its key is found; keys that were handed over do not travel."""
    monkeypatch.setenv("ACME_KEY", OLD)
    monkeypatch.chdir(tmp_path)
    vault = EncryptedVault("acme.vault", key=KeyRing.from_environment("ACME_KEY"))
    vault.put("erp", SECRET)
    pickled = pickle.dumps(vault)
    monkeypatch.chdir("/")

    assert OLD.encode() not in pickled
    assert SECRET.encode() not in pickled
    assert SECRET == pickle.loads(pickled).get("erp")
    for key in (OLD, KeyRing(OLD)):
        with pytest.raises(TypeError, match="from_environment"):
            pickle.dumps(EncryptedVault(tmp_path / "acme.vault", key=key))


def _ask():
    return OLD


def test_a_vault_whose_key_is_asked_for_travels(tmp_path):
    """A function of a module travels by its name, also after it was asked."""
    vault = EncryptedVault(tmp_path / "acme.vault", key=_ask)
    vault.put("erp", SECRET)

    assert SECRET == pickle.loads(pickle.dumps(vault)).get("erp")


def test_a_vault_in_a_state_store_stays(tmp_path):
    """A vault in a state store belongs to its process, and says so."""
    with pytest.raises(TypeError, match="build it anew"):
        pickle.dumps(EncryptedVault(MemoryStateStore(), key=KeyRing(OLD)))


# Tokens


@given(token=TOKENS)
@one_vault
def test_tokens_come_back(vault, token):
    """Every token comes back equal, its expiry to the microsecond."""
    vault.saver("x3 pairing")(token)

    assert token == vault.loader("x3 pairing")() == vault.get_token("x3 pairing")


def test_there_may_be_no_token_yet(vault):
    """Before the first token there is none, which is no error."""
    assert vault.loader("x3 pairing")() is None


@pytest.mark.parametrize(
    "value",
    [SECRET, [SECRET], {"scope": SECRET}, {"access_token": 5}, {"access_token": "a", "expires_at": "soon"},
     {"access_token": "a", "expires_at": 5}, {"access_token": "a", "expires_at": "2026-01-01T00:00:00"}],
    ids=str,
)  # fmt: skip
def test_what_is_no_token_is_told(vault, value):
    """Another secret is not taken for a token, nor shown."""
    vault.put("x3 pairing", value)

    with pytest.raises(VaultError, match="secret 'x3 pairing' is no OAuth 2 token: check the name") as caught:
        vault.get_token("x3 pairing")
    assert "horse" not in everything_told(caught.value)


def test_a_token_that_was_changed_is_told(vault):
    """A damaged token is not taken for none: that would end a consent."""
    vault.put_token("x3 pairing", OAuth2Token(access_token="a"))
    sealed = vault._entries.sealed()["x3 pairing"]
    vault._entries.exchange_sealed("x3 pairing", sealed, sealed[:-1])

    with pytest.raises(VaultError, match="is not what was sealed"):
        vault.get_token("x3 pairing")


def test_ways_to_sign_in_travel_with_their_vault(tmp_path, monkeypatch):
    """What saves and loads tokens goes through pickle with the value that has it, and shows no secret."""
    monkeypatch.setenv("ACME_KEY", OLD)
    vault = EncryptedVault(tmp_path / "acme.vault", key=KeyRing.from_environment("ACME_KEY"))
    token = OAuth2Token(access_token=SECRET, refresh_token=SECRET, expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    vault.put_token("pair", token)
    keeping = {"save": vault.saver("pair"), "load": vault.loader("pair"), "client_secret": vault.reference("client")}
    values = (
        CloudPairing(client_id="app", redirect_uri="https://mine.example/done", **keeping),
        OAuth2AuthorizationCode(client_id="app", **keeping),
    )

    for value in values:
        pickled = pickle.dumps(value)
        assert value == pickle.loads(pickled)
        assert token == pickle.loads(pickled).load()
        assert not any(text.encode() in pickled for text in (SECRET, OLD))
        assert SECRET not in f"{value!r} {value.save!r} {value.load!r}"


def test_it_is_a_vault(tmp_path):
    """Type checkers take it wherever a `Vault` is wanted, and it behaves like one."""
    vault: Vault = EncryptedVault(tmp_path / "acme.vault", key=OLD)
    vault.put("erp", SECRET)

    assert SECRET == vault.get("erp")
