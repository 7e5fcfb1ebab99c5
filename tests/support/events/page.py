"""A run's page as somebody else would write it, by the rules of docs/events.md: JSON in, JSON out."""

import copy
from typing import Any

FINAL = {"Succeeded", "Failed", "Cancelled"}
ENDS = {
    "automation_complete": "Succeeded",
    "automation_failed": "Failed",
    "automation_cancelled": "Cancelled",
}


def taken(page: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """Return the page after one more event."""
    page = copy.deepcopy(page)
    if event["run_uid"] != page["run_uid"]:
        return page
    kind = event["type"]
    if kind == "automation_started":
        page["started_at"] = page["started_at"] or event["at"]
        page["departments_count"] = max(page["departments_count"], event["departments_count"])
        page["max_iterations"] = event["max_iterations"]
    if kind in ENDS and page["phase"] not in FINAL:
        page |= {"phase": ENDS[kind], "ended_at": page["ended_at"] or event["at"]}
        page |= {"reason": event.get("reason", ""), "message": event.get("message", "")}
    elif page["phase"] == "Pending" or (
        kind in ("department_started", "automation_started") and page["phase"] not in FINAL
    ):
        page |= {"phase": "Running", "reason": "", "message": ""}
    if "department" in event:
        _take_department(page, event)
    for line in event.get("summary", []):
        _improve(_department(page, line["department"]), line)
    return _summed(page, event)


def _department(page: dict[str, Any], slug: str) -> dict[str, Any]:
    for department in page["departments"]:
        if department["slug"] == slug:
            found: dict[str, Any] = department
            return found
    made = {
        "slug": slug, "name": "", "threshold": 0.0, "model": "", "attempt": 0, "phase": "Pending",
        "reason": "", "message": "", "started_at": "", "ended_at": "", "activity": "", "activity_at": "",
        "iterations": 0, "iteration_limit": 0,
        "items_created": 0, "cost_usd": 0.0, "tokens": 0, "quality_score": 0.0, "curve": [],
        "duplicates_dropped": None, "gaps": None,
    }  # fmt: skip
    page["departments"].append(made)
    return made


def _take_department(page: dict[str, Any], event: dict[str, Any]) -> None:
    d = _department(page, event["department"])
    kind = event["type"]
    d["name"] = event.get("department_name") or d["name"]
    d["threshold"] = event.get("threshold") or d["threshold"]
    d["model"] = event.get("model") or d["model"]
    d["attempt"] = max(d["attempt"], event.get("attempt", 0))
    has_ended = d["phase"] not in ("Pending", "Running")
    if kind == "department_started":
        d["started_at"] = min(filter(None, (d["started_at"], event["at"])))
    if kind in ("department_complete", "department_failed"):
        d["ended_at"] = min(filter(None, (d["ended_at"], event["at"])))
    if kind == "department_complete" and not has_ended:
        d |= {"phase": "Succeeded", "reason": "", "message": "", "activity": "", "activity_at": ""}
    elif kind == "department_failed" and not has_ended:
        d |= {"phase": "Failed", "reason": event["reason"], "message": ""}
        d |= {"activity": "", "activity_at": ""}
    elif not has_ended:
        if kind == "department_started" or d["phase"] == "Pending":
            d |= {"phase": "Running", "reason": "", "message": ""}
        doing = {"department_started": "generating", "iteration_complete": "generating"}
        doing["deduplicating"] = "deduplicating"
        if kind in doing and event["at"] >= d["activity_at"]:
            d |= {"activity": doing[kind], "activity_at": event["at"]}
    _improve(d, event | {"iterations": event.get("iteration", event.get("iterations_used", 0))})
    d["iteration_limit"] = max(d["iteration_limit"], event.get("total_iterations", 0))


def _improve(d: dict[str, Any], said: dict[str, Any]) -> None:
    """Numbers only grow."""
    for name in ("iterations", "items_created", "cost_usd", "tokens"):
        d[name] = max(d[name], said.get(name, 0))
    d["name"] = d["name"] or said.get("name", "")
    if said["iterations"] and "quality_score" in said:
        curve = {point["iteration"]: point["quality_score"] for point in d["curve"]}
        curve[said["iterations"]] = said["quality_score"]
        d["curve"] = [{"iteration": i, "quality_score": q} for i, q in sorted(curve.items())]
        d["quality_score"] = d["curve"][-1]["quality_score"]


def _summed(page: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    departments = page["departments"]
    scores = [d["quality_score"] for d in departments if d["curve"]]
    is_about_the_run = "department" not in event
    items = event.get("items_created", event.get("items_created_so_far", 0)) if is_about_the_run else 0
    return page | {
        "departments_count": max(page["departments_count"], len(departments)),
        "departments_ended": sum(d["phase"] not in ("Pending", "Running") for d in departments),
        "iterations": max(
            page["iterations"], sum(d["iterations"] for d in departments),
            event.get("total_iterations", 0) if is_about_the_run else 0,
        ),
        "items_created": max(page["items_created"], sum(d["items_created"] for d in departments), items),
        "quality_score": round(sum(scores) / len(scores), 2) if scores else 0.0,
        "cost_usd": round(sum(d["cost_usd"] for d in departments), 6),
        "tokens": sum(d["tokens"] for d in departments),
    }  # fmt: skip
