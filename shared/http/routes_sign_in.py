"""Routes of signing in and staying signed in."""

from __future__ import annotations

from shared.http.route import Method, Route
from shared.kernel.scopes import MEMBER, PUBLIC

_TOK = "shared.tenants.sessions_api:"
_CO = "shared.counter.api:"
_SMALL = 16 * 1024


def sign_in() -> list[Route]:
    """Codes, tokens, sessions."""

    def route(method: Method, path: str, operation: str, scope: str, summary: str, **more: object) -> Route:
        return Route(method, path, "sign_in", operation, scope, summary, **more)  # type: ignore[arg-type]

    out = "Sign the member out on every device"
    return [
        route("POST", "/v1/otp", "send_code", "members:register", "Send a one-time code by SMS or e-mail",
              request=_TOK + "CodeRequest", response=_TOK + "CodeSent", status=202, max_body=_SMALL, audit="books"),
        route("POST", "/v1/tokens", "get_tokens", PUBLIC, "Tokens of a member for a refresh token or a one-time code",
              request=_TOK + "TokensRequest", response=_TOK + "TokensAnswer", takes_credential=True, max_body=_SMALL),
        route("POST", "/v1/me/identifiers", "prove_identifier_of_me", MEMBER,
              "Prove the phone number or address on the own profile with a one-time code",
              request=_TOK + "ProveRequest", response="shared.members.api:MemberAnswer", status=201, max_body=_SMALL),
        route("DELETE", "/v1/members/{member_id}/sessions", "end_sessions", "members:write", out, status=204),
        Route("POST", "/v1/apple/{tenant_id}/notifications", "registration", "receive_apple_notice", PUBLIC,
              "What Apple tells of accounts that signed in with it; the address to name at Apple",
              request="shared.members.apple_notices:AppleNotice", takes_credential=True, max_body=_SMALL, status=204),
        *_confirmations(),
        route("DELETE", "/v1/me/sessions", "end_sessions_of_me", MEMBER, f"{out} (own view)", status=204),
    ]


def _confirmations() -> list[Route]:
    """Spending that needs more proof than a number or a card."""

    def route(method: Method, path: str, operation: str, scope: str, summary: str, answer: str, **more: object) -> Route:
        return Route(method, path, "sign_in", operation, scope, summary, response=_CO + answer, max_body=_SMALL, **more)  # type: ignore[arg-type]

    write, answer = "transactions:write", "ConfirmationAnswer"
    return [
        route("POST", "/v1/confirmations", "ask_confirmation", write, "Ask a member to confirm what she spends: in her app, or by a code",
              answer, request=_CO + "ConfirmationRequest", status=201, audit="books"),
        route("GET", "/v1/confirmations/{confirmation_id}", "get_confirmation", write, "Has she confirmed?", answer),
        route("POST", "/v1/confirmations/{confirmation_id}/code", "type_confirmation_code", write,
              "The code that she was sent and told the cashier", answer, request=_CO + "TypedCode", audit="books"),
        route("GET", "/v1/me/confirmations", "list_confirmations_of_me", MEMBER, "What waits for the own confirmation",
              "ConfirmationsAnswer"),
        route("POST", "/v1/me/confirmations/{confirmation_id}", "decide_confirmation_of_me", MEMBER,
              "Approve or refuse what a till asks", answer, request=_CO + "ConfirmationDecision", audit="books"),
    ]
