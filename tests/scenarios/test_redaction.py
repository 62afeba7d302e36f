"""Secrets and personal data stay where they belong, whatever happens and however closely anybody looks on."""

from __future__ import annotations

import gc
import logging
import pickle
import re
import traceback
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import attrs
import pytest

from mlconnector_sdk import MailchimpSink, errors, parse_webhook
from mlconnector_sdk.credentials import EncryptedVault, KeyRing
from mlconnector_sdk.errors import MLConnectorError
from mlconnector_sdk.mailchimp import MailchimpOAuth
from mlconnector_sdk.models import (
    Checkpoint,
    Customer,
    Lease,
    Link,
    MemberWrite,
    OrderWrite,
    Page,
    WebhookEvent,
)
from mlconnector_sdk.retry import RetryPolicy
from mlconnector_sdk.sources.acumatica import Acumatica
from mlconnector_sdk.state import MemoryStateStore, SQLiteStateStore, SQLStateStore
from mlconnector_sdk.testing import Reply, Request
from tests.scenarios._worlds import ENDS, START, World

WILMA, MOVED, MARY, SALES = (
    "wilma.quaxbury@quaxmail.com",
    "wilma.moved@quaxmail.com",
    "mary@quaxmail.com",
    "sales@quaxmail.com",
)
COMPANY = "Quaxbury Holdings"
PLANTED = {"quax", "wilma", "zebulon"}
"""Pieces of everything personal that the story itself plants; parts of no key and no word of ours."""

MAILCHIMP_KEY = "5ecretf00dfacade5ecretf00dfacade-us6"
WRONG = "wr0ng-pa55word-of-nobody"
REFUSAL = {
    "title": "Invalid Resource",
    "detail": f"{WILMA} looks fake or invalid: Wilma Quaxbury, please enter a real email address.",
    "errors": [{"field": "email_address", "message": f"{WILMA} of 'Wilma Quaxbury' is not good"}],
}

PASSWORDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "acumatica": ({"password": "5ecret-of-acumatica"}, {"password": "5ecret-of-acumatica"}),
    "sage100 agent": ({"agent_token": "5ecret-token-0123456789abcdef"}, {}),
    "sage100 soap": ({"password": "5ecret-of-sage100"}, {}),
    "sage300": ({"password": "5ECRET300"}, {"password": "5ecret300"}),
    "sagex3 rest": ({"password": "5ecret-of-x3"}, {}),
    "sagex3 graphql": ({}, {}),
    "sagex3 graphql 2021": ({}, {}),
    "syspro odata": ({"odata_password": "5ecret-of-odata"}, {"password": "5ecret-of-odata"}),
    "syspro enet": ({"password": "5ecret-of-enet"}, {"password": "5ecret-of-enet"}),
    "syspro soap": ({"password": "5ecret-of-enet"}, {"password": "5ecret-of-enet"}),
}
"""Passwords that are unmistakable: what the ERP is told, and what its source is."""


class Witness(logging.Handler):
    """Keeps everything that anybody logs, extras and tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []
        self.spoke: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.spoke.add(record.name.partition(".")[0])
        extras = {name: value for name, value in vars(record).items() if name not in {"msg", "args", "exc_info"}}
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        self.said.append(f"{record.name}: {record.getMessage()} {extras!r} {trace}")


@pytest.fixture(name="witness")
def _witness() -> Iterator[Witness]:
    """Everybody logs everything to one witness."""
    witness = Witness()
    names = ["", "mlconnector_sdk", "httpx", "httpcore", "zeep", "sqlalchemy", "authlib"]
    before = {name: logging.getLogger(name).level for name in names}
    logging.getLogger().addHandler(witness)
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield witness
    logging.getLogger().removeHandler(witness)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


class NosySink(MailchimpSink):
    """Keeps what it is given and what it answers."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.met: list[Any] = []

    def write_members(self, writes: Sequence[MemberWrite]) -> list[Any]:
        results = super().write_members(writes)
        self.met += [*writes, *results]
        return results

    def write_orders(self, writes: Sequence[OrderWrite], **more: Any) -> list[Any]:
        results = super().write_orders(writes, **more)
        self.met += [*writes, *results]
        return results


class NosyStore(SQLiteStateStore):
    """Keeps what is committed."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.met: list[Any] = []

    def commit(self, checkpoint: Any, lease: Any) -> None:
        self.met.append(checkpoint)
        super().commit(checkpoint, lease)


def texts_of(thing: Any) -> Iterator[str]:
    """Every way in which a thing shows itself."""
    yield repr(thing)
    yield str(thing)
    if isinstance(thing, BaseException):
        yield "".join(traceback.format_exception(thing))
        yield repr({name: value for name, value in vars(thing).items() if name != "report"})


def ours_alive() -> list[Any]:
    """Every object of this library that is alive now, classes and functions aside, by its own class's name."""
    return [thing for thing in gc.get_objects() if _is_ours(type(thing))]


def _is_ours(kind: type) -> bool:
    home = kind.__dict__.get("__module__", "")
    return isinstance(home, str) and home.startswith("mlconnector_sdk.") and ".testing" not in home


class Story:
    """One pipeline told from end to end, and all it said and showed."""

    def __init__(self, system: str, folder: Any, witness: Witness) -> None:
        self.witness = witness
        self.told, self.given = PASSWORDS[system]
        self.state = NosyStore(folder / "state.db")
        self.world = World(system, state=self.state, mailchimp={"api_key": MAILCHIMP_KEY}, **self.told)
        self.shown: list[str] = []
        self.kept: list[Any] = []

    def look(self, *things: Any) -> None:
        """Note how things show themselves."""
        self.kept += things
        self.shown += [text for thing in things for text in texts_of(thing)]

    def sink(self) -> NosySink:
        plain = self.world.sink()
        plain.close()
        settings = {"list_id": self.world.mailchimp.list_id, "base_url": self.world.mailchimp.base_url}
        return NosySink(MAILCHIMP_KEY, retry=RetryPolicy.immediate(), store=plain.store, **settings)

    def source(self, **settings: Any) -> Any:
        return self.world.erp.source(**{**self.given, **settings})

    @contextmanager
    def engine(self, *, closely: bool = False, **settings: Any) -> Iterator[Any]:
        """An engine an hour later; what it raises is looked at, and is ours."""
        self.world.clock.advance(minutes=60)
        sink = self.sink()
        with self.world.engine(sink=sink, source=self.source(**settings)) as engine:
            try:
                yield engine
            except MLConnectorError as error:
                self.look(error)
            self.look(engine, sink, *engine.dead_letters(), *engine.lookup(email=WILMA), *sink.met)
            if closely:
                self.look(*engine.audit(), *ours_alive())

    def run(self, **settings: Any) -> None:
        with self.engine(**settings) as engine:
            self.look(engine.run(full=True))

    def run_again(self, engine: Any) -> None:
        """Run an engine that is open, and look at what comes of it."""
        self.world.clock.advance(minutes=60)
        try:
            self.look(engine.run(full=True))
        except MLConnectorError as error:
            self.look(error)

    def personal(self) -> set[str]:
        """What the ERP itself says of people: names, streets, telephone numbers, as the records hold them."""
        found: set[str] = set()
        with self.source() as source:
            source.attach(clock=self.world.clock)
            for stream in source.streams:
                pages = list(source.read(stream))
                self.look(*pages, *(one for page in pages for one in (*page.records, *page.unreadable)))
                for record in (one for page in pages for one in page.records):
                    address = getattr(record, "address", None) or record.billing_address
                    self.look(address)
                    found |= {record.name, record.email, getattr(record, "phone", ""), address.line1, address.line2}
        return {text.lower() for text in found if len(text) >= 7}

    def secrets(self) -> set[str]:
        """Passwords, and whatever travelled as a credential: headers, cookies, session ids."""
        found = {MAILCHIMP_KEY, WRONG, *self.told.values(), *self.given.values()}
        with suppress(AttributeError):
            found.add(self.world.erp.fake.graphql.application.secret)
        for entry in [*self.world.erp.fake.log, *self.world.mailchimp.log]:
            headers, query = entry.request.headers, entry.request.query
            found |= {headers.get("authorization", "").partition(" ")[2], query.get("UserId", "")}
            found |= {one.partition("=")[2] for one in headers.get("cookie", "").split("; ")}
        found |= {b64encode(f"mlconnector_sdk:{MAILCHIMP_KEY}".encode()).decode()}
        return {text for text in found if len(text) >= 8}


def tell(story: Story) -> None:
    """First load, change, dead letter, unsubscribe, replay, wrong password, faults on both ends, malformed rows."""
    world, erp = story.world, story.world.erp
    wilma = erp.add_customer(WILMA, name=COMPANY)
    erp.add_contact(MARY, account=wilma, first="Zebulon", last="Quaxbury")
    erp.add_supplier(SALES)
    broken = erp.add_customer("wilma quaxbury no address", name="Quaxbury Brothers")
    erp.add_order(wilma)
    with story.engine(closely=True) as engine:
        story.look(engine.check(), *engine.check(), engine.plan(), engine.run())
    erp.rename(wilma, "Quaxbury Renamed")
    erp.set_email(wilma, MOVED)
    story.run()
    world.mailchimp.unsubscribe(MOVED)
    event = WebhookEvent(origin="marketing", kind="unsubscribe", address=MOVED, receipt="r1", at=world.clock())
    with story.engine() as engine:
        story.look(event, engine.handle(event), engine.reconcile())
    erp.set_email(broken, "brothers@quaxmail.com")
    with story.engine() as engine:
        story.look(engine.replay())
    troubles(story)
    story.run()
    with story.engine(closely=True) as engine:
        story.look(engine.erase(MARY, reason="asked for"), *engine.lookup(email=MARY))


def troubles(story: Story) -> None:
    """What can go wrong, with personal data in everything that the other side says of it."""
    world, erp = story.world, story.world.erp
    story.run(password=WRONG)
    talk = {"message": f"Wilma Quaxbury <{WILMA}>", "exceptionMessage": WILMA, "error": {"code": "X", "message": WILMA}}
    rules: list[dict[str, Any]] = [
        {"status": 500, "body": talk},
        {"status": 400, "body": talk},
        {"status": 422, "body": talk},
        {"status": 200, "body": f"<html>Wilma Quaxbury {WILMA}</html>"},
        {"status": 302, "headers": {"Location": f"http://127.0.0.1/?name={WILMA}"}},
        {"drop": "before"},
        {"status": 403, "body": talk},
    ]
    with story.engine() as engine:
        for rule in rules:
            erp.fake.fail(**rule)
            story.run_again(engine)
            erp.fake.faults.clear()
    with story.engine() as engine:
        for status in (400, 404, 500):
            erp.rename(erp.add_customer(f"new{status}@quaxmail.com", name=COMPANY), "Quaxbury Anew")
            world.mailchimp.fail(status=status, body=REFUSAL, method="POST")
            world.mailchimp.fail(status=status, body=REFUSAL, method="PUT")
            story.run_again(engine)
            world.mailchimp.faults.clear()
        with spoiled(erp.fake):
            story.run_again(engine)


@contextmanager
def spoiled(fake: Any) -> Iterator[None]:
    """Dates and numbers of rows come as somebody's name."""
    handle: Callable[[Request], Reply] = fake.handle

    def spoil(request: Request) -> Reply:
        reply = handle(request)
        body, kind = reply.encoded()
        body = re.sub(rb"20\d\d-(?=\d\d-\d\d)", b"Quaxbury-", body)
        return Reply(reply.status, body, {"Content-Type": kind, **reply.headers}, reply.cookies)

    fake.handle = spoil
    try:
        yield
    finally:
        del fake.handle


def leaks(said: Sequence[str], hidden: set[str]) -> str:
    """Where something hidden is shown: the words around it."""
    whole = "\n".join(dict.fromkeys(said))
    folded = whole.lower()
    places = ((text, folded.find(text.lower())) for text in hidden)
    return "\n".join(whole[max(0, at - 200) : at + len(text) + 60] for text, at in places if at >= 0)


@pytest.mark.parametrize("system", ENDS)
def test_a_whole_story_shows_nothing(system, tmp_path, witness):
    """Through all that happens to a pipeline, logs, objects, errors, events and warnings show no secret and nobody."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        story = Story(system, tmp_path, witness)
        with story.world:
            tell(story)
            personal, secrets = story.personal() | PLANTED, story.secrets()
    story.state.close()
    said = [*witness.said, *story.shown, *map(repr, story.world.events), *(str(one.message) for one in warned)]

    assert witness.spoke >= {"mlconnector_sdk", "sqlalchemy"}
    assert len(story.shown) > 500
    assert leaks(said, secrets) == ""
    assert leaks(said, personal) == ""
    content = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert [secret for secret in secrets if secret.encode() in content] == []


# -- every class of error ---------------------------------------------------------------------------------------------


def _of_run(*, before: Callable[[World], None] = lambda world: None, **settings: Any) -> Callable[[Any], None]:
    """A situation: a run of a pipeline with one customer, after something has happened."""

    def happen(_: Any) -> Any:
        with World() as world:
            world.erp.add_customer(WILMA, name=COMPANY)
            before(world)
            return world.run(source=world.erp.source(**settings), streams=["customers"])

    return happen


def _of_reading(**rule: Any) -> Callable[[Any], Any]:
    """A situation: customers are read from an ERP that answers so."""

    def happen(_: Any) -> None:
        with World() as world, world.erp.source() as source:
            world.erp.add_customer(WILMA, name=COMPANY)
            _fails(**rule)(world)
            list(source.read("customers"))

    return happen


def _fails(**rule: Any) -> Callable[[World], None]:
    def fail(world: World) -> None:
        world.erp.fake.fail(path="/Customer", body={"message": WILMA}, **rule)

    return fail


def _lease(state: MemoryStateStore, owner: str, minutes: int) -> Lease:
    return state.acquire("acme", owner, now=START + timedelta(minutes=minutes), duration=timedelta(minutes=5))


def _overtaken(_: Any) -> None:
    state = MemoryStateStore()
    late = _lease(state, "one", 0)
    _lease(state, "two", 10)
    letter = Link(stream="customers", key="1", address=WILMA)
    state.commit(Checkpoint(pipeline="acme", job_id="1", links=(letter,)), late)


def _held(_: Any) -> None:
    state = MemoryStateStore()
    _lease(state, "one", 0)
    _lease(state, "two", 1)


def _many_leave(_: Any) -> Any:
    with World() as world:
        keys = [world.erp.add_customer(f"quax{number}@quaxmail.com", name=COMPANY) for number in range(60)]
        world.run(streams=["customers"])
        for key in keys[:40]:
            world.erp.deactivate(key)
        return world.run(streams=["customers"])


def _steps_back(_: Any) -> Any:
    class Backwards(Acumatica):
        def read(self, stream: Any, window: Any = None) -> Iterator[Page]:
            for day in (2, 1):
                stamp = START - timedelta(days=3 - day)
                yield Page(stream=stream, records=(Customer(key=str(day), name=COMPANY, modified_at=stamp),))

        @property
        def streams(self) -> Any:
            return {"customers": attrs.evolve(super().streams["customers"], ordered=True)}

    with World() as world:
        return world.run(source=world.erp.source(kind=Backwards), streams=["customers"])


def _key_lost(folder: Any) -> None:
    EncryptedVault(folder / "vault", key=KeyRing.generate()).put("erp", WRONG)
    EncryptedVault(folder / "vault", key=KeyRing.generate()).get("erp")


def _disconnected(_: Any) -> None:
    with World() as world:
        MailchimpOAuth(
            client_id="1", client_secret=WRONG, redirect_uri="https://acme.org/back", base_url=world.mailchimp.url
        ).account(WRONG)


def _refused_member(title: str, status: int) -> Callable[[Any], None]:
    def happen(_: Any) -> None:
        with World() as world, world.sink() as sink:
            world.mailchimp.fail(status=status, body={**REFUSAL, "title": title})
            sink.member(WILMA)

    return happen


def _unread(_: Any) -> None:
    with World() as world, world.sink() as sink:
        sink.reports.report("..")


SITUATIONS: dict[type[MLConnectorError], Callable[[Any], Any]] = {
    errors.ConfigurationError: lambda _: SQLStateStore(f"nonsense://x:{WRONG}@{MARY}:x/db"),
    errors.MissingDependencyError: lambda _: SQLStateStore(f"mssql+pymssql://x:{WRONG}@localhost/db"),
    errors.VaultError: _key_lost,
    errors.RateLimitError: _of_run(before=_fails(status=429)),
    errors.UnavailableError: _of_run(before=_fails(status=503)),
    errors.ServerFaultError: _of_run(before=_fails(status=500)),
    errors.TimeoutExceededError: lambda _: _slowly(),
    errors.MappingError: _unread,
    errors.RecordRejectedError: _refused_member("Invalid Resource", 400),
    errors.RecordNotFoundError: lambda _: _no_report(),
    errors.AuthenticationError: _of_run(password=WRONG),
    errors.ReauthorizationRequiredError: _disconnected,
    errors.PermissionDeniedError: _of_reading(status=403),
    errors.ContractError: _of_reading(status=404),
    errors.CursorOrderError: _steps_back,
    errors.MassLeaveError: _many_leave,
    errors.StateError: lambda folder: SQLiteStateStore(folder).mark("acme", "customers"),
    errors.LeaseHeldError: _held,
    errors.LeaseLostError: _overtaken,
    errors.WebhookError: lambda _: parse_webhook({}, f"type=unsubscribe&data[email]={WILMA}".encode(), secret=WRONG),
}
"""How each error comes about, with a secret or a person at hand."""

FAMILIES = {errors.MLConnectorError, errors.TransientError, errors.RecordError, errors.FatalError}
"""What is only ever raised as one of its kinds."""


def _slowly() -> None:
    with World() as world:
        world.erp.add_customer(WILMA)
        world.erp.fake.fail(path="/Customer", delay=0.3)
        world.run(source=world.erp.source(timeout=0.1))


def _no_report() -> None:
    with World() as world, world.sink() as sink:
        sink.reports.report(COMPANY)


def test_every_error_has_its_situation():
    """The table names every class of error there is."""
    everyone = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, MLConnectorError)}

    assert everyone - FAMILIES == set(SITUATIONS)


@pytest.mark.parametrize("kind", SITUATIONS, ids=lambda kind: kind.__name__)
def test_errors_name_nobody(kind, tmp_path, witness):
    """Each error, as it really comes about, shows no secret and nobody: in text, attributes, traceback and log."""
    said: list[str] = []
    try:
        report = SITUATIONS[kind](tmp_path)
    except kind as error:
        # In its place a pickled one may be shown, by another process.
        said += [text for one in (error, pickle.loads(pickle.dumps(error))) for text in texts_of(one)]
    else:
        # What concerns one stream alone is told by the report of a run that goes on.
        said += [*texts_of(report), report._repr_html_(), *texts_of(report.streams["customers"])]
        assert report.streams["customers"].error
        assert any(kind.default_reason in text for text in witness.said)

    assert leaks([*witness.said, *said], {WRONG, WILMA, COMPANY, "quaxmail.com", "Wilma Quaxbury"}) == ""
