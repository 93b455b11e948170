# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our settings on a server's session that is a pooler's: set, marked, taken off again. Private to the collection."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import login_settings
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.driver import Driver, sql
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import OptionError, StatementError

# No such setting, or not for this role: the session does without.
_REFUSED = ("42704", "42501")
_RESET_SECONDS = 0.5
# How often to look for the session of a pooler that has our settings; a pooler gives out the last one first.
_RESET_TRIES = 20


class LentSession:
    """What of ours is on a server's session that others will have after us.

    Attributes:
        names: The settings.
    """

    def __init__(self, names: t.Sequence[str] = ()) -> None:
        self.names = list(names)
        self._mark = ""

    def set_all(self, driver: Driver, settings: t.Mapping[str, str], deadline: Deadline) -> None:
        """Set what did not come with the login; first as the login role, which may set most.

        Raises:
            OptionError: The role of these settings is refused.
        """
        self._mark = os.urandom(8).hex()
        ours = {**settings, login_settings.SESSION_MARK: self._mark}
        role = ours.pop(login_settings.ROLE)
        self.set(driver, {login_settings.ROLE: login_settings.NO_ROLE, **ours}, deadline)
        if role != login_settings.NO_ROLE:
            set_role(driver, role, deadline)

    def set(self, driver: Driver, settings: t.Mapping[str, str], deadline: Deadline) -> None:
        """Set these; nothing of a user is in their names."""
        statements = {
            name: sql.SQL(f"SET {name} = {{}}").format(sql.Literal(value)) for name, value in settings.items()
        }
        try:
            driver.execute(sql.SQL("; ").join(statements.values()), deadline)
            self.names += statements
        except StatementError:
            for name, statement in statements.items():
                # An engine or role that may not set one of them may set the others.
                try:
                    driver.execute(statement, deadline)
                    self.names.append(name)
                except StatementError as error:
                    if error.sqlstate not in _REFUSED:
                        raise

    def reset(self, driver: Driver) -> None:
        """Take our settings off: a pooler in transaction mode hands the session on as it is.

        The mark stays: nothing may come after, for Odyssey would set anew what it knows of.
        """
        marked = login_settings.SESSION_MARK in self.names
        # As the login role first: as another role we may not reset what we set as our own.
        own = [name for name in self.names if name not in (login_settings.SESSION_MARK, login_settings.ROLE)]
        resets = [f"SET ROLE {login_settings.NO_ROLE}", *(f"RESET {name}" for name in [*own, login_settings.ROLE])]
        text = "; ".join([*resets, f"SHOW {login_settings.SESSION_MARK}"] if marked else resets)
        deadline = Deadline(_RESET_SECONDS)
        for _attempt in range(_RESET_TRIES):
            with contextlib.suppress(StatementError):  # a session without the mark is not the one
                found = driver.execute(text, deadline).rows
                if not marked or found[0][0] == self._mark:
                    return


def set_role(driver: Driver, role: str, deadline: Deadline) -> None:
    """Act as this role.

    Raises:
        OptionError: The login role may not, or there is none such.
    """
    try:
        driver.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)), deadline)
    except StatementError as error:
        raise OptionError("session_role", error.message, **error.result) from None
