# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts xend's header before a bare legacy image: xend.py hvm|pv IN OUT [NAME [MAXMEM]]. The samples have
no recorded file of "xm save": config and header are written here as the source of Xen 4.4 does
(XendCheckpoint.py, to_sxp() of XendConfig.py, show() of sxp.py); the image after them is a recorded one."""
import struct
import sys

PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:/~")


def show(value):
    if isinstance(value, list):
        return "(" + " ".join(map(show, value)) + ")"
    if isinstance(value, (int, float)):
        return str(value)
    return value if value and set(value) <= PLAIN else repr(value)


def image(hvm):
    if not hvm:
        return ["linux", ["kernel", "/boot/vmlinuz-2.6.32-5-xen-amd64"], ["ramdisk", "/boot/initrd.img"],
                ["args", "root=/dev/xvda1 ro console=hvc0"], ["superpages", 0], ["videoram", 4],
                ["notes", ["FEATURES", "!writable_page_tables|pae_pgdir_above_4gb"], ["SUSPEND_CANCEL", 1]]]
    return ["hvm", ["kernel", ""], ["superpages", 0], ["videoram", 4], ["hpet", 0], ["stdvga", 0],
            ["loader", "/usr/lib/xen/boot/hvmloader"], ["serial", "pty"], ["vncpasswd", "it's (not) \"open\""],
            ["vpt_align", 1], ["boot", "cda"], ["rtc_timeoffset", -3600], ["pci", []], ["pae", 1], ["acpi", 1],
            ["apic", 1], ["device_model", "/usr/lib/xen/bin/qemu-dm"], ["notes", ["SUSPEND_CANCEL", 1]]]


def devices(hvm):
    yield ["vif", ["bridge", "xenbr0"], ["mac", "00:16:3e:11:22:33"], ["script", "/etc/xen/scripts/vif-bridge"],
           ["uuid", "5ff0a8c5-67a1-9a3b-45d0-1f0f2b1c2d3e"], ["backend", 0]]
    for name in ("hda", "hdc") if hvm else ("xvda",):
        yield ["vbd", ["uname", "phy:/dev/vg0/" + name], ["dev", name + ":disk"], ["mode", "w"], ["backend", 0],
               ["bootable", int(name != "hdc")], ["VDI", ""]]
    if hvm:
        yield ["vfb", ["vncunused", 1], ["type", "vnc"], ["keymap", "en-us"]]
    yield ["console", ["protocol", "vt100"], ["location", 2]]


def config(hvm, name, maxmem):
    domain = ["domain", ["domid", 7], ["cpu_weight", 256], ["cpu_cap", 0], ["pool_name", "Pool-0"],
              ["bootloader", ""], ["vcpus", 1], ["cpus", [["0 1 2 3"]]], ["on_poweroff", "destroy"],
              ["description", ""], ["on_crash", "restart"], ["uuid", "0e2d4a44-5c1c-9d5b-27f3-6fbc6ec4d14f"],
              ["bootloader_args", ""], ["name", name], ["on_reboot", "restart"], ["maxmem", maxmem],
              ["memory", maxmem], ["shadow_memory", 9], ["features", ""], ["on_xend_start", "ignore"],
              ["on_xend_stop", "ignore"], ["start_time", 1288188436.68], ["cpu_time", 23.474],
              ["online_vcpus", 1], ["image", image(hvm)], ["status", 2], ["state", "r-----"],
              ["store_mfn", 131068]]
    return domain + [["device", device] for device in devices(hvm)]


def main(kind, source, target, name="web1", maxmem="64"):
    text = show(config(kind == "hvm", name, int(maxmem))).encode()
    with open(source, "rb") as f, open(target, "wb") as out:
        out.write(b"LinuxGuestRecord" + struct.pack("!i", len(text)) + text + f.read())


main(*sys.argv[1:])
