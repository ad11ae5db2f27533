"""A fence of the Linux kernel around a process: Landlock, which asks for no privileges.

Inside, a process and all that it starts can write below one folder only, read that folder and
what Python needs, signal only each other, and open no TCP connection; how much of this holds
depends on the kernel. Nothing inside can take the fence down. See `man 7 landlock`.

What it leaves open: names, times and permissions of files that can be seen, other sockets than
TCP, and how much of disk and processor is used.
"""

from __future__ import annotations

import ctypes
import os
import site
import struct
import sys
import sysconfig
from functools import cache
from pathlib import Path

import course

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # system calls, the same number on every machine
_PR_SET_NO_NEW_PRIVS = 38

_READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, list a folder
_WRITE_FILE = 1 << 1
_CHANGE = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))  # remove and make, of each kind
_REFER, _TRUNCATE = 1 << 13, 1 << 14  # since the second and third version
_TCP = 1 << 0 | 1 << 1  # bind and connect, since the fourth
_SCOPES = 1 << 0 | 1 << 1  # abstract sockets and signals stay inside, since the sixth


@cache
def version() -> int:
    """Of the kernel's Landlock; 0 where there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, ctypes.CDLL(None).syscall(_CREATE, None, 0, 1))


def enclose(folder: Path) -> None:
    """Shut this process in for good, with `folder` to write to. Does nothing where there is no
    Landlock."""
    kernel = version()
    if not kernel:
        return
    change = _CHANGE | (_REFER if kernel >= 2 else 0) | (_TRUNCATE if kernel >= 3 else 0)
    asked = [_READ | change]
    asked += [_TCP] if kernel >= 4 else []
    asked += [_SCOPES] if kernel >= 6 else []
    attributes = struct.pack(f"={len(asked)}Q", *asked)
    rules = _call(_CREATE, attributes, len(attributes), 0)
    _allow(rules, folder, _READ | change)
    _allow(rules, Path(os.devnull), 1 << 2 | _WRITE_FILE)
    for place in _needed():
        _allow(rules, place, _READ)
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call(_RESTRICT, rules, 0)
    os.close(rules)
    # The superuser's privileges reach over some parts of the fence, such as other environments.
    version_3, itself = 0x20080522, 0
    ctypes.CDLL(None).capset(struct.pack("=Ii", version_3, itself), bytes(24))


def _needed() -> set[Path]:
    """Folders that Python, NumPy and the course read from."""
    places = {"/usr", "/lib", "/lib64", "/bin", "/etc", "/opt", "/nix", "/proc", "/sys", "/dev"}
    places |= {sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values()}
    places |= {site.getusersitepackages(), *site.getsitepackages()}
    places |= set(os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)) - {""}
    places |= set(course.__path__)
    return {Path(place) for place in places if Path(place).is_dir()}


def _allow(rules: int, place: Path, access: int) -> None:
    opened = os.open(place, os.O_PATH | os.O_CLOEXEC)
    try:
        _call(_ADD, rules, 1, struct.pack("=Qi", access, opened), 0)
    finally:
        os.close(opened)


def _call(number: int, *arguments: int | bytes) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    result = library.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses the fence around a submission")
    return result
