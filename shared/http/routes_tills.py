"""Routes of tills: sales, returns, holds, coupons and pools of codes."""

from __future__ import annotations

from shared.http.route import PAGE, Audit, Method, Route

_T = "shared.transactions.api:"
_TA = "shared.transactions.answer_models:"
_C = "shared.coupons.api:"
_CO = "shared.counter.api:"
_CP = "shared.coupons.pools_api:"


def transaction_ingestion() -> list[Route]:
    """Sales and what belongs to them."""

    def route(method: Method, path: str, operation: str, scope: str, summary: str, **more: object) -> Route:
        return Route(method, path, "transaction_ingestion", operation, scope, summary, **more)  # type: ignore[arg-type]

    write, read = "transactions:write", "transactions:read"
    one = "/v1/transactions/{transaction_id}"
    return [
        route("POST", "/v1/quotes", "quote", write, "Price a basket; writes nothing",
              request=_T + "QuoteRequest", response=_TA + "QuoteAnswer", audit="none"),
        route("POST", "/v1/holds", "create_hold", write, "Hold points and coupons for a basket: all or none",
              request=_T + "HoldRequest", response=_TA + "HoldAnswer", status=201, audit="books"),
        route("GET", "/v1/holds/{hold_id}", "get_hold", write, "Read a hold", response=_TA + "HoldAnswer"),
        route("DELETE", "/v1/holds/{hold_id}", "release_hold", write, "Release a hold", status=204, query=("force", "reason"),
              audit="forced"),
        route("POST", "/v1/holds/{hold_id}/extend", "extend_hold", write, "Give a hold more time",
              request=_T + "ExtendRequest", response=_TA + "HoldAnswer", audit="books"),
        route("POST", "/v1/transactions", "record_transaction", write, "Record a finished sale, exactly once",
              request=_T + "TransactionRequest", response=_TA + "TransactionAnswer", status=201, audit="books"),
        route("POST", "/v1/transactions/lookup", "lookup_transaction", read, "Did my call go through? By natural key",
              request=_T + "LookupRequest", response=_TA + "TransactionAnswer", audit="none"),
        route("POST", "/v1/transactions/bulk", "import_transactions", write, "Up to 500 sales; 202 with a job",
              request=_T + "BulkTransactionsRequest", response=_TA + "JobAnswer", status=202),
        route("GET", "/v1/jobs/{job_id}", "get_job", read, "Counts and refused records of a bulk job", response=_TA + "JobAnswer"),
        route("GET", one, "get_transaction", read, "Read a transaction", response=_TA + "TransactionAnswer"),
        route("GET", one + "/explanation", "explain_transaction", read, "The trace of the decision", response=_TA + "ExplanationAnswer"),
        route("POST", one + "/void", "void_transaction", write, "A cancelled sale: as if it never was", response=_TA + "ReversalAnswer"),
        route("POST", one + "/claim", "claim_transaction", write, "Attach a member to an anonymous sale",
              request=_T + "ClaimRequest", response=_TA + "TransactionAnswer"),
        route("POST", "/v1/returns", "record_return", write, "Return a whole sale: reverses exactly its part",
              request=_T + "ReturnRequest", response=_TA + "ReversalAnswer", status=201, audit="books"),
        route("GET", "/v1/locations/{location_id}/offline-losses", "report_offline_losses", read,
              "What a location lost to sales made offline, by business date and reason", response=_TA + "OfflineLossesAnswer",
              query=("from", "until")),
        route("POST", one + "/approve", "approve_transaction", "transactions:review", "A flagged purchase is in order: its points are hers",
              request=_CO + "ReviewRequest", response=_CO + "ReviewAnswer"),
        route("POST", one + "/reject", "reject_transaction", "transactions:review", "A flagged purchase is not: its points are taken back",
              request=_CO + "ReviewRequest", response=_CO + "ReviewAnswer"),
        route("GET", "/v1/reports/counter", "report_counter", "reports:read",
              "What stands out at the counter, by day, location and cashier", response=_CO + "CounterReport",
              query=("from", "until", "location_id")),
        route("GET", "/v1/reports/counter/flagged", "list_flagged", "reports:read", "Purchases that wait for a review",
              response=_CO + "FlaggedPage", query=PAGE),
        route("POST", "/v1/events", "record_event", write, "A declared event of a member: opens, clicks, custom",
              request=_T + "EventRequest", response=_TA + "EventAnswer", status=202, audit="books"),
    ]


def coupon_redemption() -> list[Route]:
    """Coupons, and pools of codes."""

    def route(path: str, operation: str, scope: str, summary: str, request: str, status: int = 200, audit: Audit | None = None) -> Route:
        answer = _C + "CouponAnswer"
        return Route("POST", path, "coupon_redemption", operation, scope, summary, _C + request, answer, status, audit=audit)

    def codes(method: Method, path: str, operation: str, summary: str, answer: str, **more: object) -> Route:
        path = "/v1/offers/{offer_id}" + path
        return Route(method, path, "coupon_redemption", operation, "coupons:issue", summary, response=_CP + answer, **more)  # type: ignore[arg-type]

    redeem, pool = "coupons:redeem", "/pools/{pool_id}"
    return [
        route("/v1/offers/{offer_id}/coupons", "issue_coupon", "coupons:issue", "Issue a coupon of an offer", "IssueRequest", 201),
        Route("POST", "/v1/members/{member_id}/next-offer", "coupon_redemption", "give_next_offer", "coupons:issue",
              "Choose the next best of several offers for a member, and give her a coupon of it",
              _C + "NextOfferRequest", _C + "NextOfferAnswer", 201),
        route("/v1/coupons/lookup", "lookup_coupon", redeem, "Read a coupon by its code or id", "CouponReference", audit="none"),
        route("/v1/coupons/hold", "hold_coupon", redeem, "Hold a coupon for a basket", "HoldCouponRequest", audit="books"),
        route("/v1/coupons/redeem", "redeem_coupon", redeem, "Redeem a coupon for a basket", "RedeemCouponRequest", audit="books"),
        route("/v1/coupons/release", "release_coupon", redeem, "Release a held coupon", "ReleaseCouponRequest", audit="books"),
        codes("POST", "/pools", "order_pool", "Make up to 1,000,000 codes; 202 with a job", "PoolAnswer",
              request=_CP + "PoolRequest", status=202),
        codes("POST", "/codes", "import_codes", "Import up to 500 codes that were printed elsewhere", "CodesAnswer",
              request=_CP + "CodesRequest"),
        codes("GET", pool, "get_pool", "How far a pool is made, and its odds", "PoolAnswer"),
        codes("GET", pool + "/files", "list_pool_files", "Short-lived links to the codes of a pool", "PoolFilesAnswer", audit="read"),
        codes("POST", pool + "/void", "void_pool", "Withdraw every unused code of a pool at once", "PoolAnswer"),
    ]
