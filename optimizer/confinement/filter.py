"""A seccomp filter: system calls that no stage needs are refused as "not permitted".

https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence

from optimizer.confinement import kernel

_REFUSED = {
    # The network, and sockets of any kind: through one the fork server's could be reached.
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # Other processes: their memory, files, priority and limits.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # Namespaces and mounts.
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    # Memory that no limit counts.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    # The kernel itself.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "personality": (135, 92),
}
"""Name → number on x86-64 and on aarch64."""
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_FORKS = ((57, None), (58, None))  # fork, vfork
_PROGRAMS = ((59, 221), (322, 281))  # execve, execveat
_KILLS = ((62, 129), (200, 130), (129, 138))  # kill, tkill, rt_sigqueueinfo
_THREAD_KILLS = ((234, 131), (297, 240))  # tgkill, rt_tgsigqueueinfo
_PRLIMIT = (302, 261)
_NEW_NAMESPACES, _THREAD = 0x7E020000, 0x00010000
_STOP = 19

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
_UNKNOWN = 0x00050000 | errno.ENOSYS
_SECCOMP_MODE, _FILTER_MODE = 22, 2

_Instruction = tuple[int, int, int, int]


def restrict_calls(*, may_start_processes: bool) -> None:
    """Refuse system calls to this process from now on, and to all it starts.

    Privileges must have been given up for good before (``no_new_privs``).

    Raises:
        OSError: the kernel does not have such filters.
    """
    program = _program(may_start_processes)
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    instructions = ctypes.create_string_buffer(packed)
    header = ctypes.create_string_buffer(
        struct.pack("@HP", len(program), ctypes.addressof(instructions))
    )
    kernel.control_pointer(_SECCOMP_MODE, _FILTER_MODE, header)


def _program(may_start_processes: bool) -> list[_Instruction]:
    column, architecture = _ARCHITECTURES[kernel.machine()]
    program: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    if column == 0:  # the numbers of x32, an old variant, begin at 2^30
        program += [(_AT_LEAST, 0, 1, 1 << 30), (_RETURN, 0, 0, _REFUSE)]
    refused = [numbers[column] for numbers in _REFUSED.values()]
    if not may_start_processes:
        refused += [number for n in (*_FORKS, *_PROGRAMS) if (number := n[column]) is not None]
    for number in refused:
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    # Its flags are behind a pointer; the C library falls back to clone.
    program += [(_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _UNKNOWN)]
    program += _when([_CLONE[column]], _clone_rule(may_start_processes))
    program += _when([numbers[column] for numbers in _KILLS], _kill_rule(1))
    program += _when([numbers[column] for numbers in _THREAD_KILLS], _kill_rule(2))
    program += _when([_PRLIMIT[column]], _own_process_rule())
    return [*program, (_RETURN, 0, 0, _ALLOW)]


def _when(numbers: Sequence[int], rule: Sequence[_Instruction]) -> list[_Instruction]:
    """A rule that ends in an answer, for some system calls."""
    found: list[_Instruction] = []
    for number in numbers:
        found += [(_EQUAL, 0, len(rule), number), *rule]
    return found


def _argument(index: int) -> _Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * index)  # the lower half, on little-endian machines


def _clone_rule(may_start_processes: bool) -> list[_Instruction]:
    rule = [_argument(0), (_ANY_BIT, 0, 1, _NEW_NAMESPACES), (_RETURN, 0, 0, _REFUSE)]
    if not may_start_processes:
        rule += [(_ANY_BIT, 1, 0, _THREAD), (_RETURN, 0, 0, _REFUSE)]
    return [*rule, (_RETURN, 0, 0, _ALLOW)]


def _kill_rule(signal_index: int) -> list[_Instruction]:
    """Signals to itself and to processes begun later, and none that stops it for good.

    Where process ids are not a namespace's own, that spares the engine and the app.
    """
    own = os.getpid()
    return [
        _argument(signal_index),
        (_EQUAL, 0, 1, _STOP),
        (_RETURN, 0, 0, _REFUSE),
        _argument(0),
        (_EQUAL, 3, 0, 0),  # its own process group
        (_EQUAL, 2, 0, 2**32 - own),
        (_AT_LEAST, 2, 0, 2**31),  # another group, or everybody
        (_AT_LEAST, 0, 1, own),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]


def _own_process_rule() -> list[_Instruction]:
    return [
        _argument(0),
        (_EQUAL, 0, 1, 0),
        (_RETURN, 0, 0, _ALLOW),
        (_EQUAL, 0, 1, os.getpid()),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
