"""/api/v1/openapi.json and /api/v1/docs: the document, and a page that shows it without the internet.

Swagger UI comes out of the `fastapi-offline` package, that is, out of the image. The page holds no script or
style of its own, so its policy lets the browser run and load what this service serves and nothing else.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

DOCUMENT_PATH: Final = "/openapi.json"
PAGE_PATH: Final = "/docs"
START_PATH: Final = "/docs/start.js"
SCRIPT_PATH: Final = "/docs/swagger-ui-bundle.js"
STYLE_PATH: Final = "/docs/swagger-ui.css"
ICON_PATH: Final = "/docs/favicon.png"
PAGE_SLASH_PATH: Final = "/docs/"
PATHS: Final = (DOCUMENT_PATH, PAGE_PATH, PAGE_SLASH_PATH, START_PATH, SCRIPT_PATH, STYLE_PATH, ICON_PATH)

ASSETS: Final = files("fastapi_offline") / "static"
ASSETS_KEPT_S: Final = 3600
"""They change with the image only."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI draws its icons from data: addresses; the styles that it sets by script need no leave."""
PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" type="image/png" href="docs/favicon.png">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>The document itself: <a href="openapi.json">openapi.json</a></noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
START: Final = """\
window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
"""
"""`validatorUrl` is a service on the internet unless it is null."""


def build_router(document: Mapping[str, Any], title: str) -> APIRouter:
    """Return the routes; addresses in the page are relative, so that a proxy may add a prefix."""
    router = APIRouter(include_in_schema=False)
    published = json.dumps(document, ensure_ascii=False).encode()

    @router.get(DOCUMENT_PATH)
    async def openapi() -> Response:
        return Response(published, media_type="application/json")

    @router.get(PAGE_PATH)
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE.format(title=title), headers={"Content-Security-Policy": POLICY})

    @router.get(PAGE_SLASH_PATH)
    async def page_with_slash() -> RedirectResponse:
        # The page's addresses are relative to the one without.
        return RedirectResponse("../docs", HTTPStatus.PERMANENT_REDIRECT)

    @router.get(START_PATH)
    async def start() -> Response:
        return Response(START, media_type="text/javascript")

    for path in (SCRIPT_PATH, STYLE_PATH, ICON_PATH):
        _add_asset(router, path)
    return router


def _add_asset(router: APIRouter, path: str) -> None:
    name = path.rpartition("/")[2]
    headers = {"Cache-Control": f"public, max-age={ASSETS_KEPT_S}"}

    @router.get(path)
    async def asset() -> FileResponse:
        return FileResponse(str(ASSETS / name), headers=headers)
