"""Benchmarks: what is measured, against what, and how it is shown. The commands are in tests/bench."""
