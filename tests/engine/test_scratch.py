import os

import pytest

from optimizer.engine.scratch import Scratch, measure, remove_strays, remove_tree


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "folder"
    made.mkdir()
    return made


def test_anything_is_removed_and_links_are_not_followed(folder, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    inner = os.open(folder, os.O_RDONLY)
    for _ in range(3000):  # deeper than a path can be long
        os.mkdir("deeper", dir_fd=inner)
        below = os.open("deeper", os.O_RDONLY, dir_fd=inner)
        os.close(inner)
        inner = below
    os.close(inner)
    (folder / "closed").mkdir()
    (folder / "closed" / "file").touch()
    (folder / "closed" / "below").mkdir(mode=0o000)
    (folder / "to a folder").symlink_to(kept)
    (folder / "to nothing").symlink_to("nothing")
    os.mkfifo(folder / "pipe")
    (folder / "closed").chmod(0)
    folder.chmod(0)
    remove_tree(folder)
    assert not folder.exists()
    assert (kept / "file").exists()


def test_what_is_in_a_folder_is_counted_to_a_limit(folder):
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_bytes(b"x" * 100_000)
    (folder / "link").symlink_to("/")
    used = measure(folder, 1000)
    assert used.files == 3
    assert 100_000 <= used.size_bytes < 200_000
    for number in range(20):
        (folder / str(number)).touch()
    assert measure(folder, 10).files == 11


def test_a_folder_in_use_and_one_that_is_no_ours_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    used = Scratch()
    (tmp_path / "featherweight-stages-link").symlink_to(used.path)
    (tmp_path / "featherweight-stages-new").mkdir()  # about to get its lock
    (tmp_path / "other").mkdir()
    assert remove_strays(tmp_path) == []
    with used.folder() as made:
        assert made.stat().st_mode & 0o777 == 0o700
        (made / "file").touch()
    assert not made.exists()
    used.close()
    assert not used.path.exists()
