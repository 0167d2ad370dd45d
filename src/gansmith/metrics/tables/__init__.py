"""Judging synthetic tables: how alike they are, how useful, how private, each figure with what it was measured on."""

from .base import MeasuredOn, TableFigure
from .baselines import Bootstrap, GaussianCopula, IndependentColumns
from .judge import TableJudgement, judge_table
from .shadow import shadow_attack

__all__ = [
    "Bootstrap",
    "GaussianCopula",
    "IndependentColumns",
    "MeasuredOn",
    "TableFigure",
    "TableJudgement",
    "judge_table",
    "shadow_attack",
]
