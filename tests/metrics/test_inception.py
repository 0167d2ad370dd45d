"""The network against torch-fidelity 0.4.0 with the same weights, its resizing against Pillow, its weights file.

inception_reference.npz holds pool3 features that torch-fidelity's FeatureExtractorInceptionV3 gave for pictures of the
clothing set (CC0; pixels included) and of the CIFAR-10 subset (by name in its archive). On 64 pictures of each set the
largest difference was 1.6e-5; on 500 of each, 2.3e-5 (features), 7.7e-6 (logits of an invented classifier) and 5.6e-5
(spatial), by tools/extractor_references.py, which also made vectors/extractors.npz. With these features
torchmetrics' documented example comes out as documented: FID at 64
features 12.6388, KID 0.0312 +- 0.0025.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from gansmith.errors import ConfigError, DataError
from gansmith.metrics.extractors import load_extractor
from gansmith.nn.features import weights
from gansmith.nn.features.inception import SHA256, WEIGHTS, ConvNorm, InceptionExtractor, InceptionV3, trunk_weights
from gansmith.nn.features.pixels import as_grey, as_rgb, check_pixels, clean, tf_bilinear

from .numbers_of import numbers

VECTORS = np.load(Path(__file__).with_name("vectors") / "extractors.npz")
REFERENCE = np.load(Path(__file__).with_name("inception_reference.npz"))
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "weights"


@pytest.fixture(scope="module")
def inception(folder):
    return InceptionExtractor(folder)


def test_features_equal_torch_fidelity_on_clothing(inception):
    found = inception(torch.from_numpy(REFERENCE["clothing_pixels"]))
    assert found.shape == (8, 2048)
    assert np.abs(found.numpy() - REFERENCE["clothing_features"]).max() <= TOLERANCE


def test_features_equal_torch_fidelity_on_cifar(inception, shared_data):
    with zipfile.ZipFile(shared_data / "images" / "cifar10_subset.zip") as archive:
        pictures = [np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in REFERENCE["cifar_names"][:4]]
    found = inception(torch.from_numpy(np.stack(pictures)))
    assert np.abs(found.numpy() - REFERENCE["cifar_features"][:4]).max() <= TOLERANCE


def test_heads_equal_torch_fidelity(folder, tmp_path):
    save_file({"fc.weight": numbers(1008, 2048, seed=1.0) / 30}, tmp_path / "head.safetensors")
    net = load_extractor("inception", weights=folder, head=tmp_path / "head.safetensors")
    assert net.heads == ("spatial", "logits")
    features, heads = net.look(torch.from_numpy(REFERENCE["clothing_pixels"][:2]), ("spatial", "logits"))
    assert np.abs(features.numpy() - REFERENCE["clothing_features"][:2]).max() <= TOLERANCE
    assert np.abs(heads["logits"].numpy() - VECTORS["logits"]).max() <= TOLERANCE
    assert np.abs(heads["spatial"].numpy() - VECTORS["spatial"]).max() <= TOLERANCE
    torch.save({"fc.weight": torch.zeros(1000, 2048)}, tmp_path / "wrong.pth")
    with pytest.raises(DataError, match=r"fc.weight of shape \(1008, 2048\).*\(1000, 2048\)"):
        load_extractor("inception", weights=folder, head=tmp_path / "wrong.pth")


def test_a_classifier_that_is_not_at_hand_says_where_it_is_to_be_had(inception):
    assert inception.heads == ("spatial",)
    picture = torch.from_numpy(REFERENCE["clothing_pixels"][:1])
    with pytest.raises(DataError, match=r"weights-inception-2015-12-05-6726825d.pth(.|\n)*releases(.|\n)*head="):
        inception.look(picture, ("logits",))
    with pytest.raises(DataError, match="not: depth"):
        inception.look(picture, ("depth",))


def test_bf16_is_for_gpus(folder):
    with pytest.raises(ConfigError, match="f32 or bf16"):
        load_extractor("inception", weights=folder, dtype="f16")
    half = load_extractor("inception", weights=folder, dtype="bf16")
    with pytest.raises(ConfigError, match="use f32: cpu"):
        half(torch.from_numpy(REFERENCE["clothing_pixels"][:1]))
    both = load_extractor("inception:clean:bf16", weights=folder)
    assert (both.resize, both.dtype) == ("clean", "bf16")
    assert load_extractor("inception:bf16", weights=folder).resize == "tf-bilinear"


def test_folding_the_norms_keeps_the_features(inception, folder):
    plain = InceptionV3()
    plain.load_state_dict(trunk_weights(folder))
    plain.eval()
    x = inception._prepared(torch.from_numpy(REFERENCE["clothing_pixels"][:1]))
    with torch.inference_mode():
        for before, after in zip(plain(x), inception.net(x), strict=True):
            assert (before - after).abs().max() < 1e-4


def test_folding_is_exact_in_float64():
    torch.manual_seed(0)
    layer = ConvNorm(3, 5, (1, 7)).double().eval()
    layer.bn.running_mean.normal_()
    layer.bn.running_var.uniform_(0.1, 2)
    torch.nn.init.normal_(layer.bn.weight)
    torch.nn.init.normal_(layer.bn.bias)
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    before = layer(x)
    layer.fold()
    assert (layer(x) - before).abs().max() < 1e-13


def test_batches_and_channels_change_nothing(inception):
    grey = torch.from_numpy(REFERENCE["clothing_pixels"][:2, :, :, :1].copy())
    opaque = torch.cat([grey[:1].expand(-1, -1, -1, 3), torch.full_like(grey[:1], 255)], 3)
    found = inception(grey)
    assert (found[1:] - inception(grey[1:])).abs().max() < 1e-4
    assert (found[:1] - inception(opaque)).abs().max() < 1e-4
    assert inception(grey[:0]).shape == (0, 2048)


def test_clean_resizing_gives_other_features(inception, folder):
    other = load_extractor("inception", weights=folder, resize="clean")
    assert (other.resize, inception.resize) == ("clean", "tf-bilinear")
    found = other(torch.from_numpy(REFERENCE["clothing_pixels"][:1]))
    assert np.abs(found.numpy() - REFERENCE["clothing_features"][:1]).max() > 0.05


def test_tf_bilinear_reads_where_the_graph_reads():
    x = torch.tensor([[10.0, 20.0], [30.0, 60.0]])[None, None]
    wanted = torch.tensor(  # positions 0, 0.5, 1, 1.5 -> the last stays on the border
        [[10, 15, 20, 20], [20, 30, 40, 40], [30, 45, 60, 60], [30, 45, 60, 60]]
    ).float()
    assert torch.equal(tf_bilinear(x, 4)[0, 0], wanted)
    assert torch.equal(tf_bilinear(x, 2), x)


def test_tf_bilinear_equals_torch_fidelity_to_the_bit():
    assert torch.equal(
        tf_bilinear(torch.from_numpy(VECTORS["tf_source"]), 21), torch.from_numpy(VECTORS["tf_bilinear"])
    )


@pytest.mark.parametrize("shape", [(7, 7), (32, 32), (64, 40), (299, 299), (300, 301), (400, 250), (1024, 1024)])
def test_clean_equals_pillow(shape):
    """To float32's own rounding of numbers up to 255."""
    pixels = torch.randint(0, 256, (1, *shape, 3), generator=torch.Generator().manual_seed(shape[1])).byte()
    channels = [Image.fromarray(pixels[0, ..., c].numpy().astype(np.float32)) for c in range(3)]
    resized = [np.asarray(c.resize((299, 299), Image.Resampling.BICUBIC)).clip(0, 255) for c in channels]
    assert np.abs(clean(as_rgb(pixels), 299)[0].numpy() - np.stack(resized)).max() < 2e-4


def test_colours_are_as_stated():
    rgba = torch.tensor([[[[255, 0, 0, 255], [0, 0, 0, 0]]]]).byte()
    assert as_rgb(rgba)[0, :, 0].T.tolist() == [[255.0, 0.0, 0.0], [255.0, 255.0, 255.0]]
    assert as_grey(rgba).flatten().tolist() == pytest.approx([0.299 * 255, 255.0])
    assert as_rgb(torch.tensor([[[[7]]]]).byte()).flatten().tolist() == [7.0, 7.0, 7.0]


@pytest.mark.parametrize(
    "wrong", [torch.zeros(1, 8, 8, 3), torch.zeros(1, 3, 8, 8).byte(), torch.zeros(8, 8, 3).byte()]
)
def test_other_than_uint8_pictures_are_refused(wrong):
    with pytest.raises(DataError, match=r"uint8 pictures \(b h w c\)"):
        check_pixels(wrong)


def test_unknown_resize_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match="Did you mean 'clean'"):
        InceptionExtractor(resize="cleam")


def test_absent_weights_say_where_to_put_them(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "weights_folders", lambda: [tmp_path / "weights"])
    with pytest.raises(DataError, match="nothing is downloaded") as caught:
        load_extractor("inception")
    message = str(caught.value)
    assert str(tmp_path / "weights") in message
    assert WEIGHTS in message
    assert "GANSMITH_WEIGHTS" in message
    assert SHA256[:12] in message
    assert message.count("\n") <= 2


def test_a_path_without_weights_is_named(tmp_path):
    with pytest.raises(DataError, match=str(tmp_path / "none.safetensors")):
        load_extractor("inception", weights=tmp_path / "none.safetensors")


def test_folders_are_searched_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("GANSMITH_WEIGHTS", str(tmp_path / "named"))
    monkeypatch.setenv("GANSMITH_CACHE", str(tmp_path / "cache"))
    assert weights.weights_folders()[:2] == [tmp_path / "named", tmp_path / "cache" / "weights"]
    save_file({"x": torch.zeros(1)}, _parent(tmp_path / "cache" / "weights" / "a"))
    assert weights.find_weights("a") == tmp_path / "cache" / "weights" / "a"
    save_file({"x": torch.ones(1)}, _parent(tmp_path / "named" / "a"))
    assert weights.find_weights("a") == tmp_path / "named" / "a"
    assert weights.find_weights("a", tmp_path / "cache" / "weights") == tmp_path / "cache" / "weights" / "a"


def test_one_flipped_byte_is_refused(folder, tmp_path):
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / WEIGHTS).write_bytes(data)
    with pytest.raises(DataError, match="damaged or another file"):
        InceptionExtractor(tmp_path)


def _parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
