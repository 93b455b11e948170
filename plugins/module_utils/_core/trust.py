# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PURE: whether what is called outside of pg_catalog is superusers' alone. Private to the collection.

A function runs with the rights of whoever calls it, so who can change what a name means borrows them. Those are the
owner of the function, the owner of its schema, who may rename that and put another in its place between our look and
our call, and who may create in the schema. Where all of them are superusers, nobody else can change it after the look
either: to rename, drop or give away a schema or a function takes its owner, and to add one the right to create.
"""

from __future__ import annotations

import typing as t

from ansible_collections.gpops.toolkit.plugins.module_utils._core import answers
from ansible_collections.gpops.toolkit.plugins.module_utils._core.answers import TEXT

# What is strange, in words, and what a superuser does about it.
_STRANGE = {
    "owner": "schema {name} belongs to {role}",
    "creator": "{role} may create in schema {name}",
    "function": "function {name} belongs to {role}",
    "view": "view {name} belongs to {role}",
}
_MENDS = {
    "owner": "ALTER SCHEMA {name} OWNER TO a superuser",
    "creator": "REVOKE CREATE ON SCHEMA {name} FROM {role}",
    "function": "give function {name} to a superuser",
    "view": "give view {name} to a superuser",
}
_MOST_WORDS = 3
_WHAT = "a list of who owns what"
_KINDS = {"what": TEXT, "name": TEXT, "role": TEXT}

_STRANGERS = """(SELECT pg_catalog.json_agg(w)::text FROM ({parts}
         ) w WHERE w.rolsuper IS NOT TRUE)"""
_OWNER = """
         SELECT 'owner' AS what, n.nspname::text AS name, r.rolname::text AS role, r.rolsuper
           FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
          WHERE n.nspname = '{schema}'"""
_CREATORS = """
         SELECT 'creator', n.nspname::text, CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE r.rolname::text END, r.rolsuper
           FROM pg_catalog.pg_namespace n CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) x
           LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
          WHERE n.nspname = '{schema}' AND x.privilege_type = 'CREATE' AND x.grantee <> n.nspowner"""
_FUNCTIONS = """
         SELECT 'function', p.proname::text, r.rolname::text, r.rolsuper
           FROM pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
          WHERE p.pronamespace = (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = '{schema}')
            AND p.proname IN ({functions})"""
_VIEWS = """
         SELECT 'view', c.relname::text, r.rolname::text, r.rolsuper
           FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
          WHERE c.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = '{schema}')
            AND c.relname IN ({views})"""


def strangers(schema: str, functions: t.Iterable[str] = (), views: t.Iterable[str] = ()) -> str:
    """The subselect that finds who else than superusers owns the schema or one of these, or may create there.

    Of a function each with this name counts: the engine chooses among them by the arguments. In this form, tables of
    pg_catalog and each function beside one, it passes a full group of a PostgreSQL 12 base.
    """
    parts = [_OWNER, _CREATORS, *([_FUNCTIONS] if functions else []), *([_VIEWS] if views else [])]
    names = {"functions": _listed(functions), "views": _listed(views)}
    return _STRANGERS.format(parts="\n         UNION ALL".join(parts).format(schema=schema, **names))


def _listed(names: t.Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def why_not(found: str | None) -> str | None:
    """Why nothing of the schema is called, with what a superuser can do about it; None if it is superusers' alone.

    Args:
        found: What the subselect found.
    """
    each_one = answers.json_records(found, _WHAT, _KINDS)
    if not each_one:
        return None
    unknown = [each["what"] for each in each_one if each["what"] not in _STRANGE]
    if unknown:
        raise answers.bad(_WHAT, f"there is {unknown[0]!r} among it")
    words = [_STRANGE[each["what"]].format(**each) for each in each_one]
    mends = list(dict.fromkeys(_MENDS[each["what"]].format(**each) for each in each_one))
    more = f" and {len(words) - _MOST_WORDS} more" if len(words) > _MOST_WORDS else ""
    return (
        f"{', '.join(words[:_MOST_WORDS])}{more}; so who is no superuser could have code of their own run there, with "
        f"the rights of whoever calls it. A superuser can mend that: {'; '.join(mends[:_MOST_WORDS])}"
    )
