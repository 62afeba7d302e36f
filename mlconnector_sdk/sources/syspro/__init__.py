"""SYSPRO 7 and 8 through OData, e.net REST or e.net SOAP."""

from ._contacts import ContactManagement, ContactView
from ._odata import SysproOData
from ._rest import SysproENet
from ._soap import SysproENetSoap
from ._source import Syspro

__all__ = ["ContactManagement", "ContactView", "Syspro", "SysproENet", "SysproENetSoap", "SysproOData"]
