"""Services around `gather-worker check`, and the ways in which a test can misconfigure them."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pymongo

from gather_contracts import names
from gather_contracts.run_document import encode_run_document
from tests.support.application.celery_consumer import SAMPLE_TASK
from tests.support.application.scripted_http import Answer, ScriptedHttp
from tests.support.worker_harness import run_document

MODEL: Final = "anthropic/claude-sonnet-4.5"
EMBEDDINGS: Final = "all-MiniLM-L6-v2-w8a8"
PASSWORD: Final = "correct-horse-battery"  # noqa: S105 - of stores that live as long as the test
QUEUE: Final = "reviews"
NOWHERE: Final = "127.0.0.1:1"
PAGE: Final = Answer("<!doctype html><title>Sign in</title>")
BRAIN_CALL: Final = "/api/v1/search/similarity"
CMS_KEY: Final = "cms-key-of-the-test"
DEPARTMENTS: Final = "/api/departments"
SEVEN: Final[dict[str, Any]] = {"docs": [{}], "totalDocs": 7}
NO_KEY: Final = Answer({"error": "unauthorized", "message": "The key is not known."}, 401)


def listed(**more: Any) -> Answer:
    """Return a list of models with the run's one in it."""
    entry = {"id": MODEL, "context_length": 200_000, "supported_parameters": ["structured_outputs"]}
    priced = {"pricing": {"prompt": "0.000003", "completion": "0.000015"}}
    return Answer({"data": [{**entry, **priced, **more}, {"id": "anthropic/claude-haiku-4.5"}]})


@dataclass
class World:
    """Services that all work, and what a worker is told of them."""

    folder: Path
    mongodb: str
    """HOST:PORT."""
    redis: str
    http: ScriptedHttp
    client: pymongo.MongoClient[dict[str, Any]]
    """MongoDB's administrator."""
    project: str = field(default_factory=lambda: secrets.token_hex(12))
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str | bytes] = field(default_factory=dict)
    run_text: str = ""
    arguments: list[str] = field(default_factory=list)
    has_run: bool = True
    """Whether the command is given the run's file."""

    def __post_init__(self) -> None:
        self.secrets = {
            "MONGODB_URI": self.mongodb_uri("gather"),
            "REDIS_URL": f"redis://gather:{PASSWORD}@{self.redis}/0",
            "BRAIN_SERVICE_API_KEY": "brain-key-of-the-test",
            "OPENROUTER_API_KEY": "model-key-of-the-test",
            "PAYLOAD_API_KEY": CMS_KEY,
        }
        self.variables = {
            "BRAIN_SERVICE_BASE_URL": self.http.url,
            "GATHER_LLM_BASE_URL": f"{self.http.url}/v1",
            "NEXT_PUBLIC_APP_URL": self.http.url,
            "GATHER_EVALUATION_QUEUE": QUEUE,
            "GATHER_EVALUATION_TASK": SAMPLE_TASK,
        }
        self.set_run(enableAutoEvaluation=False)

    def set_run(self, **spec: Any) -> None:
        """Write the run's file anew."""
        document = run_document(self.project, "a-run", maxIterations=10, **spec)
        self.run_text = encode_run_document(document)

    def mongodb_uri(self, user: str, password: str = PASSWORD) -> str:
        """Return the address with a user."""
        return f"mongodb://{user}:{password}@{self.mongodb}/?directConnection=true&authSource=admin"

    def items(self) -> Any:
        """Return the project's collection, as its administrator sees it."""
        return self.client[names.gather_database(self.project)][names.ITEMS_COLLECTION]

    def with_collection(self, **options: Any) -> Any:
        """Make the project's collection, with a note of a person's in it."""
        items = self.items()
        items.database.create_collection(items.name, **options)
        return items

    def prepared(self) -> list[str]:
        """Write the files; return the command line."""
        folder = self.folder / "secrets"
        folder.mkdir(exist_ok=True)
        for name, value in self.secrets.items():
            (folder / name).write_bytes(value if isinstance(value, bytes) else value.encode())
        run_file = self.folder / "run.json"
        run_file.write_text(self.run_text, encoding="utf-8")
        self.variables["GATHER_SECRETS_DIR"] = str(folder)
        is_named = {"--project", "--run-file"} & set(self.arguments)
        which = ["--run-file", str(run_file)] if self.has_run and not is_named else []
        return ["check", *which, *self.arguments]


@dataclass(frozen=True)
class Report:
    """What the command printed."""

    code: int
    text: str

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Return the findings."""
        found: list[dict[str, Any]] = json.loads(self.text)["findings"]
        return found

    def of(self, *statuses: str) -> list[dict[str, Any]]:
        """Return the findings of these statuses."""
        return [finding for finding in self.findings if finding["status"] in statuses]


Change = Callable[[World], None]


def no_rights(world: World) -> None:
    world.secrets["MONGODB_URI"] = world.mongodb_uri("reader")


def unknown_validator_field(world: World) -> None:
    world.with_collection(validator={"$jsonSchema": {
        "required": ["projectId", "approvedBy"],
        "properties": {"createdAt": {"bsonType": "string"}, "summary": {"bsonType": "string", "maxLength": 5},
                       "automationMetadata": {"properties": {"iteration": {"bsonType": "string"}}}},
    }})  # fmt: skip


def unique_index(world: World) -> None:
    world.with_collection().create_index([("projectId", 1)], unique=True)


def capped(world: World) -> None:
    world.with_collection(capped=True, size=4096)


def view(world: World) -> None:
    world.items().database.create_collection(names.ITEMS_COLLECTION, viewOn="other", pipeline=[])


def cut_answer(world: World) -> None:
    world.variables |= {"GATHER_CMS_PAGING": "false", "GATHER_CMS_LIMIT": "10"}
    world.http.answers[DEPARTMENTS] = Answer({"docs": [{}] * 10, "totalDocs": 10})


def secret(name: str, value: str | bytes) -> Callable[[World], None]:
    return lambda world: world.secrets.update({name: value})


def variable(name: str, value: str) -> Callable[[World], None]:
    return lambda world: world.variables.update({name: value})


def answer(path: str, given: Answer) -> Callable[[World], None]:
    return lambda world: world.http.answers.update({path: given})


def mongodb_user(user: str, password: str = PASSWORD) -> Callable[[World], None]:
    return lambda world: world.secrets.update({"MONGODB_URI": world.mongodb_uri(user, password)})


def redis_user(user: str, password: str = PASSWORD) -> Callable[[World], None]:
    return lambda world: world.secrets.update({"REDIS_URL": f"redis://{user}:{password}@{world.redis}/0"})


def run_text(text: str) -> Callable[[World], None]:
    return lambda world: setattr(world, "run_text", text)
