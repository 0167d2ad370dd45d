"""A benchmark of doctors for GANs: failures planted in plain PyTorch training loops, and healthy runs beside them.

    python -m benchmarks health run --seeds 0-9      plays every scenario, keeps what the doctor read and what is true
    python -m benchmarks health score --seeds 0-9    runs detectors and baselines over what was kept; trains nothing
    python -m benchmarks health page                 writes docs/benchmarks-health.md from the scores

A scenario is data (scenario.py), its loop is one that a user might have written (loop.py), and what is true of a run is
found by code of its own (oracle.py), which shares nothing with the doctor's. Seeds 0 to 9 are for tuning detectors,
seeds 100 to 109 for scores. The scenarios of unseen.py were written before any detector was tuned, and no detector may
be tuned on them.
"""
