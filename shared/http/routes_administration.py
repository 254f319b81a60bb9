"""Routes of definitions, catalogue and lists of segments."""

from __future__ import annotations

from shared.http.route import PAGE, Method, Route
from shared.kernel.scopes import PUBLIC

_D = "shared.definitions.api:"
_S = "shared.segments.api:"
_CSV = "shared.definitions.catalogue_csv:"
_G = "shared.tenants.location_groups:"


def administration() -> list[Route]:
    """Definitions, catalogue, and the lists of segments."""

    def route(method: Method, path: str, operation: str, scope: str, summary: str, **more: object) -> Route:
        return Route(method, path, "administration", operation, scope, summary, **more)  # type: ignore[arg-type]

    read, write = "definitions:read", "definitions:write"
    routes = [
        route("PUT", "/v1/catalogue/items", "put_items", write, "Create or replace up to 200 catalogue items",
              request=_D + "ItemsRequest", response=_D + "ItemsAnswer"),
        route("POST", "/v1/catalogue/items/import", "import_items", write, "Check a catalogue as CSV, up to 500 lines, and store it",
              request=_CSV + "CatalogueImport", response=_CSV + "CatalogueImported"),
        route("GET", "/v1/catalogue/items", "list_items", read, "List catalogue items", response=_D + "ItemPage", query=PAGE),
        route("PUT", "/v1/locations", "put_locations", write, "Create or replace locations",
              request=_D + "LocationsRequest", response=_D + "LocationsAnswer"),
        route("PUT", "/v1/location-groups", "put_location_groups", write, "Replace all groups of locations: brands, regions, franchisees",
              request=_G + "LocationGroups", response=_G + "LocationGroups"),
        route("GET", "/v1/location-groups", "get_location_groups", read, "All groups of locations", response=_G + "LocationGroups"),
        route("GET", "/v1/locations", "list_locations", read, "List locations", response=_D + "LocationPage", query=PAGE),
        route("POST", "/v1/programmes/{definition_id}/lint", "lint_programme", read, "Find mistakes in a programme, each with a basket",
              request=_D + "LintRequest", response=_D + "LintAnswer", audit="none"),
        route("GET", "/v1/segments/schema", "get_segment_schema", read, "The language of segments as JSON Schema"),
        route("GET", "/v1/segments/{segment_id}/members", "list_segment_members", "members:read", "Members of a segment",
              response=_S + "MembersPage", query=PAGE),
        route("GET", "/v1/segments/{segment_id}/count", "count_segment", "members:read", "Size of a segment", response=_S + "CountAnswer"),
        route("GET", "/v1/openapi.json", "get_openapi", PUBLIC, "This interface as OpenAPI 3.1"),
    ]
    kinds = ("programmes", "offers", "promotions", "rewards", "segments", "campaigns", "challenges")
    for kind, name in ((each, each.removesuffix("s")) for each in kinds):
        model, base = _D + name.capitalize() + "Answer", f"/v1/{kind}"
        body, one = _D + name.capitalize() + "Request", f"/v1/{kind}/{{definition_id}}"
        routes += [
            route("POST", base, f"create_{name}", write, f"Create a {name} as a draft", request=body, response=model, status=201),
            route("GET", base, f"list_{kind}", read, f"List {kind}", response=_D + name.capitalize() + "Page",
                  query=(*PAGE, "awaits_approval") if kind == "campaigns" else PAGE),
            route("GET", one, f"get_{name}", read, f"Read a {name}: its newest version", response=model),
            route("PUT", one, f"replace_{name}", write, f"Write a new draft version of a {name}",
                  request=body, response=model, needs_if_match=True),
            route("POST", one + "/publish", f"publish_{name}", write, f"Publish the draft of a {name}",
                  request=_D + "PublishRequest", response=model),
            route("POST", one + "/retire", f"retire_{name}", write, f"Retire a {name}", response=model),
        ]
    return routes
