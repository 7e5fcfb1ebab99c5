"""A CMS that names the departments of the scenarios, as Payload does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from dev.service_process import HOST
from tests.faults.scenarios import DEPARTMENTS


@asynccontextmanager
async def cms() -> AsyncIterator[str]:
    """Serve on a free port; yield where."""
    app = web.Application()
    app.router.add_get("/api/departments", _departments)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    try:
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _departments(_: web.Request) -> web.Response:
    documents = [_document(place, slug) for place, slug in enumerate(DEPARTMENTS, 1)]
    page = {"totalDocs": len(documents), "hasNextPage": False, "page": 1, "totalPages": 1, "nextPage": None}
    return web.json_response({"docs": documents, **page})


def _document(place: int, slug: str) -> dict[str, Any]:
    return {
        "id": f"{place:024x}",
        "slug": slug,
        "name": slug.title(),
        "codeDepNumber": place,
        "gatherCheck": True,
        "isActive": True,
        "description": f"What the {slug} needs.",
        "coordinationSettings": {"qualityThreshold": 80},
    }
