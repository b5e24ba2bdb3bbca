"""How fast frames are screened, end to end, beside the bare prediction of the same network; and the memory it takes.

End to end is all of `galclass classify` but the start of Python and of TensorFlow: digests, reading, preparation,
prediction, tables. Bare is the prediction of pictures that lie in memory as the network wants them. Both are taken in
turns in one run. Memory is the largest of a process of its own.

    python benchmarks/screen.py --json
    python benchmarks/screen.py --network 5 --json                         # an ensemble of five, not trained
    python benchmarks/screen.py --network results/train/network --json
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import classify, images, network
from galclass.network.calibration import Calibration
from galclass.network.gauge import Gauge
from galclass.network.unrolling import RINGS

PIXELS = 50


def thesis_folder(folder: Path) -> Path:
    """The network of the thesis with weights as they are drawn, which cost as much as trained ones."""
    network.fix_seeds(1)
    card = {"classes": list(network.CLASSES), "pixels": PIXELS, "preprocessing": {"depth_dex": 3.0}}
    network.write(network.thesis_network(PIXELS, 3), folder, {**card, "metrics": {}, "provenance": {}})
    return folder


def trusted_folder(folder: Path, members: int) -> Path:
    """An ensemble as the trusted classifier, its weights as they are drawn."""
    network.fix_seeds(1)
    size = 3 * RINGS
    calibration = Calibration(1.0, Gauge(np.zeros(size), np.eye(size), 10.0))
    card = {"kind": "trusted", "classes": list(network.TRUSTED_CLASSES), "pixels": None, "preprocessing": {}}
    card |= {"calibration": calibration.as_json(), "metrics": {}, "provenance": {}}
    network.write([network.build(network.trusted_layers()) for _ in range(members)], folder, card)
    return folder


def galaxies(count: int, pixels: int, rng: np.random.Generator) -> np.ndarray:
    """Exponential galaxies of random shape with noise, linear, peak about 1, float32, shape (count, pixels, pixels)."""
    y, x = (np.mgrid[:pixels, :pixels] - (pixels - 1) / 2) / pixels
    flux = []
    for ratio, angle, scale in rng.uniform([0.4, 0.0, 0.05], [1.0, np.pi, 0.12], (count, 3)):
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        flux.append(np.exp(-np.hypot(along, across / ratio) / scale) + 1e-3 * rng.normal(size=x.shape))
    return np.array(flux, dtype=np.float32)


def write_pack(path: Path, count: int, classifier: network.Classifier) -> Path:
    """A pack of so many frames, a few hundred different ones, with the layer that the classifier looks at."""
    pixels = classifier.card["pixels"] or PIXELS
    flux = np.resize(galaxies(min(count, 500), pixels, np.random.default_rng(1)), (count, pixels, pixels))
    frames = pd.DataFrame({"frame": np.arange(count), "run": "box", "snapshot": "snapshot_001", "label": ""})
    frames = frames.assign(**{name: 1.0 for name in images.FRAME_COLUMNS if name not in frames}).assign(seed=1)
    layers = {"flux": flux} if classifier.layer == "flux" else None
    images.write_pack(path, images.stretch(flux, 3.0), frames, {"settings": {"depth_dex": 3.0}}, layers)
    return path


def seconds(work: Callable[[], object]) -> np.ndarray:
    """Time that some work takes, by the clock and of the processor [s]."""
    start = time.perf_counter(), time.process_time()
    work()
    return np.array([time.perf_counter() - start[0], time.process_time() - start[1]])


def speed(folder: Path, scratch: Path, frames: int, settings: dict, repeats: int) -> dict:
    """Frames a second end to end and bare, and their ratio."""
    classifier = network.open_classifier(folder)
    pack = write_pack(scratch / "box.h5", frames, classifier)
    inputs = classifier.inputs(images.PackFile(pack).pictures(classifier.layer))
    classifier.answer(inputs[: settings["batch_size"]], settings["batch_size"])
    rounds = [
        [
            seconds(lambda: classify.run([pack], folder, settings, scratch / "out")),
            seconds(lambda: bare(classifier, inputs, settings["batch_size"])),
        ]
        for _ in range(repeats)
    ]
    (whole, whole_cpu), (alone, alone_cpu) = np.min(rounds, axis=0)
    return {
        "frames_per_s": frames / whole,
        "bare_frames_per_s": frames / alone,
        "over_bare": alone / whole,
        "processor_over_bare": alone_cpu / whole_cpu,
    }


def bare(classifier: network.Classifier, inputs: np.ndarray, batch_size: int) -> None:
    """What Keras does, and nothing else: each network predicts as often as the answer needs it."""
    for model in classifier.models:
        for _ in range(1 if classifier.kind == "thesis" else 2):
            network.predict(model, inputs, batch_size)


def memory(folder: Path, scratch: Path, frames: int, settings: dict) -> float:
    """Largest resident memory of a process that classifies a pack of so many frames [MB]."""
    classifier = network.open_classifier(folder)
    pack = write_pack(scratch / f"{frames}.h5", frames, classifier)
    command = [
        sys.executable,
        __file__,
        "--child",
        json.dumps([str(pack), str(folder), settings, str(scratch / "out")]),
    ]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def child(arguments: str) -> None:
    """Classify in this process and print its memory (not `ru_maxrss`, which begins with that of the parent)."""
    pack, folder, settings, output = json.loads(arguments)
    classify.run([Path(pack)], Path(folder), settings, Path(output))
    [peak] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(int(peak.split()[1]) / 1024)


def measure(which: str, frames: int, memory_frames: list[int], repeats: int) -> dict:
    """All figures of a network: thesis, a number of members of the trusted ensemble, or a folder."""
    settings = {"batch_size": 200, "shard_frames": 5000}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if which == "thesis":
            folder = thesis_folder(scratch / "network")
        else:
            folder = trusted_folder(scratch / "network", int(which)) if which.isdecimal() else Path(which)
        figures = {"threads": network.threads(), "frames": frames} | speed(folder, scratch, frames, settings, repeats)
        return figures | {f"memory_mb_{count}": memory(folder, scratch, count, settings) for count in memory_frames}


def main() -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--network", default="thesis", help="folder of a trained network; thesis; or members of a trusted one"
    )
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--memory-frames", type=int, nargs="*", default=[], help="numbers of frames for the memory")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    with_stdout_free = sys.stdout
    sys.stdout = sys.stderr  # the lines of the stage are not figures
    figures = measure(options.network, options.frames, options.memory_frames, options.repeats)
    sys.stdout = with_stdout_free
    print(json.dumps(figures) if options.json else "\n".join(f"{k:20} {v:.4g}" for k, v in figures.items()))


if __name__ == "__main__":
    main()
