#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# godwit export --core: gdb opens the core and shows the registers and the memory of the guest.

# In memory where there is room: a disk takes minutes to free the many pieces of a core below.
[ "$(df --output=avail /dev/shm 2>/dev/null | tail -1)" -ge 1000000 ] 2>/dev/null && TMPDIR=/dev/shm
. "$(dirname "$0")/lib.sh"
requires xz gdb python3 readelf

# in_gdb CORE COMMAND...: the output of gdb, in ./out.
in_gdb()
{
	local core=$1 args=()
	shift
	for c; do args+=(-ex "$c"); done
	run_expect 0 gdb -nx -batch -c "$core" "${args[@]}"
}

# A 32-bit guest: its registers are those that inspect's own reader of the record gives.
run_expect 0 "$GODWIT" export --core "$data/xen417/tiny-pvh.save.xz" pvh.core
err_is_empty
in_gdb pvh.core 'info registers' 'x/4wx 0x200000' 'x/8c 0x200000' 'x/wx 0x121000' 'info threads' 'info files'
out_has "0x200000:	0x47495258	0x31485650	0x00001d95	0x00000000"
grep -qE '^eip +0x1103a8 ' out || fail "eip"
grep -qE '^esp +0x102fc0 ' out || fail "esp"
grep -qE '^ecx +0x102fe8 ' out || fail "ecx"
grep -qE '^eflags +0x6 ' out || fail "eflags"
out_has "LWP 1"
out_has "elf32-i386"
# A pfn that the image does not have is not in the core's memory.
in_gdb pvh.core 'x/wx 0x120000' 'x/wx 0x200008'
out_has "0x00001d95"
err_has "Cannot access memory at address 0x120000"

# All registers of a vCPU in HVM_CONTEXT: real mode, the counter in eax.
run_expect 0 "$GODWIT" export --core "$data/xen417/tiny-hvm.save.xz" hvm.core
in_gdb hvm.core 'info registers' 'x/wx 0x30004'
grep -qE '^eax +0xcd8ab3 ' out || fail "eax"
grep -qE '^eip +0x7c4a ' out || fail "eip"
grep -qE '^ds +0x3000 ' out || fail "ds"
grep -qE '^es +0x2000 ' out || fail "es"
out_has "0x30004:	0x00cd8ab3"

# A 64-bit PV guest, whose registers are in X86_PV_VCPU_BASIC; from a pipe, to a pipe.
xz -dc "$data/xen417/tiny-pv.save.xz" | "$GODWIT" export --core - - 2>err | cat >pv.core
in_gdb pv.core 'info registers' 'x/4wx 0x180000' 'info files'
out_has "0x180000:	0x47495258	0x31305650	0x0001c1f9"
out_has "elf64-x86-64"
grep -qE '^rip +0x10041f ' out || fail "rip"
grep -qE '^rsp +0x102fd0 ' out || fail "rsp"
grep -qE '^rcx +0x10041f ' out || fail "rcx" # as the hypercall's syscall leaves it
grep -qE '^r11 +0x206 ' out || fail "r11"
grep -qE '^cs +0xe033 ' out || fail "cs"
grep -qE '^ss +0xe02b ' out || fail "ss"
run_expect 0 "$GODWIT" export --core "$data/xen417/tiny-pv.save.xz" pv.file
cmp pv.core pv.file || fail "a pipe differs from a file"

# The core's memory is that of the raw export, one page further on.
run_expect 0 "$GODWIT" export --raw "$data/xen417/tiny-pv.save.xz" raw
cmp -i 4096:0 -n "$(stat -c %s raw)" pv.core raw || fail "the core's memory differs from the raw export's"

# The same of a 32-bit PV guest.
run_expect 0 "$GODWIT" export --core "$data/xen-code/v3_422_pv32_live_1024.xz" pv32.core
in_gdb pv32.core 'info registers' 'info files' 'x/wx 0x9008' 'info threads'
out_has "elf32-i386"
# Its contexts are those of tiny-pv in 32 bits.
grep -qE '^ebx +0x3a397 ' out || fail "ebx"
grep -qE '^esi +0x102fdc ' out || fail "esi"
grep -qE '^eip +0x10041f ' out || fail "eip of the 32-bit PV guest"
grep -qE '^cs +0xe019 ' out || fail "cs of the 32-bit PV guest"
out_has "LWP 2"
out_has "0x9008:	0x00010001"

# A context that Xen refuses, here for the magic in its header, has no registers to show.
xz -dc "$data/xen-code/v3_422_hvm_1024.xz" | python3 "$here/change.py" context 1 0 >bad-context || fail "change.py"
run_expect 1 "$GODWIT" export --core bad-context none
err_has "HEADER 0 at 0x0 of the context: magic 0x54381287"
[ ! -e none ] || fail "a core without registers"

# More runs of pages than a program header count of 16 bits holds: every second page of a PVH guest
# is missing. Pages without contents make the image small.
gaps()
{
	python3 - "$1" "$2" "$3" <<'PY'
import lzma, struct, sys
data, runs = lzma.open(sys.argv[1]).read(), int(sys.argv[2])
at = data.index(b"LibxlFmt") + 24 + 40
out = open(sys.argv[3], "wb")
out.write(data[:at])
PAGE_DATA, XALLOC, last, done = 1, 0xe, None, False
while True:
    kind, length = struct.unpack_from("<II", data, at)
    end = at + 8 + (length + 7 & ~7)
    if kind != PAGE_DATA and last == PAGE_DATA and not done:
        done = True
        pfns = [0x10001 + 2 * i for i in range(runs)]
        for i in range(0, runs, 1024):
            part = pfns[i:i + 1024]
            body = struct.pack("<II", len(part), 0) + b"".join(struct.pack("<Q", XALLOC << 60 | p) for p in part)
            out.write(struct.pack("<II", PAGE_DATA, len(body)) + body)
    out.write(data[at:end])
    last, at = kind, end
    if kind == 0:
        break
out.write(data[at:])
PY
}
for case in 65529 65530 70000; do
	rm -f gaps.core
	gaps "$data/xen417/tiny-pvh.save.xz" "$case" gaps.save || fail "gaps"
	run_expect 0 "$GODWIT" export --core gaps.save gaps.core
	LC_ALL=C run_expect 0 readelf -lW gaps.core
	headers=$(sed -n 's/^There are \([0-9]*\) program headers.*/\1/p' out)
	loads=$(grep -c '^  LOAD ' out)
	[ "$headers" = $((loads + 1)) ] || fail "$headers program headers, $loads of them LOAD"
	[ "$loads" -ge "$case" ] || fail "$loads runs, expected at least $case"
	grep -q "LOAD *0x[0-9a-f]* 0x0*$(printf %x $((0x10001000 + (case - 1) * 8192))) " out || fail "the last run is missing"
	LC_ALL=C run_expect 0 readelf -hW gaps.core
	[ -z "$(grep -i warning err)" ] || fail "readelf: $(cat err)"
done
in_gdb gaps.core 'x/4wx 0x200000'
out_has "0x200000:	0x47495258	0x31485650"
