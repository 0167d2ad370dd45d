"""Augmentations inside the loss: differentiable, batch in, batch out."""
