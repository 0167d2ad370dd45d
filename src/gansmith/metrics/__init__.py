"""Judging what a generator makes: distances over features, each figure with the protocol it was measured by.

`gansmith.metrics.judge.judge` compares two streams of pictures; it is left out here, where its module has that name.
"""

from .base import Extractor, Figure, MeasuredBy, Metric
from .extractors import choose_extractor, figure_name, load_extractor
from .featurecache import real_features, take_features
from .functional import FrechetReference, frechet_distance, kid, moments, precision_recall
from .images import FID, KID, PrecisionRecall
from .judge import FewPictures, QuickJudge, Settings, lines, real_floor

__all__ = [
    "FID",
    "KID",
    "Extractor",
    "FewPictures",
    "Figure",
    "FrechetReference",
    "MeasuredBy",
    "Metric",
    "PrecisionRecall",
    "QuickJudge",
    "Settings",
    "choose_extractor",
    "figure_name",
    "frechet_distance",
    "kid",
    "lines",
    "load_extractor",
    "moments",
    "precision_recall",
    "real_features",
    "real_floor",
    "take_features",
]
