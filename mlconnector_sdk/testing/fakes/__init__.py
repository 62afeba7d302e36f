"""The far systems as real HTTP servers on loopback: strict about what they accept, true in what they answer."""

from ._acumatica import FakeAcumatica
from ._mailchimp import FakeMailchimp
from ._sage100 import FakeSage100
from ._sage100_com import FakeProvideX
from ._sage300 import FakeSage300
from ._sagex3 import FakeSageX3
from ._server import FakeServer, Fault, LoggedRequest, Reply, Request
from ._syspro import FakeSyspro

__all__ = [
    "FakeAcumatica",
    "FakeMailchimp",
    "FakeProvideX",
    "FakeSage100",
    "FakeSage300",
    "FakeSageX3",
    "FakeServer",
    "FakeSyspro",
    "Fault",
    "LoggedRequest",
    "Reply",
    "Request",
]
