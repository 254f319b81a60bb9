"""Forms that messages link to: the fields asked for become the member's profile, and the offer's coupon is hers. Once.

The record of the submission is written in the same transaction as the profile, the state and the coupon; it answers every
repetition with the same receipt, whatever is sent then.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from shared.campaigns.api import FormAnswer, FormCoupon, FormField, FormReceipt, FormSubmission
from shared.coupons.errors import TooManyCoupons, UnknownOffer
from shared.coupons.issuing import blind_code, check_member_limit, issued, new_coupon, offer_in_force
from shared.coupons.model import Coupon
from shared.coupons.personal import shown
from shared.coupons.repository import CouponRepository
from shared.kernel.errors import FieldError, Unprocessable
from shared.kernel.instants import Instant, format_rfc3339
from shared.member_state.effects import Effects
from shared.member_state.events import MemberEvent, Responded
from shared.member_state.model import MemberState
from shared.member_state.repository import StateRepository
from shared.member_state.service import Change, Done, Occasion, change_member
from shared.members.age import check_age
from shared.members.api import ProfileFields
from shared.members.changes import ProfileEdit
from shared.members.form_links import Invitation
from shared.members.model import PERSONAL, facts_of, normalised
from shared.members.objections import changed_by, contacts_of, standing
from shared.members.silencing import lifted_by
from shared.storage import keys
from shared.storage.commit import Stale
from shared.storage.errors import RawItem
from shared.storage.expressions import Path
from shared.storage.items import RequestItem
from shared.storage.packing import pack, unpack
from shared.storage.table import WriteBatch
from shared.tenants.links import UnknownLink
from shared.tenants.scope import TenantScope
from shared.transactions.repository import REQUEST_LABEL

RECORD_KIND: Final = "form"
_TYPES: Final[dict[str, Any]] = {"birth_date": "date", "gender": "choice", "language": "language", "email": "email", "phone": "phone"}
FIELDS: Final = frozenset(PERSONAL) - {"home"}
"""What a form may ask for: texts, one a field."""
_GENDERS: Final = ("female", "male", "other")


def form(scope: TenantScope, invitation: Invitation) -> FormAnswer:
    """The fields to fill. Says nothing about the member: who has the link need not be her. No request."""
    _check(scope, invitation)
    fields = tuple(
        FormField(name=name, type=_TYPES.get(name, "text"), choices=_GENDERS if name == "gender" else None) for name in invitation.fields
    )
    return FormAnswer(campaign=invitation.campaign, step=invitation.step, fields=fields)


def taken(scope: TenantScope, invitation: Invitation) -> FormReceipt | None:
    """The receipt, if the form was submitted. 1 read."""
    stored = scope.table.get(_key(scope, invitation))
    return _receipt_of(stored) if stored is not None else None


def submit(scope: TenantScope, invitation: Invitation, submission: FormSubmission, correlation: str = "") -> FormReceipt:
    """Take the form, or answer the receipt of the first time. 4 reads, 1 transaction of up to 5 items.

    Exactly the fields asked for must be given. An offer that has ended, or that she has used up, gives no coupon: what she
    told us is taken all the same.
    """
    _check(scope, invitation)
    now, settings = scope.clock(), scope.definitions.settings
    key = _key(scope, invitation)
    stored = scope.table.get(key)
    if stored is not None:
        return _receipt_of(stored)
    patch = normalised(_checked(invitation, submission), settings.country, now, settings.time_zone, "/values")
    loaded = StateRepository(scope.tenant, scope.table).load(invitation.member)
    member = loaded.state.member
    edit, objections = ProfileEdit(scope, member), standing(scope, contacts_of({name: value for name, value in patch.items() if value}))

    def decide(state: MemberState, stale: Stale) -> Change[FormReceipt] | Done[FormReceipt]:
        edit.refresh(stale)
        coupon = _coupon(scope, invitation, state, now)
        changed = edit.change(patch)
        if {"birth_date", "country"} & set(changed):
            check_age(settings, edit.fields, now, "/values/birth_date")
        events: list[MemberEvent] = [edit.event(now, changed, cause="form")] if changed else []
        withdrawn = objections.withdrawn(state, now, member) if changed else ()
        events += [*lifted_by(state, changed, edit.fields, now), *changed_by(withdrawn, now)]
        events.append(Responded(now, "form.submitted", invitation.campaign, invitation.step))
        if coupon is not None:
            events.append(issued(coupon, now, f"campaign:{invitation.campaign}"))
        receipt = FormReceipt(coupon=_coupon_answer(scope, coupon, edit.fields.get("language")) if coupon is not None else None)

        def finish(_after: MemberState, _effects: Effects, batch: WriteBatch) -> FormReceipt:
            record = RequestItem.at(key, hash=b"", body=pack(receipt.model_dump(mode="json", exclude_none=True)), member=member)
            batch.put(REQUEST_LABEL, record, Path("PK").does_not_exist(), old=True)
            if changed:
                edit.add(batch)
            edit.add_withdrawn(batch, withdrawn, now)
            if coupon is not None:
                CouponRepository(scope.tenant, scope.table).add_new(batch, coupon, blind_code(scope, coupon.code))
            return receipt

        return Change(events, finish, REQUEST_LABEL, facts_of(edit.fields), edit.sealed_facts())

    return change_member(scope, member, Occasion(now, correlation), decide, replay=_receipt_of, loaded=loaded)


def _key(scope: TenantScope, invitation: Invitation) -> keys.Key:
    return keys.request(scope.tenant, RECORD_KIND, invitation.campaign, f"{invitation.step}|{invitation.member}")


def _check(scope: TenantScope, invitation: Invitation) -> None:
    """A link of ours that asks for what we do not know, or of a tenant that is switched off, leads nowhere."""
    usable = scope.definitions.settings.status == "active" and set(invitation.fields) <= FIELDS
    if not usable:
        raise UnknownLink


def _checked(invitation: Invitation, submission: FormSubmission) -> dict[str, str | None]:
    """Exactly the fields asked for, each as the profile takes it."""
    asked, given = invitation.fields, submission.values
    problems = [FieldError(f"/values/{name[:64]}", "unknown_field", "the form does not ask for it") for name in given if name not in asked]
    problems += [FieldError(f"/values/{name}", "required", "the form asks for it") for name in asked if given.get(name) is None]
    known = {name: value for name, value in given.items() if name in asked and value is not None}
    try:
        fields = ProfileFields.model_validate(known, strict=True)
    except ValidationError as error:
        wrong = {str(each["loc"][0]) for each in error.errors(include_url=False, include_input=False)}
        problems += [FieldError(f"/values/{name}", "invalid_value", "not a value of this field") for name in sorted(wrong)]
    if problems:
        raise Unprocessable("The form does not fit; see errors.", errors=tuple(problems[:20]))
    return fields.model_dump(include=set(asked))


def _coupon(scope: TenantScope, invitation: Invitation, state: MemberState, now: Instant) -> Coupon | None:
    """What she gets, if the form gives anything and she may have it."""
    if invitation.offer is None:
        return None
    try:
        body, _ = offer_in_force(scope, invitation.offer, now)
        check_member_limit(body, invitation.offer, state)
        coupon, _ = new_coupon(scope, invitation.offer, state, now, f"form:{invitation.campaign}")
    except (UnknownOffer, TooManyCoupons):
        return None
    return coupon


def _coupon_answer(scope: TenantScope, coupon: Coupon, language: str | None) -> FormCoupon:
    body = scope.offer(coupon.offer, coupon.offer_version)
    title = scope.reader(language).title(body.content, body.name) if body is not None else None
    hers = shown(coupon.parameters, scope.definitions.settings.currency) if coupon.parameters else None
    return FormCoupon(id=coupon.id, offer=coupon.offer, title=title, expires_at=format_rfc3339(coupon.expires_at), parameters=hers)


def _receipt_of(raw: RawItem) -> FormReceipt:
    return FormReceipt.model_validate(unpack(RequestItem.read(raw).body))
