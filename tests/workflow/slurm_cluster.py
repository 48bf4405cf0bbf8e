"""A Slurm cluster of one node, this machine, for as long as a test needs it.

Configuration, keys, logs, spool and sockets live in one folder; the ports are free ones. The node
claims more cores and memory than the machine may have, so that jobs of every size are placed.

`python tests/workflow/slurm_cluster.py COMMAND …` runs a command with such a cluster.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path

import psutil

# Programs that the test needs, and the system packages that bring them.
PACKAGES = {
    "munged": "munge",
    "slurmctld": "slurm-wlm",
    "slurmd": "slurm-wlm",
    "sbatch": "slurm-wlm",
}

CONFIGURATION = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
MinJobAge=600
KillWait=10
MpiDefault=none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=60000 State=UNKNOWN
PartitionName=loopback Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def running_cluster():
    """Starts the cluster, gives it, and stops every process of it, however the block ends."""
    require_programs()
    # Its own short folder: a socket's path has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o755)  # munge refuses a socket that others could not reach
    cluster = Cluster(folder)
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder)
        signal.signal(signal.SIGTERM, previous)


def require_programs() -> None:
    """Fails, naming the packages, where Slurm is not installed."""
    missing = sorted({package for name, package in PACKAGES.items() if not program(name)})
    if missing:
        raise RuntimeError(
            "the Slurm test runs a real Slurm, and its programs are not installed: get the system"
            f" packages, on Debian or Ubuntu with `apt-get install {' '.join(missing)}`"
        )


def program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


class Cluster:
    """Daemons and client commands of one cluster in `folder`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.configuration = folder / "slurm.conf"
        self.daemons: list[subprocess.Popen] = []

    @property
    def environment(self) -> dict[str, str]:
        """What a process must be told to find this cluster."""
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        return {"SLURM_CONF": str(self.configuration), "PATH": path}

    def start(self) -> None:
        for name in ("state", "spool"):
            (self.folder / name).mkdir(mode=0o700)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        controller_port, node_port = free_ports(2)
        self.configuration.write_text(
            CONFIGURATION.format(
                folder=self.folder,
                host=socket.gethostname().partition(".")[0],
                user=getuser(),
                controller_port=controller_port,
                node_port=node_port,
            )
        )
        self._wrap_srun()
        munge = [f"--{name}-file={self.folder}/munge.{name}" for name in ("log", "pid", "seed")]
        munge += [f"--key-file={key}", f"--socket={self.folder}/munge.socket"]
        self._start("munged", "--foreground", *munge)
        wait_until((self.folder / "munge.socket").exists, 20, self.logs)
        self._start("slurmctld", "-D", "-c")
        self._start("slurmd", "-D", "-c")
        wait_until(self._is_idle, 60, self.logs)

    def stop(self) -> None:
        """Cancels all jobs and ends all processes."""
        if len(self.daemons) == 3:
            self.command("scancel", "--user", getuser())
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and self.command("squeue", "--noheader").strip():
                time.sleep(0.5)
        for process in reversed(self.daemons):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for process in self.processes():
            process.kill()

    def processes(self) -> list[psutil.Process]:
        """Processes of this cluster and of its jobs."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def command(self, *words: str) -> str:
        """What a Slurm command prints, errors included."""
        done = subprocess.run(
            words,
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        return done.stdout

    def logs(self) -> str:
        return "\n".join(
            f"{path.name}:\n{path.read_text(errors='replace')[-2000:]}"
            for path in sorted(self.folder.glob("*.log"))
        )

    def _wrap_srun(self) -> None:
        """Jobs of Snakemake's plugin call `srun` with SLURM_CONF taken away: this one has it."""
        srun = self.folder / "bin/srun"
        srun.parent.mkdir()
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={self.configuration} exec {program("srun")} "$@"\n')
        srun.chmod(0o755)

    def _start(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("a") as log:
            process = subprocess.Popen(
                # The daemon ends with the test, even if that is killed.
                ["setpriv", "--pdeathsig", "TERM", program(name), *arguments],
                env=os.environ | self.environment,
                stdout=log,
                stderr=log,
            )
        self.daemons.append(process)

    def _is_idle(self) -> bool:
        return self.command("sinfo", "--noheader", "--format=%T").strip() == "idle"

    def _is_ours(self, process: psutil.Process) -> bool:
        """Whether it was told of this cluster's configuration or has a file of its folder open."""
        try:
            return process.environ().get("SLURM_CONF") == str(self.configuration) or any(
                Path(file.path).is_relative_to(self.folder) for file in process.open_files()
            )
        except psutil.Error:
            return False


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def wait_until(condition, seconds: float, explain) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing came of it in {seconds} s\n{explain()}")
        time.sleep(0.2)


if __name__ == "__main__":
    with running_cluster() as loopback:
        status = subprocess.call(sys.argv[1:], env=os.environ | loopback.environment)
    sys.exit(status)
