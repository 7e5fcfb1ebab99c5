"""Looks whether an endpoint has a model, before anything of a department is paid for."""

from typing import Final

from gather_worker.errors import ModelError
from gather_worker.llm.asking.faults import Fault, fault_of
from gather_worker.llm.asking.sender import Sender
from gather_worker.llm.billing.prompt_bound import PromptSize
from gather_worker.llm.model_names import PROBE_TOKENS, MissingModel, is_listed, nearest, probe

PROMPT: Final = PromptSize(PROBE_TOKENS)
MISSING: Final = frozenset({Fault.MODEL, Fault.ADDRESS})
"""Faults by which an endpoint that lists models says that it does not have this one."""


async def find_missing(sender: Sender, model: str, timeout_s: float) -> MissingModel | None:
    """Return that the endpoint does not have the model; None where it has, or where that is not known.

    A model that its list lacks is sent a tiny request. `timeout_s` limits the list and the request, each.
    Raises BudgetUsed, what `Attempt.race` raises, and what keeping the ledger raises.
    """
    endpoint, race = sender.endpoint, sender.attempt.race
    listed = await race(endpoint.list_models(timeout_s))
    if not listed or is_listed(model, listed):
        return None
    try:
        reserve = await sender.budget.reserve(
            model, PROMPT, PROBE_TOKENS, lambda name: race(endpoint.find_price(name))
        )
    except ModelError:
        return None  # the price list cannot be read now; the first request says what follows
    try:
        body = await race(endpoint.complete(probe(model), timeout_s))
    except ModelError as error:
        await sender.charges.refused(reserve, error, PROBE_TOKENS)
        is_missing = error.refusal is not None and fault_of(error.refusal) in MISSING
        return MissingModel(model, nearest(model, listed)) if is_missing else None
    await sender.charges.book(reserve, sender.charges.of_body(reserve, body, PROBE_TOKENS), PROMPT)
    return None
