"""One picture: an encoded file or an array in, square uint8 pixels out. Imports neither torch nor the rest.

What is done, in this order: size limit, EXIF rotation, first frame, 16-bit and float to 8 bits, palettes and CMYK
to RGB, transparency laid on white, centre crop to a square, Lanczos resize.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from .listing import Blob, Unreadable

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

VERSION = 1  # counts up whenever the same file would give other pixels; part of the cache key
MAX_PIXELS = 1 << 27  # 134 million; below Pillow's own error limit, so that ours is the one that speaks
# EPS is left out because Pillow hands it to Ghostscript, which runs programs.
KNOWN = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF", "JPEG2000", "TGA")
Image.init()
FORMATS = tuple(f for f in KNOWN if f in Image.OPEN)  # Pillow can be built without some
ORIENTATION = 0x0112
PADDED = 28  # side of the MNIST family; 28 is no power of two, 32 is
PADDED_TO = 32

FACTS = {
    "rotated": "{n} turned upright, as their EXIF data ask",
    "first_frame": "{n} animated or of several pages: the first frame was taken",
    "16bit": "{n} of 16 bits scaled to 8 (x 255/65535)",
    "float": "{n} of floating-point values scaled to 8 bits",
    "cmyk": "{n} converted from CMYK to RGB",
    "palette": "{n} with a palette converted to their colours",
    "on_white": "{n} with transparency laid on white",
    "opaque": "{n} with a transparency that hides nothing: it was dropped",
    "to_grey": "{n} in colour made grey",
    "cropped": "{n} not square: the centre was kept",
    "shrunk": "{n} shrunk (Lanczos)",
    "enlarged": "{n} ENLARGED, being smaller than asked for; a smaller size would serve better",
    "padded": "{n} of 28 x 28 padded with 2 black pixels on each side",
}


class Converted(NamedTuple):
    """Square pixels (size size c), and which of FACTS apply."""

    pixels: NDArray[np.uint8]
    facts: tuple[str, ...]


def convert(blob: Blob, size: int, channels: int | None) -> Converted:
    """Square uint8 pixels of one picture.

    Args:
        blob: an encoded picture, or pixels (h w c).
        size: side in pixels.
        channels: 1, 3 or 4; None gives 1 where red, green and blue are equal everywhere, else 3.

    Raises:
        Unreadable: with the reason.
    """
    with _telling_why():
        facts: list[str] = []
        picture = _square(_opened(blob, channels, facts), size, facts)
        pixels = np.asarray(picture, dtype=np.uint8)
        pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
        if channels is None and (pixels == pixels[:, :, :1]).all():
            pixels = pixels[:, :, :1]
        return Converted(np.ascontiguousarray(pixels), tuple(facts))


def open_picture(blob: Blob) -> tuple[Picture, tuple[str, ...]]:
    """One picture in its own size, grey (mode L) or RGB, upright and laid on white, and which of FACTS apply.

    Raises:
        Unreadable: with the reason.
    """
    with _telling_why():
        facts: list[str] = []
        picture = _opened(blob, None, facts)
        return picture, tuple(facts)


@contextmanager
def _telling_why() -> Iterator[None]:
    """Whatever goes wrong with a picture becomes Unreadable."""
    try:
        with warnings.catch_warnings():  # what Pillow warns of, the facts say in our words
            warnings.simplefilter("ignore")
            yield
    except Unreadable:
        raise
    except Exception as e:  # damaged data make Pillow raise nearly anything
        raise Unreadable(_reason(e)) from e


def _opened(blob: Blob, channels: int | None, facts: list[str]) -> Picture:
    if isinstance(blob, Unreadable):
        raise blob
    picture = _from_array(blob) if isinstance(blob, np.ndarray) else _upright(blob, facts)
    return _to_mode(picture, channels, facts)


class Shape(NamedTuple):
    """What a header says."""

    width: int
    height: int
    grey: bool


def shape(blob: Blob) -> Shape | None:
    """Width, height and whether it is grey, from the header alone; None where the header cannot be read."""
    if isinstance(blob, np.ndarray):
        return Shape(blob.shape[1], blob.shape[0], blob.shape[2] == 1)
    if isinstance(blob, Unreadable):
        return None
    try:
        picture = _header(blob)
    except Unreadable:
        return None
    return Shape(picture.width, picture.height, picture.mode in ("1", "L"))


def _header(data: bytes) -> Picture:
    if not data:
        raise Unreadable("an empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as e:
        claimed = re.search(r"\d+", str(e))
        raise _too_large(int(claimed.group()) if claimed else 0) from e
    except UnidentifiedImageError as e:
        raise Unreadable("not a picture in a known format") from e
    except Exception as e:  # a damaged header makes Pillow raise nearly anything
        raise Unreadable(_reason(e)) from e
    if picture.width * picture.height > MAX_PIXELS:
        raise _too_large(picture.width * picture.height)
    return picture


def _too_large(pixels: int) -> Unreadable:
    return Unreadable(f"claims {pixels:,} pixels; at most {MAX_PIXELS:,} are decoded")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"cannot be decoded: {text or type(error).__name__}"


def _upright(data: bytes, facts: list[str]) -> Picture:
    """The first frame, turned as its EXIF data ask, with its pixels loaded."""
    picture = _header(data)
    if picture.format == "PNG":  # decoding alone does not look at the checksums of the pixels
        Image.open(io.BytesIO(data), formats=("PNG",)).verify()
    # An MPO is a phone's JPEG with a second view behind it: neither animated nor worth a word.
    if picture.format != "MPO" and getattr(picture, "is_animated", False):
        facts.append("first_frame")
        picture.seek(0)
    try:
        orientation = picture.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF data leave a sound picture; it is shown as it lies
        orientation = 1
    picture.load()
    if orientation not in range(2, 9):
        return picture
    facts.append("rotated")
    return ImageOps.exif_transpose(picture)  # a TIFF is upright once loaded, and Pillow knows


def _from_array(pixels: NDArray[np.uint8]) -> Picture:
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _to_mode(picture: Picture, channels: int | None, facts: list[str]) -> Picture:
    """Mode L, RGB or RGBA, as `channels` asks."""
    picture = _to_8bit(picture, facts)
    if picture.mode in ("P", "PA"):
        facts.append("palette")
    if picture.mode == "CMYK":
        facts.append("cmyk")
    if channels == 4:
        return picture.convert("RGBA")
    if picture.has_transparency_data:
        picture = _on_white(picture, facts)
    if picture.mode == "1":
        picture = picture.convert("L")
    if channels == 1:
        if picture.mode != "L":
            rgb = np.asarray(picture.convert("RGB"))
            if (rgb != rgb[:, :, :1]).any():
                facts.append("to_grey")
        return picture.convert("L")
    return picture if channels is None and picture.mode == "L" else picture.convert("RGB")


def _on_white(picture: Picture, facts: list[str]) -> Picture:
    rgba = picture.convert("RGBA")
    if np.asarray(rgba)[:, :, 3].min() == 255:
        facts.append("opaque")
        return rgba.convert("RGB")
    facts.append("on_white")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _to_8bit(picture: Picture, facts: list[str]) -> Picture:
    if picture.mode == "F":
        facts.append("float")
        return Image.fromarray(_float_to_8bit(np.asarray(picture)))
    if picture.mode == "I" or picture.mode.startswith("I;"):
        facts.append("16bit")
        return Image.fromarray(_scale(np.asarray(picture).astype(np.int64)))
    return picture


def _scale(values: NDArray[np.int64]) -> NDArray[np.uint8]:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise Unreadable(f"whole numbers from {low} to {high}; only 0 to 65535 have a known scale")
    return ((values * 255 + 32767) // 65535).astype(np.uint8)


def _float_to_8bit(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    if not np.isfinite(values).all():
        raise Unreadable("floating-point values that are not finite")
    low, high = float(values.min()), float(values.max())
    for top in (1.0, 255.0, 65535.0):
        if low >= 0 and high <= top:
            return np.rint(values.astype(np.float64) * (255 / top)).astype(np.uint8)
    raise Unreadable(f"floating-point values from {low:g} to {high:g}; known scales are 0 to 1, 255 and 65535")


def _square(picture: Picture, size: int, facts: list[str]) -> Picture:
    width, height = picture.size
    if (width, height, size, picture.mode) == (PADDED, PADDED, PADDED_TO, "L"):
        facts.append("padded")
        return ImageOps.expand(picture, (PADDED_TO - PADDED) // 2, fill=0)
    side = min(width, height)
    if width != height:
        facts.append("cropped")
        left, top = (width - side) // 2, (height - side) // 2
        picture = picture.crop((left, top, left + side, top + side))
    if side == size:
        return picture
    facts.append("enlarged" if side < size else "shrunk")
    return picture.resize((size, size), Image.Resampling.LANCZOS)
