"""Forms behind the links of messages: JSON for an app, a page for a browser."""

from __future__ import annotations

from functions.registration.wiring import Wiring
from shared.aws.runtime import NamedTenant
from shared.campaigns.api import FormSubmission
from shared.http.app import Answer, Request
from shared.kernel.errors import Gone, NotFound, Unprocessable
from shared.members import form_page, forms
from shared.members.form_links import KEY_PURPOSE, Invitation, open_invitation
from shared.messaging import pages
from shared.messaging.look import dressed, look_of
from shared.tenants.links import UnknownLink
from shared.tenants.scope import TenantScope


def add(wiring: Wiring) -> None:
    """Register the operations of this file."""
    wiring.on("get_form", _get_form)
    wiring.on("submit_form", _submit_form)


def _get_form(wiring: Wiring, request: Request) -> Answer:
    """GET /v1/forms/{token}: JSON for an app, a page for a browser."""
    if form_page.wanted(request.headers):
        return _form_page(wiring, request)
    invitation = _invitation(wiring, request)
    return Answer(body=forms.form(_host(wiring, invitation), invitation))


def _submit_form(wiring: Wiring, request: Request) -> Answer:
    """POST /v1/forms/{token}: JSON by an app, or by the page's own button."""
    if request.headers.get("content-type", "").partition(";")[0].strip() == form_page.FORM_TYPE:
        return _form_page(wiring, request, form_page.given(request.body))
    invitation = _invitation(wiring, request)
    scope = _host(wiring, invitation)
    return Answer(body=forms.submit(scope, invitation, request.parse(FormSubmission), request.correlation_id))


def _form_page(wiring: Wiring, request: Request, typed: dict[str, str] | None = None) -> Answer:
    """The form in a browser. ``typed``: what was sent with its button."""
    languages = pages.accepted(request.headers.get("accept-language", ""))
    language = pages.language_of(languages)
    try:
        invitation = _invitation(wiring, request)
        scope = _host(wiring, invitation)
        asked, before = forms.form(scope, invitation).fields, forms.taken(scope, invitation)
    except (NotFound, Gone):
        return Answer(404, pages.page("unknown", language), pages.HEADERS)
    settings = scope.definitions.settings
    look = look_of(settings, scope.tenant, scope.media_url)
    language = pages.language_of([*languages, *settings.languages])
    if before is None and typed is None:
        return Answer(200, *dressed(form_page.asking(asked, language, look.name), look))
    try:
        # An empty form is no submission of any field: what is missing is said beside each.
        receipt = before or forms.submit(scope, invitation, FormSubmission.model_construct(values=typed or {}), request.correlation_id)
    except Unprocessable as refusal:
        return Answer(422, *dressed(form_page.asking(asked, language, look.name, typed, refusal.errors), look))
    gift = receipt.coupon.title if receipt.coupon is not None else None
    return Answer(200, *dressed(form_page.thanks(language, look.name, gift, again=before is not None), look))


def _host(wiring: Wiring, invitation: Invitation) -> TenantScope:
    """Whose form it is. Of a suspended tenant there is none."""
    scope = wiring.runtime().scope(NamedTenant(invitation.tenant))
    if scope.definitions.settings.status != "active":
        raise UnknownLink
    return scope


def _invitation(wiring: Wiring, request: Request) -> Invitation:
    """What the link says. ``RateLimited`` where guests of that tenant, or this address, ask too often; another tenant's do not count."""
    invitation = open_invitation(wiring.derived(KEY_PURPOSE), request.path["token"], wiring.runtime().now())
    request.admit_guest(invitation.tenant, by_address=True)
    return invitation
