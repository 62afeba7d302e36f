"""Services that run beside an ERP which speaks no HTTP of its own, and hand its data out.

Each is a plain WSGI application: the caller chooses the server it runs in.
"""

__all__: list[str] = []
