"""How fast frames are screened, end to end, beside the bare prediction of the same network; and the memory it takes.

End to end is all of `galclass classify` but the start of Python and of TensorFlow: digests, reading, preparation,
prediction, tables. Bare is the prediction of pictures that lie in memory as the network wants them. Both are taken in
turns in one run. Memory is the largest of a process of its own.

    python benchmarks/screen.py --json
    python benchmarks/screen.py --network 5 --json                         # an ensemble of five, not trained
    python benchmarks/screen.py --network results/train/network --json

With --snapshots it is `galclass screen` instead, from somebody else's snapshots to the ranked table: reading, finding
the galaxy, pictures, classes, shapes and the comparison with the reference, without the start of Python and TensorFlow.

    python benchmarks/screen.py --network 3 --snapshots 8 --stars 100000 --views 50 --json
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

from galclass import classify, config, images, network, screen, snapshot
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


def write_snapshots(folder: Path, count: int, stars: int) -> list[Path]:
    """Exponential discs of so many stars, GADGET-2 binary."""
    folder.mkdir()
    for number in range(count):
        rng = np.random.default_rng(number)
        radius, angle = rng.gamma(2.0, 1.0, stars), rng.uniform(0.0, 2.0 * np.pi, stars)
        places = np.stack([radius * np.cos(angle), radius * np.sin(angle), rng.normal(0.0, 0.15, stars)], axis=1)
        arrays = places, np.zeros((stars, 3)), np.full(stars, 1e-6), np.arange(stars), np.full(stars, 2, np.int8)
        snapshot.write(folder / f"snap_{number:03}.dat", snapshot.Snapshot(*arrays, 0.1 * number))
    return sorted(folder.iterdir())


def snapshot_speed(folder: Path, scratch: Path, count: int, stars: int, views: int) -> dict:
    """Snapshots and frames a second from files to the ranked table, beside the bare network."""
    settings = config.load()
    settings["screen"] |= {"views": views}
    images.write_png(scratch / "reference.png", galaxies(1, PIXELS, np.random.default_rng(1))[0])
    files = write_snapshots(scratch / "theirs", count, stars)
    ready = screen.prepared(settings, folder, scratch / "reference.png")
    inputs = ready.classifier.inputs(galaxies(views, PIXELS, np.random.default_rng(1)))
    batch_size = settings["classify"]["batch_size"]
    ready.classifier.answer(inputs, batch_size)
    alone = min(seconds(lambda: bare(ready.classifier, inputs, batch_size))[0] for _ in range(3))
    times = [seconds(lambda: screen.answered(files[0], screen.pictured((files[0], ready.camera)), ready))
             for _ in range(3)]  # fmt: skip
    one, processor = np.min(times, axis=0)
    whole = seconds(lambda: screen.run(files, folder, scratch / "reference.png", settings, scratch / "screened"))[0]
    return {"stars": stars, "views": views, "snapshots": count, "one_snapshot_s": one,
            "one_snapshot_processor_s": processor, "all_s": whole,
            "snapshots_per_s": count / whole, "frames_per_s": count * views / whole,
            "one_frames_per_s": views / one, "bare_frames_per_s": views / alone}  # fmt: skip


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


def measure(
    which: str, frames: int, memory_frames: list[int], repeats: int, snapshots: tuple[int, int, int] | None = None
) -> dict:
    """All figures of a network: thesis, a number of members of the trusted ensemble, or a folder."""
    settings = {"batch_size": 200, "shard_frames": 5000}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if which == "thesis":
            folder = thesis_folder(scratch / "network")
        else:
            folder = trusted_folder(scratch / "network", int(which)) if which.isdecimal() else Path(which)
        if snapshots:
            return {"threads": network.threads()} | snapshot_speed(folder, scratch, *snapshots)
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
    parser.add_argument("--snapshots", type=int, default=0, help="screen so many snapshots instead of a pack")
    parser.add_argument("--stars", type=int, default=100_000, help="of each snapshot")
    parser.add_argument("--views", type=int, default=50, help="of each snapshot")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    with_stdout_free = sys.stdout
    sys.stdout = sys.stderr  # the lines of the stage are not figures
    theirs = (options.snapshots, options.stars, options.views) if options.snapshots else None
    figures = measure(options.network, options.frames, options.memory_frames, options.repeats, theirs)
    sys.stdout = with_stdout_free
    print(json.dumps(figures) if options.json else "\n".join(f"{k:20} {v:.4g}" for k, v in figures.items()))


if __name__ == "__main__":
    main()
