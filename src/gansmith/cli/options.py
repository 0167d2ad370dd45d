"""Option types and options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from ..errors import did_you_mean

F = TypeVar("F", bound=Callable[..., Any])
UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


class Count(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on
    """A whole number of things, more than zero: 50000, 50_000, 200k, 1.5M."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([\d_]+(?:\.\d+)?(?:e\d+)?)([kmg]?)", str(value).strip().lower())
        if not found:
            self.fail(f"wanted a number such as 64, 200k or 5M: {value}", param, ctx)
        number = float(found[1].replace("_", "")) * UNITS[found[2]]
        if number < 1 or number != int(number):
            self.fail(f"wanted a whole number above 0: {value}", param, ctx)
        return int(number)


class Above(click.ParamType):  # type: ignore[type-arg]
    """A number above zero."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(f"wanted a number: {value}", param, ctx)
        if not 0 < number < float("inf"):
            self.fail(f"wanted a number above 0: {value}", param, ctx)
        return number


class Layers(click.ParamType):  # type: ignore[type-arg]
    """A network and a number of its layers: D:4."""

    name = "NETWORK:N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        network, colon, count = str(value).partition(":")
        if not network or not colon or not count.isdecimal():
            self.fail(f"wanted a network and a number of layers, such as D:4: {value}", param, ctx)
        return network, int(count)


class Truncation(click.ParamType):  # type: ignore[type-arg]
    """A number for all, or for one class: 0.7, Boot=0.5."""

    name = "[CLASS=]NUMBER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str | None, float]:
        if isinstance(value, tuple):
            return value
        label, equals, text = str(value).rpartition("=")
        try:
            number = float(text)
        except ValueError:
            self.fail(f"wanted a number, or one for a class, such as 0.7 or Boot=0.5: {value}", param, ctx)
        return (label if equals else None), number


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """Seeds: 1,2,5 or 0-7."""

    name = "SEEDS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        found: list[int] = []
        for part in str(value).split(","):
            low, dash, high = part.strip().partition("-")
            if not low.isdecimal() or (dash and not high.isdecimal()):
                self.fail(f"wanted seeds such as 1,2,5 or 0-7: {value}", param, ctx)
            found += range(int(low), int(high if dash else low) + 1)
        return found


def truncated(command: F) -> F:
    """`--truncation 0.7 --truncation Boot=0.5`: None, a number, or numbers by class (see `strengths`)."""

    def mapping(ctx: click.Context, param: click.Parameter, given: tuple[tuple[str | None, float], ...]) -> Any:
        asked = dict(given)
        return asked[None] if list(asked) == [None] else asked or None

    told = "Below 1: likelier, less varied, where the recipe knows how; again for single classes: Boot=0.5."
    return click.option("--truncation", type=Truncation(), multiple=True, callback=mapping, help=told)(command)


COUNT, ABOVE, LAYERS, SEEDS = Count(), Above(), Layers(), Numbers()
UNIT = click.FloatRange(0, 1, min_open=True, max_open=True)


def debug(command: F) -> F:
    """`--debug`: main() looks for it among the arguments, so that it works for errors in them, too."""
    return click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")(command)


def from_file(command: F) -> F:
    """`--recipe my_gan.py:MyGAN` for a run that was made with a recipe of the user's own."""
    return click.option(
        "--recipe",
        metavar="FILE.py:NAME",
        help="The file of the run's recipe, if it is your own (code is never saved).",
    )(command)


def attributes(texts: Sequence[str]) -> dict[str, int]:
    """`("smiling=1,glasses=0",)` as {"smiling": 1, "glasses": 0}.

    Raises:
        click.UsageError: anything else.
    """
    found = {}
    for text in (part for given in texts for part in given.split(",")):
        name, equals, value = text.rpartition("=")
        if not equals or not name.strip() or value.strip() not in ("0", "1"):
            raise click.UsageError(f"wanted NAME=1 or NAME=0 of an attribute, several with commas, not: {text}")
        found[name.strip()] = int(value)
    return found


def where(command: F) -> F:
    """`--where smiling=1,glasses=0`, of pictures alone: None, or what `attributes` makes of it."""

    def parsed(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, int] | None:
        return attributes(given) or None

    told = "Of all pictures: an attribute, 0 or 1; several with commas."
    option = click.option("--where", multiple=True, metavar="NAME=0|1", callback=parsed, help=told)
    return option(command)


def overrides(texts: tuple[str, ...], options: list[str]) -> dict[str, str]:
    """`("recipe.latent=128",)` as `{"latent": "128"}`.

    Raises:
        click.UsageError: anything that is not `recipe.NAME=VALUE`; what was probably meant is offered.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        prefix, dot, field = name.partition(".")
        if not equals or not dot or prefix != "recipe" or not field:
            raise click.UsageError(f"wanted recipe.NAME=VALUE, this was: {text}{_meant(name, value, options)}")
        found[field] = value
    return found


def _meant(name: str, value: str, options: list[str]) -> str:
    bare = name.rpartition(".")[2]
    if f"--{bare}" in options:
        return f". Did you mean --{bare} {value or '...'}?"
    if value and "." not in name:
        return f". Did you mean recipe.{name}={value}?"
    return did_you_mean(name, ["recipe"]) if value else ""
