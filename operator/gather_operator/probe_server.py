"""/healthz, /readyz and /metrics."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gather_operator.health import Health
from gather_operator.metrics import REGISTRY

logger = logging.getLogger(__name__)


def build_app(health: Health, on_scrape: Callable[[], None] = lambda: None) -> web.Application:
    """Return the application; `on_scrape` is called when /metrics has been asked for."""

    async def healthz(_: web.Request) -> web.Response:
        trouble = health.trouble()
        return web.Response(text=trouble or "ok", status=500 if trouble else 200)

    async def readyz(_: web.Request) -> web.Response:
        unready = health.unready()
        return web.Response(text=unready or "ok", status=503 if unready else 200)

    async def metrics(_: web.Request) -> web.Response:
        shown = generate_latest(REGISTRY)
        on_scrape()
        return web.Response(body=shown, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(client_max_size=1024)
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


@asynccontextmanager
async def serving(
    health: Health, port: int, on_scrape: Callable[[], None] = lambda: None
) -> AsyncIterator[int]:
    """Serve while the block lasts; yield the port."""
    runner = web.AppRunner(build_app(health, on_scrape), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        # None is both families; a free port would be another one for each.
        site = web.TCPSite(runner, None if port else "0.0.0.0", port)
        await site.start()
        bound = int(runner.addresses[0][1])
        logger.info("serving probes and metrics", extra={"port": bound})
        yield bound
    finally:
        await runner.cleanup()
