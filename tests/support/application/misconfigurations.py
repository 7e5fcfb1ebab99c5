"""Ways in which a run can be misconfigured, and the page that lists what `gather-worker check` says of them.

The page, docs/misconfigurations.md, holds the whole messages; what differs from place to place is `…` there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dev.paths import ROOT
from tests.support.application.check_world import (
    BRAIN_CALL,
    CMS_KEY,
    DEPARTMENTS,
    EMBEDDINGS,
    NO_KEY,
    NOWHERE,
    PAGE,
    PASSWORD,
    SEVEN,
    Change,
    answer,
    capped,
    cut_answer,
    listed,
    mongodb_user,
    no_rights,
    redis_user,
    run_text,
    secret,
    unique_index,
    unknown_validator_field,
    variable,
    view,
)
from tests.support.application.scripted_http import Answer

PAGE_FILE: Final = ROOT / "docs" / "misconfigurations.md"

MISCONFIGURATIONS: Final[dict[str, Change]] = {
    "mongodb: nothing there": secret("MONGODB_URI", f"mongodb://{NOWHERE}/"),
    "mongodb: host has no address": secret("MONGODB_URI", "mongodb://mongo.invalid/"),
    "mongodb: address malformed": secret("MONGODB_URI", f"mongodb://gather:{PASSWORD}@@x/"),
    "mongodb: wrong password": mongodb_user("gather", "wrong-password-1"),
    "mongodb: unknown user": mongodb_user("stranger"),
    "mongodb: may only read": no_rights,
    "mongodb: may do nothing": mongodb_user("nobody"),
    "mongodb: validator refuses our notes": unknown_validator_field,
    "mongodb: unique index on another field": unique_index,
    "mongodb: gather is a view": view,
    "mongodb: gather is capped": capped,
    "brain: down": variable("BRAIN_SERVICE_BASE_URL", f"http://{NOWHERE}"),
    "brain: something else answers": answer("/readyz", PAGE),
    "brain: not ready": answer(
        "/readyz", Answer({"status": "unavailable", "model": "m", "neo4j": "not reachable"}, 503)
    ),
    "brain: wrong key": answer(BRAIN_CALL, NO_KEY),
    "brain: key of another project": answer(
        BRAIN_CALL, Answer({"error": "not_found", "message": "No such project."}, 404)
    ),
    "brain: another embedding model": answer(
        BRAIN_CALL, Answer({"similarities": [0.4], "model": "e5-base", "total_time_ms": 1})
    ),
    "brain: low limit": answer(
        BRAIN_CALL,
        Answer(
            {"similarities": [0.4], "model": EMBEDDINGS, "total_time_ms": 1},
            headers={"X-RateLimit-Limit": "5"},
        ),
    ),
    "redis: nothing there": secret("REDIS_URL", f"redis://{NOWHERE}/0"),
    "redis: address malformed": secret("REDIS_URL", "localhost:6379"),
    "redis: wrong password": redis_user("gather", "wrong-password-2"),
    "redis: may only read": redis_user("reader"),
    "redis: other keys": redis_user("elsewhere"),
    "model: nothing there": variable("GATHER_LLM_BASE_URL", f"http://{NOWHERE}/v1"),
    "model: address is a page": answer("/v1/models", PAGE),
    "model: address is none": variable("GATHER_LLM_BASE_URL", "openrouter.ai"),
    "model: redirect": answer("/v1/models", Answer("moved", 301, {"Location": "https://elsewhere"})),
    "model: key refused": answer("/v1/models", NO_KEY),
    "model: unknown": answer("/v1/models", Answer({"data": [{"id": "anthropic/claude-sonnet-4"}]})),
    "model: judge unknown": variable("GATHER_JUDGE_MODEL", "anthropic/claude-sonet-4.5"),
    "model: fallback unknown": variable("GATHER_LLM_FALLBACK_MODEL", "anthropic/claude-sonet-4.5"),
    "model: takes no schema": answer("/v1/models", listed(supported_parameters=["temperature"])),
    "model: window too small": answer("/v1/models", listed(context_length=8192)),
    "model: answers too short": answer("/v1/models", listed(top_provider={"max_completion_tokens": 4096})),
    "model: no price": answer("/v1/models", listed(pricing=None)),
    "cms: wrong key": answer(DEPARTMENTS, NO_KEY),
    "cms: key in another form": answer(DEPARTMENTS, Answer(SEVEN, authorization=f"Bearer {CMS_KEY}")),
    "cms: form malformed": variable("GATHER_CMS_AUTHORIZATION", "users API-key"),
    "cms: more than one answer holds": cut_answer,
    "cms: another application": answer(DEPARTMENTS, PAGE),
    "cms: no department ticked": answer(DEPARTMENTS, Answer({"docs": []})),
    "run file: malformed": run_text('{"run": 1'),
    "run file: absent": lambda world: world.arguments.extend(["--run-file", "/nowhere/run.json"]),
    "project: malformed": lambda world: world.arguments.extend(["--project", "x"]),
    "secret: not UTF-8": secret("MONGODB_URI", b"\xff\xfe\x00"),
    "secret: missing": secret("MONGODB_URI", ""),
    "setting: wrong": variable("GATHER_JUDGE_REPEATS", "2"),
    "setting: misspelt": variable("GATHER_LLM_TIMEOUT", "300"),
}
"""What is wrong, and how it is made."""
BROKEN_EVALUATIONS: Final[dict[str, Change]] = {
    "broker: nothing there": secret("CELERY_BROKER_URL", f"redis://{NOWHERE}/0"),
    "broker: task unknown": variable("GATHER_EVALUATION_TASK", "evaluate_department"),
    "broker: no worker on the queue": variable("GATHER_EVALUATION_QUEUE", "elsewhere"),
}
"""Likewise, where the application's Celery worker runs; runs go on without."""


@dataclass(frozen=True)
class Row:
    """A row of the page."""

    exit_code: int
    finding: str
    message: str
    fix: str

    def is_of(self, finding: Mapping[str, Any]) -> bool:
        """Return whether a finding of the check says what the row says."""
        pairs = ((self.finding, "name"), (self.message, "finding"), (self.fix, "fix"))
        return all(_is_like(pattern, finding[field]) for pattern, field in pairs)


def documented() -> dict[str, Row]:
    """Return the page's rows by what is wrong, in their order."""
    lines = PAGE_FILE.read_text(encoding="utf-8").splitlines()
    cells = [[c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rows = [row for row in cells if len(row) == 5 and row[1].isdigit()]
    return {wrong: Row(int(code), finding, message, fix) for wrong, code, finding, message, fix in rows}


def _is_like(pattern: str, text: str) -> bool:
    parts = (re.escape(part) for part in pattern.split("…"))
    return re.fullmatch(".*?".join(parts), " ".join(text.split())) is not None
