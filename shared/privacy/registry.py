"""The registry of personal data: what is kept of a guest, what for, on which ground, for how long, where, how protected. Pure data.

One truth for several: the groups that a profile is sealed by (``shared.members.model``), what logs leave out
(``shared.observability.logs``), the record of processing (docs/processing.md, Art. 30 GDPR), what erasure does with each thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Basis = Literal["contract", "consent", "legitimate interest", "legal duty"]
Ending = Literal["deleted", "key destroyed", "stripped", "kept", "of no guest", "runs out"]
"""At erasure: the item goes; it is noise without the key; the personal part goes and the rest is kept under the member's id, which leads to
nobody any more; it is kept so; it is of people who are no guests, and a guest's erasure leaves it; its own time ends it, in days."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What data is for. The tenant is the controller, and may state its own grounds; these are what the product is built for."""

    summary: str
    basis: Basis
    recipients: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is kept of a guest. ``names``: how fields with it are called wherever data has keys; no log line shows them."""

    name: str
    what: str
    purposes: tuple[str, ...]
    retention: str
    place: str
    protection: str
    ending: Ending
    names: tuple[str, ...] = ()


MEMBERSHIP: Final = "membership"
MARKETING: Final = "marketing"
PERSONAL_OFFERS: Final = "personal offers"
PROOF: Final = "proof"
TRIALS: Final = "trials"
AGAINST_ABUSE: Final = "against abuse"
_TENANT_ONLY: Final = "the tenant; AWS as its hosting processor"
PURPOSES: Final[Mapping[str, Purpose]] = {
    MEMBERSHIP: Purpose("Running the membership: points, coupons, tiers, recognising the guest, answering her", "contract", _TENANT_ONLY),
    MARKETING: Purpose(
        "Messages about offers, over the channels that she allowed", "consent",
        "the tenant; AWS (SES, SNS, End User Messaging), Apple and Google push, mobile operators, as far as a channel uses them",
    ),
    PERSONAL_OFFERS: Purpose(
        "Segments, habits and personal offers from purchases; she may object and keeps the programme", "legitimate interest", _TENANT_ONLY
    ),
    AGAINST_ABUSE: Purpose(
        "Seeing and stopping abuse at the counter: of cards, points and sales, by guests and by cashiers", "legitimate interest",
        _TENANT_ONLY,
    ),
    TRIALS: Purpose(
        "Trying a test environment out: to whom alone its messages may go, people of the tenant's who know of it", "legitimate interest",
        "the tenant and the operator; AWS (SES, End User Messaging) and mobile operators, as far as a channel uses them",
    ),
    PROOF: Purpose("Proof of consents, of sales and of points; what the law on books asks for", "legal duty", _TENANT_ONLY),
}  # fmt: skip
WHILE_A_MEMBER: Final = "until she takes it back or is erased"
SEALED: Final = "sealed under her own key (AES-256-GCM, bound to tenant, member and group)"
PSEUDONYM: Final = "under her member id only; who that is lies in her sealed profile"
BLIND: Final = "keyed hash (HMAC-SHA256 under the tenant's index key); the value itself is stored nowhere"

_IDENTITY: Final = {
    "first_name": ("given name", (MEMBERSHIP,)),
    "last_name": ("family name", (MEMBERSHIP,)),
    "birth_date": ("day of birth", (MEMBERSHIP, PERSONAL_OFFERS)),
    "gender": ("gender", (PERSONAL_OFFERS,)),
    "language": ("language that she is written to in", (MEMBERSHIP,)),
}
_CONTACT: Final = {
    "phone": ("phone number", (MEMBERSHIP, MARKETING)),
    "email": ("e-mail address", (MEMBERSHIP, MARKETING)),
    "street": ("street and number", (MEMBERSHIP,)),
    "postal_code": ("postal code", (MEMBERSHIP,)),
    "city": ("town", (MEMBERSHIP,)),
    "country": ("country", (MEMBERSHIP,)),
    "home": ("where she lives, as latitude and longitude", (PERSONAL_OFFERS,)),
}
PROFILE_GROUPS: Final[Mapping[str, Mapping[str, tuple[str, tuple[str, ...]]]]] = {"identity": _IDENTITY, "contact": _CONTACT}
"""Group of the profile -> field -> what it is and what for. Each group is sealed by itself: a till that greets opens only ``identity``."""


def _of_profile(group: str, name: str, what: str, purposes: tuple[str, ...]) -> Entry:
    place = f"main: PROFILE of the member, group {group}"
    return Entry(name, what, purposes, WHILE_A_MEMBER, place, SEALED, "deleted", (name,))


_PROFILE: Final = tuple(
    _of_profile(group, name, *about) for group, fields in PROFILE_GROUPS.items() for name, about in fields.items()
)
_BESIDE_THE_PROFILE: Final = (
    Entry("sealed facts", "day of birth, gender, language and home once more, for segments that ask", (PERSONAL_OFFERS,), WHILE_A_MEMBER,
          "main: STATE of the member, attribute f", SEALED, "deleted", ("facts",)),
    Entry("identifiers", "Apple or Google subject, proven phone and e-mail, card, the integrator's id, referral code", (MEMBERSHIP,),
          WHILE_A_MEMBER, "main: ID#<kind>#<hash>, and IDS of the member, which lists her hashes", BLIND, "deleted",
          ("identifier", "identifiers", "subject", "card", "external_id")),
    Entry("attributes and tags", "what the tenant notes of her: custom attributes, labels, static lists, time zone", (MEMBERSHIP,),
          WHILE_A_MEMBER, "main: STATE of the member", PSEUDONYM, "deleted", ("attributes",)),
    Entry("consents", "answers by purpose and channel: to which document, when, by which way, what was shown, how confirmed",
          (PROOF, MARKETING),
          "the record for ever as proof, without the text shown once she is erased", "main: CONSENT#<ulid> and STATE of the member",
          f"{PSEUDONYM}; the text shown: {SEALED}", "stripped", ("text_shown",)),
    Entry("restriction", "that she had the processing of her data restricted: which case of the law, since when, who lifted it", (PROOF,),
          "the record for ever as proof", "main: STATE of the member; beside her consents", PSEUDONYM, "kept"),
    Entry("devices", "push endpoint of each device; the token itself is with the push service alone", (MARKETING,), WHILE_A_MEMBER,
          "main: DEVICE#<id> and ID#device#<hash>; SNS: the endpoint", BLIND, "deleted", ("endpoint", "device_token", "push_token")),
    Entry("sessions", "digests of refresh tokens, one family a device", (MEMBERSHIP,), "90 days after the last use, 400 in all",
          "main: SESSION#<family> of the member", "keyed digest", "deleted", ("refresh_token",)),
    Entry("Apple's token", "what Apple gave for the app's authorization code, so that erasing her revokes it there", (MEMBERSHIP,),
          WHILE_A_MEMBER, "keys: APPLE beside the member's key", SEALED, "deleted", ("authorization_code",)),
    Entry("one-time codes", "digest of a code that was sent to a number or address, and how often it was tried", (MEMBERSHIP,), "2 days",
          "main: OTP#<kind>#<hash>", BLIND, "runs out", ("otp", "one_time_code")),
    Entry("confirmation mails", "how many mails that ask for a confirmation went to an address in a day", (AGAINST_ABUSE,), "2 days",
          "main: DOI#<hash>", BLIND, "runs out"),
    Entry("confirmations", "what a till asked her to confirm, how much, where, and what she said", (MEMBERSHIP, AGAINST_ABUSE), "2 days",
          "main: CONFIRM#<id> of the member", f"{PSEUDONYM}; a code by its keyed digest only", "deleted"),
    Entry("staff accounts", "of people who work for the tenant: e-mail address and authenticator app in the user pool; group, place and a "
          "label of the tenant's own here", (AGAINST_ABUSE,), "until they are removed",
          "Cognito; main: KEYS of the tenant, STAFF#<id>", "the address is with the user pool alone", "of no guest"),
    Entry("recipients of tests", "of people who try things out in a test environment: addresses and phone numbers that its messages "
          "may go to", (TRIALS,), "until they are taken off the list, or the test environment is removed",
          "main: SETTINGS of the test environment", "in clear, encrypted at rest; shown to the operator alone", "of no guest",
          ("test_recipients",)),
    Entry("names of cashiers", "which cashier made a sale, and how often one claims, returns or adjusts: the till's own pseudonym of "
          "staff, not of guests", (AGAINST_ABUSE,), "in sales as long as the tenant keeps books; counts 400 days",
          "main: REQ#txn#... and COUNTER#<date>", "the till's pseudonym; who that is only the tenant knows", "of no guest", ("staff_id",)),
    Entry("profile of purchases", "sums by day, category, place and hour; habits; campaigns that touched her; segments", (PERSONAL_OFFERS,),
          "13 months of days, sums while she is a member", "main: STATE, STATE#H and SEG#<segment> of the member", PSEUDONYM, "deleted"),
    Entry("snapshot", "the same as columns, with her day of birth, gender, language and home, for previews and audiences",
          (PERSONAL_OFFERS,), "until the next merge, minutes; replaced objects 35 days", "S3: snapshots/", PSEUDONYM, "runs out"),
    Entry("ledger", "every booking of points; a reason where it was by hand, which must name nobody", (MEMBERSHIP, PROOF),
          "as long as the tenant keeps books", "main: L#<ulid> of the member", PSEUDONYM, "kept"),
    Entry("sales", "baskets as tills sent them, with what was decided; ext must hold nothing personal", (MEMBERSHIP, PROOF),
          "as long as the tenant keeps books", "main: REQ#txn#...", PSEUDONYM, "kept"),
    Entry("coupons and claims", "coupons and rewards of hers, and what became of them", (MEMBERSHIP,), "as long as the tenant keeps books",
          "main: CPN#<id>, CODE#<hash>, RWD#<id> of the member", PSEUDONYM, "kept", ("coupon_code",)),
    Entry("deliveries", "which message she got when over which channel, and what she did; links of it sealed", (MARKETING, PROOF),
          "while the campaign's report is kept; links until she is erased", "main: DLV#... of the member",
          f"{PSEUDONYM}; links and data: {SEALED}", "stripped", ("delivery_data",)),
    Entry("inbox", "texts of messages in the app", (MARKETING, MEMBERSHIP), "90 days", "main: INBOX#<id> of the member", SEALED, "deleted",
          ("message_text",)),
    Entry("objections", "that a phone number or address is not to get marketing; survives erasure so that it can be kept", (PROOF,),
          "until she consents anew herself", "main: SUP#<channel>#<hash>", BLIND, "kept"),
    Entry("exports", "files of members that staff asked for", (MEMBERSHIP,), "7 days", "S3: exports/",
          "encrypted at rest; a link of minutes, to keys with members:personal only", "runs out"),
    Entry("imports", "uploaded records that wait for their worker", (MEMBERSHIP,), "7 days", "S3: bulk/",
          "encrypted at rest; read by the worker alone", "runs out"),
    Entry("sent messages", "on a stage with the outbox switched on: messages as they went out", (MARKETING,), "30 days", "S3: outbox/",
          "encrypted at rest; local stages only", "runs out"),
    Entry("access files", "everything of a member, in the files that she or the tenant asked for", (MEMBERSHIP,),
          "1 to 2 days; the job 30 days", "S3: access/, and ACCESS#<id> of the member",
          "encrypted at rest; a link of minutes, for 24 hours", "runs out"),
    Entry("erasure", "that she asked, when, and what was done, without anything of her", (PROOF,), "for ever", "main: ERASE#<member>",
          PSEUDONYM, "kept"),
    Entry("merges", "that another member turned out to be her, when and why; names of fields, never a value", (MEMBERSHIP, PROOF),
          "for ever", "main: MERGE#<member>", PSEUDONYM, "kept"),
    Entry("audit log", "who changed or read what of hers, when; ids and names of fields, never a value", (PROOF,), "400 days",
          "main: AUDIT#<day>#<shard>", PSEUDONYM, "kept"),
    Entry("her key", "the key that seals everything above, wrapped by the tenant's", (MEMBERSHIP,), WHILE_A_MEMBER,
          "keys: KEY of the member; no backups, no stream", "AES key wrap (RFC 3394)", "key destroyed", ("dek", "wrapped_key")),
)  # fmt: skip
ENTRIES: Final[tuple[Entry, ...]] = (*_PROFILE, *_BESIDE_THE_PROFILE)
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {group: tuple(fields) for group, fields in PROFILE_GROUPS.items()}
"""Group of the profile -> its fields."""
PRIVATE_NAMES: Final = frozenset(name for entry in ENTRIES for name in entry.names)
"""Names of fields that no log line shows."""
MEASURES: Final = (
    "Personal fields are sealed under a key of each member (AES-256-GCM), which the tenant's key wraps, which KMS wraps.",
    "Look-ups go by keyed hashes; events, queues and logs carry ids only, and logs leave out every name of this registry.",
    "Tenants are apart by types, by IAM session policies per tenant and by checks in workers (docs/architecture.md).",
    "TLS everywhere, encryption at rest of tables, queues and buckets, least privilege by function; only the removal of a tenant scans.",
    "Point-in-time recovery of 35 days for the table; none for the keys, so that erasure cannot be undone by a restore.",
)
"""Technical and organisational measures, for the record."""
