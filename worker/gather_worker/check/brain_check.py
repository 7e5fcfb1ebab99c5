"""The brain: reach, readiness, key, project, limits, and whether duplicates are calibrated for its model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from gather_clients.brain_client import BrainClient
from gather_clients.brain_errors import (
    BrainNotFound,
    BrainRateLimited,
    BrainRejected,
    BrainUnauthorized,
    BrainUnavailable,
)
from gather_clients.http_calls.tls import tls_for
from gather_contracts import brain as bodies
from gather_worker.check.findings import Finding, lacking, ok, warn
from gather_worker.duplicates.calibration import read_calibration, shipped_calibration
from gather_worker.errors import InvalidInput
from gather_worker.services.brain import brain_client

NAME: Final = "Brain"
KEY: Final = "Brain key"
MODEL: Final = "Brain model"
CALL_S: Final = 6.0
NO_PROJECT: Final = "0" * 24
"""Its rate limits apply; nothing of it is read."""
PER_MINUTE_MIN: Final = 30
"""Of searches for duplicates: the requirements' own limit."""
WITHOUT: Final = "runs go on without it: duplicates by words alone, no coverage, notes wait to be indexed"


@dataclass(slots=True)
class BrainFacts:
    """What the brain said."""

    url: str = ""
    problem: str | None = None
    """Why nothing, or something else than a brain, answers."""
    status: str = ""
    reason: str = ""
    key: str = ""
    """accepted, refused, elsewhere (not for the project), limited or unknown."""
    said: str = ""
    limit: int | None = None
    model: str = ""
    is_calibrated: bool = False
    calibration_problem: str = ""


class _Headers(httpx.AsyncHTTPTransport):
    """Keeps the limit that the last answer names."""

    limit: int | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        text = response.headers.get("X-RateLimit-Limit", "")
        self.limit = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else self.limit  # noqa: PLR2004
        return response


async def check_brain(url: str, key: str, project_id: str | None, calibration: Path | None) -> list[Finding]:
    """Return what was found."""
    return brain_findings(await _gather(url, key, project_id, calibration), project_id)


async def _gather(url: str, key: str, project_id: str | None, calibration: Path | None) -> BrainFacts:
    facts = BrainFacts(url=url.rsplit("@", maxsplit=1)[-1])
    try:
        transport = _Headers(verify=tls_for(httpx.URL(url)))
        client = brain_client(url, key, timeout_s=CALL_S, deadline_s=CALL_S, transport=transport)
    except (httpx.InvalidURL, InvalidInput) as error:
        facts.problem = str(error).removeprefix("settings: ")
        return facts
    async with client:
        try:
            ready = await client.readiness()
        except (BrainUnavailable, httpx.InvalidURL) as error:
            facts.problem = str(error)
            return facts
        facts.status, facts.model = ready.status, ready.model
        facts.reason = str((ready.model_extra or {}).get("reason") or ready.neo4j)
        if facts.status != "ready":
            return facts
        await _try_key(client, project_id or NO_PROJECT, facts)
        facts.limit = transport.limit
    _look_at_calibration(facts, calibration)
    return facts


async def _try_key(client: BrainClient, project_id: str, facts: BrainFacts) -> None:
    pair = bodies.SimilarityPair(a="The lamp turns.", b="The lamp is lit.")
    request = bodies.SimilarityRequest(project_id=project_id, pairs=[pair])
    try:
        facts.model = (await client.compare(request, deadline_s=CALL_S)).model
        facts.key = "accepted"
    except BrainUnauthorized as error:
        facts.key, facts.said = "refused", str(error)
    except BrainNotFound as error:
        facts.key, facts.said = "elsewhere", str(error)
    except BrainRateLimited:
        facts.key = "limited"
    except (BrainRejected, BrainUnavailable) as error:
        facts.key, facts.said = "unknown", str(error)


def _look_at_calibration(facts: BrainFacts, file: Path | None) -> None:
    try:
        own = read_calibration(file) if file else None
    except InvalidInput as error:
        facts.calibration_problem = str(error)
        return
    if own is not None and own.embedding_model != facts.model:
        facts.calibration_problem = f"GATHER_DUPLICATE_CALIBRATION is for {own.embedding_model}"
    facts.is_calibrated = own is not None or shipped_calibration(facts.model) is not None


def brain_findings(facts: BrainFacts, project_id: str | None) -> list[Finding]:
    """Return what the facts mean."""
    if facts.problem:
        fix = f"mend BRAIN_SERVICE_BASE_URL (now {facts.url}); see that the brain runs and can be reached"
        return [lacking(NAME, f"{facts.problem}; {WITHOUT}", fix)]
    if facts.status != "ready":
        text = f"the brain is {facts.status}: {facts.reason}; {WITHOUT}"
        return [lacking(NAME, text, "wait for it, or mend what it names")]
    return [ok(NAME, "reached, ready"), _key_finding(facts, project_id), _model_finding(facts)]


def _key_finding(facts: BrainFacts, project_id: str | None) -> Finding:
    if facts.key == "accepted":
        return _limit_finding(facts.limit)
    if facts.key == "elsewhere" and project_id is None:
        return ok(KEY, "accepted, for projects of its own; no project named to look at")
    if facts.key == "limited":
        return warn(KEY, "the key's limit is used up now", "wait a minute, or give the key higher limits")
    text, fix = {
        "refused": (
            f"the brain refuses the key ({facts.said})",
            "mend BRAIN_SERVICE_API_KEY; docs/brain.md says how keys are made",
        ),
        "elsewhere": (
            f"the key is not for the project {project_id}",
            "give the key this project, or * for all",
        ),
    }.get(facts.key, (f"the key could not be tried: {facts.said}", "check again"))
    return lacking(KEY, f"{text}; {WITHOUT}", fix)


def _limit_finding(limit: int | None) -> Finding:
    if limit is not None and limit < PER_MINUTE_MIN:
        text = f"accepted, but only for {limit} searches a minute: workers will wait"
        return warn(KEY, text, f"give the key {PER_MINUTE_MIN} or more")
    return ok(KEY, "accepted" if limit is None else f"accepted, {limit} searches a minute")


def _model_finding(facts: BrainFacts) -> Finding:
    if facts.calibration_problem:
        text = f"{facts.calibration_problem}; the brain's embeddings are of {facts.model}"
        return warn(MODEL, text, "make a calibration with gather-worker calibrate")
    if not facts.is_calibrated:
        text = f"no calibration of duplicates for the embeddings of {facts.model}: raw cosine decides"
        fix = "make one with gather-worker calibrate and name it in GATHER_DUPLICATE_CALIBRATION"
        return warn(MODEL, text, fix)
    return ok(MODEL, f"{facts.model}, duplicates are calibrated for it")
