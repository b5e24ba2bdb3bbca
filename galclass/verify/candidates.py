"""The candidates of the flow: compared with the reference, held against chance, ranked, and written as tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import catalog, images, isophotes, network, provenance
from galclass.errors import InputError
from galclass.files import require_suffix
from galclass.parallel import cores, workers
from galclass.progress import progress
from galclass.verify import nulls, ranking
from galclass.verify.likeness import Reference, Sight, as_picture, compared, read_references, reference_files
from galclass.verify.profiles import isophote_profile, profile_rows
from galclass.verify.tables import KEYS, choose, located

_CLASSIFIED_COLUMNS = (*KEYS, "class", "p_rectangle")
#: Galaxies that a process compares at once, and how many are not worth the start of processes.
_CHUNK, _FEW = 10, 60
#: How many ovals near a candidate's axis ratio it is held against.
_NEAREST_OVALS = 100
#: Harmonics B4 and B6 of what the reference's are told from: an oval, an obround, a discy galaxy; those as near to the
#: reference's own are left out. For each oval there is a quarter of a galaxy with the others.
_OTHER_SHAPES, _NEAR_B4, _NEAR_B6 = ((-0.05, 0.014), (0.03, 0.0)), 0.015, 0.008
_SHARE_PLANTED = 0.25


def run(
    classified: Sequence[Path], packs: Sequence[Path], reference: Path, model_folder: Path, settings: dict, output: Path
) -> pd.DataFrame:
    """Compare the best candidates with the reference and write the ranked table.

    Parameters
    ----------
    classified : tables of `galclass classify`
    packs : the packs that were classified; random frames of them are one of the nulls
    reference : folder written by `galclass reference`, or a picture
    model_folder : folder of the network that classified them
    settings : the section `verify`
    output : path
        The table (.parquet; .csv and .fits beside it); `quality` names the gates that a candidate's run fails.
        In the same folder, as the same three: nulls, the scores of all nulls, and profiles, the isophotes by radius of
        the candidates and of the reference (run "reference", frame its number).

    Raises
    ------
    InputError
        A file cannot be used, or a classified frame is in none of the packs.
    """
    require_suffix(output, ".parquet")
    classifier = network.open_classifier(model_folder)
    references = read_references(reference, settings, classifier)
    files = [images.PackFile(path) for path in packs]
    for file in files:
        classifier.check(file.shape[1:], images.depth_dex(file.provenance), file.path)
    frames = pd.concat(
        [file.frames().assign(pack=number, row=np.arange(len(file))) for number, file in enumerate(files)],
        ignore_index=True,
    )
    called = pd.concat([_read_classified(path) for path in classified], ignore_index=True)
    depth_dex = images.depth_dex(files[0].provenance)
    chosen = located(frames, choose(called, settings["candidates"]))
    places = list(zip(chosen["pack"], chosen["row"], strict=True))
    with workers(cores() if len(chosen) + settings["null_frames"] > _FEW else 1) as share_out:
        comparison = _Comparison(references, classifier, settings, share_out)
        sights = _sights(files, places)
        scores = comparison(sights, "candidates")
        chance, combination = _chance(comparison, files, sights, settings, depth_dex)
        scores = scores.assign(combined=combination(scores))
        chance["controls"], in_pictures = scores.iloc[:0], scores
        if settings["controls"]:
            chance["controls"], in_pictures = _controls(comparison, combination, sights, settings, depth_dex)
        against = _held_against_all(scores, in_pictures, chance)
        profiles = _profiles(sights, chosen, references, share_out)
    table = ranked(pd.concat([chosen.drop(columns=["pack", "row"]), scores, against], axis=1))
    table = table.assign(quality=table["run"].map(_quality_marks(frames, files)))
    if (marked := (table["quality"] != "").sum()) > 0:
        print(f"verify: {marked} of {len(table)} candidates come from runs that FAIL their quality gates", flush=True)
    sources = [*classified, *packs, *reference_files(reference), Path(model_folder) / network.CARD_FILE]
    record = provenance.record("verify", sources, settings, settings["seed"]) | {"weights": combination.weight}
    tables = {"nulls": ranking.joined(chance), "profiles": profiles, output.stem: table}
    for name, rows in tables.items():
        catalog.write_fits(output.with_name(f"{name}.fits"), rows, record)
        catalog.write_table(output.with_name(f"{name}.parquet"), rows, record)
    return table


def _read_classified(path: Path) -> pd.DataFrame:
    table = catalog.read_table(path)
    missing = [name for name in _CLASSIFIED_COLUMNS if name not in table]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}; give a table written by `galclass classify`")
    return table


def _quality_marks(frames: pd.DataFrame, files: Sequence[images.PackFile]) -> dict[str, str]:
    """The quality gates that each run fails, empty if none, as its pack says."""
    runs = frames.drop_duplicates(["run", "pack"])
    return {run: files[pack].provenance.get("quality", "") for run, pack in zip(runs["run"], runs["pack"], strict=True)}


def _sights(files: Sequence[images.PackFile], places: Sequence[tuple[int, int]]) -> list[Sight]:
    """Frames of packs, given as (pack, row), as comparisons see them."""
    sights = []
    for pack, row in places:
        picture, flux = (files[pack].pictures(layer, row, row + 1)[0].astype(float) for layer in ("images", "flux"))
        sights.append(Sight(picture, flux, "flux", picture))
    return sights


# --- comparing many


@dataclass(frozen=True)
class _Comparison:
    """Compares galaxies with the references, in all processes; what the network sees of them, in this one."""

    references: list[Reference]
    classifier: network.Classifier
    settings: dict
    share_out: Callable

    def __call__(self, sights: Sequence[Sight], what: str, inputs: np.ndarray | None = None) -> pd.DataFrame:
        """The table of `likeness.compared`; `inputs` of the network where the galaxies are no frames of packs."""
        if inputs is None:
            layer = (sight.light if self.classifier.layer == "flux" else sight.picture for sight in sights)
            inputs = np.concatenate([self.classifier.inputs(one[None]) for one in layer])  # packs may differ in size
        rows = self.classifier.embedding(inputs)
        starts = range(0, len(sights), _CHUNK)
        jobs = [(sights[k : k + _CHUNK], self.references, self.settings, rows[k : k + _CHUNK]) for k in starts]
        return pd.concat(progress(self.share_out(_compared, jobs), len(jobs), f"verify {what}"), ignore_index=True)


def _compared(job: tuple) -> pd.DataFrame:
    return compared(*job)


def _chance(
    comparison: _Comparison,
    files: Sequence[images.PackFile],
    candidates: Sequence[Sight],
    settings: dict,
    depth_dex: float,
) -> tuple[dict[str, pd.DataFrame], ranking.Combination]:
    """The nulls with their scores, `combined` among them, and the combination, made of galaxies of known shape."""
    rng = np.random.default_rng(settings["seed"])
    places = nulls.random_rows([len(file) for file in files], settings["null_frames"], settings["seed"])
    found = {"frames": comparison(_sights(files, places), "random frames")}
    found["ovals"] = comparison(_twins(candidates, (0.0, 0.0), settings["ovals"], depth_dex, rng), "ovals")
    combination = _fitted(comparison, candidates, found["ovals"], settings, depth_dex, rng)
    return {name: table.assign(combined=combination(table)) for name, table in found.items()}, combination


def _controls(
    comparison: _Comparison,
    combination: ranking.Combination,
    candidates: Sequence[Sight],
    settings: dict,
    depth_dex: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of control galaxies, and of the candidates once no more is known of them than of a picture."""
    paths, sights = nulls.read_controls(nulls.control_files(settings), depth_dex)
    inputs = np.stack([comparison.classifier.file_inputs(path) for path in paths])
    controls = comparison([as_picture(sight) for sight in sights], "controls", inputs)
    own = comparison([as_picture(sight) for sight in candidates], "candidates")
    return controls.assign(combined=combination(controls)), own.assign(combined=combination(own))


def _twins(
    candidates: Sequence[Sight], harmonics: tuple[float, float], count: int, depth_dex: float, rng: np.random.Generator
) -> list[Sight]:
    """So many galaxies made of the candidates in turn, with these isophotes."""
    return [nulls.twin(candidates[k % len(candidates)], *harmonics, depth_dex, rng) for k in range(count)]


def _fitted(
    comparison: _Comparison,
    candidates: Sequence[Sight],
    ovals: pd.DataFrame,
    settings: dict,
    depth_dex: float,
    rng: np.random.Generator,
) -> ranking.Combination:
    """The combination that tells candidates with the reference's isophotes from the same with others.

    All scores count alike where the reference's isophotes are not known, or are an oval's.
    """
    shape = comparison.references[0].shape
    wanted = shape["b4"], shape["b6"]
    others = [other for other in _OTHER_SHAPES if not _alike(other, wanted)]
    if not np.isfinite(wanted).all() or _alike((0.0, 0.0), wanted):
        print("verify: the reference's isophotes are an oval's or unknown; all scores count alike", flush=True)
        return ranking.fit_combination(ovals)
    count = max(int(_SHARE_PLANTED * settings["ovals"]), 1)
    planted = [
        comparison(_twins(candidates, harmonics, count, depth_dex, rng), f"shapes {number}")
        for number, harmonics in enumerate((wanted, *others), start=1)
    ]
    return ranking.fit_combination(pd.concat([ovals.iloc[:count], *planted[1:]], ignore_index=True), planted[0])


def _alike(harmonics: tuple[float, float], others: tuple[float, float]) -> bool:
    return abs(harmonics[0] - others[0]) < _NEAR_B4 and abs(harmonics[1] - others[1]) < _NEAR_B6


# --- judging


def _held_against_all(scores: pd.DataFrame, in_pictures: pd.DataFrame, chance: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Percentiles and probabilities among random frames, the ovals nearest in axis ratio, and controls."""
    ovals = [
        ranking.held_against(scores.iloc[[k]], _near_ovals(chance["ovals"], axis_ratio), len(scores), "_ovals")
        for k, axis_ratio in enumerate(scores["axis_ratio"])
    ]
    controls = ranking.held_against(in_pictures, chance["controls"], len(scores), "_controls")
    return pd.concat([ranking.held_against(scores, chance["frames"], len(scores)), pd.concat(ovals), controls], axis=1)


def _near_ovals(ovals: pd.DataFrame, axis_ratio: float) -> pd.DataFrame:
    return ranking.nearest(ovals, axis_ratio, _NEAREST_OVALS) if np.isfinite(axis_ratio) else ovals


def ranked(table: pd.DataFrame) -> pd.DataFrame:
    """The candidates by `combined`, with columns `rank` (from 1), `measured_label` and `p_label`."""
    harmonics = list(zip(table["b4"], table["b4_err"], table["b6"], table["b6_err"], strict=True))
    labels = [isophotes.label_of(b4, b6) for b4, _, b6, _ in harmonics]
    probable = [isophotes.label_probability(label, *values) for label, values in zip(labels, harmonics, strict=True)]
    table = table.assign(measured_label=labels, p_label=probable)
    table = table.sort_values(["combined", *KEYS], ascending=[False, True, True], kind="stable", ignore_index=True)
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table


def _profiles(
    sights: Sequence[Sight], chosen: pd.DataFrame, references: Sequence[Reference], share_out: Callable
) -> pd.DataFrame:
    """The isophotes by radius of the candidates and the references."""
    kind = "flux" if all("flux" in one.profiles for one in references) else "picture"
    lights = [sight.light if kind == "flux" else sight.picture for sight in sights]
    found = share_out(isophote_profile, lights, [kind] * len(lights))
    named = zip(found, chosen["run"], chosen["frame"], strict=True)
    rows = [profile_rows(profile).assign(run=run, frame=frame) for profile, run, frame in named]
    rows += [profile_rows(one.profile).assign(run="reference", frame=k) for k, one in enumerate(references)]
    return pd.concat(rows, ignore_index=True)
