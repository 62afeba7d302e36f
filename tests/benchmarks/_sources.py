"""A source for each far side, as a user would build it: defaults everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlconnector_sdk.auth import CookieLogin, SelfSignedJWT

__all__ = ["source_of"]


def source_of(site: str, where: Mapping[str, Any]) -> Any:
    """The source of this API; only the module of its ERP is loaded."""
    return _SOURCES[site](where)


def _acumatica(where: Mapping[str, Any]) -> Any:
    from mlconnector_sdk.sources.acumatica import Acumatica

    login = CookieLogin(username="sync", password="correct horse", tenant="Acme")
    return Acumatica(where["base_url"], version=where["version"], auth=login)


def _sage100(where: Mapping[str, Any]) -> Any:
    from mlconnector_sdk.sources.sage100 import Sage100, Sage100Agent

    agent = Sage100Agent(where["agent_url"], token=where["token"])
    return Sage100(company="ABC", api=agent, timezone=where["timezone"])


def _sage300(where: Mapping[str, Any]) -> Any:
    from mlconnector_sdk.sources.sage300 import Sage300

    login = {"username": "ADMIN", "password": "ADMIN"}
    return Sage300(where["base_url"], where["company"], timezone=where["timezone"], **login)


def _sagex3(where: Mapping[str, Any]) -> Any:
    from mlconnector_sdk.sources.sagex3 import SageX3, SageX3GraphQL

    auth = SelfSignedJWT(**where["signing"])
    return SageX3(api=SageX3GraphQL(where["url"], endpoint=where["endpoint"], auth=auth))


def _sagex3_api1(where: Mapping[str, Any]) -> Any:
    from mlconnector_sdk.sources.sagex3 import SageX3, SageX3Rest

    login = {"username": where["username"], "password": where["password"]}
    named = {"BPCUSTOMER": "YMCBPC"}
    return SageX3(api=SageX3Rest(where["url"], endpoint=where["endpoint"], representations=named, **login))


def _syspro(where: Mapping[str, Any]) -> Any:
    from mlconnector_sdk.sources.syspro import Syspro, SysproENet

    return Syspro(api=SysproENet(where["url"], **{name: where[name] for name in ("operator", "password", "company")}))


def _syspro_odata(where: Mapping[str, Any]) -> Any:
    from mlconnector_sdk.sources.syspro import Syspro, SysproOData

    return Syspro(api=SysproOData(where["url"], username=where["username"], password=where["password"]))


_SOURCES: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "acumatica": _acumatica,
    "sage100": _sage100,
    "sage300": _sage300,
    "sagex3": _sagex3,
    "sagex3-api1": _sagex3_api1,
    "syspro": _syspro,
    "syspro-odata": _syspro_odata,
}
