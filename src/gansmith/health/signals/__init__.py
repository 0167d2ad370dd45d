"""Numbers that say how a run fares: tensors in, floats out. Their names and healthy ranges are in docs/health.md."""
