"""Placeholder of ``administration``: says that it was called."""

from __future__ import annotations

import json
from typing import Any


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer 200 with what the gateway passed on."""
    print(json.dumps({"function": "administration", "keys": sorted(event)}))
    return {"statusCode": 200, "body": json.dumps(event.get("requestContext", {}), default=str)}
