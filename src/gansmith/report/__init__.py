"""The HTML report of a run."""

from .build import write_report
from .record import Record, read

__all__ = ["Record", "read", "write_report"]
