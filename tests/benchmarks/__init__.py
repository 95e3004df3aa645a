"""What users wait for, each beside something else in the same run.

    pytest tests/benchmarks --benchmark-only

Every benchmark states its target and says at the end whether it was met; none fails over time.
"""
