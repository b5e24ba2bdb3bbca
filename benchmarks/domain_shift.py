"""What training pictures must be like: shape models alone, the same aligned to simulations without labels, or both.

Each classifier is tested on simulations that none has seen. Alignment adds to the cross-entropy on shape models the
squared maximum mean discrepancy (Gretton et al. 2012, J. Mach. Learn. Res. 13, 723) between the penultimate layer's
answers to shape models and to simulations whose labels are kept from it.

    python benchmarks/domain_shift.py --shapes results/render/shapes.h5 --shape-labels results/label/shapes.parquet \
        --mergers results/render/mergers --labels results/label/mergers --json
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import network
from galclass.train import evaluation, examples

RECTANGLE = network.TRUSTED_CLASSES.index("rectangle")
WIDTHS = (0.25, 1.0, 4.0)


def discrepancy(one, two):
    """Squared maximum mean discrepancy of two batches (n, k) with Gaussian kernels about their median distance."""
    import tensorflow

    both = tensorflow.concat([one, two], axis=0)
    square = tensorflow.reduce_sum((both[:, None] - both[None]) ** 2, axis=-1)
    scale = tensorflow.stop_gradient(tensorflow.reduce_mean(square)) + 1e-6
    kernel = sum(tensorflow.exp(-square / (width * scale)) for width in WIDTHS)
    n = tensorflow.shape(one)[0]
    mean = tensorflow.reduce_mean
    return mean(kernel[:n, :n]) + mean(kernel[n:, n:]) - 2.0 * mean(kernel[:n, n:])


def train(source: tuple, target: np.ndarray | None, weight: float, epochs: int, batch: int, seed: int):
    """A network from labelled maps `source` (maps, numbers), its features drawn towards those of `target` maps."""
    import tensorflow

    network.fix_seeds(seed)
    keras = network.load_keras()
    model = network.build(network.trusted_layers())
    features = keras.Model(model.inputs, model.layers[-3].output)
    optimizer = keras.optimizers.Adadelta(learning_rate=1.0)
    maps, numbers = source

    @tensorflow.function
    def step(pictures, truth, others):
        with tensorflow.GradientTape() as tape:
            answers = model(pictures, training=True)
            loss = tensorflow.reduce_mean(keras.losses.sparse_categorical_crossentropy(truth, answers))
            if weight > 0:
                loss += weight * discrepancy(features(pictures, training=True), features(others, training=True))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )
        return loss

    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(maps))
        for first in range(0, len(order) - batch + 1, batch):
            rows = order[first : first + batch]
            others = maps[rows] if target is None else target[rng.integers(0, len(target), batch)]
            step(maps[rows].astype(np.float32), numbers[rows], others.astype(np.float32))
    return model


def observed(packs: list[Path], labels: list[Path], observations: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Maps and table of some packs."""
    found = []
    for pack, table in zip(packs, labels, strict=True):
        source = examples.read_source(pack, table, 500)
        found.append(examples.observed(source, observations, 1, np.zeros(len(source.labels), bool)))
    maps, tables = zip(*found, strict=True)
    return np.concatenate(maps), pd.concat(tables, ignore_index=True)


def score(model, maps: np.ndarray, table: pd.DataFrame) -> dict:
    """AUC of rectangles and accuracy on simulations never seen, at S/N of 20 and more."""
    rows = (table["snr"] >= 20).to_numpy()
    found = network.ensemble_mean([model], maps[rows].astype(np.float32), 500)
    truth = examples.numbers(table["label"][rows])
    return {
        "auc": round(evaluation.auc(truth == RECTANGLE, found[:, RECTANGLE]), 4),
        "accuracy": round(float((found.argmax(axis=1) == truth).mean()), 4),
    }


def main() -> None:
    """Parse the command line, train and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--shapes", type=Path, required=True)
    parser.add_argument("--shape-labels", type=Path, required=True)
    parser.add_argument("--mergers", type=Path, required=True, help="folder of packs")
    parser.add_argument("--labels", type=Path, required=True, help="folder of their tables")
    parser.add_argument("--observations", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--test-runs", type=int, default=5)
    options = parser.parse_args()
    packs = sorted(options.mergers.glob("*.h5"))
    packs = [pack for pack in packs if pack != options.shapes]
    shapes, shape_table = observed([options.shapes], [options.shape_labels], options.observations)
    maps, table = observed(packs, [options.labels / f"{p.stem}.parquet" for p in packs], options.observations)
    runs = np.random.default_rng(1).permutation(table["run"].unique())
    tested = table["run"].isin(runs[: options.test_runs]).to_numpy()
    of_shapes, of_mergers = (examples.numbers(t["label"]) for t in (shape_table, table))
    both = np.concatenate([shapes, maps[~tested]]), np.concatenate([of_shapes, of_mergers[~tested]])
    target = maps[~tested]
    kinds = {
        "shape models": ((shapes, of_shapes), None, 0.0),
        "shape models, aligned (weight 0.3)": ((shapes, of_shapes), target, 0.3),
        "shape models, aligned (weight 1)": ((shapes, of_shapes), target, 1.0),
        "both with labels": (both, None, 0.0),
    }
    rows = [
        {"trained on": name, **score(train(*kind, options.epochs, 200, 1), maps[tested], table[tested])}
        for name, kind in kinds.items()
    ]
    figures = {"rows": rows, "runs": len(packs), "test_runs": options.test_runs, "pictures": int(tested.sum())}
    print(json.dumps(figures) if options.json else pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
