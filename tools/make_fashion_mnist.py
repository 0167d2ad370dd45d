"""Makes src/gansmith/assets/fashion_mnist.npz from the published idx files.

    python tools/make_fashion_mnist.py FOLDER

FOLDER holds t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz (Debian: dataset-fashion-mnist).
Fashion-MNIST: Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747; MIT licence, (c) 2017 Zalando SE.
"""

import gzip
import struct
import sys
from pathlib import Path

import numpy as np

CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
TARGET = Path(__file__).parent.parent / "src/gansmith/assets/fashion_mnist.npz"


def read_idx(path: Path) -> np.ndarray:
    data = gzip.decompress(path.read_bytes())
    zero, kind, axes = struct.unpack(">HBB", data[:4])
    if (zero, kind) != (0, 8):
        sys.exit(f"{path} is not an idx file of unsigned bytes")
    shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def main(folder: Path) -> None:
    x = read_idx(folder / "t10k-images-idx3-ubyte.gz")
    y = read_idx(folder / "t10k-labels-idx1-ubyte.gz")
    TARGET.parent.mkdir(exist_ok=True)
    np.savez_compressed(TARGET, x=x, y=y, classes=np.array(CLASSES))
    print(f"{TARGET}: {x.shape[0]} pictures, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
