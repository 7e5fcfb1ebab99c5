"""The forms of usage that providers' documents and public reports show, made for any truth."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from gather_worker.llm.billing.usage_forms import with_headers
from gather_worker.llm.pricing import Price

PRICE: Final = Price(3e-6, 15e-6)
TEXT: Final = "The keeper counts every lamp. " * 20


@dataclass(frozen=True, slots=True)
class Truth:
    """What a request came to; reasoning is a part of the answer, cached and written ones of the prompt."""

    prompt: int
    answer: int
    reasoning: int
    cached: int
    written: int

    @property
    def cost_usd(self) -> float:
        """Return what the provider charges: a tenth for what is cached, double for what is written."""
        plain = self.prompt - self.cached - self.written
        priced = plain + 0.1 * self.cached + 2 * self.written
        return PRICE.cost_usd(priced, self.answer)

    @property
    def visible(self) -> int:
        """Return the answer's tokens without reasoning."""
        return self.answer - self.reasoning


def completion(usage: Any = None, **more: Any) -> dict[str, Any]:
    """Return a chat completion."""
    body = {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}}], **more}
    return body if usage is None else {**body, "usage": usage}


def openai(t: Truth) -> dict[str, Any]:
    """Chat completions of OpenAI and Azure: reasoning within the answer, cached ones within the prompt."""
    return {
        "prompt_tokens": t.prompt, "completion_tokens": t.answer, "total_tokens": t.prompt + t.answer,
        "prompt_tokens_details": {"cached_tokens": t.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": t.reasoning, "audio_tokens": 0},
    }  # fmt: skip


def openrouter(t: Truth, **more: Any) -> dict[str, Any]:
    """Return OpenRouter's usage, with the cost in credits, of which one is a dollar."""
    return {**openai(t), "cost": t.cost_usd, "is_byok": False, **more}


def own_key(t: Truth, fee: float) -> dict[str, Any]:
    """OpenRouter with the owner's key: its fee in `cost`, what the provider takes upstream."""
    upstream = t.cost_usd / (1 + fee)
    details = {"upstream_inference_cost": upstream}
    return {**openai(t), "cost": t.cost_usd - upstream, "is_byok": True, "cost_details": details}


def xai(t: Truth) -> dict[str, Any]:
    """Reasoning beside the answer, within the total."""
    return {
        "prompt_tokens": t.prompt, "completion_tokens": t.visible, "total_tokens": t.prompt + t.answer,
        "completion_tokens_details": {"reasoning_tokens": t.reasoning}, "num_sources_used": 0,
    }  # fmt: skip


def anthropic(t: Truth) -> dict[str, Any]:
    """What came from the cache and went into it beside the input."""
    return {
        "input_tokens": t.prompt - t.cached - t.written, "output_tokens": t.answer,
        "cache_creation_input_tokens": t.written, "cache_read_input_tokens": t.cached,
    }  # fmt: skip


def google(t: Truth) -> dict[str, Any]:
    """Google's own names; thoughts beside the candidates."""
    return {
        "promptTokenCount": t.prompt, "candidatesTokenCount": t.visible, "thoughtsTokenCount": t.reasoning,
        "cachedContentTokenCount": t.cached, "totalTokenCount": t.prompt + t.answer,
    }  # fmt: skip


def deepseek(t: Truth) -> dict[str, Any]:
    """The prompt as hits and misses too."""
    hits = {"prompt_cache_hit_tokens": t.cached, "prompt_cache_miss_tokens": t.prompt - t.cached}
    return {**openai(t), **hits}


def perplexity(t: Truth) -> dict[str, Any]:
    """Reasoning and citations beside the rest, and in no total; the cost is an object."""
    half = t.prompt // 2
    return {
        "prompt_tokens": t.prompt - half, "citation_tokens": half, "completion_tokens": t.visible,
        "reasoning_tokens": t.reasoning, "num_search_queries": 2, "total_tokens": t.prompt - half + t.visible,
        "cost": {"input_tokens_cost": 0.0, "total_cost": t.cost_usd},
    }  # fmt: skip


Form = Callable[[Truth], Any]
CLEAR: Final[dict[str, Form]] = {
    "OpenRouter, Usage Accounting": lambda t: completion(openrouter(t)),
    "OpenRouter, own key, no fee (tailcallhq/forgecode 1641)": lambda t: completion(own_key(t, 0.0)),
    "OpenRouter, own key, fee (RooCodeInc/Roo-Code 5144)": lambda t: completion(own_key(t, 0.05)),
    "OpenRouter, own key not flagged (Usage Accounting, older)": lambda t: completion(
        {**own_key(t, 0.05), "is_byok": None}
    ),
    "OpenRouter, upstream within the cost (AutomatosAI/automatos-ai 745)": lambda t: completion(
        openrouter(t, cost_details={"upstream_inference_cost": t.cost_usd})
    ),
    "OpenRouter, cost as text": lambda t: completion(openrouter(t, cost=repr(t.cost_usd))),
    "xAI, Cost Tracking": lambda t: completion({**xai(t), "cost_in_usd_ticks": round(t.cost_usd * 1e10)}),
    "Perplexity, cost.total_cost": lambda t: completion(perplexity(t)),
    "DeepInfra, estimated_cost": lambda t: completion({**openai(t), "estimated_cost": t.cost_usd}),
    "LiteLLM, x-litellm-response-cost": lambda t: with_headers(
        completion(openai(t)), {"x-litellm-response-cost": repr(t.cost_usd)}
    ),
    "LiteLLM, _hidden_params.response_cost": lambda t: completion(
        openai(t), _hidden_params={"response_cost": t.cost_usd}
    ),
    "Vercel, providerMetadata.gateway.cost": lambda t: completion(
        openai(t), providerMetadata={"gateway": {"cost": repr(t.cost_usd)}}
    ),
    "Vercel, own key, marketCost": lambda t: completion(
        openai(t), providerMetadata={"gateway": {"cost": "0", "marketCost": repr(t.cost_usd)}}
    ),
    "wrapped in an object of the provider": lambda t: {"provider": completion(openrouter(t)), "id": "1"},
    "wrapped beside a message of its own": lambda t: {
        "code": 0,
        "message": "success",
        "data": completion(openrouter(t)),
    },
    "wrapped twice, in a list": lambda t: {"data": {"result": [completion(openrouter(t))]}},
    "a list of chunks, the last one with the usage": lambda t: [
        {"choices": [{"delta": {"content": TEXT}}]},
        {"choices": [], "usage": openrouter(t)},
    ],
}
"""Forms that name the cost: booked is what was charged."""
COUNTED: Final[dict[str, Form]] = {
    "OpenAI and Azure, Chat Completions": lambda t: completion(openai(t)),
    "OpenAI, Responses": lambda t: {
        "output": [{"type": "message", "content": [{"type": "output_text", "text": TEXT}]}],
        "usage": {
            "input_tokens": t.prompt, "output_tokens": t.answer, "total_tokens": t.prompt + t.answer,
            "input_tokens_details": {"cached_tokens": t.cached},
            "output_tokens_details": {"reasoning_tokens": t.reasoning},
        },
    },
    "xAI without a cost (UKGovernmentBEIS/inspect_ai 5528)": lambda t: completion(xai(t)),
    "Google, OpenAI's form, thoughts in the total alone (mozilla-ai/any-llm 1290)": lambda t: completion(
        {k: v for k, v in xai(t).items() if k != "completion_tokens_details"}
    ),
    "Google, thoughts alone (router-for-me/CLIProxyAPI 5733)": lambda t: completion(
        {"prompt_tokens": t.prompt, "completion_tokens": 0, "total_tokens": t.prompt + t.answer,
         "completion_tokens_details": {"reasoning_tokens": t.answer}}
    ),
    "Google, usageMetadata": lambda t: {
        "candidates": [{"content": {"parts": [{"text": TEXT}]}}], "usageMetadata": google(t)
    },
    "Anthropic, Messages": lambda t: {"content": [{"type": "text", "text": TEXT}], "usage": anthropic(t)},
    "Anthropic, its stream's events": lambda t: [
        {"type": "message_start", "message": {"content": [], "usage": {**anthropic(t), "output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": TEXT}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": t.answer}},
    ],
    "LiteLLM, cache fields within the prompt (BerriAI/litellm 11364)": lambda t: completion(
        {**openai(t), "cache_creation_input_tokens": t.written, "cache_read_input_tokens": t.cached}
    ),
    "DeepSeek, Create Chat Completion": lambda t: completion(deepseek(t)),
    "Groq, x_groq.usage": lambda t: completion(x_groq={"id": "r", "usage": openai(t)}),
    "Mistral, vLLM, llama.cpp: three counts": lambda t: completion(
        {name: openai(t)[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    ),
    "SGLang, reasoning_tokens beside the counts": lambda t: completion(
        {"prompt_tokens": t.prompt, "completion_tokens": t.answer, "total_tokens": t.prompt + t.answer,
         "reasoning_tokens": t.reasoning, "prompt_tokens_details": None}
    ),
    "Cohere, usage.billed_units": lambda t: {
        "message": {"content": [{"type": "text", "text": TEXT}]},
        "usage": {"billed_units": {"input_tokens": t.prompt, "output_tokens": t.answer}},
    },
    "Cohere, meta.tokens": lambda t: {
        "text": TEXT, "meta": {"tokens": {"input_tokens": t.prompt, "output_tokens": t.answer}}
    },
    "Ollama, /api/chat": lambda t: {
        "message": {"content": TEXT}, "done": True, "prompt_eval_count": t.prompt, "eval_count": t.answer
    },
    "llama.cpp, timings": lambda t: completion(
        timings={"cache_n": t.cached, "prompt_n": t.prompt - t.cached, "predicted_n": t.answer}
    ),
    "llama.cpp, /completion": lambda t: {
        "content": TEXT, "tokens_evaluated": t.prompt, "tokens_predicted": t.answer
    },
    "Moonshot, in the choice (earendil-works/pi 2017)": lambda t: {
        "choices": [{"message": {"content": TEXT}, "usage": openai(t)}]
    },
    "LangChain, response_metadata.token_usage": lambda t: {
        "content": TEXT, "response_metadata": {"token_usage": openai(t)}
    },
    "numbers as text": lambda t: completion(
        {name: str(number) for name, number in openai(t).items() if isinstance(number, int)}
    ),
    "a total and the prompt": lambda t: completion(
        {"prompt_tokens": t.prompt, "total_tokens": t.prompt + t.answer}
    ),
    "a total and the answer": lambda t: completion(
        {"completion_tokens": t.answer, "total_tokens": t.prompt + t.answer}
    ),
    "a list of usages": lambda t: completion(
        [{"prompt_tokens": t.prompt - 1, "completion_tokens": 1},
         {"prompt_tokens": 1, "completion_tokens": t.answer - 1}]
    ),
}  # fmt: skip
"""Forms with tokens alone: tokens are booked as they are, money by the price, cached or not."""
UNCLEAR: Final[dict[str, Form]] = {
    "no usage": lambda _: completion(),
    "usage null (langchain-ai/langchain 30390)": lambda _: completion({}) | {"usage": None},
    "usage empty": lambda _: completion({}),
    "all zeros (langchain-ai/langchain 4897)": lambda _: completion(
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    ),
    "the stream's first count (Anthropic, message_start)": lambda t: completion(
        {"input_tokens": t.prompt, "output_tokens": 1}
    ),
    "negative": lambda _: completion({"prompt_tokens": -1, "completion_tokens": -1, "cost": -1}),
    "not a number": lambda _: completion({"prompt_tokens": float("nan"), "completion_tokens": "many"}),
    "too large": lambda _: completion({"prompt_tokens": 10**400, "completion_tokens": 1e300, "cost": 1e300}),
    "the total alone": lambda t: completion({"total_tokens": t.prompt + t.answer}),
    "the answer alone": lambda t: completion({"completion_tokens": t.answer}),
    "the prompt alone": lambda t: completion({"prompt_tokens": t.prompt}),
    "cost 0 of a gateway without a price (BerriAI/litellm 13790)": lambda t: completion(
        {**openai(t), "cost": 0}
    ),
    "own key, cost 0 and no upstream (paperclipai/paperclip 5598)": lambda t: completion(
        {**openai(t), "cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}
    ),
    "reasoning, no total": lambda t: completion(
        {"prompt_tokens": t.prompt, "completion_tokens": t.answer,
         "completion_tokens_details": {"reasoning_tokens": t.reasoning}}
    ),
    "Anthropic's cache beside a prompt, no details (LiteLLM before 1.60)": lambda t: completion(
        {"prompt_tokens": t.prompt - t.cached - t.written, "completion_tokens": t.answer,
         "cache_creation_input_tokens": t.written, "cache_read_input_tokens": t.cached}
    ),
    "another currency": lambda t: completion({**openai(t), "cost": 1e-9, "currency": "CNY"}),
    "credits of another kind": lambda t: completion(
        {**openai(t), "cost": {"amount": 1e-9, "currency": "XNO"}}
    ),
}  # fmt: skip
"""Forms that leave something out: booked is at least the truth, and at most the request's worst."""
