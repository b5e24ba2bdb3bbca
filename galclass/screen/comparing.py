"""The best frames of somebody else's snapshots held against the reference, and against ovals made of them."""

import sys
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from galclass import verify
from galclass.screen.scoring import CLASS, UNFORESEEN, Scored, Screen, in_words, stretched
from galclass.verify import nulls, ranking

#: What a comparison says again of a frame, and the shape it measures in the observed picture.
_KNOWN = ("cosine_aligned", "cosine_residual", "reference")
_OBSERVED = ("axis_ratio", "b4", "b4_err", "b6", "b6_err", "a4_over_a")
#: What makes the combined score: not the raw cosine, which a turn of the page changes.
_COMBINED = [f"{name}_percentile" for name in ("cosine_aligned", "cosine_residual", "sift_inliers", "profile_distance",
                                               "embedding_distance")]  # fmt: skip


def compared(scored: Sequence[Scored], screen: Screen, share_out: Callable) -> pd.DataFrame:
    """The best frames of the most promising snapshots held against the reference, and against ovals made of them.

    Parameters
    ----------
    scored : snapshots
    screen : Screen
        `screen.candidates` says how many are compared, `screen.ovals` with how many ovals.
    share_out : like `map` (`galclass.parallel.workers`)

    Returns
    -------
    table
        A row each, its index the number in `scored`: the scores of `verify.compared`, but the shape measured in the
        observed picture is named observed_NAME; combined, the mean percentile of its scores among all candidates and
        ovals (100 is the most alike), and p_chance, the probability that the best of as many ovals would have a
        combined score as high (NaN without ovals).
    """
    chosen = _promising(scored)[: screen.settings["screen"]["candidates"]]
    if not chosen:
        return pd.DataFrame()
    sights = [_sight(scored[number].flux, screen) for number in chosen]
    results = _compared_all(sights, screen, share_out)
    for number, result in zip(chosen, results, strict=True):
        if isinstance(result, str):
            print(f"{scored[number].file}: could not be compared with the reference ({result})", file=sys.stderr)
    usable = [k for k, result in enumerate(results) if not isinstance(result, str)]
    if not usable:
        return pd.DataFrame()
    chosen, sights = [chosen[k] for k in usable], [sights[k] for k in usable]
    found = pd.concat([results[k] for k in usable], ignore_index=True)
    ovals = [one for one in _compared_all(_ovals(sights, screen), screen, share_out) if not isinstance(one, str)]
    null = pd.concat(ovals, ignore_index=True) if ovals else found.iloc[:0]
    everyone = pd.concat([found, null], ignore_index=True)
    combined = ranking.percentile_columns(everyone, everyone)[_COMBINED].mean(axis=1).to_numpy()
    own, others = combined[: len(found)], combined[len(found) :]
    found = found.assign(combined=own, p_chance=ranking.chance_probability(own, others, len(found)))
    names = {name: f"observed_{name}" for name in _OBSERVED}
    kept = found.drop(columns=[*_KNOWN]).rename(columns=names)
    return kept.set_index(pd.Index(chosen))


def _promising(scored: Sequence[Scored]) -> list[int]:
    """Numbers of the snapshots, those that look most like a rectangle first; none that failed."""
    good = [number for number, one in enumerate(scored) if not one.error]
    return sorted(good, key=lambda k: (-scored[k].summary["agrees"], -scored[k].best[f"p_{CLASS}"], k))


def _sight(flux: np.ndarray, screen: Screen) -> verify.Sight:
    picture = stretched(flux, screen).astype(float)
    return verify.Sight(picture, flux.astype(float), "flux", picture)


def _ovals(sights: Sequence[verify.Sight], screen: Screen) -> list[verify.Sight]:
    """So many ovals of the axis ratio, size and noise of the candidates."""
    rng, count = np.random.default_rng(screen.settings["verify"]["seed"]), screen.settings["screen"]["ovals"]
    depth_dex = screen.camera.observatory.settings["depth_dex"]
    return [nulls.twin(sights[k % len(sights)], 0.0, 0.0, depth_dex, rng) for k in range(count)]


def _compared_all(sights: Sequence[verify.Sight], screen: Screen, share_out: Callable) -> list[pd.DataFrame | str]:
    """A row each, or why there is none."""
    if not sights:
        return []
    layer = [one.light if screen.classifier.layer == "flux" else one.picture for one in sights]
    with threadpool_limits(1, user_api="blas"):
        rows = screen.classifier.embedding(screen.classifier.inputs(np.stack(layer).astype(np.float32)))
    jobs = [
        (one, screen.camera.references, screen.settings["verify"], row) for one, row in zip(sights, rows, strict=True)
    ]
    return list(share_out(_compared_one, jobs))


def _compared_one(job: tuple) -> pd.DataFrame | str:
    sight, references, settings, row = job
    try:
        return verify.compared([sight], references, settings, row[None])
    except UNFORESEEN as error:
        return in_words(error)
