"""Every name, label and key that crosses a process boundary is formatted here and nowhere else.

Hand-built keys drift apart; one module cannot.
"""

import hashlib
import re
import uuid
from functools import lru_cache
from typing import Final, Literal

GROUP: Final = "gather.ft.tc"
VERSION: Final = "v1alpha1"
KIND: Final = "GatherRun"
PLURAL: Final = "gatherruns"
SHORT_NAME: Final = "gr"

FINALIZER: Final = f"{GROUP}/cancel"

LABEL_DOOR: Final = f"{GROUP}/door"
"""Of GatherRuns that a door has made of a task: `celery` or `http`."""
LABEL_RESULT: Final = f"{GROUP}/result"
"""On a door's GatherRun whose result its task's sender has; its value is "written"."""
ANNOTATION_TASK_ID: Final = f"{GROUP}/task-id"
"""The task's id as its sender gave it."""
ANNOTATION_TIME_LIMIT: Final = f"{GROUP}/time-limit"
"""The seconds that the task was allowed, once a door has cancelled its run for having taken longer."""
ANNOTATION_REQUEST: Final = f"{GROUP}/request-sha256"
"""Of what was sent with an idempotency key; the same key with something else is refused."""
ANNOTATION_METADATA: Final = f"{GROUP}/task-metadata"
"""A JSON object of the sender's, which the callback brings back."""
ANNOTATION_CALLBACK_URL: Final = f"{GROUP}/callback-url"
"""An https address that gets one POST at the run's end."""
ANNOTATION_CALLBACK: Final = f"{GROUP}/callback"
"""What became of that: `delivered` or `given-up`; written by the HTTP door."""

LABEL_RUN: Final = f"{GROUP}/run"
LABEL_RUN_UID: Final = f"{GROUP}/run-uid"
LABEL_DEPARTMENT: Final = f"{GROUP}/department"
LABEL_DEPARTMENT_INDEX: Final = f"{GROUP}/department-index"
LABEL_ITERATIONS: Final = f"{GROUP}/iterations"
LABEL_ENDED: Final = f"{GROUP}/ended"
"""Of GatherRuns that have ended and of which nothing is left to do; its value is "true"."""
ANNOTATION_SUSPENDED: Final = f"{GROUP}/suspended"
"""On a Job that the operator has suspended for `spec.suspend`: what others suspend is theirs to resume."""
ANNOTATION_SUBMISSION: Final = f"{GROUP}/submission"
"""On a GatherRun that `gather submit` made: by which call, so that one whose answer was lost knows it."""
LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABEL_QUEUE: Final = "kueue.x-k8s.io/queue-name"
"""Kueue's: a Job that bears it belongs to that queue."""
MANAGED_BY: Final = "gather-operator"
LABEL_NAME: Final = "app.kubernetes.io/name"
WORKER_NAME: Final = "gather-worker"

RUN_DOCUMENT_FILE: Final = "run.json"

OBJECT_ID_DIGITS: Final = 24
OBJECT_ID_PATTERN: Final = r"^[0-9a-fA-F]{24}$"
"""A MongoDB ObjectId in hexadecimal, the form of every project id."""

SLUG_PATTERN: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""A department's slug: a DNS label (RFC 1123), so that it can stand in names and labels."""

LANGUAGE_PATTERN: Final = r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{1,8})*$"
"""A language tag (BCP 47) that begins with an ISO 639 code: `de`, `pt-BR`, `zh-Hant-TW`."""

WEBHOOK_URL_MAX: Final = 2048
"""A webhook's URL is RFC 3986 with `https`, a DNS name or an IP address as host, a port that there is, no
user and no fragment: one rule, for the CRD and for the bridge, in patterns that Python and RE2 both read."""

_PORT: Final = (
    r"0{0,4}(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
_CHARACTER: Final = r"[A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]"

WEBHOOK_CHARACTERS_PATTERN: Final = r"^[A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]#-]*$"
"""What may stand in a URL at all; the rest is written as %XX."""
WEBHOOK_HOST_PATTERN: Final = (
    r"^[^:]*://(?:[^/?#]*@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]{1,253})" rf"(?::{_PORT})?(?:[/?#].*)?$"
)
"""A host and a port that may be; scheme, user, fragment and characters have rules with words of their own."""
WEBHOOK_URL_PATTERN: Final = (
    r"^https://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]{1,253})"
    rf"(?::(?P<port>{_PORT}))?(?P<target>(?:[/?]{_CHARACTER}*)?)$"
)
"""All of it, for those who take it apart."""

ITEM_NAMESPACE: Final = uuid.UUID("6f0d7a8e-54a5-5d53-9f0c-6b1d1b6f7c11")
"""Namespace of task ids that are made of names; never change it: another would send evaluations twice."""

DNS_LABEL_MAX: Final = 63
SHARDS_MAX: Final = 8
"""Parts into which the operator's runs may be split."""


def shard_name(name: str, index: int) -> str:
    """Return the name of a shard's Lease and Deployment; the first has that of an operator without shards."""
    return f"{name}-{index}" if index else name


@lru_cache(maxsize=8192)  # a run's are asked for at each pass over it
def digest(*parts: str, length: int = 8) -> str:
    """Return the first `length` hex digits of a SHA-256 over the parts, kept apart by a separator."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:length]


def _named(prefix: str, suffix: str) -> str:
    """Join prefix and suffix into a DNS label; the prefix gives way, the suffix (with its hash) stays."""
    room = DNS_LABEL_MAX - len(suffix) - 1
    return f"{prefix[:room].rstrip('-.')}-{suffix}".replace(".", "-")


def label_value(text: str) -> str:
    """Return `text` as a label's value, 63 characters at most; a hash tells cut ones apart."""
    return text if len(text) <= DNS_LABEL_MAX else _named(text, digest(text))


def task_run_name(task_id: str) -> str:
    """Return the name of a task's GatherRun: its id, or a name made of it where that cannot be a name."""
    return task_id if re.fullmatch(SLUG_PATTERN, task_id) else f"task-{digest(task_id, length=32)}"


def job_name(run_name: str, run_uid: str, department: str, attempt: int) -> str:
    """Return the name of a department's Job; the UID's hash keeps delete-and-recreate apart."""
    return _named(
        f"{run_name[:30].rstrip('-.')}-{department[:16].rstrip('-')}",
        f"{digest(run_uid, department)}-{attempt}",
    )


def run_config_map_name(run_name: str, run_uid: str) -> str:
    """Return the name of the immutable ConfigMap that carries `run.json`."""
    return _named(run_name, f"{digest(run_uid)}-run")


def channel(project_id: str) -> str:
    """Return the Redis channel on which a project's events are published.

    Hexadecimal digits of either case name the same project, here as in MongoDB and in the brain.
    """
    return f"automated-gather:{project_id.lower()}"


CHANNEL_PATTERN: Final = "automated-gather:*"


def event_log(project_id: str) -> str:
    """Return the key of the Redis stream that keeps a project's events."""
    return f"automated-gather:{project_id.lower()}:log"


def event_log_meta(project_id: str) -> str:
    """Return the key of the hash with the stream's `offset` and `epoch`, and the `server` that gave them."""
    return f"automated-gather:{project_id.lower()}:log:meta"


def event_sent(project_id: str, idempotency_key: str) -> str:
    """Return the key that remembers that a once-only event was sent."""
    return f"automated-gather:{project_id.lower()}:sent:{idempotency_key}"


def run_end(run_uid: str) -> str:
    """Return the idempotency key of the event that says how a run has ended."""
    return f"{run_uid}:ended"


def event_writer(project_id: str, writer: str) -> str:
    """Return the key that remembers in which of its epochs a writer has last sent an event."""
    return f"automated-gather:{project_id.lower()}:writer:{writer}"


def event_id(idempotency_key: str) -> str:
    """Return an event's identity, the same however often it is sent and whatever becomes of Redis."""
    return digest("event", idempotency_key, length=32)


EVENT_LOG_PROBE: Final = "automated-gather:probe"
"""The key that is written to see whether Redis takes writes."""


def webhook_registration(run_uid: str) -> str:
    """Return the key of the hash {project_id, run, url} that tells the bridge where a run's events go."""
    return f"automated-gather:webhook:{run_uid}"


WEBHOOK_REGISTRATIONS: Final = "automated-gather:webhooks"
"""The Redis set of run UIDs that have a webhook."""
WEBHOOK_LEASE: Final = "automated-gather:webhooks:lease"
"""The key that holds which bridge delivers webhooks, where there is no outbox."""

OUTBOX_DATABASE: Final = "gather-outbox"
"""Gather's own MongoDB database for what must outlive Redis."""
OUTBOX_EVENTS: Final = "webhook_events"
"""Its collection of events on their way to webhooks."""
OUTBOX_LEASES: Final = "leases"
"""Its collection of which process does what only one may do."""


OUTBOX_SNAPSHOTS: Final = "snapshots"
"""Its collection of runs' snapshots."""

BRIDGE_TOKENS: Final = "automated-gather:tokens"
"""The Redis hash of the bridge's tokens, by the SHA-256 of each."""


def bridge_ticket(sha256: str) -> str:
    """Return the key of a one-use ticket, by its SHA-256."""
    return f"automated-gather:ticket:{sha256}"


TASK_CALLBACKS: Final = "automated-gather:callbacks"
"""The Redis set of the UIDs of ended runs whose callback waits."""
DOOR_LIMITS: Final = "automated-gather:door:limit:"
"""Before the keys of the HTTP door's limits."""


def task_callback(run_uid: str) -> str:
    """Return the key of the hash with a run's callback, waiting or what became of it."""
    return f"automated-gather:callback:{run_uid}"


def callback_id(run_uid: str) -> str:
    """Return the identity of a run's callback, the same however often it is sent."""
    return digest("callback", run_uid, length=32)


def idempotent_task_id(key_name: str, idempotency_key: str) -> str:
    """Return the id of the task that a holder of an API key asks for by an idempotency key.

    Both may hold any separator, so that the length says where the name ends.
    """
    return str(uuid.uuid5(ITEM_NAMESPACE, f"{len(key_name)}/{key_name}/{idempotency_key}/task"))


def run_snapshot(project_id: str, run_uid: str) -> str:
    """Return the key of what the operator last wrote of a run."""
    return f"automated-gather:{project_id.lower()}:snapshot:{run_uid}"


def run_snapshots(project_id: str) -> str:
    """Return the key of the sorted set of a project's runs with a snapshot, by time of creation."""
    return f"automated-gather:{project_id.lower()}:snapshots"


def runs_of_name(namespace: str, run: str) -> str:
    """Return the key of the sorted set of the runs of one name, `project/uid`, by time of creation."""
    return f"automated-gather:runs:{namespace}/{run}"


def bridge_session(sha256: str) -> str:
    """Return the key of a browser's session, by the SHA-256 of its cookie."""
    return f"automated-gather:session:{sha256}"


def gather_database(project_id: str) -> str:
    """Return the name of a project's MongoDB database."""
    return f"aladdin-gather-{project_id.lower()}"


ITEMS_COLLECTION: Final = "gather"
CHECKPOINTS_COLLECTION: Final = "gather_checkpoints"


def checkpoint_id(run_uid: str, department: str) -> str:
    """Return the `_id` of the checkpoint of one department in one run."""
    return f"{run_uid}/{department}"


def item_id(run_uid: str, department: str, iteration: int, slot: int) -> str:
    """Return an item's id: the digits of its ObjectId in MongoDB (`_id`), and its node's id in the brain.

    It is derived from where the item was made, so that writing twice writes once.
    """
    return digest("item", run_uid, department, str(iteration), str(slot), length=OBJECT_ID_DIGITS)


def evaluation_task_id(run_uid: str, department: str) -> str:
    """Return the Celery task id of a department's evaluation, the same however often it is sent."""
    return str(uuid.uuid5(ITEM_NAMESPACE, f"{run_uid}/{department}/evaluate"))


def evaluation_sent(task_id: str) -> str:
    """Return the key at the Celery broker that remembers that an evaluation was sent."""
    return f"automated-gather:evaluation:{task_id}"


EVALUATION_TASK: Final = "evaluate_department"
EVALUATION_QUEUE: Final = "cpu_intensive"
"""The Celery queue of evaluations; on Redis the queue is what separates priorities, not `priority=1`."""
EVALUATION_PRIORITY: Final = 1
"""High where a broker knows priorities (the requirements); on Redis 0 to 2 share one list."""

GatherTask = Literal["automated_gather_creation"]
GATHER_TASK: Final[GatherTask] = "automated_gather_creation"
"""The task that becomes a GatherRun, at Celery and over HTTP."""
GATHER_QUEUE: Final = "cpu_intensive"
CELERY_DOOR: Final = "gather-door"
"""Before the @ of a Celery door's node name: it leaves tasks that it does not know where they lie."""
CELERY_LEASE: Final = "automated-gather:celery:lease"
"""The key that holds which Celery door takes tasks and writes results."""
CELERY_REQUESTS: Final = "automated-gather:celery:requests"
"""The hash of what a task's end is owed (callbacks, chord, limits), by the task's id."""
CELERY_REVOKED: Final = "automated-gather:celery:revoked"
"""The sorted set of revoked task ids, by when they were revoked."""
CELERY_HOLD: Final = "automated-gather:celery:hold:"
"""Before the SHA-1 of a message that is left in its queue for a while."""
