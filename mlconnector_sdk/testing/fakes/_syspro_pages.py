"""The pages of the web server in front, which speaks HTML whatever was asked for."""

from __future__ import annotations

from collections.abc import Mapping

from ._server import Reply

__all__ = ["html_page"]


def html_page(status: int, title: str, headers: Mapping[str, str] | None = None) -> Reply:
    """An error page of IIS or of the service host."""
    page = (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">'
        f"\n<html><head><title>{status} - {title}</title></head>"
        f"<body><h2>{status} - {title}</h2></body></html>\n"
    )
    return Reply(status, page, {"Content-Type": "text/html", **(headers or {})})
