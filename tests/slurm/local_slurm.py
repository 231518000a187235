"""A SLURM of three nodes on this machine, on the loopback interface only: `python tests/slurm/local_slurm.py start`.

Needs root and Debian's packages `slurm-wlm` and `munge`, no systemd, and an /etc/slurm without a configuration of its
own.  Accounting is off, so jobs are followed with `squeue`.

The tools inside a job find their cluster in /etc/slurm alone, so a machine has room for one: who starts one waits for
the lock of the one before, and ends what a killed test left running.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MUNGE_KEY = Path("/etc/munge/munge.key")
MUNGE_SOCKET = Path("/run/munge/munge.socket.2")

#: Jobs and steps strip SLURM_CONF from their environment, so the tools inside a job look here and nowhere else.
ETC_SLURM = Path("/etc/slurm")

#: The name by which a configuration that these tests left behind is known from one of the machine's own.
CLUSTER_NAME = "spongiosa_tests"

LOCK = Path("/run/lock/spongiosa_slurm.lock")


def missing() -> str | None:
    """Why no SLURM can be started here, or None."""
    absent = [tool for tool in ("slurmctld", "slurmd", "sbatch", "munged") if shutil.which(tool) is None]
    if absent:
        return f"{', '.join(absent)} not installed (Debian: slurm-wlm, munge)"
    if os.geteuid() != 0:
        return "starting a SLURM needs root"
    configuration = ETC_SLURM / "slurm.conf"
    if configuration.exists() and f"ClusterName={CLUSTER_NAME}" not in configuration.read_text(encoding="utf-8"):
        return "this machine belongs to a SLURM already"
    return None


@contextmanager
def only_one_cluster() -> Iterator[None]:
    """Waits until no other test has a cluster, and keeps others from starting one until the block or process ends."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def end_leftovers() -> None:
    """End the daemons of a cluster whose test was killed; its configuration in /etc/slurm says where it lies."""
    configuration = ETC_SLURM / "slurm.conf"
    if configuration.is_symlink() and configuration.exists():
        LocalSlurm(configuration.resolve().parent).end_daemons(signal.SIGKILL)


@dataclass(frozen=True)
class LocalSlurm:
    """Controller and nodes, whose state and logs lie in `folder`."""

    folder: Path
    nodes: int = 3
    cpus_per_node: int = 2
    memory_mb_per_node: int = 32000
    """What a node says that it has (`config_overrides`): room for the second try of every stage."""

    def start(self) -> None:
        """Start all daemons and run a first job.  Raises `RuntimeError`, leaving nothing, when one does not come up."""
        end_leftovers()
        for name in ("state", "spool", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "slurm.conf").write_text(self._configuration(), encoding="utf-8")
        # Without this file slurmd looks for the cgroups of systemd.
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n", encoding="utf-8")
        ETC_SLURM.mkdir(exist_ok=True)
        for name in ("slurm.conf", "cgroup.conf"):
            (ETC_SLURM / name).unlink(missing_ok=True)
            (ETC_SLURM / name).symlink_to(self.folder / name)
        try:
            _start_munge()
            _run("slurmctld")
            for node in self.node_names:
                self.start_node(node)
            self._wait_for(self._nodes_are_idle, "the nodes to be idle")
            _run("srun", "--ntasks=1", "true")
        except (RuntimeError, OSError, LookupError, subprocess.SubprocessError) as error:
            logs = [
                path.read_text(errors="replace")[-1000:] for path in sorted((self.folder / "log").glob("slurm*.log"))
            ]
            self.end_daemons(signal.SIGKILL)
            raise RuntimeError("\n".join([str(error), *logs])) from None

    def start_node(self, node: str) -> None:
        """Start one node's daemon."""
        (self.folder / "spool" / node).mkdir(exist_ok=True)
        _run("slurmd", "-N", node)

    def kill_node(self, node: str) -> None:
        """As when its machine is lost: the daemon and all that it started are gone without a word."""
        daemon = self.process_of(node)
        assert daemon is not None, f"{node} does not run"
        for process in (*_processes_of(node), daemon):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        (self.folder / f"{node}.pid").unlink()

    def stop(self) -> None:
        """Cancel what runs and end all daemons."""
        subprocess.run(["scancel", "--user=root"], check=False, timeout=180)
        time.sleep(1.0)
        self.end_daemons(signal.SIGTERM)

    def end_daemons(self, number: signal.Signals) -> None:
        """End the daemons whose process ids lie in the folder, and take the configuration out of /etc/slurm."""
        for name in (*self.node_names, "slurmctld"):
            process = self.process_of(name)
            if process is not None and _is_slurm(process):
                with suppress(ProcessLookupError):
                    os.kill(process, number)
                self._wait_for(lambda process=process: not _is_slurm(process), f"{name} to end")
            (self.folder / f"{name}.pid").unlink(missing_ok=True)
        for name in ("slurm.conf", "cgroup.conf"):
            (ETC_SLURM / name).unlink(missing_ok=True)

    @property
    def node_names(self) -> list[str]:
        return [f"node{number}" for number in range(1, self.nodes + 1)]

    def process_of(self, daemon: str) -> int | None:
        """Process id of a node's daemon or of `slurmctld`."""
        file = self.folder / f"{daemon}.pid"
        text = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
        return int(text) if text else None

    def _nodes_are_idle(self) -> bool:
        try:
            return self.node_states() == ["idle"] * self.nodes
        except subprocess.SubprocessError:  # the controller does not answer yet
            return False

    def node_states(self) -> list[str]:
        return _output("sinfo", "--noheader", "--Node", "--format=%T").split()

    def jobs(self) -> dict[str, str]:
        """Job id -> comment (Snakemake names rule or group there) of all jobs that run."""
        lines = _output("squeue", "--noheader", "--states=running", "--format=%i|%k").splitlines()
        return dict(line.split("|", 1) for line in lines)

    def node_of(self, job: str) -> str:
        """The node on which a job runs."""
        return _output("squeue", "--noheader", f"--jobs={job}", "--format=%N").strip()

    @staticmethod
    def _wait_for(is_so: Callable[[], bool], what: str, seconds: float = 180.0) -> None:
        end = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > end:
                raise RuntimeError(f"waited {seconds:.0f} s for {what}")
            time.sleep(0.1)

    def _configuration(self) -> str:
        logs = self.folder / "log"
        ports = _free_ports(1 + self.nodes)
        options = {
            "ClusterName": CLUSTER_NAME,
            "SlurmctldHost": "localhost(127.0.0.1)",
            "SlurmctldPort": ports[0],
            "SlurmUser": "root",
            "SlurmdUser": "root",
            "AuthType": "auth/munge",
            # Both, else a daemon listens to every address of the machine.
            "CommunicationParameters": "NoInAddrAny,NoCtldInAddrAny",
            "StateSaveLocation": self.folder / "state",
            "SlurmdSpoolDir": self.folder / "spool" / "%n",
            "SlurmctldPidFile": self.folder / "slurmctld.pid",
            "SlurmdPidFile": self.folder / "%n.pid",
            "SlurmctldLogFile": logs / "slurmctld.log",
            "SlurmdLogFile": logs / "%n.log",
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "JobAcctGatherType": "jobacct_gather/linux",
            "JobAcctGatherFrequency": 2,
            "JobAcctGatherParams": "OverMemoryKill",
            "AccountingStorageType": "accounting_storage/none",
            "JobCompType": "jobcomp/filetxt",
            "JobCompLoc": logs / "finished_jobs.txt",
            "SchedulerParameters": "sched_min_interval=0,batch_sched_delay=0",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_Core_Memory",
            "SlurmdParameters": "config_overrides",
            "ReturnToService": 2,
            # A node or controller that a busy machine keeps waiting is not lost.  [s]
            "SlurmdTimeout": 60,
            "MessageTimeout": 60,
            "KillWait": 5,
            "MinJobAge": 600,
            "MailProg": "/bin/true",
        }
        lines = [f"{key}={value}" for key, value in options.items()]
        size = f"CPUs={self.cpus_per_node} RealMemory={self.memory_mb_per_node}"
        for node, port in zip(self.node_names, ports[1:], strict=True):
            lines.append(f"NodeName={node} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} {size}")
        lines.append("PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP")
        return "\n".join(lines) + "\n"


def _start_munge() -> None:
    """Start the authentication service, with a key of its own where the machine has none."""
    for folder, mode in (("/run/munge", 0o755), ("/var/log/munge", 0o700), ("/var/lib/munge", 0o700)):
        Path(folder).mkdir(parents=True, exist_ok=True)
        shutil.chown(folder, "munge", "munge")
        Path(folder).chmod(mode)
    if not MUNGE_KEY.is_file():
        MUNGE_KEY.write_bytes(os.urandom(1024))
        shutil.chown(MUNGE_KEY, "munge", "munge")
        MUNGE_KEY.chmod(0o400)
    if subprocess.run(["munge", "--no-input"], capture_output=True, check=False, timeout=60).returncode != 0:
        subprocess.run(["munged"], user="munge", group="munge", extra_groups=[], check=True)
    LocalSlurm._wait_for(MUNGE_SOCKET.is_socket, "munge")


def _free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens to."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _is_slurm(process: int) -> bool:
    """Whether a process of this id runs and is a daemon of SLURM."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        name = Path(f"/proc/{process}/comm").read_text(encoding="utf-8")
    except OSError:
        return False
    return name.startswith("slurm") and state != "Z"


def _processes_of(node: str) -> list[int]:
    """What the jobs of a node run, by the name that SLURM puts into their environment, and the steps above them."""
    named = f"SLURMD_NODENAME={node}".encode()
    found: dict[int, None] = {}
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit() and named in (process / "environ").read_bytes().split(b"\0"):
                parent = int((process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
                if Path(f"/proc/{parent}/comm").read_text(encoding="utf-8").startswith("slurmstepd"):
                    found[parent] = None
                found[int(process.name)] = None
    return list(found)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    reason = missing()
    if reason is not None:
        sys.exit(reason)
    slurm = LocalSlurm(Path(os.environ.get("TMPDIR", "/tmp")) / "spongiosa_slurm")
    {"start": slurm.start, "stop": slurm.stop}[sys.argv[1]]()
