"""Every kind of picture gives what a user expects, to the pixel where that can be said."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from gansmith.data.decode import convert, shape
from gansmith.data.listing import Unreadable


def encoded(picture, kind="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def test_rgb_png_at_its_own_size_is_untouched(picture):
    original = picture()
    pixels, facts = convert(encoded(original), 16, None)
    assert np.array_equal(pixels, np.asarray(original))
    assert facts == ()


def test_grey_becomes_one_channel_and_three_when_asked(picture):
    original = picture(mode="L")
    assert np.array_equal(convert(encoded(original), 16, None).pixels[:, :, 0], np.asarray(original))
    rgb = convert(encoded(original), 16, 3).pixels
    assert all(np.array_equal(rgb[:, :, c], np.asarray(original)) for c in range(3))


def test_rgb_file_that_is_grey_counts_as_grey(picture):
    grey = picture(mode="L")
    pixels, _ = convert(encoded(grey.convert("RGB")), 16, None)
    assert np.array_equal(pixels[:, :, 0], np.asarray(grey))
    assert pixels.shape == (16, 16, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_pixel_exact(picture, orientation):
    upright = picture(3)
    turn_back = {  # how a camera held in this way would have stored the upright picture
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if turn_back is None else upright.transpose(turn_back)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("PNG", "TIFF"):
        pixels, facts = convert(encoded(stored, kind, exif=exif), 16, None)
        assert np.array_equal(pixels, np.asarray(upright)), kind
        assert ("rotated" in facts) == (orientation > 1)


def test_16_bit_is_scaled_not_clipped():
    values = np.array([[0, 128, 257], [32768, 40000, 65535], [1000, 2000, 65278]], dtype=np.uint16)
    wanted = np.rint(values.astype(np.float64) * 255 / 65535).astype(np.uint8)
    assert wanted[1, 0] == 128
    for kind in ("PNG", "TIFF", "PPM"):
        pixels, facts = convert(encoded(Image.fromarray(values), kind), 3, None)
        assert np.array_equal(pixels[:, :, 0], wanted), kind
        assert facts == ("16bit",)


@pytest.mark.parametrize(("top", "values"), [(1.0, [0.0, 0.5, 1.0]), (255.0, [0.0, 100.0, 255.0])])
def test_float_tiff_is_scaled_by_its_range(top, values):
    row = np.array([values] * 3, dtype=np.float32)
    pixels, facts = convert(encoded(Image.fromarray(row), "TIFF"), 3, None)
    assert pixels[0, :, 0].tolist() == [round(v * 255 / top) for v in values]
    assert facts == ("float",)


def test_float_tiff_that_is_not_finite_is_unreadable():
    row = np.full((3, 3), np.nan, dtype=np.float32)
    with pytest.raises(Unreadable, match="not finite"):
        convert(encoded(Image.fromarray(row), "TIFF"), 3, None)


def test_transparency_is_laid_on_white_or_kept():
    rgba = Image.new("RGBA", (4, 4), (200, 100, 50, 0))
    rgba.putpixel((1, 1), (10, 20, 30, 255))
    rgba.putpixel((2, 2), (0, 0, 0, 127))
    pixels, facts = convert(encoded(rgba), 4, None)
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[1, 1].tolist() == [10, 20, 30]
    assert pixels[2, 2].tolist() == [128, 128, 128]
    assert facts == ("on_white",)
    assert np.array_equal(convert(encoded(rgba), 4, 4).pixels, np.asarray(rgba))


def test_grey_with_alpha_stays_grey():
    la = Image.new("LA", (4, 4), (0, 0))
    la.putpixel((0, 0), (90, 255))
    pixels, facts = convert(encoded(la), 4, None)
    assert pixels.shape == (4, 4, 1)
    assert pixels[0, 0, 0] == 90
    assert pixels[1, 1, 0] == 255
    assert facts == ("on_white",)


def test_palette_with_a_transparent_colour():
    p = Image.new("P", (4, 4), 0)
    p.putpalette([255, 0, 0, 0, 0, 255])
    p.putpixel((0, 0), 1)
    opaque, _ = convert(encoded(p), 4, None)
    assert opaque[0, 0].tolist() == [0, 0, 255]
    assert opaque[3, 3].tolist() == [255, 0, 0]
    pixels, facts = convert(encoded(p, transparency=0), 4, None)
    assert pixels[0, 0].tolist() == [0, 0, 255]
    assert pixels[3, 3].tolist() == [255, 255, 255]
    assert set(facts) == {"palette", "on_white"}
    assert convert(encoded(p, transparency=0), 4, 4).pixels[3, 3].tolist() == [255, 0, 0, 0]


@pytest.mark.parametrize(("colour", "cmyk"), [((255, 0, 0), (0, 255, 255, 0)), ((0, 255, 0), (255, 0, 255, 0))])
def test_cmyk_gives_the_plain_colours(colour, cmyk):
    for kind, options in (("TIFF", {}), ("JPEG", {"quality": 95})):
        pixels, facts = convert(encoded(Image.new("CMYK", (8, 8), cmyk), kind, **options), 8, None)
        assert np.abs(pixels[4, 4].astype(int) - colour).max() <= 3, kind
        assert facts == ("cmyk",)


def test_animation_gives_the_first_frame():
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "lime", "blue")]
    for kind, options in (("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        pixels, facts = convert(data, 8, None)
        assert pixels[3, 3].tolist() == [255, 0, 0], kind
        assert "first_frame" in facts, kind


def test_not_square_keeps_the_centre(picture):
    wide, tall = picture(1, (30, 16)), picture(2, (16, 21))
    assert np.array_equal(convert(encoded(wide), 16, None).pixels, np.asarray(wide)[:, 7:23])
    assert np.array_equal(convert(encoded(tall), 16, None).pixels, np.asarray(tall)[2:18])
    assert convert(encoded(wide), 16, None).facts == ("cropped",)


def test_resize_is_plain_lanczos(picture):
    original = picture(1, (40, 40))
    pixels, facts = convert(encoded(original), 16, None)
    assert np.array_equal(pixels, np.asarray(original.resize((16, 16), Image.Resampling.LANCZOS)))
    assert facts == ("shrunk",)
    assert convert(encoded(original), 64, None).facts == ("enlarged",)


def test_mnist_family_is_padded_with_black(picture):
    original = picture(1, (28, 28), "L")
    pixels, facts = convert(encoded(original), 32, None)
    assert np.array_equal(pixels[2:-2, 2:-2, 0], np.asarray(original))
    assert pixels.sum() == np.asarray(original).sum()
    assert facts == ("padded",)


def test_colour_made_grey_is_said(picture):
    original = picture()
    pixels, facts = convert(encoded(original), 16, 1)
    assert np.array_equal(pixels[:, :, 0], np.asarray(ImageOps.grayscale(original)))
    assert facts == ("to_grey",)
    assert convert(encoded(original.convert("L").convert("RGB")), 16, 1).facts == ()


def test_one_bit_and_lab_pictures():
    bit = Image.new("1", (4, 4), 1)
    bit.putpixel((0, 0), 0)
    assert convert(encoded(bit), 4, None).pixels[0, :2, 0].tolist() == [0, 255]
    rgb = Image.new("RGB", (4, 4), (200, 30, 60))
    profile = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.applyTransform(rgb, ImageCms.buildTransform(*profile, "RGB", "LAB"))
    assert lab is not None
    pixels = convert(encoded(lab, "TIFF"), 4, None).pixels
    assert np.abs(pixels[0, 0].astype(int) - (200, 30, 60)).max() <= 12


def test_shape_reads_the_header_alone(picture):
    assert shape(encoded(picture(size=(30, 20)))) == (30, 20, False)
    assert shape(encoded(picture(mode="L"))[:60]) == (16, 16, True)
    assert shape(b"nothing of the sort") is None


def test_postscript_is_never_handed_to_ghostscript():
    with pytest.raises(Unreadable, match="not a picture in a known format"):
        convert(encoded(Image.new("RGB", (8, 8)), "EPS"), 8, None)
