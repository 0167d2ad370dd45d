"""The report on a synthetic table: how good, how private, and a verdict that a data officer can sign or refuse."""

from .build import write_table_report
from .verdict import Criterion, Verdict, decide

__all__ = ["Criterion", "Verdict", "decide", "write_table_report"]
