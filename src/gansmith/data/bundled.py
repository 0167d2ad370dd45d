"""Data that come with the package, so that a first try needs no network."""

from __future__ import annotations

from importlib import resources

import numpy as np

from ..errors import DataError, did_you_mean
from .arrays import list_array
from .listing import Listing, refuse_split

PREFIX = "bundled:"
FILES = {"fashion-mnist": "fashion_mnist.npz"}


def list_bundled(name: str, split: str | None) -> Listing:
    """`bundled:fashion-mnist`: the 10,000 test pictures of Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747; MIT).

    Raises:
        DataError: no bundled set of this name.
    """
    short = name.removeprefix(PREFIX)
    if short not in FILES:
        known = ", ".join(PREFIX + f for f in FILES)
        raise DataError(f"no bundled data {name!r}; there is: {known}.{did_you_mean(short, FILES)}")
    refuse_split(split, name)
    with resources.files("gansmith").joinpath("assets", FILES[short]).open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        x, y, classes = archive["x"], archive["y"], archive["classes"]
    listing = list_array(x, place=name)
    listing.labels, listing.classes = y.astype(np.int64), tuple(str(c) for c in classes)
    listing.cacheable = False
    return listing
