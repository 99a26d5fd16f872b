#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""unmodified_programs_test.py PANTRY: programs that know nothing of Pantry, each run under `PANTRY run`.

Debian's drmdevice (package libdrm-tests), a client in Python, libudev, and vulkaninfo on Mesa's Mali driver where VK_ICD_FILENAMES names
that (scripts/mesa). Both builds run this as a test, from the root of the tree.
"""
import ctypes.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent
PANTRY = None


class UnmodifiedPrograms(unittest.TestCase):
    def run_on_pantry(self, *command):
        done = subprocess.run([PANTRY, "run", "--checker", "abort", "--", *command], capture_output=True, text=True, timeout=300,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr)
        self.assertNotIn("gap:", done.stderr)
        return done.stdout

    def require(self, program):
        if not shutil.which(program):
            self.skipTest(f"{program} is not installed")

    def test_drmdevice(self):
        self.require("drmdevice")
        output = self.run_on_pantry("drmdevice")
        self.assertIn("--- Devices reported 1 ---", output)
        for node in ("card0", "renderD128"):
            # Found by listing, and again from the open node.
            self.assertIn(f"--- Opening device node /dev/dri/{node} ---", output)
            self.assertEqual(len(re.findall(rf"nodes\[\d\] /dev/dri/{node}$", output, re.M)), 3, output)
        self.assertEqual(output.count("arm,mali-valhall-csf"), 3, output)

    def test_drmdevice_sees_nothing_without_pantry_run(self):
        # What shows that the answers above come from Pantry.
        self.require("drmdevice")
        if pathlib.Path("/dev/dri").exists():
            self.skipTest("this machine has DRM devices of its own")
        output = subprocess.run(["drmdevice"], capture_output=True, text=True, timeout=60, check=False).stdout
        self.assertNotIn("mali", output)

    def test_python(self):
        self.assertIn("65536 bytes copied by the GPU", self.run_on_pantry(FOLDER / "copy_in_python.py"))

    def test_libudev(self):
        # It walks down from / by openat(), one name at a time.
        if not ctypes.util.find_library("udev"):
            self.skipTest("libudev is not installed")
        find = """
import ctypes, os
udev = ctypes.CDLL("libudev.so.1")
for name in ("udev_new", "udev_device_new_from_devnum", "udev_device_get_parent"):
    getattr(udev, name).restype = ctypes.c_void_p
for name in ("udev_device_get_devnode", "udev_device_get_subsystem"):
    getattr(udev, name).restype = ctypes.c_char_p
context = ctypes.c_void_p(udev.udev_new())
device = ctypes.c_void_p(udev.udev_device_new_from_devnum(context, ctypes.c_char(b"c"), ctypes.c_ulong(os.makedev(226, 128))))
parent = ctypes.c_void_p(udev.udev_device_get_parent(device))
print(udev.udev_device_get_devnode(device), udev.udev_device_get_subsystem(device), udev.udev_device_get_subsystem(parent))
"""
        self.assertEqual(self.run_on_pantry(sys.executable, "-c", find), "b'/dev/dri/renderD128' b'drm' b'platform'\n")

    def test_nothing_is_mounted_on_the_host(self):
        # IGT mounts debugfs where it finds none, which succeeds when it is root.
        mount = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.mount(b"debug", b"/sys/kernel/debug", b"debugfs", 0, None), os.strerror(ctypes.get_errno()))
"""
        before = pathlib.Path("/proc/self/mounts").read_text()
        self.assertEqual(self.run_on_pantry(sys.executable, "-c", mount), "-1 Operation not permitted\n")
        self.assertEqual(pathlib.Path("/proc/self/mounts").read_text(), before)

    def test_vulkaninfo(self):
        self.require("vulkaninfo")
        if not os.environ.get("VK_ICD_FILENAMES"):
            self.skipTest("VK_ICD_FILENAMES names no Vulkan driver")
        output = self.run_on_pantry("vulkaninfo")
        self.assertRegex(output, r"deviceName\s+= Mali-G610")
        self.assertRegex(output, r"vendorID\s+= 0x13b5")
        # Of the image formats, whose memory types are asked of a device that it creates.
        self.assertRegex(output, r"memoryTypes: count = [1-9]")
        self.assertIn("usable for:", output)


if __name__ == "__main__":
    PANTRY = sys.argv.pop(1)
    unittest.main(testRunner=unittest.TextTestRunner(stream=sys.stdout, verbosity=2))
