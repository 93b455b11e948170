# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: what stat says of a file or folder -> whether nobody else can steer it; texts -> names of files.

Private to the collection. What counts is the folder in which we write. Who owns one above it can take the whole folder
away, but not put in place another one that looks like ours.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import stat
import typing as t
from urllib.parse import quote

ROOT = 0
MAX_NAME_BYTES = 200  # names get suffixes, and no file system takes more than 255
_CUT, _DIGEST = 150, 32
_LEAST, _MOST = 0o600, 0o644  # modes of files
_OWN_FOLDER = "name a folder that is not there, and it is made with mode 0700"


@dataclasses.dataclass(frozen=True)
class Us:
    """Who we are.

    Attributes:
        uid: Our user.
        groups: The groups that have no other member, see is_of_us_alone.
    """

    uid: int
    groups: frozenset[int] = frozenset({ROOT})


@dataclasses.dataclass(frozen=True)
class Entry:
    """What stat says.

    Attributes:
        mode: Kind and permissions.
        links: How many names it has.
    """

    mode: int
    uid: int
    gid: int
    links: int = 1


@dataclasses.dataclass(frozen=True)
class Group:
    """What the system says of a group.

    Attributes:
        members: Those that are listed with it; whose main group it is, is not said there.
    """

    name: str
    members: t.AbstractSet[str]


def is_of_us_alone(gid: int, uid: int, user: str, group: Group | None) -> bool:
    """Whether to be writable by this group is to be writable by us.

    Root's group is as root: in containers that run as any number, it is theirs, and so are the folders. A group that is
    called as its user is that user's own. One that nobody knows, with the number of the user, is a container's.
    """
    if gid == ROOT:
        return True
    if group is None:
        return gid == uid
    return group.name == user and group.members <= {user, "root"}


def folder_problem(folder: Entry, us: Us) -> str | None:
    """Why we do not write in this folder or trust what lies in it, and what to do; or None."""
    if stat.S_ISLNK(folder.mode):
        return "it is a link, which somebody could turn; name the folder itself"
    if not stat.S_ISDIR(folder.mode):
        return "it is no folder"
    if folder.uid not in (us.uid, ROOT):
        return f"it belongs to another user ({folder.uid}), who could replace what is written there; {_OWN_FOLDER}"
    # Of a folder with the sticky bit, such as /tmp, each takes away and renames only what is theirs.
    who = None if folder.mode & stat.S_ISVTX else _others_that_may_write(folder, us)
    return (
        who and f"{who} may write there and replace what is written; {_OWN_FOLDER}, or take that right away: chmod go-w"
    )


def file_problem(file: Entry, us: Us) -> str | None:
    """Why we do not trust what is in this file, or None."""
    if not stat.S_ISREG(file.mode):
        return "it is a link" if stat.S_ISLNK(file.mode) else "it is no file"
    if file.uid not in (us.uid, ROOT):
        return f"it belongs to another user ({file.uid})"
    if file.links > 1:
        return "it has another name elsewhere"
    who = _others_that_may_write(file, us)
    return who and f"{who} may write to it"


def link_problem(link: Entry, parent: Entry, us: Us) -> str | None:
    """Why we do not follow this link on the way to a folder, or None."""
    if link.uid not in (us.uid, ROOT) or parent.uid not in (us.uid, ROOT):
        return "there is a link of another user on the way to it"
    if not parent.mode & stat.S_ISVTX and _others_that_may_write(parent, us):
        return "there is a link on the way to it, which others may replace"
    return None


def _others_that_may_write(entry: Entry, us: Us) -> str | None:
    if entry.mode & stat.S_IWOTH:
        return "everybody"
    if entry.mode & stat.S_IWGRP and entry.gid not in us.groups:
        return f"the group {entry.gid}"
    return None


def file_name(text: str) -> str:
    """A name that stays in its folder, for any text that has a character: what no name has becomes a code, as in URLs.

    Different texts have different names.
    """
    name = quote(text.encode("utf-8", "surrogatepass"), safe="")
    # Hidden ones, the folder itself and the one above it; and what a program takes for an option.
    if name[0] in ".-":
        name = f"%{ord(name[0]):02X}{name[1:]}"
    if len(name) <= MAX_NAME_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{name[:_CUT]}~{digest}"


def name_problem(name: str) -> str | None:
    """Why a text that is meant as the name of a file is none, or None."""
    if name in ("", ".", ".."):
        return "it may be neither empty nor a folder"
    if re.search(r"[/\\\x00-\x1f\x7f]", name):
        return "it may have neither slashes nor control characters; the folder is dest"
    try:
        size = len(os.fsencode(name))
    except UnicodeEncodeError:
        return "it may not have half of a surrogate pair, which is no text"
    return None if size <= MAX_NAME_BYTES else f"it may have {MAX_NAME_BYTES} bytes"


def file_mode(text: str) -> int:
    """The mode of a file, from its octal number.

    Raises:
        ValueError: It is none, the owner could not read and write it, or others could write to it or run it.
    """
    problem = 'it is an octal number in quotes such as "0640"; the owner reads and writes, others may read'
    digits = text[1:] if len(text) > len("640") and text.startswith("0") else text
    if len(digits) != len("640") or not set(digits) <= set("01234567"):
        raise ValueError(problem)
    mode = int(digits, 8)
    if mode & ~_MOST or ~mode & _LEAST:
        raise ValueError(problem)
    return mode
