"""What a pass talks to, over a namespace in memory."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from gather_operator.event_publisher import EventPublisher
from gather_operator.kube.status_writer import StatusWriter
from gather_operator.live_numbers import LiveNumbers
from gather_operator.reconcile import Dependencies
from gather_operator.run_cache import RunCache


def naming(build: Any, *slugs: str) -> Any:
    """Return a CMS that names these departments at once."""
    return SimpleNamespace(ask=lambda _: build.cms(*slugs), forget=lambda _: None)


def dependencies_on(
    world: Any,
    cache: RunCache,
    cms: Any,
    *,
    interval_s: float = 0,
    clock: Callable[[], float] = time.monotonic,
    **more: Any,
) -> Dependencies:
    """Return them; statuses are `interval_s` apart, and no webhook is registered."""
    webhooks: Any = SimpleNamespace(register=None)
    return Dependencies(
        cluster=world,
        cms=cms,
        observer=world,
        cache=cache,
        live=LiveNumbers(),
        writer=StatusWriter(world, cache, interval_s, clock),
        publisher=EventPublisher(world, webhooks),
        **more,
    )
