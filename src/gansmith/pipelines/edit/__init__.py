"""Control of a trained generator: interpolation, style mixing, inversion of a picture, directions in its latents."""

from .directions import Directions
from .editor import Editor
from .invert import Inverted

__all__ = ["Directions", "Editor", "Inverted"]
