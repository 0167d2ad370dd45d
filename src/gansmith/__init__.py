"""gansmith: generative adversarial networks for any kind of data.

    import gansmith as gs
    gs.train("photos/", out="runs/photos")                # looks at the data, chooses, says why
    make = gs.load("runs/photos")
    make(16, seed=0).save("grid.png")
    gs.evaluate("runs/photos", data="photos/")

Names are looked up when they are used: importing gansmith imports neither torch nor anything optional.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "Augment": "game",
    "Batch": "batch",
    "ConditionFailed": "pipelines.tables.drawing",
    "Context": "recipes.base",
    "Custom": "pipelines.tables.constraints",
    "Doctor": "health.doctor",
    "Editor": "pipelines.edit",
    "Evaluation": "pipelines.evaluate",
    "FixedCombinations": "pipelines.tables.constraints",
    "Game": "game",
    "GANOverSampler": "imbalance",
    "GansmithError": "errors",
    "Generator": "pipelines.generate",
    "ImageFolder": "data:ImageSource",
    "ImageSource": "data",
    "ImageSpec": "spec",
    "Inequality": "pipelines.tables.constraints",
    "Monitor": "training.monitors",
    "Networks": "recipes.base",
    "OneHot": "pipelines.tables.constraints",
    "Phase": "recipes.base",
    "Played": "game",
    "PrivateTableSynthesizer": "pipelines.tables.private",
    "Product": "pipelines.tables.formulas",
    "Range": "pipelines.tables.constraints",
    "Recipe": "recipes.base",
    "Samples": "pipelines.generate",
    "Solver": "game",
    "Source": "data.source",
    "Spec": "spec",
    "Sum": "pipelines.tables.formulas",
    "TableSynthesizer": "pipelines.tables.synthesizer",
    "TrainConfig": "training.config",
    "Trainer": "training.trainer",
    "Unique": "pipelines.tables.constraints",
    "compare": "pipelines.evaluate",
    "diagnose": "pipelines.diagnose",
    "convert": "migration",
    "evaluate": "pipelines.evaluate",
    "inspect": "pipelines.inspect",
    "load": "pipelines.generate",
    "open_source": "data",
    "oversample_lab": "imbalance",
    "resume": "pipelines.resume",
    "train": "pipelines.train",
    "write_report": "report",
}

if TYPE_CHECKING:
    from .batch import Batch as Batch
    from .data import ImageSource as ImageSource
    from .data import open_source as open_source
    from .data.source import Source as Source
    from .errors import GansmithError as GansmithError
    from .game import Augment as Augment
    from .game import Game as Game
    from .game import Played as Played
    from .game import Solver as Solver
    from .health.doctor import Doctor as Doctor
    from .imbalance import GANOverSampler as GANOverSampler
    from .imbalance import oversample_lab as oversample_lab
    from .migration import convert as convert
    from .pipelines.diagnose import diagnose as diagnose
    from .pipelines.edit import Editor as Editor
    from .pipelines.evaluate import Evaluation as Evaluation
    from .pipelines.evaluate import compare as compare
    from .pipelines.evaluate import evaluate as evaluate
    from .pipelines.generate import Generator as Generator
    from .pipelines.generate import Samples as Samples
    from .pipelines.generate import load as load
    from .pipelines.inspect import inspect as inspect
    from .pipelines.resume import resume as resume
    from .pipelines.tables.constraints import Custom as Custom
    from .pipelines.tables.constraints import FixedCombinations as FixedCombinations
    from .pipelines.tables.constraints import Inequality as Inequality
    from .pipelines.tables.constraints import OneHot as OneHot
    from .pipelines.tables.constraints import Range as Range
    from .pipelines.tables.constraints import Unique as Unique
    from .pipelines.tables.drawing import ConditionFailed as ConditionFailed
    from .pipelines.tables.formulas import Product as Product
    from .pipelines.tables.formulas import Sum as Sum
    from .pipelines.tables.private import PrivateTableSynthesizer as PrivateTableSynthesizer
    from .pipelines.tables.synthesizer import TableSynthesizer as TableSynthesizer
    from .pipelines.train import train as train
    from .recipes.base import Context as Context
    from .recipes.base import Networks as Networks
    from .recipes.base import Phase as Phase
    from .recipes.base import Recipe as Recipe
    from .report import write_report as write_report
    from .spec import ImageSpec as ImageSpec
    from .spec import Spec as Spec
    from .training.config import TrainConfig as TrainConfig
    from .training.monitors import Monitor as Monitor
    from .training.trainer import Trainer as Trainer

    ImageFolder = ImageSource

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    """A public name, or the class of a recipe (`gs.R3GAN`), imported when it is first asked for."""
    if name not in _WHERE and not name[:1].isupper():  # `from gansmith import config` asks here first, too
        raise AttributeError(f"module 'gansmith' has no attribute {name!r}")
    value = _public(name) if name in _WHERE else _recipe(name)
    globals()[name] = value
    return value


def _public(name: str) -> Any:
    module, _, other = _WHERE[name].partition(":")
    return getattr(importlib.import_module(f"gansmith.{module}"), other or name)


def _recipe(name: str) -> Any:
    from .errors import did_you_mean
    from .pipelines.catalogue import classes

    known = classes()
    if name not in known:
        raise AttributeError(f"module 'gansmith' has no attribute {name!r}.{did_you_mean(name, [*_WHERE, *known])}")
    return getattr(importlib.import_module(f"gansmith.recipes.{known[name]}"), name)


def __dir__() -> list[str]:
    from .pipelines.catalogue import classes

    return sorted([*globals(), *__all__, *classes()])
