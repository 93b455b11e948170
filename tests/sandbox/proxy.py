# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listener: the first packet of a connection decides what it is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import shlex
from pathlib import Path

from . import wire
from .helper import HELPER_ROLE, socket_path
from .profiles import Profile
from .session import Session
from .translate import PREFIX, Translator, canonical_value
from .world import World

log = logging.getLogger("sandbox")

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_MAX_STARTUP = 10000
_SESSION_NUMBER = "gp_session_id"
RESERVED = 3  # superuser_reserved_connections


class Refused(Exception):
    """The connection is refused with an error that the client reads."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.frame = wire.error(sqlstate, message, "FATAL")


class Proxy:
    """Accepts clients on loopback and gives each a backend of its own."""

    def __init__(self, world: World, sockets: Path, messages: Path) -> None:
        self._world = world
        self._sockets = sockets
        self._messages = messages
        self._translator = Translator(world.profile, world.activated)
        self._server: asyncio.Server | None = None
        self._connections = 0

    async def listen(self, host: str, port: int) -> int:
        self._server = await asyncio.start_server(self._accept, host, port, backlog=1024)
        self._world.port = int(self._server.sockets[0].getsockname()[1])
        self._world.touch()
        return self._world.port

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve((reader, writer))
        except Refused as refused:
            with contextlib.suppress(OSError):
                writer.write(refused.frame)
        except (asyncio.IncompleteReadError, ConnectionError, wire.ProtocolError):
            pass  # the client went away, or is no client
        except Exception:
            log.exception("a session ended with an error of the sandbox")
        finally:
            writer.close()

    async def _serve(self, client: _Streams) -> None:
        packet = await self._first_packet(client)
        code = int.from_bytes(packet[4:8], "big")
        if code == wire.CANCEL_REQUEST:
            await self._pass_cancel(packet)
            return
        if code >> 16 != wire.PROTOCOL_3:
            raise Refused("0A000", "unsupported frontend protocol")
        parameters = self._checked(wire.parse_startup(packet[4:]))
        self._check_room(parameters.get("user", ""))
        number = self._given_number(parameters)
        self._connections += 1
        try:
            server = await asyncio.open_unix_connection(socket_path(self._sockets))
            server[1].write(wire.startup(parameters, packet[4:8]))
            await Session(self._world, self._translator, client, server, self._messages, number).run()
        finally:
            self._connections -= 1

    def _given_number(self, parameters: dict[str, str]) -> int | None:
        """The session number that a login gives itself: with segments, none that is taken."""
        settings = dict(
            re.findall(rf"{re.escape(PREFIX)}(gp_role|{_SESSION_NUMBER})=(\S+)", parameters.get("options", ""))
        )
        settings |= {name.removeprefix(PREFIX): value for name, value in parameters.items() if name.startswith(PREFIX)}
        if settings.get(_SESSION_NUMBER, "-1") == "-1":
            return None
        number = int(settings[_SESSION_NUMBER])
        taken = {session.sess_id for session in self._world.sessions.values()}
        if number in taken and settings.get("gp_role") != "utility":
            raise Refused("XX000", f"writer segworker group shared snapshot collision on id {number}")
        return number

    def _check_room(self, user: str) -> None:
        """max_connections as the engine words it; the server behind has room for the sandbox's own as well."""
        role = self._world.role_named(user)
        left = self._world.max_connections - self._connections
        if left <= 0:
            raise Refused("53300", "sorry, too many clients already")
        if role is not None and role.superuser:
            return
        reserved = "remaining connection slots are reserved for non-replication superuser connections"
        has_own = self._world.profile.connections_role
        if has_own and left <= 2 * RESERVED and not (role is not None and role.has_connections):
            raise Refused("53300", f"{reserved} or {has_own}")
        if left <= RESERVED:
            raise Refused("53300", reserved)

    async def _first_packet(self, client: _Streams) -> bytes:
        reader, writer = client
        while True:
            size = await reader.readexactly(4)
            length = int.from_bytes(size, "big")
            if not 8 <= length <= _MAX_STARTUP:
                raise wire.ProtocolError("not a startup packet")
            packet = size + await reader.readexactly(length - 4)
            if int.from_bytes(packet[4:8], "big") not in (wire.SSL_REQUEST, wire.GSS_REQUEST):
                return packet
            writer.write(b"N")

    async def _pass_cancel(self, packet: bytes) -> None:
        reader, writer = await asyncio.open_unix_connection(socket_path(self._sockets))
        writer.write(packet)
        await reader.read()  # the server closes when the signal is sent
        writer.close()

    def _checked(self, parameters: dict[str, str]) -> dict[str, str]:
        """The startup parameters with the engine's own settings under the names PostgreSQL takes."""
        user = parameters.get("user", "")
        if user == HELPER_ROLE:
            raise Refused("28000", f'role "{user}" does not exist')
        translated: dict[str, str] = {}
        for name, value in parameters.items():
            if name == "options":
                translated[name] = self._options(user, value)
            else:
                fresh, canonical = self._setting(user, name, value)
                translated[fresh] = canonical
                translated |= self._implied(fresh, canonical)
        return translated

    def _options(self, user: str, text: str) -> str:
        """-c name=value and --name=value; a backslash escapes a space, as in the server."""
        words = shlex.split(text.replace("'", r"\'").replace('"', r"\""))
        changed: list[str] = []
        implied: dict[str, str] = {}
        for word in words:
            match = re.fullmatch(r"(-c|--)?([A-Za-z_][\w.-]*)=(.*)", word, re.DOTALL)
            fresh = word
            if match:
                name, value = self._setting(user, match[2], match[3])
                fresh = f"{match[1] or ''}{name}={value}"
                implied |= self._implied(name, value)
            changed.append(re.sub(r"([\\\s])", r"\\\1", fresh))
        return " ".join([*changed, *(f"--{name}={value}" for name, value in implied.items())])

    def _implied(self, name: str, value: str) -> dict[str, str]:
        """A login asks for a role by one setting, and the other one shows it too."""
        asked = name.removeprefix(PREFIX) in self._world.profile.login_roles
        return {f"{PREFIX}gp_role": value, f"{PREFIX}gp_session_role": value} if asked else {}

    def _setting(self, user: str, name: str, value: str) -> tuple[str, str]:
        if name.lower() == _SESSION_NUMBER:
            return PREFIX + _SESSION_NUMBER, _whole_number(_SESSION_NUMBER, value)
        profile: Profile = self._world.profile
        setting = profile.setting(name.lower().replace("-", "_"))
        if setting is None or setting.in_postgres:
            return name, value
        if setting.name in profile.login_roles:
            return PREFIX + setting.name, _login_role(setting.name, value)
        if setting.context in ("internal", "postmaster"):
            raise Refused("55P02", f'parameter "{setting.name}" cannot be changed')
        role = self._world.role_named(user)
        if setting.context == "superuser" and (role is None or not role.superuser):
            raise Refused("42501", f'permission denied to set parameter "{setting.name}"')
        canonical = canonical_value(setting, value)
        if not isinstance(canonical, str):
            raise Refused(canonical.sqlstate, canonical.message)
        return PREFIX + setting.name, canonical[1:-1]


def _whole_number(name: str, value: str) -> str:
    if not re.fullmatch(r"\s*-?\d{1,9}\s*", value):
        raise Refused("22023", f'invalid value for parameter "{name}": "{value}"')
    return value.strip()


def _login_role(name: str, value: str) -> str:
    """dispatch as usual, or utility: a session of the coordinator alone, which any role may ask for."""
    if value.lower() not in ("dispatch", "utility"):
        raise Refused("22023", f'invalid value for parameter "{name}": "{value}"')
    return value.lower()
