"""Stages for the engine's tests; stage processes import them by name."""

import ctypes
import os
import time

from optimizer.errors import InputError


def double(params, inputs, progress):
    progress(0.5, "half way", loss=1.5)
    return {"out": inputs["file"]["data"] * 2}


def refuse(params, inputs, progress):
    raise InputError("The file is empty; received 0 bytes.")


def fail(params, inputs, progress):
    raise ZeroDivisionError("division by zero")


def crash(params, inputs, progress):
    ctypes.string_at(0)


def give_up(params, inputs, progress):
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'")
    os.abort()


def hoard(params, inputs, progress):
    kept = []
    while True:
        kept.append(bytearray(64 * 2**20))
        time.sleep(0.01)


def global_id():
    """The process id outside of a namespace of its own."""
    try:
        return int(os.readlink("/proc/self"))
    except OSError:
        return os.getpid()


def spin(params, inputs, progress):
    """Never ends and talks all the time."""
    while True:
        progress(0.1, "spinning", pid=global_id())
        time.sleep(0.001)


def spin_with_child(params, inputs, progress):
    """The same, and its child talks too."""
    os.fork()
    spin(params, inputs, progress)


def process_group(params, inputs, progress):
    return {"pid": str(global_id()).encode(), "cwd": os.getcwd().encode()}


def threads(params, inputs, progress):
    import tensorflow as tf

    count = tf.config.threading.get_intra_op_parallelism_threads()
    return {"threads": str(count).encode()}


def slow_double(params, inputs, progress):
    time.sleep(0.5)
    return double(params, inputs, progress)


def take_a_gibibyte(params, inputs, progress):
    kept = bytearray(2**30)
    kept[::4096] = b"x" * len(kept[::4096])
    time.sleep(0.3)
    return {"out": b"done"}
