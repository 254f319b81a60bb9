"""Links in messages: clicks, openings, unsubscribing, confirming. No credential but the token in the link. Translate, call, answer.

Whatever is no link of ours, for whichever reason, is the same page; that is decided from the token alone, before anything is read.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from functions.guest_links.settings import guest_links_settings
from shared.aws.runtime import NamedTenant, Runtime
from shared.campaigns import following
from shared.http.app import Answer, HttpApp, LambdaContext, Request
from shared.kernel.errors import Gone, NotFound
from shared.members import double_opt_in
from shared.messaging import pages
from shared.messaging.links import KEY_PURPOSE, open_link, open_unsubscribe
from shared.messaging.look import dressed, look_of
from shared.messaging.scanners import is_person
from shared.privacy.crypto import derive
from shared.tenants.scope import TenantScope

T = TypeVar("T")
app = HttpApp("guest_links")
_GIF = {"content-type": "image/gif", "cache-control": "no-store, private", "x-content-type-options": "nosniff"}


@cache
def runtime() -> Runtime:
    """The wiring of this execution environment."""
    return Runtime(guest_links_settings())


app.limit(lambda: runtime())  # noqa: PLW0108 - looked up with each call, as everything here that is wired


@cache
def key() -> bytes:
    """What links are signed with."""
    return derive(runtime().master_secret, KEY_PURPOSE)


def lambda_handler(event: dict[str, Any], context: LambdaContext | None = None) -> dict[str, Any]:
    """A request from the gateway."""
    runtime().begin(context)
    return app.handle(event, context)


@app.operation("follow_link", "check_link")
def follow_link(request: Request) -> Answer:
    """GET or HEAD /l/{tenant_id}/{token}."""

    def work() -> Answer:
        tracked = open_link(key(), "click", request.path["tenant_id"], request.path["token"])
        counts = is_person(request.route.method, request.headers)
        link = following.follow(_admitted(request), tracked, request.correlation_id, counts=counts)
        return Answer(302, headers={"location": link, "referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow"})

    return _known(request, work)


@app.operation("see_message", "check_message")
def see_message(request: Request) -> Answer:
    """GET or HEAD /o/{tenant_id}/{picture}. Whatever is asked for, it is the picture: a mail program shows no page."""
    token, _, kind = request.path["picture"].partition(".")
    if kind == "gif" and is_person(request.route.method, request.headers):
        with suppress(NotFound, Gone):
            tracked = open_link(key(), "open", request.path["tenant_id"], token)
            following.see(_admitted(request), tracked, request.correlation_id)
    return Answer(200, pages.GIF, _GIF)


@app.operation("ask_to_unsubscribe", "check_unsubscribing")
def ask_to_unsubscribe(request: Request) -> Answer:
    """GET or HEAD /u/{tenant_id}/{token}: asks, and does nothing; scanners open links too."""

    def work() -> Answer:
        link = open_unsubscribe(key(), request.path["tenant_id"], request.path["token"])
        found = following.delivery_of(_admitted(request), link)
        return _page(request, 200, "ask", found.delivery.language if found is not None else None)

    return _known(request, work)


@app.operation("unsubscribe")
def unsubscribe(request: Request) -> Answer:
    """POST /u/{tenant_id}/{token}: by a mail program (RFC 8058), or by the page's button."""

    def work() -> Answer:
        link = open_unsubscribe(key(), request.path["tenant_id"], request.path["token"])
        if not pages.says_one_click(request.body):
            return _page(request, 400, "ask", None)
        delivery = following.unsubscribe(_scope(request), link, request.correlation_id)
        return _page(request, 200, "done", delivery.language if delivery is not None else None)

    return _known(request, work)


@cache
def confirming_key() -> bytes:
    """What links that confirm a consent are signed with."""
    return derive(runtime().master_secret, double_opt_in.KEY_PURPOSE)


def _confirmation(request: Request) -> double_opt_in.Confirmation:
    return double_opt_in.open_confirmation(confirming_key(), request.path["tenant_id"], request.path["token"], runtime().now())


@app.operation("ask_to_confirm", "check_confirming")
def ask_to_confirm(request: Request) -> Answer:
    """GET or HEAD /c/{tenant_id}/{token}: asks, and does nothing; scanners open links too."""

    def work() -> Answer:
        _confirmation(request)
        _admitted(request)
        return _page(request, 200, "confirm", None)

    return _known(request, work)


@app.operation("confirm_consent")
def confirm_consent(request: Request) -> Answer:
    """POST /c/{tenant_id}/{token}: by the page's button."""

    def work() -> Answer:
        link = _confirmation(request)
        if not pages.says_yes(request.body):
            return _page(request, 400, "confirm", None)
        double_opt_in.confirm(_admitted(request), link, request.correlation_id)
        return _page(request, 200, "confirmed", None)

    return _known(request, work)


def _admitted(request: Request) -> TenantScope:
    """The same, if its guests do not call too often. Not by address: a mail service opens for all its users from a few. Who wants no
    more messages is never refused.
    """
    request.admit_guest(request.path["tenant_id"], by_address=False)
    return _scope(request)


def _scope(request: Request) -> TenantScope:
    """Of the tenant in the path, once a token has proven that it is the link's."""
    return runtime().scope(NamedTenant(request.path["tenant_id"]))


def _known(request: Request, work: Callable[[], Answer]) -> Answer:
    try:
        return work()
    except (NotFound, Gone):
        language = pages.language_of(pages.accepted(request.headers.get("accept-language", "")))
        return Answer(404, pages.page("unknown", language), pages.HEADERS)


def _page(request: Request, status: int, which: pages.Page, hers: str | None) -> Answer:
    """In the language of the message; else in one that her browser asks for."""
    scope = _scope(request)
    settings = scope.definitions.settings
    wanted = [hers] if hers else [*pages.accepted(request.headers.get("accept-language", "")), *settings.languages]
    look = look_of(settings, scope.tenant, scope.media_url)
    return Answer(status, *dressed(pages.page(which, pages.language_of(wanted), look.name), look))
