"""The far systems as real HTTP servers on loopback: strict about what they accept, true in what they answer."""

from ._acumatica import FakeAcumatica
from ._mailchimp import FakeMailchimp
from ._server import FakeServer, Fault, LoggedRequest, Reply, Request

__all__ = ["FakeAcumatica", "FakeMailchimp", "FakeServer", "Fault", "LoggedRequest", "Reply", "Request"]
