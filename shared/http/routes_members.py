"""Routes of members: the integrator's, and their mirrors under /v1/me."""

from __future__ import annotations

from shared.http.route import PAGE, Method, Route
from shared.kernel.scopes import MEMBER, PERSONAL, PUBLIC

_M = "shared.members.api:"
_P = "shared.members.points_api:"
_PR = "shared.members.profile_api:"
_CH = "shared.members.challenges_api:"
_R = "shared.rewards.api:"
_TA = "shared.transactions.answer_models:"
_S = "shared.segments.api:"
_CAM = "shared.campaigns.api:"
_IN = "shared.messaging.inbox_api:"
_ER = "shared.erasure.api:"
_ACC = "shared.access.api:"
_CO = "shared.counter.api:"
_ME = "shared.merging.api:"
_RI = "shared.members.rights_api:"
_SH = "shared.members.showing_api:"


def _of_members(method: Method, path: str, operation: str, scope: str, summary: str, **more: object) -> Route:
    return Route(method, path, "registration", operation, scope, summary, **more)  # type: ignore[arg-type]


def _for_both(method: Method, tail: str, operation: str, scope: str, summary: str, **more: object) -> list[Route]:
    """The integrator's route and its mirror under /v1/me. What she reads of herself is not noted."""
    own = more | ({"audit": None} if more.get("audit") == "read" else {})
    return [
        _of_members(method, f"/v1/members/{{member_id}}{tail}", operation, scope, summary, **more),
        _of_members(method, f"/v1/me{tail}", f"{operation}_of_me", MEMBER, f"{summary} (own view)", **own),
    ]


def members() -> list[Route]:
    """Who she is, and what is known of her."""
    return [
        _of_members("POST", "/v1/members", "register_member", "members:register", "Enrol a member; the same person again answers 200",
                    request=_M + "RegisterRequest", response=_M + "RegisterAnswer", status=201),
        _of_members("POST", "/v1/members/identify", "identify_member", "members:identify", "Find a member at the till by any identifier",
                    request=_M + "IdentifyRequest", response=_M + "IdentifyAnswer", audit="counted"),
        _of_members("POST", "/v1/members/bulk", "import_members", "members:write", "Import up to 500 members; 202 with a job",
                    request=_M + "BulkMembersRequest", response=_TA + "JobAnswer", status=202),
        *_for_both("GET", "", "get_member", "members:read", "Read a member", response=_M + "MemberAnswer", audit="read"),
        *_for_both("PATCH", "", "update_member", "members:write", "Change profile fields (merge patch)",
                   request=_M + "ProfilePatch", response=_M + "MemberAnswer"),
        *_for_both("POST", "/access", "ask_access", PERSONAL, "Have everything that is kept of a member collected; 202 with a job",
                   response=_ACC + "AccessAnswer", status=202),
        *_for_both("GET", "/access/{access_id}", "get_access", PERSONAL, "The job, with links to its files for 24 hours",
                   response=_ACC + "AccessAnswer"),
        *_for_both("DELETE", "", "erase_member", "members:erase", "Erase a member for good; 202 with the erasure",
                   response=_ER + "ErasureAnswer", status=202),
        *_for_both("GET", "/erasure", "get_erasure", "members:read", "How far an erasure is, and in the end its certificate",
                   response=_ER + "ErasureAnswer"),
        _of_members("POST", "/v1/members/{member_id}/merge", "merge_member", "members:merge",
                    "Another member turned out to be this one: merge her into this one, for good; or try what it would come to",
                    request=_ME + "MergeRequest", response=_ME + "MergeAnswer"),
        _of_members("GET", "/v1/members/{member_id}/merge", "get_merge", "members:merge", "How far the merge of a member into another is",
                    response=_ME + "MergeAnswer"),
        *_for_both("PUT", "/consents", "set_consents", "members:write",
                   "Grant or withdraw consents; marketing by e-mail may wait for her confirmation",
                   request=_M + "ConsentsRequest", response=_M + "ConsentsAnswer"),
        *_for_both("POST", "/devices", "add_device", "members:write", "Register a device for push messages",
                   request=_M + "DeviceRequest", response=_M + "DeviceAnswer", status=201),
        *_for_both("DELETE", "/devices/{device_id}", "remove_device", "members:write", "Remove a device", status=204),
        *_for_both("GET", "/wallet", "get_wallet", "members:read", "Balances and what expires when", response=_M + "WalletAnswer"),
        *_for_both("GET", "/ledger", "list_ledger", "members:read", "Ledger entries, newest first",
                   response=_M + "LedgerPage", query=PAGE),
        *_for_both("GET", "/coupons", "list_member_coupons", "members:read", "Coupons held", response=_M + "CouponsAnswer"),
        *_for_both("GET", "/challenges", "list_member_challenges", "members:read", "Challenges, and how far they are",
                   response=_CH + "ChallengesAnswer"),
        *_for_both("GET", "/coupons/{coupon_id}/qr", "get_coupon_qr", "members:read",
                   "What a coupon's QR code says: signed, good for 5 minutes", response=_SH + "QrAnswer"),
        *_for_both("GET", "/card", "get_card", "members:read", "What the QR code of the member's card says: signed, good for 5 minutes",
                   response=_SH + "QrAnswer"),
        *_for_both("GET", "/profile", "get_profile", "members:read", "What her purchases say: windows, habits, responses, tier",
                   response=_PR + "ProfileAnswer", query=("days", "by_days")),
        *_for_both("PUT", "/profiling", "set_profiling", "members:write", "Object to profiling, or allow it again",
                   request=_PR + "ProfilingRequest", response=_PR + "ProfilingAnswer"),
        *_for_both("PUT", "/restriction", "set_restriction", "members:write",
                   "Restrict the processing of her data to storing and the membership (Art. 18 GDPR), or lift that",
                   request=_RI + "RestrictionRequest", response=_RI + "RestrictionAnswer"),
        _of_members("POST", "/v1/lists/{list_id}/members", "change_list_members", "members:write",
                    "Put up to 500 members on a static list, or take them off; 202 with a job",
                    request=_PR + "ListMembersRequest", response=_TA + "JobAnswer", status=202),
        *_for_both("GET", "/inbox", "list_inbox", "members:read", "Messages in the app's inbox, newest first",
                   response=_IN + "InboxPage", query=PAGE, audit="read"),
        *_for_both("POST", "/inbox/{message_id}/read", "read_message", "members:write", "A message of the inbox was read",
                   response=_IN + "InboxMessageAnswer", audit="books"),
        *_for_both("GET", "/segments", "list_member_segments", "members:read", "Segments the member is in",
                   response=_SH + "SegmentsAnswer"),
    ]


def members_doings() -> list[Route]:
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
        *_for_both("POST", "/identifiers/block", "block_identifier", "members:write",
                   "Block a lost card or number at once: nobody is found by it, and nobody else gets it",
                   request=_CO + "IdentifierSelection", response=_CO + "IdentifiersAnswer"),
        _of_members("POST", "/v1/members/{member_id}/identifiers/unblock", "unblock_identifier", "members:write",
                    "A blocked card or number is good again", request=_CO + "IdentifierSelection", response=_CO + "IdentifiersAnswer"),
        _of_members("POST", "/v1/members/{member_id}/identifiers/replace", "replace_identifier", "members:write",
                    "A new card in place of an old one, which is blocked: all or none",
                    request=_CO + "ReplaceRequest", response=_CO + "IdentifiersAnswer"),
        *_for_both("DELETE", "/identifiers/{kind}", "remove_identifiers", "members:write",
                   "Take every identifier of a kind off a member; by herself Apple's or Google's, if something else leads to her",
                   response=_CO + "IdentifiersAnswer"),
        _of_members("DELETE", "/v1/members/{member_id}/suppressions/{channel}", "lift_suppression", "members:write",
                    "Use a channel again that a bounce, complaint or opt-out closed", status=204),
        _of_members("GET", "/v1/members/{member_id}/segments/{segment_id}/why", "explain_membership", "members:read",
                    "Why the member is in a segment, or not: each leaf's value", response=_S + "WhyAnswer", audit="read"),
        _of_members("GET", "/v1/forms/{token}", "get_form", PUBLIC, "The fields of a form", response=_CAM + "FormAnswer"),
        _of_members("POST", "/v1/forms/{token}", "submit_form", PUBLIC, "Submit a form once",
                    request=_CAM + "FormSubmission", response=_CAM + "FormReceipt"),
        _of_members("GET", "/.well-known/jwks.json", "get_jwks", PUBLIC, "Public keys of our tokens"),
    ]
