# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to log in with our settings, through poolers too; what was learnt of the server. Private to the collection."""

from __future__ import annotations

import contextlib
import contextvars
import copy
import os
import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import login_settings, tls
from ansible_collections.gpops.toolkit.plugins.module_utils._core.conninfo import connect_parameters, where_to
from ansible_collections.gpops.toolkit.plugins.module_utils._core.deadline import Deadline
from ansible_collections.gpops.toolkit.plugins.module_utils._core.driver import Driver
from ansible_collections.gpops.toolkit.plugins.module_utils._core.errors import ConnectError, GpopsError, OptionError
from ansible_collections.gpops.toolkit.plugins.module_utils._core.poolers import set_role

# How the queue of a full group is met, once it was waited in for a little.
PAST = "past"
PATIENT = "patient"
# How long a statement may take to say why a role is refused.
_ROLE_SECONDS = 1.0
# What is to be said of the logins of an operation.
_warnings: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("warnings", default=None)


@contextlib.contextmanager
def login_warnings() -> t.Iterator[list[str]]:
    """What is to be said of the logins inside, each thing once."""
    warnings: list[str] = []
    before = _warnings.set(warnings)
    try:
        yield warnings
    finally:
        _warnings.reset(before)


class Login:
    """How one server is logged in to; a connection that takes the place of another one goes on with it.

    Args:
        options: Those of the module.

    Attributes:
        where: The server, for messages.
        session_role: The role to act as, or None.
        may_bypass: Whether this role may step past the queue of a full group, None if that is not known yet.
        queue: How the queue of a full group is met: None is not at all so far, PAST it, PATIENT.
        pooled: A pooler stands between, which gives out sessions of its own.
        mended: Settings of the database or the role that had to be set otherwise.
        database_oid: The database whose objects outside pg_catalog were found to be trusted, None before that.
    """

    def __init__(self, options: t.Mapping[str, t.Any]) -> None:
        self._params = connect_parameters(options, os.environ)
        self._warns = bool(options.get("ssl_warning", True))
        self._given: str | None = None
        self.where = where_to(self._params, os.environ)
        self.session_role: str | None = options.get("session_role")
        self.may_bypass: bool | None = None
        self.queue: str | None = None
        self.pooled = False
        self.mended: dict[str, str] = {}
        self.database_oid: int | None = None

    def handed_on(self) -> Login:
        """The same for a connection that takes the place of this one; what it learns is its own."""
        other = copy.copy(self)
        other.mended = dict(self.mended)
        return other

    def given(self, driver: Driver, deadline: Deadline) -> str:
        """The options that the user has set himself; those of a service are known from a login only."""
        if self._given is None:
            service = self._params.get("service") or os.environ.get("PGSERVICE")
            if service and not self._params.get("options"):
                driver.connect(self._params, deadline)
                self._given = driver.info.options
                driver.disconnect()
            else:
                self._given = str(self._params.get("options") or os.environ.get("PGOPTIONS") or "")
        return self._given or ""

    @property
    def wanted_role(self) -> str:
        """The role that sessions are to act as, or None."""
        return login_settings.wanted_role(self.session_role, self._given)

    def settings(self, limits: t.Mapping[str, str]) -> dict[str, str]:
        """All that a session begins with.

        Args:
            limits: What bounds its waits.
        """
        bypass = {login_settings.BYPASS: "on"} if self.queue == PAST else {}
        role = {login_settings.ROLE: self.wanted_role}
        return {**role, **login_settings.fixed(self._given), **limits, **self.mended, **bypass}

    def to_mend(self, settings: t.Mapping[str, str]) -> dict[str, str]:
        """Those of these settings that are not there already and that the user does not want otherwise."""
        ours = [login_settings.BYPASS] if self.queue == PAST else []
        kept = [*login_settings.settings_in(self._given), *ours, *self.mended]
        return {name: value for name, value in settings.items() if name not in kept}

    def log_in(self, driver: Driver, limits: t.Mapping[str, str], deadline: Deadline) -> bool:
        """Log in with the settings, or without them if something between does not take them as they are.

        Returns:
            Whether the settings came with the login.

        Raises:
            GpopsError: Nobody lets us in, or not as this role.
        """
        given = self.given(driver, deadline)
        settings = self.settings(limits)
        try:
            driver.connect(login_settings.with_settings(self._params, given, settings), deadline)
        except ConnectError as error:
            if login_settings.refuses_role(error.message, self.session_role):
                raise self._role_refused(driver, limits, deadline, error) from None
            if login_settings.refuses_bypass(error.message) or not login_settings.refused(error.message, settings):
                raise
        else:
            name, value = login_settings.PROBE_SETTING
            if driver.parameter(name) == value:
                self._say_how(driver.info)
                return True
            # PgBouncer has dropped them; Odyssey would set them in each session that a statement goes to.
            driver.disconnect()
        driver.connect(self._params, deadline)
        self._say_how(driver.info)
        # Until the server is heard: a pooler is why settings do not arrive.
        self.pooled = True
        return False

    def _role_refused(
        self, driver: Driver, limits: t.Mapping[str, str], deadline: Deadline, error: ConnectError
    ) -> GpopsError:
        """Why we may not become the role: a statement says it better than a login, if no segment hangs."""
        driver.connect(login_settings.with_settings(self._params, self.given(driver, deadline), limits), deadline)
        try:
            set_role(driver, self.session_role or "", Deadline(min(_ROLE_SECONDS, deadline.remaining())))
        except OptionError as refused:
            return refused
        except GpopsError:
            pass
        finally:
            driver.disconnect()
        return OptionError("session_role", error.message)

    def _say_how(self, info: t.Any) -> None:
        """Note the warning of a login, if there is one and somebody listens."""
        text = tls.warning(info.host or "", info.dsn_parameters, bool(info.password)) if self._warns else None
        warnings = _warnings.get()
        if text and warnings is not None and text not in warnings:
            warnings.append(text)
