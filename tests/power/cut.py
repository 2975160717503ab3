"""Cuts the power under a server that writes, again and again, and counts which acknowledged records are gone.

    cut.py BINARY APP FOLDER ext4|xfs full|normal CYCLES

The file system stops as if the power went: what was not written to the image by then never is. With `full` nothing that was
acknowledged may be lost. With `normal` something must be, and the first loss ends the run: were nothing lost in so many cuts, they would
prove nothing.
"""

import fcntl
import http.client
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from server import Client, Server, person

# Of both file systems: _IOR('X', 125, __u32), and to drop what the journal holds in memory.
SHUT_DOWN, WITHOUT_JOURNAL = 0x8004587D, 2
WRITERS = 8
BATCH = 10


class Disk:
    """A file system in a file."""

    def __init__(self, folder, kind):
        self.image, self.root = folder / "image", folder / "disk"
        self.root.mkdir(exist_ok=True)
        self.image.unlink(missing_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(1 << 29)
        subprocess.run([f"mkfs.{kind}", "-q", str(self.image)], check=True)

    def mount(self):
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.root)], check=True)
        self.handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)

    def cut(self):
        fcntl.ioctl(self.handle, SHUT_DOWN, struct.pack("I", WITHOUT_JOURNAL))

    def unmount(self):
        os.close(self.handle)
        subprocess.run(["umount", str(self.root)], check=True)


class Writing:
    """What is sent and what was acknowledged, until the power goes."""

    def __init__(self, server, token, cycle):
        self.lock = threading.Lock()
        self.acknowledged, self.open, self.wrong = [], {}, []
        self.over = False
        self.threads = [
            threading.Thread(target=self.write, args=(Client(server, token), f"c{cycle}w{number}", number % 2), daemon=True)
            for number in range(WRITERS)
        ]
        for thread in self.threads:
            thread.start()

    def write(self, client, name, batches):
        for number in range(1_000_000):
            size = BATCH if batches else 1
            records = [f"{name}n{number}i{index}" for index in range(size)]
            data = [{"id": record, "title": "written", "secret": "s" * 90} for record in records]
            with self.lock:
                if self.over:
                    return
                self.open[name] = records
            try:
                if batches:
                    steps = [{"op": "create", "collection": "things", "data": one} for one in data]
                    status, answer = client.ask("POST", "/api/v1/batch", {"operations": steps})
                else:
                    status, answer = client.ask("POST", "/api/v1/collections/things/records", data[0])
            except (OSError, http.client.HTTPException) as error:
                status, answer = 0, error
            with self.lock:
                # What is read after the cut counts for nothing.
                if self.over:
                    return
                if status not in (200, 201):
                    self.wrong.append((status, answer))
                    return
                self.acknowledged += records
                del self.open[name]

    def cut(self, disk):
        """Cuts the power. The list is complete before, and grows no more."""
        with self.lock:
            self.over = True
            disk.cut()

    def wait(self):
        for thread in self.threads:
            thread.join()
        assert not self.wrong, f"refused while the power was on: {self.wrong[0]}"


def check_file(disk):
    """The database as the cut left it, looked at in a copy: another SQLite must not touch the file itself."""
    copy = disk.root / "copy"
    shutil.copytree(disk.root / "data", copy)
    database = sqlite3.connect(copy / "stead.db")
    told = database.execute("PRAGMA integrity_check").fetchone()[0]
    database.close()
    shutil.rmtree(copy)
    assert told == "ok", told


class Run:
    """One file system, one setting, some cuts."""

    def __init__(self, binary, app, folder, kind, synchronous):
        self.disk = Disk(Path(folder), kind)
        self.arguments = (binary, app, Path(folder), self.disk.root, ["--synchronous", synchronous])
        self.name, self.careful = f"{kind} {synchronous}", synchronous == "full"
        self.acknowledged, self.lost = [], []
        self.disk.mount()
        self.server = Server(*self.arguments)
        self.token = person(self.server, "writer")
        # Who ends in good order has everything on the disk, with either setting: the writer is there in any case.
        self.server.end()
        self.server = Server(*self.arguments)

    def cycle(self, number):
        newcomer = person(self.server, f"newcomer{number}")
        writing = Writing(self.server, self.token, number)
        time.sleep(random.uniform(0.2, 2.5))
        writing.cut(self.disk)
        self.server.kill()
        writing.wait()
        self.disk.unmount()
        self.disk.mount()
        check_file(self.disk)
        self.server = Server(*self.arguments)
        Client(self.server).must(200, "GET", "/readyz")
        if self.careful:
            Client(self.server, newcomer).must(200, "GET", "/api/v1/auth/me")
        client = Client(self.server, self.token)
        lost = client.lost(writing.acknowledged)
        for records in writing.open.values():
            there = sum(client.has(record) for record in records)
            assert there in (0, len(records)), f"{there} of a batch of {len(records)} are there"
        self.acknowledged += writing.acknowledged
        self.lost += lost
        print(f"{self.name} {number}: {len(writing.acknowledged)} acknowledged, {len(lost)} lost", flush=True)

    def end(self):
        """Judges. What an earlier cut spared, a later one must have spared as well."""
        gone = Client(self.server, self.token).lost(self.acknowledged)
        self.server.end()
        self.disk.unmount()
        assert self.acknowledged, "nothing was acknowledged"
        assert set(gone) >= set(self.lost)
        if self.careful:
            assert not gone, f"{len(gone)} acknowledged records are lost: {gone[:5]}"
        else:
            assert gone, "a careless server lost nothing, so these cuts would not find a loss"
        print(f"{self.name}: {len(self.acknowledged)} acknowledged, {len(gone)} lost", flush=True)


def main():
    *where, cycles = sys.argv[1:]
    run = Run(*where)
    for number in range(int(cycles)):
        run.cycle(number)
        if run.lost and not run.careful:
            break
    run.end()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
main()
