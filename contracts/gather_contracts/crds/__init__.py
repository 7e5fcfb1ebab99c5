"""The CustomResourceDefinition, made of the models of a GatherRun."""
