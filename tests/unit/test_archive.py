"""Archives of snapshots: the same files give the same bytes, and anybody's tar reads them."""

import os
import subprocess

import pytest

from galclass.errors import InputError
from galclass.files import on_disk
from galclass.snapshot import archive


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name, content in {"b.dat": b"second", "a.dat": b"x" * 70000}.items():
        (folder / name).write_bytes(content)
    return [folder / "b.dat", folder / "a.dat"]


def test_what_goes_in_comes_out(files, tmp_path):
    archive.write(tmp_path / "all.tar", files)
    assert archive.members(tmp_path / "all.tar") == [tmp_path / "all.tar" / "b.dat", tmp_path / "all.tar" / "a.dat"]
    assert [archive.read_bytes(path) for path in archive.members(tmp_path / "all.tar")] == [b"second", b"x" * 70000]


def test_dates_and_owners_do_not_matter(files, tmp_path):
    archive.write(tmp_path / "first.tar", files)
    os.utime(files[0], (1, 1))
    files[1].chmod(0o600)
    archive.write(tmp_path / "again.tar", files)
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "again.tar").read_bytes()


def test_tar_unpacks_it(files, tmp_path):
    archive.write(tmp_path / "all.tar", files)
    subprocess.run(["tar", "xf", tmp_path / "all.tar", "-C", tmp_path], check=True)
    assert (tmp_path / "a.dat").read_bytes() == files[1].read_bytes()


def test_a_path_knows_whether_it_lies_in_an_archive(files, tmp_path):
    archive.write(tmp_path / "all.tar", files)
    assert archive.split(tmp_path / "all.tar" / "a.dat") == (tmp_path / "all.tar", "a.dat")
    assert on_disk(tmp_path / "all.tar" / "a.dat") == tmp_path / "all.tar"
    assert archive.split(files[0]) is None
    assert on_disk(files[0]) == files[0]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b"no tar at all" * 100), "no readable tar archive"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.unlink(), "no such file"),
    ],
)
def test_what_is_no_archive_is_said_in_one_line(files, tmp_path, damage, message):
    path = tmp_path / "all.tar"
    archive.write(path, files)
    damage(path)
    with pytest.raises(InputError, match=message) as error:
        archive.members(path)
    assert "\n" not in str(error.value)


def test_a_cut_archive_is_said(files, tmp_path):
    path = tmp_path / "all.tar"
    archive.write(path, files)
    path.write_bytes(path.read_bytes()[:20000])
    with pytest.raises(InputError, match="all.tar.*cut short"):
        archive.read_bytes(path / "a.dat")


def test_a_missing_member_is_named(files, tmp_path):
    archive.write(tmp_path / "all.tar", files)
    with pytest.raises(InputError, match="c.dat: no such file in the archive, which holds b.dat, a.dat"):
        archive.read_bytes(tmp_path / "all.tar" / "c.dat")


def test_two_files_of_one_name_are_refused(files, tmp_path):
    with pytest.raises(InputError, match="two files of one name"):
        archive.write(tmp_path / "all.tar", [files[0], files[0]])
    assert not (tmp_path / "all.tar").exists()
