"""`gather-brain serve`: the API and its metrics, until SIGTERM."""

from typing import Final

import typer
import uvicorn

from gather_brain.api.middleware import LimitedProtocol
from gather_brain.app import build_app
from gather_brain.auth.api_keys import read_keys_file
from gather_brain.embeddings.embedder import VectorCache
from gather_brain.embeddings.onnx_model import ModelError
from gather_brain.embeddings.providers import build_embedders
from gather_brain.metrics import Metrics
from gather_brain.settings import start_process
from gather_clients.configuration import ConfigurationError
from gather_clients.web.draining_server import DrainingServer
from gather_clients.web.metrics_server import serves_metrics

KEEP_ALIVE_S: Final = 30


def serve_until_stopped() -> None:
    """Serve until SIGTERM, then finish the requests under way; raises ConfigurationError."""
    settings = start_process()
    metrics = Metrics()
    bootstrap = read_keys_file(settings.keys_file)
    cache = VectorCache(settings.embedding_cache_entries)
    try:
        embedders = build_embedders(settings.models, cache, metrics.embedding, metrics.texts, metrics.unread)
    except ModelError as failure:
        raise ConfigurationError(str(failure)) from None
    app = build_app(settings, bootstrap, embedders, metrics)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        http=LimitedProtocol,
        ws="none",
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
    )
    server = DrainingServer(config, drain_s=settings.drain_s, on_drain=app.state.readiness.stop)
    with serves_metrics(metrics.registry, settings.host, settings.metrics_port):
        server.run()
    if not server.started:
        raise typer.Exit(1)
