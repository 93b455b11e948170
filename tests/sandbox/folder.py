# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's own folder: the only place where it leaves anything."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from .passwords import new_secret, password_of

MAX_SOCKET_PATH = 107
_SOCKET_NAME = "/.s.PGSQL.5432"
_MARK = "sandbox.json"
_PASSWORDS = "passwords.json"
_PARTS = (
    "data",
    "s",
    "state",
    "messages",
    "programs",
    "postgres.log",
    "daemon.log",
    "initial",
    "lock",
    "sockets",
    _PASSWORDS,
    _PASSWORDS + ".new",
    _MARK,
)

NO_LOCKS = '{"batches": [], "singles": [], "counts": {}}'  # of those that sql/locks.sql makes up


class Owner(Protocol):
    """Who the server's parts are given to."""

    @property
    def gid(self) -> int:
        """Its group."""

    @property
    def switched(self) -> bool:
        """Whether that is somebody else."""

    def own(self, path: Path) -> None:
        """Give it a file or folder."""


class FolderError(OSError):
    """The folder cannot be used."""


class Folder:
    """A folder for one sandbox, private to its user and the server's."""

    def __init__(self, path: Path, made: bool) -> None:
        self.path = path
        self._made = made
        self._fresh = not (path / _MARK).exists()

    @classmethod
    def open(cls, wanted: str | None) -> Folder:
        """The wanted folder, made if it is missing, or a new one of our own."""
        if wanted is None:
            return cls(Path(tempfile.mkdtemp(prefix="gpops-sandbox-")), True)
        path = Path(wanted).resolve()
        made = not path.exists()
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not made and not (path / _MARK).exists() and any(entry.name not in _PARTS for entry in path.iterdir()):
            raise FolderError(f"{path} is not empty and not a sandbox")
        kept = cls._info_of(path)
        return cls(path, bool(kept.get("made", made)))

    @classmethod
    def existing(cls, path: str) -> Folder:
        folder = cls(Path(path).resolve(), False)
        if not folder.info and not (folder.path / "lock").exists():
            raise FolderError(f"{folder.path} is not a sandbox")
        folder._made = bool(folder.info.get("made"))
        return folder

    @staticmethod
    def _info_of(path: Path) -> dict[str, Any]:
        try:
            info: dict[str, Any] = json.loads((path / _MARK).read_text())
        except (OSError, ValueError):
            return {}
        return info

    @property
    def info(self) -> dict[str, Any]:
        return self._info_of(self.path)

    def write_info(self, info: dict[str, object]) -> None:
        (self.path / _MARK).write_text(json.dumps({**info, "made": self._made}))

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def messages(self) -> Path:
        return self.path / "messages"

    @property
    def passwords(self) -> Path:
        """Where the passwords are: for the eyes of who started the sandbox only."""
        return self.path / _PASSWORDS

    def keep_secret(self, roles: Iterable[str]) -> str:
        """The secret from which passwords are made, and those of these roles beside it; a kept folder keeps its own."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            return str(json.loads(self.passwords.read_text())["secret"])
        secret = new_secret()
        content = {"secret": secret, "roles": {role: password_of(secret, role) for role in roles}}
        fresh = self.passwords.with_name(_PASSWORDS + ".new")
        fresh.unlink(missing_ok=True)
        with open(fresh, "x", encoding="utf-8", opener=_for_its_owner) as stream:
            json.dump(content, stream)
        fresh.replace(self.passwords)
        return secret

    @staticmethod
    def made_locks_in(path: Path) -> Path:
        """How the locks are made up that tests ask for; the server writes it."""
        return path / "messages" / "locks.json"

    @property
    def sockets(self) -> Path:
        """Where the server's socket is: outside only if the path would be too long for one."""
        kept = self.path / "sockets"
        if kept.exists():
            return Path(kept.read_text())
        return self.path / "s"

    def prepare(self, owner: Owner) -> None:
        """The parts, each given to who writes it."""
        self.path.chmod(0o711 if owner.switched else 0o700)  # until the server's files are made, see close_to_others
        if len(os.fsencode(self.path)) + len("/s" + _SOCKET_NAME) > MAX_SOCKET_PATH and not self.sockets.exists():
            outside = Path(tempfile.mkdtemp(prefix="gpops-"))
            owner.own(outside)
            (self.path / "sockets").write_text(str(outside))
        for path in (self.data, self.sockets, self.messages, self.path / "state"):
            path.mkdir(exist_ok=True, mode=0o700)
            path.chmod(0o700)
            owner.own(path)
        made_locks = self.made_locks_in(self.path)
        made_locks.write_text(NO_LOCKS)  # none outlives a restart
        owner.own(made_locks)

    def close_to_others(self, owner: Owner) -> None:
        """Nobody but the server's user and who started it can so much as enter the folder."""
        if owner.switched:
            os.chown(self.path, -1, owner.gid)
            self.path.chmod(0o710)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Held by the daemon for its whole life: a pid can be reused, this lock cannot."""
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as problem:
                raise FolderError(f"a sandbox already runs in {self.path}") from problem
            os.set_inheritable(lock.fileno(), False)
            yield

    @property
    def busy(self) -> bool:
        try:
            with (self.path / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False

    def remove(self) -> None:
        """All that the sandbox made, and the folder itself if it made that too."""
        if (self.path / "sockets").exists():
            shutil.rmtree(self.sockets, ignore_errors=True)
        if self._made:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        for name in _PARTS:
            part = self.path / name
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink(missing_ok=True)

    def remove_if_fresh(self) -> None:
        if self._fresh and not self.busy:
            self.remove()


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
