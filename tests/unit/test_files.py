"""Files are written whole or not at all."""

import pytest

from galclass.errors import InputError
from galclass.files import atomic, require_file, require_suffix, write_text


def test_atomic_write_replaces_the_old_file(tmp_path):
    path = tmp_path / "new" / "table.csv"
    for text in ("old", "new"):
        with atomic(path) as temporary:
            temporary.write_text(text)
    assert path.read_text() == "new"
    assert [file.name for file in path.parent.iterdir()] == ["table.csv"]


def test_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_temporary_name_keeps_the_suffixes(tmp_path):
    """Writers choose their format by the suffix: Keras insists on .weights.h5."""
    with atomic(tmp_path / "model.weights.h5") as temporary:
        assert temporary.name.endswith("model.weights.h5")
        temporary.write_text("x")


def test_require_file_says_what_is_wrong(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        require_file(tmp_path / "missing")
    with pytest.raises(InputError, match="this is a folder"):
        require_file(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(InputError, match="empty"):
        require_file(tmp_path / "empty")
    (tmp_path / "full").write_text("x")
    assert require_file(str(tmp_path / "full")) == tmp_path / "full"


def test_text_is_written_whole_in_utf8(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "5 \u00b1 1\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == b"5 \xc2\xb1 1\n"
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_an_output_must_be_named_as_what_it_is(tmp_path):
    assert require_suffix(tmp_path / "a.h5", ".h5", ".hdf5") == tmp_path / "a.h5"
    for name in ("a.png", "a", ""):
        with pytest.raises(InputError, match="ends in .h5 or .hdf5; name it so"):
            require_suffix(tmp_path / name, ".h5", ".hdf5")
