"""A wrong configuration is refused before anything runs, in one line that names file, key, value and range."""

from pathlib import Path

import pytest
import yaml

from galclass import config
from galclass.errors import ConfigError, InputError


@pytest.fixture
def overlay(tmp_path):
    """Write an overlay and return its path."""

    def write(text: str) -> Path:
        path = tmp_path / "mine.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("name", ["tiny.yaml", "thesis.yaml", "milky_way.yaml"])
def test_the_overlays_we_ship_are_valid(name):
    settings = config.load([config.ROOT / "config" / name])
    assert set(settings) == set(config.schema("config")["properties"])
    assert config.selected_runs(settings)


def test_overlay_changes_only_what_it_names(overlay):
    plain, changed = config.load(), config.load([overlay("render: {pixels: 64}")])
    assert changed["render"]["pixels"] == 64
    changed["render"]["pixels"] = plain["render"]["pixels"]
    assert changed == plain


def test_later_overlays_win(overlay, tmp_path):
    second = tmp_path / "second.yaml"
    second.write_text("train: {epochs: 3}")
    assert config.load([overlay("train: {epochs: 2, seed: 5}"), second])["train"]["epochs"] == 3


def test_thesis_trains_as_the_thesis_did():
    """DESIGN: Adadelta at 1.0, batch 200, 1000 epochs, no early stopping, 108 models x 100 pictures = 10,800."""
    settings = config.load([config.ROOT / "config" / "thesis.yaml"])
    train, pictures = settings["train"]["thesis"], settings["render"]["shapes"]["pictures_per_model"]
    assert (train["learning_rate"], train["batch_size"], train["epochs"], train["patience"]) == (1.0, 200, 1000, 0)
    assert pictures * len(config.read_shapes(config.resolve(settings["simulate"]["shapes"]["table"]))) == 10_800


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rendr: {}", r"mine.yaml: rendr: unknown key; allowed are .*did you mean 'render'\?"),
        ("render: {pixel: 50}", r"render.pixel: unknown key; .*did you mean 'pixels'\?"),
        ("render: {pixels: 5}", r"render.pixels: found 5; allowed is a whole number from 16 to 512"),
        ("render: {pixels: many}", r"render.pixels: found 'many'; allowed is a whole number"),
        ("render: {fold: 1}", r"render.fold: found 1; allowed is true or false"),
        ("simulate: {solver: oct}", r"simulate.solver: found 'oct'; allowed is one of tree, direct, direct_double"),
        ("simulate: {gates: {energy: 0}}", r"simulate.gates.energy: found 0; allowed is a number above 0 to 1"),
        ("simulate: {softening_kpc: 0}", r"softening_kpc: found 0; allowed is a number above 0"),
        ("initial: {runs: []}", r"initial.runs: found \[\]; allowed is a list of at least 1"),
        ("initial: {disc_mass_msun: 2e8}", r"found '2e8'; .*write 2.0e\+8, not 2e8"),
        ("render: {pixels: '50'}", r"found '50'; .*give the number in a file, without quotes"),
        ("initial: {toomre_q: .nan}", r"initial.toomre_q: found nan; allowed is a finite number"),
        ("initial: {halo_mass_msun: .inf}", r"found inf; allowed is a finite number"),
        ("train: 3", r"train: found 3; allowed is a section of keys"),
        ("- a", r"mine.yaml: found list"),
        ("render: {pixels: [", r"mine.yaml: line 1: not readable as YAML"),
        ("1: {}", r"1: unknown key"),
    ],
)
def test_wrong_values_are_named(overlay, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        config.load([overlay(text)])
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named():
    settings = config.load()
    del settings["train"]["epochs"]
    with pytest.raises(ConfigError, match="train.epochs: missing; give a whole number from 1"):
        config.check(settings, "settings")


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        config.load([tmp_path / "none.yaml"])
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="not readable as YAML"):
        config.load([tmp_path / "binary.yaml"])


def test_every_key_has_a_description_and_a_default():
    """The schema is the documentation, and defaults live in config.yaml alone."""

    def walk(rule: dict, value: dict, where: str) -> None:
        assert rule["additionalProperties"] is False, where
        assert set(rule["required"]) == set(rule["properties"]) == set(value), where
        for name, inner in rule["properties"].items():
            assert inner.get("description", "").endswith("."), f"{where}.{name}"
            assert "default" not in inner
            if inner["type"] == "object":
                walk(inner, value[name], f"{where}.{name}")

    walk(config.schema("config"), yaml.safe_load((config.ROOT / "config/config.yaml").read_text()), "config")


def test_the_page_on_the_configuration_is_up_to_date():
    assert (config.ROOT / "docs" / "configuration.md").read_text() == config.document(), "run `make docs`"


HEADER = "\t".join(config.schema("mergers")["properties"])
#: Its apocentre is 0.016 x 1.998/0.002 = 15.984 kpc.
ROW = "box\t1\t1\t0.016\t0.998\t15\t45\t90\t45\t-90\t0"


def table(tmp_path, text: str) -> Path:
    path = tmp_path / "mergers.tsv"
    path.write_text(text)
    return path


def test_merger_rows_are_typed(tmp_path):
    rows = config.read_mergers(table(tmp_path, f"# a comment\n{HEADER}\n{ROW}\n\n"))
    assert rows["box"]["seed"] == 1
    assert rows["box"]["inclination2_deg"] == 45.0
    assert isinstance(rows["box"]["mass_ratio"], float)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        (HEADER, "the table has no rows"),
        ("# only a comment", "column run, seed, .* is missing"),
        (f"{HEADER}\n{ROW}\n{ROW}", "line 3: run 'box' appears twice"),
        (f"{HEADER}\n{ROW[4:]}", "line 2: 10 values for 11 columns"),
        (f"{HEADER}\n{ROW.replace('box', 'a b')}", "line 2: run: found 'a b'"),
        (f"{HEADER}\n{ROW.replace('0.998', 'high')}", "eccentricity: found 'high'; allowed is a number"),
        (f"{HEADER}\n{ROW.replace('0.998', 'nan')}", "eccentricity: found nan"),
        (f"{HEADER}\n{ROW.replace(chr(9) + '15', chr(9) + '-16')}", "separation_kpc: found -16"),
        (
            f"# one\n{HEADER}\n\n{ROW.replace(chr(9) + '15', chr(9) + '20')}",
            r"mergers.tsv line 4: separation_kpc 20: must lie between the pericentre, 0.016 kpc, and .* 15.984 kpc",
        ),
        (f"{HEADER}\n{ROW.replace('0.016', '17')}", "separation_kpc 15: must lie between the pericentre, 17 kpc"),
        (f"{HEADER}\n{ROW.replace('0.998', '1.5').replace('0.016', '17')}", "the pericentre, 17 kpc, and infinity"),
        (f"{HEADER}\n{ROW.replace('box', chr(34) + 'b' + chr(34) + 'x')}", "line 2: a quotation mark in the wrong"),
        (HEADER.replace("seed", "sed"), "unknown column 'sed'; .*did you mean 'seed'"),
    ],
)
def test_wrong_tables_are_named(tmp_path, text, message):
    with pytest.raises((ConfigError, InputError), match=message) as caught:
        config.read_mergers(table(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pericentre", "eccentricity", "separation", "passes"),
    [(3, 0, 3, True), (3, 0, 3.001, False), (1, 0.9, 19, True), (1, 0.9, 19.001, False), (2, 1, 9000, True),
     (2, 1.2, 1.999, False), (2, 1.2, 2, True)],
)  # fmt: skip
def test_a_separation_lies_on_the_orbit(pericentre, eccentricity, separation, passes):
    """An ellipse ends at r_p (1 + e)/(1 - e), 19 kpc here; a parabola and a hyperbola nowhere."""
    assert (config.off_orbit(pericentre, eccentricity, separation) == "") is passes


def test_values_that_repeat_are_still_checked_in_every_row(tmp_path):
    """Each text of a column is looked at once, so a bad one must be found wherever it stands, and nan must be."""
    rows = [ROW.replace("box", f"box_{number}") for number in range(20)]
    assert len(config.read_mergers(table(tmp_path, "\n".join([HEADER, *rows])))) == 20
    with pytest.raises(ConfigError, match="line 22: eccentricity: found inf; allowed is a finite number"):
        config.read_mergers(table(tmp_path, "\n".join([HEADER, *rows, ROW.replace("0.998", "inf")])))


def test_all_that_a_project_needs_is_looked_for(overlay):
    screened, learnt, models = config.required(config.load())
    assert (list(screened), len(learnt), len(models)) == (["box", "oval"], 30, 200)
    with pytest.raises(ConfigError, match="train.runs: 'box' is also in initial.runs"):
        config.required(config.load([overlay("train: {runs: [box]}")]))
    with pytest.raises(InputError, match="nosuch.tsv: no such file"):
        config.required(config.load([overlay("simulate: {shapes: {table: nosuch.tsv}}")]))
    with pytest.raises(InputError, match="nosuch.fits: no such file"):
        config.required(config.load([overlay("reference: {image: nosuch.fits}")]))


def test_the_survey_of_the_validation_has_runs_of_its_own(overlay):
    own, runs = config.validation(config.load([overlay("initial: {disc_particles: 1234}")]))
    assert len(runs) == 32 and own["initial"]["disc_particles"] != 1234
    with pytest.raises(InputError, match="nosuch.yaml: no such file"):
        config.validation(config.load([overlay("validate: {configuration: nosuch.yaml}")]))


def test_unknown_run_is_named(overlay):
    settings = config.load([overlay("initial: {runs: [bocks]}")])
    with pytest.raises(ConfigError, match="initial.runs: 'bocks' is not in config/mergers.tsv; known runs: box"):
        config.selected_runs(settings)


def test_patterns_name_the_runs_to_screen():
    settings = config.load()
    settings["initial"]["runs"] = ["oval", "survey_4[12]", "box", "survey_42"]
    assert list(config.selected_runs(settings)) == ["oval", "survey_41", "survey_42", "box"]


def test_a_message_does_not_name_thousands_of_runs(tmp_path):
    header, row = (config.ROOT / "config" / "mergers.tsv").read_text().splitlines()[:2]
    rows = [row.replace("box", f"grid_{number}", 1) for number in range(1000)]
    (tmp_path / "grid.tsv").write_text("\n".join([header, *rows]))
    settings = config.load()
    settings["initial"] |= {"table": str(tmp_path / "grid.tsv"), "runs": ["grid_x*"]}
    with pytest.raises(ConfigError, match="grid_0, grid_1, .* and 940 more") as error:
        config.selected_runs(settings)
    assert len(str(error.value)) < 1000


def test_shape_table_is_that_of_the_thesis():
    """36 models of each class, with axis ratios from 0.4 to 1."""
    rows = list(config.read_shapes(config.ROOT / "config" / "shapes.tsv").values())
    assert {name: sum(row["class"] == name for row in rows) for name in ("oval", "rectangle", "obround")} == {
        "oval": 36,
        "rectangle": 36,
        "obround": 36,
    }
    assert min(row["axis_ratio"] for row in rows) == 0.4
    assert max(row["axis_ratio"] for row in rows) == 1.0


def test_patterns_name_the_runs_to_learn_from():
    settings = config.load()
    settings["train"]["runs"] = ["survey_0*", "flat"]
    found = list(config.training_runs(settings))
    assert found[0] == "flat"
    assert found[1:] == [f"survey_{k:02d}" for k in range(1, 10)]


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (["survey_x*"], "train.runs: 'survey_x\\*' is not in config/mergers.tsv"),
        (["b?x"], "train.runs: 'box' is also in initial.runs"),
    ],
)
def test_runs_to_learn_from_that_cannot_be_are_refused(runs, message):
    settings = config.load()
    settings["train"]["runs"] = runs
    with pytest.raises(ConfigError, match=message) as error:
        config.training_runs(settings)
    assert "\n" not in str(error.value)


def test_what_the_configuration_names_must_be_there(overlay, tmp_path):
    picture = tmp_path / "mine.png"
    picture.write_text("not empty")
    assert config.named_files(config.load([overlay(f"reference: {{image: [{picture}]}}")])) == [picture]
    with pytest.raises(InputError, match="nosuch.png: no such file"):
        config.named_files(config.load([overlay(f"reference: {{image: [{picture}, nosuch.png]}}")]))
    with pytest.raises(ConfigError, match="verify.controls: no folder nosuch"):
        config.named_files(config.load([overlay("verify: {controls: nosuch}")]))
    with pytest.raises(ConfigError, match="reference.image: found .*; allowed is text or a list"):
        config.load([overlay("reference: {image: []}")])
