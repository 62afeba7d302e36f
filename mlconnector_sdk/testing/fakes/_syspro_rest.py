"""e.net over REST: every operation is a GET, and nearly every failure is a 200 whose body begins with `ERROR`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlsplit

import attrs

from ._server import Reply, Request
from ._syspro_enet import Enet
from ._syspro_pages import html_page
from ._syspro_sessions import EnetError

__all__ = ["Encoding", "RestDoor"]

_LONGEST_LINE = 16_384
_SERVER = {"Server": "Microsoft-HTTPAPI/2.0", "Content-Type": "application/octet-stream"}
_DECLARED = 'encoding="Windows-1252"'

Operation = Callable[[Mapping[str, str]], str]


@attrs.define
class Encoding:
    """The bytes of a document and what its prolog says of them; real sites were only ever seen with plain ASCII."""

    sent: str = "cp1252"
    declared: str = "Windows-1252"

    def encode(self, text: str) -> bytes:
        """The text as bytes; what the code page lacks becomes a question mark."""
        return text.replace(_DECLARED, f'encoding="{self.declared}"', 1).encode(self.sent, "replace")


class RestDoor:
    """`/SYSPROWCFService/Rest`; paths do not mind case, parameters do."""

    def __init__(self, enet: Enet) -> None:
        self.enet = enet
        self.encoding = Encoding()
        self.answer_blank_logon = False
        self._operations: dict[str, tuple[frozenset[str], Operation]] = {
            path.lower(): (frozenset(names.split()), operation)
            for path, names, operation in (
                ("GetVersion", "", lambda sent: enet.setup.version),
                ("Logon", "Operator OperatorPassword CompanyId CompanyPassword", self._log_on),
                ("Logoff", "UserId", lambda sent: enet.sessions.log_off(sent["UserId"])),
                ("GetLogonProfile", "UserId", lambda sent: enet.profile(sent["UserId"])),
                ("Query/Query", "UserId BusinessObject XmlIn", self._query),
                ("Query/Browse", "UserId XmlIn", lambda sent: enet.browse(sent["UserId"], sent["XmlIn"])),
                ("Query/Fetch", "UserId XmlIn", lambda sent: enet.fetch(sent["UserId"], sent["XmlIn"])),
                *(
                    (path, "UserId BusinessObject XmlParameters XmlIn", lambda sent: enet.write(sent["UserId"]))
                    for path in ("Setup/Add", "Setup/Update", "Setup/Delete", "Transaction/Post")
                ),
            )
        }

    def handle(self, request: Request, path: str) -> Reply:
        """The answer to a call of the operation at `path`."""
        if len(request.raw_path) > _LONGEST_LINE:
            return html_page(414, "Request URL Too Long")
        known = self._operations.get(path.lower())
        if known is None:
            return html_page(404, "Endpoint not found.")
        if request.method != "GET":
            return html_page(405, "Method not allowed.")
        names, operation = known
        pairs = parse_qsl(urlsplit(request.raw_path).query, keep_blank_values=True)
        # WCF's own page; a name in another case, or twice, was never seen to work.
        if Counter(name for name, _ in pairs) != Counter(names):
            return html_page(400, "The server encountered an error processing the request.")
        try:
            return self._reply(operation(dict(pairs)))
        except EnetError as error:
            return self._reply(f"ERROR: {error}")

    def _reply(self, text: str) -> Reply:
        return Reply(200, self.encoding.encode(text), _SERVER)

    def _log_on(self, sent: Mapping[str, str]) -> str:
        names = ("Operator", "OperatorPassword", "CompanyId", "CompanyPassword")
        user_id = self.enet.sessions.log_on(*(sent[name] for name in names))
        return "" if self.answer_blank_logon else user_id

    def _query(self, sent: Mapping[str, str]) -> str:
        return self.enet.query(sent["UserId"], sent["BusinessObject"], sent["XmlIn"])
