"""The operator's composition root: settings, clients, tasks, and nothing else."""

import argparse
import asyncio
import gc
import logging
import signal
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gather_clients.background_tasks import AFTER_SAVING_S, end_tasks
from gather_clients.configuration import (
    exits_if_misconfigured,
    read_settings,
    secrets_of,
    warn_of_unknown_settings,
)
from gather_clients.event_log import EventLog
from gather_clients.logs import configure_logging, hide_in_logs
from gather_clients.outbox.outbox_settings import open_outbox
from gather_clients.snapshots.opening import open_snapshots
from gather_clients.snapshots.redis_snapshots import RedisSnapshots
from gather_operator.brain.brain_probe import BrainProbe
from gather_operator.cms.cms_client import Cms
from gather_operator.cms.shared_readings import SharedReadings
from gather_operator.decisions.manifests import WorkerTemplate
from gather_operator.event_publisher import EventPublisher, WebhookRegistry
from gather_operator.health import Health, WatchCanary
from gather_operator.kube.cluster import Cluster
from gather_operator.kube.crd_skew import CrdCheck
from gather_operator.kube.event_readings import EventReadings
from gather_operator.kube.informer import Observer
from gather_operator.kube.kopf_supervisor import KopfSupervisor
from gather_operator.kube.run_documents import RunDocuments
from gather_operator.kube.status_writer import StatusWriter
from gather_operator.kube.surroundings import Surroundings
from gather_operator.live_numbers import Listener, LiveNumbers
from gather_operator.metrics import SHARDS
from gather_operator.pod_patience import StartPatience
from gather_operator.probe_server import serving
from gather_operator.reconcile import Dependencies, Reconciler
from gather_operator.replicas.elector import Elector
from gather_operator.replicas.place import api_calls, build_elector
from gather_operator.replicas.release import release
from gather_operator.replicas.term import Inbox, Term
from gather_operator.replicas.unshown_ends import UnshownEnds
from gather_operator.resync import Resync, delivery
from gather_operator.run_cache import RunCache
from gather_operator.settings import PlaceSettings, Settings
from gather_operator.snapshots.snapshot_writer import SnapshotWriter, offering
from gather_operator.webhooks.given_up import GivenUpReports
from gather_operator.webhooks.outbox_writer import OutboxWriter
from gather_operator.work_queue import WorkQueue

if TYPE_CHECKING:  # they load the MongoDB driver
    from gather_clients.outbox.outbox_store import Outbox
    from gather_clients.snapshots.mongodb_snapshots import MongoSnapshots

logger = logging.getLogger(__name__)

GC_THRESHOLD = 20_000
LOG_LEVELS = {
    **dict.fromkeys(("httpx", "httpcore", "kopf"), logging.WARNING),
    # It warns at each start that it leaves the signals to us, which is what we want.
    "kopf._core.reactor.running": logging.ERROR,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the operator until SIGTERM or SIGINT, or let go of all runs before it is uninstalled."""
    chosen = _parser().parse_args(arguments)
    with exits_if_misconfigured("gather-operator"):
        if chosen.command == "release":
            place = read_settings(PlaceSettings)
            configure_logging("operator", place.log_level, LOG_LEVELS)
            asyncio.run(release(place, chosen.within))
            return
        settings = read_settings(Settings)
        configure_logging("operator", settings.log_level, LOG_LEVELS)
        hide_in_logs(secrets_of(settings))
        warn_of_unknown_settings(logger)
        # What has been imported stays: to look at it at each collection took two fifths of a list's time.
        gc.collect()
        gc.freeze()
        # Each event of a watch is a few hundred objects, none of them in a circle.
        gc.set_threshold(GC_THRESHOLD, 20, 50)
        asyncio.run(run(settings))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gather-operator",
        description="Without a command: work on the GatherRuns of GATHER_NAMESPACE until SIGTERM. "
        "Settings are environment variables (docs/operator.md).",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    releasing = commands.add_parser(
        "release",
        help="before the operator is uninstalled: stop what works and take its finalizer off all runs",
        description="Take the Lease, stop the Jobs of runs at work, whose workers save what they have, and "
        "take the finalizer off all runs, so that they and their namespace can be deleted without an "
        "operator. Runs keep their resource; an operator that is installed later goes on with them. "
        "Needs GATHER_NAMESPACE. What could not be done in time is logged; the exit code is 0 all the same.",
    )
    releasing.add_argument("--within", type=_seconds, default=75.0, metavar="S", help="at most so long (75)")
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 1 <= seconds <= 3600:  # noqa: PLR2004 - an hour
        raise argparse.ArgumentTypeError("1 to 3600 seconds")
    return seconds


async def run(settings: Settings) -> None:
    """Build everything and work until a signal arrives."""
    SHARDS.set(settings.shards)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with AsyncExitStack() as stack:
        work = asyncio.create_task(_work(settings, stack))
        stop = asyncio.create_task(stopped.wait())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            logger.info("stopping")
        await end_tasks((work, stop), AFTER_SAVING_S)
        if not work.cancelled() and (error := work.exception()) is not None:
            raise error


@dataclass(frozen=True, slots=True)
class Clients:
    """The operator's ways to the outside, and its part in the election, which all that write ask."""

    elector: Elector
    surroundings: Surroundings
    cluster: Cluster
    cms: Cms
    log: EventLog
    webhooks: WebhookRegistry
    outbox: "Outbox | None"
    snapshots: SnapshotWriter


async def _clients(settings: Settings, stack: AsyncExitStack) -> Clients:
    """Build the clients; the stack closes them. Raises ConfigurationError."""
    api = await api_calls(settings)
    elector = build_elector(settings, api)
    in_redis = RedisSnapshots(settings.redis, settings.redis_timeout_s)
    in_mongodb = open_snapshots(settings.mongodb_uri, settings.redis_timeout_s)
    snapshots: list[RedisSnapshots | MongoSnapshots] = (
        [in_redis] if in_mongodb is None else [in_redis, in_mongodb]
    )
    clients = Clients(
        elector,
        Surroundings(api, settings.namespace, settings.deployment),
        Cluster(api, settings.namespace, elector.permit_s),
        Cms(str(settings.app_url), settings.cms_key, settings.cms_timeout_s, settings.cms_form),
        EventLog(settings.redis, settings.redis_timeout_s),
        WebhookRegistry(settings.redis, settings.redis_timeout_s),
        open_outbox(settings),
        SnapshotWriter(snapshots),
    )
    outbox = () if clients.outbox is None else (clients.outbox,)
    for client in (clients.cluster, clients.cms, clients.log, clients.webhooks, *outbox, *snapshots):
        stack.push_async_callback(client.close)
    return clients


async def _work(settings: Settings, stack: AsyncExitStack) -> None:
    clients = await _clients(settings, stack)
    cluster, elector = clients.cluster, clients.elector
    is_ours = settings.place.has
    cache, live, inbox = RunCache(settings.ttl_s, is_ours), LiveNumbers(), Inbox()
    observer = Observer(cluster, inbox.add, inbox.add_soon, lambda uid: cache.ended(uid) is not None, is_ours)
    # They never change, so a term that is lost and taken again need not read them all.
    documents = RunDocuments(cluster, observer)
    canary = WatchCanary(settings.watch_silence_s)
    health = Health(
        canary,
        informers_seen_s=lambda: [observer.jobs.last_seen_s, observer.pods.last_seen_s],
        is_synced=lambda: observer.jobs.synced.is_set() and observer.pods.synced.is_set(),
        lease_trouble=lambda: elector.trouble,
    )
    brain = BrainProbe(str(settings.brain_url or ""))
    resync = Resync(cluster, cache, inbox, health, elector.is_leading, is_ours=is_ours)
    listener = Listener(
        clients.log,
        live,
        inbox.add,
        lambda: {r.spec.project_id for r in cache.all() if not r.status.phase.is_final},
        is_ours,
    )
    ends = UnshownEnds(elector.is_leading, elector.shown_by_holder, lambda uid: observer.cached(uid)[1])
    watcher = KopfSupervisor(
        settings.namespace, settings.api_timeout_s, canary, delivery(cache, inbox, canary, ends), is_ours
    )

    def on_scrape() -> None:
        if elector.is_leading():
            elector.say_shown(ends.shown())

    async def act() -> None:
        """Work on runs while this replica holds the Lease."""
        queue = WorkQueue(cache.is_stopping, cache.is_to_begin)
        readings = SharedReadings(clients.cms, queue.add, settings.cms_empty_patience_s)
        events, patience = EventReadings(cluster, queue.add), StartPatience(settings.start_patience_s)
        writer = StatusWriter(cluster, cache, settings.status_interval_s)
        outbox_writer = OutboxWriter(clients.outbox) if clients.outbox is not None else None
        publisher = EventPublisher(
            clients.log, clients.webhooks, permit=elector.permit_s, outbox=outbox_writer
        )
        reconciler = Reconciler(
            Dependencies(
                cluster,
                readings,
                observer,
                cache,
                live,
                writer,
                publisher,
                events,
                patience,
                brain=brain,
                usual_starts=observer.usual_starts,
                documents=documents,
            ),
            worker_template(settings),
            settings.default_model,
            settings.stop_deadline_s,
        )
        documents.keep_only([run.metadata.uid for run in cache.all()])
        ends.take_over(elector.inherited)
        term = Term(
            cluster, clients.surroundings, inbox, settings.workers, elector.is_leading, is_ours=is_ours
        )
        try:
            work = offering(clients.snapshots, cache.get, reconciler.work)
            await term.serve(queue, work, [run.metadata.uid for run in cache.all()])
        finally:
            await readings.close()
            await events.close()

    await stack.enter_async_context(serving(health, settings.port, on_scrape))
    started_s = time.monotonic()
    async with asyncio.TaskGroup() as group:
        group.create_task(resync.run(settings.tick_interval_s, settings.relist_interval_s))
        await resync.listed.wait()
        # Only now, since what ended runs have is not kept.
        group.create_task(observer.run())
        # Only now, since kopf never looks again for a resource that it did not find at its start.
        group.create_task(watcher.run())
        await observer.synced()
        group.create_task(listener.run())
        group.create_task(brain.run())
        group.create_task(elector.run(act))
        for aside in _asides(settings, clients):
            group.create_task(aside)
        place = f"{settings.shard} of {settings.shards}"
        after_s = round(time.monotonic() - started_s, 2)
        logger.info("ready to act", extra={"after_s": after_s, "shard": place})


def _asides(settings: Settings, clients: Clients) -> Iterator[Coroutine[Any, Any, None]]:
    """Yield what goes on beside the passes, and holds none up."""
    yield clients.snapshots.run()
    if settings.shard == 0:  # it would say the same in each
        yield CrdCheck(clients.surroundings).run()
    if clients.outbox is not None:
        is_leading, is_ours = clients.elector.is_leading, settings.place.has
        yield GivenUpReports(clients.outbox, clients.cluster, is_leading, is_ours).run()


def worker_template(settings: Settings) -> WorkerTemplate:
    """Return what the settings say about worker pods."""
    template = WorkerTemplate(
        image=settings.worker_image,
        image_pull_policy=settings.worker_image_pull_policy,
        service_account=settings.worker_service_account,
        secret=settings.worker_secret,
        config_map=settings.worker_config_map,
        node_selector=settings.worker_node_selector,
        tolerations=settings.worker_tolerations,
        resources=settings.worker_resources,
        node_lost_s=settings.node_lost_s,
    )
    return settings.worker_pod.added_to(template)


if __name__ == "__main__":
    main()
