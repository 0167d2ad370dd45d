"""A plain DCGAN in plain PyTorch, watched by gansmith's doctor: the five lines marked with (doctor).

python examples/doctor_in_a_plain_loop.py --steps 2000                # trains as it should
python examples/doctor_in_a_plain_loop.py --steps 2000 --break range  # data of 0 to 1 for a G that makes -1 to 1
python examples/doctor_in_a_plain_loop.py --steps 2000 --break rates  # G runs away from D
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

import gansmith as gs

LATENT = 64


def pictures(n: int) -> Tensor:
    """Fashion-MNIST, (n 1 32 32) in [-1, 1]."""
    source = gs.open_source("bundled:fashion-mnist", size=32, labels=False)
    return source.batch(torch.arange(n), torch.device("cpu"))["x"]


def networks(width: int = 16) -> tuple[nn.Module, nn.Module]:
    w = width
    up = [nn.ConvTranspose2d(LATENT, 4 * w, 4), nn.BatchNorm2d(4 * w), nn.ReLU()]
    for i, o in ((4 * w, 2 * w), (2 * w, w)):
        up += [nn.ConvTranspose2d(i, o, 4, 2, 1), nn.BatchNorm2d(o), nn.ReLU()]
    G = nn.Sequential(nn.Unflatten(1, (LATENT, 1, 1)), *up, nn.ConvTranspose2d(w, 1, 4, 2, 1), nn.Tanh())
    down: list[nn.Module] = [nn.Conv2d(1, w, 4, 2, 1), nn.LeakyReLU(0.2)]
    for i, o in ((w, 2 * w), (2 * w, 4 * w)):
        down += [nn.Conv2d(i, o, 4, 2, 1), nn.LeakyReLU(0.2)]
    return G, nn.Sequential(*down, nn.Conv2d(4 * w, 1, 4), nn.Flatten(0))


def noise(n: int, seed: int | None = None) -> Tensor:
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return torch.randn(n, LATENT, generator=generator)


def main() -> None:
    parser = argparse.ArgumentParser(description="A plain DCGAN, watched.")
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--break", dest="broken", choices=["range", "rates"])
    given = parser.parse_args()
    torch.manual_seed(0)
    everything = pictures(6_000)
    data, unseen = (everything[:5_500], everything[5_500:])
    if given.broken == "range":
        data, unseen = (data + 1) / 2, (unseen + 1) / 2
    G, D = networks()
    opt_g = torch.optim.Adam(G.parameters(), lr=1e-2 if given.broken == "rates" else 2e-4, betas=(0.5, 0.999))
    opt_d = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))

    doctor = gs.Doctor(  # (doctor)
        real=data, held_out=unseen, generate=lambda n, seed: G(noise(n, seed)), critic=D, loss="non_saturating",
        networks={"G": G, "D": D}, optimizers={"G": opt_g, "D": opt_d}, samples=64 * given.steps,
    )  # fmt: skip
    print(*doctor.check(), sep="\n")  # (doctor) before the first step
    for _ in range(given.steps):
        x = data[torch.randint(len(data), (64,))]
        d_loss = softplus(-D(x)).mean() + softplus(D(G(noise(64)).detach())).mean()
        opt_d.zero_grad()
        d_loss.backward()
        opt_d.step()
        g_loss = softplus(-D(G(noise(64)))).mean()
        opt_g.zero_grad()
        g_loss.backward()
        opt_g.step()
        if doctor.observe(x, losses={"D": d_loss, "G": g_loss}):  # (doctor) true when it has looked
            print(f"step {doctor.step:,}:", *(f.sentence() for f in doctor.findings()), sep="\n  ")  # (doctor)
    print(doctor.summary())  # (doctor)


if __name__ == "__main__":
    main()
