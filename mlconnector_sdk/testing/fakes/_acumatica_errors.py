"""What Acumatica answers when it will not do something: mostly 500 with a JSON body."""

from __future__ import annotations

from typing import Any

from ._server import Reply

__all__ = ["Refusal", "failure", "html_page", "no_entity", "parsing_error", "seat_limit_reply", "unknown_field"]

_TRACE = "   at PX.Sample.Graph.Step(String name)\r\n   at System.Web.Http.Sample.MoveNext()"


class Refusal(Exception):
    """Raised anywhere while a request is handled; carries the answer to give."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"answer {reply.status}")
        self.reply = reply


def failure(text: str, kind: str = "PX.Data.PXException", *, status: int = 500) -> Refusal:
    """The usual error body: lower camel case keys, the reason in `exceptionMessage`."""
    body = {
        "message": "An error has occurred.",
        "exceptionMessage": text,
        "exceptionType": kind,
        "stackTrace": _TRACE,
    }
    return Refusal(Reply(status, body))


def plain(status: int, text: str, **more: Any) -> Refusal:
    """An error body with a message only, as 400, 401 and 412 have it."""
    return Refusal(Reply(status, {"message": text, **more}))


def unknown_field(_name: str) -> Refusal:
    """The server does not say which name it did not know."""
    return failure(
        "The given key was not present in the dictionary.", "System.Collections.Generic.KeyNotFoundException"
    )


def no_entity() -> Refusal:
    """A record that is not there; Acumatica has no 404 for it."""
    return failure("No entity satisfies the condition.", "PX.Api.ContractBased.NoEntitySatisfiesTheConditionException")


def cannot_optimize(paths: list[str]) -> Refusal:
    """The list query touches views with code behind them: the whole request fails."""
    lines = "".join(f"{path}: View {path.rpartition('/')[0] or 'Filter'} has BQL delegate\r\n" for path in paths)
    return failure(
        f"Optimization cannot be performed.The following fields cause the error:\r\n{lines}",
        "PX.Api.ContractBased.OptimizedExport.CannotOptimizeException",
    )


def parsing_error() -> Refusal:
    return failure("An exception occurred during input parsing.", "PX.Api.ContractBased.InputParsingException")


def empty_body() -> Refusal:
    return plain(400, "The request is invalid.", modelState={"": ["The request body should not be empty."]})


def html_page(status: int, title: str) -> Reply:
    return Reply(
        status, f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    )


def seat_limit_reply(shape: str) -> Reply:
    """The seat limit, "API Login Limit", in one of its three shapes."""
    if shape == "html":
        return html_page(200, "API Login Limit")
    if shape == "iis":
        headers = {"Content-Type": "text/plain"}
        return Reply(429, "The custom error module does not recognize this error.", headers)
    return failure("Error: API Login Limit").reply
