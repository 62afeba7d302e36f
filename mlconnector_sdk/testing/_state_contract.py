"""The promises of `protocols.StateStore` as tests, for every store there is and will be."""

# ruff: noqa: SIM300  (here as in tests/: the expected value comes first)

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ..cursors import HighWaterMark
from ..errors import LeaseHeldError, StateError
from ..models import AuditEntry, Lease, Link, Suppression
from ..protocols import StateStore
from ._dead_letter_contract import DeadLetterContract, dead_letter
from ._lease_contract import HOUR, NOW, commit, some_links, together
from ._note_contract import note
from ._state_values import LINKS, MARKS, PAYLOADS, TIMES

__all__ = ["StateStoreContract"]

# One store serves all examples of a test, each committing what it then reads; and one test serves many store classes.
_examples = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


def _entry(key: str = "", stream: str = "customers", job_id: str = "job") -> AuditEntry:
    return AuditEntry(at=NOW, job_id=job_id, stream=stream, key=key, outcome="created")


class StateStoreContract(DeadLetterContract):
    """Subclass it in a test file, name the class `Test…`, and say how a store is made.

    Example::

        class TestMyStore(StateStoreContract):
            durable = True

            def make_store(self, tmp_path):
                return MyStore(tmp_path / "state")

    Attributes:
        durable: the state outlives `close`: a second store made with the same `tmp_path` sees it.
    """

    # What is committed is there, whole and exact.

    def test_empty(self, store: StateStore) -> None:
        """A store that nothing was committed to knows nothing, and says so without an error."""
        assert store.mark("acme", "customers") is None
        assert {} == store.links("acme", "customers", ["C1"])
        assert {} == store.links_to("acme", ["a@example.com"])
        assert {} == store.suppressions("acme", ["a@example.com"])
        assert [] == list(store.all_links("acme", "customers"))
        assert [] == list(store.dead_letters("acme"))
        assert [] == list(store.audit("acme"))

    def test_a_checkpoint_is_read_back(self, store: StateStore, lease: Lease) -> None:
        """Everything of a checkpoint is visible once `commit` returned."""
        mark = HighWaterMark(stream="customers", value=NOW, full_scan_at=NOW - HOUR)
        link = Link(stream="customers", key="C1", address="a@example.com", details=("x",), synced_at=NOW)
        dead = dead_letter("C2", status_code=400, request_id="r-1", attempts=3, fingerprint="f")
        suppression = Suppression(address="b@example.com", reason="unsubscribed", origin="mailchimp", at=NOW)
        entry = AuditEntry(
            at=NOW,
            job_id="job",
            stream="customers",
            key="C2",
            outcome="dead",
            reason="r",
            message="m",
            attempts=3,
            request_id="r-1",
        )
        commit(
            store, lease, mark=mark, links=(link,), dead_letters=(dead,), suppressions=(suppression,), audit=(entry,)
        )

        assert mark == store.mark("acme", "customers")
        assert {"C1": link} == store.links("acme", "customers", ["C1", "C2"])
        assert {"a@example.com": (link,)} == store.links_to("acme", ["a@example.com"])
        assert [dead] == list(store.dead_letters("acme"))
        assert {"b@example.com": suppression} == store.suppressions("acme", ["b@example.com", "a@example.com"])
        assert [entry] == list(store.audit("acme"))

    @given(value=MARKS, full_scan_at=st.none() | TIMES)
    @_examples
    def test_marks_round_trip(self, store: StateStore, value: Any, full_scan_at: datetime | None) -> None:
        """A mark of any type comes back equal and of the same type."""
        mark = HighWaterMark(stream="customers", value=value, full_scan_at=full_scan_at)
        commit(store, store.acquire("acme", "worker", now=NOW, duration=HOUR), mark=mark)

        found = store.mark("acme", "customers")

        assert found is not None
        assert mark == found
        assert type(value) is type(found.value)

    def test_times_come_back_in_utc(self, store: StateStore, lease: Lease) -> None:
        """An aware time of any zone comes back as the same moment in UTC, to the microsecond."""
        there = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=timezone(-timedelta(hours=5)))
        commit(store, lease, links=(Link(stream="customers", key="C1", synced_at=there),))

        found = store.links("acme", "customers", ["C1"])["C1"].synced_at

        assert there == found
        assert found is not None
        assert UTC is found.tzinfo

    @given(link=LINKS)
    @_examples
    def test_links_round_trip(self, store: StateStore, link: Link) -> None:
        """A link comes back as it was, whatever characters its parts hold."""
        commit(store, store.acquire("acme", "worker", now=NOW, duration=HOUR), links=(link,))

        assert {link.key: link} == store.links("acme", link.stream, [link.key])

    @given(payload=PAYLOADS)
    @_examples
    def test_payloads_round_trip(self, store: StateStore, payload: dict[str, Any]) -> None:
        """A dead letter's payload keeps its types: money stays `Decimal`, dates stay dates."""
        lease = store.acquire("acme", "worker", now=NOW, duration=HOUR)
        commit(store, lease, dead_letters=(dead_letter("C1", payload=payload),))

        assert [payload] == [letter.payload for letter in store.dead_letters("acme")]

    def test_payload_is_a_copy(self, store: StateStore, lease: Lease) -> None:
        """What the caller does to a payload after the commit does not reach the store."""
        payload: dict[str, Any] = {"lines": [1, 2], "at": time(8)}
        commit(store, lease, dead_letters=(dead_letter("C1", payload=payload),))
        payload["lines"].append(3)

        assert [{"lines": [1, 2], "at": time(8)}] == [letter.payload for letter in store.dead_letters("acme")]

    def test_messages_with_odd_characters(self, store: StateStore, lease: Lease) -> None:
        """A message with characters that databases refuse does not hold up a checkpoint."""
        commit(store, lease, dead_letters=(dead_letter("C1", message="a\0b\ud800c"),))

        (letter,) = store.dead_letters("acme")

        assert letter.message.startswith("a")
        assert letter.message.endswith("c")

    @pytest.mark.parametrize(
        "names",
        [
            ["C1", "c1", "C1 ", " C1", "C1\u00a0"],
            ["e\u0301", "\u00e9", "E\u0301", "e"],
            ["\u00df", "ss", "\u1e9e"],
            ["\U0001f600", "\U0001f601", "?"],
            ["a'b", 'a"b', "a%b", "a_b", "a\\b", ":a", "?"],
            ["", " ", "0", "00"],
        ],
    )
    def test_keys_are_exact(self, store: StateStore, lease: Lease, names: list[str]) -> None:
        """Keys and addresses that differ by case, accent, space or form are different ones."""
        commit(store, lease, links=tuple(Link(stream="customers", key=n, address=f"{n}@x", target=n) for n in names))
        suppressions = tuple(Suppression(address=f"{n}@x", reason=n, origin="erp", at=NOW) for n in names)
        commit(store, lease, suppressions=suppressions)

        by_key = {n: store.links("acme", "customers", [n]) for n in names}
        by_address = {n: store.links_to("acme", [f"{n}@x"]) for n in names}
        suppressed = {n: store.suppressions("acme", [f"{n}@x"]) for n in names}

        assert {n: [n] for n in names} == {n: [link.target for link in found.values()] for n, found in by_key.items()}
        assert {n: [n] for n in names} == {
            n: [link.target for links in found.values() for link in links] for n, found in by_address.items()
        }
        assert {n: [n] for n in names} == {n: [s.reason for s in found.values()] for n, found in suppressed.items()}
        assert sorted(names) == [link.key for link in store.all_links("acme", "customers")]

    def test_longest_names(self, store: StateStore, lease: Lease) -> None:
        """Keys of 255 and addresses of 320 characters are kept and told apart by their last character."""
        keys = ["\u00e9" * 254 + end for end in "ab"]
        addresses = ["\u00e9" * 319 + end for end in "ab"]
        links = tuple(Link(stream="customers", key=k, address=a) for k, a in zip(keys, addresses, strict=True))
        commit(store, lease, links=links)

        assert links[1:] == tuple(store.links("acme", "customers", keys[1:]).values())
        assert {addresses[0]: links[:1]} == store.links_to("acme", addresses[:1])

    # Adding, replacing, settling.

    def test_links_are_replaced_by_stream_and_key(self, store: StateStore, lease: Lease) -> None:
        """A link committed again replaces the earlier one of its stream and key, and no other."""
        first = Link(stream="customers", key="C1", address="old@example.com", fingerprint="1", details=("x",))
        other = Link(stream="contacts", key="C1", address="old@example.com")
        commit(store, lease, links=(first, other))
        second = Link(stream="customers", key="C1", address="new@example.com", fingerprint="2")
        commit(store, lease, links=(second,))

        assert {"C1": second} == store.links("acme", "customers", ["C1"])
        assert {"old@example.com": (other,), "new@example.com": (second,)} == store.links_to(
            "acme", ["old@example.com", "new@example.com"]
        )

    def test_later_of_two_counts(self, store: StateStore, lease: Lease) -> None:
        """Of two links for one record in one checkpoint the later counts."""
        links = tuple(Link(stream="customers", key="C1", address=f"{n}@x", fingerprint=n) for n in "ab")
        commit(store, lease, links=links)

        assert {"C1": links[1]} == store.links("acme", "customers", ["C1"])
        assert {"b@x": links[1:]} == store.links_to("acme", ["a@x", "b@x"])

    def test_marks_are_kept_per_stream(self, store: StateStore, lease: Lease) -> None:
        """A checkpoint moves the mark of its own stream only, and one without a mark moves none."""
        customers = HighWaterMark(stream="customers", value=date(2026, 3, 1))
        orders = HighWaterMark(stream="orders", value=7)
        commit(store, lease, mark=customers)
        commit(store, lease, mark=attrs.evolve(orders, value=5))
        commit(store, lease, mark=orders)
        commit(store, lease)

        assert (customers, orders) == (store.mark("acme", "customers"), store.mark("acme", "orders"))

    def test_suppressions_are_replaced_and_lifted(self, store: StateStore, lease: Lease) -> None:
        """A suppression holds until lifted; one committed again replaces the earlier one."""
        a, b = (Suppression(address=f"{n}@x", reason="unsubscribed", origin="mailchimp", at=NOW) for n in "ab")
        commit(store, lease, suppressions=(a, b))
        cleaned = attrs.evolve(a, reason="cleaned")
        commit(store, lease, suppressions=(cleaned,), lifted=("b@x", "unknown@x"))

        assert {"a@x": cleaned} == store.suppressions("acme", ["a@x", "b@x"])

    def test_suppression_outlasts_lifting(self, store: StateStore, lease: Lease) -> None:
        """An address both lifted and suppressed in one checkpoint stays suppressed: nobody is mailed in doubt."""
        suppression = Suppression(address="a@x", reason="unsubscribed", origin="mailchimp", at=NOW)
        commit(store, lease, suppressions=(suppression,), lifted=("a@x",))

        assert {"a@x": suppression} == store.suppressions("acme", ["a@x"])

    # All or nothing.

    @pytest.mark.parametrize(
        "broken",
        [
            {"dead_letters": (dead_letter("C9", payload={"x": object()}),)},
            {"dead_letters": (dead_letter("C9", payload={1: "x"}),)},
            {"audit": (attrs.evolve(_entry("C9"), at=datetime(2026, 3, 1)),)},  # noqa: DTZ001
            {"notes": (note("C9" * 200),)},
            {"links": (Link(stream="customers", key="C9" * 200),)},
            {"links": (Link(stream="customers", key="C9", address="\ud800"),)},
            {"links": (Link(stream="customers", key="C9", address="\0"),)},
            {"links": (Link(stream="c" * 51, key="C9"),)},
            {"audit": (attrs.evolve(_entry("C9"), stream="c" * 51),)},
            {"audit": (_entry("C9" * 200),)},
            {"audit": (_entry("\0"),)},
        ],
        ids=[
            *("payload", "field name", "naive time", "long note", "long key", "surrogate", "NUL"),
            *("long stream", "long stream of an entry", "long key of an entry", "NUL in an entry"),
        ],
    )
    def test_half_a_checkpoint_is_none(self, store: StateStore, lease: Lease, broken: dict[str, Any]) -> None:
        """A checkpoint with one value that cannot be kept raises `StateError` and leaves everything as it was."""
        before = HighWaterMark(stream="customers", value=1)
        suppression = Suppression(address="s@x", reason="unsubscribed", origin="mailchimp", at=NOW)
        commit(
            store,
            lease,
            mark=before,
            links=some_links(2),
            dead_letters=(dead_letter("D1"),),
            suppressions=(suppression,),
        )
        changes: dict[str, Any] = {
            "mark": HighWaterMark(stream="customers", value=2),
            "links": (Link(stream="customers", key="C00000", address="new@x"),),
            "settled": (("customers", "D1"),),
            "lifted": ("s@x",),
            "audit": (_entry("C1"),),
        }
        changes |= {name: (*changes.get(name, ()), *values) for name, values in broken.items()}

        with pytest.raises(StateError):
            commit(store, lease, **changes)

        assert before == store.mark("acme", "customers")
        assert list(some_links(2)) == list(store.all_links("acme", "customers"))
        assert {} == store.links_to("acme", ["new@x"])
        assert [dead_letter("D1")] == list(store.dead_letters("acme"))
        assert {"s@x": suppression} == store.suppressions("acme", ["s@x"])
        assert [] == list(store.audit("acme"))

    # Many.

    def test_thousands_of_keys(self, store: StateStore, lease: Lease) -> None:
        """A look-up takes any number of keys or addresses, known, unknown and repeated."""
        links = some_links(2500)
        suppressions = tuple(Suppression(address=link.address, reason="r", origin="o", at=NOW) for link in links)
        commit(store, lease, links=links, suppressions=suppressions)
        unknown = [f"unknown{i}" for i in range(2500)]

        keys = [link.key for link in links] * 2 + unknown
        addresses = [link.address for link in links] * 2 + unknown
        by_address = {link.address: (link,) for link in links}
        assert {link.key: link for link in links} == store.links("acme", "customers", keys)
        assert by_address == store.links_to("acme", addresses)
        assert {s.address: s for s in suppressions} == store.suppressions("acme", addresses)
        assert ({}, {}) == (store.links("acme", "customers", []), store.links_to("acme", []))

    def test_thousands_of_dead_letters(self, store: StateStore, lease: Lease) -> None:
        """Dead letters come in order however many there are, and so do those asked for by key."""
        letters = [dead_letter(f"C{i:05}", stream) for stream in ("customers", "orders") for i in range(1100)]
        commit(store, lease, dead_letters=tuple(reversed(letters)))

        assert letters == list(store.dead_letters("acme"))
        assert letters[1100:] == list(store.dead_letters("acme", stream="orders", keys=[d.key for d in letters]))

    def test_all_links_while_committing(self, store: StateStore, lease: Lease) -> None:
        """Going through all links in key order does not keep others from committing, and misses none."""
        links = some_links(2500)
        commit(store, lease, links=tuple(reversed(links)))
        seen = []

        for number, link in enumerate(store.all_links("acme", "customers")):
            seen.append(link.key)
            if number % 500 == 0:
                commit(store, lease, links=(attrs.evolve(link, fingerprint="seen"),), audit=(_entry(link.key),))

        assert [link.key for link in links] == seen

    def test_audit_while_committing(self, store: StateStore, lease: Lease) -> None:
        """Going through the audit does not keep others from adding to it."""
        commit(store, lease, audit=tuple(_entry(f"C{i}") for i in range(2500)))
        seen = []

        for number, entry in enumerate(store.audit("acme")):
            seen.append(entry.key)
            if number in (0, 1500):
                commit(store, lease, mark=HighWaterMark(stream="customers", value=number))

        assert [f"C{i}" for i in range(2500)] == seen

    # Who stands behind an address; what was done.

    def test_keys_of_members(self, store: StateStore, lease: Lease) -> None:
        """Those of links that speak for a member and whose record is not gone, in order."""
        member, gone = Link(stream="customers", key="C2", target="m2"), Link(stream="customers", key="C3", target="m3")
        others = (Link(stream="customers", key="C4"), Link(stream="contacts", key="C5", target="m5"))
        links = (*others, attrs.evolve(gone, state="skipped", reason="gone"), member, attrs.evolve(member, key="C1"))
        commit(store, lease, links=links)

        assert ["C1", "C2"] == list(store.member_keys("acme", "customers"))
        assert [] == list(store.member_keys("other", "customers"))

    def test_links_to_people_only(self, store: StateStore, lease: Lease) -> None:
        """All parties that share an address are found, by stream and key; orders and products are not."""
        places = [("suppliers", "1"), ("customers", "2"), ("orders", "1"), ("customers", "10"), ("contacts", "9")]
        places += [("products", "1"), ("store_customers", "1")]
        links = tuple(Link(stream=stream, key=key, address="a@x") for stream, key in places)
        commit(store, lease, links=links)

        found = [(link.stream, link.key) for link in store.links_to("acme", ["a@x", "b@x"])["a@x"]]

        assert [("contacts", "9"), ("customers", "10"), ("customers", "2"), ("suppliers", "1")] == found

    def test_no_address_is_not_an_address(self, store: StateStore, lease: Lease) -> None:
        """Records without an address do not share one."""
        commit(store, lease, links=(Link(stream="customers", key="C1"),))

        assert {} == store.links_to("acme", [""])

    def test_audit_order_and_filters(self, store: StateStore, lease: Lease) -> None:
        """The audit comes as it was committed, whatever its times say, narrowed by stream, record and job."""
        entries = [_entry("C2"), _entry("C1"), _entry("C1", "orders"), _entry("C1", job_id="later"), _entry("", "")]
        entries[1] = attrs.evolve(entries[1], at=NOW - HOUR)
        commit(store, lease, audit=tuple(entries[:3]))
        commit(store, lease, audit=tuple(entries[3:]))

        assert entries == list(store.audit("acme"))
        assert [entries[2]] == list(store.audit("acme", stream="orders"))
        assert entries[1:4] == list(store.audit("acme", key="C1"))
        assert [entries[3]] == list(store.audit("acme", job_id="later"))
        assert [entries[1]] == list(store.audit("acme", stream="customers", key="C1", job_id="job"))
        assert [entries[4]] == list(store.audit("acme", stream=""))

    # Side by side.

    def test_pipelines_do_not_see_each_other(self, store: StateStore, lease: Lease) -> None:
        """Two pipelines in one store share nothing, not even when their names differ by case only."""
        other = store.acquire("Acme", "worker", now=NOW, duration=HOUR)
        suppression = Suppression(address="c0@example.com", reason="r", origin="o", at=NOW)
        mark = HighWaterMark(stream="customers", value=1)
        commit(
            store,
            lease,
            mark=mark,
            links=some_links(1),
            dead_letters=(dead_letter("C1"),),
            suppressions=(suppression,),
            audit=(_entry("C1"),),
        )
        commit(store, other, settled=(("customers", "C1"),), lifted=("c0@example.com",))

        assert store.mark("Acme", "customers") is None
        assert {} == store.links("Acme", "customers", ["C00000"])
        assert {} == store.links_to("Acme", ["c0@example.com"])
        assert {} == store.suppressions("Acme", ["c0@example.com"])
        assert ([], []) == (list(store.all_links("Acme", "customers")), list(store.audit("Acme")))
        assert [] == list(store.dead_letters("Acme"))
        assert [dead_letter("C1")] == list(store.dead_letters("acme"))
        assert {"c0@example.com": suppression} == store.suppressions("acme", ["c0@example.com"])

    def test_two_threads(self, store: StateStore) -> None:
        """Two threads read and commit at the same time, each to a pipeline of its own, without harm."""
        failures: list[BaseException] = []

        def work(pipeline: str) -> None:
            try:
                lease = store.acquire(pipeline, "worker", now=NOW, duration=HOUR)
                for number in range(20):
                    link = Link(stream="customers", key=f"C{number}", address="a@x")
                    commit(store, lease, links=(link,), mark=HighWaterMark(stream="customers", value=number))
                    assert {link.key: link} == store.links(pipeline, "customers", [link.key])
            except BaseException as error:
                failures.append(error)

        together(work, ["one", "two"])

        assert [] == failures
        assert [20, 20] == [len(list(store.all_links(pipeline, "customers"))) for pipeline in ("one", "two")]

    def test_close_is_harmless(self, store: StateStore) -> None:
        """Closing twice does no harm."""
        store.close()
        store.close()

    def test_reopened(self, tmp_path: Path) -> None:
        """A durable store opened again holds everything, leases included; a second one open sees each commit."""
        store = self.make_store(tmp_path)
        lease = store.acquire("acme", "worker", now=NOW, duration=HOUR)
        mark = HighWaterMark(stream="customers", value=NOW)
        suppression = Suppression(address="s@x", reason="r", origin="o", at=NOW)
        dead, audit = (dead_letter("C9"),), (_entry("C1"),)
        commit(
            store, lease, mark=mark, links=some_links(3), dead_letters=dead, suppressions=(suppression,), audit=audit
        )
        expected = (mark, list(some_links(3)), [dead_letter("C9")], {"s@x": suppression}, [_entry("C1")])
        if not self.durable:
            assert expected == _everything(store)
            store.close()
            return
        second = self.make_store(tmp_path)
        assert expected == _everything(second)
        store.close()
        assert expected == _everything(second)
        with pytest.raises(LeaseHeldError):
            second.acquire("acme", "other", now=NOW, duration=HOUR)
        commit(second, lease)
        second.close()


def _everything(store: StateStore) -> tuple[object, ...]:
    return (
        store.mark("acme", "customers"),
        list(store.all_links("acme", "customers")),
        list(store.dead_letters("acme")),
        store.suppressions("acme", ["s@x"]),
        list(store.audit("acme")),
    )
