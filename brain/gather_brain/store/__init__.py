"""Neo4j: the only part of the brain that talks to it, and within it one folder that holds all Cypher."""
