"""Placeholder of ``authorizer``: lets everybody in, with a marked principal."""

from __future__ import annotations

import json
from typing import Any


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Allow, with a context that the function behind can see."""
    print(json.dumps({"function": "authorizer", "keys": sorted(event)}))
    return {"isAuthorized": True, "context": {"auth_error": "invalid_credential"}}
