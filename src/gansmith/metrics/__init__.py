"""Judging what a generator makes: distances over features, each figure with the protocol it was measured by.

`gansmith.metrics.judge.judge` compares generated pictures with real ones, and `gansmith.metrics.compare.compare` two
models; they are left out here, where their modules have those names.
"""

from .balls import precision_recall
from .base import Extractor, Figure, MeasuredBy, Metric, Seen, Side, Streaming, reduce
from .compare import Comparison, compare_seen
from .extractors import choose_extractor, figure_name, load_extractor
from .featurecache import real_features, take_features
from .functional import FrechetReference, frechet_distance, kid, moments
from .images.fid import FID
from .images.kid import KID
from .images.precision_recall import PrecisionRecall
from .judge import FewPictures, QuickJudge, lines, real_floor

__all__ = [
    "FID",
    "KID",
    "Comparison",
    "Extractor",
    "FewPictures",
    "Figure",
    "FrechetReference",
    "MeasuredBy",
    "Metric",
    "PrecisionRecall",
    "QuickJudge",
    "Seen",
    "Side",
    "Streaming",
    "choose_extractor",
    "compare_seen",
    "figure_name",
    "frechet_distance",
    "kid",
    "lines",
    "load_extractor",
    "moments",
    "precision_recall",
    "real_features",
    "real_floor",
    "reduce",
    "take_features",
]
