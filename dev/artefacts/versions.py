"""The versions of all that the one-machine cluster is made of: the only place that names them.

The Go module `dev/cluster/node/programs` pins the same with all they depend on; a test compares them.
"""

KUBERNETES = "1.34.10"
"""The last minor version that takes cgroup v1 without being asked to."""
COREDNS = "1.13.1"
HELM = "3.19.5"
"""The last minor version with the libraries of Kubernetes 1.34, which it shares with the node's programs."""
KUBE_ROUTER = "2.1.0"
"""Only its policy controller is built, not its routing nor its proxy. It is the newest version that the Go
module proxy serves, and flaws of it are known: it is for a development node alone."""
KIND = "0.30.0"
KIND_NODE = "kindest/node:v1.34.0@sha256:7416a61b42b1662ca6ca89f02028ac133a309a2a30ba309614e8ec94d976dc5a"
"""The node image that this kind was released with; nodes of the same minor version as ours."""
KWOK = "0.7.0"
"""Plays nodes and pods for the operator's benchmark."""
PROMETHEUS = "0.316.0"
"""Prometheus 3.16.0 under its Go module's number, and promtool: with them the charts' alerts are tested."""
KUBE_SCORE = "1.20.0"
"""A scanner of `make scan`."""
GO_AT_LEAST = (1, 26)
"""What our module and Prometheus' ask for."""
NEO4J = "2026.08.1"
"""Community; the first years' releases with `SEARCH ... WHERE` inside the vector index are 2026.x."""
JAVA_AT_LEAST = 21
"""What Neo4j 2026.x asks for."""
