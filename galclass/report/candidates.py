"""The page of the candidates: each beside its reference, with every score, where it came from, how to make it again."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from galclass import __version__, images, network, verify, visibility
from galclass.errors import InputError
from galclass.report import figures, tables, thumbnails
from galclass.report.results import Results
from galclass.report.tables import number_text, number_with_error, percentile_text

#: What the scores are called.
TITLES = {
    "combined": "all scores together, weighted (0 is ordinary)",
    "cosine_residual": "residual cosine, of what the own ellipses leave over",
    "cosine_aligned": "aligned cosine",
    "cosine_raw": "raw cosine (the thesis's)",
    "profile_distance": "distance of the isophotes (0 is the same)",
    "embedding_distance": "distance inside the network (0 is the same)",
    "sift_keypoints": "SIFT keypoints",
    "sift_inliers": "SIFT matches that lie alike",
    "sift_residual_inliers": "the same in the residuals",
}
#: With whom a score is compared, and how the columns of percentiles and of the probability end.
_NULLS = {"random frames": "", "the candidates made ovals": "_ovals", "control galaxies": "_controls"}
#: What is said of the shape: title, column, column of its error.
_SHAPE = (
    ("B4", "b4", "b4_err"),
    ("B6", "b6", "b6_err"),
    ("a4/a", "a4_over_a", None),
    ("b/a", "axis_ratio", None),
    ("a4/a turns from discy to boxy at [effective radii]", "inner_disc_re", None),
    ("significance of that [standard deviations]", "inner_disc_sigma", None),
    ("a4/a: distance of the profiles", "a4_distance", None),
    ("ellipticity: distance of the profiles", "ellipticity_distance", None),
    ("B6: distance of the profiles", "b6_distance", None),
)
#: Percentile of the residuals at which their colours end, so that a noisy pixel does not fade the rest.
_STRONGEST = 99.5
#: The commands that make a frame again; `view` is its number among the frames of its snapshot.
COMMANDS = (
    "galclass render {source} -c {config} --run {run} -o again.h5",
    "galclass export again.h5 --frame {view} -o again.png",
)
_UNITS = ("gyr", "kpc", "deg", "arcsec", "km_s")


@dataclass(frozen=True)
class Candidate:
    """A candidate with what it is compared with.

    Attributes
    ----------
    row : dict, its row of the table of candidates
    picture : shape (ny, nx), 0 to 1
    flux : shape (ny, nx), what the telescope recorded
    view : its number among the frames of its snapshot
    reference, number : the reference it is most like, and the number of that
    """

    row: dict
    picture: np.ndarray
    flux: np.ndarray
    view: int
    reference: verify.Reference
    number: int


def best(results: Results, count: int) -> list[Candidate]:
    """The `count` best candidates, best first."""
    names = [reference.name for reference in results.references]
    found = []
    for row in results.candidates.head(count).to_dict("records"):
        if row["reference"] not in names:
            raise InputError(f"reference {row['reference']!r} of the candidates is not among {names}; run verify again")
        number = names.index(row["reference"])
        frame = _frame(results.packs[row["run"]], row["frame"])
        found.append(Candidate(row, *frame, results.references[number], number))
    return found


def _frame(pack: images.PackFile, frame: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Picture and flux of one frame, shape (ny, nx) each, and its number among the frames of its snapshot."""
    frames, row = pack.frames(), thumbnails.row_finder(pack)(frame)
    picture, flux = (pack.pictures(layer, row, row + 1)[0] for layer in ("images", "flux"))
    return picture.astype(float), flux, int((frames["snapshot"].iloc[:row] == frames["snapshot"].iloc[row]).sum())


def page(results: Results, settings: dict) -> tuple[dict, dict[str, pd.DataFrame]]:
    """Everything that the template candidates.html.j2 names, and tables of the numbers that only its figures show.

    Parameters
    ----------
    results : Results
    settings : dict
        The whole configuration.

    Returns
    -------
    values : dict
    numbers : dict of name -> table
        `matches` of the keypoints, and `saliency`.
    """
    shown = best(results, settings["report"]["candidates"])
    matches = [keypoint_matches(candidate, settings["verify"]["sift"]) for candidate in shown]
    places, added = _saliency(results, shown)
    cards = [
        _texts(candidate, results)
        | _pictures(candidate, results, matches[k])
        | {"saliency": _salient(candidate, (places[0][k], places[1][k]), added[k])}
        for k, candidate in enumerate(shown)
    ]
    values = {"version": __version__, "total": len(results.candidates), "cards": cards}
    values["candidates"] = tables.candidates(results, settings["report"]["candidates"])
    values["has_controls"] = bool(results.candidates["combined_percentile_controls"].notna().any())
    return values, {"matches": pd.concat(matches, ignore_index=True), "saliency": _salience_rows(shown, places, added)}


# --- figures


def _pictures(candidate: Candidate, results: Results, matches: pd.DataFrame) -> dict[str, str]:
    """The figures of one candidate as addresses of inline pictures; the map is empty where there is none."""
    own, known = (profile_rows(results, *key) for key in _keys(candidate))
    pair = [candidate.picture, candidate.reference.picture]
    return {
        "pair": _pair(candidate, own, known),
        "profiles": figures.inline(10.5, 2.6, lambda axes: figures.plot_profiles(own, known, axes), ncols=3),
        "matches": figures.inline(6.0, 2.9, lambda ax: figures.plot_matches(*pair, matches, ax)),
        "sky": _sky(candidate, results),
    }


def _keys(candidate: Candidate) -> list[tuple[str, int]]:
    """Run and frame of the candidate's and of its reference's profile."""
    return [(candidate.row["run"], candidate.row["frame"]), ("reference", candidate.number)]


def profile_rows(results: Results, run: str, frame: int) -> pd.DataFrame:
    """The isophotes of one frame by radius."""
    table = results.profiles
    return table[(table["run"] == run) & (table["frame"] == frame)].sort_values("radius_re")


def _pair(candidate: Candidate, own: pd.DataFrame, known: pd.DataFrame) -> str:
    """Candidate, reference and the residuals of both, at one scale."""
    pictures = [candidate.picture, candidate.reference.picture]
    residuals = [verify.residual_picture(picture) for picture in pictures]
    unit, pixels = common_scale(candidate, own, known)
    half_width = 0.5 * max(max(picture.shape) * pixel for picture, pixel in zip(pictures, pixels, strict=True))
    largest = max(np.percentile(np.abs(residual), _STRONGEST) for residual in residuals) or 1.0
    kpc = candidate.row["pixel_kpc"] / candidate.row["pixel_arcsec"]
    bars = [{"scale": kpc, "other": "kpc"} if unit == "arcsec" else {}, {}]

    def draw(axes: np.ndarray) -> None:
        for k, name in enumerate(("candidate", "reference")):
            figures.plot_to_scale(pictures[k], pixels[k], half_width, axes[k], name)
            figures.plot_scale_bar(half_width, unit, axes[k], **bars[k])
            title = f"{name}, less its own ellipses"
            figures.plot_residual(residuals[k], pixels[k], half_width, largest, axes[k + 2], title)

    return figures.inline(10.5, 2.9, draw, ncols=4)


def common_scale(candidate: Candidate, own: pd.DataFrame, known: pd.DataFrame) -> tuple[str, tuple[float, float]]:
    """A unit of length that holds for candidate and reference, and the width of a pixel of each in it.

    arcsec where both say how wide a pixel is, else effective radii of their profiles, else the width of the picture.
    """
    if candidate.reference.pixel_arcsec:
        return "arcsec", (candidate.row["pixel_arcsec"], candidate.reference.pixel_arcsec)
    radii = [(rows["radius_px"] / rows["radius_re"]).mean() for rows in (own, known)]
    if all(math.isfinite(radius) for radius in radii):
        return "effective radii", (1.0 / radii[0], 1.0 / radii[1])
    return "of the picture", (1.0 / candidate.picture.shape[1], 1.0 / candidate.reference.picture.shape[1])


def keypoint_matches(candidate: Candidate, settings: dict) -> pd.DataFrame:
    """Matches of the SIFT keypoints of a candidate and its reference, a row each: places [pixel] and is_inlier."""
    found = verify.matched(verify.sift(candidate.picture, settings), candidate.reference.keypoints, settings)
    columns = {name: candidate.row[name] for name in ("rank", "run", "frame")}
    columns |= {"x": found.first[:, 0], "y": found.first[:, 1]}
    columns |= {"reference_x": found.second[:, 0], "reference_y": found.second[:, 1], "is_inlier": found.is_inlier}
    return pd.DataFrame(columns)


def _saliency(results: Results, shown: list[Candidate]) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Places x, y on the rings of each candidate [pixel], and what each adds to p(rectangle); shape (n, rings, m)."""
    flux = np.stack([candidate.flux for candidate in shown])
    classifier = network.open_classifier(results.network)
    return network.places(network.galaxy_ellipses(flux)), classifier.saliency(classifier.inputs(flux))


def _salient(candidate: Candidate, places: tuple[np.ndarray, np.ndarray], added: np.ndarray) -> str:
    title = f"p(rectangle) {candidate.row['p_rectangle']:.2f}"
    return figures.inline(2.9, 2.9, lambda ax: figures.plot_saliency(candidate.picture, places, added, ax, title))


def _salience_rows(shown: list[Candidate], places: tuple, added: np.ndarray) -> pd.DataFrame:
    """The numbers of the saliency figures, a row a place."""
    parts = []
    for k, candidate in enumerate(shown):
        ring, place = np.indices(added[k].shape)
        columns = {name: candidate.row[name] for name in ("rank", "run", "frame")}
        columns |= {"ring": ring.ravel(), "place": place.ravel(), "x": places[0][k].ravel(), "y": places[1][k].ravel()}
        parts.append(pd.DataFrame(columns | {"added": added[k].ravel()}))
    return pd.concat(parts, ignore_index=True)


def _sky(candidate: Candidate, results: Results) -> str:
    """From where the candidate's snapshot is called a rectangle; empty where nobody looked from all sides."""
    if candidate.row["run"] not in results.visibility:
        return ""
    table = results.visibility[candidate.row["run"]]
    rows, view = table[table["snapshot"] == candidate.row["snapshot"]], _view(candidate.row)
    if rows.empty:
        return ""
    projection = {"projection": "mollweide"}
    return figures.inline(
        5.0, 3.2, lambda ax: visibility.plot_sky(rows, "p_rectangle", ax, view), subplot_kw=projection
    )


def _view(row: dict) -> np.ndarray:
    return np.array([row["view_x"], row["view_y"], row["view_z"]])


# --- words and numbers


def _texts(candidate: Candidate, results: Results) -> dict:
    """Title, tables, sentences and commands of one candidate."""
    row, seen = candidate.row, results.spans.get(candidate.row["run"])
    return {
        "rank": row["rank"],
        "title": f"{results.marked(row['run'])} at {row['time_gyr']:.2f} Gyr, frame {row['frame']}",
        "reference": candidate.reference.name,
        "shared_unit": common_scale(candidate, *(profile_rows(results, *key) for key in _keys(candidate)))[0],
        "scores": scores(row),
        "shape": shape(row),
        "sift": sift_text(row),
        "aligned": aligned_text(row),
        "seen": "" if seen is None else f"{results.marked(row['run'])}: {seen['summary']}.",
        "origin": origin(candidate, results, results.runs[row["run"]]),
        "commands": commands(candidate, results),
    }


def scores(row: dict) -> dict:
    """Every score with its percentiles, and the probability of the best by chance in the last row."""
    columns = ["score", "value", *(f"among {null} [%]" for null in _NULLS)]
    rows = [
        [TITLES.get(name, name.replace("_", " ")), number_text(row[name], "{:.0f}" if "sift" in name else "{:.3f}"),
         *(percentile_text(row[f"{name}_percentile{end}"], end) for end in _NULLS.values())]
        for name in verify.SCORES
    ]  # fmt: skip
    chances = [row[f"p_chance{end}"] for end in _NULLS.values()]
    chances = [f"p {chance:.2g}" if math.isfinite(chance) else percentile_text(chance, end)
               for chance, end in zip(chances, _NULLS.values(), strict=True)]  # fmt: skip
    return {"columns": columns, "rows": [*rows, ["as good by chance, the best of all tried", "", *chances]]}


def shape(row: dict) -> list[list[str]]:
    """What was measured of the candidate's shape, and what it was called."""
    rows = []
    for title, column, error in _SHAPE:
        text = number_text(row[column]) if error is None else number_with_error(row[column], row[error])
        rows.append([title, text])
    measured = f"{row['measured_label']} (probability {number_text(row['p_label'], '{:.2f}')})"
    called = f"{row['class']}, p(rectangle) {row['p_rectangle']:.3f}"
    far = f"{number_text(row['domain_distance'], '{:.2f}')} (beyond 1 the classifier has seen nothing like it)"
    return [["measured shape", measured], *rows, ["called by the network", called], ["domain distance", far]]


def sift_text(row: dict) -> str:
    """How many keypoints, matches and inliers there are, and what that says."""
    return (
        f"{row['sift_keypoints']} keypoints against {row['sift_reference_keypoints']}, {row['sift_matches']} matches, "
        f"{row['sift_inliers']} of which lie alike: {row['sift_verdict']}"
    )


def aligned_text(row: dict) -> str:
    """How the candidate was turned upon the reference; empty where it could not be."""
    if not math.isfinite(row["rotation_deg"]):
        return ""
    mirrored = "mirrored and " if row["mirrored"] else ""
    return f"Most like the reference when {mirrored}turned by {row['rotation_deg']:.0f} degrees."


def origin(candidate: Candidate, results: Results, orbit: dict) -> list[list[str]]:
    """Where the picture came from: pack, frame, moment, view, and the row of the table of mergers."""
    row, (x, y, z) = candidate.row, _view(candidate.row)
    longitude, latitude = math.degrees(math.atan2(y, x)), math.degrees(math.asin(max(-1.0, min(1.0, z))))
    rows = [
        ["run", results.marked(row["run"])],
        ["frame", f"{row['frame']} of {results.folder / 'render' / 'mergers' / row['run']}.h5"],
        ["snapshot", f"{row['snapshot']}, {row['time_gyr']:.3f} Gyr"],
        ["view from", f"({x:+.4f}, {y:+.4f}, {z:+.4f}): longitude {longitude:.1f}, latitude {latitude:.1f} degrees"],
        ["roll [deg]", f"{row['roll_deg']:.2f}"],
        ["pixel", f"{row['pixel_kpc']:.4f} kpc, {row['pixel_arcsec']:.3f} arcsec"],
        ["effective radius [kpc]", f"{row['effective_radius_kpc']:.3f}"],
        ["S/N at that radius", number_text(row["snr"], "{:.0f}")],
        ["seed of the views and the noise", str(row["seed"])],
    ]
    return rows + [[f"orbit: {column_title(name)}", str(value)] for name, value in orbit.items() if name != "run"]


def column_title(name: str) -> str:
    """The name of a column with its unit in brackets: `pericentre_kpc` is pericentre [kpc]."""
    words, _, unit = name.rpartition("_")
    return f"{words.replace('_', ' ')} [{unit}]" if unit in _UNITS else name.replace("_", " ")


def commands(candidate: Candidate, results: Results) -> list[str]:
    """The commands that make the picture again, bit for bit.

    Views and noise depend on the seed, the name of the run and that of the snapshot's file only, so that one snapshot
    gives the same pictures as the whole run.
    """
    run, source = candidate.row["run"], results.source(candidate.row["run"], candidate.row["snapshot"])
    return [line.format(source=source, config=results.folder / "config.yaml", run=run, view=candidate.view)
            for line in COMMANDS]  # fmt: skip
