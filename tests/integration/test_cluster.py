# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What other tests look with: a big lock table, and what is left behind on the server."""

from __future__ import annotations

import contextlib

from integration.cluster import TOOLKIT_NAME, Cluster, Scene, eventually, left_behind

LOCKS = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks"


def test_many_locks(cluster: Cluster) -> None:
    # Not in bypass, as the scene's own session is.
    with contextlib.closing(cluster.connect(cluster.admin)) as admin, admin.cursor() as cursor:
        with Scene(cluster) as scene:
            scene.many_locks(12_000)
            cursor.execute(LOCKS)
            assert cursor.fetchall()[0][0] >= 12_000
            cursor.execute("SELECT DISTINCT gp_segment_id FROM pg_catalog.pg_locks ORDER BY 1")
            assert [segment for (segment,) in cursor.fetchall()][:3] == [-1, 0, 1]

        def gone() -> bool:
            cursor.execute(LOCKS)
            return bool(cursor.fetchall()[0][0] < 1_000)

        eventually(gone, "the locks are gone")


def test_left_behind(cluster: Cluster, scene: Scene) -> None:
    eventually(lambda: not left_behind(cluster), "nothing is left of other tests")
    named, other = scene.client(cluster.user, name=TOOLKIT_NAME), scene.client(cluster.user)
    for client in (named, other):
        # On a real cluster that starts processes on the segments, too.
        client.run("SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks")
    left = left_behind(cluster)
    assert {(each.segment, each.pid) for each in left if each.segment == -1} == {(-1, named.pid)}
    assert {each.segment for each in left} == ({-1} if cluster.embedded else {-1, 0, 1})
    assert {each.sess_id for each in left} == {left[0].sess_id}
    both = left_behind(cluster, pids=[other.pid])
    assert {each.pid for each in both if each.segment == -1} == {named.pid, other.pid}
    named.close()
    other.close()
    eventually(lambda: not left_behind(cluster, pids=[named.pid, other.pid]), "nothing is left")
