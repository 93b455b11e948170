# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files on the control node that no other user steers: the one place that writes and reads them.

Private to the collection. A folder is opened step by step, and judged when it is open; what is done in it goes by that
and not by its path, so that nobody can put another folder in its place meanwhile. What may be is in _file_trust.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import grp
import os
import pwd
import secrets
import stat
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.plugin_utils._files import trust
from ansible_collections.gpops.toolkit.plugins.plugin_utils._files.trust import Entry, Us

# For its owner only: query texts are users' data.
FOLDER_MODE = 0o700
FILE_MODE = 0o600
# What a report or a note may well take.
ROOM_BYTES = 1 << 20
MAX_BYTES = 16 * 1024 * 1024
_MAX_LINKS = 40
# A folder on the way may be one that we can pass but not list.
_PASS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """A folder that is open, and in which nobody else can steer what we write and read.

    Attributes:
        path: As the user knows it, absolute.
    """

    def __init__(self, option: str, path: str, descriptor: int, us: Us) -> None:
        self.path = path
        self._option = option
        self._descriptor = descriptor
        self._us = us

    def write(self, name: str, content: bytes, mode: int = FILE_MODE) -> str:
        """Put the file in place as a whole; whoever reads it meanwhile has the old one. Its path.

        A link or another user's file of that name is replaced, and not followed.
        """
        with self._told(name, "written"), self._draft(content, mode) as draft:
            os.replace(draft, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        return os.path.join(self.path, name)

    def check_room(self) -> None:
        """See that a file can be written here, on a disk that has room for it.

        Raises:
            OptionError: None can.
        """
        with self._told("a file", "written"), self._draft(b"\0" * ROOM_BYTES, FILE_MODE):
            pass

    @contextlib.contextmanager
    def _draft(self, content: bytes, mode: int) -> t.Iterator[str]:
        """A file under a name that nobody knows; what is not renamed meanwhile goes."""
        draft = f".gpops-{secrets.token_hex(8)}"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
            descriptor = os.open(draft, flags, FILE_MODE, dir_fd=self._descriptor)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fchmod(descriptor, mode)
                os.fsync(descriptor)
            yield draft
        finally:
            with contextlib.suppress(OSError):
                os.unlink(draft, dir_fd=self._descriptor)

    def read(self, name: str) -> tuple[bytes, int] | None:
        """What is in the file, and its mode; None if there is none.

        Raises:
            OptionError: It is not to be trusted.
        """
        with self._told(name, "read"):
            try:
                # A pipe of that name does not hold us up.
                flags = os.O_RDONLY | os.O_NONBLOCK | _NO_LINK
                descriptor = os.open(name, flags, dir_fd=self._descriptor)
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.EMLINK):
                    raise self._refused(name, "it is a link") from None
                raise
            with os.fdopen(descriptor, "rb") as stream:
                found = os.fstat(descriptor)
                problem = trust.file_problem(_entry(found), self._us)
                if problem:
                    raise self._refused(name, problem)
                if found.st_size > MAX_BYTES:
                    raise self._refused(name, "it is too large for one of ours")
                return stream.read(MAX_BYTES), stat.S_IMODE(found.st_mode)

    def has(self, name: str) -> bool:
        """Whether anything has this name."""
        with self._told(name, "seen"):
            try:
                os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
            except FileNotFoundError:
                return False
        return True

    def remove(self, name: str) -> bool:
        """Take the file, or the link, away; whether there was one."""
        with self._told(name, "taken away"):
            try:
                os.unlink(name, dir_fd=self._descriptor)
            except FileNotFoundError:
                return False
        return True

    def _refused(self, name: str, problem: str) -> OptionError:
        path = os.path.join(self.path, name)
        return OptionError(
            self._option, f"{path} is not trusted: {problem}; look at it, and remove it if it is not yours"
        )

    @contextlib.contextmanager
    def _told(self, name: str, what: str) -> t.Iterator[None]:
        try:
            yield
        except OSError as error:
            path = os.path.join(self.path, name)
            raise OptionError(self._option, f"{path} cannot be {what}: {error.strerror}") from error


@contextlib.contextmanager
def made(option: str, path: str, below: t.Sequence[str] = ()) -> t.Iterator[Folder]:
    """The folder, open for as long as the block lasts; what is missing of it is made, with mode 0700.

    Args:
        option: Which one named it, for messages.
        path: Its path.
        below: Names of folders below it, each in the one before; each is judged.

    Raises:
        OptionError: It cannot be opened or made, or somebody else could steer what is in it.
    """
    with _folder(option, path, below, make=True) as found:
        yield t.cast("Folder", found)


@contextlib.contextmanager
def existing(option: str, path: str, below: t.Sequence[str] = ()) -> t.Iterator[Folder | None]:
    """The same, but nothing is made; None if it is not there."""
    with _folder(option, path, below, make=False) as found:
        yield found


@contextlib.contextmanager
def _folder(option: str, path: str, below: t.Sequence[str], make: bool) -> t.Iterator[Folder | None]:
    us = who_we_are()
    shown = os.path.abspath(path)
    with contextlib.ExitStack() as stack:
        try:
            descriptor: int | None = _walk(path, us, make, stack)
            for name in below:
                if descriptor is None:
                    break
                _judge(os.fstat(descriptor), us)
                shown = os.path.join(shown, name)
                descriptor = _step(descriptor, name, us, make, stack)
            if descriptor is not None:
                _judge(os.fstat(descriptor), us)
        except _Refused as refused:
            raise OptionError(option, f"the folder {shown} is not taken: {refused}") from None
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else "it is no path"
            raise OptionError(option, f"the folder {shown} cannot be opened or made: {said}") from error
        yield None if descriptor is None else Folder(option, shown, descriptor, us)


class _Refused(Exception):
    """Somebody else could steer it."""


def _walk(path: str, us: Us, make: bool, stack: contextlib.ExitStack) -> int | None:
    """Open the folder at the end of a path; on the way links of ours and of root's are followed."""
    descriptor: int | None = _opened("/" if os.path.isabs(path) else ".", None, stack)
    parts = collections.deque(part for part in path.split("/") if part not in ("", "."))
    links = 0
    while parts and descriptor is not None:
        name = parts.popleft()
        target = _link(name, descriptor, us) if parts else None
        if target is None:
            descriptor = _step(descriptor, name, us, make, stack)
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if os.path.isabs(target):
            descriptor = _opened("/", None, stack)
        parts.extendleft(part for part in reversed(target.split("/")) if part not in ("", "."))
    return descriptor


def _link(name: str, parent: int, us: Us) -> str | None:
    """Where a link leads that may be followed; None if it is none."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISLNK(found.st_mode):
        return None
    problem = trust.link_problem(_entry(found), _entry(os.fstat(parent)), us)
    if problem:
        raise _Refused(problem)
    return os.readlink(name, dir_fd=parent)


def _step(parent: int, name: str, us: Us, make: bool, stack: contextlib.ExitStack) -> int | None:
    """Open a folder in another one, or make it; no link is followed."""
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        if not make:
            return None
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, FOLDER_MODE, dir_fd=parent)
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        _judge(found, us)
    return _opened(name, parent, stack)


def _opened(name: str, parent: int | None, stack: contextlib.ExitStack) -> int:
    descriptor = os.open(name, _PASS | os.O_NOFOLLOW, dir_fd=parent)
    stack.callback(os.close, descriptor)
    return descriptor


def _judge(found: os.stat_result, us: Us) -> None:
    problem = trust.folder_problem(_entry(found), us)
    if problem:
        raise _Refused(problem)


def _entry(found: os.stat_result) -> Entry:
    return Entry(found.st_mode, found.st_uid, found.st_gid, found.st_nlink)


def who_we_are() -> Us:
    """Our user and the groups that are ours alone."""
    uid = os.geteuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # in a container
        user = ""
    ours = {trust.ROOT, os.getegid(), *os.getgroups()}
    alone = {gid for gid in ours if trust.is_of_us_alone(gid, uid, user, _group(gid))}
    return Us(uid, frozenset(alone))


def _group(gid: int) -> trust.Group | None:
    try:
        found = grp.getgrgid(gid)
    except KeyError:
        return None
    return trust.Group(found.gr_name, frozenset(found.gr_mem))
