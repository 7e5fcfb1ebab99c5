"""From a submission to the manifest of its GatherRun; pure."""

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from gather_bridge.errors import DeliveryError, TaskRefused
from gather_bridge.http_door.task_bodies import METADATA_MAX_BYTES, TaskSubmission
from gather_bridge.task_runs.task_data import build_manifest, read_task
from gather_bridge.webhooks.url_guard import Network, choose_address, parse_target
from gather_clients.web.service_errors import ValidationFailedError
from gather_contracts import names

DOOR: Final = "http"


@dataclass(frozen=True, slots=True)
class Submission:
    """A task that can be made."""

    task_id: str
    request_sha256: str
    """Of what was sent; "" without an idempotency key."""
    manifest: dict[str, Any]


def prepare(
    body: TaskSubmission, key_name: str, idempotency_key: str | None, allowed: Iterable[Network] = ()
) -> Submission:
    """Return what is to be made; raises ValidationFailedError, which names each wrong field.

    `allowed` are networks that callbacks may reach although they are not public.
    """
    task_id, annotations = str(uuid.uuid4()), {}
    if idempotency_key is not None:
        task_id = names.idempotent_task_id(key_name, idempotency_key)
        annotations[names.ANNOTATION_REQUEST] = _sha256(body)
    if body.callback_url is not None:
        _check_callback(body.callback_url, tuple(allowed))
        annotations[names.ANNOTATION_CALLBACK_URL] = body.callback_url
    if body.metadata:
        annotations[names.ANNOTATION_METADATA] = _metadata(body.metadata)
    try:
        task = read_task(_data(body), body.user_id)
        manifest = build_manifest(task, task_id, DOOR, annotations)
    except TaskRefused as refused:
        raise refusal(refused) from None
    if task.project_id.lower() != body.project_id.lower():
        raise invalid("task_data.project_id", "contradicts project_id: leave one out")
    return Submission(task_id, annotations.get(names.ANNOTATION_REQUEST, ""), manifest)


def refusal(refused: TaskRefused) -> ValidationFailedError:
    """Return the answer to data that can never work."""
    return invalid(f"task_data.{refused.field}" if refused.field else "task_data", refused.reason)


def invalid(field: str, reason: str) -> ValidationFailedError:
    """Return the error of one field."""
    return ValidationFailedError(f"Request validation failed: {field}", {field: reason})


def _data(body: TaskSubmission) -> dict[str, Any]:
    named = {"project_id", "projectId"} & body.task_data.keys()
    return body.task_data if named else {**body.task_data, "project_id": body.project_id}


def _sha256(body: TaskSubmission) -> str:
    """Return the same for the same values, however they were written down."""
    text = json.dumps(body.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _metadata(metadata: dict[str, Any]) -> str:
    text = json.dumps(metadata, ensure_ascii=False)
    if len(text.encode()) > METADATA_MAX_BYTES:
        raise invalid("metadata", f"must be at most {METADATA_MAX_BYTES} bytes as JSON")
    return text


def _check_callback(url: str, allowed: tuple[Network, ...]) -> None:
    """Refuse what the sender of callbacks would never call; names are resolved only when it calls."""
    try:
        host = parse_target(url).host
        ip_address(host)
    except DeliveryError as refused:
        raise invalid("callback_url", f"{refused}: it must be https://host[:port][/path]") from None
    except ValueError:
        return
    try:
        choose_address([host], allowed)
    except DeliveryError:
        raise invalid("callback_url", "its address is not public, so that it is never called") from None
