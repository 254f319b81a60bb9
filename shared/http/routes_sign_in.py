"""Routes of signing in and staying signed in."""

from __future__ import annotations

from shared.http.route import Method, Route
from shared.kernel.scopes import MEMBER, PUBLIC

_TOK = "shared.tenants.sessions_api:"
_SMALL = 16 * 1024


def sign_in() -> list[Route]:
    """Codes, tokens, sessions."""

    def route(method: Method, path: str, operation: str, scope: str, summary: str, **more: object) -> Route:
        return Route(method, path, "sign_in", operation, scope, summary, **more)  # type: ignore[arg-type]

    out = "Sign the member out on every device"
    return [
        route("POST", "/v1/otp", "send_code", "members:register", "Send a one-time code by SMS or e-mail",
              request=_TOK + "CodeRequest", response=_TOK + "CodeSent", status=202, max_body=_SMALL),
        route("POST", "/v1/tokens", "get_tokens", PUBLIC, "Tokens of a member for a refresh token or a one-time code",
              request=_TOK + "TokensRequest", response=_TOK + "TokensAnswer", takes_credential=True, max_body=_SMALL),
        route("POST", "/v1/me/identifiers", "prove_identifier_of_me", MEMBER,
              "Prove the phone number or address on the own profile with a one-time code",
              request=_TOK + "ProveRequest", response="shared.members.api:MemberAnswer", status=201, max_body=_SMALL),
        route("DELETE", "/v1/members/{member_id}/sessions", "end_sessions", "members:write", out, status=204),
        route("DELETE", "/v1/me/sessions", "end_sessions_of_me", MEMBER, f"{out} (own view)", status=204),
    ]
