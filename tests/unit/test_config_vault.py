"""Configs that leave their secrets in a vault."""

from __future__ import annotations

from contextlib import closing

import pytest

from mlconnector_sdk import SQLiteStateStore, SyncEngine
from mlconnector_sdk.auth import OAuth2Token
from mlconnector_sdk.config import SecretLookup, build_parts, load_config
from mlconnector_sdk.credentials import EncryptedVault, KeyRing
from mlconnector_sdk.errors import ConfigurationError, VaultError
from mlconnector_sdk.testing import FakeAcumatica, FakeMailchimp, FakeSageX3

KEY = KeyRing.generate()
CLIENT = {"client_id": "88358B02-A48D-A50E-F710-39C1636C30F6@Acme", "client_secret": "vault:client"}
REDIRECT = "https://mine.example/done"


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch):
    """The working directory, with the key in the environment."""
    monkeypatch.setenv("MLCONNECTOR_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(name="mailchimp")
def _mailchimp():
    with FakeMailchimp() as running:
        yield running


@pytest.fixture(name="erp")
def _erp():
    with FakeAcumatica(customers=3) as running:
        yield running


def config(erp, mailchimp, **parts):
    """A pipeline whose secrets are all in its vault."""
    login = {"kind": "cookie", "username": "sync", "password": "vault:erp", "tenant": "Acme"}
    return {
        "name": "acme",
        "source": {"system": "acumatica", "url": erp.base_url, "auth": login},
        "sink": {"key": "vault:mailchimp", "list_id": "a1b2c3d4e5", "base_url": mailchimp.base_url},
        "state": {"path": "acme.db"},
        **parts,
    }


def filled(vault, mailchimp):
    """A vault with what the pipeline needs."""
    vault.put("erp", "correct horse")
    vault.put("client", "s3cret")
    vault.put("mailchimp", mailchimp.api_key)
    return vault


def customers_of(parts):
    """How many customers the source reads."""
    with parts["source"] as source:
        return sum(len(page) for page in source.read("customers"))


def test_a_vault_in_a_file(folder, erp, mailchimp):
    """With a path, secrets come from that file, whose key is where the config says."""
    filled(EncryptedVault("acme.vault", key=KEY), mailchimp)
    (folder / "key").write_text(f"{KEY}\n")
    for vault in ({"path": "acme.vault"}, {"path": "acme.vault", "key": "file:key"}):
        with SyncEngine.from_config(config(erp, mailchimp, vault=vault)) as engine:
            assert engine.check().ok


def test_a_vault_in_the_state_store(folder, erp, mailchimp):
    """Without a path, secrets lie beside the state, under keys that the caller may hand over."""
    store = SQLiteStateStore("acme.db")
    filled(EncryptedVault(store, key=KEY), mailchimp)
    store.close()
    parts = build_parts(config(erp, mailchimp, vault={"key": "ours"}), secrets={"ours": KEY})

    assert 3 == customers_of(parts)
    parts["sink"].close()
    parts["state"].close()


def test_a_vault_from_the_caller(folder, erp, mailchimp):
    """A program that has a vault hands it over; the config names the secrets only."""
    vault = filled(EncryptedVault("acme.vault", key=KEY), mailchimp)
    with SyncEngine.from_config(config(erp, mailchimp), secrets=vault) as engine:
        assert engine.check().ok


def test_the_configs_own_vault_comes_first(folder, erp, mailchimp):
    """Where both have one, that of the config counts."""
    filled(EncryptedVault("acme.vault", key=KEY), mailchimp)
    empty = EncryptedVault("other.vault", key=KEY)
    parts = build_parts(config(erp, mailchimp, vault={"path": "acme.vault"}), secrets=empty)

    assert 3 == customers_of(parts)
    parts["sink"].close()


def test_the_address_of_a_database_may_be_a_secret(folder, erp, mailchimp):
    """A vault in a file also keeps what the state store needs."""
    vault = filled(EncryptedVault("acme.vault", key=KEY), mailchimp)
    vault.put("database", "sqlite://")
    state = {"kind": "sql", "url": "vault:database"}
    parts = build_parts(config(erp, mailchimp, state=state, vault={"path": "acme.vault"}))

    assert "<SQLStateStore sqlite>" == repr(parts["state"])
    for part in ("source", "sink", "state"):
        parts[part].close()


def test_a_source_looks_in_the_vault_when_it_signs_in(folder, erp, mailchimp):
    """A secret that is missing is told by `check`, and found once it is there."""
    vault = EncryptedVault("acme.vault", key=KEY)
    vault.put("mailchimp", mailchimp.api_key)
    with SyncEngine.from_config(config(erp, mailchimp, vault={"path": "acme.vault"})) as engine:
        assert "there is no secret 'erp'" in str(engine.check())
        filled(vault, mailchimp)
        assert engine.check().ok


def test_a_consent_renews_itself_in_the_vault(folder, erp, mailchimp):
    """A token that rotates is kept in the vault, so that any worker goes on from the last one."""
    vault = filled(EncryptedVault("acme.vault", key=KEY), mailchimp)
    auth = {"kind": "code", **CLIENT, "redirect_uri": REDIRECT, "token": "vault:consent"}
    source = {"system": "acumatica", "url": erp.base_url, "auth": auth}
    settings = config(erp, mailchimp, source=source, vault={"path": "acme.vault"})
    with pytest.raises(ConfigurationError, match="no token yet"):
        build_parts(settings)

    login = load_config(settings).source.auth
    assert "vault:" not in repr(login)
    parts = _exchanged(erp, vault)
    vault.put_token("consent", OAuth2Token(access_token="", refresh_token=parts.refresh_token))
    for _ in range(2):
        built = build_parts(settings)
        assert 3 == customers_of(built)
        built["sink"].close()
        erp.expire_tokens()
    assert parts.refresh_token != vault.get_token("consent").refresh_token


def _exchanged(erp, vault):
    """The token of a user who said yes."""
    from mlconnector_sdk.auth import OAuth2AuthorizationCode

    client = OAuth2AuthorizationCode(
        client_id=CLIENT["client_id"], client_secret=vault.reference("client"), redirect_uri=REDIRECT
    )
    return client.exchange(erp.issue_code(REDIRECT), token_url=f"{erp.base_url}/identity/connect/token")


@pytest.mark.parametrize("scope", ["", "api.graphQL businessDomain.ALL"])
def test_a_pairing_can_be_configured(folder, mailchimp, scope):
    """The pair of Sage X3's gateway is kept in the vault, each new one before its first use."""
    vault = EncryptedVault("acme.vault", key=KEY)
    vault.put("mailchimp", mailchimp.api_key)
    with FakeSageX3(customers=3) as erp:
        gateway = erp.graphql.gateway
        vault.put("client", gateway.client_secret)
        first = OAuth2Token(access_token="", refresh_token=gateway.issue_pair()["refresh_token"])
        vault.put_token("x3 pairing", first)
        auth = {
            "kind": "pairing",
            "client_id": gateway.client_id,
            "client_secret": "vault:client",
            "redirect_uri": gateway.redirect_uri,
            "token": "vault:x3 pairing",
            "scope": scope,
        }
        source = {"system": "sagex3", "api": "graphql", "url": erp.graphql.cloud_root, "endpoint": "SEED", "auth": auth}
        parts = build_parts(config(erp, mailchimp, source=source), secrets=vault)

        assert 3 == customers_of(parts)
        parts["sink"].close()
    assert first != vault.get_token("x3 pairing")


@pytest.mark.parametrize(
    ("change", "secrets", "message"),
    [
        ({}, None, r"source.auth.password: no secret found for vault:erp; use env:NAME.*\[vault\]"),
        ({"vault": {"path": "acme.vault", "key": "env:NO_SUCH_NAME"}}, None, "vault.key: no secret found for env:NO_S"),
        ({"vault": {"path": "acme.vault", "key": "ours"}}, {"ours": "correct horse"}, "vault.key: the text: key 1 of"),
        ({"vault": {}, "state": {"kind": "memory"}}, None, "vault.path: where shall the vault lie"),
        ({"vault": {"path": 5}}, None, "config.vault.path"),
        (
            {"source": {"system": "acumatica", "url": "https://e.org", "auth": {
                "kind": "code", "client_id": "a", "client_secret": "env:MLCONNECTOR_KEY", "token": "env:MLCONNECTOR_KEY"
            }}},
            None,
            "source.auth.token: a token that renews itself is kept in a vault",
        ),
    ],
)  # fmt: skip
def test_mistakes_are_named(folder, erp, mailchimp, change, secrets, message):
    """Each mistake says where it stands, without a secret."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        build_parts(config(erp, mailchimp, **change), secrets=secrets)

    assert not any(text in str(caught.value) for text in ("horse", KEY))


def test_a_vault_of_ones_own_will_do():
    """Anything with `get` and `put` is a vault."""

    class Own:
        def get(self, name):
            if name != "erp":
                raise VaultError(f"no {name}")
            return "correct horse"

        def put(self, name, secret):
            """Not needed here."""

    lookup = SecretLookup(Own())

    assert "correct horse" == lookup.text("vault:erp", "source.password")
    with pytest.raises(VaultError, match="no shop"):
        lookup.text("vault:shop", "source.password")
    with pytest.raises(ConfigurationError, match="token: a token that renews"):
        lookup.token_vault("vault:erp", "source.auth.token")


def test_the_state_store_has_a_key_of_its_own(folder, erp, mailchimp):
    """A reference in the state's table seals payloads; a text that is no key is told by its path."""
    filled(EncryptedVault("acme.vault", key=KEY), mailchimp)
    erp.add_customer("C9001", email="none")
    state = {"path": "acme.db", "key": "env:MLCONNECTOR_KEY"}

    with SyncEngine.from_config(config(erp, mailchimp, vault={"path": "acme.vault"}, state=state)) as engine:
        engine.run(["customers"])
        assert ["C9001"] == [letter.key for letter in engine.dead_letters()]
    with closing(SQLiteStateStore("acme.db")) as bare, pytest.raises(VaultError, match="is sealed with key"):
        list(bare.dead_letters("acme"))
    with pytest.raises(ConfigurationError, match=r"state\.key: .*KeyRing"):
        build_parts(config(erp, mailchimp, vault={"path": "acme.vault"}, state={**state, "key": "env:HOME"}))
