"""The server as these tests start it, and a client of it."""

import http.client
import json
import subprocess
import sys

PATIENCE_S = 60


class Server:
    """The binary, with its data folder on a disk."""

    def __init__(self, binary, app, folder, disk, flags=()):
        self.noted = folder / "server.pid"
        limits = ["--rate-per-address", "0", "--rate-per-user", "0", "--rate-sign-in", "0"]
        with open(folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [binary, "serve", app, "--listen", "127.0.0.1:0", "--data", str(disk / "data")]
                + ["--log", "error", *limits, *flags],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.noted.write_text(str(self.process.pid))
        for line in self.process.stdout:
            if line.strip().startswith("listening on "):
                self.address = line.strip().removeprefix("listening on http://")
                return
        sys.exit(f"the server did not start:\n{(folder / 'server.log').read_text()}")

    def end(self):
        self.process.terminate()
        assert self.process.wait(PATIENCE_S) == 0, "it ends in good order"
        self.noted.unlink()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.noted.unlink()


class Client:
    """One connection."""

    def __init__(self, server, token=None):
        self.http = http.client.HTTPConnection(server.address, timeout=PATIENCE_S)
        self.token = token

    def ask(self, method, path, body=None):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        self.http.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.http.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text.startswith(b"{") else text

    def must(self, expected, method, path, body=None):
        status, answer = self.ask(method, path, body)
        assert status == expected, (method, path, status, answer)
        return answer

    def has(self, record):
        status, answer = self.ask("GET", f"/api/v1/collections/things/records/{record}")
        assert status in (200, 404), (status, answer)
        return status == 200

    def lost(self, records):
        """Which of these are not there."""
        gone = []
        for start in range(0, len(records), 200):
            part = records[start : start + 200]
            steps = [{"op": "require", "collection": "things", "id": record} for record in part]
            status, _ = self.ask("POST", "/api/v1/batch", {"operations": steps})
            gone += [] if status == 200 else [record for record in part if not self.has(record)]
        return gone


def person(server, name):
    body = {"email": f"{name}@example.test", "password": "a-long-enough-secret", "data": {"name": name}}
    return Client(server).must(201, "POST", "/api/v1/auth/sign-up", body)["access_token"]
