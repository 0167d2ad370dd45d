"""Trains the bundled garment classifier on Fashion-MNIST's training pictures and writes it as safetensors.

    python tools/train_fashion_classifier.py --data /path/to/fashion-mnist --out src/gansmith/assets

`--data` holds the four IDX files (gzipped), e.g. of Debian's package dataset-fashion-mnist. About ten minutes on one
CPU thread. The test pictures choose nothing: they only give the accuracy that is written into the file.
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from gansmith.nn.features.fashion import ASSET, FashionNet, normalised


def read_idx(path: Path) -> Tensor:
    """An IDX file of bytes: two zero bytes, type 8, number of axes, the big-endian sizes, the values."""
    raw = gzip.decompress(path.read_bytes())
    axes = raw[3]
    shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes)]
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape).copy())


def load(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Normalised pictures (n 1 28 28) and labels (n,) of `train` or `t10k`."""
    pictures = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    return normalised(pictures[..., None]), read_idx(folder / f"{part}-labels-idx1-ubyte.gz").long()


def augmented(x: Tensor) -> Tensor:
    """Mirrors half of the pictures. (Fashion-MNIST is centred: shifting it made the classifier worse.)"""
    mirror = torch.rand(len(x)) < 0.5
    return torch.where(mirror[:, None, None, None], x.flip(3), x)


@torch.inference_mode()
def accuracy(net: FashionNet, x: Tensor, y: Tensor) -> float:
    net.eval()
    return sum(int((net(a).argmax(1) == b).sum()) for a, b in zip(x.split(500), y.split(500), strict=True)) / len(x)


def train(net: FashionNet, x: Tensor, y: Tensor, test: tuple[Tensor, Tensor], epochs: int, batch: int) -> None:
    steps = epochs * (len(x) // batch)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=2e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=steps, pct_start=0.25)
    started = time.monotonic()
    for epoch in range(epochs):
        net.train()
        for rows in torch.randperm(len(x))[: len(x) // batch * batch].view(-1, batch):
            inputs = augmented(x[rows]).contiguous(memory_format=torch.channels_last)
            loss = F.cross_entropy(net(inputs), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        seconds = time.monotonic() - started
        print(f"epoch {epoch + 1}: test accuracy {accuracy(net, *test):.4f}, {seconds:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the four IDX files")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the safetensors file to")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    net = FashionNet().to(memory_format=torch.channels_last)
    test = load(args.data, "t10k")
    train(net, *load(args.data, "train"), test, args.epochs, args.batch)
    reached = f"{accuracy(net, *test):.4f}"
    metadata = {"accuracy": reached, "seed": str(args.seed), "epochs": str(args.epochs), "batch": str(args.batch)}
    metadata |= {"data": "Fashion-MNIST train, 60000 pictures (MIT licence)", "torch": torch.__version__}
    state = {name: value.contiguous() for name, value in net.state_dict().items()}
    save_file(state, args.out / ASSET, metadata=metadata)
    (args.out / ASSET).chmod(0o644)
    print(f"wrote {args.out / ASSET} ({(args.out / ASSET).stat().st_size:,} bytes), test accuracy {reached}")


if __name__ == "__main__":
    main()
