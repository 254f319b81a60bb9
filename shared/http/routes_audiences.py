"""Routes of members in numbers, and of images."""

from __future__ import annotations

from shared.http.route import MB, PAGE, Audit, Method, Route

_MED = "shared.media.api:"
_AUD = "shared.audiences.api:"
_STA = "shared.statistics.api:"


def audiences() -> list[Route]:
    """Previews, searches and exports of members."""

    def route(
        method: Method, path: str, operation: str, summary: str, request: str | None, response: str, status: int = 200,
        audit: Audit | None = None,
    ) -> Route:  # fmt: skip
        named = None if request is None else _AUD + request
        return Route(method, path, "audiences", operation, "members:read", summary, named, _AUD + response, status, audit=audit)

    return [
        route("POST", "/v1/segments/preview", "preview_segment", "How many members a rule is true of: estimated at once, or counted",
              "PreviewRequest", "PreviewAnswer", audit="none"),
        route("POST", "/v1/segments/{segment_id}/export", "export_segment", "A file of a segment's members; 202 with an export",
              "ExportSegmentRequest", "ExportAnswer", 202),
        route("POST", "/v1/members/search", "search_members", "Members that a rule is true of, in order, with columns",
              "SearchRequest", "SearchPage", audit="personal"),
        route("POST", "/v1/members/export", "export_members", "A file of members that a rule is true of; 202 with an export",
              "ExportMembersRequest", "ExportAnswer", 202),
        Route("GET", "/v1/retention/preview", "audiences", "preview_retention", "members:read",
              "How many members have done nothing for so many months", response="shared.audiences.retention:RetentionPreview",
              query=("inactive_months",)),
        route("GET", "/v1/exports/{export_id}", "get_export", "How far an export is, and a short-lived link to its file",
              None, "ExportAnswer", audit="read"),
    ]


def statistics() -> list[Route]:
    """What all guests together do."""
    read, write = "definitions:read", "definitions:write"
    return [
        Route("GET", "/v1/statistics/profile", "audiences", "get_statistics", read,
              "Quintiles, rhythm and states of all guests together", response=_STA + "StatisticsAnswer"),
        Route("POST", "/v1/statistics/profile/run", "audiences", "run_statistics", write,
              "Compute the statistics now instead of in the night", response=_STA + "RunAnswer", status=202, audit="order"),
        Route("GET", "/v1/catalogue/items/{item_id}/complements", "audiences", "list_complements", read,
              "Items that are often bought together with this one", response=_STA + "ComplementsAnswer"),
    ]


def media() -> list[Route]:
    """Images that guests see."""

    def route(method: Method, path: str, operation: str, scope: str, summary: str, **more: object) -> Route:
        return Route(method, path, "media", operation, scope, summary, **more)  # type: ignore[arg-type]

    read, write, one = "definitions:read", "definitions:write", "/v1/media/{media_id}"
    return [
        route("POST", "/v1/media", "upload_media", write, "Store an image of at most 4 MB in several sizes; the same one again answers 200",
              request=_MED + "UploadRequest", response=_MED + "MediaAnswer", status=201, max_body=6 * MB),
        route("GET", "/v1/media", "list_media", read, "List images", response=_MED + "MediaPage", query=PAGE),
        route("GET", one, "get_media", read, "Read an image's sizes and links", response=_MED + "MediaAnswer"),
        route("DELETE", one, "delete_media", write, "Delete an image that no published definition names", status=204),
    ]
