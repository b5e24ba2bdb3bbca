"""Train the thesis's networks on pictures of shape models, and test them on models they never saw.

The thesis has three networks, by the classes they tell apart (`CLASS_SETS`), and looks at pictures as they come,
at any position angle. It validated them on their training pictures. Pictures of one shape model are near copies of
one another, so here the split into training, validation and test is by model, never by picture, and the accuracy
on held-out models is given per model as well as per picture: only the former counts independent trials. The
accuracy on the training pictures stands beside it, as what the thesis measured.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from galclass import catalog, images, network, plotstyle, provenance
from galclass.errors import ConfigError, InputError
from galclass.files import atomic, write_text
from galclass.network import CLASSES
from galclass.statistics import wilson_interval

#: The classes of the thesis's networks, by the names of their folders.
CLASS_SETS = {
    "oval-rectangle": ("oval", "rectangle"),
    "rectangle-obround": ("rectangle", "obround"),
    "oval-rectangle-obround": CLASSES,
}

PARTS = ("train", "validation", "test")

#: Labels that stand for "no class"; such pictures are left out.
_UNLABELLED = ("", "none")


def run(
    pack: Path,
    labels: Path | None,
    settings: dict,
    output: Path,
    shuffle_labels: bool = False,
    classes: tuple[str, ...] = CLASSES,
) -> dict:
    """Train on a pack of labelled pictures and write the network, its history and its test to a folder.

    Parameters
    ----------
    pack : Path
        Pack of pictures; `run` in its table names the shape model.
    labels : Path, optional
        Table with run, frame and label in place of the labels in the pack; pictures it lacks are left out.
    settings : dict
        The section `train.thesis`, and the seed: seed, epochs, patience, batch_size, learning_rate,
        validation_fraction, test_fraction.
    output : Path
        Folder for the network (see `network.write`), history.csv, metrics.json, split.csv and curves.png.
    shuffle_labels : bool
        The control: hand the labels out anew among the shape models, so that held-out accuracy must be
        chance.
    classes : names
        What the network tells apart; pictures of other classes are left out.

    Returns
    -------
    dict
        What metrics.json holds.

    Raises
    ------
    InputError
        No labelled picture, fewer than two classes or three models in a class, or pictures that do not fit.
    """
    content, output = images.read_pack(pack), Path(output)
    frames, pictures = _labelled(content, labels, classes, pack)
    models = model_classes(frames, pack)
    if shuffle_labels:
        models = shuffled(models, settings["seed"])
    parts = split(models, settings["validation_fraction"], settings["test_fraction"], settings["seed"])
    names = [name for name in classes if name in set(models)]
    data = _arrays(pictures, frames["run"], models, parts, names)
    trained, history = fit(data, len(names), settings, _announce(settings["epochs"]))
    predicted = {
        part: network.predict(trained, data[part]["images"], settings["batch_size"]) for part in ("train", "test")
    }
    metrics = _metrics(predicted, data, names, history, settings)
    metrics["shuffled_labels"] = shuffle_labels
    _write_tables(output, history, metrics, models, parts)
    network.write(trained, output, _card(content, names, metrics, [pack, *([labels] if labels else [])], settings))
    print(summary(metrics), flush=True)
    return metrics


# Labels and split -------------------------------------------------------------------------------------------


def _labelled(
    content: images.Pack, labels: Path | None, classes: tuple[str, ...], pack: Path
) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows and pictures of a pack that carry one of the classes."""
    frames = content.frames
    if labels is not None:
        frames = relabelled(frames, catalog.read_table(labels), labels)
    unknown = sorted(set(frames["label"]) - {*CLASSES, *_UNLABELLED})
    if unknown:
        raise InputError(f"{labels or pack}: unknown label {unknown[0]!r}; allowed are {', '.join(CLASSES)}")
    kept = frames["label"].isin(classes).to_numpy()
    if not kept.any():
        raise InputError(
            f"{labels or pack}: no picture is labelled {' or '.join(classes)}; train on a pack of shape models"
        )
    if not kept.all():
        print(f"{pack}: {int((~kept).sum())} of {len(kept)} pictures of no class of this network left out", flush=True)
    _, height, width = content.images.shape
    if height != width or width < 8:
        raise InputError(f"{pack}: pictures of {width} x {height} pixels; they must be square, of 8 pixels or more")
    network.weight_shapes(network.thesis_layers(width, len(CLASSES)), pack)
    return frames[kept].reset_index(drop=True), content.images[kept]


def relabelled(frames: pd.DataFrame, table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """`frames` with the labels of `table`, matched by run and frame; "" where it has none."""
    if not {"run", "frame", "label"} <= set(table.columns):
        raise InputError(f"{path}: columns {', '.join(table.columns)}; a table of labels needs run, frame and label")
    if table.duplicated(["run", "frame"]).any():
        raise InputError(f"{path}: a picture is labelled twice; label the pictures again")
    found = frames[["run", "frame"]].merge(table[["run", "frame", "label"]], on=["run", "frame"], how="left")
    return frames.assign(label=found["label"].fillna("").to_numpy())


def model_classes(frames: pd.DataFrame, path: Path) -> pd.Series:
    """The class of each shape model (index), in order of first appearance.

    Raises
    ------
    InputError
        A model carries two classes, or there are fewer than two classes or fewer than three models in one.
    """
    per_model = frames.groupby("run", sort=False)["label"]
    if (per_model.nunique() > 1).any():
        raise InputError(
            f"{path}: pictures of {per_model.nunique().idxmax()} carry different labels; one per shape model"
        )
    models = per_model.first()
    counts = Counter(models)
    if len(counts) < 2:
        raise InputError(
            f"{path}: every model is {models.iloc[0]}; training needs at least two of {', '.join(CLASSES)}"
        )
    scarce = min(counts, key=lambda name: counts[name])
    if counts[scarce] < len(PARTS):
        raise InputError(
            f"{path}: {counts[scarce]} shape models of {scarce}; "
            "train, validation and test need one each, so at least 3"
        )
    return models


def shuffled(models: pd.Series, seed: int) -> pd.Series:
    """The classes handed out anew among the models: as many of each, but without meaning."""
    return pd.Series(np.random.default_rng(seed).permutation(models.to_numpy()), index=models.index)


def split(models: pd.Series, validation_fraction: float, test_fraction: float, seed: int) -> pd.Series:
    """The part (train, validation or test) of each model, the same share of every class.

    Parameters
    ----------
    models : Series
        Class of each model (index).
    validation_fraction, test_fraction : float
        Share of the models of each class; at least one model of each class goes to each part.

    Raises
    ------
    ConfigError
        The fractions leave nothing to train on.
    """
    if not 0 <= validation_fraction + test_fraction < 1:
        raise ConfigError(
            f"train: validation_fraction and test_fraction sum to {validation_fraction + test_fraction:g}; "
            "allowed is below 1"
        )
    rng = np.random.default_rng(seed)
    parts = pd.Series("train", index=models.index)
    for name in CLASSES:
        order = rng.permutation(models.index[models == name].to_numpy())
        held = [min(max(1, round(f * len(order))), (len(order) - 1) // 2) for f in (validation_fraction, test_fraction)]
        parts[order[: held[0]]] = "validation"
        parts[order[held[0] : sum(held)]] = "test"
    return parts


def _arrays(
    pictures: np.ndarray, runs: pd.Series, models: pd.Series, parts: pd.Series, classes: list[str]
) -> dict[str, dict[str, np.ndarray]]:
    """Per part: images (n, ny, nx), targets (n, classes), class numbers (n,), names of models (n,)."""
    numbers = models.map(classes.index)[runs].to_numpy()
    part_of = parts[runs].to_numpy()
    data = {}
    for part in PARTS:
        chosen = part_of == part
        data[part] = {
            "images": pictures[chosen],
            "targets": np.eye(len(classes), dtype=np.float32)[numbers[chosen]],
            "numbers": numbers[chosen],
            "models": runs.to_numpy()[chosen],
        }
    return data


# Fit --------------------------------------------------------------------------------------------------------


def fit(data: dict, classes: int, settings: dict, on_epoch: Callable[[int, dict], None]) -> tuple[Any, pd.DataFrame]:
    """Train the thesis's network.

    Parameters
    ----------
    data : dict
        Parts "train" and "validation" with images (n, p, p) and targets (n, classes).
    classes : int
    settings : dict
        As for `run`. With patience above 0, training stops after that many epochs without a lower validation
        loss and the weights of the best epoch are kept; with 0 all epochs run and the last weights are kept.
    on_epoch : callable
        Called with the number of the epoch, from 1, and its figures.

    Returns
    -------
    model : keras.Model
    history : table
        epoch, loss, accuracy, val_loss, val_accuracy. The training figures are means over the epoch with
        dropout.
    """
    network.fix_seeds(settings["seed"])
    model = network.thesis_network(data["train"]["images"].shape[1], classes, settings["learning_rate"])
    inputs = {part: (data[part]["images"][..., None], data[part]["targets"]) for part in ("train", "validation")}
    rows = model.fit(
        *inputs["train"],
        validation_data=inputs["validation"],
        batch_size=settings["batch_size"],
        epochs=settings["epochs"],
        callbacks=_callbacks(settings["patience"], on_epoch),
        verbose=0,
    ).history
    history = pd.DataFrame(rows)[["loss", "accuracy", "val_loss", "val_accuracy"]]
    history.insert(0, "epoch", np.arange(1, len(history) + 1))
    if not np.isfinite(history.to_numpy()).all():
        raise InputError(
            f"training diverged: the loss is no longer finite; "
            f"lower train.learning_rate ({settings['learning_rate']:g})"
        )
    return model, history


def _callbacks(patience: int, on_epoch: Callable[[int, dict], None]) -> list:
    keras = network.load_keras()
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: on_epoch(epoch + 1, logs))]
    if patience > 0:
        callbacks.append(keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True))
    return [*callbacks, keras.callbacks.TerminateOnNaN()]


def _announce(epochs: int) -> Callable[[int, dict], None]:
    """A line per epoch on a terminal, one in ten in a log file, each with the time left."""
    start, every = time.monotonic(), 1 if sys.stdout.isatty() else 10

    def announce(epoch: int, figures: dict) -> None:
        if epoch in (1, epochs) or epoch % every == 0:
            left = (time.monotonic() - start) / epoch * (epochs - epoch)
            print(progress_line(epoch, epochs, figures, left), flush=True)

    return announce


def progress_line(epoch: int, epochs: int, figures: dict, seconds_left: float) -> str:
    """One line about an epoch; the time left is for all epochs, early stopping only shortens it."""
    return (
        f"epoch {epoch}/{epochs}  loss {figures['loss']:.3f}  accuracy {figures['accuracy']:.1%}  "
        f"validation loss {figures['val_loss']:.3f}  accuracy {figures['val_accuracy']:.1%}  "
        f"at most {seconds_left:.0f} s left"
    )


# Test -------------------------------------------------------------------------------------------------------


def confusion(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes): rows are the true classes, columns the predicted ones."""
    counts = np.zeros((classes, classes), dtype=int)
    np.add.at(counts, (true, predicted), 1)
    return counts


def per_model(probabilities: np.ndarray, numbers: np.ndarray, models: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted class of each model, the prediction from the mean probabilities of its pictures."""
    _, first, which = np.unique(models, return_index=True, return_inverse=True)
    means = np.zeros((len(first), probabilities.shape[1]))
    np.add.at(means, which, probabilities)
    return numbers[first], means.argmax(axis=1)


def score(true: np.ndarray, predicted: np.ndarray, classes: int) -> dict:
    """Accuracy with its 95 % interval and the confusion matrix, ready for JSON."""
    correct, count = int((true == predicted).sum()), len(true)
    return {
        "count": count,
        "correct": correct,
        "accuracy": correct / count,
        "interval": list(wilson_interval(correct, count)),
        "confusion": confusion(true, predicted, classes).tolist(),
    }


def _metrics(predicted: dict, data: dict, classes: list[str], history: pd.DataFrame, settings: dict) -> dict:
    """All that metrics.json says, from probabilities (n, classes) of the training and the test pictures.

    Chance is the share of the commonest class in the test set.
    """
    test, probabilities = data["test"], predicted["test"]
    best = int(history["val_loss"].idxmin()) + 1
    return {
        "classes": classes,
        "test": {
            "models": score(*per_model(probabilities, test["numbers"], test["models"]), len(classes)),
            "pictures": score(test["numbers"], probabilities.argmax(axis=1), len(classes)),
        },
        "training": score(data["train"]["numbers"], predicted["train"].argmax(axis=1), len(classes)),
        "chance": float(np.bincount(test["numbers"]).max() / len(test["numbers"])),
        "split": {part: {"models": len(set(d["models"])), "pictures": len(d["models"])} for part, d in data.items()},
        "epochs": {
            "allowed": settings["epochs"],
            "run": len(history),
            "kept": best if settings["patience"] else len(history),
        },
        "optimizer": {
            "name": "Adadelta",
            "learning_rate": settings["learning_rate"],
            "batch_size": settings["batch_size"],
        },
        "threads": network.threads(),
    }


def summary(metrics: dict) -> str:
    """The result in one line."""
    models, pictures = metrics["test"]["models"], metrics["test"]["pictures"]
    low, high = models["interval"]
    control = " with shuffled labels" if metrics["shuffled_labels"] else ""
    return (
        f"held-out shape models{control}: {models['correct']} of {models['count']} right "
        f"({models['accuracy']:.1%}, 95 % interval {low:.1%} to {high:.1%}); "
        f"pictures {pictures['accuracy']:.1%}; chance {metrics['chance']:.1%}; "
        f"its training pictures {metrics['training']['accuracy']:.1%}"
    )


# Files ------------------------------------------------------------------------------------------------------


def _card(content: images.Pack, classes: list[str], metrics: dict, inputs: list[Path], settings: dict) -> dict:
    """What the network is for; the depth of the stretch comes from the pack, for flux to come."""
    depth = content.provenance.get("settings", {}).get("depth_dex")
    return {
        "classes": classes,
        "pixels": int(content.images.shape[1]),
        "preprocessing": {"stretch": "log10", "depth_dex": depth},
        "metrics": metrics,
        "provenance": provenance.record("train.thesis", inputs, settings, settings["seed"]),
    }


def _write_tables(output: Path, history: pd.DataFrame, metrics: dict, models: pd.Series, parts: pd.Series) -> None:
    with atomic(output / "history.csv") as temporary:
        history.to_csv(temporary, index=False, float_format="%.6g")
    write_text(output / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    with atomic(output / "split.csv") as temporary:
        pd.DataFrame({"model": models.index, "class": models.to_numpy(), "part": parts.to_numpy()}).to_csv(
            temporary, index=False
        )
    fig, axes = plotstyle.figure(7.0, 2.6, ncols=2)
    plot_curves(history, axes)
    plotstyle.save_png(fig, output / "curves.png")


def plot_curves(history: pd.DataFrame, axes: Any) -> None:
    """Loss and accuracy against epoch, training and validation, into two axes."""
    for ax, quantity in zip(axes, ("loss", "accuracy"), strict=True):
        ax.plot(history["epoch"], history[quantity], label="training (with dropout)")
        ax.plot(history["epoch"], history[f"val_{quantity}"], label="validation")
        ax.set(xlabel="epoch", ylabel=quantity)
    axes[0].set_ylim(bottom=0.0)
    axes[1].set_ylim(top=1.02)
    axes[1].legend(loc="lower right")
