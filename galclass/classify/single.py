"""Single pictures of any size and kind, some at a time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from galclass import network
from galclass.errors import InputError


def pictures(files: Sequence[Path], model_folder: Path, batch_size: int = 200) -> list[dict]:
    """Classify pictures (PNG, JPEG or FITS) of any size.

    Returns
    -------
    list of dict
        One per file, in order: file, class, p_NAME for each class of the network, and domain_distance where the
        network knows it; or file and error.

    Raises
    ------
    InputError
        The network cannot be used.
    """
    classifier, results = network.open_classifier(model_folder), []
    for first in range(0, len(files), batch_size):
        results += _classified(files[first : first + batch_size], classifier, batch_size)
    return results


def _classified(files: Sequence[Path], classifier: network.Classifier, batch_size: int) -> list[dict]:
    """The answers for as many files as are predicted at once."""
    answers, ready = [{"file": str(path)} for path in files], []
    for path, answer in zip(files, answers, strict=True):
        try:
            ready.append((classifier.file_inputs(path), answer))
        except InputError as error:
            answer["error"] = str(error)
    if ready:
        found = classifier.answer(np.stack([inputs for inputs, _ in ready]), batch_size)
        for (_, answer), row in zip(ready, found.table().to_dict("records"), strict=True):
            answer.update(row)
    return answers
