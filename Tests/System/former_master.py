"""Plays a master of a former state format: opens what it would have open, starts a worker, and executes a new binary with a state
as that format had it, when somebody opens the FIFO `go` in the folder. Arguments: the binary, a folder of the test's, the
worker's program, the name of the state in Fixtures."""

import ctypes
import fcntl
import json
import os
import pathlib
import socket
import sys
import time

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
libc = ctypes.CDLL(None)
binary, folder, program, fixture = sys.argv[1:5]
FIXTURE = pathlib.Path(__file__).resolve().parents[1] / "RoostMasterTests/Fixtures" / fixture
state = json.loads(FIXTURE.read_text())
running = state["running"]
supervisor = running["supervisor"]
generation = supervisor["serving"]["number"]
current = supervisor["slots"][0]["current"]["worker"]["_0"]["id"]["number"]


def saved(descriptor):
    return {"descriptor": descriptor}


listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
control = socket.socket(socket.AF_UNIX)
control.bind(f"{folder}/c/control")
control.listen()
control.setblocking(False)
lock = os.open(f"{folder}/c/lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
name = f"roost/web/{os.getpid()}/{current}"
notify.bind("\0" + name)
reading, writing = os.pipe()

worker = os.fork()
if worker == 0:
    os.setpgid(0, 0)
    os.dup2(writing, 2)
    os.dup2(listener.fileno(), 100)
    os.dup2(100, 3)
    os.closerange(4, 200)
    libc.prctl(PR_SET_PDEATHSIG, 15)
    environment = dict(
        os.environ,
        LISTEN_FDS="1",
        LISTEN_PID=str(os.getpid()),
        LISTEN_FDNAMES="http",
        NOTIFY_SOCKET="@" + name,
        ROOST_SERVICE="web",
        ROOST_GENERATION=str(generation),
        ROOST_SLOT="0",
    )
    os.execve(program, [program], environment)
os.close(writing)
os.set_blocking(reading, False)
while b"READY=1" not in notify.recv(4096):
    pass
notify.setblocking(False)
pathlib.Path(folder, "worker").write_text(f"{worker} 127.0.0.1:{listener.getsockname()[1]}")
open(f"{folder}/go").close()

state.update(program=binary, directory=folder)
configuration = state["configuration"]
configuration["control"]["directory"] = f"{folder}/c"
configuration["settings"]["workers"] = 1
for worker_configuration in [configuration["worker"], *[release["configuration"] for release in running["releases"]]]:
    worker_configuration.update(command=[program], ready="notify", output="passed")
for release in running["releases"]:
    release.update(executable=os.path.realpath(program), directory=folder, environment=[f"PATH={os.environ['PATH']}"])
supervisor["settings"]["workers"] = supervisor["desiredWorkers"] = 1
supervisor["slots"], supervisor["retirees"] = supervisor["slots"][:1], []
status = os.stat(f"{folder}/c/control")
running["listeners"][0]["socket"] = saved(listener.fileno())
running["control"].update(
    lock=saved(lock),
    socket=saved(control.fileno()),
    clients=[],
    socketFile={"path": f"{folder}/c/control", "device": status.st_dev, "inode": status.st_ino},
)
process = next(process for process in running["workers"] if process["id"]["number"] == current)
process.update(pid=worker, notifySocket={"address": "@" + name, "socket": saved(notify.fileno())}, started=int(time.time()))
process.pop("readinessPipe", None)
process["output"] = [dict(process["output"][-1], pipe=saved(reading))]
process["output"][0].pop("prefixed", None)
running["workers"] = [process]

libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
memory = os.memfd_create("roost-state", 0)
os.write(memory, json.dumps(state).encode())
os.lseek(memory, 0, os.SEEK_SET)
for descriptor in [listener.fileno(), control.fileno(), lock, notify.fileno(), reading, memory]:
    os.set_inheritable(descriptor, True)
os.execve(binary, ["roost", "run"], dict(os.environ, ROOST_STATE=f"{os.getpid()}:{memory}"))
