# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: where the password of user:password stands, in addresses and without. Private to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import secret_names as names
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions import tokens
from ansible_collections.gpops.toolkit.plugins.module_utils._sessions.secret_values import Budget, Place, Values

_SPACE_OR_QUOTE = re.compile(r"[\s'\"]|\Z")
_PATH = re.compile(r"[/?#]")
Span = t.Tuple[int, int]


class Addresses:
    """The pairs of user and password in one text.

    Args:
        text: The whole of it.
        place: Where it stands.
        budget: What each look is paid from.
        values: The values in the same text.
    """

    def __init__(self, text: str, place: Place, budget: Budget, values: Values) -> None:
        self._text, self._place, self._budget, self._values = text, place, budget, values
        self._run_end = self._run_at = -1

    def behind_scheme(self, at: int) -> Span | None:
        """The password in user:password@ of an address, of which it may have any character."""
        self._look_along(at)
        end = self._run_end
        colon = self._text.find(":", at, end)
        if colon < 0 or _PATH.search(self._text, at, colon):
            return None
        if self._place.cut and end == len(self._text):
            return colon + 1, end
        path = _PATH.search(self._text, colon, end)
        stop = path.start() if path else end
        last = self._text.rfind("@", colon, stop)
        if last < 0 and not self._text[colon + 1 : stop].isdigit():
            last = self._run_at
        return (colon + 1, last) if last > colon else None

    def without_scheme(self, at: int) -> Span | None:
        """The password in user:password@host, of which it begins there."""
        self._look_along(at)
        end = self._run_end
        if self._place.unclosed and len(self._text) == end > at:
            return at, end
        if self._run_at > at and self._text[self._run_at + 1 : self._run_at + 2].isalnum():
            return at, self._run_at
        return None

    def of_option(self, at: int) -> tuple[Span, int] | None:
        """The password in what an option such as -u of curl takes, and where to go on."""
        token = tokens.token_at(self._text, at, in_text=True)
        quoted = self._text[at] in "'\""
        if quoted:
            self._budget.spend(token.end - at)
            start, end = token.inner, token.inner_end
        else:
            self._look_along(at)
            start, end = at, self._run_end
        colon = self._text.find(":", start, min(end, start + names.LONGEST))
        if colon < 0:
            return None
        if quoted:
            return (colon + 1, end), token.end
        stop = self._values.end_of(colon + 1)
        return (colon + 1, stop), stop

    def _look_along(self, at: int) -> None:
        """Find the end of the run of characters without white space and quotes, and the last @ in it; once a run."""
        if at >= self._run_end:
            self._run_end = t.cast("re.Match[str]", _SPACE_OR_QUOTE.search(self._text, at)).start()
            self._run_at = self._text.rfind("@", at, self._run_end)
            self._budget.spend(self._run_end - at)
