"""A SLURM of three nodes on this machine, on the loopback interface only: `python tests/slurm/local_slurm.py start`.

Needs root and Debian's packages `slurm-wlm` and `munge`, no systemd, and an /etc/slurm without a configuration of its
own.  Accounting is off, so jobs are followed with `squeue`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MUNGE_KEY = Path("/etc/munge/munge.key")
MUNGE_SOCKET = Path("/run/munge/munge.socket.2")

#: Jobs and steps strip SLURM_CONF from their environment, so the tools inside a job look here and nowhere else.
ETC_SLURM = Path("/etc/slurm")

FIRST_PORT = 17100


def missing() -> str | None:
    """Why no SLURM can be started here, or None."""
    absent = [tool for tool in ("slurmctld", "slurmd", "sbatch", "munged") if shutil.which(tool) is None]
    if absent:
        return f"{', '.join(absent)} not installed (Debian: slurm-wlm, munge)"
    if os.geteuid() != 0:
        return "starting a SLURM needs root"
    configuration = ETC_SLURM / "slurm.conf"
    if configuration.exists() and not configuration.is_symlink():
        return "this machine belongs to a SLURM already"
    return None


@dataclass(frozen=True)
class LocalSlurm:
    """Controller and nodes, whose state and logs lie in `folder`."""

    folder: Path
    nodes: int = 3
    cpus_per_node: int = 2
    memory_mb_per_node: int = 32000
    """What a node says that it has (`config_overrides`): room for the second try of every stage."""

    def start(self) -> None:
        """Start all daemons and wait until every node is idle.  Raises `RuntimeError` when one does not come up."""
        for name in ("state", "spool", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        _start_munge()
        (self.folder / "slurm.conf").write_text(self._configuration(), encoding="utf-8")
        # Without this file slurmd looks for the cgroups of systemd.
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n", encoding="utf-8")
        ETC_SLURM.mkdir(exist_ok=True)
        for name in ("slurm.conf", "cgroup.conf"):
            (ETC_SLURM / name).unlink(missing_ok=True)
            (ETC_SLURM / name).symlink_to(self.folder / name)
        subprocess.run(["slurmctld"], check=True)
        for node in self.node_names:
            self.start_node(node)
        self._wait_for(lambda: self.node_states() == ["idle"] * self.nodes, "the nodes to be idle")

    def start_node(self, node: str) -> None:
        """Start one node's daemon."""
        (self.folder / "spool" / node).mkdir(exist_ok=True)
        subprocess.run(["slurmd", "-N", node], check=True)

    def stop(self) -> None:
        """Cancel what runs and end all daemons."""
        subprocess.run(["scancel", "--user=root"], check=False)
        time.sleep(1.0)
        for name in (*self.node_names, "slurmctld"):
            process = self.process_of(name)
            if process is not None:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGTERM)
        self._wait_for(lambda: not list(self.folder.glob("*.pid")), "the daemons to end")
        for name in ("slurm.conf", "cgroup.conf"):
            (ETC_SLURM / name).unlink(missing_ok=True)

    @property
    def node_names(self) -> list[str]:
        return [f"node{number}" for number in range(1, self.nodes + 1)]

    def process_of(self, daemon: str) -> int | None:
        """Process id of a node's daemon or of `slurmctld`."""
        file = self.folder / f"{daemon}.pid"
        return int(file.read_text(encoding="utf-8")) if file.is_file() else None

    def node_states(self) -> list[str]:
        return _output("sinfo", "--noheader", "--Node", "--format=%T").split()

    def jobs(self) -> dict[str, str]:
        """Job id -> comment (Snakemake names rule and wildcards there) of all jobs that run."""
        lines = _output("squeue", "--noheader", "--states=running", "--format=%i|%k").splitlines()
        return dict(line.split("|", 1) for line in lines)

    @staticmethod
    def _wait_for(is_so: object, what: str, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not is_so():  # type: ignore[operator]
            if time.monotonic() > end:
                raise RuntimeError(f"waited {seconds:.0f} s for {what}")
            time.sleep(0.1)

    def _configuration(self) -> str:
        logs = self.folder / "log"
        options = {
            "ClusterName": "one_machine",
            "SlurmctldHost": "localhost(127.0.0.1)",
            "SlurmctldPort": FIRST_PORT,
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
            "SlurmdTimeout": 15,
            "KillWait": 5,
            "MinJobAge": 600,
            "MailProg": "/bin/true",
        }
        lines = [f"{key}={value}" for key, value in options.items()]
        for number, node in enumerate(self.node_names, start=1):
            size = f"CPUs={self.cpus_per_node} RealMemory={self.memory_mb_per_node}"
            lines.append(f"NodeName={node} NodeHostname=localhost NodeAddr=127.0.0.1 Port={FIRST_PORT + number} {size}")
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
    if subprocess.run(["munge", "--no-input"], capture_output=True, check=False).returncode != 0:
        subprocess.run(["munged"], user="munge", group="munge", extra_groups=[], check=True)
    LocalSlurm._wait_for(MUNGE_SOCKET.is_socket, "munge")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    reason = missing()
    if reason is not None:
        sys.exit(reason)
    slurm = LocalSlurm(Path(os.environ.get("TMPDIR", "/tmp")) / "spongiosa_slurm")
    {"start": slurm.start, "stop": slurm.stop}[sys.argv[1]]()
