"""Every standing of a member, every state of its customer, every policy: who ends how, by which calls."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import attrs
import pytest

from mlconnector_sdk import SyncPolicy
from mlconnector_sdk.models import member_id
from tests.scenarios._worlds import World

STATES = ["new", "known", "inactive", "on hold", "opted out", "reactivated", "deleted", "moved"]
"""What the ERP says: the customer is met for the first time; is known and edited; …; has another address."""

ORACLE = {
    #               new      known    inactive     on hold      opted out  reactivated  deleted  moved
    "nobody":       ["first", "first", "off/first", "held/first", "out",     "restored",  "gone",  "silent"],
    "subscribed":   ["same",  "same",  "off",       "held",       "out",     "same",      "gone",  "same"],
    "pending":      ["same",  "same",  "off",       "held",       "out",     "same",      "gone",  "same"],
    "transactional": ["same", "same",  "off",       "held",       "out",     "same",      "gone",  "same"],
    "left":         ["same",  "same",  "same",      "same",       "same",    "same",      "same",  "same"],
    "taken off":    ["off/back", "back",  "off/back",  "held/back",  "same",    "back",      "same",  "back"],
    "bounced":      ["quiet", "quiet", "quiet",     "quiet",      "quiet",   "quiet",     "quiet", "apart"],
    "archived":     ["quiet", "quiet", "quiet",     "quiet",      "quiet",   "quiet",     "quiet", "quiet"],
    "put away":     ["off/back", "back",  "off/back",  "held/back",  "same",    "back",      "same",  "back"],
    "forgotten":    ["lost",  "lost",  "lost/off",  "lost/held",  "lost/out", "lost",     "lost/gone", "silent"],
}  # fmt: skip
"""How each member ends. Its standing: `left` by the contact's hand, `taken off` and `put away` by this sync.

- `first`: as a new member starts. `same`: as before. `quiet`: as before, without any call. `lost`: not there.
- `off`, `held`, `gone`: as the policy says of inactive customers, customers on hold, deleted ones. `out`: unsubscribed.
- `back`: as before it was taken off, if the policy brings it back; else it stays off. `restored`: the same, for a
  member that vanished meanwhile. `x/y`: `y` where the policy does not let the customer go, `x` where it does.
- `silent`: unsubscribed at the new address. `apart`: bounced at the old address, new at the new one.
"""

STATUS = {
    "left": "unsubscribed",
    "taken off": "unsubscribed",
    "bounced": "cleaned",
    "put away": "archived",
    "nobody": None,
    "forgotten": None,
}
MAILABLE = {"subscribed", "pending", "transactional"}
GONE_FOR_GOOD = {"left", "bounced", "archived", "forgotten"}

POLICIES = [
    pytest.param(
        SyncPolicy(
            new_members=new,
            inactive=inactive,
            on_hold=on_hold,
            reactivated=reactivated,
            on_unsubscribe=on_unsubscribe,
            most_leaving=1.0,
        ),
        double,
        id=f"{new}-{inactive}-{on_hold}-{reactivated}-{on_unsubscribe}-{'double' if double else 'single'}",
    )
    for new, (inactive, on_hold), reactivated, (on_unsubscribe, double) in itertools.product(
        ["subscribed", "pending", "transactional"],
        [("unsubscribe", "ignore"), ("archive", "tag"), ("tag", "unsubscribe"), ("ignore", "archive")],
        ["leave", "resubscribe"],
        [("suppress", False), ("log", True)],
    )
]


@attrs.frozen(kw_only=True)
class Cell:
    """One customer and one member.

    Attributes:
        before: where the member stands when the run begins.
    """

    before: str
    state: str

    @property
    def name(self) -> str:
        return f"{self.before} {self.state}".replace(" ", ".")

    @property
    def old(self) -> str:
        return f"{self.name}@harbor-pumps.com"

    @property
    def address(self) -> str:
        return f"{self.name}@quillpaper.com" if self.state == "moved" else self.old

    @property
    def is_ours(self) -> bool:
        """This sync itself took the member off."""
        return self.before in {"taken off", "put away"}

    @property
    def word(self) -> str:
        return ORACLE[self.before][STATES.index(self.state)]


CELLS = [Cell(before=before, state=state) for before in ORACLE for state in STATES]


@attrs.frozen
class Expected:
    """What the oracle says of a cell: statuses at both addresses, statuses asked for, whether anything is called."""

    status: str | None
    old: str | None
    asked: frozenset[str] = frozenset()
    quiet: bool = False


def expected(cell: Cell, policy: SyncPolicy, *, double: bool) -> Expected:
    """Read the oracle for one policy."""
    choice = {"on hold": policy.on_hold, "opted out": "unsubscribe"}.get(cell.state, policy.inactive)
    goes, _, stays = cell.word.partition("/")
    word = stays if stays in {"first", "back"} and choice == "ignore" else goes
    before = STATUS.get(cell.before, cell.before)
    returns = policy.reactivated == "resubscribe"
    first = "pending" if double and policy.new_members == "subscribed" else policy.new_members
    was_taken_off = policy.inactive in {"unsubscribe", "archive"}
    if word in {"off", "held"} and cell.is_ours:
        word = "same"
    if word == "restored" and not was_taken_off:
        word = "first"
    status, asked = before, set()
    match word:
        case "first" | "apart":
            status = first
        case "silent":
            status = "unsubscribed"
        case "off" | "held" | "gone" | "out":
            status, asked = _let_go(before, choice)
        case "back" if returns:
            status, asked = "subscribed", {"subscribed"}
        case "restored":
            status, asked = ("subscribed", {"subscribed"}) if returns else ("unsubscribed", set())
        case "lost":
            status = None
            if stays:
                asked = {"unsubscribe": {"unsubscribed"}, "archive": {"archived"}}.get(choice, set())
            elif cell.state == "reactivated" and was_taken_off and returns:
                asked = {"subscribed"}
    old = status
    if cell.state == "moved":
        old = None
        if cell.before in {"bounced", "archived"}:
            old, status = before, status if word == "apart" else None
    return Expected(status, old, frozenset(asked), quiet=word == "quiet")


def _let_go(before: str | None, choice: str) -> tuple[str | None, set[str]]:
    """A member leaves as the policy says; who has yet to confirm cannot be archived.

    One that vanished is made again by a bulk call, which knows no other way, without mail, and put away at once.
    """
    if choice == "archive":
        return {"pending": ("unsubscribed", {"archived", "unsubscribed"}), None: (None, {"archived"})}.get(
            before, ("archived", {"archived"})
        )
    asked = {"unsubscribed"} if choice == "unsubscribe" else set()
    if before is None and choice != "ignore":
        return "archived", asked | {"archived"}
    return "unsubscribed" if asked else before, asked


class Stage:
    """A world in which every cell of one policy is played at once."""

    def __init__(self, world: World, policy: SyncPolicy) -> None:
        self.world, self.policy = world, policy
        self.keys: dict[Cell, str] = {}

    def run(self, *, full: bool = False, **changes: Any) -> Any:
        """One run; the field of the site's own that says "no mail" is the customer's name."""
        source = self.world.erp.source(optout_field=lambda raw: raw["CustomerName"] == "No mail")
        policy = attrs.evolve(self.policy, **changes)
        return self.world.run(streams=["customers"], full=full, source=source, policy=policy)

    def set_up(self) -> None:
        """Load whoever is known, take off whom this sync is to have taken off, then let people do what they did."""
        for cell in CELLS:
            if cell.state != "new" or cell.is_ours:
                self.keys[cell] = self.world.erp.add_customer(cell.old, name="Known")
        spare = self.world.erp.add_customer("spare@harbor-pumps.com")
        self.run()
        for cell in self.keys:
            self.world.mailchimp.confirm(cell.old)
        self.run()
        reactivated = [cell for cell in self.keys if cell.state == "reactivated" and not cell.is_ours]
        self._deactivate(reactivated, spare)
        # Who restores a member and puts it away again between two runs cannot be told from this sync.
        for cell in reactivated:
            if STATUS.get(cell.before, cell.before) is not None:
                self.world.mailchimp.confirm(cell.old)
        self.run()
        for before, inactive in (("taken off", "unsubscribe"), ("put away", "archive")):
            self._deactivate([cell for cell in self.keys if cell.before == before], spare, inactive=inactive)
        self.world.clock.advance(minutes=20)
        for cell in CELLS:
            self._in_mailchimp(cell)
        self.world.clock.advance(minutes=20)

    def _deactivate(self, cells: Iterable[Cell], spare: str, **changes: Any) -> None:
        """Set customers inactive and run; a later change of another moves the mark past them."""
        for keys in ([self.keys[cell] for cell in cells], [spare]):
            self.world.clock.advance(minutes=20)
            for key in keys:
                self.world.erp.deactivate(key)
            self.run(**changes)

    def _in_mailchimp(self, cell: Cell) -> None:
        """Bring the member where it is to stand, by the hand of whoever does that."""
        mailchimp, email = self.world.mailchimp, cell.old
        if cell.is_ours:
            assert mailchimp.members[email].status == STATUS[cell.before]
            return
        if cell.before in {"nobody", "forgotten"}:
            mailchimp.members.pop(email, None)
            if cell.before == "forgotten":
                mailchimp.forget(email)
            return
        member = mailchimp.members.get(email) or mailchimp.add_member(email)
        mailchimp.confirm(email)
        match cell.before:
            case "left":
                mailchimp.unsubscribe(email)
            case "bounced":
                mailchimp.clean(email)
            case "archived":
                mailchimp.archive(email)
            case status:
                mailchimp.audience.set_status(member, status)
                mailchimp.audience.touch(member)

    def in_the_erp(self) -> None:
        """Let the ERP say what it says; where it can, the customer has another name too, so there is news to write."""
        erp = self.world.erp
        for cell in CELLS:
            if cell.state == "new":
                self.keys[cell] = erp.add_customer(cell.address, name="New")
                continue
            key = self.keys[cell]
            if cell.is_ours and cell.state in {"known", "reactivated", "moved"}:
                erp.activate(key)
            match cell.state:
                case "deleted":
                    erp.remove(key)
                    continue
                case "inactive":
                    erp.deactivate(key)
                case "on hold":
                    erp.put_on_hold(key)
                case "reactivated":
                    erp.activate(key)
                case "moved":
                    erp.set_email(key, cell.address)
            erp.rename(key, "No mail" if cell.state == "opted out" else "Renamed")

    def asked(self, calls: list[Any]) -> dict[str, list[str]]:
        """The statuses that these calls ask for, by address; `""` where a call asks for none."""
        by_hash = {member_id(address): address for cell in CELLS for address in (cell.old, cell.address)}
        found: dict[str, list[str]] = defaultdict(list)
        for call in (call for call in calls if call.is_write):
            body = json.loads(call.request.body or b"{}")
            if call.method == "POST" and "members" in body:
                for member in body["members"]:
                    found[member["email_address"]].append(member.get("status", ""))
            elif "/members/" in call.path:
                address = by_hash[call.path.split("/members/")[1].split("/")[0]]
                found[address].append("archived" if call.method == "DELETE" else body.get("status", ""))
        return found


@pytest.mark.parametrize(("policy", "double"), POLICIES)
def test_every_cell_ends_as_the_oracle_says(policy, double):
    """Status and calls of each cell; nobody who left is asked back; nothing more is written by further runs."""
    with World(mailchimp={"double_optin": double}) as world:
        stage = Stage(world, policy)
        stage.set_up()
        stage.in_the_erp()
        with world.mailchimp.recording() as calls:
            report = stage.run(full=True)
        asked = stage.asked(calls)
        assert not report.streams["customers"].dead

        wrong = []
        for cell in CELLS:
            oracle = expected(cell, policy, double=double)
            found = (world.status(cell.address), world.status(cell.old))
            named = [status for address in {cell.old, cell.address} for status in asked[address]]
            if found != (oracle.status, oracle.old):
                wrong.append(f"{cell.before} / {cell.state}: {oracle}, found {found}")
            if {status for status in named if status} != oracle.asked or (oracle.quiet and named):
                wrong.append(f"{cell.before} / {cell.state}: {oracle}, asked {named}")
            if cell.before in GONE_FOR_GOOD:
                back = MAILABLE & {world.status(cell.old), *named}
                reached = world.status(cell.address) in MAILABLE and cell.before != "bounced"
                asked_in_vain = cell.before == "forgotten" and world.status(cell.old) is None
                if reached or (back and not asked_in_vain):
                    wrong.append(f"{cell.before} / {cell.state}: somebody who left was asked back")
        assert not wrong, "\n".join(wrong)

        for _ in range(2):
            with world.mailchimp.recording() as calls:
                stage.run(full=True)
            assert stage.asked(calls) == {}


def test_the_oracle_covers_every_cell():
    """Each standing has a word for each state."""
    assert {len(STATES)} == {len(row) for row in ORACLE.values()}
    assert all(word.strip("/") == word for row in ORACLE.values() for word in row)
