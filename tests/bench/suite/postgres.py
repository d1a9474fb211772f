"""A PostgreSQL server of its own, as the system's user for it: it refuses to run as root."""

import glob
import os
import pwd
import re
import shutil
import subprocess
import tempfile

from measure import ONE_CPU, Missing, Wrong
from world import run


def server_programs():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
    if not found:
        raise Missing("PostgreSQL is not installed")
    return found[-1]


def server_user():
    """Whom to become, None for nobody else."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise Missing("PostgreSQL does not run as root, and there is neither postgres nor nobody")


class Postgres:
    def __init__(self, world, initdb=(), **settings):
        self.world = world
        self.bin = server_programs()
        self.user = server_user()
        self.data = world.path("pgdata")
        self.log = world.path("postgres.log")
        self.socket = tempfile.mkdtemp(prefix="pg-", dir="/tmp")  # its path has to be short
        self.settings = {"listen_addresses": "", "unix_socket_directories": self.socket,
                         **settings}
        self.running = False
        for folder in (self.socket, self._folder(self.data)):
            if self.user:
                os.chown(folder, self.user.pw_uid, self.user.pw_gid)
        self._can_reach()
        self._as_user([self.bin + "/initdb", "-D", self.data, "-A", "trust", "-U", "bench",
                       "--no-sync", "-E", "UTF8", "--locale=C", *initdb])
        self._configure()

    @staticmethod
    def _folder(path):
        os.mkdir(path, 0o700)
        return path

    def _prefix(self):
        if not self.user:
            return []
        return ["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}",
                "--clear-groups"]

    def _as_user(self, command):
        return run(self._prefix() + command, cwd="/")

    def _can_reach(self):
        reached = subprocess.run(self._prefix() + ["test", "-w", self.data], check=False, cwd="/")
        if reached.returncode != 0:
            shutil.rmtree(self.socket)
            raise Missing(f"PostgreSQL's user cannot reach {self.data}: choose another --dir")

    def _configure(self):
        with open(self.data + "/postgresql.conf", "a", encoding="utf-8") as f:
            for name, value in self.settings.items():
                f.write(f"{name} = '{value}'\n")

    def start(self):
        """Its messages go to a log of this start alone."""
        with open(self.log, "w", encoding="utf-8"):
            pass
        if self.user:
            os.chown(self.log, self.user.pw_uid, self.user.pw_gid)
        run(ONE_CPU + self._prefix() + [self.bin + "/pg_ctl", "-D", self.data, "-l", self.log, "-w",
                                        "-t", "300", "start"], cwd="/")
        self.running = True

    def stop(self, mode="fast"):
        self._as_user([self.bin + "/pg_ctl", "-D", self.data, "-m", mode, "-w", "stop"])
        self.running = False

    def close(self):
        if self.running:
            self.stop()
        shutil.rmtree(self.socket, ignore_errors=True)

    def psql(self, *statements):
        """The command that runs them, each a transaction of its own, all in one session."""
        options = [word for statement in statements for word in ("-c", statement)]
        return [self.bin + "/psql", "-X", "-q", "-A", "-t", "-h", self.socket, "-U", "bench",
                "-v", "ON_ERROR_STOP=1", *options, "postgres"]

    def sql(self, *statements):
        """Returns what they print."""
        return run(self.psql(*statements)).strip()

    def accounts(self, scale):
        """pgbench's tables, of 100,000 accounts each step of the scale."""
        run([self.bin + "/pgbench", "-i", "-q", "-h", self.socket, "-U", "bench", "-s", str(scale),
             "postgres"])

    def commits(self, script, clients, transactions):
        """pgbench: commits a second of that many clients, each with so many transactions."""
        said = run(ONE_CPU + [self.bin + "/pgbench", "-n", "-h", self.socket, "-U", "bench", "-f",
                              script, "-c", str(clients), "-j", "1", "-t", str(transactions),
                              "postgres"])
        found = re.search(r"^tps = ([0-9.]+)", said, re.M)
        if not found or "number of failed transactions: 0 " not in said:
            raise Wrong(f"pgbench says: {said}")
        return float(found.group(1))

    def redo(self):
        """Of the last start: bytes of log that were replayed, and the seconds that took."""
        with open(self.log, encoding="utf-8") as f:
            said = f.read()
        begun = re.search(r"redo starts at ([0-9A-F]+)/([0-9A-F]+)", said)
        done = re.search(r"redo done at ([0-9A-F]+)/([0-9A-F]+) .* elapsed: ([0-9.]+) s", said)
        if not begun or not done:
            raise Wrong(f"PostgreSQL's log has no redo: {said}")
        first, last = (int(m.group(1), 16) << 32 | int(m.group(2), 16) for m in (begun, done))
        return last - first, max(float(done.group(3)), 0.01)
