"""Thumbnails are the chosen frames, pixel by pixel, in cells that the page can find."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from galclass import images
from galclass.errors import InputError
from galclass.report import thumbnails
from tests.unit.test_report import moments


def candidates_of(*keys) -> pd.DataFrame:
    rows = [{"run": run, "frame": frame, "snapshot": f"s{frame // 2}"} for run, frame in keys]
    table = pd.DataFrame(rows, columns=["run", "frame", "snapshot"])
    return table.assign(rank=np.arange(len(table)) + 1, time_gyr=0.0, p_rectangle=0.9, **{"class": "rectangle"})


def survey(chances: dict[str, list[float]]) -> pd.DataFrame:
    """Two views of each snapshot of some runs; the second of each has this chance of a rectangle."""
    parts = []
    for run, values in chances.items():
        found = moments(run, ["oval", "rectangle"] * len(values), 2)
        parts.append(found.assign(best_p=values))
    return pd.concat(parts, ignore_index=True)


def write_pack(path, count: int, first: int = 0, size: tuple[int, int] = (5, 4)) -> images.PackFile:
    """Random pictures, numbered from `first`."""
    pictures = np.random.default_rng(1).random((count, *size))
    known = dict.fromkeys(images.FRAME_COLUMNS, 0) | {"run": "a", "snapshot": "s0", "label": ""}
    frames = pd.DataFrame(known, index=range(count)).assign(frame=np.arange(count) + first)
    images.write_pack(path, pictures, frames, {"settings": {"depth_dex": 3.0}})
    return images.PackFile(path)


def test_candidates_come_first_then_the_surest_of_every_run():
    table = survey({"a": [0.9, 0.8, 0.7], "b": [0.3, 0.2, 0.1]})
    chosen = thumbnails.choose(table, candidates_of(("b", 4)), 100)
    assert chosen["rank"].tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert chosen["p_rectangle"].tolist() == [0.9, 0.9, 0.8, 0.7, 0.3, 0.2, 0.1]
    assert chosen.loc[0, ["run", "frame", "number"]].tolist() == ["b", 4, 0]
    assert chosen.loc[1, ["run", "frame", "number"]].tolist() == ["a", 1, 1]


def test_room_is_shared_between_runs():
    table = survey({"a": [0.9, 0.8, 0.7], "b": [0.3, 0.2, 0.1]})
    chosen = thumbnails.choose(table, candidates_of(), 4)
    assert chosen.groupby("run").size().to_dict() == {"a": 2, "b": 2}
    assert thumbnails.choose(table, candidates_of(), 1)["run"].tolist() == ["a"]
    assert thumbnails.choose(table, candidates_of(("a", 3), ("a", 5), ("b", 1)), 2)["rank"].tolist() == [1, 2]


def test_a_candidate_is_not_shown_twice():
    table = survey({"a": [0.9, 0.8]})
    chosen = thumbnails.choose(table, candidates_of(("a", 1)), 100)
    assert chosen["frame"].tolist() == [1, 3]


def test_cells_of_the_sheets_are_the_frames(tmp_path):
    pack = write_pack(tmp_path / "a.h5", 7)
    chosen = pd.DataFrame({"run": "a", "frame": [6, 0, 3]})
    levels = thumbnails.levels(chosen, {"a": pack})
    (path,) = thumbnails.write(tmp_path / "thumbnails", levels)
    sheet = np.asarray(Image.open(path))
    for index, frame in enumerate(chosen["frame"]):
        number, x, y = thumbnails.place(index)
        cell = sheet[5 * y : 5 * y + 5, 4 * x : 4 * x + 4]
        np.testing.assert_array_equal(cell[::-1], images.grey_levels(pack.pictures("images", frame, frame + 1)[0]))
        assert number == 0


def test_many_pictures_fill_several_sheets_and_old_ones_go(tmp_path):
    count = thumbnails.PER_SHEET + 26
    pictures = (np.arange(count) % 251).astype(np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    (tmp_path / "sheet_07.png").touch()
    written = thumbnails.write(tmp_path, pictures)
    assert sorted(tmp_path.iterdir()) == written and len(written) == 2
    sheet, x, y = thumbnails.place(count - 1)
    assert (sheet, x, y) == (1, 0, 1)
    assert np.asarray(Image.open(written[1]))[2, 0] == (count - 1) % 251


def test_the_same_sheets_again_are_the_same_bytes(tmp_path):
    pictures = np.random.default_rng(2).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    first, second = (thumbnails.write(tmp_path / name, pictures)[0].read_bytes() for name in "ab")
    assert first == second


def test_frames_are_found_by_their_numbers(tmp_path):
    assert thumbnails.row_finder(write_pack(tmp_path / "a.h5", 3))(2) == 2
    place = thumbnails.row_finder(write_pack(tmp_path / "b.h5", 3, first=10))
    assert place(11) == 1
    with pytest.raises(InputError, match="b.h5: no frame 2; its frames are numbered 10 to 12"):
        place(2)
    with pytest.raises(InputError, match="a.h5: no frame 3"):
        thumbnails.row_finder(images.PackFile(tmp_path / "a.h5"))(3)


def test_pictures_of_two_sizes_are_refused(tmp_path):
    packs = {"a": write_pack(tmp_path / "a.h5", 2), "b": write_pack(tmp_path / "b.h5", 2, size=(6, 6))}
    with pytest.raises(InputError, match=r"b.h5: pictures of \(6, 6\), others \(5, 4\)"):
        thumbnails.levels(pd.DataFrame({"run": ["a", "b"], "frame": [0, 0]}), packs)


def test_tiles_lead_to_their_sections_or_to_themselves():
    table = survey({"a": [0.9, 0.8, 0.7]})
    chosen = thumbnails.choose(table, candidates_of(("a", 4), ("a", 0)), 100)
    found = thumbnails.gallery(chosen, {"a": {"run": "a", "mass_ratio": 3}}, 1, (50, 50))
    assert [tile["link"] for tile in found["tiles"]][:3] == ["candidates.html#candidate-1", "#frame-1", "#frame-2"]
    assert found["cell"] == 100 and found["sheets"] == ["thumbnails/sheet_00.png"]
    assert found["data"]["design"] == {"columns": ["mass_ratio"], "rows": [[3]]}
    assert found["data"]["view"] == chosen["number"].tolist()
