"""The page on a data set: what a look at its pictures found, with thumbnails; and the same as JSON."""

from .build import write_inspection

__all__ = ["write_inspection"]
