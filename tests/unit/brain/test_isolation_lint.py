"""What keeps tenants apart is checked in the source: no query from input, no way round the repository."""

import ast
from pathlib import Path

import pytest

import gather_brain
from gather_brain.store.cypher import departments, keys, nodes, schema, search
from gather_brain.vectors import raw_cosine

ROOM = Path(gather_brain.__file__).parent
MODULES = sorted(ROOM.rglob("*.py"))
CYPHER = sorted((ROOM / "store/cypher").glob("*.py"))
NODE_QUERIES = {
    name: value
    for module in (departments, keys, nodes, schema, search)
    for name, value in vars(module).items()
    if isinstance(value, str)
    and ("(n:Node" in value or "(d:Department" in value)
    and "INDEX node_" not in value
    and "CONSTRAINT" not in value
}


@pytest.mark.parametrize("name", [name for name in NODE_QUERIES if not name.startswith("_")])
def test_every_query_on_nodes_names_the_project(name: str) -> None:
    """Each MATCH of a node or department stands with the project's id, or the index's filter does."""
    query = NODE_QUERIES[name]
    matches = query.count("(n:Node") + query.count("(d:Department")
    named = query.count("{projectId: $projectId") + query.count("n.projectId = $projectId")
    assert matches == named


@pytest.mark.parametrize("module", CYPHER, ids=lambda path: str(path.name))
def test_queries_hold_no_place_for_formatting(module: Path) -> None:
    """Constants only: no f-string, no format, no percent, and joined with constants alone."""
    tree = ast.parse(module.read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.Call)]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOM)))
def test_only_the_database_module_touches_the_driver(module: Path) -> None:
    """There is no other way to Neo4j."""
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(module.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert "neo4j" not in imported or module == ROOM / "store/database.py"


@pytest.mark.parametrize(
    ("made", "place"), [("ProjectRepository", "access.py"), ("Departments", "store/repository.py")]
)
@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOM)))
def test_only_a_principal_makes_a_repository(module: Path, made: str, place: str) -> None:
    """The constructor is called in one place, after the key's projects were checked; its parts, by it."""
    calls = [
        node
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == made
    ]
    assert len(calls) == (1 if module == ROOM / place else 0)


@pytest.mark.parametrize(
    ("score", "cosine"), [(1.0, 1.0), (0.95, 0.9), (0.9, 0.8), (0.5, 0.0), (0.1, 0.0), (1.0000001, 1.0)]
)
def test_neo4js_score_becomes_raw_cosine(score: float, cosine: float) -> None:
    """0.90 passed straight through would mean 0.80; a negative cosine is 0."""
    assert raw_cosine(score) == pytest.approx(cosine)
