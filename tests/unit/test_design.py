"""Tables of mergers: every combination once, in order, and read back as the workflow reads them."""

import pytest

from galclass import config, design
from galclass.errors import ConfigError, InputError

#: An ellipse of apocentre 9.5 kpc, and a parabola.
ORBIT = "pericentre_kpc,eccentricity=0.5/0.9,2/1"


def test_every_combination_is_a_row(tmp_path):
    path = tmp_path / "grid.tsv"
    assert design.run(["separation_kpc=9", ORBIT, "mass_ratio=1,3,4.5"], path, "g", 7) == 6
    rows = list(config.read_mergers(path).values())
    assert [row["run"] for row in rows] == [f"g_{n}" for n in range(1, 7)]
    assert [row["seed"] for row in rows] == list(range(7, 13))
    found = [(row["pericentre_kpc"], row["eccentricity"], row["mass_ratio"]) for row in rows]
    assert found == [(0.5, 0.9, 1), (0.5, 0.9, 3), (0.5, 0.9, 4.5), (2, 1, 1), (2, 1, 3), (2, 1, 4.5)]
    assert {row["bulge_over_halo"] for row in rows} == {0}


def test_the_grid_of_the_thesis_has_its_size():
    rows = config.read_mergers(config.ROOT / "config" / "grid.tsv").values()
    assert len(rows) == 9 * 7 * 13
    for column, values in (("pericentre_kpc", 9), ("inclination1_deg", 7), ("argument2_deg", 13)):
        assert len({row[column] for row in rows}) == values
    assert all(row["inclination1_deg"] == row["inclination2_deg"] for row in rows)


def test_ranges_reach_their_end():
    allowed = ["argument1_deg", "argument2_deg"]
    found = design.values_of("argument1_deg,argument2_deg=0:0.3:0.1", allowed)
    assert found == [dict.fromkeys(allowed, text) for text in ("0", "0.1", "0.2", "0.3")]
    assert [row["argument1_deg"] for row in design.values_of("argument1_deg=7,90:-90:-90", allowed)] == [
        "7",
        "90",
        "0",
        "-90",
    ]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["mass_ration=1"], "'mass_ration=1': found column 'mass_ration'; allowed is NAME=VALUES with mass_ratio, "),
        (["mass_ratio"], "found column 'mass_ratio'; allowed is NAME=VALUES"),
        (["separation_kpc=16"], "column pericentre_kpc, eccentricity is missing"),
        ([ORBIT, "separation_kpc=16", "eccentricity=1"], "column eccentricity is given twice"),
        ([ORBIT, "separation_kpc=0:10:0"], "found '0:10:0'; a range is FIRST:LAST:STEP"),
        ([ORBIT, "separation_kpc=10:0:1"], "found '10:0:1'; a range is FIRST:LAST:STEP"),
        (["pericentre_kpc,eccentricity=1/2/3", "separation_kpc=16"], "give one value, or 2 with slashes between"),
        ([ORBIT, "separation_kpc=1:1000:0.01", "argument1_deg=0:360:1"], "at most 1000000 are allowed"),
        ([ORBIT, "separation_kpc=far"], "separation_kpc: found 'far'; allowed is a number"),
        ([ORBIT, "separation_kpc=16"], "grid.tsv line 3: separation_kpc 16: must lie between the pericentre, 0.5 kpc"),
    ],
)
def test_wrong_values_are_one_line(tmp_path, columns, message):
    with pytest.raises(ConfigError) as error:
        design.run(columns, tmp_path / "grid.tsv")
    assert message in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "grid.tsv").exists()


def test_a_table_that_is_refused_leaves_the_old_one(tmp_path):
    path = tmp_path / "keep.tsv"
    design.run([ORBIT, "separation_kpc=9"], path)
    old = path.read_bytes()
    with pytest.raises(ConfigError, match="keep.tsv line 3: mass_ratio: found 0.5"):
        design.run([ORBIT, "separation_kpc=9", "mass_ratio=0.5"], path)
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


def test_a_table_is_named_as_one(tmp_path):
    with pytest.raises(InputError, match="ends in .tsv"):
        design.run([ORBIT, "separation_kpc=16"], tmp_path / "grid.csv")


def test_tables_can_be_several(tmp_path):
    design.run([ORBIT, "separation_kpc=9"], tmp_path / "grid.tsv")
    settings = config.load()
    settings["initial"] |= {"table": [str(tmp_path / "grid.tsv"), "config/mergers.tsv"], "runs": ["grid_*"]}
    assert list(config.selected_runs(settings)) == ["grid_1", "grid_2"]
    assert len(config.training_runs(settings)) == 30
    settings["initial"]["table"].append(str(tmp_path / "grid.tsv"))
    with pytest.raises(ConfigError, match="run 'grid_1' is in another table of initial.table too"):
        config.selected_runs(settings)
