"""The throw-away stores themselves: what the other contract tests rely on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import neo4j
import pymongo
import pytest
import redis
from tokenizers import Tokenizer

from dev.service_process import ServiceProcess
from dev.waiting import wait_for


def test_mongodb_keeps_what_is_written(mongodb_uri: str) -> None:
    with pymongo.MongoClient[dict[str, object]](mongodb_uri) as client:
        client["stores"]["kept"].insert_one({"_id": "1"})
        assert client["stores"]["kept"].count_documents({}) == 1


def test_redis_restarts_with_its_data(redis_store: ServiceProcess) -> None:
    with redis.Redis.from_url(redis_store.uri) as client:
        client.set("kept", "yes")
        with redis_store.absent():
            assert not redis_store.answers(redis_store.uri)
        assert client.get("kept") == b"yes"


@pytest.mark.long
def test_neo4j_restarts_with_its_data(neo4j_store: ServiceProcess) -> None:
    with neo4j.GraphDatabase.driver(neo4j_store.uri, auth=None) as driver:
        driver.execute_query("CREATE (:StoresTest {kept: true})")
    with neo4j_store.absent():
        assert not neo4j_store.answers(neo4j_store.uri)
    with neo4j.GraphDatabase.driver(neo4j_store.uri, auth=None) as driver:
        records, _, _ = driver.execute_query(
            "MATCH (n:StoresTest) WITH n, n.kept AS kept DELETE n RETURN kept"
        )
        assert [record["kept"] for record in records] == [True]


def test_neo4j_filters_a_vector_search_inside_its_index(neo4j_uri: str) -> None:
    with neo4j.GraphDatabase.driver(neo4j_uri, auth=None) as driver:
        driver.execute_query(
            "CYPHER 25 CREATE VECTOR INDEX stores_test "
            "FOR (n:StoresTestVector) ON n.embedding WITH [n.projectId] "
            "OPTIONS {indexConfig: {`vector.dimensions`: 2, `vector.similarity_function`: 'cosine'}}"
        )
        driver.execute_query("CALL db.awaitIndexes(60)")
        driver.execute_query(
            "UNWIND range(1, 20) AS i CREATE (:StoresTestVector {projectId: 'large', embedding: [1.0, 0.0]})"
        )
        driver.execute_query("CREATE (:StoresTestVector {projectId: 'small', embedding: [0.0, 1.0]})")
        records, _, _ = driver.execute_query(
            "CYPHER 25 MATCH (n:StoresTestVector) SEARCH n IN (VECTOR INDEX stores_test FOR [1.0, 0.0] "
            "WHERE n.projectId = 'small' LIMIT 10) SCORE AS s RETURN n.projectId AS project"
        )
        driver.execute_query("MATCH (n:StoresTestVector) DETACH DELETE n")
        driver.execute_query("DROP INDEX stores_test")
    assert [record["project"] for record in records] == ["small"]


def test_the_embedding_model_folder_is_whole(embedding_model_dir: Path) -> None:
    config = json.loads((embedding_model_dir / "config.json").read_text())
    tokenizer = Tokenizer.from_file(str(embedding_model_dir / "tokenizer.json"))
    assert config["dimensions"] == 384
    assert (embedding_model_dir / "model.onnx").stat().st_size > 20_000_000
    assert len(tokenizer.encode("a film by the sea").ids) > 0


def is_gone(status: Path) -> bool:
    """Return whether a process has ended; one that was not reaped has."""
    try:
        return "zombie" in status.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_store_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    starter = (
        "import os, signal, sys\n"
        "from dev.stores import running\n"
        "with running('redis') as store:\n"
        "    print(store._process.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", starter],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    pid = int(done.stdout.strip().splitlines()[-1])
    status = Path(f"/proc/{pid}/status")
    wait_for("the orphan's end", lambda: is_gone(status), 10)


def test_neo4j_reports_to_nobody(neo4j_uri: str) -> None:
    """As it has read its settings itself: a name that it did not know would change nothing."""
    silent = ["dbms.usage_report.enabled", "server.fleet_discovery.enabled", "dbms.fleet_manager.enabled"]
    with neo4j.GraphDatabase.driver(neo4j_uri, auth=None) as driver:
        records, _, _ = driver.execute_query("SHOW SETTINGS $names YIELD name, value", names=silent)
    assert {record["name"]: record["value"] for record in records} == dict.fromkeys(silent, "false")
