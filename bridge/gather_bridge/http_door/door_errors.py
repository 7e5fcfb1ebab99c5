"""What the HTTP door answers beside the errors of every API (`gather_clients.web.service_errors`)."""

from http import HTTPStatus
from typing import Final

from gather_clients.web.service_errors import ServiceError, UnauthorizedError

SCHEME: Final = "X-API-Key"


class KeyRefused(UnauthorizedError):  # noqa: N818 - a state, said as one
    """No key, or none that is valid now."""

    scheme = SCHEME


class TaskMissing(ServiceError):  # noqa: N818
    """No such task, or one of a project that is another's: both must look the same."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"

    def __init__(self, message: str = "Task not found") -> None:
        super().__init__(message)


class KeyReused(ServiceError):  # noqa: N818
    """The idempotency key stands for another request."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "idempotency_key_reused"

    def __init__(self, task_id: str) -> None:
        super().__init__(
            "This Idempotency-Key was used with another body: send the same body, or another key",
            {"Idempotency-Key": f"stands for the task {task_id}"},
        )


class TaskEnded(ServiceError):  # noqa: N818
    """There is nothing left to cancel."""

    status = HTTPStatus.CONFLICT
    code = "task_ended"

    def __init__(self, state: str) -> None:
        super().__init__(f"The task has ended ({state}) and cannot be cancelled", {"status": state})


class TaskIdTaken(ServiceError):  # noqa: N818
    """A GatherRun has the name, and is not this task's."""

    status = HTTPStatus.CONFLICT
    code = "task_id_taken"

    def __init__(self) -> None:
        super().__init__("A GatherRun of that name is not of this task: use another Idempotency-Key")
