"""The floor: seven Jobs a run, each made when the pod before has succeeded, and nothing else.

A process of its own: SERVER NAMESPACE RUNS USER STEPS. The user "floor-jobs" makes Jobs as the operator does.
"""

import asyncio
import sys

from gather_contracts import names
from tests.bench.operator.jobs import operator_job, small_job
from tests.bench.operator.plain_api import PlainApi


async def main(server: str, namespace: str, runs: int, user: str, steps: int) -> None:
    """Make all runs' Jobs and return when the last pod has succeeded."""
    async with PlainApi(server, user) as api, asyncio.TaskGroup() as group:
        jobs, pods = f"/apis/batch/v1/namespaces/{namespace}/jobs", f"/api/v1/namespaces/{namespace}/pods"

        make = small_job if user == "floor" else operator_job

        def begin(run: str, step: int) -> None:
            group.create_task(api.call("POST", jobs, make(namespace, run, step)))

        done: set[tuple[str, int]] = set()
        events = api.watch(pods)
        for number in range(runs):
            begin(f"run-{number:04d}", 0)
        async for event in events:
            pod = event["object"]
            labels = pod["metadata"]["labels"]
            run, step = labels[names.LABEL_RUN_UID], int(labels[names.LABEL_DEPARTMENT_INDEX])
            if pod.get("status", {}).get("phase") != "Succeeded" or (run, step) in done:
                continue
            done.add((run, step))
            if step + 1 < steps:
                begin(run, step + 1)
            if len(done) == runs * steps:
                return


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])))
