"""The bundled classifier, the random networks, and the choice between extractors."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch
from torch import nn

from gansmith.errors import ConfigError, SpecError
from gansmith.metrics import extractors
from gansmith.metrics.base import Extractor
from gansmith.metrics.extractors import choose_extractor, figure_name, load_extractor
from gansmith.metrics.functional import frechet_distance, moments
from gansmith.nn.features.inception import SHA256
from gansmith.nn.features.precision import full_precision
from gansmith.spec import ImageSpec, Spec

GREY = ImageSpec(size=32, channels=1)


def pictures(n: int, size: int = 32, channels: int = 1, seed: int = 0) -> torch.Tensor:
    """Blobs of light at random places: smooth, unlike noise."""
    random = torch.Generator().manual_seed(seed)
    centre = torch.rand(n, 2, 1, 1, channels, generator=random) * size
    y, x = (torch.arange(size, dtype=torch.float32).view(s) for s in ((1, size, 1, 1), (1, 1, size, 1)))
    far = (y - centre[:, 0]).square() + (x - centre[:, 1]).square()
    return (255 * torch.exp(-far / (2 * (size / 6) ** 2))).byte()


@pytest.fixture(scope="module")
def fashion():
    return load_extractor("fashion")


@pytest.fixture(scope="module")
def random():
    return load_extractor("random")


def test_the_bundled_classifier_states_its_accuracy_and_is_small(fashion):
    assert fashion.accuracy >= 0.92
    assert sum(p.numel() for p in fashion.parameters()) * 4 < 1_000_000


@pytest.mark.parametrize("name", ["fashion", "random"])
@pytest.mark.parametrize(("size", "channels"), [(28, 1), (32, 1), (32, 3), (64, 4), (17, 3)])
def test_pictures_of_any_size_and_channels_give_finite_features(name, size, channels, request):
    extractor = request.getfixturevalue(name)
    features = extractor(pictures(3, size, channels))
    assert features.shape == (3, extractor.dim)
    assert features.dtype == torch.float32
    assert features.isfinite().all()
    assert extractor(pictures(0, size, channels)).shape == (0, extractor.dim)


def test_a_border_of_two_is_cut_off(fashion):
    small = pictures(4, 28)
    bordered = nn.functional.pad(small, (0, 0, 2, 2, 2, 2))
    assert torch.equal(fashion(small), fashion(bordered))


def test_grey_as_rgb_is_the_same_picture(fashion):
    grey = pictures(4)
    assert (fashion(grey) - fashion(grey.expand(-1, -1, -1, 3))).abs().max() < 1e-3


def test_random_weights_are_the_same_everywhere(random):
    assert random.digest == "c2972b273d2c"
    assert load_extractor("random").digest == random.digest


@pytest.mark.parametrize("name", ["fashion", "random"])
def test_the_distance_grows_with_the_damage(name, request):
    extractor = request.getfixturevalue(name)
    real, other = pictures(200), pictures(200, seed=1)
    noise = torch.randn(other.shape, generator=torch.Generator().manual_seed(2))
    damaged = [(other.float() + noise * s).clamp(0, 255).byte() for s in (0, 10, 40)]
    distances = [frechet_distance(*moments(extractor(real)), *moments(extractor(d))) for d in damaged]
    assert distances == sorted(distances)
    assert distances[2] > 5 * distances[0]


class Mean(nn.Module):
    """A user's own extractor."""

    name, resize, digest, dim = "mean", "none", "0", 1

    def forward(self, pixels):
        return pixels.float().mean((1, 2, 3))[:, None]


def test_a_users_extractor_is_taken_as_it_is_and_frozen():
    own = load_extractor(Mean())
    assert isinstance(own, Extractor)
    assert own.name == "mean"
    assert not own.training
    assert figure_name("fid", own) == "FD"


def test_an_object_without_the_attributes_is_refused_by_what_it_lacks():
    with pytest.raises(ConfigError, match="lacks: name, resize, digest, dim"):
        load_extractor(torch.sqrt)


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'inception'"):
        load_extractor("incepton")
    with pytest.raises(ConfigError, match="random has no setting: resize"):
        load_extractor("random", resize="clean")


def test_the_choice_without_inceptions_weights_says_what_is_used_instead(monkeypatch):
    monkeypatch.setattr(extractors, "find_weights", lambda name: None)
    chosen, reason = choose_extractor(GREY, "bundled:fashion-mnist")
    assert chosen.name == "fashion"
    assert "no FID-inception" in reason
    assert "FD-fashion" in reason
    chosen, reason = choose_extractor(ImageSpec(size=64), "photos/")
    assert chosen.name == "random"
    assert "FD-random" in reason


def test_the_choice_with_inceptions_weights(monkeypatch, shared_data):
    monkeypatch.setenv("GANSMITH_WEIGHTS", str(shared_data / "weights"))
    chosen, reason = choose_extractor(GREY, "photos/")
    assert chosen.name == "inception"
    assert figure_name("fid", chosen) == "FID"
    assert "inception" in reason


def test_a_preference_decides():
    chosen, reason = choose_extractor(GREY, "photos/", prefer="random")
    assert chosen.name == "random"
    assert "as asked" in reason


def test_the_gpu_flag_is_put_back_whatever_happens():
    flags = torch.backends.cudnn.conv
    before = flags.fp32_precision
    seen = []

    def fail_within():
        with full_precision(torch.device("cuda")):
            seen.append(flags.fp32_precision)
            raise KeyError

    with pytest.raises(KeyError):
        fail_within()
    assert seen == ["ieee"]
    assert flags.fp32_precision == before
    with full_precision(torch.device("cpu")):
        assert flags.fp32_precision == before


def test_no_code_of_the_judge_asks_for_a_data_set_by_name():
    folder = Path(extractors.__file__).parent
    files = [*folder.glob("*.py"), *(folder.parent / "nn" / "features").glob("*.py")]
    trees = [ast.parse(file.read_text()) for file in files]
    asked = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Compare | ast.Match)]
    names = {c.value for n in asked for c in ast.walk(n) if isinstance(c, ast.Constant)}
    assert len(trees) > 8
    assert not names & set(extractors.IN_DOMAIN)


def test_other_data_than_pictures_are_refused():
    class Rows(Spec):
        kind = "rows-for-this-test"
        bounds, request, decode, write, preview = {}, None, None, None, None

    with pytest.raises(SpecError, match="rows-for-this-test"):
        choose_extractor(Rows(), "table.csv")


def test_only_inceptions_own_weights_make_an_fid():
    own = Mean()
    own.name = "inception"
    assert [figure_name(m, own) for m in ("fid", "kid", "precision", "recall")] == ["FD", "KD", "precision", "recall"]
    own.digest = SHA256[:12]
    assert [figure_name(m, own) for m in ("fid", "kid")] == ["FID", "KID"]
