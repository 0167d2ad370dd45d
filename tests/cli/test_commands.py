"""The commands on real pictures and a real run: what they write, and what they print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image
from safetensors.torch import load_file

from .conftest import Cli

TINY = ["--preset", "small", "--batch", "32", "--tick", "64"]
OWN = """
from dataclasses import dataclass

import torch
from torch import nn

from gansmith import Batch, Networks, Phase, Recipe


@dataclass(frozen=True, kw_only=True)
class Mine(Recipe):
    width: int = 8

    def networks(self, spec):
        n = spec.channels * spec.size**2
        G = nn.Sequential(nn.Linear(self.width, n), nn.Tanh(), nn.Unflatten(1, (spec.channels, spec.size, spec.size)))
        return Networks({"G": G, "D": nn.Sequential(nn.Flatten(), nn.Linear(n, 1))})

    def phases(self):
        return {"D": Phase(("D",), self.d_loss), "G": Phase(("G",), self.g_loss)}

    def d_loss(self, nets, batch, ctx):
        fake = nets.G(ctx.randn(batch, self.width)).detach()
        return {"adv": (nets.D(fake) - nets.D(batch["x"])).squeeze(1)}

    def g_loss(self, nets, batch, ctx):
        return {"adv": -nets.D(nets.G(ctx.randn(batch, self.width))).squeeze(1)}

    def optimizer(self, name, params):
        return torch.optim.SGD(params, lr=1e-3)

    def generate(self, nets, request, ctx):
        return Batch(x=nets.G(ctx.randn(request, self.width)))
"""


def newest(run: Path) -> Path:
    return sorted(run.glob("step-*"))[-1]


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_a_run_folder_holds_all_that_is_promised(trained: Path) -> None:
    for name in ("config.yaml", "log.jsonl", "samples", "report.html", "tb"):
        assert (trained / name).exists(), name
    settings = yaml.safe_load((trained / "config.yaml").read_text(encoding="utf-8"))
    assert settings["recipe"]["name"] == "gan"
    assert settings["train"]["samples"] == 384
    assert settings["about"]["data"] == "bundled:fashion-mnist"
    assert size_of(sorted((trained / "samples").glob("*.png"))[-1]) == (256, 256)


def test_a_dry_run_says_everything_and_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    told = cli("train", "bundled:fashion-mnist", "--dry-run", "--out", "run", "--minutes", "3", "recipe.latent=32")
    assert told.code == 0
    for text in ("10,000 pictures", "recipe", "dcgan", "small", "3 minutes", "parameters: G", "dry run"):
        assert text in told.out, text
    assert not (tmp_path / "run").exists()


def test_train_overwrite_and_counts_with_units(cli: Cli, tmp_path: Path) -> None:
    arguments = ["train", "bundled:fashion-mnist", "--recipe", "gan", *TINY, "--samples", "0.064k", "--out", "a b/ä"]
    told = cli(*arguments, "recipe.latent=16")
    assert told.code == 0, told
    assert "gansmith generate 'a b/ä' -n 64" in told.out
    run = tmp_path / "a b" / "ä"
    settings = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    assert (settings["train"]["samples"], settings["recipe"]["fields"]["latent"]) == (64, 16)
    assert cli(*arguments, "--overwrite", "--seed", "5").code == 0
    assert yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["train"]["seed"] == 5


def test_resume_to_a_greater_length_equals_one_long_run(cli: Cli, tmp_path: Path) -> None:
    arguments = ["train", "bundled:fashion-mnist", "--recipe", "gan", *TINY]
    assert cli(*arguments, "--samples", "256", "--out", "whole").code == 0
    assert cli(*arguments, "--samples", "128", "--out", "parts").code == 0
    assert cli("resume", "parts", "--samples", "256").code == 0
    for name in ("G", "D", "G.ema"):
        whole, parts = (load_file(newest(tmp_path / run) / f"{name}.safetensors") for run in ("whole", "parts"))
        assert whole.keys() == parts.keys()
        assert all((whole[k] == parts[k]).all() for k in whole), name


def test_generate_writes_a_file_each_and_a_grid(cli: Cli, run: Path, tmp_path: Path) -> None:
    told = cli("generate", run, "-n", "10", "--seed", "3", "--out", "made/here")
    assert told.code == 0
    files = sorted((tmp_path / "made" / "here").glob("0*.png"))
    assert len(files) == 10
    assert size_of(files[0]) == (32, 32)
    assert size_of(tmp_path / "made" / "here-grid.png") == (4 * 32, 3 * 32)
    assert cli("generate", run, "-n", "4", "--seed", "3", "--out", "again", "--no-grid").code == 0
    assert (tmp_path / "again" / "000002.png").read_bytes() == files[2].read_bytes()
    assert not (tmp_path / "again-grid.png").exists()


def test_generate_a_picture_of_each_seed(cli: Cli, run: Path, tmp_path: Path) -> None:
    told = cli("generate", run, "--seeds", "3,7-8", "--out", "each")
    assert told.code == 0, told
    assert "wrote 3 files" in told.out
    assert sorted(path.name for path in (tmp_path / "each").iterdir()) == ["000003.png", "000007.png", "000008.png"]
    assert cli("generate", run, "-n", "1", "--seed", "7", "--out", "one").code == 0
    assert (tmp_path / "one/000000.png").read_bytes() == (tmp_path / "each/000007.png").read_bytes()
    cli("generate", run, "--seeds", "1,2", "--seed", "3").refused("leave out -n and --seed")
    cli("generate", run, "--seeds", "one").refused("1,2,5 or 0-7")


def test_generate_one_class(cli: Cli, run: Path) -> None:
    assert cli("generate", run, "-n", "4", "--label", "Sneaker", "--out", "sneakers").code == 0


def test_an_exported_model_is_whole_and_small(cli: Cli, run: Path, tmp_path: Path) -> None:
    assert cli("generate", run, "--export", "model").code == 0
    names = {p.name for p in (tmp_path / "model").iterdir()}
    assert names == {"G.safetensors", "recipe.json", "manifest.json", "preview.png", "README.md"}
    assert cli("generate", run, "-n", "4", "--out", "a").code == 0
    assert cli("generate", "model", "-n", "4", "--out", "b").code == 0
    assert (tmp_path / "a-grid.png").read_bytes() == (tmp_path / "b-grid.png").read_bytes()
    cli("generate", run, "--export", "model").refused("model", "empty")


def test_a_damaged_checkpoint_is_passed_over_with_a_warning(cli: Cli, run: Path) -> None:
    path = newest(run) / "G.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    told = cli("generate", run, "-n", "2", "--out", "made")
    assert told.code == 0
    assert "warning" in told.err
    assert "G.safetensors is damaged" in told.err


def test_evaluate_prints_each_figure_with_its_protocol(cli: Cli, run: Path) -> None:
    told = cli("evaluate", run, "-n", "128", "--extractor", "fashion")
    assert told.code == 0
    assert told.out.count("fashion(n_real=128, n_fake=128, split=train") == 6
    assert "FID" not in told.out
    assert "biased" not in told.err or "warning" in told.err
    kept = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    assert [f["name"] for f in kept["figures"]] == [
        *("FD", "FD-floor", "KD", "KD-floor", "precision", "recall", "precision-floor", "recall-floor"),
        *("density", "coverage", "density-floor", "coverage-floor"),
    ]
    assert all("n_fake" in f["protocol"] for f in kept["figures"])
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [e["name"] for e in lines if e["event"] == "metric"][-12:] == [f["name"] for f in kept["figures"]]
    assert "n_fake=128" in (run / "report.html").read_text(encoding="utf-8")


def test_evaluate_says_what_it_used_without_inception(cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gansmith.metrics.extractors.find_weights", lambda name: None)
    told = cli("evaluate", run, "-n", "64", "--metric", "fid")
    assert told.code == 0
    assert "Inception's weights are not on this machine" in told.out
    assert "FD-fashion" in told.out
    assert "FID-fashion" not in told.out


def test_evaluate_a_folder_of_pictures(cli: Cli, run: Path) -> None:
    assert cli("generate", run, "-n", "64", "--out", "made", "--no-grid").code == 0
    told = cli("evaluate", "made", "--data", "bundled:fashion-mnist", "-n", "64", "--extractor", "fashion")
    assert told.code == 0, told
    assert "n_real=64, n_fake=64" in told.out
    cli("evaluate", "made").refused("--data")


def test_recipes_lists_and_shows(cli: Cli) -> None:
    told = cli("recipes")
    assert told.code == 0
    for name in ("gan", "dcgan", "cgan", "dcgan *", "r3gan **", "https://arxiv.org/abs/2501.05441"):
        assert name in told.out, name
    told = cli("recipes", "show", "r3gan", "--size", "64", "--preset", "small", "recipe.latent=7")
    assert told.code == 0
    for text in ("arXiv:2501.05441", "latent", "7", "64 x 64 x 3", "G  ", "D  "):
        assert text in told.out, text


def test_a_recipe_of_ones_own_trains_and_is_asked_for_again(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "my_gan.py").write_text(OWN)
    arguments = ["train", "bundled:fashion-mnist", "--recipe", "my_gan.py:Mine", "--batch", "32", "--samples", "64"]
    assert cli(*arguments, "--out", "own", "recipe.width=4").code == 0
    told = cli("generate", "own", "-n", "4")
    told.refused("my_gan.py:Mine", "gansmith generate own -n 4 --recipe my_gan.py:Mine")
    assert cli("generate", "own", "-n", "4", "--recipe", "my_gan.py:Mine").code == 0
    assert cli("resume", "own", "--samples", "128", "--recipe", "my_gan.py:Mine").code == 0
    cli("generate", "own", "--recipe", "gan").refused("Mine")


def test_weights_of_another_run(cli: Cli, run: Path, tmp_path: Path) -> None:
    arguments = ["train", "bundled:fashion-mnist", "--recipe", "gan", *TINY, "--samples", "32", "--from", run]
    told = cli(*arguments, "--out", "same")
    assert told.code == 0
    assert "G: 6 of 6 tensors\n" in told.err or "fresh" not in told.err
    assert "not carried over: optimizers" in told.err
    first, before = (
        load_file(p / "G.safetensors") for p in (sorted((tmp_path / "same").glob("step-*"))[0], newest(run))
    )
    assert all((first[k] == before[k]).all() for k in before)
    told = cli(*arguments, "--out", "other", "recipe.latent=7")
    assert told.code == 0
    assert "fresh:" in told.err


def test_a_gan_in_two_processes(shell: Cli, tmp_path: Path) -> None:
    told = shell(
        "train", "bundled:fashion-mnist", "--recipe", "gan", *TINY, "--samples", "64", "--devices", "2", "--out", "two"
    )
    assert told.code == 0, told.err
    assert told.out.count("parameters:") == 1, "only the first process prints"
    assert told.out.count("done.") == 1
    assert (newest(tmp_path / "two") / "G.safetensors").exists()


def test_only_the_first_process_speaks(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    told = cli("train", "nowhere")
    assert (told.code, told.err, told.out) == (2, "", "")


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["recipes"], ["report", "--help"]])
def test_what_needs_no_torch_does_not_import_it(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom gansmith.cli.main import main\ntry:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert end.code == 0, end.code\nassert 'torch' not in sys.modules\n"
        "assert 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program, *arguments], check=True, stdout=subprocess.DEVNULL)


def test_an_old_terminal_and_a_home_that_cannot_be_written(shell: Cli, run: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "HOME": str(home), "XDG_CACHE_HOME": ""}
    run = run.rename(tmp_path / "größe 图")
    told = shell("report", run, env=plain)
    assert told.code == 0, told.err
    told = shell("generate", run, "-n", "2", "--out", tmp_path / "naïve", env=plain)
    assert told.code == 0, told.err
    assert (tmp_path / "naïve-grid.png").exists()


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m gansmith recipes show gan | head -n 1; exit ${{PIPESTATUS[0]}}"
    told = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, env={**os.environ})
    assert "Traceback" not in told.stderr
    assert "Exception" not in told.stderr


def test_the_version(cli: Cli) -> None:
    import gansmith

    assert cli("--version").out == f"gansmith, version {gansmith.__version__}\n"
