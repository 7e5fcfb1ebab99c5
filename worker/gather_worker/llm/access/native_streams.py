"""Events of streams that are no chat completion's, as its chunks; pure.

Gateways stream in a provider's own form, whatever they were asked: the forms are those of Anthropic, Google,
Responses, Cohere, Ollama, llama.cpp and the older completions, as their documents have them. What a form says
only of its own course (pings, ends of blocks) makes an empty chunk.
"""

import json
from collections.abc import Mapping
from typing import Any

Chunk = Mapping[str, Any]


def as_chunk(document: Chunk) -> Chunk:
    """Return a chunk of a chat completion; the document itself where it is one, or of no known form."""
    kind = document.get("type")
    if isinstance(document.get("choices"), list):
        return _of_completions(document)
    if isinstance(document.get("candidates"), list):
        return _of_google(document)
    if isinstance(kind, str) and kind.startswith("response."):
        return _of_responses(kind.removeprefix("response."), document)
    if isinstance(kind, str) and (kind in _ANTHROPIC or kind in _COHERE) and "error" not in document:
        return _of_anthropic(kind, document) if kind in _ANTHROPIC else _of_cohere(kind, document)
    for name, mark, end in (("response", "done", "done_reason"), ("content", "stop", "stop_type")):
        if isinstance(document.get(name), str) and isinstance(document.get(mark), bool):
            rest = {key: value for key, value in document.items() if key not in {name, mark, end, "thinking"}}
            delta = {"content": document[name], "reasoning": document.get("thinking")}
            return {**rest, **_chunk(delta, document.get(end))}
    return document


def _chunk(delta: Chunk, finish: Any = None, index: int = 0, **more: Any) -> dict[str, Any]:
    said = {name: value for name, value in more.items() if value is not None}
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}], **said}


def _call(arguments: Any, at: Any = None, name: Any = None) -> dict[str, Any]:
    """Return a delta of a tool call; `at` sets it apart from others."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"tool_calls": [{"index": at, "function": {"name": name, "arguments": text}}]}


def objects_in(value: Any) -> list[dict[str, Any]]:
    """Return a list's objects, none of what is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _inner(holder: Any, *path: str) -> Any:
    for name in path:
        holder = holder.get(name) if isinstance(holder, dict) else None
    return holder


def _of_completions(document: Chunk) -> Chunk:
    """Return a chunk of the older completions, whose words stand in the choice."""
    choices = [
        {**choice, "delta": {"content": choice["text"]}, "text": None}
        if isinstance(choice, dict) and isinstance(choice.get("text"), str) and "delta" not in choice
        else choice
        for choice in document["choices"]
    ]
    return {**document, "choices": choices}


def _of_google(document: Chunk) -> Chunk:
    rest = {name: value for name, value in document.items() if name != "candidates"}
    choices = list[Any]()
    for place, candidate in enumerate(objects_in(document["candidates"])):
        deltas = [*map(_google_part, objects_in(_inner(candidate, "content", "parts"))), {}]
        end, index = candidate.get("finishReason"), candidate.get("index", place)
        choices += [choice for delta in deltas for choice in _chunk(delta, end, index)["choices"]]
    return {**rest, "choices": choices}


def _google_part(part: Chunk) -> Chunk:
    if (arguments := _inner(part.get("functionCall"), "args")) is not None:
        return _call(arguments)
    return {"reasoning" if part.get("thought") is True else "content": part.get("text")}


def _of_responses(kind: str, event: Chunk) -> Chunk:
    match kind:
        case "output_text.delta" | "refusal.delta":
            return _chunk({"content" if kind == "output_text.delta" else "refusal": event.get("delta")})
        case "reasoning_text.delta" | "reasoning_summary_text.delta":
            return _chunk({"reasoning": event.get("delta")})
        case "function_call_arguments.delta":
            return _chunk(_call(event.get("delta") or "", event.get("output_index")))
        case "output_text.done":
            return {"choices": [{"index": 0, "message": {"content": event.get("text")}}]}
        case "completed" | "incomplete" | "failed":
            return _responses_end(event.get("response"))
    return {}


def _responses_end(response: Any) -> Chunk:
    """Return the last event's chunk: it may hold the whole answer, which then goes before its pieces."""
    if not isinstance(response, dict):
        return {}
    items = objects_in(response.get("output"))
    parts = [part for item in items for part in objects_in(item.get("content"))]
    text = "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    calls = [call for item in items if "arguments" in item for call in _call(item["arguments"])["tool_calls"]]
    end = _inner(response, "incomplete_details", "reason") or response.get("status")
    told = {name: response.get(name) for name in ("model", "usage", "error", "service_tier")}
    chunk = _chunk({}, end, 0, **told)
    chunk["choices"][0]["message"] = {"content": text, "tool_calls": calls} if text or calls else None
    return chunk


_ANTHROPIC = frozenset(
    {"message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
     "message_stop", "ping"}
)  # fmt: skip


def _of_anthropic(kind: str, event: Chunk) -> Chunk:
    if kind == "message_start":
        message = event.get("message")
        return _chunk({}, model=_inner(message, "model"), usage=_inner(message, "usage"))
    if kind == "message_delta":
        return _chunk({}, _inner(event, "delta", "stop_reason"), usage=event.get("usage"))
    piece = event.get("content_block" if kind == "content_block_start" else "delta")
    if not isinstance(piece, dict):
        return {}
    if "partial_json" in piece or piece.get("type") == "tool_use":
        return _chunk(_call(piece.get("partial_json") or piece.get("input") or "", event.get("index")))
    return _chunk({"content": piece.get("text"), "reasoning": piece.get("thinking")})


_COHERE = frozenset(
    {"message-start", "content-start", "content-delta", "content-end", "tool-plan-delta", "tool-call-start",
     "tool-call-delta", "tool-call-end", "message-end"}
)  # fmt: skip


def _of_cohere(kind: str, event: Chunk) -> Chunk:
    delta = event.get("delta")
    if kind == "message-end":
        return _chunk({}, _inner(delta, "finish_reason"), usage=_inner(delta, "usage"))
    if isinstance(arguments := _inner(delta, "message", "tool_calls", "function", "arguments"), str):
        return _chunk(_call(arguments, event.get("index")))
    content = _inner(delta, "message", "content")
    return _chunk({"content": _inner(content, "text"), "reasoning": _inner(content, "thinking")})
