"""One pass of the real Reconciler, as the writes that it makes.

What a pass reads is given; its writes are recorded and all succeed, and it is run again to see what follows
where one does not. So it need be run once for all states in which it reads the same.
"""

import contextlib
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final, NamedTuple
from unittest import mock

from gather_clients.event_log import EventLogUnavailable
from gather_clients.kube_api.cluster_errors import ClusterUnavailable, Missing, Refused
from gather_contracts import names
from gather_contracts.resource import GatherRun
from gather_operator import event_publisher, reconcile
from gather_operator.decisions.manifests import WorkerTemplate
from gather_operator.event_publisher import EventPublisher
from gather_operator.kube.status_writer import StatusWriter
from gather_operator.reconcile import Dependencies, Reconciler
from tests.model.facts import NOW, STOP_DEADLINE_S, UID, Book, Inputs

Write = tuple[Any, ...]
"""(kind, arguments): see the methods of `Recorder`."""
TEMPLATE: Final = WorkerTemplate(image="worker")


class Program(NamedTuple):
    """What a pass does."""

    writes: tuple[Write, ...]
    is_fresh: bool
    """It asked the API itself for Jobs and pods."""


class Recorder:
    """Everything that a Reconciler talks to: it answers from the inputs and notes the writes."""

    def __init__(
        self, book: Book, inputs: Inputs, failing_at: int = -1, failing: Exception | None = None
    ) -> None:
        """The write of the place `failing_at` fails."""
        self._book, self.inputs = book, inputs
        self._failing_at, self._failing = failing_at, failing
        self.writes: list[Write] = []
        self.is_fresh = False
        self.body = book.body(inputs)

    # --- the cluster

    async def get_run(self, _: str) -> dict[str, Any]:
        return self.body

    async def put_finalizers(self, _: str, __: str, finalizers: list[str], **_more: Any) -> dict[str, Any]:
        self._note("finalizer", int(names.FINALIZER in finalizers))
        self.body = self._changed(finalizers=finalizers)
        return self.body

    async def put_status(self, _: str, __: str, status: dict[str, Any]) -> dict[str, Any]:
        self._note("status", self._book.number_of(status))
        self.body = {**self._changed(), "status": status}
        return self.body

    def _changed(self, **metadata: Any) -> dict[str, Any]:
        version = str(int(self.body["metadata"]["resourceVersion"]) + 1)
        return {**self.body, "metadata": {**self.body["metadata"], **metadata, "resourceVersion": version}}

    async def get_config_map(self, name: str) -> dict[str, str]:
        if self.inputs.document == 0:
            raise Missing(name)
        return {names.RUN_DOCUMENT_FILE: self._book.document_text(self.inputs.document)}

    async def create_config_map(self, manifest: dict[str, Any]) -> bool:
        number = self._book.number_of_document(manifest["data"][names.RUN_DOCUMENT_FILE])
        self._note("create document", number)
        return self.inputs.document == 0

    async def delete_config_map(self, _: str) -> None:
        self._note("delete document")

    async def create_job(self, manifest: dict[str, Any]) -> None:
        labels = manifest["metadata"]["labels"]
        department = self._book.department(labels[names.LABEL_DEPARTMENT])
        number = self._book.job_number(department, manifest["metadata"]["name"])
        self._note("create job", department, number, int(labels[names.LABEL_ITERATIONS]))

    async def delete_job(self, name: str) -> None:
        self._note("delete job", *self._book.job_of(name))

    async def suspend_job(self, name: str) -> None:
        self._note("suspend job", *self._book.job_of(name))

    async def resume_job(self, name: str) -> None:
        self._note("resume job", *self._book.job_of(name))

    async def delete_pod(self, name: str) -> None:
        self._note("delete pod", *self._book.pod_of(name))

    async def create_event(self, _: dict[str, Any]) -> None:
        """Kubernetes Events are a courtesy."""

    # --- the informers

    def cached(self, _: str) -> tuple[dict[str, Any], tuple[Any, ...]]:
        return self._book.facts(self.inputs.jobs, self.inputs.pods, self.inputs)

    def has_document(self, _: str) -> bool:
        return self.inputs.document != 0

    async def fresh(self, _: str) -> tuple[dict[str, Any], tuple[Any, ...]]:
        self.is_fresh = True
        return self._book.facts(self.inputs.true_jobs, self.inputs.true_pods, self.inputs)

    # --- the CMS, the event log, live numbers

    def ask(self, _: str) -> Any:
        return self._book.reading(self.inputs.cms)

    def forget(self, _: str) -> None:
        """Nothing is remembered here."""

    def of_run(self, _: str) -> dict[str, Any]:
        return self._book.live(self.inputs.live)

    async def append(self, _: Any, key: str | None = None) -> int | None:
        bit = self._book.event_bit(str(key))
        if not self.inputs.redis:
            raise EventLogUnavailable("refused")
        if not self.inputs.log & bit:
            self._note("publish", bit)
        return None

    # --- what it writes

    def _note(self, *write: Any) -> None:
        self.writes.append(write)
        if self._failing is not None and len(self.writes) == self._failing_at + 1:
            raise self._failing


class _Patient(Reconciler):
    """The Reconciler, with the time that it has tried to stop a run as the model has it."""

    stopping_for_s = 0.0

    def _stopping_s(self, run: GatherRun) -> float:
        return self.stopping_for_s if run.is_to_stop else 0.0


class Passes:
    """Makes passes and remembers them."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._programs: dict[Inputs, Program] = {}
        self._continued: dict[tuple[Inputs, int, str], tuple[Write, ...]] = {}

    def __len__(self) -> int:
        return len(self._programs)

    def program(self, inputs: Inputs) -> Program:
        """Return what a pass does that reads these inputs."""
        known = self._programs.get(inputs)
        if known is None:
            known = self._programs[inputs] = self._make(inputs)
        return known

    def after_failure(self, inputs: Inputs, at: int, kind: str) -> tuple[Write, ...]:
        """Return the writes that follow where the one of that place is refused or not answered."""
        key = (inputs, at, kind)
        known = self._continued.get(key)
        if known is None:
            failing = Refused("refused") if kind == "refused" else ClusterUnavailable("unavailable")
            known = self._continued[key] = self._make(inputs, at, failing).writes[at + 1 :]
        return known

    def _make(self, inputs: Inputs, at: int = -1, failing: Exception | None = None) -> Program:
        recorder = Recorder(self.book, inputs, at, failing)
        cache: Any = _Cache(recorder, self.book)
        log: Any = recorder
        dependencies = Dependencies(
            cluster=log,
            cms=log,
            observer=log,
            cache=cache,
            live=log,
            writer=StatusWriter(log, cache, interval_s=0, clock=lambda: 0.0),
            publisher=EventPublisher(log, SimpleNamespace(), clock=lambda: 0.0),  # type: ignore[arg-type]
        )
        reconciler = _Patient(
            dependencies, TEMPLATE, "model", stop_deadline_s=STOP_DEADLINE_S, clock=lambda: 0.0
        )
        reconciler.stopping_for_s = inputs.stopping_s
        if inputs.known:
            reconciler._documents._known[UID] = self.book.document(inputs.known)
        with _stopped_clock(inputs), contextlib.suppress(ClusterUnavailable, Missing, Refused):
            _drive(reconciler.work(UID))
        return Program(tuple(recorder.writes), recorder.is_fresh)


class _Cache:
    """The run cache, which need not parse what the model knows parsed."""

    at_work = 1

    def __init__(self, recorder: Recorder, book: Book) -> None:
        self._book = book
        self._run: GatherRun | None = book.run(recorder.inputs)

    def get(self, _: str) -> GatherRun | None:
        return self._run

    def stale(self, _: str) -> None:
        """What a pass reads is given."""

    def put(self, body: dict[str, Any]) -> None:
        if self._run is None:
            return
        metadata, old = body["metadata"], self._run
        changed = {"resource_version": metadata["resourceVersion"], "finalizers": metadata["finalizers"]}
        self._run = old.model_copy(
            update={
                "metadata": old.metadata.model_copy(update=changed),
                "status": self._book.status(self._book.number_of(body["status"])),
            }
        )

    def remove(self, _: str) -> None:
        self._run = None

    def writing(self, _: str) -> contextlib.AbstractContextManager[None]:
        """No watch brings anything during a pass."""
        return contextlib.nullcontext()


def _drive(work: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("a pass waited for something")


@dataclass(frozen=True, slots=True)
class _Clock:
    """Stands in for `datetime` where a pass asks for the time."""

    moment: datetime

    def now(self, _: Any = None) -> datetime:
        return self.moment

    @property
    def fromisoformat(self) -> Callable[[str], datetime]:
        return datetime.fromisoformat


@contextlib.contextmanager
def _stopped_clock(inputs: Inputs) -> Iterator[None]:
    clock = _Clock(NOW + timedelta(seconds=60) if inputs.is_late else NOW)
    with (
        mock.patch.object(reconcile, "datetime", clock),
        mock.patch.object(event_publisher, "datetime", clock),
    ):
        yield
