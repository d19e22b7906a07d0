"""Stages that do what an upload that took them over might do; see test_confinement.py."""

import ctypes
import json
import mmap
import os
import pickle
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

MIB = 2**20


def answer(**found):
    return {"found.json": json.dumps(found).encode()}


def outcome(attempt):
    """What became of an attempt: ``done``, or the name of the error."""
    try:
        attempt()
    except OSError as error:
        return type(error).__name__
    return "done"


def global_id():
    """The process id as the engine sees it."""
    return int(os.readlink("/proc/self"))


def pipes():
    """The descriptors of a stage that are pipes."""
    opened = [fd for fd in range(3, 1000) if outcome(lambda fd=fd: os.fstat(fd)) == "done"]
    return [fd for fd in opened if stat.S_ISFIFO(os.fstat(fd).st_mode)]


def say(data):
    for fd in pipes():
        try:
            os.write(fd, data)
        except OSError:
            continue


def frame(header):
    text = json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text


def double(params, inputs, progress):
    progress(0.5, "half way", loss=1.5)
    return {"out": inputs["file"]["data"] * 2}


def look_around(params, inputs, progress):
    """What the process can see of the engine's."""
    fds = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            fds[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue  # the listing's own
    return answer(
        environment=dict(os.environ),
        exec_environment=Path("/proc/self/environ").read_bytes().decode(),
        fds=fds,
        folder=os.getcwd(),
        mode=oct(os.stat(".").st_mode & 0o777),
        status=Path("/proc/self/status").read_text(),
    )


def touch_files(params, inputs, progress):
    secret, engine = Path(params["secret"]), params["engine"]
    inside = Path("inside")
    return answer(
        read=outcome(secret.read_bytes),
        write=outcome(lambda: secret.write_bytes(b"changed")),
        delete=outcome(secret.unlink),
        beside=outcome(lambda: (secret.parent / "new").write_bytes(b"")),
        link=outcome(lambda: os.link(secret, "link")),
        through_link=outcome(lambda: (os.symlink(secret, "s"), Path("s").read_bytes())),
        engine_environment=outcome(Path(f"/proc/{engine}/environ").read_bytes),
        engine_memory=outcome(lambda: Path(f"/proc/{engine}/mem").open("rb").close()),
        passwords=outcome(Path("/etc/shadow").read_bytes),
        switches=outcome(lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)),
        own=outcome(lambda: (inside.write_bytes(b"x"), inside.read_bytes(), inside.unlink())),
    )


def use_network(params, inputs, progress):
    def connect(kind, address):
        with socket.socket(kind) as connection:
            connection.settimeout(5)
            connection.connect(address)

    return answer(
        tcp=outcome(lambda: connect(socket.AF_INET, ("127.0.0.1", params["port"]))),
        local=outcome(lambda: connect(socket.AF_UNIX, params["path"])),
        pair=outcome(socket.socketpair),
    )


def attack_processes(params, inputs, progress):
    engine = params["engine"]
    library = ctypes.CDLL(None, use_errno=True)
    attached = library.ptrace(16, engine, None, None)
    return answer(
        kill=outcome(lambda: os.kill(engine, signal.SIGKILL)),
        stop=outcome(lambda: os.kill(engine, signal.SIGSTOP)),
        everybody=outcome(lambda: os.kill(-1, signal.SIGKILL)),
        trace=attached,
        namespace=library.unshare(0x10000000),
        fork=outcome(os.fork),
        program=outcome(lambda: subprocess.run([sys.executable, "-c", ""], check=True)),
    )


def stop_itself(params, inputs, progress):
    for number in (signal.SIGSTOP, signal.SIGTSTP):
        outcome(lambda number=number: os.kill(os.getpid(), number))
    return answer(went_on=True)


def ignore_all(params, inputs, progress):
    for number in range(1, 32):
        outcome(lambda number=number: signal.signal(number, signal.SIG_IGN))
    while True:
        progress(None, "here", pid=global_id())
        time.sleep(0.01)


def leave_grandchild(params, inputs, progress):
    """A process that left the session and whose parent is gone."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(writer, str(global_id()).encode())
            time.sleep(600)
        os._exit(0)
    progress(0.5, "left behind", pid=int(os.read(reader, 20)))
    time.sleep(0.2)
    if params.get("stay"):
        time.sleep(600)
    return answer(done=True)


def fork_bomb(params, inputs, progress):
    for _ in range(60):
        if os.fork() == 0:
            time.sleep(600)
    time.sleep(600)


def spin(params, inputs, progress):
    while True:
        pass


def take_at_once(params, inputs, progress):
    return answer(size=len(bytearray(params["size"])))


def take_shared(params, inputs, progress):
    """Memory that the limit of private data does not count."""
    kept = []
    while True:
        kept.append(mmap.mmap(-1, 32 * MIB))
        kept[-1].write(b"x" * (32 * MIB))
        time.sleep(0.01)


def take_in_children(params, inputs, progress):
    for _ in range(4):
        if os.fork() == 0:
            kept = b"x" * (params["size"] // 4)
            time.sleep(600 if kept else 0)
    time.sleep(600)


def fill_folder(params, inputs, progress):
    number = 0
    while True:
        path = Path(f"{number}")
        with path.open("wb") as file:
            if params.get("delete"):
                path.unlink()
                os.dup(file.fileno())
            file.write(b"x" * MIB)
        number += 1
        time.sleep(0.005)


def make_many_files(params, inputs, progress):
    for number in range(10**6):
        Path(f"{number}").touch()
    time.sleep(600)


def write_large_file(params, inputs, progress):
    with open("large", "wb") as file:
        for _ in range(100):
            file.write(b"x" * MIB)
    return answer(done=True)


def open_many_files(params, inputs, progress):
    kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(10**4)]
    return answer(opened=len(kept))


def print_much(params, inputs, progress):
    """Ends when its log has been made short while it wrote."""
    most = written = 0
    while written < 64 * MIB or os.fstat(1).st_size > params["limit"]:
        if written < 64 * MIB:
            written += os.write(1, b"line\n" * 2**16)
        else:
            time.sleep(0.01)
        most = max(most, os.fstat(1).st_size)
    os.write(2, b"the end")
    return answer(size=os.fstat(1).st_size)


def close_pipe(params, inputs, progress):
    os.closerange(3, 1000)
    time.sleep(600)


class _Evil:
    def __reduce__(self):
        return os.mkdir, (os.environ["EVIL"],)


def send_pickle(params, inputs, progress):
    os.environ["EVIL"] = params["path"]
    content = pickle.dumps(_Evil())
    say(struct.pack("!i", len(content)) + content)
    time.sleep(600)


def send(params, inputs, progress):
    """Say whatever the test wants said."""
    say(frame(params["header"]))
    time.sleep(600)


def send_bytes(params, inputs, progress):
    say(bytes.fromhex(params["data"]))
    time.sleep(600)


def flood(params, inputs, progress):
    data = frame({"kind": "progress", "files": {}, "text": "x" * 1000, "fraction": 1.0}) * 100
    for _ in range(200):
        say(data)
    return answer(done=True)
