"""Sage X3's GraphQL service (Xtrem): on-premise with an end point in a header, and behind the cloud's regional gateway.

It needs graphql-core, the Python twin of the engine that the real service runs on: `pip install
"mlconnector_sdk[testing]"`. It is loaded with the first document.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from ...errors import MissingDependencyError
from ._sagex3_graphql_filter import Limits
from ._sagex3_graphql_paging import PageRules, Pages
from ._sagex3_graphql_rows import Folder, Forms
from ._sagex3_schema import ReleaseName, release
from ._sagex3_site import SageX3Site
from ._sagex3_tokens import ClientCredentials, CloudGateway, ConnectedApplication, basic_pair, bearer, text_401
from ._server import Reply, Request

if TYPE_CHECKING:
    from ._sagex3_graphql_engine import Engine

__all__ = ["GraphQLDoor", "GraphQLSetup", "SignIn"]

SignIn: TypeAlias = Literal["jwt", "basic", "none"]
"""How `/xtrem/api` lets callers in: tokens of the connected application, login and password, or anybody."""

_ON_PREMISE = "/xtrem/api"
_CLOUD = "/v1"
_TOKENS = "/oauth/token"


@attrs.define(kw_only=True)
class GraphQLSetup:
    """How a site's service is set up, and what is not established about it.

    Attributes:
        release: which schema it has.
        sign_in: ways in on premise.
        limits: whether `_updateStamp` may be filtered on and sorted by.
        rules: sizes of pages.
        forms: how values are written.
        validation_status: HTTP status of a document that does not fit the schema; the cloud's is 400, and 200 is what
            the standard asks for.
        introspection: whether the schema may be asked for.
    """

    release: ReleaseName = "current"
    sign_in: set[SignIn] = attrs.field(factory=lambda: {"jwt", "basic"})
    limits: Limits = attrs.field(factory=Limits)
    rules: PageRules = attrs.field(factory=PageRules)
    forms: Forms = attrs.field(factory=Forms)
    validation_status: Literal[200, 400] = 400
    introspection: bool = True


class GraphQLDoor:
    """The service and the end points where tokens come from.

    Args:
        site: the folder's data, and the clock by which tokens end.
        endpoint: the one end point there is, for `x-xtrem-endpoint` and in the cloud's addresses.
        username, password: the Syracuse user, whom the connected application is allowed to act as.
        origin: gives scheme, host and port of the server.
        posted_status: the value of `INVSTA` that says posted.

    Attributes:
        setup: see `GraphQLSetup`.
        application: the connected application that signs its own tokens.
        gateway: the cloud's pairing; `credentials`: its newer client credentials, taken at the same addresses.

    Example:
        >>> from mlconnector_sdk.testing.fakes._sagex3_site import SageX3Site
        >>> door = GraphQLDoor(SageX3Site(), endpoint="SEED", username="MAILCHIMP", password="secret",
        ...                    origin=lambda: "https://x3.example.com:8124")
        >>> door.url, door.serves("/xtrem/api"), door.serves("/api1/x3/erp/SEED")
        ('https://x3.example.com:8124/xtrem/api', True, False)
    """

    def __init__(
        self,
        site: SageX3Site,
        *,
        endpoint: str,
        username: str,
        password: str,
        origin: Callable[[], str],
        posted_status: int = 3,
    ) -> None:
        self.site = site
        self.endpoint = endpoint
        self.username = username
        self.password = password
        self.setup = GraphQLSetup()
        self.setup.forms.menus["SalesInvoiceStatus"] = {1: "notPosted", posted_status: "posted"}
        self.application = ConnectedApplication(user=username)
        self.gateway = CloudGateway(self._now, (endpoint,))
        self.credentials = ClientCredentials()
        self._origin = origin
        self._denied: set[str] = set()
        self._engines: dict[str, Engine] = {}

    # -- what a test may do -----------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The address on premise, which a connected application is registered for."""
        return f"{self._origin()}{_ON_PREMISE}"

    @property
    def cloud_root(self) -> str:
        """The root of the cloud's gateway."""
        return f"{self._origin()}{_CLOUD}"

    @property
    def cloud_url(self) -> str:
        """The address of the service behind the gateway."""
        return f"{self.cloud_root}/service/{self.endpoint}/api"

    @property
    def token_url(self) -> str:
        """Where client credentials get tokens."""
        return f"{self._origin()}{_TOKENS}"

    def token(self, **claims: Any) -> str:
        """A token of the connected application that is good now; `claims` replace its own."""
        return self.application.token(self._now(), self.url, **claims)

    def deny(self, right: str) -> None:
        """Take away a node's read right, such as `"customer.read"`."""
        self._denied.add(self._node_of(right))

    def allow(self, right: str) -> None:
        """Give a node's read right back."""
        self._denied.discard(self._node_of(right))

    def _node_of(self, right: str) -> str:
        name, _, verb = right.partition(".")
        name = name[:1].lower() + name[1:]
        if verb != "read" or name not in release(self.setup.release).nodes:
            raise ValueError(f"no such right: {right}: name a node of the schema, such as customer.read")
        return name

    @property
    def _login(self) -> tuple[str, str]:
        return self.username, self.password

    def _now(self) -> datetime:
        return self.site.clock().astimezone(UTC)

    # -- requests ---------------------------------------------------------------------------------------------------

    @staticmethod
    def serves(path: str) -> bool:
        """Whether an address is one of this door's."""
        return path in {_ON_PREMISE, _TOKENS, _CLOUD} or path.startswith(f"{_CLOUD}/")

    def handle(self, request: Request) -> Reply:
        """The answer to a request whose path this door serves."""
        path = request.path
        if path == _ON_PREMISE:
            return self._on_premise(request)
        if path == _TOKENS:
            return self.credentials.token(request, self._now()) if request.method == "POST" else _no_route(request)
        return self._cloud(request, path.removeprefix(_CLOUD).strip("/").split("/"))

    def _on_premise(self, request: Request) -> Reply:
        if refusal := self._stranger(request):
            return refusal
        if request.method != "POST":
            return _no_route(request)
        asked = request.headers.get("x-xtrem-endpoint")
        if asked != self.endpoint:
            problem = f"Endpoint {asked} not found" if asked else "Header x-xtrem-endpoint is missing"
            return Reply(400, {"errors": [{"message": problem}]})
        return self._document(request)

    def _stranger(self, request: Request) -> Reply | None:
        if "none" in self.setup.sign_in:
            return None
        token = bearer(request)
        if token is not None and "jwt" in self.setup.sign_in:
            fault = self.application.fault(token, self._now(), self.url)
            return None if fault is None else text_401(fault)
        kind, _, pair = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic" and "basic" in self.setup.sign_in and basic_pair(pair) == self._login:
            return None
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if "basic" in self.setup.sign_in:
            headers["WWW-Authenticate"] = 'Basic realm="Syracuse"'
        return Reply(401, "Unauthorized", headers)

    def _cloud(self, request: Request, parts: list[str]) -> Reply:
        match (request.method, *parts):
            case ("GET", ""):
                return Reply(200, self._root())
            case ("GET", "token", "authorise"):
                return self.gateway.authorise(request)
            case ("POST", "token"):
                return self.gateway.token(request)
            case ("GET", "folders"):
                grant = self.gateway.grant_of(request)
                return _unauthorised() if grant is None else Reply(200, self._folders(grant.folders))
            case ("POST", "service", endpoint, "api"):
                return self._service(request, endpoint)
        return Reply(404, {"message": "Not Found"})

    def _service(self, request: Request, endpoint: str) -> Reply:
        if self.credentials.knows(request, self._now()):
            folders: tuple[str, ...] = (self.endpoint,)
        elif (grant := self.gateway.grant_of(request)) is not None:
            folders = grant.folders
            if "api.graphQL" not in grant.scope.split():
                return _unauthorised()
        else:
            return _unauthorised()
        if endpoint not in folders or endpoint != self.endpoint:
            return Reply(403, {"message": "Forbidden"})
        return self._document(request)

    def _root(self) -> dict[str, Any]:
        root = self.cloud_root
        return {
            "customerAccess": {"authorise": f"{root}/token/authorise", "token": f"{root}/token"},
            "customerUsage": {
                "folder": f"{root}/folders",
                "graphQL": f"{root}/service/{{endPoint}}/api",
                "dataIngestion": f"{root}/dataingestion/{{folderName}}",
                "dataDelivery": f"{root}/datadelivery/{{folderName}}",
            },
            "apiDoc": f"{root}/swagger",
            "businessDomains": ["ALL"],
        }

    def _folders(self, names: tuple[str, ...]) -> dict[str, Any]:
        root = self.cloud_root
        return {
            "folders": [
                {
                    "name": name,
                    "$urls": {
                        "dataIngestion": f"{root}/dataingestion/{name}/",
                        "dataDelivery": f"{root}/datadelivery/{name}/",
                        "dataService": f"{root}/service/{name}/api",
                    },
                }
                for name in names
            ]
        }

    # -- documents --------------------------------------------------------------------------------------------------

    def _document(self, request: Request) -> Reply:
        body = b"{}"
        if "json" in request.headers.get("content-type", ""):
            body = request.body
        try:
            values = json.loads(body)
        except ValueError as error:
            return _crashed(body, error)
        values = values if isinstance(values, dict) else {}
        text, variables = values.get("query"), values.get("variables")
        if not isinstance(text, str) or not text:
            return Reply(400, {"errors": [{"message": "Must provide query string."}]})
        if variables is not None and not isinstance(variables, dict):
            return Reply(400, {"errors": [{"message": "Variables are invalid JSON."}]})
        if not self.setup.introspection and ("__schema" in text or "__type(" in text):
            return Reply(400, {"errors": [{"message": "GraphQL introspection is not allowed."}], "extensions": {}})
        outcome = self._engine().run(text, variables or {}, values.get("operationName"), frozenset(self._denied))
        return Reply(200 if outcome.checked else self.setup.validation_status, outcome.body)

    def _engine(self) -> Engine:
        setup = self.setup
        name = repr(setup)
        if name not in self._engines:
            try:
                engine = import_module("._sagex3_graphql_engine", __package__)
            except ModuleNotFoundError as error:
                raise MissingDependencyError(
                    'the fake Sage X3 answers GraphQL with graphql-core: pip install "mlconnector_sdk[testing]"',
                    system="sagex3",
                ) from error
            folder = Folder(self.site, release(setup.release), setup.forms)
            self._engines = {name: engine.Engine(Pages(folder, setup.limits, setup.rules))}
        return self._engines[name]


def _unauthorised() -> Reply:
    return Reply(401, {"message": "Unauthorised"})


def _no_route(request: Request) -> Reply:
    return Reply(404, _page(f"Cannot {request.method} {request.path}"))


def _crashed(body: bytes, error: ValueError) -> Reply:
    """How the service's own web server tells of a body that is no JSON: a page with a stack trace."""
    text = body.decode("utf-8", "replace")
    at = getattr(error, "pos", 0)
    found = (
        f"Unexpected token {text[at]} in JSON at position {at}" if at < len(text) else "Unexpected end of JSON input"
    )
    places = ("JSON.parse (&lt;anonymous&gt;)", "parse (/xtrem/node_modules/body-parser/lib/types/json.js:89:19)",
              "/xtrem/node_modules/body-parser/lib/read.js:128:18")  # fmt: skip
    trace = "".join(f"<br> &nbsp; &nbsp;at {place}" for place in places)
    return Reply(400, _page(f"SyntaxError: {found}{trace}"))


def _page(text: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Error</title>\n</head>\n'
        f"<body>\n<pre>{text}</pre>\n</body>\n</html>\n"
    )
