"""The vendor's contract as a judge: does an exchange with the Marketing API fit it?

The saved contract is of 3.0.55 and leaves things out that the real system is known to take or to answer. `_LOOSENINGS`
is the whole list of them; everything else is held to the letter, unknown properties included.
"""

from __future__ import annotations

import copy
import functools
import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema

__all__ = ["check_exchange", "find_operation", "operations", "request_schema", "specs_folder"]

Schema = dict[str, Any]

SPECS = "MLCONNECTOR_SPECS"
_FILE = "marketing-sync-subset.swagger2.json"
_STORAGE = "/batch-results/"

_MEMBER_BODIES = (
    "POST /lists/{list_id}",
    "POST /lists/{list_id}/members",
    "PUT /lists/{list_id}/members/{subscriber_hash}",
    "PATCH /lists/{list_id}/members/{subscriber_hash}",
)
_ORDER_PATCH = "PATCH /ecommerce/stores/{store_id}/orders/{order_id}"
_PRODUCT = "/ecommerce/stores/{store_id}/products/{product_id}"
_TEXT: Schema = {"type": "string"}
_STATUSES = ["subscribed", "unsubscribed", "cleaned", "pending", "transactional"]


def specs_folder() -> Path | None:
    """The folder with Mailchimp's contract, `None` where the machine has none."""
    root = os.environ.get(SPECS)
    folder = Path(root) / "mailchimp" if root else None
    return folder if folder and (folder / _FILE).is_file() else None


def check_exchange(
    method: str, path_with_query: str, request_body_bytes: bytes, status: int, response_body: bytes
) -> None:
    """Raise `AssertionError` when the request or its answer does not fit the contract.

    Args:
        method: HTTP method.
        path_with_query: as sent, with or without the leading `/3.0`. Downloads of batch results are no part of the
            contract and pass.
        request_body_bytes: the body as sent.
        status: status of the answer; 0 when there was none.
        response_body: the answer's body as received; a body that is not JSON (a proxy's page) is not judged.
    """
    if path_with_query.startswith(_STORAGE):
        return
    parts = urlsplit(path_with_query)
    name = find_operation(method, parts.path)
    _check_query(name, parts.query)
    _check_request_body(name, request_body_bytes)
    _check_response(name, status, response_body)


@functools.cache
def operations() -> Mapping[str, Schema]:
    """The contract's operations by `"METHOD /template"`, loosened where the real system is known to be wider."""
    folder = specs_folder()
    assert folder is not None, f"set {SPECS} to the folder of vendor contracts"
    paths = json.loads((folder / _FILE).read_text(encoding="utf-8"))["paths"]
    found = {
        f"{method.upper()} {path}": copy.deepcopy(operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if method != "parameters"
    }
    for _, loosen in _LOOSENINGS:
        loosen(found)
    return found


def find_operation(method: str, path: str) -> str:
    """The operation's name; a path that no template fits is an error."""
    segments = [part for part in path.removeprefix("/3.0").split("/") if part]
    for name in operations():
        verb, template = name.split(" ")
        parts = [part for part in template.split("/") if part]
        if verb == method and len(parts) == len(segments) and all(map(_fits, parts, segments)):
            return name
    raise AssertionError(f"the contract has no {method} {path}")


def _fits(part: str, segment: str) -> bool:
    return part[0] == "{" or part == unquote(segment)


# Requests


def _check_query(name: str, query: str) -> None:
    known = {p["name"]: p for p in operations()[name].get("parameters", []) if p["in"] == "query"}
    for key, text in parse_qsl(query, keep_blank_values=True):
        assert key in known, f"{name}: the contract has no query parameter {key!r}"
        _check_parameter(f"{name} ?{key}", known[key], text)


def _check_parameter(where: str, parameter: Schema, text: str) -> None:
    match parameter.get("type"):
        case "integer":
            assert re.fullmatch(r"-?\d+", text), f"{where}: {text!r} is not a whole number"
            assert int(text) <= parameter.get("maximum", int(text)), f"{where}: {text} is more than the maximum"
        case "boolean":
            assert text in {"true", "false"}, f"{where}: {text!r} is not a boolean"
        case "array" if "enum" in parameter:
            # The contract lists each allowed entry as an array of its own.
            unknown = [name for name in text.split(",") if [name] not in parameter["enum"]]
            assert not unknown, f"{where}: {unknown} are not among {parameter['enum']}"
        case _:
            assert text in parameter.get("enum", [text]), f"{where}: {text!r} is not one of {parameter.get('enum')}"


def request_schema(name: str) -> Schema | None:
    """The schema of the operation's body, `None` when it takes none."""
    for parameter in operations()[name].get("parameters", []):
        if parameter["in"] == "body":
            return dict(parameter["schema"])
    return None


def _check_request_body(name: str, body: bytes) -> None:
    schema = request_schema(name)
    if schema is None:
        assert not body, f"{name}: the contract takes no body"
        return
    try:
        document = json.loads(body)
    except ValueError as error:
        raise AssertionError(f"{name}: the request body is not JSON: {error}") from None
    _validate(f"{name} request", _request_validator(name), document)


@functools.cache
def _request_validator(name: str) -> jsonschema.Draft4Validator:
    return _validator(_closed(request_schema(name) or {}))


# Answers


def _check_response(name: str, status: int, body: bytes) -> None:
    responses = operations()[name]["responses"]
    if status == 204:
        assert "204" in responses, f"{name}: the contract answers {sorted(responses)}, not 204"
        assert not body, f"{name}: 204 has no body"
        return
    if 200 <= status < 300:
        assert str(status) in responses, f"{name}: the contract answers {sorted(responses)}, not {status}"
        _validate(f"{name} response", _response_validator(name, str(status)), json.loads(body))
    elif status >= 400:
        try:
            document = json.loads(body)
        except ValueError:
            return
        _validate(f"{name} problem", _response_validator(name, "default"), document)


@functools.cache
def _response_validator(name: str, status: str) -> jsonschema.Draft4Validator:
    return _validator(_closed(operations()[name]["responses"][status].get("schema", {}), "_links"))


def _validate(where: str, validator: jsonschema.Draft4Validator, document: Any) -> None:
    error = next(iter(validator.iter_errors(document)), None)
    if error is not None:
        path = ".".join(map(str, error.absolute_path)) or "(whole)"
        raise AssertionError(f"{where}: {path}: {error.message}")


def _validator(schema: Schema) -> jsonschema.Draft4Validator:
    return jsonschema.Draft4Validator(schema, format_checker=_FORMATS)


_FORMATS = jsonschema.FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    """ISO 8601, or empty as the real system writes what was never set."""
    return not isinstance(value, str) or value == "" or bool(datetime.fromisoformat(value))


def _closed(schema: Schema, *tolerated: str) -> Schema:
    """The schema with unknown properties refused in every object that lists its own, but for `tolerated` ones."""
    closed: Schema = {}
    for key, value in schema.items():
        if key == "properties":
            closed[key] = {name: _closed(inner, *tolerated) for name, inner in value.items()}
        elif isinstance(value, dict) and key in {"items", "additionalProperties"}:
            closed[key] = _closed(value, *tolerated)
        else:
            closed[key] = value
    if "properties" in closed and "additionalProperties" not in closed:
        closed["properties"] = {**{name: {} for name in tolerated}, **closed["properties"]}
        closed["additionalProperties"] = False
    # A slip of the contract: a country number described as an integer with entries.
    if closed.get("type") == "integer":
        closed.pop("items", None)
    return closed


# Where the real system is known to be wider than the saved contract

Operations = dict[str, Schema]


def _body_of(found: Operations, name: str) -> Schema:
    schema: Schema = next(p["schema"] for p in found[name]["parameters"] if p["in"] == "body")
    return schema


def _member_schema(found: Operations, name: str) -> Schema:
    body = _body_of(found, name)
    schema: Schema = body["properties"]["members"]["items"] if name == _MEMBER_BODIES[0] else body
    return schema


def _let_bulk_members_be_as_in_2026(found: Operations) -> None:
    member = _member_schema(found, _MEMBER_BODIES[0])
    member["properties"] |= {
        "status_if_new": {"type": "string", "enum": _STATUSES},
        "tags": {"type": "array", "items": _TEXT},
    }
    member["required"] = ["email_address"]
    member["anyOf"] = [{"required": ["status"]}, {"required": ["status_if_new"]}]
    _body_of(found, _MEMBER_BODIES[0])["properties"]["members"]["maxItems"] = 500


def _let_status_if_new_be_left_out(found: Operations) -> None:
    _body_of(found, _MEMBER_BODIES[2])["required"] = ["email_address"]


def _let_member_properties_be_null(found: Operations) -> None:
    for name in _MEMBER_BODIES:
        for key, schema in _member_schema(found, name)["properties"].items():
            if key != "email_address" and "type" in schema:
                schema["type"] = [schema["type"], "null"]
                if "enum" in schema:
                    schema["enum"] = [*schema["enum"], None]


def _let_answers_be_archived(found: Operations) -> None:
    for name in _MEMBER_BODIES:
        shown = found[name]["responses"]["200"]["schema"]["properties"]
        members = [shown[k]["items"] for k in ("new_members", "updated_members") if k in shown]
        for member in members or [{"properties": shown}]:
            member["properties"]["status"]["enum"] = [*_STATUSES, "archived"]


def _let_bulk_answers_hold_whole_members(found: Operations) -> None:
    whole = found["GET /lists/{list_id}/members/{subscriber_hash}"]["responses"]["200"]["schema"]["properties"]
    shown = found[_MEMBER_BODIES[0]]["responses"]["200"]["schema"]["properties"]
    for key in ("new_members", "updated_members"):
        known = shown[key]["items"]["properties"]
        shown[key]["items"]["properties"] = {**whole, **known, "location": whole["location"]}


def _let_products_be_put(found: Operations) -> None:
    post = found[f"POST {_PRODUCT.rsplit('/', 1)[0]}"]
    put = copy.deepcopy(post)
    next(p["schema"] for p in put["parameters"] if p["in"] == "body")["required"] = ["id"]
    found[f"PUT {_PRODUCT}"] = put


def _let_money_be_text(found: Operations) -> None:
    number = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?[0-9]+\.?[0-9]*$"}]}
    names = {"price", "discount", "order_total", "discount_total", "tax_total", "shipping_total", "amount_discounted"}
    for name in found:
        if "/ecommerce/" in name and any(p["in"] == "body" for p in found[name].get("parameters", [])):
            _replace(_body_of(found, name), names, number)


def _let_shop_times_be_as_written(found: Operations) -> None:
    time = {
        "type": "string",
        "pattern": r"^(|\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d| [A-Z]+)?)$",
    }
    names = {f"{what}_at_foreign" for what in ("processed", "cancelled", "updated", "published")}
    for name in found:
        if "/ecommerce/" in name and any(p["in"] == "body" for p in found[name].get("parameters", [])):
            _replace(_body_of(found, name), names, time)


def _replace(schema: Schema, names: set[str], by: Schema) -> None:
    for key, inner in schema.get("properties", {}).items():
        if key in names:
            schema["properties"][key] = by
        else:
            _replace(inner, names, by)
    if "items" in schema:
        _replace(schema["items"], names, by)


def _add_order_and_customer_properties(found: Operations) -> None:
    for name in found:
        if "/ecommerce/" not in name:
            continue
        for schema in _object_schemas(found[name]):
            names = schema["properties"].keys()
            if "order_total" in names:
                schema["properties"]["cart_id"] = {"type": "string", "maxLength": 50}
            if "opt_in_status" in names:
                schema["properties"]["sms_phone_number"] = _TEXT


def _object_schemas(node: Any) -> list[Schema]:
    if isinstance(node, list):
        return [schema for entry in node for schema in _object_schemas(entry)]
    if not isinstance(node, dict):
        return []
    here = [node] if isinstance(node.get("properties"), dict) else []
    return [*here, *(schema for value in node.values() for schema in _object_schemas(value))]


def _let_order_patches_name_ids(found: Operations) -> None:
    properties = _body_of(found, _ORDER_PATCH)["properties"]
    properties["lines"]["items"]["properties"]["id"] = _TEXT
    properties["customer"]["properties"]["id"] = {"type": "string", "maxLength": 50}


def _add_webhook_signing(found: Operations) -> None:
    for name in found:
        if "/webhooks" not in name:
            continue
        for schema in _object_schemas(found[name]["responses"]):
            if "sources" in schema["properties"]:
                schema["properties"]["signing_secret"] = _TEXT
        for schema in _object_schemas(found[name]):
            if "sources" in schema["properties"]:
                schema["properties"]["signing_enabled"] = {"type": "boolean"}
            if "upemail" in schema["properties"]:
                schema["properties"] |= {name: {"type": "boolean"} for name in ("sms_subscribe", "sms_unsubscribe")}


def _let_abuse_reports_be_paged(found: Operations) -> None:
    parameters = found["GET /reports/{campaign_id}/unsubscribed"]["parameters"]
    paging = [parameter for parameter in parameters if parameter["name"] in {"count", "offset"}]
    found["GET /reports/{campaign_id}/abuse-reports"]["parameters"] += paging


def _let_problems_be_as_seen(found: Operations) -> None:
    error = {"type": "object", "properties": {"field": _TEXT, "message": _TEXT}}
    for operation in found.values():
        problem = operation["responses"]["default"]["schema"]
        problem["required"] = [key for key in problem["required"] if key != "type"]
        problem["properties"]["errors"] = {"type": "array", "items": error}


_LOOSENINGS: tuple[tuple[str, Callable[[Operations], None]], ...] = (
    ("bulk members: status_if_new beside status, tags; 500 at the most (2026)", _let_bulk_members_be_as_in_2026),
    ("PUT member: status_if_new optional (2026)", _let_status_if_new_be_left_out),
    ("member bodies: properties may be null (2026)", _let_member_properties_be_null),
    ("bulk answers: members with all the properties of a single one (seen)", _let_bulk_answers_hold_whole_members),
    ("member answers: an archived contact may stay archived (seen)", _let_answers_be_archived),
    ("PUT product (2026)", _let_products_be_put),
    ("e-commerce money: a number or a numeric text (2026)", _let_money_be_text),
    ("e-commerce times: the documented writings and empty text (2026)", _let_shop_times_be_as_written),
    ("order: cart_id; customer: sms_phone_number (2026)", _add_order_and_customer_properties),
    ("PATCH order: ids of lines and of the customer (seen in the vendor's own plugin)", _let_order_patches_name_ids),
    ("webhooks: signing, SMS events (2026)", _add_webhook_signing),
    ("abuse reports: count and offset, as all other parts of a report (inferred)", _let_abuse_reports_be_paged),
    ("problems: type may be missing, errors may be there (seen)", _let_problems_be_as_seen),
)
