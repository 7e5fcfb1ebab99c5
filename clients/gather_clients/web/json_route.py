"""Strict JSON bodies, of bounded depth and bounded numbers.

The standard library's reader accepts NaN, lone surrogates, UTF-16 and any depth that the stack allows.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json


class _JsonRequest(Request):
    async def json(self) -> Any:
        """Return the body's value; of a repeated name, the last counts."""
        try:
            return from_json(await self.body(), allow_inf_nan=False)
        except ValueError as failure:
            # The message names a place, never its content.
            raise json.JSONDecodeError(str(failure), "", 0) from None


class JsonRoute(APIRoute):
    """A route whose bodies are read by pydantic's JSON reader: at most 200 levels and 4,300 digits."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_JsonRequest(request.scope, request.receive))

        return handle
