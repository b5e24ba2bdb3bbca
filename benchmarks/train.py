"""How fast the networks train and predict: against the floor set by their arithmetic, and against plain PyTorch.

The floor is the time that the multiplications and additions of a picture would take at the rate of a large
single-precision matrix product on the same machine with the same threads, measured in the same run. A forward pass
costs the FLOPs of its convolutions and dense layers; a training step three times as many (the pass itself, and the
gradients by weights and by inputs).

PyTorch is not needed by anything else, so it is left out, with a word, where it is missing. The same layers (see
`galclass.network.thesis_layers`) are built in both, with the same optimizer, batch and threads. Each candidate runs
in a process of its own, and the candidates take turns, so that whatever else the machine does meets all alike:

- keras: `fit` in float32 and mixed_bfloat16, on TensorFlow without XLA;
- keras whole: mixed_bfloat16, each epoch one call of TensorFlow, as the classifier is trained;
- torch: float32, and autocast to bfloat16, channels last in memory; and the latter through torch.compile.

Rates are pictures by the second of processor time (by core, whatever else runs) and by the clock, the best of some
rounds. A ratio is the fastest of Keras over the fastest of PyTorch.

    python benchmarks/train.py --json
"""

import argparse
import contextlib
import importlib.util
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from galclass import network
from galclass.network.architecture import output_shape, sides_of
from galclass.train import fitting

CANDIDATES = (
    ("keras", "float32"),
    ("keras", "bfloat16"),
    ("keras whole", "bfloat16"),
    ("torch", "float32"),
    ("torch", "bfloat16"),
    ("torch compiled", "bfloat16"),
)
#: Layers, pictures, and batch of the networks that are measured; epochs in a round of training.
NETWORKS = {
    "thesis": (network.thesis_layers(50, 3), 600, 200),
    "trusted": (network.trusted_layers(), 6000, 500),
}
EPOCHS = 2
#: Pictures in a batch of predictions.
PREDICTED = 2000


def forward_flops(layers: list[dict]) -> int:
    """Floating-point operations of one picture's forward pass: two per weight per place where it is used."""
    flops = 0
    for number, weights in enumerate(network.weight_shapes(layers, "benchmark")):
        if weights:
            places = output_shape(layers[: number + 1], "benchmark")[:-1]
            flops += 2 * math.prod(places) * math.prod(weights[0])
    return flops


# Candidates, each in its own process ------------------------------------------------------------------------


def random_data(layers: list[dict], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (count, ny, nx, channels) and targets (count, classes)."""
    rng = np.random.default_rng(1)
    classes = layers[-1]["units"]
    inputs = rng.random((count, *layers[0]["shape"]), dtype=np.float32)
    return inputs, np.eye(classes, dtype=np.float32)[rng.integers(0, classes, count)]


def keras_work(layers: list[dict], dtype: str, count: int, batch: int, whole: bool) -> dict[str, Callable]:
    """Keras on TensorFlow: some epochs of `fit`, one `predict`, and the product of two large matrices."""
    keras = network.load_keras()
    import tensorflow

    network.fix_seeds(1)
    keras.config.set_dtype_policy("mixed_bfloat16" if dtype == "bfloat16" else "float32")
    model = network.build(layers)
    model.compile(keras.optimizers.Adadelta(1.0), "categorical_crossentropy", metrics=["accuracy"])
    inputs, targets = random_data(layers, count)
    matrix = tensorflow.random.uniform((2048, 2048))
    fit = lambda: model.fit(inputs, targets, batch_size=batch, epochs=EPOCHS, verbose=0)  # noqa: E731
    if whole:
        run_epoch, rng = fitting.whole_epochs(model, inputs, targets, 1.0), np.random.default_rng(1)
        fit = lambda: [run_epoch(rng.permutation(count).reshape(-1, batch)) for _ in range(EPOCHS)]  # noqa: E731
    return {
        "train": fit,
        "predict": lambda: network.predict(model, inputs, PREDICTED),
        "matrix": lambda: tensorflow.linalg.matmul(matrix, matrix).numpy(),
    }


def torch_layers(layers: list[dict]) -> list[Any]:
    """The same layers as PyTorch modules; the softmax at the end is left to the loss."""
    from torch import nn

    modules = []
    for layer, weights in zip(layers, network.weight_shapes(layers, "benchmark"), strict=True):
        kind, steps = layer["class"], sides_of(layer.get("strides", layer.get("pool_size", 1)))
        if layer.get("padding") == "same" and (kind != "Conv2D" or max(steps) > 1):
            raise SystemExit(f"{kind} with padding same and strides has no twin in PyTorch")
        if kind == "Conv2D":
            *size, channels, filters = weights[0]
            modules.append(nn.Conv2d(channels, filters, size, steps, layer.get("padding", "valid")))
        elif kind in ("MaxPooling2D", "AveragePooling2D"):
            pool = nn.MaxPool2d if kind == "MaxPooling2D" else nn.AvgPool2d
            modules.append(pool(sides_of(layer["pool_size"]), steps))
        elif kind == "Dense":
            modules.append(nn.Linear(*weights[0]))
        elif kind == "Dropout":
            modules.append(nn.Dropout(layer["rate"]))
        elif kind == "Flatten":
            modules.append(nn.Flatten())
        if layer.get("activation") == "relu":
            modules.append(nn.ReLU())
    return modules


def torch_work(
    layers: list[dict], dtype: str, count: int, batch: int, threads: int, compiled: bool
) -> dict[str, Callable]:
    """Plain PyTorch: some epochs of training over shuffled batches, and one prediction."""
    import torch

    torch.manual_seed(1)
    torch.set_num_threads(threads)
    model = torch.nn.Sequential(*torch_layers(layers)).to(memory_format=torch.channels_last)
    called = torch.compile(model) if compiled else model
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0, rho=0.95, eps=1e-7)
    inputs, targets = (torch.from_numpy(array) for array in random_data(layers, count))
    inputs = inputs.permute(0, 3, 1, 2)  # channels last in memory
    loss_of = torch.nn.CrossEntropyLoss()

    def cast() -> Any:
        return torch.autocast("cpu", torch.bfloat16) if dtype == "bfloat16" else contextlib.nullcontext()

    def train() -> None:
        model.train()
        for chosen in torch.cat([torch.randperm(count) for _ in range(EPOCHS)]).split(batch):
            optimizer.zero_grad(set_to_none=True)
            with cast():
                loss = loss_of(called(inputs[chosen]).float(), targets[chosen])
            loss.backward()
            optimizer.step()

    def predict() -> list:
        model.eval()
        with torch.inference_mode(), cast():
            return [called(part).float().softmax(1).numpy() for part in inputs.split(PREDICTED)]

    return {"train": train, "predict": predict}


def work_of(library: str, name: str, dtype: str, threads: int) -> dict[str, Callable]:
    """What a candidate can be asked to do, by name."""
    layers, count, batch = NETWORKS[name]
    if library.startswith("keras"):
        return keras_work(layers, dtype, count, batch, library.endswith("whole"))
    return torch_work(layers, dtype, count, batch, threads, library.endswith("compiled"))


def serve(library: str, name: str, dtype: str, threads: int) -> None:
    """Do each work asked for on standard input and say how long it took: by the clock, and of processor time [s]."""
    work = work_of(library, name, dtype, threads)
    for asked in sys.stdin:
        start = time.perf_counter(), time.process_time()
        work[asked.strip()]()
        print(json.dumps([time.perf_counter() - start[0], time.process_time() - start[1]]), flush=True)


# Turns ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def candidate(library: str, name: str, dtype: str, threads: int) -> Iterator[Callable[[str], list[float]]]:
    """A process of `serve`, as a function from the name of a work to its seconds."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", __file__, "--serve", library, name, dtype, str(threads)]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )

    def ask(work: str) -> list[float]:
        print(work, file=process.stdin, flush=True)
        answer = process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{library} {dtype} cannot {work}")
        return json.loads(answer)

    try:
        yield ask
    finally:
        process.stdin.close()
        process.kill()
        process.wait()


def best(rounds: list[list[float]]) -> np.ndarray:
    """Shortest time by the clock and of the processor [s]."""
    return np.min(rounds, axis=0)


def measure(name: str, threads: int, rounds: int, candidates: list[tuple[str, str]]) -> dict:
    """Rates of all candidates for one network; a candidate that cannot work is left out."""
    layers, count, _ = NETWORKS[name]
    seconds: dict[tuple, list] = {}
    with contextlib.ExitStack() as stack:
        asked = {which: stack.enter_context(candidate(which[0], name, which[1], threads)) for which in candidates}
        for turn in range(rounds + 1):  # the first one warms up
            for which, ask in list(asked.items()):
                for work in ("train", "predict", *(["matrix"] if which == ("keras", "float32") else [])):
                    try:
                        found = ask(work)
                    except RuntimeError as error:
                        print(f"{name}: {error}: left out", file=sys.stderr)
                        asked.pop(which)
                        break
                    if turn:
                        seconds.setdefault((*which, work), []).append(found)
    matrix = seconds.pop(("keras", "float32", "matrix"))
    done = {"train": count * EPOCHS, "predict": count}
    rates = {key: done[key[2]] / best(found) for key, found in seconds.items()}
    return figures(name, threads, rates, best(matrix)[1])


def figures(name: str, threads: int, rates: dict[tuple, np.ndarray], matrix_seconds: float) -> dict:
    """One row of the benchmark from pictures/s by the clock and of the processor, by library, type and work."""
    layers, count, batch = NETWORKS[name]
    flops, rate = forward_flops(layers), 2 * 2048**3 / matrix_seconds
    row = {"network": name, "threads": threads, "pictures": count, "batch_size": batch,
           "weights": sum(math.prod(s) for pair in network.weight_shapes(layers, "benchmark") for s in pair),
           "forward_mflop_per_picture": flops / 1e6, "matrix_gflop_per_s": rate / 1e9}  # fmt: skip
    for (library, dtype, work), (by_clock, by_core) in rates.items():
        label = f"{library.replace(' ', '_')}_{dtype}_{work}"
        row |= {f"{label}_pictures_per_s": by_clock, f"{label}_pictures_per_core_s": by_core}
    for work, passes in (("train", 3), ("predict", 1)):
        row[f"{work}_over_floor"] = rate / (rates["keras", "float32", work][1] * passes * flops)
        row[f"{work}_over_torch"] = over_torch(rates, work, 1)
        row[f"{work}_over_torch_by_clock"] = over_torch(rates, work, 0)
    return row


def over_torch(rates: dict[tuple, np.ndarray], work: str, which: int) -> float | None:
    """The fastest of Keras over the fastest of PyTorch; None without PyTorch."""
    ours = [rate[which] for key, rate in rates.items() if key[2] == work and key[0].startswith("keras")]
    theirs = [rate[which] for key, rate in rates.items() if key[2] == work and key[0].startswith("torch")]
    return max(ours) / max(theirs) if theirs else None


# Accuracy ---------------------------------------------------------------------------------------------------


def drawn_shapes(count: int, pixels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures (count, pixels, pixels, 1) of ellipses and superellipses at any angle, and which (count,)."""
    rng = np.random.default_rng(seed)
    boxy = rng.integers(0, 2, count)
    angle, ratio, size = rng.uniform(0, np.pi, count), rng.uniform(0.4, 0.9, count), rng.uniform(0.15, 0.3, count)
    power = np.where(boxy, rng.uniform(3, 6, count), 2.0)[:, None, None]
    y, x = (np.mgrid[:pixels, :pixels] - (pixels - 1) / 2) / pixels
    turned = [np.cos(angle)[:, None, None] * u + np.sin(angle)[:, None, None] * v for u, v in ((x, y), (y, -x))]
    radius = (np.abs(turned[0]) ** power + np.abs(turned[1] / ratio[:, None, None]) ** power) ** (1 / power)
    pictures = np.exp(-radius / size[:, None, None]) + rng.normal(0, 0.03, radius.shape)
    return pictures.astype(np.float32)[..., None], boxy


def accuracy(dtype: str, epochs: int, seed: int) -> float:
    """Share of 1,000 drawn shapes that the thesis's network tells right after learning from 1,000 others."""
    keras = network.load_keras()
    network.fix_seeds(seed)
    keras.config.set_dtype_policy("mixed_bfloat16" if dtype == "bfloat16" else "float32")
    model = network.build(network.thesis_layers(50, 2))
    model.compile(keras.optimizers.Adadelta(1.0), "categorical_crossentropy")
    (inputs, classes), (tests, true) = drawn_shapes(1000, 50, seed), drawn_shapes(1000, 50, seed + 1000)
    model.fit(inputs, np.eye(2, dtype=np.float32)[classes], batch_size=200, epochs=epochs, verbose=0)
    return float((model.predict(tests, batch_size=200, verbose=0).argmax(axis=1) == true).mean())


def main() -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--accuracy", type=int, metavar="EPOCHS", default=0, help="also what bfloat16 costs")
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(*options.serve[:3], int(options.serve[3]))
    has_torch = importlib.util.find_spec("torch") is not None
    if not has_torch:
        print("PyTorch is not installed: its rates are left out", file=sys.stderr)
    candidates = [which for which in CANDIDATES if has_torch or which[0].startswith("keras")]
    found = {"torch": has_torch, "rows": [
        measure(name, threads, options.rounds, candidates) for name in options.networks for threads in options.threads
    ]}  # fmt: skip
    if options.accuracy:
        found["accuracy"] = {
            dtype: [accuracy(dtype, options.accuracy, seed) for seed in (1, 2, 3)] for dtype in ("float32", "bfloat16")
        }
    print(json.dumps(found) if options.json else table(found))


def table(found: dict) -> str:
    """The figures for people, one line each."""
    lines = [f"{key:48} {value}" for key, value in found.items() if key != "rows"]
    for row in found["rows"]:
        lines += [f"{k:48} {v:.4g}" if isinstance(v, float) else f"{k:48} {v}" for k, v in row.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
