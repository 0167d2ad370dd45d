"""Weights that others published, as models of this package: files of StyleGAN2, StyleGAN2-ADA, StyleGAN3 and R3GAN."""

from .models import Converted, convert

__all__ = ["Converted", "convert"]
