"""The HTML report of a run, and the comparison of several."""

from .build import write_report
from .compare import write_comparison
from .record import Record, read

__all__ = ["Record", "read", "write_comparison", "write_report"]
