#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A client of the Panthor uAPI in Python, with ctypes and ioctl() and nothing else: the GPU copies a buffer.

Run as `pantry run -- examples/copy_in_python.py`. Finds the device, makes an address space and two buffers, binds them, runs a
command stream that copies one to the other, waits for its syncobj, and compares. Ends with a traceback, and status 1, when a
call fails or a byte is wrong.
"""
import ctypes
import fcntl
import mmap
import os
import time

NODE = "/dev/dri/renderD128"
PAGE = 4096
SIZE = 64 * 1024
CODE_VA, FROM_VA, TO_VA = 1 << 24, 1 << 30, 1 << 31
NOEXEC = 1 << 1
SIGNAL = 1 << 31


def fields(*pairs):
    """A ctypes structure of (name, bits) pairs."""
    types = {8: ctypes.c_uint8, 32: ctypes.c_uint32, 64: ctypes.c_uint64}
    return type("Struct", (ctypes.Structure,), {"_fields_": [(name, types[bits]) for name, bits in pairs]})


Array = fields(("stride", 32), ("count", 32), ("array", 64))
Version = type("Version", (ctypes.Structure,), {"_fields_": [
    ("major", ctypes.c_int), ("minor", ctypes.c_int), ("patchlevel", ctypes.c_int), ("name_len", ctypes.c_size_t),
    ("name", ctypes.c_void_p), ("date_len", ctypes.c_size_t), ("date", ctypes.c_void_p), ("desc_len", ctypes.c_size_t),
    ("desc", ctypes.c_void_p)]})
GemClose = fields(("handle", 32), ("pad", 32))
SyncobjCreate = fields(("handle", 32), ("flags", 32))
SyncobjWait = fields(("handles", 64), ("timeout", 64), ("count", 32), ("flags", 32), ("first", 32), ("pad", 32))
DevQuery = fields(("type", 32), ("size", 32), ("pointer", 64))
VmCreate = fields(("flags", 32), ("id", 32), ("user_va_range", 64))
BoCreate = fields(("size", 64), ("flags", 32), ("exclusive_vm_id", 32), ("handle", 32), ("pad", 32))
BoMmapOffset = fields(("handle", 32), ("pad", 32), ("offset", 64))
QueueCreate = fields(("priority", 8), ("pad0", 8), ("pad1", 8), ("pad2", 8), ("ringbuf_size", 32))
SyncOp = fields(("flags", 32), ("handle", 32), ("timeline_value", 64))


def with_array(name, before=(), after=()):
    """A structure with one object array between other fields."""
    class Struct(ctypes.Structure):
        _fields_ = list(fields(*before)._fields_) + [(name, Array)] + list(fields(*after)._fields_)
    return Struct


VmBindOp = with_array("syncs", (("flags", 32), ("bo_handle", 32), ("bo_offset", 64), ("va", 64), ("size", 64)))
VmBind = with_array("ops", (("vm_id", 32), ("flags", 32)))
GroupCreate = with_array("queues", (), (
    ("max_compute_cores", 8), ("max_fragment_cores", 8), ("max_tiler_cores", 8), ("priority", 8), ("pad", 32),
    ("compute_core_mask", 64), ("fragment_core_mask", 64), ("tiler_core_mask", 64), ("vm_id", 32), ("group_handle", 32)))
QueueSubmit = with_array("syncs", (("queue_index", 32), ("stream_size", 32), ("stream_addr", 64), ("latest_flush", 32), ("pad", 32)))
GroupSubmit = with_array("queue_submits", (("group_handle", 32), ("pad", 32)))


def array_of(elements):
    """The object array of a ctypes array, which the caller keeps alive."""
    return Array(ctypes.sizeof(elements._type_), len(elements), ctypes.addressof(elements))


def ioctl(fd, number, argument):
    """A DRM ioctl that reads and writes its argument; raises OSError."""
    fcntl.ioctl(fd, 3 << 30 | ctypes.sizeof(argument) << 16 | ord("d") << 8 | number, argument, True)
    return argument


def panthor(fd, number, argument):
    return ioctl(fd, 0x40 + number, argument)


class Buffer:
    def __init__(self, fd, vm, va, size, flags):
        self.handle = panthor(fd, 5, BoCreate(size=size, exclusive_vm_id=vm)).handle
        offset = panthor(fd, 6, BoMmapOffset(handle=self.handle)).offset
        self.bytes = mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)
        ops = (VmBindOp * 1)(VmBindOp(flags=flags, bo_handle=self.handle, va=va, size=size))
        panthor(fd, 3, VmBind(vm_id=vm, ops=array_of(ops)))


def copy_stream():
    """Lines of 64 bytes from FROM_VA to TO_VA, then a flush of the caches, in the Mali CSF instruction set."""
    move48, move32, wait, add32, add64, load, store, branch, flush = 1, 2, 3, 16, 17, 20, 21, 22, 36

    def word(opcode, destination=0, source=0, low=0):
        return opcode << 56 | destination << 48 | source << 40 | low

    lines = 0xFFFF << 16  # registers 0 to 15
    waits = word(wait, low=0xFF << 16)
    loop = [word(load, 0, 20, lines), waits, word(store, 0, 22, lines), waits,
            word(add64, 20, 20, 64), word(add64, 22, 22, 64), word(add32, 24, 24, 0xFFFFFFFF)]
    back = word(branch, 0, 24, 1 << 28 | (-len(loop) - 1) & 0xFFFF)  # while register 24 is greater than 0
    return [word(move48, 20, 0, FROM_VA), word(move48, 22, 0, TO_VA), word(move32, 24, 0, SIZE // 64), *loop, back, waits,
            word(move32, 70), word(flush, 1, 70, 2 << 8 | 3 << 4 | 3), waits]


def main():
    fd = os.open(NODE, os.O_RDWR | os.O_CLOEXEC)
    name = ctypes.create_string_buffer(32)
    version = ioctl(fd, 0x00, Version(name_len=31, name=ctypes.addressof(name)))
    assert name.value == b"panthor", name.value
    info = (ctypes.c_uint32 * 26)()  # as Linux 6.12 has it
    panthor(fd, 0, DevQuery(0, ctypes.sizeof(info), ctypes.addressof(info)))
    shaders, tilers = (info[at] | info[at + 1] << 32 for at in (18, 22))
    print(f"panthor {version.major}.{version.minor}, GPU id {info[0]:#x}, cores {shaders:#x}")

    vm = panthor(fd, 1, VmCreate()).id
    code = Buffer(fd, vm, CODE_VA, PAGE, 0)
    source, target = (Buffer(fd, vm, va, SIZE, NOEXEC) for va in (FROM_VA, TO_VA))
    pattern = os.urandom(SIZE)
    source.bytes[:] = pattern
    stream = b"".join(word.to_bytes(8, "little") for word in copy_stream())
    code.bytes[:len(stream)] = stream

    queues = (QueueCreate * 1)(QueueCreate(ringbuf_size=PAGE))
    group = panthor(fd, 7, GroupCreate(queues=array_of(queues), max_compute_cores=1, max_fragment_cores=1, max_tiler_cores=1,
                                       priority=1, compute_core_mask=shaders, fragment_core_mask=shaders,
                                       tiler_core_mask=tilers, vm_id=vm)).group_handle
    done = ioctl(fd, 0xBF, SyncobjCreate()).handle
    syncs = (SyncOp * 1)(SyncOp(flags=SIGNAL, handle=done))
    submits = (QueueSubmit * 1)(QueueSubmit(stream_size=len(stream), stream_addr=CODE_VA, syncs=array_of(syncs)))
    panthor(fd, 9, GroupSubmit(group_handle=group, queue_submits=array_of(submits)))
    handles = (ctypes.c_uint32 * 1)(done)
    ioctl(fd, 0xC3, SyncobjWait(handles=ctypes.addressof(handles), timeout=time.monotonic_ns() + 20 * 10**9, count=1))

    assert target.bytes[:] == pattern, "the copy differs"
    for buffer in (code, source, target):
        buffer.bytes.close()
        ioctl(fd, 0x09, GemClose(buffer.handle))
    try:
        ioctl(fd, 0x09, GemClose(source.handle))
        raise AssertionError("a closed handle was accepted")
    except OSError as error:
        assert error.errno == 22, error
    os.close(fd)
    print(f"{SIZE} bytes copied by the GPU")


main()
