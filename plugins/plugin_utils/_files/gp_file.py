# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What gp_file does. Private to the collection."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError
from ansible_collections.gpops.toolkit.plugins.plugin_utils._files import private, trust

ARGUMENT_SPEC: dict[str, t.Any] = {
    "dest": {"type": "path", "required": True},
    "folder": {"type": "str"},
    "name": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent", "read", "folder"], "default": "present"},
    "content": {"type": "str"},
    "mode": {"type": "str", "default": "0600"},
}


def manage(options: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Do it, and return the result of the task.

    Raises:
        OptionError: An option makes no sense, or another user could steer the file.
    """
    state = options["state"]
    name = _name(options)
    mode = _mode(options["mode"])
    if (options["content"] is None) is (state == "present"):
        raise OptionError("content", "it is given with state=present, and only with that")
    below = folders_below(options["folder"])
    makes = state in ("present", "folder") and not check_mode
    opened: t.Callable[..., t.ContextManager[private.Folder | None]]
    opened = private.made if makes else private.existing
    with opened("dest", options["dest"], below) as folder:
        result = {
            "changed": False,
            "path": os.path.join(os.path.abspath(options["dest"]), *below, *filter(None, [name])),
        }
        if state == "read":
            found = folder.read(name) if folder else None
            content = found[0].decode("utf-8", "replace") if found else None
            return {**result, "exists": found is not None, "content": content}
        if state == "folder" and folder and makes:
            folder.check_room()
        if state == "absent" and folder:
            result["changed"] = folder.has(name) if check_mode else folder.remove(name)
        if state == "present":
            result["changed"] = _put(folder, name, options["content"], mode, check_mode)
        return result


def _put(folder: private.Folder | None, name: str, content: str, mode: int, check_mode: bool) -> bool:
    """Write it if it is not there as it should be; whether that is or would be a change."""
    wanted = (content.encode("utf-8", "backslashreplace"), mode)
    found = None
    # What is not to be trusted is replaced.
    with contextlib.suppress(OptionError):
        found = folder.read(name) if folder else None
    if found != wanted and folder and not check_mode:
        folder.write(name, *wanted)
    return found != wanted


def folders_below(folder: str | None) -> list[str]:
    """The option folder as a name of a folder, or nothing."""
    if folder is None:
        return []
    if not folder:
        raise OptionError("folder", "it may not be empty")
    return [trust.file_name(folder)]


def _name(options: t.Mapping[str, t.Any]) -> str:
    if options["state"] == "folder":
        if options["name"] is not None:
            raise OptionError("name", "a folder alone has none; see folder")
        return ""
    if options["name"] is None:
        raise OptionError("name", "it is needed")
    problem = trust.name_problem(options["name"])
    if problem:
        raise OptionError("name", problem)
    return str(options["name"])


def _mode(text: str) -> int:
    try:
        return trust.file_mode(text)
    except ValueError as error:
        raise OptionError("mode", str(error)) from None
