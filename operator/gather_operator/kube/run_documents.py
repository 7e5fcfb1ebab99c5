"""The run documents (`run.json`), each in a ConfigMap; read once and remembered while the run lasts."""

import logging
import time
from collections.abc import Callable, Collection
from typing import Final, Protocol

from gather_clients.kube_api.cluster_errors import Missing
from gather_contracts import names
from gather_contracts.resource import GatherRun
from gather_contracts.run_document import RunDocument, decode_run_document
from gather_operator.decisions.manifests import build_config_map
from gather_operator.kube.cluster import Cluster

logger = logging.getLogger(__name__)


SETTLED_S: Final = 5.0
"""So long after it was written a watch may not show a ConfigMap yet; then one that is missing is gone."""


class Presence(Protocol):
    """What is seen of ConfigMaps."""

    def has_document(self, run_uid: str) -> bool:
        """Return whether the run's ConfigMap is there, as far as is known."""


class RunDocuments:
    """Reads and writes run documents; what it remembers only saves calls."""

    def __init__(
        self, cluster: Cluster, presence: Presence, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` counts seconds."""
        self._cluster = cluster
        self._presence = presence
        self._clock = clock
        self._known: dict[str, RunDocument] = {}
        self._seen_s: dict[str, float] = {}
        self._unshown: set[str] = set()
        """Runs whose ConfigMap is there although no watch has shown it."""

    async def read(self, run: GatherRun) -> RunDocument | None:
        """Return the run's document, or None if it has or needs none; one that cannot be used is deleted.

        One that was known and is gone is made again: no pod of the run could start without it.
        """
        uid = run.metadata.uid
        if run.status.phase.is_final or run.is_being_deleted:
            self.forget(uid)
            return None
        if (known := self._known.get(uid)) is not None:
            if not run.is_to_stop and self._is_gone(uid):
                logger.warning(
                    "the run's ConfigMap is gone; making it again", extra={"run": run.metadata.name}
                )
                await self.write(run, known)
            return known
        if not (uid in self._unshown or self._presence.has_document(uid)):
            # Where the watch has only not shown it yet, writing it finds that out.
            return None
        self._unshown.discard(uid)
        name = names.run_config_map_name(run.metadata.name, uid)
        try:
            data = await self._cluster.get_config_map(name)
        except Missing:
            return None
        try:
            document = decode_run_document(data.get(names.RUN_DOCUMENT_FILE, ""))
        except ValueError:
            document = None
        if document is None or not _fits(document, run):
            logger.warning(
                "unusable run document deleted; writing it again", extra={"run": run.metadata.name}
            )
            await self._cluster.delete_config_map(name)
            return None
        self._remember(uid, document)
        return document

    async def write(self, run: GatherRun, document: RunDocument) -> None:
        """Write the document; one that exists is kept, and read next."""
        uid = run.metadata.uid
        if await self._cluster.create_config_map(build_config_map(run, document)) or uid in self._known:
            self._remember(uid, document)
        else:
            self._unshown.add(uid)

    def keep_only(self, run_uids: Collection[str]) -> None:
        """Drop what is remembered of all other runs, which may have ended while another replica acted."""
        for run_uid in self._known.keys() - set(run_uids):
            self.forget(run_uid)

    def forget(self, run_uid: str) -> None:
        """Drop what is remembered of a run that has ended or is gone."""
        self._known.pop(run_uid, None)
        self._seen_s.pop(run_uid, None)
        self._unshown.discard(run_uid)

    def _remember(self, uid: str, document: RunDocument) -> None:
        self._known[uid] = document
        self._seen_s[uid] = self._clock()

    def _is_gone(self, uid: str) -> bool:
        if self._presence.has_document(uid):
            return False
        return self._clock() - self._seen_s.get(uid, -SETTLED_S - 1) > SETTLED_S


def _fits(document: RunDocument, run: GatherRun) -> bool:
    """Return whether the document is this run's and names the departments that the status names."""
    slugs = [d.slug for d in document.departments]
    known = [d.slug for d in run.status.departments]
    return document.run.uid == run.metadata.uid and known in ([], slugs)
