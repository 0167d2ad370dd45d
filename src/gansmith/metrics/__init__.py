"""Judging what a generator makes: distances over features, each figure with the protocol it was measured by.

`gansmith.metrics.judge.judge` compares two streams of pictures; it is left out here, where its module has that name.
"""

from .base import Extractor, Figure, MeasuredBy, Metric, Seen, Side, Streaming, reduce
from .extractors import choose_extractor, figure_name, load_extractor
from .featurecache import real_features, take_features
from .functional import FrechetReference, frechet_distance, kid, moments, precision_recall
from .images.fid import FID
from .images.kid import KID
from .images.precision_recall import PrecisionRecall
from .judge import FewPictures, QuickJudge, lines, real_floor

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
    "Seen",
    "Side",
    "Streaming",
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
    "reduce",
    "take_features",
]
