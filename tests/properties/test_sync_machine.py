"""Random lives of an ERP and an audience, with runs in between: what holds after every run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mlconnector_sdk import SyncPolicy
from tests.scenarios._worlds import World

ADDRESSES = [f"{name}@harbor-pumps.com" for name in ("ann", "bob", "cem", "dot", "eve", "fay")]


class SyncMachine(RuleBasedStateMachine):
    """Customers come, move, share addresses and leave; people unsubscribe; the sync runs now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World().__enter__()
        self.keys: list[str] = []
        self.left: set[str] = set()
        self.policy = SyncPolicy()

    @initialize(
        inactive=st.sampled_from(["unsubscribe", "archive", "ignore"]),
        shared=st.sampled_from(["first_owner", "customer_first"]),
    )
    def choose_policy(self, inactive, shared) -> None:
        self.policy = SyncPolicy(inactive=inactive, shared_email=shared)

    @rule(address=st.sampled_from([*ADDRESSES, None, "not an address"]))
    def add_customer(self, address) -> None:
        self.keys.append(self.world.erp.add_customer(address, name=f"Number {len(self.keys)}"))

    @rule(address=st.sampled_from(ADDRESSES))
    def add_contact(self, address) -> None:
        self.world.erp.add_contact(address)

    @precondition(lambda self: self.keys)
    @rule(data=st.data(), address=st.sampled_from([*ADDRESSES, None, "not an address"]))
    def change_address(self, data, address) -> None:
        self.world.erp.set_email(data.draw(st.sampled_from(self.keys)), address)

    @precondition(lambda self: self.keys)
    @rule(data=st.data(), name=st.sampled_from(["Ada", "Bo", "Chen"]))
    def rename(self, data, name) -> None:
        self.world.erp.rename(data.draw(st.sampled_from(self.keys)), name)

    @precondition(lambda self: self.keys)
    @rule(data=st.data())
    def toggle_activity(self, data) -> None:
        key = data.draw(st.sampled_from(self.keys))
        active = self.world.erp.fake.customers[key]["Status"] == "Active"
        (self.world.erp.deactivate if active else self.world.erp.activate)(key)

    @precondition(lambda self: self.keys)
    @rule(data=st.data())
    def remove(self, data) -> None:
        key = data.draw(st.sampled_from(self.keys))
        self.keys.remove(key)
        self.world.erp.remove(key)

    @precondition(lambda self: self.world.mailchimp.members)
    @rule(data=st.data())
    def unsubscribe(self, data) -> None:
        members = self.world.mailchimp.members
        subscribed = sorted(email for email, member in members.items() if member.status == "subscribed")
        if subscribed:
            email = data.draw(st.sampled_from(subscribed))
            self.world.mailchimp.unsubscribe(email)
            self.left.add(email)

    @rule()
    def run(self) -> None:
        report = self.world.run(streams=["customers", "contacts"], policy=self.policy)
        for stream in report.streams.values():
            counted = stream.created + stream.updated + stream.unchanged + stream.skipped + stream.dead
            assert stream.read == counted
        # Deletions and edits that leave no stamp are found by a full scan only.
        self.world.run(streams=["customers", "contacts"], policy=self.policy, full=True, later=1)
        self.check_members()
        self.check_quiet()

    def check_members(self) -> None:
        """Every active customer with an address has a member there, which names a record that has that address."""
        erp, members = self.world.erp.fake, self.world.mailchimp.members
        holders: dict[str, set[str]] = {}
        for key, customer in erp.customers.items():
            email = customer["MainContact"]["Email"]
            if email in ADDRESSES and (customer["Status"] == "Active" or self.policy.inactive == "ignore"):
                holders.setdefault(email, set()).add(key)
        for key, contact in erp.contacts.items():
            holders.setdefault(contact["Email"], set()).add(str(key))
        for email, keys in holders.items():
            assert email in members, f"{email} of {keys} is missing"
            if members[email].status != "archived":
                assert members[email].merge_fields["ERPID"] in keys, (
                    email,
                    keys,
                    members[email].merge_fields,
                )

    def check_quiet(self) -> None:
        """A further run over everything writes nothing."""
        before = len(self.world.writes)
        self.world.run(streams=["customers", "contacts"], policy=self.policy, full=True, later=1)
        assert self.world.writes[before:] == []

    @invariant()
    def nobody_is_mailed_against_their_will(self) -> None:
        """Whoever left by their own hand is not subscribed again, wherever the sync moved them."""
        for email in self.left:
            member = self.world.mailchimp.members.get(email)
            assert member is None or member.status != "subscribed" or not member.opted_out

    def teardown(self) -> None:
        self.world.__exit__()


TestSyncMachine = SyncMachine.TestCase
TestSyncMachine.settings = settings(
    max_examples=10, stateful_step_count=18, deadline=None, suppress_health_check=list(HealthCheck)
)
