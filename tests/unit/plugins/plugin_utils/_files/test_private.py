# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that nobody else steers: what is taken, what is refused, and that nothing follows a link."""

from __future__ import annotations

import os
import resource
import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.plugin_utils._files import gp_file, private, trust
from ansible_collections.gpops.toolkit.plugins.plugin_utils._files.trust import Entry, Group, Us
from hypothesis import given
from hypothesis import strategies as st

US = Us(uid=1000, groups=frozenset({0, 1000}))
OTHER = 4242
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


def folder_of(uid: int = 1000, gid: int = 1000, mode: int = 0o755) -> Entry:
    return Entry(stat.S_IFDIR | mode, uid, gid)


class TestFolders:
    @pytest.mark.parametrize(
        "folder",
        [
            folder_of(),
            folder_of(mode=0o700),
            # A user's own group, as on systems whose umask is 002.
            folder_of(mode=0o775),
            # A folder of root's, and root's group, as in a container that runs as any number.
            folder_of(uid=0, gid=0, mode=0o775),
            folder_of(uid=0, gid=0, mode=0o2775),
            # /tmp.
            folder_of(uid=0, gid=0, mode=0o1777),
        ],
    )
    def test_taken(self, folder: Entry) -> None:
        assert trust.folder_problem(folder, US) is None

    @pytest.mark.parametrize(
        ("folder", "words"),
        [
            (folder_of(uid=OTHER), "another user (4242)"),
            (folder_of(uid=OTHER, mode=0o1777), "another user (4242)"),
            (folder_of(mode=0o777), "everybody may write there"),
            (folder_of(uid=0, gid=0, mode=0o777), "everybody may write there"),
            (folder_of(gid=OTHER, mode=0o775), "the group 4242 may write there"),
            (folder_of(uid=0, gid=OTHER, mode=0o2775), "the group 4242 may write there"),
            (Entry(stat.S_IFLNK | 0o777, 1000, 1000), "it is a link"),
            (Entry(stat.S_IFREG | 0o600, 1000, 1000), "it is no folder"),
        ],
    )
    def test_refused(self, folder: Entry, words: str) -> None:
        assert words in str(trust.folder_problem(folder, US))

    def test_root_takes_no_folder_of_somebody_else(self) -> None:
        assert trust.folder_problem(folder_of(), Us(0)) is not None

    def test_links_on_the_way(self) -> None:
        link, parent = Entry(stat.S_IFLNK | 0o777, 0, 0), folder_of(uid=0, gid=0)
        assert trust.link_problem(link, parent, US) is None
        others = Entry(stat.S_IFLNK | 0o777, OTHER, 0)
        assert "another user" in str(trust.link_problem(others, folder_of(0, 0, 0o1777), US))
        assert "another user" in str(trust.link_problem(link, folder_of(uid=OTHER), US))
        assert "replace" in str(trust.link_problem(link, folder_of(0, 0, 0o777), US))


class TestGroups:
    def test_root_s_is_as_root(self) -> None:
        assert trust.is_of_us_alone(0, 1000, "ops", Group("root", frozenset({"somebody"})))

    def test_a_user_s_own(self) -> None:
        assert trust.is_of_us_alone(1000, 1000, "ops", Group("ops", frozenset()))
        assert not trust.is_of_us_alone(1000, 1000, "ops", Group("ops", frozenset({"eve"})))
        assert not trust.is_of_us_alone(100, 1000, "ops", Group("users", frozenset()))

    def test_of_a_container(self) -> None:
        assert trust.is_of_us_alone(1000650000, 1000650000, "", None)
        assert not trust.is_of_us_alone(2000, 1000, "", None)


class TestFiles:
    @pytest.mark.parametrize(
        ("file", "words"),
        [
            (Entry(stat.S_IFREG | 0o600, 1000, 1000), None),
            (Entry(stat.S_IFREG | 0o664, 1000, 1000), None),
            (Entry(stat.S_IFREG | 0o644, 0, 0), None),
            (Entry(stat.S_IFREG | 0o600, OTHER, 1000), "another user"),
            (Entry(stat.S_IFREG | 0o666, 1000, 1000), "everybody may write"),
            (Entry(stat.S_IFREG | 0o660, 1000, OTHER), "the group 4242 may write"),
            (Entry(stat.S_IFREG | 0o600, 1000, 1000, links=2), "another name"),
            (Entry(stat.S_IFLNK | 0o777, 1000, 1000), "a link"),
            (Entry(stat.S_IFIFO | 0o600, 1000, 1000), "no file"),
        ],
    )
    def test_trust(self, file: Entry, words: str | None) -> None:
        found = trust.file_problem(file, US)
        assert found is None if words is None else words in str(found)


class TestNames:
    @given(st.text(st.characters(codec=None), min_size=1, max_size=400))
    def test_any_text_stays_in_its_folder(self, text: str) -> None:
        name = trust.file_name(text)
        assert name.isascii()
        assert name.isprintable()
        assert not set(name) & set("/\\\0 ")
        assert name[0] not in ".-"
        assert len(name) <= trust.MAX_NAME_BYTES

    @given(st.text(min_size=1), st.text(min_size=1))
    def test_different_texts_have_different_names(self, one: str, other: str) -> None:
        assert (trust.file_name(one) == trust.file_name(other)) is (one == other)

    def test_ordinary_names_stay(self) -> None:
        for name in ("dwh", "dwh-1.example.org", "a_b~c"):
            assert trust.file_name(name) == name
        assert trust.file_name("../../etc") == "%2E.%2F..%2Fetc"

    @pytest.mark.parametrize("text", ["0600", "600", "0640", "0644"])
    def test_modes(self, text: str) -> None:
        assert trust.file_mode(text) == int(text, 8)

    # The last ones are what YAML makes of 0600, 0640 and 0644 without quotes.
    @pytest.mark.parametrize("text", ["", "0666", "0755", "4600", "0400", "u=rw", "0o600", "-600", "384", "416", "420"])
    def test_no_modes(self, text: str) -> None:
        with pytest.raises(ValueError, match="octal number in quotes"):
            trust.file_mode(text)


def write(dest: Path, name: str = "a", below: t.Sequence[str] = (), content: bytes = b"new") -> str:
    with private.made("dest", str(dest), below) as folder:
        return folder.write(name, content)


def read(dest: Path, name: str = "a", below: t.Sequence[str] = ()) -> bytes | None:
    with private.existing("dest", str(dest), below) as folder:
        found = folder.read(name) if folder else None
        return found[0] if found else None


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestWriting:
    def test_what_is_missing_is_made_for_us_only(self, tmp_path: Path) -> None:
        path = Path(write(tmp_path / "x" / "y", below=["host"]))
        assert path == tmp_path / "x" / "y" / "host" / "a"
        assert path.read_bytes() == b"new"
        assert mode_of(path) == 0o600
        assert [mode_of(tmp_path / each) for each in ("x", "x/y", "x/y/host")] == [0o700] * 3

    @pytest.mark.parametrize("mode", [0o700, 0o755, 0o1777, 0o2755])
    def test_the_mode_of_a_folder_that_is_there_stays(self, tmp_path: Path, mode: int) -> None:
        dest = tmp_path / "there"
        dest.mkdir()
        dest.chmod(mode)
        write(dest)
        assert mode_of(dest) == mode

    def test_a_link_is_replaced_and_not_followed(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b"mine")
        secret.chmod(0o600)
        (tmp_path / "a").symlink_to(secret)
        write(tmp_path)
        assert secret.read_bytes() == b"mine"
        assert not (tmp_path / "a").is_symlink()
        assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []

    def test_a_folder_that_is_a_link_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        with pytest.raises(OptionError, match=r"^dest: the folder .*/link is not taken: it is a link"):
            write(tmp_path / "link")
        with pytest.raises(OptionError, match="it is a link"):
            write(tmp_path, below=["link"])
        # On the way to it, one of ours is as good as any.
        write(tmp_path / "link" / "below")
        assert (tmp_path / "real" / "below" / "a").exists()

    @pytest.mark.parametrize("mode", [0o777, 0o757])
    def test_a_folder_of_everybody_is_refused(self, tmp_path: Path, mode: int) -> None:
        dest = tmp_path / "open"
        dest.mkdir()
        dest.chmod(mode)
        with pytest.raises(OptionError, match=r"^dest: the folder .*/open is not taken: everybody may write there"):
            write(dest)
        with pytest.raises(OptionError, match="everybody may write there"):
            write(dest, below=["host"])
        assert list(dest.iterdir()) == []

    @as_root
    def test_a_folder_of_somebody_else_is_refused(self, tmp_path: Path) -> None:
        for name in ("theirs", "base"):
            (tmp_path / name).mkdir()
        os.chown(tmp_path / "theirs", OTHER, OTHER)
        (tmp_path / "base" / "host").mkdir()
        os.chown(tmp_path / "base" / "host", OTHER, OTHER)
        with pytest.raises(OptionError, match=r"/theirs is not taken: it belongs to another user \(4242\)"):
            write(tmp_path / "theirs")
        with pytest.raises(OptionError, match=r"/base/host is not taken: it belongs to another user"):
            write(tmp_path / "base", below=["host"])
        # What they own on the way does not matter: the folder is ours, and held open.
        write(tmp_path / "theirs" / "ours")
        assert (tmp_path / "theirs" / "ours" / "a").read_bytes() == b"new"

    @as_root
    def test_a_link_of_somebody_else_on_the_way_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "target").mkdir()
        (tmp_path / "way").symlink_to("target")
        os.chown(tmp_path / "way", OTHER, OTHER, follow_symlinks=False)
        with pytest.raises(OptionError, match="a link of another user on the way"):
            write(tmp_path / "way" / "ours")
        assert list((tmp_path / "target").iterdir()) == []

    @as_root
    def test_a_container_that_runs_as_any_number(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """OpenShift: the user is a number, its group is root's, and so is the volume."""
        volume = tmp_path / "volume"
        volume.mkdir()
        os.chown(volume, 0, 0)
        volume.chmod(0o2775)
        monkeypatch.setattr(os, "geteuid", lambda: OTHER)
        monkeypatch.setattr(os, "getegid", lambda: 0)
        write(volume)

    def test_a_turn_in_a_circle_ends(self, tmp_path: Path) -> None:
        (tmp_path / "one").symlink_to("two")
        (tmp_path / "two").symlink_to("one")
        with pytest.raises(OptionError, match="cannot be opened or made"):
            write(tmp_path / "one" / "below")

    @pytest.mark.parametrize("dest", ["a\0b", "\ud800", "/proc/self/nothing/at/all"])
    def test_no_path(self, dest: str) -> None:
        with pytest.raises(OptionError, match=r"^dest: the folder .* cannot be opened or made"):
            write(Path(dest))


class TestReading:
    def test_nothing_is_there(self, tmp_path: Path) -> None:
        assert read(tmp_path) is None
        assert read(tmp_path / "missing", below=["host"]) is None
        assert list(tmp_path.iterdir()) == []

    def test_what_we_wrote(self, tmp_path: Path) -> None:
        write(tmp_path, content=b"note")
        assert read(tmp_path) == b"note"

    def test_not_what_others_may_have_written(self, tmp_path: Path) -> None:
        write(tmp_path, content=b"note")
        (tmp_path / "a").chmod(0o666)
        with pytest.raises(OptionError, match=r"/a is not trusted: everybody may write to it"):
            read(tmp_path)
        (tmp_path / "a").chmod(0o600)
        os.link(tmp_path / "a", tmp_path / "b")
        with pytest.raises(OptionError, match="another name"):
            read(tmp_path)
        (tmp_path / "c").symlink_to("a")
        with pytest.raises(OptionError, match=r"/c is not trusted: it is a link"):
            read(tmp_path, "c")
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OptionError, match="it is no file"):
            read(tmp_path, "pipe")

    @as_root
    def test_not_what_somebody_else_has(self, tmp_path: Path) -> None:
        write(tmp_path)
        os.chown(tmp_path / "a", OTHER, OTHER)
        with pytest.raises(OptionError, match="another user"):
            read(tmp_path)


def options(**given_options: t.Any) -> dict[str, t.Any]:
    return {"folder": None, "name": None, "state": "present", "content": None, "mode": "0600", **given_options}


class TestModule:
    def test_its_states(self, tmp_path: Path) -> None:
        where = {"dest": str(tmp_path), "folder": "../x", "name": "n.json"}
        place = tmp_path / "%2E.%2Fx" / "n.json"
        absent = {"changed": False, "path": str(place), "exists": False, "content": None}
        assert gp_file.manage(options(**where, state="read"), False) == absent
        put = options(**where, content="ä\n", mode="0640")
        assert gp_file.manage(put, True)["changed"] is True
        assert not place.parent.exists()
        assert gp_file.manage(put, False) == {"changed": True, "path": str(place)}
        assert gp_file.manage(put, False)["changed"] is False
        assert mode_of(place) == 0o640
        assert gp_file.manage({**put, "mode": "0600"}, False)["changed"] is True
        assert gp_file.manage(options(**where, state="read"), False)["content"] == "ä\n"
        assert gp_file.manage(options(**where, state="absent"), True)["changed"] is True
        assert place.exists()
        assert gp_file.manage(options(**where, state="absent"), False)["changed"] is True
        assert gp_file.manage(options(**where, state="absent"), False)["changed"] is False

    def test_a_folder_without_room_is_refused(self, tmp_path: Path) -> None:
        """Before anything is done whose report could not be written then."""
        folder = {"dest": str(tmp_path), "state": "folder"}
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        try:
            gp_file.manage(options(**folder), True)
            with pytest.raises(OptionError, match=r"dest: .* cannot be written: File too large"):
                gp_file.manage(options(**folder), False)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        gp_file.manage(options(**folder), False)
        assert list(tmp_path.iterdir()) == []

    def test_what_is_there_and_not_ours_is_replaced(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("mine")
        (tmp_path / "n").symlink_to(secret)
        put = options(dest=str(tmp_path), name="n", content="new")
        assert gp_file.manage(put, False)["changed"] is True
        assert (secret.read_text(), (tmp_path / "n").read_text()) == ("mine", "new")

    @pytest.mark.parametrize("name", ["", "..", "a/b", "/etc/passwd", "a\nb", "\ud800", "a" * 201])
    def test_names_that_are_none(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(OptionError, match=r"^name: it may"):
            gp_file.manage(options(dest=str(tmp_path / "new"), name=name, content="x"), False)
        assert not (tmp_path / "new").exists()

    @pytest.mark.parametrize(
        ("more", "option"),
        [
            ({"name": "a"}, "content"),
            ({"name": "a", "content": "b", "state": "read"}, "content"),
            ({"content": "b"}, "name"),
            ({"name": "a", "state": "folder"}, "name"),
            ({"name": "a", "content": "b", "mode": "0666"}, "mode"),
            ({"name": "a", "content": "b", "folder": ""}, "folder"),
        ],
    )
    def test_options_that_make_no_sense(self, tmp_path: Path, more: dict[str, t.Any], option: str) -> None:
        with pytest.raises(OptionError, match=f"^{option}: "):
            gp_file.manage(options(dest=str(tmp_path / "new"), **more), False)
        assert not (tmp_path / "new").exists()
