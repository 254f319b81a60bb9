"""Answers of two small routes: what a QR code says, and the segments that a member is in."""

from __future__ import annotations

from shared.tenants.base import Answer


class QrAnswer(Answer):
    """The text of a QR code. A till checks it with the keys of ``/.well-known/jwks.json`` and no network (``shared.coupons.qr``)."""

    content: str
    expires_at: str


class MembershipAnswer(Answer):
    """A segment that she is in."""

    segment_id: str
    version: int
    name: str
    entered_at: str


class SegmentsAnswer(Answer):
    """Memberships in the versions that listings and audiences read."""

    member_id: str
    segments: tuple[MembershipAnswer, ...]
