"""What a credential may be allowed to do. The table of routes names one per route; keys hold some of them."""

from __future__ import annotations

from typing import Final

PUBLIC: Final = "public"
"""The scope of a route that needs no credential (and takes none)."""
MEMBER: Final = "me"
"""The scope of every member's token: the guest's own view."""
OPERATOR: Final = "operator"
"""The operator's own key, and no other."""
RELEASE: Final = "coupons:release"
"""What ending the holds of others needs, beside the scope of the route."""
PERSONAL: Final = "members:personal"
"""What lists and files with personal columns need, beside the scope of the route."""
AUDIT: Final = "audit:read"
"""What reading the audit log needs: the owner's and the auditor's, and no till's."""
TENANT_ADMIN: Final = "tenant:admin"
"""What a tenant's own owner changes its keys with."""
SCOPES: Final = {
    MEMBER: "the guest's own data, by her own token",
    "members:register": "enrol members (an app or a web page may hold such a key)",
    "members:identify": "find a member at the till; answers are masked",
    "members:read": "read profiles, wallets and segments of members",
    PERSONAL: "see personal fields in searches and exports of members; have everything of one collected",
    "members:write": "change profiles, consents, identifiers and devices; import members",
    "members:erase": "erase members for good (a desk that answers what guests ask for; no till and no app needs it)",
    "members:merge": "merge two members into one, for good (a desk: no till and no app needs it)",
    "points:write": "adjust and transfer points, convert them, set tiers by hand",
    "transactions:write": "quote, hold, record, void and return purchases; record events",
    "transactions:read": "read transactions and their explanations",
    "transactions:review": "approve and reject flagged purchases (staff: no till needs it)",
    "reports:read": "read what stands out at the counter",
    "coupons:issue": "issue coupons of an offer; give challenges",
    "coupons:redeem": "look up, hold, redeem and release coupons",
    RELEASE: "end the holds of others by force (staff: no till needs it)",
    "definitions:read": "read programmes, offers, segments, campaigns, catalogue and locations",
    "definitions:write": "change and publish definitions, catalogue and locations",
    "campaigns:run": "launch, pause and cancel campaigns; read their reports",
    "tenant:stop": "see, set and lift the emergency stops",
    AUDIT: "read who did what: entries of the audit log and their seals",
    TENANT_ADMIN: "change the tenant's API keys and staff, as far as the own rights reach",
    OPERATOR: "create tenants and their keys (the operator's own key only)",
}
KEY_SCOPES: Final = frozenset(SCOPES) - {MEMBER, OPERATOR}
"""What an API key may hold, and one of the staff."""
