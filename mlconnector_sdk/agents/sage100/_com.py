"""The business objects of Sage 100 through COM: logging on, choosing a task, and one session's work.

The order of calls is Sage 100's: user, company, date and module, then the task whose rights count, and only then the
object that reads or writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import attrs

from . import _com_editing, _com_reading
from ._boi import Edit, Edited, Row, Wanted
from ._com_calls import Com, ComObject, bare
from ._contract import COMPANY_OBJECT, Key, Resource
from ._errors import AgentError, BoiAnswer
from ._stamps import Stamp
from ._texts import Texts

__all__ = ["ComBusinessObjects", "ComSession"]

# What COM says when the process at the other end is gone, as against an object that refuses.
_CONNECTION_LOST = {-2147023174, -2147023170, -2147417848, -2147417851, -2147418113}


@attrs.frozen(kw_only=True)
class ComBusinessObjects:
    """Opens sessions by way of the COM class `ProvideX.Script`.

    Args:
        home: the folder `Home` of the installation.
        today: the server's date as eight digits, which a session works under.
        maintenance: whether the administrator has closed the system; asked before each logon, so that none is wasted.
    """

    com: Com
    home: str
    username: str
    password: str = attrs.field(repr=False)
    today: Callable[[], str]
    maintenance: Callable[[], bool]
    texts: Texts

    def open(self, company: str | None) -> ComSession:
        """Log on. Nothing is tried twice.

        Raises:
            AgentError: Sage 100 is closed, has no licence left, or refuses user or company.
        """
        if self.maintenance():
            message = "the administrator has closed Sage 100 (instlock.txt lies in its Home folder): try again later"
            raise AgentError("MAINTENANCE", message)
        script = self._script()
        made = script.made("SY_Session")
        if made is None:
            raise script_failed("SY_Session")
        session = ComSession(script, made, company, self.today, self.texts)
        try:
            self._log_on(session, company)
        except BaseException:
            session.close()
            raise
        return session

    def _script(self) -> ComObject:
        try:
            raw = self.com.dispatch()
        except Exception as error:
            raise script_failed("ProvideX.Script") from error
        script = ComObject(raw, "ProvideX.Script", self.com)
        try:
            script.number("Init", self.home)
        except AgentError as error:
            message = "Sage 100 cannot be started in its Home folder: check the setting home, and the rights to it"
            raise AgentError("SESSION_LOST", message, boi=error.boi, poisons=True) from error
        return script

    def _log_on(self, session: ComSession, company: str | None) -> None:
        root = session.root
        if not root.number("nSetUser", self.username, self.password):
            message = "Sage 100 refuses the agent's user: check user and password, and whether the user is locked"
            raise self._refused("SAGE_LOGON_FAILED", message, root.answer("nSetUser"))
        if company is not None and not root.number("nSetCompany", company):
            message = f"Sage 100 does not open company {company}: check the code, and that it allows external access"
            raise self._refused("COMPANY_NOT_FOUND", message, root.answer("nSetCompany"))

    def _refused(self, code: str, message: str, boi: BoiAnswer) -> AgentError:
        """The error of a refused logon; what the text says comes before what the call was about."""
        if self.texts.is_maintenance(boi.text):
            return AgentError("MAINTENANCE", "the administrator has closed Sage 100: try again later", boi=boi)
        if self.texts.is_licence(boi.text):
            return AgentError("NO_LICENSE", "all user licences of Sage 100 are taken: try again later", boi=boi)
        if code == "SAGE_LOGON_FAILED":
            return AgentError("SAGE_LOGON_FAILED", message, boi=boi)
        if self.texts.is_security(boi.text):
            return AgentError("SAGE_SECURITY", "the agent's user may not open this company: give it the right", boi=boi)
        return AgentError("COMPANY_NOT_FOUND", message, boi=boi)


def script_failed(name: str) -> AgentError:
    """The error of an object without which there is no session at all."""
    boi = BoiAnswer(object=name, method="NewObject")
    message = f"{name} cannot be made: check that Sage 100's workstation setup has run on this machine"
    return AgentError("SESSION_LOST", message, boi=boi, poisons=True)


class ComSession:
    """One logged-on session; see `_boi.Session`."""

    def __init__(
        self, script: ComObject, root: ComObject, company: str | None, today: Callable[[], str], texts: Texts
    ) -> None:
        self.root = root
        self._script = script
        self._company = company
        self._today = today
        self._texts = texts

    @property
    def company(self) -> str | None:
        return self._company

    def scan(self, resource: Resource, since: str | None) -> Iterator[tuple[Key, Stamp]]:
        """Key and stamp of every record, or of those stamped on the day `since` or later."""
        return _com_reading.scan(self.entered(resource, resource.object), resource, since)

    def missing(self, resource: Resource, wanted: Wanted) -> list[str]:
        """The columns asked for that are not there."""
        if wanted.fields is None and wanted.line_fields is None:
            return []
        header, lines = self._document(resource, wanted)
        return _com_reading.missing(resource, header, lines, wanted)

    def rows(self, resource: Resource, keys: Sequence[Key], wanted: Wanted) -> Iterator[Row]:
        """The records with these keys; those that are gone are left out."""
        header, lines = self._document(resource, wanted)
        return _com_reading.rows(resource, header, lines, keys, wanted)

    def edit(self, resource: Resource, edit: Edit) -> Edited:
        """Change a record that exists."""
        assert resource.editor is not None
        editor = self.entered(resource, resource.editor)
        outcome = _com_editing.change(editor, resource, edit, self._texts)
        wanted = Wanted(fields=tuple(edit.values))
        for row in self.rows(resource, [edit.key], wanted):
            return attrs.evolve(outcome, record=row)
        message = "the record was written and then was gone: somebody else deleted it"
        raise AgentError("NOT_FOUND", message, key=resource.named(edit.key))

    def companies(self) -> list[tuple[str, str]]:
        """Codes and names of all companies."""
        companies = self._made(COMPANY_OBJECT)
        names = ("CompanyCode$", "CompanyName$")
        walk = _com_reading.walk(companies, lambda: companies.value("CompanyCode$", ""))
        return [(bare(companies.value(names[0], "")), bare(companies.value(names[1], ""))) for _ in walk]

    def close(self) -> None:
        """Log off."""
        try:
            self.root.number("nCleanup")
        except AgentError:
            # What is broken needs no cleaning; the process behind it ends with the last reference.
            return

    def entered(self, resource: Resource, name: str) -> ComObject:
        """A fresh object, made from within the module and the task it belongs to."""
        root = self.root
        for method, arguments in (("nSetDate", (resource.module, self._today())), ("nSetModule", (resource.module,))):
            if not root.number(method, *arguments):
                message = f"Sage 100 does not let the agent's user into module {resource.module}: activate it"
                raise root.refusal("SAGE_SECURITY", message, method)
        task = root.number("nLookupTask", resource.task)
        if not task or not root.number("nSetProgram", task):
            message = f"the agent's user may not run {resource.task}: give its role the right to this task"
            raise root.refusal("SAGE_SECURITY", message, "nSetProgram" if task else "nLookupTask")
        return self._made(name)

    def _document(self, resource: Resource, wanted: Wanted) -> tuple[ComObject, ComObject | None]:
        """The object that reads records, and the one that reads their lines if those are wanted."""
        lines = resource.lines if wanted.lines else None
        if lines is None:
            return self.entered(resource, resource.object), None
        header = self.entered(resource, lines.parent or resource.object)
        return header, header.child("oLines") if lines.object is None else self._made(lines.object)

    def _made(self, name: str) -> ComObject:
        try:
            made = self._script.made(name, self.root.raw)
        except AgentError as error:
            if getattr(error.__cause__, "hresult", None) in _CONNECTION_LOST:
                raise
            made = None
        if made is None:
            # An object that is refused comes as nothing or as an exception, and after an exception the session is done.
            message = f"Sage 100 refuses {name} to the agent's user: give its role the right to view"
            raise AgentError("SAGE_SECURITY", message, boi=BoiAnswer(object=name, method="NewObject"), poisons=True)
        return made
