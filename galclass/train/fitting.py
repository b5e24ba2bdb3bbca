"""Training the members of the ensemble: Adadelta, cross-entropy, bfloat16 inside, float32 as the result."""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from galclass import network
from galclass.errors import InputError
from galclass.files import atomic

#: Pictures predicted at once for the validation.
_PREDICTED = 2000
_SMALLEST = 1e-7


def fit_member(
    training: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    settings: dict,
    seed: int,
    on_epoch: Callable[[dict], None],
) -> tuple[Any, pd.DataFrame]:
    """One network for unrolled galaxies.

    An epoch is one call of TensorFlow: the maps stay there, only their order is handed over (docs/benchmarks.md).
    Products are taken in bfloat16, where they lose nothing; weights, and the network returned, are float32.

    Parameters
    ----------
    training, validation : maps (n, *MAP_SHAPE) and targets (n, classes), the chance of each class
    settings : epochs, patience, batch_size, learning_rate
    seed : of the weights, the order of the maps and the dropout
    on_epoch : called with the figures of each epoch

    Returns
    -------
    model : keras.Model
        With the weights of the epoch of the lowest validation loss; of the last one where patience is 0.
    history : table of epoch, loss, val_loss, val_accuracy

    Raises
    ------
    InputError
        The training diverged.
    """
    network.fix_seeds(seed)
    model, rng = _in_bfloat16(), np.random.default_rng(seed)
    run_epoch = whole_epochs(model, *training, settings["learning_rate"])
    rows, best = [], (np.inf, model.get_weights())
    batch = min(settings["batch_size"], len(training[0]))
    for epoch in range(1, settings["epochs"] + 1):
        order = rng.permutation(len(training[0]))[: len(training[0]) // batch * batch].reshape(-1, batch)
        rows.append({"epoch": epoch, "loss": run_epoch(order), **_validated(model, *validation)})
        on_epoch(rows[-1])
        if not np.isfinite([rows[-1]["loss"], rows[-1]["val_loss"]]).all():
            raise InputError(f"training diverged in epoch {epoch}; lower train.learning_rate")
        if rows[-1]["val_loss"] < best[0] or not settings["patience"]:
            best = rows[-1]["val_loss"], model.get_weights()
        if settings["patience"] and epoch - _best_epoch(rows) >= settings["patience"]:
            break
    return _with_weights(best[1]), pd.DataFrame(rows)


def _with_weights(weights: list[np.ndarray]) -> Any:
    """A network for unrolled galaxies, in float32, with these weights."""
    result = network.build(network.trusted_layers())
    result.set_weights(weights)
    return result


def write_member(place: Path, model: Any, history: pd.DataFrame) -> None:
    """Keep a network and its history, to the last bit, in a file (.npz) with checksums."""
    weights = {f"weights_{number:03}": values for number, values in enumerate(model.get_weights())}
    with atomic(place) as temporary:
        np.savez(temporary, **weights, **{f"history_{name}": history[name].to_numpy() for name in history})


def read_member(place: Path) -> tuple[Any, pd.DataFrame] | None:
    """What `write_member` kept; None if there is nothing, or it is damaged."""
    try:
        with open(place, "rb") as file, np.load(file, allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    weights = [arrays[name] for name in sorted(arrays) if name.startswith("weights_")]
    history = {name.removeprefix("history_"): arrays[name] for name in arrays if name.startswith("history_")}
    return _with_weights(weights), pd.DataFrame(history)


def _best_epoch(rows: list[dict]) -> int:
    return min(rows, key=lambda row: row["val_loss"])["epoch"]


def _in_bfloat16() -> Any:
    """A new network that computes in bfloat16 and keeps its weights in float32."""
    config = network.load_keras().config
    config.set_dtype_policy("mixed_bfloat16")
    try:
        return network.build(network.trusted_layers())
    finally:
        config.set_dtype_policy("float32")


def whole_epochs(
    model: Any, maps: np.ndarray, targets: np.ndarray, learning_rate: float
) -> Callable[[np.ndarray], float]:
    """A function that trains one epoch in an order, rows (batches, batch), and returns its mean loss."""
    import tensorflow

    keras = network.load_keras()
    optimizer, loss_of = keras.optimizers.Adadelta(learning_rate), keras.losses.CategoricalCrossentropy()
    held, wanted, variables = tensorflow.constant(maps), tensorflow.constant(targets), model.trainable_variables
    optimizer.build(variables)

    @tensorflow.function
    def run(order: Any) -> Any:
        total = tensorflow.constant(0.0)
        for chosen in order:
            with tensorflow.GradientTape() as tape:
                answers = model(tensorflow.gather(held, chosen), training=True)
                loss = loss_of(tensorflow.gather(wanted, chosen), answers)
            optimizer.apply(tape.gradient(loss, variables), variables)
            total += loss
        return total

    return lambda order: float(run(tensorflow.constant(order))) / len(order)


def _validated(model: Any, maps: np.ndarray, targets: np.ndarray) -> dict:
    """Loss and accuracy on held-out maps."""
    found = network.predict(model, maps, _PREDICTED)
    loss = -(targets * np.log(np.maximum(found, _SMALLEST))).sum(axis=1).mean()
    return {"val_loss": float(loss), "val_accuracy": float((found.argmax(axis=1) == targets.argmax(axis=1)).mean())}
