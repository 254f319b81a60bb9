"""The one table of routes: which function answers, which scopes it takes, which models go in and out.

The deployment makes the gateway's routes from it, the dispatcher finds its operation and checks the scopes from it,
and ``docs/openapi.json`` is generated from it. Models are named by ``module:Class`` and imported only by the
generator, so that a function carries its own models and nobody else's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from shared.kernel.scopes import MEMBER, PUBLIC, SCOPES

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
FunctionName = Literal[
    "registration", "transaction_ingestion", "coupon_redemption", "administration", "media", "audiences", "guest_links"
]
MB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. ``path`` is in the gateway's and OpenAPI's common form: ``/v1/members/{member_id}``."""

    method: Method
    path: str
    function: FunctionName
    operation: str
    scope: str
    summary: str
    request: str | None = None
    response: str | None = None
    status: int = 200
    needs_if_match: bool = False
    query: tuple[str, ...] = ()
    max_body: int = MB
    """Bytes. Lambda takes 6 MB with everything round the body."""
    media: str = "application/json"
    """What it answers; empty: nothing but headers."""

    @property
    def key(self) -> str:
        """``POST /v1/members``: the gateway's route key."""
        return f"{self.method} {self.path}"

    @property
    def public(self) -> bool:
        """Whether it answers without a credential."""
        return self.scope == PUBLIC


_M = "shared.members.api:"
_P = "shared.members.points_api:"
_PR = "shared.members.profile_api:"
_CH = "shared.members.challenges_api:"
_R = "shared.rewards.api:"
_T = "shared.transactions.api:"
_TA = "shared.transactions.answer_models:"
_C = "shared.coupons.api:"
_CP = "shared.coupons.pools_api:"
_D = "shared.definitions.api:"
_TEN = "shared.tenants.api:"
_STO = "shared.tenants.stops:"
_MED = "shared.media.api:"
_S = "shared.segments.api:"
_CAM = "shared.campaigns.api:"
_REP = "shared.reports.api:"
_LIB = "shared.campaigns.library.api:"
_FOR = "shared.forecast.api:"
_PRE = "shared.campaigns.preview_api:"
_AUD = "shared.audiences.api:"
_STA = "shared.statistics.api:"
_IN = "shared.messaging.inbox_api:"
_PAGE = ("limit", "cursor")


def _of_members(method: Method, path: str, operation: str, scope: str, summary: str, **more: object) -> Route:
    return Route(method, path, "registration", operation, scope, summary, **more)  # type: ignore[arg-type]


def _for_both(method: Method, tail: str, operation: str, scope: str, summary: str, **more: object) -> list[Route]:
    """The integrator's route and its mirror under /v1/me."""
    return [
        _of_members(method, f"/v1/members/{{member_id}}{tail}", operation, scope, summary, **more),
        _of_members(method, f"/v1/me{tail}", f"{operation}_of_me", MEMBER, f"{summary} (own view)", **more),
    ]


def _members() -> list[Route]:
    """Who she is, and what is known of her."""
    return [
        _of_members("POST", "/v1/members", "register_member", "members:register", "Enrol a member; the same person again answers 200",
                    request=_M + "RegisterRequest", response=_M + "RegisterAnswer", status=201),
        _of_members("POST", "/v1/members/identify", "identify_member", "members:identify", "Find a member at the till by any identifier",
                    request=_M + "IdentifyRequest", response=_M + "IdentifyAnswer"),
        _of_members("POST", "/v1/members/bulk", "import_members", "members:write", "Import up to 500 members; 202 with a job",
                    request=_M + "BulkMembersRequest", response=_TA + "JobAnswer", status=202),
        *_for_both("GET", "", "get_member", "members:read", "Read a member", response=_M + "MemberAnswer"),
        *_for_both("PATCH", "", "update_member", "members:write", "Change profile fields (merge patch)",
                   request=_M + "ProfilePatch", response=_M + "MemberAnswer"),
        *_for_both("PUT", "/consents", "set_consents", "members:write", "Grant or withdraw consents",
                   request=_M + "ConsentsRequest", response=_M + "ConsentsAnswer"),
        *_for_both("POST", "/devices", "add_device", "members:write", "Register a device for push messages",
                   request=_M + "DeviceRequest", response=_M + "DeviceAnswer", status=201),
        *_for_both("DELETE", "/devices/{device_id}", "remove_device", "members:write", "Remove a device", status=204),
        *_for_both("GET", "/wallet", "get_wallet", "members:read", "Balances and what expires when", response=_M + "WalletAnswer"),
        *_for_both("GET", "/ledger", "list_ledger", "members:read", "Ledger entries, newest first",
                   response=_M + "LedgerPage", query=_PAGE),
        *_for_both("GET", "/coupons", "list_member_coupons", "members:read", "Coupons held", response=_M + "CouponsAnswer"),
        *_for_both("GET", "/challenges", "list_member_challenges", "members:read", "Challenges, and how far they are",
                   response=_CH + "ChallengesAnswer"),
        *_for_both("GET", "/coupons/{coupon_id}/qr", "get_coupon_qr", "members:read",
                   "What a coupon's QR code says: signed, good for 5 minutes", response=_M + "QrAnswer"),
        *_for_both("GET", "/card", "get_card", "members:read", "What the QR code of the member's card says: signed, good for 5 minutes",
                   response=_M + "QrAnswer"),
        *_for_both("GET", "/profile", "get_profile", "members:read", "What her purchases say: windows, habits, responses, tier",
                   response=_PR + "ProfileAnswer", query=("days", "by_days")),
        *_for_both("PUT", "/profiling", "set_profiling", "members:write", "Object to profiling, or allow it again",
                   request=_PR + "ProfilingRequest", response=_PR + "ProfilingAnswer"),
        _of_members("POST", "/v1/lists/{list_id}/members", "change_list_members", "members:write",
                    "Put up to 500 members on a static list, or take them off; 202 with a job",
                    request=_PR + "ListMembersRequest", response=_TA + "JobAnswer", status=202),
        *_for_both("GET", "/inbox", "list_inbox", "members:read", "Messages in the app's inbox, newest first",
                   response=_IN + "InboxPage", query=_PAGE),
        *_for_both("POST", "/inbox/{message_id}/read", "read_message", "members:write", "A message of the inbox was read",
                   response=_IN + "InboxMessageAnswer"),
        *_for_both("GET", "/segments", "list_member_segments", "members:read", "Segments the member is in", response=_M + "SegmentsAnswer"),
    ]


def _members_doings() -> list[Route]:
    """What is given to her, and what she does with it."""
    return [
        *_for_both("POST", "/transfers", "transfer_points", "points:write", "Give points to another member",
                   request=_P + "TransferRequest", response=_P + "PointsAnswer", status=201),
        *_for_both("POST", "/conversions", "convert_points", "points:write", "Turn points into vouchers",
                   request=_P + "ConversionRequest", response=_P + "PointsAnswer", status=201),
        *_for_both("GET", "/rewards", "list_member_rewards", "members:read", "The rewards catalogue for her, and what she has claimed",
                   response=_R + "RewardsAnswer", query=("location_id",)),
        *_for_both("POST", "/rewards", "claim_reward", "points:write", "Exchange points for a reward",
                   request=_R + "ClaimRequest", response=_R + "ClaimAnswer", status=201),
        _of_members("POST", "/v1/members/{member_id}/rewards/{claim_id}/hand-over", "hand_over_reward", "coupons:redeem",
                    "The item of a claim was given to the member", response=_R + "ClaimAnswer"),
        _of_members("POST", "/v1/members/{member_id}/rewards/{claim_id}/cancel", "cancel_reward", "points:write",
                    "Cancel a claim that was not used: the points come back",
                    request=_R + "CancelClaimRequest", response=_R + "ClaimAnswer"),
        *_for_both("POST", "/referral-code", "get_referral_code", "members:read", "The code that friends give when they register",
                   response=_P + "ReferralCodeAnswer"),
        _of_members("POST", "/v1/challenges/{challenge_id}/members", "give_challenge", "coupons:issue",
                    "Give a member a challenge: each receipt has its own window",
                    request=_CH + "GiveChallengeRequest", response=_CH + "GivenChallengeAnswer", status=201),
        _of_members("POST", "/v1/members/{member_id}/adjustments", "adjust_points", "points:write",
                    "Give or take points by hand, with a reason",
                    request=_P + "AdjustmentRequest", response=_P + "PointsAnswer", status=201),
        _of_members("PUT", "/v1/members/{member_id}/tier", "set_tier", "points:write", "Give a tier by hand, or take it away",
                    request=_P + "TierRequest", response=_P + "TierSetAnswer"),
        _of_members("POST", "/v1/members/{member_id}/identifiers", "add_identifier", "members:write", "Attach a proven identifier",
                    request=_M + "IdentifierRequest", response=_M + "MemberAnswer", status=201),
        _of_members("DELETE", "/v1/members/{member_id}/suppressions/{channel}", "lift_suppression", "members:write",
                    "Use a channel again that a bounce, complaint or opt-out closed", status=204),
        _of_members("GET", "/v1/members/{member_id}/segments/{segment_id}/why", "explain_membership", "members:read",
                    "Why the member is in a segment, or not: each leaf's value", response=_S + "WhyAnswer"),
        _of_members("GET", "/v1/forms/{token}", "get_form", PUBLIC, "The fields of a form", response=_CAM + "FormAnswer"),
        _of_members("POST", "/v1/forms/{token}", "submit_form", PUBLIC, "Submit a form once",
                    request=_CAM + "FormSubmission", response=_CAM + "FormReceipt"),
        _of_members("GET", "/.well-known/jwks.json", "get_jwks", PUBLIC, "Public keys of our tokens"),
    ]


def _transaction_ingestion() -> list[Route]:
    def route(method: Method, path: str, operation: str, scope: str, summary: str, **more: object) -> Route:
        return Route(method, path, "transaction_ingestion", operation, scope, summary, **more)  # type: ignore[arg-type]

    write, read = "transactions:write", "transactions:read"
    one = "/v1/transactions/{transaction_id}"
    return [
        route("POST", "/v1/quotes", "quote", write, "Price a basket; writes nothing",
              request=_T + "QuoteRequest", response=_TA + "QuoteAnswer"),
        route("POST", "/v1/holds", "create_hold", write, "Hold points and coupons for a basket: all or none",
              request=_T + "HoldRequest", response=_TA + "HoldAnswer", status=201),
        route("GET", "/v1/holds/{hold_id}", "get_hold", write, "Read a hold", response=_TA + "HoldAnswer"),
        route("DELETE", "/v1/holds/{hold_id}", "release_hold", write, "Release a hold", status=204, query=("force", "reason")),
        route("POST", "/v1/holds/{hold_id}/extend", "extend_hold", write, "Give a hold more time",
              request=_T + "ExtendRequest", response=_TA + "HoldAnswer"),
        route("POST", "/v1/transactions", "record_transaction", write, "Record a finished sale, exactly once",
              request=_T + "TransactionRequest", response=_TA + "TransactionAnswer", status=201),
        route("POST", "/v1/transactions/lookup", "lookup_transaction", read, "Did my call go through? By natural key",
              request=_T + "LookupRequest", response=_TA + "TransactionAnswer"),
        route("POST", "/v1/transactions/bulk", "import_transactions", write, "Up to 500 sales; 202 with a job",
              request=_T + "BulkTransactionsRequest", response=_TA + "JobAnswer", status=202),
        route("GET", "/v1/jobs/{job_id}", "get_job", read, "Counts and refused records of a bulk job", response=_TA + "JobAnswer"),
        route("GET", one, "get_transaction", read, "Read a transaction", response=_TA + "TransactionAnswer"),
        route("GET", one + "/explanation", "explain_transaction", read, "The trace of the decision", response=_TA + "ExplanationAnswer"),
        route("POST", one + "/void", "void_transaction", write, "A cancelled sale: as if it never was", response=_TA + "ReversalAnswer"),
        route("POST", one + "/claim", "claim_transaction", write, "Attach a member to an anonymous sale",
              request=_T + "ClaimRequest", response=_TA + "TransactionAnswer"),
        route("POST", "/v1/returns", "record_return", write, "Return a whole sale: reverses exactly its part",
              request=_T + "ReturnRequest", response=_TA + "ReversalAnswer", status=201),
        route("GET", "/v1/locations/{location_id}/offline-losses", "report_offline_losses", read,
              "What a location lost to sales made offline, by business date and reason", response=_TA + "OfflineLossesAnswer",
              query=("from", "until")),
        route("POST", "/v1/events", "record_event", write, "A declared event of a member: opens, clicks, custom",
              request=_T + "EventRequest", response=_TA + "EventAnswer", status=202),
    ]


def _coupon_redemption() -> list[Route]:
    def route(path: str, operation: str, scope: str, summary: str, request: str, status: int = 200) -> Route:
        return Route("POST", path, "coupon_redemption", operation, scope, summary, _C + request, _C + "CouponAnswer", status)

    def codes(method: Method, path: str, operation: str, summary: str, answer: str, **more: object) -> Route:
        path = "/v1/offers/{offer_id}" + path
        return Route(method, path, "coupon_redemption", operation, "coupons:issue", summary, response=_CP + answer, **more)  # type: ignore[arg-type]

    redeem, pool = "coupons:redeem", "/pools/{pool_id}"
    return [
        route("/v1/offers/{offer_id}/coupons", "issue_coupon", "coupons:issue", "Issue a coupon of an offer", "IssueRequest", 201),
        Route("POST", "/v1/members/{member_id}/next-offer", "coupon_redemption", "give_next_offer", "coupons:issue",
              "Choose the next best of several offers for a member, and give her a coupon of it",
              _C + "NextOfferRequest", _C + "NextOfferAnswer", 201),
        route("/v1/coupons/lookup", "lookup_coupon", redeem, "Read a coupon by its code or id", "CouponReference"),
        route("/v1/coupons/hold", "hold_coupon", redeem, "Hold a coupon for a basket", "HoldCouponRequest"),
        route("/v1/coupons/redeem", "redeem_coupon", redeem, "Redeem a coupon for a basket", "RedeemCouponRequest"),
        route("/v1/coupons/release", "release_coupon", redeem, "Release a held coupon", "ReleaseCouponRequest"),
        codes("POST", "/pools", "order_pool", "Make up to 1,000,000 codes; 202 with a job", "PoolAnswer",
              request=_CP + "PoolRequest", status=202),
        codes("POST", "/codes", "import_codes", "Import up to 500 codes that were printed elsewhere", "CodesAnswer",
              request=_CP + "CodesRequest"),
        codes("GET", pool, "get_pool", "How far a pool is made, and its odds", "PoolAnswer"),
        codes("GET", pool + "/files", "list_pool_files", "Short-lived links to the codes of a pool", "PoolFilesAnswer"),
        codes("POST", pool + "/void", "void_pool", "Withdraw every unused code of a pool at once", "PoolAnswer"),
    ]


def _administration() -> list[Route]:
    def route(method: Method, path: str, operation: str, scope: str, summary: str, **more: object) -> Route:
        return Route(method, path, "administration", operation, scope, summary, **more)  # type: ignore[arg-type]

    read, write = "definitions:read", "definitions:write"
    routes = [
        route("POST", "/v1/tenants", "create_tenant", "operator", "Create a tenant",
              request=_TEN + "TenantRequest", response=_TEN + "TenantAnswer", status=201),
        route("GET", "/v1/tenants", "list_tenants", "operator", "List tenants", response=_TEN + "TenantPage", query=_PAGE),
        route("GET", "/v1/tenants/{tenant_id}", "get_tenant", "operator", "Read a tenant", response=_TEN + "TenantAnswer"),
        route("PUT", "/v1/tenants/{tenant_id}", "replace_tenant", "operator", "Replace a tenant's configuration",
              request=_TEN + "TenantRequest", response=_TEN + "TenantAnswer", needs_if_match=True),
        route("POST", "/v1/tenants/{tenant_id}/keys", "create_key", "operator", "Create an API key; its secret is shown once",
              request=_TEN + "KeyRequest", response=_TEN + "KeyAnswer", status=201),
        route("DELETE", "/v1/tenants/{tenant_id}/keys/{key_id}", "revoke_key", "operator", "Revoke an API key", status=204),
        route("PUT", "/v1/tenants/{tenant_id}/push/{platform}", "set_push_application", "operator",
              "Store a push credential (write-only) and make its platform application",
              request=_TEN + "PushRequest", response=_TEN + "PushAnswer"),
        route("GET", "/v1/stops", "get_stops", "tenant:stop", "The tenant's emergency stops", response=_STO + "StopsAnswer"),
        route("PUT", "/v1/stops", "set_stops", "tenant:stop", "Set all emergency stops at once; hold everywhere within 60 seconds",
              request=_STO + "Stops", response=_STO + "StopsAnswer"),
        route("GET", "/v1/tenants/{tenant_id}/stops", "get_stops_of_tenant", "operator", "A tenant's emergency stops",
              response=_STO + "StopsAnswer"),
        route("PUT", "/v1/tenants/{tenant_id}/stops", "set_stops_of_tenant", "operator", "Set a tenant's emergency stops",
              request=_STO + "Stops", response=_STO + "StopsAnswer"),
        route("POST", "/v1/tenants/{tenant_id}/webhooks/{name}/secret", "show_webhook_secret", "operator",
              "The signing secret of a webhook, in its current version", response=_TEN + "WebhookSecretAnswer"),
        route("PUT", "/v1/catalogue/items", "put_items", write, "Create or replace up to 200 catalogue items",
              request=_D + "ItemsRequest", response=_D + "ItemsAnswer"),
        route("GET", "/v1/catalogue/items", "list_items", read, "List catalogue items", response=_D + "ItemPage", query=_PAGE),
        route("PUT", "/v1/locations", "put_locations", write, "Create or replace locations",
              request=_D + "LocationsRequest", response=_D + "LocationsAnswer"),
        route("GET", "/v1/locations", "list_locations", read, "List locations", response=_D + "LocationPage", query=_PAGE),
        route("POST", "/v1/programmes/{definition_id}/lint", "lint_programme", read, "Find mistakes in a programme, each with a basket",
              request=_D + "LintRequest", response=_D + "LintAnswer"),
        route("GET", "/v1/segments/schema", "get_segment_schema", read, "The language of segments as JSON Schema"),
        route("GET", "/v1/segments/{segment_id}/members", "list_segment_members", "members:read", "Members of a segment",
              response=_S + "MembersPage", query=_PAGE),
        route("GET", "/v1/segments/{segment_id}/count", "count_segment", "members:read", "Size of a segment", response=_S + "CountAnswer"),
        route("GET", "/v1/openapi.json", "get_openapi", PUBLIC, "This interface as OpenAPI 3.1"),
    ]
    kinds = ("programmes", "offers", "promotions", "rewards", "segments", "campaigns", "challenges")
    for kind, name in ((each, each.removesuffix("s")) for each in kinds):
        model, base = _D + name.capitalize() + "Answer", f"/v1/{kind}"
        body, one = _D + name.capitalize() + "Request", f"/v1/{kind}/{{definition_id}}"
        routes += [
            route("POST", base, f"create_{name}", write, f"Create a {name} as a draft", request=body, response=model, status=201),
            route("GET", base, f"list_{kind}", read, f"List {kind}", response=_D + name.capitalize() + "Page", query=_PAGE),
            route("GET", one, f"get_{name}", read, f"Read a {name}: its newest version", response=model),
            route("PUT", one, f"replace_{name}", write, f"Write a new draft version of a {name}",
                  request=body, response=model, needs_if_match=True),
            route("POST", one + "/publish", f"publish_{name}", write, f"Publish the draft of a {name}",
                  request=_D + "PublishRequest", response=model),
            route("POST", one + "/retire", f"retire_{name}", write, f"Retire a {name}", response=model),
        ]
    return routes


def _campaigns() -> list[Route]:
    """Running campaigns, and the library of ready ones."""

    def route(method: Method, path: str, operation: str, scope: str, summary: str, **more: object) -> Route:
        return Route(method, path, "administration", operation, scope, summary, **more)  # type: ignore[arg-type]

    read, write, run = "definitions:read", "definitions:write", "campaigns:run"
    return [
        route("POST", "/v1/campaigns/{campaign_id}/launch", "launch_campaign", run, "Start a campaign",
              response=_CAM + "CampaignStateAnswer"),
        route("POST", "/v1/campaigns/{campaign_id}/approve", "approve_campaign", run, "Approve a version that somebody else published",
              request=_D + "ApproveRequest", response=_D + "CampaignAnswer"),
        route("POST", "/v1/campaigns/{campaign_id}/pause", "pause_campaign", run, "Close its gates",
              response=_CAM + "CampaignStateAnswer"),
        route("POST", "/v1/campaigns/{campaign_id}/resume", "resume_campaign", run, "Open its gates",
              response=_CAM + "CampaignStateAnswer"),
        route("POST", "/v1/campaigns/{campaign_id}/cancel", "cancel_campaign", run, "End it for good",
              response=_CAM + "CampaignStateAnswer"),
        route("POST", "/v1/campaigns/{campaign_id}/preview", "preview_campaign", run, "A step's texts as a member would read them",
              request=_PRE + "PreviewRequest", response=_PRE + "PreviewAnswer"),
        route("POST", "/v1/campaigns/{campaign_id}/test", "test_campaign", run, "Really send a step to a test member, marked as a test",
              request=_PRE + "TestRequest", response=_PRE + "TestSendAnswer"),
        route("POST", "/v1/campaigns/{campaign_id}/trigger", "trigger_campaign", run, "Send it to the members that the call names",
              request=_CAM + "TriggerRequest", response=_CAM + "TriggerAnswer"),
        route("GET", "/v1/campaigns/{campaign_id}/report", "report_campaign", run, "What became of it", response=_REP + "ReportAnswer"),
        route("GET", "/v1/campaigns/{campaign_id}/report.csv", "report_campaign_csv", run, "The same as a table", media="text/csv"),
        route("GET", "/v1/campaigns/{campaign_id}/deliveries", "list_deliveries", run, "Deliveries that need a person",
              response=_CAM + "DeliveryPage", query=_PAGE),
        route("GET", "/v1/library/campaigns", "list_library", read, "Ready campaigns, and what can be set of them",
              response=_LIB + "LibraryAnswer"),
        route("POST", "/v1/library/campaigns/{name}/install", "install_campaign", write, "Drafts of a ready campaign and all that it needs",
              request=_LIB + "InstallRequest", response=_LIB + "InstalledAnswer", status=201),
    ]


def _media() -> list[Route]:
    def route(method: Method, path: str, operation: str, scope: str, summary: str, **more: object) -> Route:
        return Route(method, path, "media", operation, scope, summary, **more)  # type: ignore[arg-type]

    read, write, one = "definitions:read", "definitions:write", "/v1/media/{media_id}"
    return [
        route("POST", "/v1/media", "upload_media", write, "Store an image of at most 4 MB in several sizes; the same one again answers 200",
              request=_MED + "UploadRequest", response=_MED + "MediaAnswer", status=201, max_body=6 * MB),
        route("GET", "/v1/media", "list_media", read, "List images", response=_MED + "MediaPage", query=_PAGE),
        route("GET", one, "get_media", read, "Read an image's sizes and links", response=_MED + "MediaAnswer"),
        route("DELETE", one, "delete_media", write, "Delete an image that no published definition names", status=204),
    ]


def _statistics() -> list[Route]:
    read, write = "definitions:read", "definitions:write"
    return [
        Route("GET", "/v1/statistics/profile", "audiences", "get_statistics", read,
              "Quintiles, rhythm and states of all guests together", response=_STA + "StatisticsAnswer"),
        Route("POST", "/v1/statistics/profile/run", "audiences", "run_statistics", write,
              "Compute the statistics now instead of in the night", response=_STA + "RunAnswer", status=202),
        Route("GET", "/v1/catalogue/items/{item_id}/complements", "audiences", "list_complements", read,
              "Items that are often bought together with this one", response=_STA + "ComplementsAnswer"),
    ]


def _audiences() -> list[Route]:
    def route(method: Method, path: str, operation: str, summary: str, request: str | None, response: str, status: int = 200) -> Route:
        named = None if request is None else _AUD + request
        return Route(method, path, "audiences", operation, "members:read", summary, named, _AUD + response, status)

    return [
        route("POST", "/v1/segments/preview", "preview_segment", "How many members a rule is true of: estimated at once, or counted",
              "PreviewRequest", "PreviewAnswer"),
        route("POST", "/v1/segments/{segment_id}/export", "export_segment", "A file of a segment's members; 202 with an export",
              "ExportSegmentRequest", "ExportAnswer", 202),
        route("POST", "/v1/members/search", "search_members", "Members that a rule is true of, in order, with columns",
              "SearchRequest", "SearchPage"),
        route("POST", "/v1/members/export", "export_members", "A file of members that a rule is true of; 202 with an export",
              "ExportMembersRequest", "ExportAnswer", 202),
        route("GET", "/v1/exports/{export_id}", "get_export", "How far an export is, and a short-lived link to its file",
              None, "ExportAnswer"),
    ]


def _guest_links() -> list[Route]:
    """What links in messages lead to. ``HEAD`` looks at them, and counts nothing."""

    def route(method: Method, path: str, operation: str, summary: str, status: int, media: str) -> Route:
        return Route(method, path, "guest_links", operation, PUBLIC, summary, status=status, media=media, max_body=16 * 1024)

    link, picture, stop = "/l/{tenant_id}/{token}", "/o/{tenant_id}/{picture}", "/u/{tenant_id}/{token}"
    return [
        route("GET", link, "follow_link", "A link of a message: leads on, and counts as clicked", 302, ""),
        route("HEAD", link, "check_link", "Where a link of a message leads", 302, ""),
        route("GET", picture, "see_message", "The picture of an e-mail: counts as opened", 200, "image/gif"),
        route("HEAD", picture, "check_message", "Whether there is the picture of an e-mail", 200, ""),
        route("GET", stop, "ask_to_unsubscribe", "A page with one button; unsubscribes nobody", 200, "text/html"),
        route("HEAD", stop, "check_unsubscribing", "Whether there is the page to unsubscribe", 200, ""),
        route("POST", stop, "unsubscribe", "Unsubscribe with one click (RFC 8058): no more of this over this channel", 200, "text/html"),
    ]


def _forecast() -> list[Route]:
    """What campaigns will do: it is asked of the columns, so the function of audiences answers."""
    return [
        Route("POST", "/v1/campaigns/{campaign_id}/estimate", "audiences", "estimate_campaign", "campaigns:run",
              "Whom a campaign would reach over what, and what it costs", request=_FOR + "EstimateRequest",
              response=_FOR + "EstimateAnswer"),
        Route("GET", "/v1/campaigns/calendar", "audiences", "get_calendar", "campaigns:run",
              "What goes out on which day, where campaigns meet, and what caps will cost", query=("from", "to", "with"),
              response="shared.forecast.calendar_api:CalendarAnswer"),
    ]


__all__ = ["MEMBER", "PUBLIC", "ROUTES", "ROUTES_BY_KEY", "SCOPES", "FunctionName", "Route"]

ROUTES: Final[tuple[Route, ...]] = (
    *_members(), *_members_doings(), *_transaction_ingestion(), *_coupon_redemption(), *_administration(), *_campaigns(),
    *_media(), *_audiences(), *_statistics(), *_guest_links(), *_forecast(),
)  # fmt: skip
ROUTES_BY_KEY: Final[dict[str, Route]] = {route.key: route for route in ROUTES}
