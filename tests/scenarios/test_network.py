"""Every way out, over TLS with a certificate of the company's own: whom it trusts, and how much it reads."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlconnector_sdk import MailchimpSink, Network, SageX3
from mlconnector_sdk.auth import OAuth2ClientCredentials
from mlconnector_sdk.config import build_parts, load_config
from mlconnector_sdk.errors import ConfigurationError, ContractError, InsecureTransportWarning, MLConnectorError
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sagex3 import SageX3GraphQL, SageX3Rest
from mlconnector_sdk.testing import FakeMailchimp
from tests._tls import self_signed, serving
from tests.scenarios._worlds import ENDS, World

ANYBODY = Network(trust_any_certificate=True)


@pytest.fixture(scope="module", name="certificate")
def _certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate that its owner signed, with its key."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=ENDS, name="world")
def _world(request, certificate) -> Iterator[World]:
    """An ERP with one customer, and Mailchimp, both behind that certificate."""
    world = World(request.param)
    world.erp.fake.tls = world.mailchimp.tls = serving(*certificate)
    with world:
        world.erp.add_customer("ada@harbor-pumps.com")
        yield world


def found_by(world: World, network: Network) -> int:
    """How many customers a source finds, and its log-out."""
    with world.erp.source(network=network) as source:
        source.attach(clock=world.clock)
        return sum(len(page) for page in source.read("customers"))


def test_every_source_trusts_whom_it_is_told_to(world, certificate):
    """An unknown authority stops at once and the cure is told; named, or with anybody trusted, customers are read."""
    assert world.erp.fake.url.startswith("https://")
    with pytest.raises(ConfigurationError, match="ca_bundle"):
        found_by(world, Network())
    assert world.erp.fake.log == []

    assert found_by(world, Network(ca_bundle=certificate[0])) == 1
    with pytest.warns(InsecureTransportWarning) as told:
        assert found_by(world, ANYBODY) == 1

    with world.erp.source() as source:
        system = source.system
    assert [str(warning.message).partition(":")[0] for warning in told] == [system]
    assert [warning.filename for warning in told] == [world.erp.__class__.source.__code__.co_filename]


def test_a_whole_run_over_tls(world, certificate):
    """Engine, source and sink do their work with the authority named."""
    network = Network(ca_bundle=certificate[0])
    report = world.run(source=world.erp.source(network=network), sink=world.sink(network=network))

    assert report.ok, str(report)
    assert world.status("ada@harbor-pumps.com") == "subscribed"


@pytest.mark.parametrize("system", ENDS)
def test_every_source_reads_only_so_much(system):
    """What is larger than `answer_bytes` is refused, by the error that names the limit."""
    with World(system) as world:
        for number in range(20):
            world.erp.add_customer(f"c{number}@harbor-pumps.com")
        with pytest.raises(ContractError, match="the answer is larger than") as caught:
            found_by(world, Network(answer_bytes=600))

    assert caught.value.reason == "too_large"


def sink_of(fake: FakeMailchimp, network: Network) -> MailchimpSink:
    """A sink that tries once."""
    retry = RetryPolicy(attempts=1)
    return MailchimpSink(fake.api_key, list_id=fake.list_id, base_url=fake.base_url, retry=retry, network=network)


def prepared(fake: FakeMailchimp, network: Network) -> str:
    """The audience that a sink finds."""
    with sink_of(fake, network) as sink:
        return sink.prepare(()).list_id


def test_the_sink_takes_the_same_setting(certificate):
    """An audience behind a company's own authority is read when it is named, or anybody trusted, with a warning."""
    fake = FakeMailchimp()
    fake.tls = serving(*certificate)
    with fake:
        with pytest.raises(ConfigurationError, match="ca_bundle"):
            prepared(fake, Network())
        assert prepared(fake, Network(ca_bundle=certificate[0])) == fake.list_id
        with pytest.raises(ContractError, match="the answer is larger than"):
            prepared(fake, Network(ca_bundle=certificate[0], answer_bytes=20))
        with pytest.warns(InsecureTransportWarning, match="^mailchimp:") as told:
            sink = sink_of(fake, ANYBODY)
        with sink:
            rows = list(sink.check(()))

    assert [warning.filename for warning in told] == [__file__]
    assert [(row.what, row.ok) for row in rows][:2] == [("encryption", False), ("connection", True)]


LOGIN = {"username": "sync", "password": "env:PASSWORD"}
SOURCES: dict[str, dict[str, Any]] = {
    "acumatica": {
        "system": "acumatica",
        "auth": {"kind": "password", "client_id": "app@Acme", "client_secret": "env:PASSWORD", **LOGIN},
    },
    "sage100 agent": {"system": "sage100", "api": "agent", "company": "ABC", "token": "env:PASSWORD"},
    "sage100 soap": {"system": "sage100", "api": "soap", "company": "ABC", **LOGIN},
    "sage300": {"system": "sage300", "company": "SAMLTD", **LOGIN},
    "sagex3 rest": {"system": "sagex3", "api": "rest", "endpoint": "SEED", **LOGIN},
    "sagex3 graphql": {"system": "sagex3", "api": "graphql", "endpoint": "SEED", **LOGIN},
    "syspro odata": {"system": "syspro", "api": "odata", "user": "SYNC", "password": "env:PASSWORD"},
    "syspro enet": {"system": "syspro", "api": "enet", "user": "SYNC", "password": "env:PASSWORD"},
    "syspro soap": {"system": "syspro", "api": "soap", "user": "SYNC", "password": "env:PASSWORD"},
}


def config_of(source: dict[str, Any], **network: Any) -> dict[str, Any]:
    """A config whose source has this setting."""
    return {
        "name": "acme",
        "source": {"url": "http://erp.invalid/x", **source, "network": network},
        "sink": {"key": "env:KEY", "list_id": "a1b2c3d4e5"},
        "state": {"kind": "memory"},
    }


def built(config: dict[str, Any]) -> dict[str, Any]:
    """The parts of an engine."""
    secrets = {"PASSWORD": "topsecret", "KEY": "0123456789abcdef0123456789abcdef-us6"}
    return build_parts(config, secrets=lambda name: secrets[name.removeprefix("env:")])


@pytest.mark.parametrize("system", SOURCES)
def test_a_config_says_the_same(system):
    """Every source of a config takes the table; http to another machine is a row of `check`, and fine when allowed."""
    source = SOURCES[system]
    if source["system"] == "sage100":
        with pytest.raises(ConfigurationError, match="allow_http"):
            built(config_of(source))
    else:
        row = next(iter(built(config_of(source))["source"].check()))
        assert (row.what, row.ok, row.detail) == ("encryption", False, "credentials and data travel unencrypted")
        assert "https" in row.cure

    row = next(iter(built(config_of(source, allow_http=True))["source"].check()))
    assert (row.what, row.ok) == ("encryption", True)
    assert "unencrypted" in row.detail
    with pytest.raises(ConfigurationError, match="ca_bundle"):
        built(config_of(source, ca_bundle="/no/such/file.pem", allow_http=True))
    with pytest.warns(InsecureTransportWarning, match=f"^{source['system']}:") as told:
        built(config_of(source, trust_any_certificate=True, allow_http=True))
    assert len(told) == 1


CLIENT = {"client_id": "app", "client_secret": "topsecret"}
GRAPHQL, API1 = "https://x3.example.com/xtrem/api", "https://x3.example.com:8124"


def sage_x3(kind: str, token_url: str, network: Network) -> SageX3:
    """A source that gets its tokens there, said in one of the ways there are."""
    anew = OAuth2ClientCredentials(**CLIENT)
    api: SageX3Rest | SageX3GraphQL
    if kind == "rest":
        api = SageX3Rest(API1, endpoint="SEED", auth=anew, token_url=token_url, network=network)
    elif kind == "graphql":
        api = SageX3GraphQL(GRAPHQL, endpoint="SEED", auth=anew, token_url=token_url, network=network)
    else:
        named = OAuth2ClientCredentials(**CLIENT, token_url=token_url, network=network)
        api = SageX3GraphQL(GRAPHQL, endpoint="SEED", auth=named)
    return SageX3(api=api, retry=RetryPolicy.immediate(attempts=1))


@pytest.mark.parametrize("kind", ["rest", "graphql", "of the sign-in"])
def test_where_tokens_are_got_is_looked_at_too(kind):
    """Plain http to another host, from which tokens are got, is a row of `check`, and fine when it is meant."""

    def rows(token_url: str, network: Network = Network()) -> list[tuple[bool, str]]:
        with sage_x3(kind, token_url, network) as source:
            return [(row.ok, row.detail + row.cure) for row in source.check() if row.what == "encryption"]

    ((ok, said),) = rows("http://id.invalid/token")
    assert (ok, "token_url" in said) == (False, True)
    ((ok, said),) = rows("http://id.invalid/token", Network(allow_http=True))
    assert (ok, "as allow_http permits" in said) == (True, True)
    assert [] == rows("https://id.invalid/token")
    assert [] == rows("http://127.0.0.1:9/token")


def test_the_sinks_table_of_a_config():
    """The sink has its own; mistakes in either are told by their path, and a config survives being written down."""
    config = config_of(SOURCES["sage300"], answer_time=90, answer_bytes=1000)
    config["sink"]["network"] = {"ca_bundle": "/no/such/file.pem"}
    with pytest.raises(ConfigurationError, match=r"ca_bundle: no PEM file"):
        built(config)
    loaded = load_config(config)
    assert load_config(loaded.to_dict()) == loaded
    assert loaded.source.network == Network(answer_time=90.0, answer_bytes=1000)

    config["sink"]["network"] = {"ca_bundel": "x"}
    with pytest.raises(ConfigurationError, match=r"config\.sink\.network: unknown setting 'ca_bundel'"):
        load_config(config)
    config["sink"]["network"] = {"ca_bundle": "x.pem", "trust_any_certificate": True}
    with pytest.raises(ConfigurationError, match=r"config\.sink\.network: .*contradict"):
        load_config(config)


def test_nothing_is_said_where_all_is_well():
    """Neither a warning nor a row of `check` where nobody can read along."""
    with warnings.catch_warnings(), World() as world:
        warnings.simplefilter("error")
        with world.erp.source() as source:
            rows = list(source.check())

    assert "encryption" not in {row.what for row in rows}


def test_every_error_has_its_place():
    """Errors of trust name the system, so that it is clear which certificate is meant."""
    with pytest.raises(MLConnectorError) as caught:
        built(config_of(SOURCES["sage300"], ca_bundle="/no/such/file.pem"))

    assert caught.value.system == "sage300"
