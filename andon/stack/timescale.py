"""A private PostgreSQL with TimescaleDB on loopback: passwords on TCP, the superuser only over a closed socket."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.pq import PGconn, Ping

from andon.stack import debian
from andon.stack.accounts import Account, hand_over, unprivileged
from andon.stack.errors import FetchError, ServiceDiedError, StackError
from andon.stack.process import Command

MAJOR = "17"
USER = DATABASE = "andon"
_PACKAGE = f"postgresql-{MAJOR}-timescaledb"
_STAMP = f"{_PACKAGE} from {debian.SUITE}, layout 1"
_BIN = f"usr/lib/postgresql/{MAJOR}/bin"
_LIB = f"usr/lib/postgresql/{MAJOR}/lib"
_SOCKET_PATH_LIMIT = 100
"""A unix socket's path may be 107 bytes long; this leaves some."""

_CONF = """\
# written at every start, included by postgresql.conf
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
max_connections = 200
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
timescaledb.max_background_workers = 8
max_worker_processes = 24
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
shared_buffers = 256MB
max_wal_size = 4GB
logging_collector = off
log_checkpoints = off
"""

# `trust` would make every local account a superuser: the socket asks the kernel who calls, TCP asks for a password.
_HBA = """\
# written at every start
local all postgres peer map=andon
host  all all 127.0.0.1/32 scram-sha-256
"""


class Timescale:
    """The database server in `folder`, on `port`; `password` is that of the user andon."""

    name = "timescale"

    def __init__(self, *, runtime: Path, folder: Path, log: Path, port: int, password: str) -> None:
        self.runtime, self.folder, self.log, self.port = runtime / "timescale", folder, log, port
        self.ports: tuple[int, ...] = (port,)
        self.data = folder / "data"
        self._password = password
        self._account = unprivileged("postgres")

    @property
    def socket_folder(self) -> Path:
        """Beside the data; in a short folder of its own where the path would be too long for a unix socket."""
        near = self.folder / "socket"
        if len(str(near)) + len(f"/.s.PGSQL.{self.port}") <= _SOCKET_PATH_LIMIT:
            return near
        digest = hashlib.sha256(str(near).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"andon-{digest}"

    def build(self, say: debian.Say) -> None:
        """Fetch the server, unless it is here.

        Raises:
            FetchError: neither the archive nor this host has one.
        """
        try:
            with debian.built_once(self.runtime, _STAMP) as work:
                if work is not None:
                    say("timescale: fetching PostgreSQL 17 and TimescaleDB from the Debian archive (about 30 MB)")
                    debian.unpack(work, [_PACKAGE, f"postgresql-{MAJOR}"], [f"{_BIN}/*"], say)
        except debian.UnpackError as e:
            if not _host_has_it():
                cause, package = str(e), f"the Debian package {_PACKAGE}"
                raise FetchError("TimescaleDB", cause, variable="ANDON_DATABASE_URL", package=package) from e
            say(f"timescale: using this host's own PostgreSQL {MAJOR}, since {e}")

    def prepare(self) -> None:
        """Write the configuration; make the cluster once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._own(self.socket_folder)
        if not self.data.exists():
            self._initdb()
        conf = _CONF.format(port=self.port, socket=self.socket_folder)
        me = {"root", self._account.name} if self._account else {pwd.getpwuid(os.geteuid()).pw_name}
        ident = "".join(f"andon {name} postgres\n" for name in sorted(me))
        for name, text in (("andon.conf", conf), ("pg_hba.conf", _HBA), ("pg_ident.conf", ident)):
            (self.data / name).write_text(text)
        hand_over(self.data, self._account)

    def command(self) -> Command:
        """PostgreSQL itself as our direct child; SIGINT is its fast shutdown (SIGTERM would wait for all clients)."""
        argv = (self._program("postgres"), "-D", str(self.data))
        return Command(
            name=self.name,
            argv=argv,
            cwd=self.folder,
            log=self.log,
            stop_signal=signal.SIGINT,
            env=_environment(self.folder),
            account=self._account,
        )

    def answers(self) -> bool:
        return PGconn.ping(f"host=127.0.0.1 port={self.port} connect_timeout=2".encode()) == Ping.OK

    def settle(self) -> None:
        """Create the user andon with its password, and its database; safe to repeat."""
        with self._superuser("postgres") as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (USER,)).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(USER)))
            set_password = sql.SQL("ALTER ROLE {} PASSWORD {}")
            connection.execute(set_password.format(sql.Identifier(USER), sql.Literal(self._password)))
        self.create_database(DATABASE)

    def create_database(self, name: str) -> None:
        """A database that belongs to andon, with the extension; nothing happens when it exists."""
        with self._superuser("postgres") as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                create = sql.SQL("CREATE DATABASE {} OWNER {}")
                connection.execute(create.format(sql.Identifier(name), sql.Identifier(USER)))
        with self._superuser(name) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
            # Debian's edition schedules a job that its licence then refuses to run, with an error in the log each time.
            connection.execute("UPDATE _timescaledb_config.bgw_job SET scheduled = false WHERE id < 1000")

    def drop_database(self, name: str) -> None:
        """Also when somebody is connected to it."""
        with self._superuser("postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _superuser(self, database: str) -> psycopg.Connection:
        socket = str(self.socket_folder)
        return psycopg.connect(host=socket, port=self.port, user="postgres", dbname=database, autocommit=True)

    def _own(self, folder: Path) -> None:
        """Make `folder`, closed to all but the server's account (and root)."""
        folder.mkdir(exist_ok=True, mode=0o700)
        hand_over(folder, self._account)
        if folder.stat().st_uid != (self._account.uid if self._account else os.geteuid()):
            raise StackError(f"{folder} belongs to another account: remove it, or choose another --home")
        folder.chmod(0o700)

    def _initdb(self) -> None:
        """Make the cluster under another name first: one that was cut off half-way is never taken for a whole one."""
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._own(fresh)
        locale = ("-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        login = ("-U", "postgres", "--auth-local=peer", "--auth-host=scram-sha-256")
        argv = [self._program("initdb"), "-D", str(fresh), *locale, *login, "--no-instructions"]
        done = _run_as(self._account, argv, self.folder)
        if done.returncode != 0:
            raise ServiceDiedError("initdb", done.returncode, self.log, done.stderr[-800:])
        with (fresh / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude = 'andon.conf'\n")
        fresh.rename(self.data)

    def _program(self, name: str) -> str:
        private = self.runtime / _BIN / name
        return str(private if private.exists() else Path("/") / _BIN / name)


def _host_has_it() -> bool:
    return Path("/", _BIN, "postgres").exists() and Path("/", _LIB, "timescaledb.so").exists()


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(folder), "USER": "postgres"}


def _run_as(account: Account | None, argv: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        cwd=folder,
        env=_environment(folder),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        capture_output=True,
        text=True,
        check=False,
    )
