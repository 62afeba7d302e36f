"""References in the place of secrets, wherever one is wanted."""

from __future__ import annotations

import logging
import pickle

import attrs
import pytest

from mlconnector_sdk import Acumatica, MailchimpSink, Sage100, Sage300, SageX3, Syspro
from mlconnector_sdk.auth import (
    BasicLogin,
    CloudPairing,
    CookieLogin,
    OAuth2AuthorizationCode,
    OAuth2ClientCredentials,
    OAuth2Password,
    OAuth2Token,
    SelfSignedJWT,
)
from mlconnector_sdk.credentials import EncryptedVault, EnvironmentSecrets, KeyRing, SecretReference
from mlconnector_sdk.errors import AuthenticationError, ConfigurationError, VaultError
from mlconnector_sdk.mailchimp import MailchimpAccount
from mlconnector_sdk.protocols import Secret
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.sage100 import Sage100Agent, Sage100Soap
from mlconnector_sdk.sources.sagex3 import SageX3GraphQL, SageX3Rest
from mlconnector_sdk.sources.syspro import SysproENet, SysproENetSoap, SysproOData
from mlconnector_sdk.testing import (
    FakeAcumatica,
    FakeMailchimp,
    FakeSage100,
    FakeSage300,
    FakeSageX3,
    FakeSyspro,
)

ONCE = RetryPolicy.immediate()
REDIRECT = "https://mine.example/done"
CLIENT_ID = "88358B02-A48D-A50E-F710-39C1636C30F6@Acme"


@pytest.fixture(name="vault")
def _vault(tmp_path, monkeypatch):
    monkeypatch.setenv("ACME_KEY", KeyRing.generate())
    return EncryptedVault(tmp_path / "acme.vault", key=KeyRing.from_environment("ACME_KEY"))


# The reference itself


def test_a_reference_is_a_secret_that_shows_its_name(vault):
    """It is what every constructor takes; text, repr and pickled form have the name and nothing of the secret."""
    reference = vault.reference("erp")
    vault.put("erp", "correct horse")

    assert isinstance(reference, Secret)
    assert "erp" == reference.name
    assert "correct horse" == reference.reveal() == pickle.loads(pickle.dumps(reference)).reveal()
    assert "SecretReference('erp')" == repr(reference) == str(reference) == f"{reference}"
    assert b"horse" not in pickle.dumps(reference)


def test_references_are_equal_that_name_the_same_secret(vault, tmp_path):
    """Name and vault make a reference."""
    other = EncryptedVault(tmp_path / "other.vault", key=KeyRing.generate())

    assert 1 == len(
        {vault.reference("erp"), vault.reference("erp"), pickle.loads(pickle.dumps(vault.reference("erp")))}
    )
    assert 4 == len({vault.reference("erp"), vault.reference("shop"), other.reference("erp"), "erp"})


def test_a_reference_says_what_is_there_now(vault):
    """A secret that is replaced is found by the references there are."""
    reference = vault.reference("erp")
    with pytest.raises(VaultError, match="there is no secret 'erp'"):
        reference.reveal()
    vault.put("erp", "first")
    vault.put("erp", "second")

    assert "second" == reference.reveal()


def test_environment_variables_are_referred_to_as_well(monkeypatch):
    """A prefix goes before every name; a variable that is not set is told by its whole name."""
    secrets = EnvironmentSecrets("ACME_")
    reference = secrets.reference("ERP_PASSWORD")
    with pytest.raises(VaultError, match="the environment variable ACME_ERP_PASSWORD is not set") as caught:
        reference.reveal()
    monkeypatch.setenv("ACME_ERP_PASSWORD", "correct horse")

    assert "no_secret" == caught.value.reason
    assert "correct horse" == reference.reveal() == secrets.get("ERP_PASSWORD")
    assert SecretReference(EnvironmentSecrets("ACME_"), "ERP_PASSWORD") == pickle.loads(pickle.dumps(reference))
    monkeypatch.setenv("ACME_ERP_PASSWORD", "")
    assert "" == reference.reveal()


# Values that hold credentials

VALUES = {
    BasicLogin: {"username": "sync", "password": ...},
    CookieLogin: {"username": "sync", "password": ...},
    OAuth2Password: {"client_id": "app", "client_secret": ..., "username": "sync", "password": ...},
    OAuth2ClientCredentials: {"client_id": "app", "client_secret": ..., "api_key": ...},
    OAuth2AuthorizationCode: {"client_id": "app", "client_secret": ...},
    CloudPairing: {"client_id": "app", "client_secret": ..., "redirect_uri": REDIRECT},
    SelfSignedJWT: {"client_id": "app", "secret": ...},
    Sage100Agent: {"url": "https://erp.example.com", "token": ...},
    Sage100Soap: {"wsdl_url": "https://erp.example.com/x?wsdl", "username": "sync", "password": ...},
    SageX3Rest: {"base_url": "https://x3.example.com", "username": "sync", "password": ...},
    SysproOData: {"odata_root": "https://erp.example.com/o", "username": "sync", "password": ...},
    SysproENet: {
        "base_url": "https://erp.example.com",
        "operator": "sync",
        "password": ...,
        "company": "1",
        "company_password": ...,
    },
    SysproENetSoap: {
        "base_url": "https://erp.example.com",
        "operator": "sync",
        "password": ...,
        "company": "1",
        "company_password": ...,
    },
}


def made(kind, secret):
    """A value of the kind with this secret in every place for one."""
    return kind(**{name: secret if value is ... else value for name, value in VALUES[kind].items()})


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
def test_values_hold_references(kind, vault):
    """A value with references looks nothing up, travels, compares, and has no secret anywhere."""
    value = made(kind, vault.reference("erp"))
    vault.put("erp", "correct horse")
    pickled = pickle.dumps(value)

    assert value == made(kind, vault.reference("erp")) == pickle.loads(pickled)
    assert value != made(kind, vault.reference("shop"))
    assert b"horse" not in pickled
    assert not any(word in repr(value) for word in ("horse", "acme.vault"))
    assert "horse" not in repr(attrs.asdict(value))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (OAuth2ClientCredentials, "client_secret"),
        (CloudPairing, "client_secret"),
        (SelfSignedJWT, "secret"),
        (Sage100Agent, "token"),
    ],
)
def test_an_empty_secret_is_refused_where_there_must_be_one(kind, name):
    """The message names the setting."""
    with pytest.raises(ValueError, match=f"{name} must not be empty"):
        made(kind, "")


# At work

DOORS = {
    "acumatica by password": (
        FakeAcumatica,
        lambda erp, secret: Acumatica(
            erp.base_url,
            auth=OAuth2Password(
                client_id=CLIENT_ID,
                client_secret="s3cret",
                username="sync",
                password=secret("correct horse"),
            ),
            retry=ONCE,
        ),
    ),
    "acumatica, client secret": (
        FakeAcumatica,
        lambda erp, secret: Acumatica(
            erp.base_url,
            auth=OAuth2Password(
                client_id=CLIENT_ID,
                client_secret=secret("s3cret"),
                username="sync",
                password="correct horse",
            ),
            retry=ONCE,
        ),
    ),
    "acumatica by cookie": (
        FakeAcumatica,
        lambda erp, secret: Acumatica(
            erp.base_url,
            auth=CookieLogin(username="sync", password=secret("correct horse"), tenant="Acme"),
            retry=ONCE,
        ),
    ),
    "sage 100 agent": (
        FakeSage100,
        lambda erp, secret: Sage100(
            company="ABC", api=Sage100Agent(erp.agent_url, token=secret(erp.agent_token)), retry=ONCE
        ),
    ),
    "sage 100 soap": (
        FakeSage100,
        lambda erp, secret: Sage100(
            company="ABC",
            api=Sage100Soap(
                erp.wsdl_url, username="mcsync", password=secret("secret"), first_customers=["00-0000001"], gap=8
            ),
            retry=ONCE,
        ),
    ),
    "sage 300": (
        lambda customers: FakeSage300(customers=customers, username="WEBAPI", password="S3CRET"),
        lambda erp, secret: Sage300(
            erp.base_url, company=erp.company, username="webapi", password=secret("s3cret"), retry=ONCE
        ),
    ),
    "sage x3 api1": (
        FakeSageX3,
        lambda erp, secret: SageX3(
            api=SageX3Rest(erp.base_url, endpoint=erp.endpoint, username=erp.username, password=secret(erp.password)),
            retry=ONCE,
        ),
    ),
    "sage x3 graphql": (
        FakeSageX3,
        lambda erp, secret: SageX3(
            api=SageX3GraphQL(
                erp.graphql_url,
                endpoint=erp.endpoint,
                auth=SelfSignedJWT(
                    client_id=erp.graphql.application.client_id,
                    secret=secret(erp.graphql.application.secret),
                    user=erp.username,
                ),
            ),
            retry=ONCE,
        ),
    ),
    "sage x3 cloud": (
        FakeSageX3,
        lambda erp, secret: SageX3(
            api=SageX3GraphQL(
                erp.graphql.cloud_root,
                endpoint=erp.endpoint,
                auth=OAuth2ClientCredentials(
                    client_id=erp.graphql.credentials.client_id,
                    client_secret=secret(erp.graphql.credentials.client_secret),
                    audience=erp.graphql.credentials.audience,
                    api_key=erp.graphql.credentials.api_key,
                    token_url=erp.graphql.token_url,
                ),
            ),
            retry=ONCE,
        ),
    ),
    "sage x3 cloud, gateway's key": (
        FakeSageX3,
        lambda erp, secret: SageX3(
            api=SageX3GraphQL(
                erp.graphql.cloud_root,
                endpoint=erp.endpoint,
                auth=OAuth2ClientCredentials(
                    client_id=erp.graphql.credentials.client_id,
                    client_secret=erp.graphql.credentials.client_secret,
                    audience=erp.graphql.credentials.audience,
                    api_key=secret(erp.graphql.credentials.api_key),
                    token_url=erp.graphql.token_url,
                ),
            ),
            retry=ONCE,
        ),
    ),
    "sage x3 pairing": (
        FakeSageX3,
        lambda erp, secret: SageX3(
            api=SageX3GraphQL(
                erp.graphql.cloud_root,
                endpoint=erp.endpoint,
                auth=CloudPairing(
                    client_id=erp.graphql.gateway.client_id,
                    client_secret=secret(erp.graphql.gateway.client_secret),
                    redirect_uri=erp.graphql.gateway.redirect_uri,
                    token=OAuth2Token(access_token="", refresh_token=erp.graphql.gateway.issue_pair()["refresh_token"]),
                ),
            ),
            retry=ONCE,
        ),
    ),
    "syspro odata": (
        lambda customers: FakeSyspro(customers=customers, odata_username="SYNC"),
        lambda erp, secret: Syspro(
            api=SysproOData(erp.odata_root, username="SYNC", password=secret("odata secret")), retry=ONCE
        ),
    ),
    "syspro e.net": (
        lambda customers: FakeSyspro(customers=customers, operator="SYNC"),
        lambda erp, secret: Syspro(
            api=SysproENet(erp.url, operator="SYNC", password=secret("secret"), company="EDU1"), retry=ONCE
        ),
    ),
    "syspro e.net, company password": (
        lambda customers: FakeSyspro(customers=customers, operator="SYNC", company_password="of the company"),
        lambda erp, secret: Syspro(
            api=SysproENet(
                erp.url,
                operator="SYNC",
                password="secret",
                company="EDU1",
                company_password=secret("of the company"),
            ),
            retry=ONCE,
        ),
    ),
    "syspro soap": (
        lambda customers: FakeSyspro(customers=customers, operator="SYNC"),
        lambda erp, secret: Syspro(
            api=SysproENetSoap(erp.soap_url, operator="SYNC", password=secret("secret"), company="EDU1"), retry=ONCE
        ),
    ),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_source_looks_its_secret_up_when_it_signs_in(door, vault, caplog):
    """Before a secret is in the vault, `check` tells that it is missing; then the same source reads with it."""
    caplog.set_level(logging.DEBUG)
    make_fake, make_source = DOORS[door]
    wanted = []

    def secret(text):
        wanted.append(text)
        return vault.reference("the erp's own")

    with make_fake(customers=3) as erp, make_source(erp, secret) as source:
        missing = [row for row in source.check() if not row.ok]
        vault.put("the erp's own", wanted[0])
        found = [record.key for page in source.read("customers") for record in page]

    assert 'there is no secret "the erp\'s own"' in missing[0].detail
    assert "put it there, or check the name" == missing[0].cure
    assert 3 == len(set(found))
    assert wanted[0] not in repr(source) + caplog.text


class Counted:
    """A secret of the caller's own."""

    def __init__(self, *texts):
        self.texts = list(texts)
        self.asked = 0

    def reveal(self):
        self.asked += 1
        return self.texts[min(self.asked, len(self.texts)) - 1]


def test_a_class_of_ones_own_will_do():
    """Anything with `reveal` is a secret; it is asked once for a connection, not for each request."""
    password = Counted("secret")
    with FakeSage100(customers=3) as erp:
        api = Sage100Soap(erp.wsdl_url, username="mcsync", password=password, first_customers=["00-0000001"], gap=3)
        with Sage100(company="ABC", api=api, retry=ONCE) as source:
            assert 3 == sum(len(page) for page in source.read("customers"))
            assert 1 == password.asked
            source.close()
            next(iter(source.read("customers")))

    assert 2 == password.asked


def test_basic_credentials_are_looked_up_once(vault):
    """A user name and password that go with every request are not looked up with every request."""
    password = Counted("correct horse")
    with FakeSageX3(customers=3, password="correct horse") as erp:
        api = SageX3Rest(erp.base_url, endpoint=erp.endpoint, username=erp.username, password=password)
        with SageX3(api=api, retry=ONCE) as source:
            list(source.read("customers"))

    assert len(erp.log) > 1
    assert 1 == password.asked


def test_a_token_that_was_replaced_is_taken_over():
    """When the agent refuses a token, it is looked up again: a new one is used, the same one is not tried twice."""
    with FakeSage100(customers=3) as erp:
        token = Counted("an-old-token-0123456789", erp.agent_token)
        with Sage100(company="ABC", api=Sage100Agent(erp.agent_url, token=token), retry=ONCE) as source:
            assert 3 == sum(len(page) for page in source.read("customers"))
        assert 2 == token.asked

        sent = len(erp.log)
        token = Counted("an-old-token-0123456789")
        with Sage100(company="ABC", api=Sage100Agent(erp.agent_url, token=token), retry=ONCE) as source:
            for _ in range(2):
                with pytest.raises(AuthenticationError, match="the agent refuses the token"):
                    list(source.read("customers"))
        assert 1 == len(erp.log) - sent


def test_mailchimp_is_reached_by_reference(vault):
    """A key, or the text kept of a connected account, is looked up when the sink is made."""
    with FakeMailchimp() as mailchimp:
        vault.put("key", mailchimp.api_key)
        mailchimp.tokens.add("of-the-account")
        account = MailchimpAccount(access_token="of-the-account", api_endpoint=mailchimp.url)
        vault.put("account", account.to_secret())
        for name in ("key", "account"):
            base_url = mailchimp.base_url if name == "key" else None
            with MailchimpSink(vault.reference(name), list_id="a1b2c3d4e5", base_url=base_url) as sink:
                assert sink.present()
                assert not any(text in repr(sink) for text in (mailchimp.api_key, "of-the-account"))

    with pytest.raises(VaultError, match="there is no secret 'nothing'"):
        MailchimpSink(vault.reference("nothing"), list_id="a1b2c3d4e5")


def test_one_consent_serves_several_workers(vault):
    """Sources that keep their tokens in one vault take over each other's: nobody uses up what the other needs."""
    with FakeAcumatica(customers=3) as erp:
        auth = OAuth2AuthorizationCode(
            client_id=CLIENT_ID,
            client_secret="s3cret",
            redirect_uri=REDIRECT,
            save=vault.saver("consent"),
            load=vault.loader("consent"),
        )
        with pytest.raises(ConfigurationError, match="no token yet"):
            Acumatica(erp.base_url, auth=auth)
        auth.exchange(erp.issue_code(REDIRECT), token_url=f"{erp.base_url}/identity/connect/token")
        first = vault.get_token("consent")
        with (
            Acumatica(erp.base_url, auth=auth, retry=ONCE) as one,
            Acumatica(erp.base_url, auth=auth, retry=ONCE) as other,
        ):
            for source in (one, other):
                assert 3 == sum(len(page) for page in source.read("customers"))
            erp.expire_tokens()
            for source in (one, other):
                assert 3 == sum(len(page) for page in source.read("customers"))

    renewals = [entry for entry in erp.log if entry.path.endswith("/connect/token")]
    assert 2 == len(renewals)
    assert first != vault.get_token("consent")
