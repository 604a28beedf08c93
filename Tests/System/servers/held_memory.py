"""Waits in poll(2) for something else than its listener, in memory that whoever reads it waits for: for ever."""

import ctypes
import fcntl
import mmap
import os
import platform
import signal
import struct
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
USERFAULTFD = {"x86_64": 323, "aarch64": 282}[platform.machine()]
UFFDIO_API, UFFDIO_REGISTER, UFFD_API, MISSING = 0xC018AA3F, 0xC020AA00, 0xAA, 1

faults = libc.syscall(USERFAULTFD, os.O_CLOEXEC)
if faults < 0:
    sys.exit(f"cannot: {os.strerror(ctypes.get_errno())}")
fcntl.ioctl(faults, UFFDIO_API, bytearray(struct.pack("QQQ", UFFD_API, 0, 0)))
page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
read, write = os.pipe()
page[:8] = struct.pack("ihh", read, 1, 0)
threading.Thread(target=lambda: libc.poll(ctypes.c_void_p(address), 1, -1), daemon=True).start()
# Until the kernel has read the entry, which it wouldn't get later.
task = max(os.listdir("/proc/self/task"), key=int)
while not open(f"/proc/self/task/{task}/syscall").read().startswith(("7 ", "73 ")):
    time.sleep(0.001)
fcntl.ioctl(faults, UFFDIO_REGISTER, bytearray(struct.pack("QQQQ", address, mmap.PAGESIZE, MISSING, 0)))
page.madvise(mmap.MADV_DONTNEED)
print("memory is held", file=sys.stderr, flush=True)
while True:
    signal.pause()
