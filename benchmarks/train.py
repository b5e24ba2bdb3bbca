"""How fast the thesis's network trains and predicts, against the floor set by its arithmetic.

The floor is the time that the multiplications and additions of a picture would take at the rate of a large
single-precision matrix product on the same machine with the same threads, measured in the same run. A
forward pass costs the FLOPs of its convolutions and dense layers; a training step three times as many (the
pass itself, and the gradients by weights and by inputs).

    python benchmarks/train.py --json
"""

import argparse
import json
import math
import time

import numpy as np

from galclass import network


def forward_flops(pixels: int, classes: int) -> int:
    """Floating-point operations of one picture's forward pass: two per weight per place where it is used."""
    layers = network.thesis_layers(pixels, classes)
    flops, side = 0, pixels
    for layer, weights in zip(layers, network.weight_shapes(layers, "benchmark"), strict=True):
        if layer["class"] == "Conv2D":
            side -= layer["kernel_size"] - 1
            flops += 2 * side**2 * math.prod(weights[0])
        elif layer["class"] == "Dense":
            flops += 2 * math.prod(weights[0])
    return flops


def matrix_rate(size: int = 2048, repeats: int = 5) -> float:
    """Best rate [FLOP/s] of a single-precision matrix product by TensorFlow, the library that trains."""
    network.load_keras()
    import tensorflow

    matrix = tensorflow.random.uniform((size, size))
    seconds = best_of(lambda: tensorflow.linalg.matmul(matrix, matrix).numpy(), repeats)
    return 2 * size**3 / seconds


def best_of(work, repeats: int) -> float:
    """Shortest of a number of runs [s], after one that warms up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def measure(pixels: int, pictures: int, batch_size: int, repeats: int) -> dict:
    """All figures of one network on random pictures."""
    network.fix_seeds(1)
    rng = np.random.default_rng(1)
    images = rng.random((pictures, pixels, pixels), dtype=np.float32)
    targets = np.eye(3, dtype=np.float32)[rng.integers(0, 3, pictures)]
    model = network.thesis_network(pixels, 3)
    inputs = images[..., None]
    train = best_of(lambda: model.fit(inputs, targets, batch_size=batch_size, epochs=1, verbose=0), repeats)
    predict = best_of(lambda: model.predict(inputs, batch_size=batch_size, verbose=0), repeats)
    align = best_of(lambda: network.aligned(images), repeats)
    flops, rate = forward_flops(pixels, 3), matrix_rate()
    return {
        "pixels": pixels,
        "pictures": pictures,
        "batch_size": batch_size,
        "threads": network.threads(),
        "weights": model.count_params(),
        "forward_mflop_per_picture": flops / 1e6,
        "matrix_gflop_per_s": rate / 1e9,
        "train_pictures_per_s": pictures / train,
        "predict_pictures_per_s": pictures / predict,
        "align_pictures_per_s": pictures / align,
        "train_over_floor": train / (3 * flops * pictures / rate),
        "predict_over_floor": predict / (flops * pictures / rate),
    }


def main() -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--pixels", type=int, default=50)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    figures = measure(options.pixels, options.pictures, options.batch_size, options.repeats)
    print(json.dumps(figures) if options.json else "\n".join(f"{k:28} {v:.4g}" for k, v in figures.items()))


if __name__ == "__main__":
    main()
