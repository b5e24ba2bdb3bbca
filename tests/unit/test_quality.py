"""A run is marked exactly when a drift is beyond its limit."""

import pytest

from galclass import quality
from galclass.errors import InputError

LIMITS = {"energy": 0.005, "momentum": 0.001, "centre_of_mass": 0.01}
HEADER = "# units\ntime,energy_drift,momentum_drift,centre_drift\n"


def judged(tmp_path, *rows: str) -> list[dict]:
    log = tmp_path / "energy.csv"
    log.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return quality.judge(log, LIMITS)


def test_the_largest_drift_counts_wherever_it_was(tmp_path):
    verdicts = judged(tmp_path, "0,0,0,0", "1,0.021,2e-4,1e-3", "2,0.004,5e-4,1e-2")
    assert [verdict["largest_drift"] for verdict in verdicts] == [0.021, 5e-4, 1e-2]
    assert [verdict["passed"] for verdict in verdicts] == [False, True, True]
    assert quality.failures(verdicts) == "energy 0.021 > 0.005"


def test_a_drift_that_is_no_number_fails(tmp_path):
    assert not judged(tmp_path, "0,0,0,0", "1,NaN,0,0", "2,0,0,0")[0]["passed"]


def test_the_table_is_read_as_it_was_written(tmp_path):
    verdicts = judged(tmp_path, "0,1e-300,0.1,0.30000000000000004")
    quality.write(tmp_path, verdicts)
    assert quality.read(tmp_path) == verdicts
    assert (tmp_path / "quality.csv").read_text().splitlines()[0] == "gate,largest_drift,limit,passed"


def test_marks_of_folders(tmp_path):
    for name, energy in (("good", "0"), ("bad", "0.02")):
        (tmp_path / name).mkdir()
        quality.write(tmp_path / name, judged(tmp_path, f"0,{energy},0,0"))
    (tmp_path / "foreign").mkdir()
    assert quality.mark([tmp_path / "good", tmp_path / "foreign"]) == ""
    assert quality.mark([tmp_path / "good", tmp_path / "bad"]) == "energy 0.02 > 0.005"


@pytest.mark.parametrize("content", ["time,kinetic\n0,1\n", HEADER, HEADER + "0,a,0,0\n", HEADER + "0,0\n"])
def test_a_log_without_drifts_is_refused(tmp_path, content):
    (tmp_path / "energy.csv").write_text(content)
    with pytest.raises(InputError, match="energy.csv: no log of program merger with its drifts"):
        quality.judge(tmp_path / "energy.csv", LIMITS)


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "gate,largest_drift,limit,passed\nenergy,0,0.1,maybe\n"])
def test_a_damaged_table_is_refused(tmp_path, content):
    (tmp_path / "quality.csv").write_text(content)
    with pytest.raises(InputError, match="quality.csv: not a table of quality gates"):
        quality.read(tmp_path)
