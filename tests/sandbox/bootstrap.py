# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a fresh PostgreSQL look like the engine: catalogs, roles and databases."""

from __future__ import annotations

import json
from pathlib import Path

from .folder import NO_LOCKS, Folder
from .helper import HELPER_ROLE, Door, Helper
from .keeper import LOCK_CLASS
from .passwords import password_of
from .profiles import ADMIN_OID, DEFAULT_OID, Profile
from .translate import PREFIX
from .world import GROUP_CLASS

ADMIN = "gpadmin"
DATABASES = ("postgres", "template1", "testdb")
TOOLKIT_DATABASE = "testdb"

LOGINS = ("ops", "sammy", "billy")
# Nobody is trusted, not even on the socket that only the server's user and ours can reach. The sandbox's own
# connections send their password in clear there, which is less work than the handshake of clients.
ACCESS_OF_THE_SANDBOX = "local all all password\n"
ACCESS = f"local all {HELPER_ROLE} password\nlocal all all scram-sha-256\n"

_SQL = Path(__file__).resolve().parent / "sql"


def server_settings(profile: Profile, resource_manager: str, max_connections: int) -> dict[str, str]:
    """The engine's own settings, as PostgreSQL can hold them: under a prefix."""
    values = {setting.name: setting.value for setting in profile.settings}
    manager = profile.manager if resource_manager == "group" else resource_manager
    values |= {"gp_resource_manager": manager, "max_connections": str(max_connections)}
    return {PREFIX + name: value for name, value in values.items()}


def render(text: str, profile: Profile, folder: Path) -> str:
    """An SQL file with this sandbox's places and this engine's data filled in."""
    values = _places(folder) | _engine(profile)
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value.replace("'", "''") if name != "config_columns" else value)
    return text


def _places(folder: Path) -> dict[str, str]:
    return {
        "state": str(folder / "state" / "state.json"),
        "messages": str(folder / "messages"),
        "segments": str(folder / "state" / "segments.json"),
        "made_locks": str(Folder.made_locks_in(folder)),
    }


def _engine(profile: Profile) -> dict[str, str]:
    fixed = [each.name for each in profile.settings if each.context in ("internal", "postmaster")]
    superuser = [each.name for each in profile.settings if each.context == "superuser"]
    own = [
        {"name": each.name, "value": each.value, "kind": each.kind, "context": each.context}
        for each in profile.settings
        if not each.in_postgres
    ]
    options = [{"name": option.name, "limit_type": option.limit_type} for option in profile.options]
    config = ", ".join(f"g.limits ->> '{option.name}' AS {option.name}" for option in profile.options)
    return {
        "no_locks": NO_LOCKS,
        "bypass_lock_rows": str(profile.bypass_lock_rows or ""),
        "lock_class": str(LOCK_CLASS),
        "group_class": str(GROUP_CLASS),
        "helper": HELPER_ROLE,
        "admin_oid": str(ADMIN_OID),
        "default_oid": str(DEFAULT_OID),
        "version": profile.version,
        "setting_names": ",".join(each.name for each in profile.settings),
        "superuser_settings": ",".join(superuser),
        "fixed_settings": ",".join(fixed),
        "own_settings": json.dumps(own),
        "options": json.dumps(options),
        "config_columns": config,
        "managers_role": profile.managers_role or "",
        "movers_role": profile.managers_role or ADMIN,
        "group_changers": profile.group_changers,
        "move_timeout": str(profile.move_timeout).lower(),
        "in_function_message": profile.in_function_message,
        "unknown_pid": profile.unknown_pid,
        "unknown_group_of_move": profile.unknown_group_of_move,
        "lock_waitstart": " l.waitstart," if profile.lock_waitstart else "",
    }


async def bootstrap(profile: Profile, folder: Path, door: Door, major: int) -> None:
    """Fills a new cluster, to which no client has a way yet."""
    admin = await Helper.connect(door, ADMIN, "template1")
    if major >= 16:
        await admin.query("SET scram_iterations = 1")  # logins by the hundred: the hash is not what is tested
    await admin.query(_roles(door.secret))
    await admin.query("SET allow_system_table_mods = on")
    for name in (*profile.sql, *profile.more_sql, "locks", "segments"):
        await admin.query(render((_SQL / f"{name}.sql").read_text(), profile, folder))
    await admin.close()
    helper = await Helper.connect(door, HELPER_ROLE, "template1")
    # A database made from template0 looks like the engine too.
    await helper.query("ALTER DATABASE template0 IS_TEMPLATE false")
    await helper.query("DROP DATABASE template0")
    await helper.query("CREATE DATABASE template0 IS_TEMPLATE true ALLOW_CONNECTIONS false")
    await helper.query("DROP DATABASE postgres")
    for database in DATABASES:
        if database != "template1":
            await helper.query(f"CREATE DATABASE {database} OWNER {ADMIN}")
    await helper.close()
    toolkit = await Helper.connect(door, ADMIN, TOOLKIT_DATABASE)
    await toolkit.query((_SQL / "mdb_toolkit.sql").read_text())
    await toolkit.close()


def _roles(secret: str) -> str:
    words = {name: f"PASSWORD '{password_of(secret, name)}'" for name in (ADMIN, HELPER_ROLE, *LOGINS)}
    return "; ".join(
        [
            f"CREATE ROLE {HELPER_ROLE} SUPERUSER LOGIN {words[HELPER_ROLE]}",
            f"ALTER ROLE {ADMIN} {words[ADMIN]}",
            "CREATE ROLE mdb_admin NOLOGIN",
            *(f"CREATE ROLE {name} LOGIN {words[name]}" for name in LOGINS),
            "GRANT mdb_admin TO ops",
        ]
    )
