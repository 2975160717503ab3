"""Fills the disk under a server, frees it again, and looks at what is refused, what goes on and what is kept.

    full.py BINARY APP FOLDER [POSTGRES]

POSTGRES names a server of this machine, whose database is put on a small disk alone: its log has room, for without that
Postgres itself stops.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from server import PATIENCE_S, Client, Server, person

LEFT_BYTES = 3 << 20
BATCHES_MAX = 2_000


def small_disk(folder):
    root = folder / "disk"
    root.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "none", str(root)], check=True)
    return root


def database_on(disk, postgres):
    """A database of Postgres whose tables are on the disk; its address."""
    place = disk / "tables"
    place.mkdir()
    shutil.chown(place, "postgres", "postgres")
    for command in (f"CREATE TABLESPACE small LOCATION '{place}'", "CREATE DATABASE small TABLESPACE small"):
        subprocess.run(["psql", postgres, "-qc", command], check=True)
    return postgres.replace("/postgres", "/small", 1)


def fill(disk):
    """Takes all but a little of what is free."""
    free = os.statvfs(disk)
    with open(disk / "ballast", "wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, free.f_bavail * free.f_bsize - LEFT_BYTES)


def batch(name):
    records = [f"{name}i{index}" for index in range(100)]
    data = [{"id": record, "title": "written", "secret": "s" * 90} for record in records]
    return records, {"operations": [{"op": "create", "collection": "things", "data": one} for one in data]}


def write_until_full(client):
    """What was acknowledged, and what was refused."""
    acknowledged = []
    for number in range(BATCHES_MAX):
        records, body = batch(f"b{number}")
        status, answer = client.ask("POST", "/api/v1/batch", body)
        if status != 200:
            assert (status, answer["code"]) == (507, "storage_full"), (status, answer)
            return acknowledged, records
        acknowledged += records
    raise AssertionError("the disk was never full")


def poll(question, expected):
    end = time.monotonic() + PATIENCE_S
    while (answer := question())[0] != expected:
        assert time.monotonic() < end, answer
        time.sleep(0.05)


def main():
    binary, app, folder, *postgres = sys.argv[1:]
    folder = Path(folder)
    disk = small_disk(folder)
    # The folder of the data is on the same disk, but on Postgres there is next to nothing in it.
    flags = ["--database", database_on(disk, postgres[0])] if postgres else []
    server = Server(binary, app, folder, disk, flags)
    client = Client(server, person(server, "writer"))
    fill(disk)
    acknowledged, refused = write_until_full(client)
    for record in acknowledged[-3:]:
        assert client.has(record), f"{record} cannot be read"
    assert client.must(200, "GET", "/api/v1/collections/things/records?limit=50")["items"]
    client.must(200, "GET", "/api/v1/auth/me")

    (disk / "ballast").unlink()
    poll(lambda: client.ask("POST", "/api/v1/batch", batch("after")[1]), 200)
    poll(lambda: client.ask("GET", "/readyz"), 200)
    assert not client.lost(acknowledged), "what was acknowledged is there"
    assert not any(client.has(record) for record in refused), "what was refused is not"
    server.end()
    if postgres:
        # It holds the disk.
        for command in ("DROP DATABASE small", "DROP TABLESPACE small"):
            subprocess.run(["psql", postgres[0], "-qc", command], check=True)
    subprocess.run(["umount", str(disk)], check=True)
    told = "Postgres" if postgres else "SQLite"
    print(f"{told}: {len(acknowledged)} acknowledged, then the disk was full; read on, and wrote on once there was room")


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
main()
