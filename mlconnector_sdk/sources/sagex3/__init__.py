"""Sage X3 through api1 (Syracuse REST) or GraphQL."""

from ._graphql import SageX3GraphQL
from ._rest import SageX3Rest
from ._settings import POSTED
from ._source import SageX3
from ._views import Representation

__all__ = ["POSTED", "Representation", "SageX3", "SageX3GraphQL", "SageX3Rest"]
