"""Routes of campaigns: running them, forecasting them, and what links in their messages lead to."""

from __future__ import annotations

from shared.http.route import PAGE, Method, Route
from shared.kernel.scopes import PUBLIC

_D = "shared.definitions.api:"
_CAM = "shared.campaigns.api:"
_REP = "shared.reports.api:"
_LIB = "shared.campaigns.library.api:"
_FOR = "shared.forecast.api:"
_PRE = "shared.campaigns.preview_api:"


def campaigns() -> list[Route]:
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
              request=_PRE + "PreviewRequest", response=_PRE + "PreviewAnswer", audit="read"),
        route("POST", "/v1/campaigns/{campaign_id}/test", "test_campaign", run, "Really send a step to a test member, marked as a test",
              request=_PRE + "SendTestRequest", response=_PRE + "TestSendAnswer", audit="order"),
        route("POST", "/v1/campaigns/{campaign_id}/trigger", "trigger_campaign", run, "Send it to the members that the call names",
              request=_CAM + "TriggerRequest", response=_CAM + "TriggerAnswer", audit="order"),
        route("GET", "/v1/campaigns/{campaign_id}/report", "report_campaign", run, "What became of it", response=_REP + "ReportAnswer"),
        route("GET", "/v1/campaigns/{campaign_id}/report.csv", "report_campaign_csv", run, "The same as a table", media="text/csv"),
        route("GET", "/v1/campaigns/{campaign_id}/deliveries", "list_deliveries", run, "Deliveries that need a person",
              response=_CAM + "DeliveryPage", query=PAGE),
        route("GET", "/v1/library/campaigns", "list_library", read, "Ready campaigns, and what can be set of them",
              response=_LIB + "LibraryAnswer"),
        route("POST", "/v1/library/campaigns/{name}/install", "install_campaign", write, "Drafts of a ready campaign and all that it needs",
              request=_LIB + "InstallRequest", response=_LIB + "InstalledAnswer", status=201),
    ]


def forecast() -> list[Route]:
    """What campaigns will do: it is asked of the columns, so the function of audiences answers."""
    return [
        Route("POST", "/v1/campaigns/{campaign_id}/estimate", "audiences", "estimate_campaign", "campaigns:run",
              "Whom a campaign would reach over what, and what it costs", request=_FOR + "EstimateRequest",
              response=_FOR + "EstimateAnswer", audit="none"),
        Route("GET", "/v1/campaigns/calendar", "audiences", "get_calendar", "campaigns:run",
              "What goes out on which day, where campaigns meet, and what caps will cost", query=("from", "to", "with"),
              response="shared.forecast.calendar_api:CalendarAnswer"),
    ]


def guest_links() -> list[Route]:
    """What links in messages lead to. ``HEAD`` looks at them, and counts nothing."""

    def route(method: Method, path: str, operation: str, summary: str, status: int, media: str) -> Route:
        return Route(method, path, "guest_links", operation, PUBLIC, summary, status=status, media=media, max_body=16 * 1024)

    link, picture, stop = "/l/{tenant_id}/{token}", "/o/{tenant_id}/{picture}", "/u/{tenant_id}/{token}"
    confirm = "/c/{tenant_id}/{token}"
    return [
        route("GET", link, "follow_link", "A link of a message: leads on, and counts as clicked", 302, ""),
        route("HEAD", link, "check_link", "Where a link of a message leads", 302, ""),
        route("GET", picture, "see_message", "The picture of an e-mail: counts as opened", 200, "image/gif"),
        route("HEAD", picture, "check_message", "Whether there is the picture of an e-mail", 200, ""),
        route("GET", stop, "ask_to_unsubscribe", "A page with one button; unsubscribes nobody", 200, "text/html"),
        route("HEAD", stop, "check_unsubscribing", "Whether there is the page to unsubscribe", 200, ""),
        route("POST", stop, "unsubscribe", "Unsubscribe with one click (RFC 8058): no more of this over this channel", 200, "text/html"),
        route("GET", confirm, "ask_to_confirm", "A page with one button; confirms nothing", 200, "text/html"),
        route("HEAD", confirm, "check_confirming", "Whether there is the page to confirm a consent", 200, ""),
        route("POST", confirm, "confirm_consent", "Confirm a consent to e-mails (double opt-in)", 200, "text/html"),
    ]
