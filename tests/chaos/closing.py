"""Each project's next worker, undisturbed, and then Gather's own look whether brain and MongoDB are equal."""

import json
import os
import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from gather_contracts import names
from gather_contracts.resource import parse_run
from tests.chaos.played_operator import DEPARTMENTS, PlayedOperator
from tests.chaos.world import World

SYNC_TIMEOUT_S: Final = 300
DIFFERENCES: Final = ("new", "changed", "deleted", "refused")


def close_projects(
    world: World, operator: PlayedOperator, say: Callable[[str], None]
) -> dict[str, list[str]]:
    """Run one more department where anything was left; return in which projects the brain differs then."""
    with world.mongodb() as mongodb:
        for number, project_id in enumerate(operator.projects):
            checkpoints = mongodb[names.gather_database(project_id)][names.CHECKPOINTS_COLLECTION]
            left = {"$or": [{"unindexed.0": {"$exists": True}}, {"pending.0": {"$exists": True}},
                            {"evaluation": "sending"}]}  # fmt: skip
            if checkpoints.count_documents(left):
                operator.play(_closing_run(number, project_id))
    found: dict[str, list[str]] = defaultdict(list)
    for project_id in operator.projects:
        report = _dry_look(world, operator, project_id)
        if differs := {kind: report[kind] for kind in DIFFERENCES if report[kind]}:
            found[project_id].append(f"the brain differs from MongoDB: {differs}")
    say(f"{len(operator.projects)} projects, {len(found)} of them with a brain that differs")
    return found


def _closing_run(number: int, project_id: str) -> Any:
    spec = {
        "projectId": project_id, "userId": "chaos", "departments": [DEPARTMENTS[0]], "maxIterations": 1,
        "enableAutoEvaluation": False,
    }  # fmt: skip
    metadata = {"name": f"closing-{number}", "namespace": "chaos", "uid": str(uuid.uuid4()), "generation": 1}
    return parse_run({"metadata": metadata, "spec": spec})


def _dry_look(world: World, operator: PlayedOperator, project_id: str) -> dict[str, Any]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    command = ["sync", "--project", project_id, "--dry-run"]
    done = operator.forks.run(command, {**environment, **world.environment()}, SYNC_TIMEOUT_S)
    if done.returncode:
        raise RuntimeError(f"sync ended with {done.returncode}: {done.stderr}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report
