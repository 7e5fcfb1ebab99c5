"""Real worker processes with real services around them, outside of a cluster: for contract tests and
benchmarks.

The brain and the demo model run as processes of their own, like the stores; each worker is what a pod would
run, with its secrets in files and its termination log in a file.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import neo4j
from pymongo import MongoClient

from dev.errors import WaitTimeoutError
from dev.paths import ROOT
from dev.rooms import BRAIN_KEY
from dev.service_process import HOST, ServiceProcess, free_port, http_answers, script
from dev.waiting import wait_for
from gather_contracts import names
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.resource import DEFAULT_RETRIES, GatherRunSpec
from gather_contracts.result import DepartmentResult, decode_result
from gather_contracts.run_document import RunDocument, RunIdentity, encode_run_document
from gather_demo.languages import LANGUAGE_VARIABLE, Language
from tests.support.network.connections import Connections
from tests.support.workers.process_forks import ForkedProcess, ProcessForks

EXIT_TIMEOUT_S = 120


@cache
def _mongodb(uri: str) -> MongoClient[dict[str, Any]]:
    """Return the one client of a server: tests that wait look often, and connecting is most of a look."""
    return MongoClient(uri)


def demo_model_service(folder: Path, language: Language = Language.EN) -> ServiceProcess:
    """Describe a demo model."""
    port = free_port()
    environment = {"GATHER_DEMO_PORT": str(port), LANGUAGE_VARIABLE: language, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "gather_demo.llm"]
    return ServiceProcess("Demo model", f"http://{HOST}:{port}", folder, command, http_answers, environment)


@dataclass(frozen=True)
class Services:
    """Where the services are."""

    mongodb_uri: str
    redis_url: str
    neo4j_uri: str
    brain_uri: str
    model_uri: str

    def secrets(self) -> dict[str, str]:
        """Return the files of the worker's Secret."""
        return {
            "MONGODB_URI": self.mongodb_uri,
            "REDIS_URL": self.redis_url,
            "BRAIN_SERVICE_API_KEY": BRAIN_KEY,
            "OPENROUTER_API_KEY": "demo-llm-wants-no-key",
        }

    def environment(self) -> dict[str, str]:
        """Return what the worker's ConfigMap would set."""
        return {"BRAIN_SERVICE_BASE_URL": self.brain_uri, "GATHER_LLM_BASE_URL": f"{self.model_uri}/v1"}


@dataclass(frozen=True)
class Ended:
    """A worker process that has ended."""

    exit_code: int
    result: DepartmentResult | None
    log: list[dict[str, Any]]
    peak_memory_bytes: int
    """Resident, at its highest."""

    def messages(self) -> list[str]:
        """Return the log's messages."""
        return [str(line.get("message")) for line in self.log]


@dataclass
class Worker:
    """A worker process."""

    process: subprocess.Popen[str] | ForkedProcess
    folder: Path
    peak_memory_bytes: int = 0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def watch_memory(self) -> None:
        """Note the highest resident memory until now, while the process lives."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                self.peak_memory_bytes = max(self.peak_memory_bytes, int(line.split()[1]) * 1024)

    def wait(self, timeout_s: float = EXIT_TIMEOUT_S) -> Ended:
        """Return how it ended; kills it and raises TimeoutError if it does not."""

        def has_ended() -> bool:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                self.watch_memory()
            return self.process.poll() is not None

        try:
            wait_for("the worker's end", has_ended, timeout_s, poll_s=0.01)
        except WaitTimeoutError as error:
            self.process.kill()
            self.process.wait()
            raise TimeoutError(self.log_text()) from error
        return Ended(
            exit_code=self.process.wait(),
            result=decode_result((self.folder / "termination-log").read_text(encoding="utf-8")),
            log=[json.loads(line) for line in self.log_text().splitlines() if line.startswith("{")],
            peak_memory_bytes=self.peak_memory_bytes,
        )

    def log_text(self) -> str:
        """Return what it has logged so far."""
        return (self.folder / "log").read_text(encoding="utf-8")


@dataclass
class WorkerHarness:
    """One run of one project, and the workers that are started for it."""

    services: Services
    folder: Path
    document: RunDocument
    workers: list[Worker] = field(default_factory=list)
    connections: Connections | None = None
    """Records what workers that start from now on connect to."""
    reached_at: Services | None = None
    """Where workers that start from now on find the services, if not where they are."""
    forks: ProcessForks | None = None
    """Makes workers that start from now on copies of one that has imported all; else each is a program of its
    own, as in a pod, whose start, memory and connections are its own too."""

    def start(
        self, index: int = 0, iterations: int = 4, run_text: str | None = None, **environment: str
    ) -> Worker:
        """Start a worker for a department, as its pod would; `run_text` replaces the run file's text."""
        folder = self.folder / f"pod-{len(self.workers)}"
        folder.mkdir()
        run_file = folder / names.RUN_DOCUMENT_FILE
        text = encode_run_document(self.document) if run_text is None else run_text
        run_file.write_text(text, encoding="utf-8")
        secrets = folder / "secrets"
        secrets.mkdir()
        for name, value in (self.reached_at or self.services).secrets().items():
            (secrets / name).write_text(value, encoding="utf-8")
        (folder / "termination-log").touch()
        arguments = ["--department-index", str(index), "--iterations", str(iterations)]
        variables = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "GATHER_SECRETS_DIR": str(secrets),
            "GATHER_TERMINATION_LOG": str(folder / "termination-log"),
            "POD_NAME": f"pod-{len(self.workers)}",
            "PYDANTIC_DISABLE_PLUGINS": "__all__",  # as the image has it
            **(self.reached_at or self.services).environment(),
            **environment,
        }
        command = ["run", "--run-file", str(run_file), *arguments]
        worker = Worker(self._process(command, variables, folder / "log"), folder)
        self.workers.append(worker)
        return worker

    def _process(
        self, arguments: list[str], environment: dict[str, str], log: Path
    ) -> subprocess.Popen[str] | ForkedProcess:
        if self.forks and not self.connections:
            return self.forks.start(arguments, environment, log, log, ROOT)
        command = [script("gather-worker"), *arguments]
        with log.open("w") as file:
            return subprocess.Popen(
                self.connections.recorded(command) if self.connections else command,
                env=environment, stdout=file, stderr=file, text=True,
            )  # fmt: skip

    def run(
        self, index: int = 0, iterations: int = 4, run_text: str | None = None, **environment: str
    ) -> Ended:
        """Start a worker and wait for its end."""
        return self.start(index, iterations, run_text, **environment).wait()

    def rename_model(self, model: str) -> None:
        """Give all departments another model."""
        renamed = [d.model_copy(update={"model": model}) for d in self.document.departments]
        self.document = self.document.model_copy(update={"departments": renamed})

    def set_threshold(self, threshold: float) -> None:
        """Give all departments another threshold."""
        changed = [d.model_copy(update={"threshold": threshold}) for d in self.document.departments]
        self.document = self.document.model_copy(update={"departments": changed})

    def stop(self) -> None:
        """End all workers that still live."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGCONT)
                worker.process.kill()
                worker.process.wait()

    # --- what is in the stores

    @property
    def project_id(self) -> str:
        """Return the project's id."""
        return self.document.spec.project_id

    def items(self) -> list[dict[str, Any]]:
        """Return the project's items in MongoDB, with their ids as nodes have them."""
        found = self._documents(names.ITEMS_COLLECTION)
        return [document | {"_id": str(document["_id"])} for document in found]

    def checkpoints(self) -> list[dict[str, Any]]:
        """Return the project's checkpoints."""
        return self._documents(names.CHECKPOINTS_COLLECTION)

    def checkpoint(self, index: int = 0) -> dict[str, Any]:
        """Return a department's checkpoint, {} before there is one."""
        wanted = names.checkpoint_id(self.document.run.uid, self.document.departments[index].slug)
        return next((c for c in self.checkpoints() if c["_id"] == wanted), {})

    def _documents(self, collection: str) -> list[dict[str, Any]]:
        client = _mongodb(self.services.mongodb_uri)
        return list(client[names.gather_database(self.project_id)][collection].find())

    def node_ids(self) -> set[str]:
        """Return the ids of the project's nodes in Neo4j."""
        return set(self.node_properties())

    def node_properties(self) -> dict[str, dict[str, Any]]:
        """Return the project's nodes: their properties by id."""
        query = "MATCH (n:Node {projectId: $project}) RETURN n.id AS id, n.properties AS properties"
        with neo4j.GraphDatabase.driver(self.services.neo4j_uri, auth=None) as driver:
            records = driver.execute_query(query, project=self.project_id).records
        return {r["id"]: json.loads(r["properties"] or "{}") for r in records}


def run_document(project_id: str, run_uid: str, **spec: Any) -> RunDocument:
    """Return a run of two departments of a film, with the demo CMS's words for them."""
    retries = spec.get("departmentRetries", DEFAULT_RETRIES)
    departments = [
        ResolvedDepartment(
            slug="story",
            name="Story Department",
            description="Story Department handles narrative premise, plot structure, pacing, turning points, "
            "dialogue style, and thematic development",
            code_dep_number=10,
            threshold=78,
            model="anthropic/claude-sonnet-4.5",
            retries=retries,
        ),
        ResolvedDepartment(
            slug="character",
            name="Character Department",
            description="Character Department handles motivation, backstory, relationships, "
            "voice and speech, inner conflict, and character change",
            code_dep_number=20,
            threshold=75,
            model="anthropic/claude-sonnet-4.5",
            retries=retries,
        ),
    ]
    return RunDocument(
        run=RunIdentity(name="harness", namespace="default", uid=run_uid),
        spec=GatherRunSpec(project_id=project_id, user_id="harness-user", **spec),
        departments=departments,
    )
