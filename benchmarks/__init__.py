"""Measurements, written by `python -m benchmarks` to docs/benchmarks.md. Never run as tests."""
