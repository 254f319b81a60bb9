"""Request bodies: bytes out of the gateway's event, a model out of the bytes, and refusals that point at the field.

Nothing here repeats a received value in an answer or a log: bodies carry personal data.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.kernel.errors import AppError, FieldError, MalformedRequest, Unprocessable

ModelT = TypeVar("ModelT", bound=BaseModel)
MAX_BODY: Final = 1024 * 1024
"""Bytes, after base64, where the route says nothing else."""
MAX_DEPTH: Final = 64
"""Arrays and objects within one another. A segment's rule takes 25, nothing else comes near."""
MAX_ERRORS: Final = 20
"""Errors named in one answer."""
_MAX_TOKEN: Final = 64
_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{}"'))
"""What depth does not depend on; UTF-8 has none of the others inside its sequences."""
_CODES: Final = {
    "extra_forbidden": "unknown_field",
    "missing": "required",
    "union_tag_not_found": "required",
    "int_from_float": "wrong_type",
    "int_parsing": "wrong_type",
    "float_parsing": "wrong_type",
    "bool_parsing": "wrong_type",
    "none_required": "wrong_type",
    "negative_quantity": "negative_quantity",
    **{code: code for code in ("duplicate_step", "unknown_step", "unreachable_step", "invalid_rrule", "too_often")},
}
_VALUE_ERROR_PREFIX: Final = "Value error, "
_NO_DETAIL: Final = "This value is not valid here."


class PayloadTooLarge(AppError):
    """A body above what the route takes: 1 MB, unless it says more."""

    code, status, title = "payload_too_large", 413, "Payload too large"


def body_bytes(event: Mapping[str, Any], limit: int = MAX_BODY) -> bytes:
    """The body as it was sent, at most ``limit`` bytes."""
    body, too_large = event.get("body") or "", PayloadTooLarge(f"A body may have at most {_size(limit)}.")
    too_long_even_as_base64 = len(body) > limit * 4 // 3 + 4
    if too_long_even_as_base64:
        raise too_large
    try:
        raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except (binascii.Error, UnicodeError):
        raise MalformedRequest("The body could not be decoded.") from None
    if len(raw) > limit:
        raise too_large
    return raw


def _size(limit: int) -> str:
    return f"{limit // 1024**2} MB" if limit >= 1024**2 else f"{limit // 1024} KB"


def parse_model(model: type[ModelT], raw: bytes) -> ModelT:
    """The body as a model. 400 for what is not JSON, 422 with pointers for JSON that does not fit.

    Strict: no ``"1"`` and no ``1.0`` for an integer; dates, enumerations and decimals come as strings. Unknown fields
    are refused at every depth whatever the models say, so a bag of free fields must be a ``dict`` field.
    """
    if not raw.strip():
        raise MalformedRequest("A JSON body is required.")
    if depth_of(raw) > MAX_DEPTH:
        raise MalformedRequest("The body is nested too deeply.", errors=(FieldError("", "too_deep", f"at most {MAX_DEPTH} levels"),))
    try:
        return model.model_validate_json(raw, strict=True, extra="forbid")
    except ValidationError as error:
        # Without its cause: the text of pydantic's error quotes what was received.
        raise refusal_of(error, raw) from None


def depth_of(raw: bytes) -> int:
    """How deeply arrays and objects are nested in JSON, exact only above ``MAX_DEPTH``. Brackets in texts do not count.

    Without a parser, which would have to go as deep: escapes and what is no structure are dropped first, then texts between quotes.
    """
    most_that_can_be = raw.count(b"[") + raw.count(b"{")
    if most_that_can_be <= MAX_DEPTH:
        return most_that_can_be
    without_escapes = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    bare = without_escapes.translate(None, _NOT_STRUCTURE)
    depth = deepest = 0
    for each in b"".join(bare.split(b'"')[::2]):
        depth += 1 if each in b"[{" else -1 if each in b"]}" else 0
        deepest = max(deepest, depth)
    return deepest


def refusal_of(error: ValidationError, raw: bytes) -> AppError:
    """Pydantic's findings about the body ``raw`` as our refusal."""
    found = error.errors(include_url=False)
    if found[0]["type"] == "json_invalid":
        return MalformedRequest("The body is not valid JSON.", errors=(FieldError("", "invalid_json", found[0]["msg"]),))
    document = json.loads(raw)
    found = [each for each in found if not _counts_refused_items(each, found)]
    unique: dict[tuple[str, str], FieldError] = {}
    for details in found[: 5 * MAX_ERRORS]:  # several branches of a union may say the same thing
        field = FieldError(_pointer(details, document), _code(details["type"]), _detail(details))
        unique.setdefault((field.pointer, field.code), field)
    return Unprocessable("The request does not fit; see errors.", errors=tuple(unique.values())[:MAX_ERRORS])


def _counts_refused_items(details: ErrorDetails, found: list[ErrorDetails]) -> bool:
    """Whether an array is called too short only because pydantic leaves out the items that it refuses beside."""
    here = details["loc"]
    return details["type"] == "too_short" and any(len(each["loc"]) > len(here) and each["loc"][: len(here)] == here for each in found)


def _code(kind: str) -> str:
    if kind in _CODES:
        return _CODES[kind]
    return "wrong_type" if kind.endswith("_type") else "invalid_value"


def _pointer(details: ErrorDetails, document: Any) -> str:
    # Pydantic mixes tags of unions and names of validators into the location; only steps the document has are the client's.
    location = list(details["loc"])
    absent = [location.pop()] if details["type"] == "missing" and location else []
    if details["type"].startswith("union_tag_"):
        absent = [str(details.get("ctx", {}).get("discriminator", "")).strip("'")]
    steps: list[str | int] = []
    here = document
    for step in location:
        in_object = isinstance(here, dict) and isinstance(step, str) and step in here
        in_array = isinstance(here, list) and isinstance(step, int) and 0 <= step < len(here)
        if in_object or in_array:
            here = here[step]
            steps.append(step)
    return "".join("/" + _escape(step) for step in [*steps, *absent])


def _escape(step: str | int) -> str:
    return str(step)[:_MAX_TOKEN].replace("~", "~0").replace("/", "~1")


def _detail(details: ErrorDetails) -> str:
    if details["type"] == "union_tag_invalid":
        return f"Expected one of {details['ctx']['expected_tags']}."
    message = details["msg"].removeprefix(_VALUE_ERROR_PREFIX)
    return _NO_DETAIL if any(leaf in message for leaf in _leaves(details["input"])) else message


def _leaves(value: Any) -> Iterator[str]:
    """Texts and numbers inside a value that are long enough to tell something."""
    pending = [value]
    while pending:
        here = pending.pop()
        if isinstance(here, dict):
            pending.extend(here.values())
        elif isinstance(here, list | tuple | set | frozenset):
            pending.extend(here)
        elif here is not None and not isinstance(here, bool):
            text = str(here)
            if len(text) >= 3:
                yield text
