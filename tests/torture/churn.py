# SPDX-FileCopyrightText: 2026 gpops.toolkit contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sessions that come and go as fast as they can, in a process of its own; each says what became of it.

    python churn.py SECONDS THREADS HOLD HOST PORT USER PASSWORD DATABASE

A line for each session: its pid, its start as the collection writes it, the errors that it met (- for none).
With HOLD, in seconds, a session runs a statement for up to that time; with 0 it only comes and goes, and says
no start.
"""

from __future__ import annotations

import random
import sys
import threading
import time

import psycopg2
import psycopg2.extensions

_WHO = (
    "SELECT to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') "
    "FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()"
)
_PRINT = threading.Lock()


def one(dsn: dict[str, str], hold: float) -> None:
    """The life of one session."""
    start, met = "-", "-"
    connection = psycopg2.connect(psycopg2.extensions.make_dsn(**dsn, application_name="gpops_churn"))
    pid = connection.info.backend_pid
    try:
        connection.autocommit = True
        if hold:
            with connection.cursor() as cursor:
                cursor.execute(_WHO)
                start = str((cursor.fetchone() or ["-"])[0])
                cursor.execute("SELECT pg_catalog.pg_sleep(%s)", (random.uniform(0, hold),))
    except psycopg2.Error as error:
        met = error.pgcode or "closed"
    connection.close()
    with _PRINT:
        print(pid, start, met, flush=True)


def work(end: float, dsn: dict[str, str], hold: float) -> None:
    while time.monotonic() < end:
        try:
            one(dsn, hold)
        except psycopg2.OperationalError as error:
            with _PRINT:
                print("0 -", "refused:" + str(error).split("\n", 1)[0].replace(" ", "_"), flush=True)


def main() -> None:
    seconds, threads, hold, host, port, user, password, database = sys.argv[1:]
    dsn = {"host": host, "port": port, "user": user, "password": password, "dbname": database}
    end = time.monotonic() + float(seconds)
    workers = [threading.Thread(target=work, args=(end, dsn, float(hold))) for _each in range(int(threads))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
