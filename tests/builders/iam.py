"""What IAM decides of a request: the part of its policy language that our roles use, as the documentation has it.

Sources: IAM User Guide, "Policy evaluation logic" (an explicit deny wins; a session's rights are the intersection of the role's
policies and the session policy), "IAM JSON policy elements: Condition operators" (values of a key are alternatives, keys and operators
must all hold; a negated operator is true of an absent key, any other is false; ``IfExists``), "Condition keys with multiple values"
(``ForAllValues`` is true where the request has no such key; ``ForAnyValue`` is false there), "Policy variables"; the Service
Authorization Reference for DynamoDB (which action a transaction's parts need; ``dynamodb:LeadingKeys``).

Whatever it does not know it refuses to decide: ``NotImplementedError`` rather than a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Statement = Mapping[str, Any]
Verdict = Literal["allow", "deny", "nothing"]
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NEGATED = {"StringNotEquals", "StringNotLike", "StringNotEqualsIgnoreCase", "ArnNotEquals", "ArnNotLike"}


@dataclass(frozen=True)
class Request:
    """One request as IAM sees it. ``context``: condition key -> its values."""

    action: str
    resource: str
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def values(self, key: str) -> Sequence[str] | None:
        """Those of a condition key, whose name knows no case; ``None`` where the request has none."""
        return next((values for name, values in self.context.items() if name.lower() == key.lower()), None)


def listed(value: Any) -> list[Any]:
    """IAM writes one thing as itself and several as a list."""
    return list(value) if isinstance(value, list | tuple) else [value]


def matches(pattern: str, text: str) -> bool:
    """``*`` is any run of characters, ``?`` any one; colons and slashes are characters like others."""
    expression = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def is_allowed(request: Request, policy: Iterable[Statement], session: Iterable[Statement] | None = None) -> bool:
    """Whether a role's policies, and the session's if it has one, let the request through."""
    return all(decide(request, statements) == "allow" for statements in (policy, session) if statements is not None)


def decide(request: Request, statements: Iterable[Statement]) -> Verdict:
    """What one set of statements says: a deny outweighs every allow; nothing said is no."""
    effects = {each["Effect"] for each in statements if applies(request, each)}
    return "deny" if "Deny" in effects else "allow" if "Allow" in effects else "nothing"


def applies(request: Request, statement: Statement) -> bool:
    """Whether a statement is about the request: its action, its resource, and every condition."""
    if "NotAction" in statement or "NotResource" in statement or "Principal" in statement:
        raise NotImplementedError("NotAction, NotResource and Principal are not used by our roles")
    acts = any(matches(each.lower(), request.action.lower()) for each in listed(statement["Action"]))
    is_there = any(_matches_with_variables(each, request.resource, request, matches) for each in listed(statement["Resource"]))
    return acts and is_there and all(_holds(*each, request) for each in _conditions(statement))


def _conditions(statement: Statement) -> Iterator[tuple[str, str, list[str]]]:
    for operator, keys in statement.get("Condition", {}).items():
        for key, values in keys.items():
            yield operator, key, [str(each) for each in listed(values)]


def _holds(operator: str, key: str, wanted: list[str], request: Request) -> bool:
    quantifier, _, base = operator.rpartition(":")
    base, has_if_exists = (base.removesuffix("IfExists"), base.endswith("IfExists"))
    found = request.values(key)
    if base == "Null":
        return (found is None) == (wanted == ["true"])
    negated = base in _NEGATED
    if found is None or (quantifier == "ForAllValues" and not found):
        return quantifier == "ForAllValues" or (not quantifier and (negated or has_if_exists)) or has_if_exists

    def fits(value: str) -> bool:
        alike = any(_matches_with_variables(each, value, request, _comparison(base)) for each in wanted)
        return alike is not negated

    if quantifier == "ForAllValues":
        return all(fits(value) for value in found)
    if quantifier == "ForAnyValue":
        return any(fits(value) for value in found)
    if quantifier or len(found) != 1:
        raise NotImplementedError(f"{operator} of {key} with {len(found)} values")
    return fits(found[0])


def _comparison(base: str) -> Any:
    comparisons = {
        "StringEquals": str.__eq__, "StringNotEquals": str.__eq__, "StringLike": matches, "StringNotLike": matches,
        "Bool": lambda wanted, found: wanted.lower() == found.lower(),
        "ArnEquals": _arn_like, "ArnLike": _arn_like, "ArnNotEquals": _arn_like, "ArnNotLike": _arn_like,
    }  # fmt: skip
    if base not in comparisons:
        raise NotImplementedError(f"the condition operator {base}")
    return comparisons[base]


def _arn_like(pattern: str, arn: str) -> bool:
    """Each of the six parts by itself: a wildcard does not reach over a colon, but in the last."""
    wanted, found = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(found) and all(matches(*each) for each in zip(wanted, found, strict=True))


def _matches_with_variables(pattern: str, text: str, request: Request, compare: Any) -> bool:
    """A variable whose key the request does not have makes the whole value match nothing."""
    missing = False

    def replaced(found: re.Match[str]) -> str:
        nonlocal missing
        values = request.values(found[1])
        missing = missing or values is None or len(values) != 1
        return values[0] if values else ""

    filled = _VARIABLE.sub(replaced, pattern)
    return not missing and bool(compare(filled, text))


# -- requests of DynamoDB -------------------------------------------------------------------------------------------------

_PLAIN = {"get_item": "GetItem", "put_item": "PutItem", "update_item": "UpdateItem", "delete_item": "DeleteItem"}
_PARTS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


def of_dynamodb(operation: str, request: Mapping[str, Any], arn: str) -> list[Request]:
    """What IAM is asked for one call of a client. ``arn``: of tables, up to and with ``table/``.

    A transaction needs the action of each of its parts; keys are asked for by partition key, also of an index.
    """
    if operation in _PLAIN:
        return [_on(arn, request["TableName"], _PLAIN[operation], [_key(request)])]
    if operation == "query":
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        found = re.match(r"(#\w+) = (:\w+)", request["KeyConditionExpression"])
        assert found is not None, request["KeyConditionExpression"]
        assert names[found[1]].endswith("PK")
        index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
        return [_on(arn, request["TableName"] + index, "Query", [values[found[2]]["S"]])]
    if operation == "batch_get_item":
        return [
            _on(arn, table, "BatchGetItem", [each["PK"]["S"] for each in wanted["Keys"]])
            for table, wanted in request["RequestItems"].items()
        ]  # fmt: skip
    if operation == "transact_write_items":
        parts = [(verb, part) for each in request["TransactItems"] for verb, part in each.items()]
        return [_on(arn, part["TableName"], _PARTS[verb], [_key(part)]) for verb, part in parts]
    if operation == "scan":
        # A scan has no key: there is nothing that ForAllValues could refuse.
        return [Request("dynamodb:Scan", arn + request["TableName"])]
    raise NotImplementedError(operation)


def _key(request: Mapping[str, Any]) -> str:
    key: str = (request.get("Key") or request["Item"])["PK"]["S"]
    return key


def _on(arn: str, resource: str, action: str, keys: Iterable[str]) -> Request:
    return Request(f"dynamodb:{action}", arn + resource, {"dynamodb:LeadingKeys": sorted(set(keys))})
