"""Pipelines as plain data."""

from __future__ import annotations

import pytest

from mlconnector_sdk import MemoryStateStore, SQLiteStateStore, SQLStateStore
from mlconnector_sdk.auth import CookieLogin, OAuth2AuthorizationCode, OAuth2Password
from mlconnector_sdk.config import AuthConfig, SecretLookup, build_parts, load_config
from mlconnector_sdk.config._sources import _auth
from mlconnector_sdk.errors import ConfigurationError

KEY = "0123456789abcdef0123456789abcdef-us6"
SECRETS = {"s:key": KEY, "s:password": "pw", "s:client": "cs", "s:refresh": "rt", "s:url": "sqlite://"}
AUTHS = {
    "cookie": {"kind": "cookie", "username": "sync", "password": "s:password", "tenant": "Acme"},
    "password": {
        "kind": "password",
        "username": "sync",
        "password": "s:password",
        "client_id": "id@Acme",
        "client_secret": "s:client",
    },
    "code": {"kind": "code", "client_id": "id@Acme", "client_secret": "s:client", "refresh_token": "s:refresh"},
}


def config(**parts) -> dict:
    """A config that needs only the secrets above."""
    return {
        "name": "acme",
        "source": {"system": "acumatica", "url": "https://erp.acme.org/Acme", "auth": AUTHS["cookie"]},
        "sink": {"key": "s:key", "list_id": "a1"},
        "state": {"kind": "memory"},
        **parts,
    }


def auth_of(kind: str):
    """What the source is given to sign in with."""
    return _auth(AuthConfig(**AUTHS[kind]), SecretLookup(SECRETS))


def test_every_way_to_sign_in_can_be_configured():
    """Cookie, password and stored refresh token become the values of `mlconnector_sdk.auth`."""
    assert auth_of("cookie") == CookieLogin(username="sync", password="pw", tenant="Acme")
    assert auth_of("password") == OAuth2Password(
        client_id="id@Acme", client_secret="cs", username="sync", password="pw"
    )
    code = auth_of("code")
    assert isinstance(code, OAuth2AuthorizationCode)
    assert code.token is not None
    assert code.token.refresh_token == "rt"


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ({"kind": "memory"}, MemoryStateStore),
        ({"kind": "sqlite", "path": "acme.db"}, SQLiteStateStore),
        ({"kind": "sql", "url": "s:url"}, SQLStateStore),
    ],
)
def test_every_state_store_can_be_configured(state, kind):
    """Memory, a SQLite file, or a database by URL."""
    assert type(build_parts(config(state=state), secrets=SECRETS)["state"]) is kind


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (
            {
                "system": "sage100",
                "api": "agent",
                "url": "https://erp.acme.org",
                "company": "ABC",
                "token": "s:password",
            },
            "<Sage100 ",
        ),
        (
            {
                "system": "sage100",
                "api": "soap",
                "url": "https://erp.acme.org/eBusinessWebServices/MasBasicWsdl.svc?wsdl",
                "company": "ABC",
                "first_order": "0000001",
            },
            "<Sage100 ",
        ),
        ({"system": "sage300", "url": "https://erp.acme.org/Sage300WebApi", "company": "SAMLTD"}, "<Sage300 "),
        (
            {"system": "sagex3", "api": "rest", "url": "https://x3.acme.org:8124", "endpoint": "SEED", "posted": ["3"]},
            "<SageX3 ",
        ),
        ({"system": "syspro", "api": "odata", "url": "https://erp.acme.org/odata"}, "<Syspro "),
        ({"system": "syspro", "api": "enet", "url": "http://erp.acme.org:31002", "company": "EDU1"}, "<Syspro "),
        (
            {"system": "syspro", "api": "soap", "url": "https://erp.acme.org/SYSPROWS", "company": "1"},
            "<Syspro ",
        ),
    ],
)
def test_every_erp_can_be_configured(source, shown):
    """Each ERP's settings become its source, with the secret looked up and nowhere shown."""
    user = {"username": "sync"} if source["system"] in {"sage100", "sage300", "sagex3"} else {"user": "sync"}
    built = build_parts(config(source={**source, **user, "password": "s:password"}), secrets=SECRETS)["source"]

    assert repr(built).startswith(shown)
    assert "pw" not in repr(built)
    built.close()


X3_AUTHS = [
    {"kind": "application", "client_id": "id", "client_secret": "s:client", "user": "SYNC", "lifetime": 120},
    {"kind": "client", "client_id": "id", "client_secret": "s:client", "token_url": "https://x3.acme.org/t",
     "api_key": "s:key"},
]  # fmt: skip


@pytest.mark.parametrize("auth", [*X3_AUTHS, None], ids=["application", "client", "password"])
def test_every_way_into_graphql_can_be_configured(auth):
    """Sage X3's GraphQL is read as a connected application, with client credentials, or with a password."""
    door = {"system": "sagex3", "api": "graphql", "url": "https://x3.acme.org:8124/xtrem/api", "endpoint": "SEED"}
    login = {"auth": auth} if auth else {"username": "sync", "password": "s:password"}
    names = {"properties": {"customers": {"BPCNAM": "companyName1"}}}

    built = build_parts(config(source={**door, **login, **names}), secrets=SECRETS)["source"]

    assert repr(built) == "<SageX3 https://x3.acme.org:8124/xtrem/api>"
    built.close()


@pytest.mark.parametrize(
    ("login", "message"), [({"auth": X3_AUTHS[0]}, "username and password"), ({}, "source.username: missing")]
)
def test_api1_is_configured_with_a_password(login, message):
    """api1 takes user name and password, and the error names what is missing."""
    source = {"system": "sagex3", "api": "rest", "url": "https://x3.acme.org:8124", "endpoint": "SEED", **login}

    with pytest.raises(ConfigurationError, match=message):
        build_parts(config(source=source), secrets=SECRETS)


def test_segments_can_be_configured():
    """Tags with their prefix, interests for everybody or by a field, and permissions by a field."""
    members = {
        "tags": ["ERP", "class:{group}"],
        "owned_prefix": "class:",
        "interests": {"Trade/Retail": True, "Trade/Export": "raw.Export"},
        "permissions": {"Email": "raw.Consent"},
    }

    given = config(mapping={"members": members})

    mapping = build_parts(given, secrets=SECRETS)["mapping"].members
    plain = load_config(given).to_dict()["mapping"]["members"]

    assert members == {name: getattr(mapping, name) for name in members}
    assert members == {name: plain[name] for name in members}


def test_durations_are_seconds():
    """Retry settings are plain numbers of seconds."""
    retry = build_parts(config(retry={"attempts": 2, "within": 30, "longest_wait": 1.5}), secrets=SECRETS)["retry"]

    assert (retry.attempts, retry.within, retry.longest_wait) == (2, 30.0, 1.5)


def test_a_config_survives_the_way_through_plain_data():
    """What `to_dict` gives, `load_config` takes, and it is the same pipeline."""
    loaded = load_config(config(mapping={"members": {"tags": ["ERP"]}, "contacts": {"language": "language"}}, retry={}))

    assert load_config(loaded.to_dict()) == loaded
    assert load_config(loaded) is loaded


def test_secrets_come_from_environment_files_and_the_caller(tmp_path, monkeypatch):
    """`env:` and `file:` are read here; anything else is asked from the caller, as a mapping or a function."""
    (tmp_path / "key").write_text(f"{KEY}\n")
    monkeypatch.setenv("ACME_KEY", KEY)
    cookie = {**AUTHS["cookie"], "password": "any"}
    source = {"system": "acumatica", "url": "https://erp.acme.org/Acme", "auth": cookie}
    for reference in ("env:ACME_KEY", f"file:{tmp_path / 'key'}", "vault:acme"):
        sink = {"key": reference, "list_id": "a1"}
        parts = build_parts(config(source=source, sink=sink), secrets=lambda name: {"vault:acme": KEY}.get(name, "x"))
        assert parts["sink"].list_id == "a1"


@pytest.mark.parametrize(("given", "expected"), [({}, 3000), ({"batch_from": 500}, 500), ({"batch_from": 0}, None)])
def test_a_config_says_from_when_on_orders_go_in_batches(given, expected):
    """What is left out is the sink's own default; 0 keeps orders out of batches."""
    parts = build_parts(config(sink={"key": "s:key", "list_id": "a1", **given}), secrets=SECRETS)

    assert expected == parts["sink"].batch_from


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sink": {"key": "env:NO_SUCH_NAME", "list_id": "a1"}}, "sink.key: no secret found for env:NO_SUCH_NAME"),
        ({"state": {"kind": "sqlite"}}, "state.path"),
        ({"policy": {"inactive": "delete"}}, "config.policy"),
        (
            {"source": {"system": "sap"}},
            "config.source: system must be one of acumatica, sage100, sage300, sagex3, syspro",
        ),
        ({"source": "acumatica"}, "config.source: expected settings, got str"),
        ({"state": {"kind": "memory", "path": 5}}, "config.state.path"),
        ({"sink": {"key": "s:key", "list_id": "a1", "concurrency": "8"}}, "config.sink.concurrency"),
        ({"retry": {"within": "long"}}, "config.retry.within"),
        ({"nmae": "x"}, "nmae"),
        ({"mapping": {"members": {"interests": {"A/1": 1}}}}, r"interests\['A/1'\]: expected true, false or text"),
        ({"mapping": {"members": {"tags": ["{regoin}"]}}}, "no record field 'regoin'"),
    ],
)
def test_mistakes_are_named_by_path(change, named):
    """Each mistake says where it stands."""
    with pytest.raises(ConfigurationError, match=named):
        build_parts(config(**change), secrets=SECRETS)


def test_text_that_is_no_toml_is_told():
    """A broken file is a configuration error too."""
    with pytest.raises(ConfigurationError, match="TOML"):
        load_config("name = ")
    assert load_config('name="a"\n[source]\nsystem="acumatica"\nurl="https://x.org"\nauth={kind="cookie"}\n'
                       '[sink]\nkey="k"\nlist_id="l"\n[state]\n').name == "a"  # fmt: skip
