"""Losses: pure functions of logits and samples, one value per example; the trainer reduces once."""
