# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's one process: starts PostgreSQL and the proxy, and ends both together."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import signal
import sys
from dataclasses import asdict, dataclass
from typing import IO

from . import bootstrap, postgres
from .folder import Folder
from .helper import Door
from .passwords import password_of
from .profiles import PROFILES
from .proxy import Proxy
from .world import World

READY_POLL = 0.01
START_TIMEOUT = 60.0
HOST = "127.0.0.1"

log = logging.getLogger("sandbox")


@dataclass(frozen=True)
class Options:
    """What one sandbox is started with."""

    profile: str = "gp6"
    port: int = 0
    max_connections: int = 400
    bypass: bool = True
    resource_manager: str = "group"
    pgbin: str | None = None


class Daemon:
    """Runs until a signal, the end of its lifeline, or the end of PostgreSQL."""

    def __init__(self, folder: Folder, options: Options, lifeline: int | None) -> None:
        self._folder = folder
        self._options = options
        self._lifeline = lifeline
        self._stop = asyncio.Event()

    async def run(self, announce: IO[str]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        if self._lifeline is not None:
            loop.add_reader(self._lifeline, self._on_lifeline)
        account = postgres.Account.choose(self._folder.data)
        server = self._prepare(account)  # in this thread: a forked child must not inherit others' locks
        proxy: Proxy | None = None
        try:
            proxy, info = await self._start(server)
            self._folder.write_info(info)
            print(json.dumps(info), file=announce, flush=True)
            await self._until_stopped(server)
        finally:
            if proxy is not None:
                proxy.close()
            server.stop()

    def _prepare(self, account: postgres.Account) -> postgres.Postgres:
        options = self._options
        programs = postgres.find_programs(options.pgbin)
        self._folder.prepare(account)
        self._door = Door(self._folder.sockets, self._folder.keep_secret((bootstrap.ADMIN, *bootstrap.LOGINS)))
        server = postgres.Postgres(programs, self._folder.path, account, self._folder.sockets, options.max_connections)
        self._fresh = not server.exists
        if self._fresh:
            server.create(password_of(self._door.secret, bootstrap.ADMIN))
        self._folder.close_to_others(account)
        settings = bootstrap.server_settings(
            PROFILES[options.profile], options.resource_manager, options.max_connections
        )
        server.configure(bootstrap.ACCESS_OF_THE_SANDBOX if self._fresh else bootstrap.ACCESS, settings)
        self._major = postgres.major_version(programs)
        return server

    async def _start(self, server: postgres.Postgres) -> tuple[Proxy, dict[str, object]]:
        options, folder = self._options, self._folder
        server.start()
        async with asyncio.timeout(START_TIMEOUT):
            while not server.is_ready():
                self._check_not_stopped()
                await asyncio.sleep(READY_POLL)
        profile = PROFILES[options.profile]
        world = World(
            profile, folder.path, options.max_connections, options.resource_manager == "group", options.bypass
        )
        world.flush()
        if self._fresh:
            await bootstrap.bootstrap(profile, folder.path, self._door, self._major)
            server.set_access(bootstrap.ACCESS)
        await world.attach(self._door)
        proxy = Proxy(world, folder.sockets, folder.messages)
        port = await proxy.listen(HOST, options.port)
        self._check_not_stopped()
        info: dict[str, object] = {
            "dir": str(folder.path),
            "host": HOST,
            "port": port,
            "profile": options.profile,
            "pid": os.getpid(),
            "admin_user": bootstrap.ADMIN,
            "passwords": str(folder.passwords),
            "databases": list(bootstrap.DATABASES),
            "options": asdict(options),
        }
        return proxy, info

    def _check_not_stopped(self) -> None:
        if self._stop.is_set():
            raise postgres.PostgresError("stopped while starting")

    async def _until_stopped(self, server: postgres.Postgres) -> None:
        while server.running and not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 1.0)
        if not self._stop.is_set():
            log.error("PostgreSQL ended by itself")

    def _on_lifeline(self) -> None:
        """Nothing is ever written to it: readable means that its other end, the starter, is gone."""
        assert self._lifeline is not None
        if not os.read(self._lifeline, 1):
            asyncio.get_running_loop().remove_reader(self._lifeline)
            self._stop.set()


def allow_many_files() -> None:
    """Two sockets a session: the usual soft limit of 1,024 files is too low for a thousand sessions."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def serve(folder: Folder, options: Options, lifeline: int | None, remove: bool, announce: IO[str]) -> int:
    """The whole life of the process; the exit code."""
    os.umask(0o022)  # the server reads some of it, in folders that nobody else can enter
    allow_many_files()
    finished = False
    try:
        with folder.locked():
            asyncio.run(Daemon(folder, options, lifeline).run(announce))
            finished = True
    except (postgres.PostgresError, OSError, TimeoutError) as problem:
        print(f"sandbox: {problem}", file=sys.stderr)
        return 1
    finally:
        if remove and finished:
            folder.remove()
        elif not finished:
            folder.remove_if_fresh()
    return 0
