"""All Cypher of the brain, as constants: nothing a caller sends is ever part of a query, only a parameter.

Every query on nodes names `$projectId`; a test holds that. There is one label for nodes of every type, and
the type is a property, so that no label is built from input.
"""
