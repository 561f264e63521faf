# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The memory and the registers of QEMU's streams.
. "$(dirname "$0")/lib.sh"

q=$data/qemu
change()
{
	python3 "$here/savevm_change.py" plain "$1" "$2" || fail "the test's stream could not be written"
}
# word FILE OFFSET: 32 bits of it, little-endian.
word()
{
	od -An -tx4 -j"$2" -N4 "$1" | tr -d ' '
}
xz -dc "$q/plain.xz" >plain

# The guest has run: "TDWG" at 0x10008, its counter before it, and that in other pages.
for in in "$q/compress.xz" - ; do
	run_expect 0 "$GODWIT" export --raw "$in" raw < <(xz -dc "$q/compress.xz")
	[ "$(stat -c %s raw)" = 4194304 ] || fail "the size of the memory"
	[ "$(word raw 0x10008)" = 47574454 ] || fail "the mark"
	[ "$(word raw 0x20100 | tail -c 5)" = "$(word raw 0x10000 | tail -c 5)" ] || fail "the counter in another page"
done
run_expect 0 "$GODWIT" export --raw "$q/compress.xz" - && cmp -s out raw || fail "to a pipe"
run_expect 0 "$GODWIT" export -v --raw plain raw
err_has "left out, because the stream does not say where they lie: "
err_has "pc.bios"

# Registers: the counter is in ax.
run_expect 0 "$GODWIT" export --core "$q/compress.xz" core
run_expect 0 "$GODWIT" inspect --vcpu 0 "$q/compress.xz"
eip=$(awk '$1 == "env.eip" { print $2 }' out)
if command -v gdb >/dev/null; then
	run_expect 0 gdb -nx -batch -c core -ex 'p/x $eip' -ex 'p/x $cs' -ex 'x/1wx 0x10008'
	out_has "= $eip"
	out_has "= 0xf000"
	out_has "0x47574454"
	run_expect 0 "$GODWIT" export --core "$q/vcpus.xz" core
	run_expect 0 gdb -nx -batch -c core -ex 'info threads'
	out_has "LWP 2"
fi
run_expect 0 "$GODWIT" export --core "$q/nodesc.xz" core
err_has "the fields of vCPU 0 are not known: the core lacks it"
run_expect 0 "$GODWIT" export --core --like plain "$q/nodesc.xz" core
err_is_empty

# Memory that does not fit below 4 GiB.
change split split
run_expect 0 "$GODWIT" export --raw split raw
[ "$(word raw 0x1000)" = 4c4c4c4c ] || fail "a page below 4 GiB"
[ "$(word raw $((0x100001000)))" = 48484848 ] || fail "a page above 4 GiB"
[ "$(stat -c %s raw)" = $((0x100000000 + 0x20020000)) ] || fail "the end of the memory"
rm raw
change wrong wrong-rtc
run_expect 3 "$GODWIT" export --raw wrong raw
err_has 'the RTC says that 0xbfff0000 bytes of the memory lie below 4 GiB, the machine type "pc-i440fx-7.2" says 0xc0000000'
[ ! -e raw ] || fail "a file is left"

# Pages that come as changes, at fixed places, and of a machine that is not named.
change deltas deltas
run_expect 0 "$GODWIT" export --raw deltas raw
[ "$(od -An -c -j$((0x100e)) -N6 raw | tr -d ' \n')" = "AAbdAA" ] || fail "changes: $(od -An -c -j$((0x100e)) -N6 raw)"
[ "$(od -An -c -j$((0x1ffe)) -N1 raw | tr -d ' \n')" = e ] || fail "changes at the end of a page"
change mapped mapped
for in in mapped -; do
	run_expect 0 "$GODWIT" export --raw $in raw < <(cat mapped)
	[ "$(word raw 0)$(word raw 0x1000)$(word raw 0x2000)$(word raw 0x3000)" = 00000000313131310000000033333333 ] ||
		fail "pages at fixed places"
done
change none no-machine
run_expect 0 "$GODWIT" export --raw none raw
[ "$(word raw 0x1000)" = 41414141 ] || fail "a machine without a name"
run_expect 3 "$GODWIT" export --raw "$q/ignore-shared.xz" raw2
err_has 'RAM block "m" is not in the stream: it was shared and left out (x-ignore-shared)'
run_expect 3 "$GODWIT" export --raw "$q/xen.xz" raw2
err_has "the stream has no memory"
head -c 30000 plain >cut
run_expect 1 "$GODWIT" export --raw cut raw2
err_has "the input ends before the end of its data"
[ ! -e raw2 ] || fail "a file is left"
python3 "$here/libvirt.py" deltas file xz
run_expect 0 "$GODWIT" export --raw file raw2
cmp -s raw raw2 && fail "the same memory"
[ "$(word raw2 0x1000)" = 41414141 ] || fail "from a file of virsh save"
