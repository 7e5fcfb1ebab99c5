"""Which web pages may call the API from a browser. Pure ASGI."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from gather_brain.errors import ValidationFailedError
from gather_clients.web.error_bodies import error_response


class CrossOrigin(CORSMiddleware):
    """Starlette's, whose refusals have the standard error body."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser that asks whether a page may send a request."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < HTTPStatus.BAD_REQUEST:
            return answer
        refusal = error_response(ValidationFailedError(bytes(answer.body).decode()))
        refusal.headers["Vary"] = answer.headers["Vary"]
        return refusal
