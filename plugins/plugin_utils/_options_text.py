# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: a dictionary of options, given as one or as text. Private to the collection."""

from __future__ import annotations

import contextlib
import typing as t

import yaml
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError


def options_in(name: str, given: t.Any) -> dict[str, t.Any]:
    """The options; a survey and -e name=value give them as text, and nothing at all means none.

    Raises:
        OptionError: They are no dictionary; what they are is not said, for it may be a password.
    """
    value = given
    if isinstance(given, str):
        with contextlib.suppress(yaml.YAMLError):
            value = yaml.safe_load(given)
    if isinstance(value, t.Mapping):
        return dict(value)
    if value:
        raise OptionError(name, "it is a dictionary of options such as login_host, or text such as '{login_host: db}'")
    return {}
