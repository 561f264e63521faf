# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Streams of QEMU: inspect and verify.
. "$(dirname "$0")/lib.sh"

q=$data/qemu

# What QEMU wrote is good, from a file, compressed, and from a pipe.
for f in plain vcpus q35 nofooter return-path ignore-shared running compress; do
	run_expect 0 "$GODWIT" verify "$q/$f.xz"
	out_has "$q/$f.xz: ok: QEMU stream v3, pc-"
	out_lacks warning
	out_lacks note
done
xz -dc "$q/plain.xz" >plain
run_expect 0 "$GODWIT" verify plain
run_expect 0 "$GODWIT" verify - <plain
out_has "-: ok: QEMU stream v3, pc-i440fx-7.2, 33 sections, 5 pages"
run_expect 0 "$GODWIT" verify - < <(cat plain)
# A stream without a description is good as well.
run_expect 0 "$GODWIT" verify --strict "$q/nodesc.xz"
out_has "note: QEMU stream at offset 0x"
out_has "the stream has no description: the fields of its devices are not known [savevm-no-description]"
run_expect 0 "$GODWIT" verify "$q/xen.xz"
out_has "[savevm-guessed]"

run_expect 3 "$GODWIT" verify --deep plain
err_has "plain is a stream of QEMU: --deep restores images of Xen"

# Damaged ones: each message names the section and its place.
head -c 30000 plain >cut
run_expect 1 "$GODWIT" verify cut
out_has 'error: QEMU stream at offset 0x7530: section "ram" instance 0: the input ends before the end of its data [savevm-truncated]'
timer=$(grep -abo timer plain | head -1 | cut -d: -f1)
footer=$((timer + 5 + 8 + 24))
{ head -c $((footer + 4)) plain; printf 'x'; tail -c +$((footer + 6)) plain; } >wrong
run_expect 1 "$GODWIT" verify wrong
out_has "$(printf 'error: QEMU stream at offset 0x%x: section "timer" instance 0: its footer names section id 120, expected 0 [savevm-footer]' $footer)"
{ cat plain; echo more; } >longer
run_expect 0 "$GODWIT" verify longer
out_has "warning: file at offset 0x"
out_has "5 bytes after the end [trailing-bytes]"
run_expect 1 "$GODWIT" verify --strict longer
sed 's/"name": "timer"/"name": "tImer"/' plain >lie
run_expect 0 "$GODWIT" verify lie
out_has 'section "timer" instance 0: the description does not list it [savevm-description-device]'

# Contents.
run_expect 0 "$GODWIT" inspect plain
out_has "plain: QEMU stream v3, pc-i440fx-7.2, 33 sections, 5 pages"
out_has "QEMU stream   at 0x0, version 3, with section footers"
out_has "Machine       pc-i440fx-7.2"
out_has "Memory        4424 KiB in 6 RAM blocks: 5 pages sent, "
grep -qE "^    4 MiB +0 pages sent, +1024 zero  pc.ram$" out || fail "the RAM block"
grep -qE "^    0x[0-9a-f]{8} +1851  cpu 0, version 12$" out || fail "the CPU's section"
run_expect 0 "$GODWIT" inspect "$q/ignore-shared.xz"
out_has "Capabilities  x-ignore-shared"
grep -qE "^    4 MiB .* at 0x0  pc.ram|^    4 MiB .* at 0x0  m$" out || fail "the address of a block"
run_expect 0 "$GODWIT" inspect --records "$q/return-path.xz"
grep -qE "^0x0000001a  qemu +0  COMMAND +0  OPEN_RETURN_PATH$" out || fail "the command"
grep -qE "^0x[0-9a-f]+  qemu +2  START +[0-9]+  ram 0, version 4$" out || fail "the section"
# Field by field.
run_expect 0 "$GODWIT" inspect --vcpu 1 "$q/vcpus.xz"
grep -qE "^cpu 1: version 12, at 0x" out || fail "the second vCPU"
out_lacks "cpu 0:"
grep -qE "^    env.eip +0xfff0$" out || fail "a field"
run_expect 1 "$GODWIT" inspect --vcpu 2 "$q/vcpus.xz"
err_has "has no vCPU 2"
run_expect 0 "$GODWIT" inspect --platform "$q/plain.xz"
out_has "    fw_cfg/dma (subsection, version 0)"
grep -qE "^    fw_cfg/dma.dma_addr +0x0$" out || fail "a field of a subsection"
out_lacks "env.eip"
run_expect 0 "$GODWIT" inspect --memory "$q/plain.xz"
out_has "pc.bios"
out_lacks Machine

# Without a description the fields come from another stream of the same machine.
run_expect 0 "$GODWIT" inspect --vcpu 0 "$q/nodesc.xz"
out_has "(its fields are not known)"
run_expect 0 "$GODWIT" inspect --like plain --vcpu 0 "$q/nodesc.xz"
grep -qE "^    env.eip +0xfff0$" out || fail "a field by --like"
run_expect 0 "$GODWIT" verify --like plain "$q/xen.xz"
out_lacks guessed
run_expect 1 "$GODWIT" verify --like "$q/nodesc.xz" plain
err_has "it is no QEMU stream with a description of its devices, which --like needs"
run_expect 3 "$GODWIT" inspect --like missing plain

if command -v jq >/dev/null; then
	run_expect 0 "$GODWIT" inspect --json plain
	jq -e '.qemu.machine == "pc-i440fx-7.2" and .qemu.footers and (.sections | length) == 30 and
		(.records | length) == 33 and .blocks[0].zero == 1024 and .errors == 0' out >/dev/null || fail "JSON"
	jq -e '.sections[] | select(.name == "cpu") | .fields[] | select(.path == "env.eip") |
		.value == "0xfff0" and .size == 8 and .type == "uint64"' out >/dev/null || fail "JSON of a field"
	# The offset of a field is its place in the file.
	at=$(jq '.sections[] | select(.name == "cpu") | .fields[] | select(.path == "env.eip").offset' out)
	[ "$(dd if=plain bs=1 skip="$at" count=8 2>/dev/null | od -An -tx1 | tr -d ' ')" = 000000000000fff0 ] ||
		fail "the offset of a field"
	run_expect 1 "$GODWIT" verify --json wrong
	jq -e '.findings[0].rule == "savevm-footer" and .findings[0].layer == "QEMU stream"' out >/dev/null ||
		fail "JSON of verify"
fi

# The schema of the QEMU that is to load it.
cat >schema <<'END'
{"vmschkmachine": {"Name": "pc-i440fx-9.9"}, "hpet": {"Name": "hpet", "version_id": 2, "minimum_version_id": 1,
"Description": {"name": "hpet", "version_id": 2, "minimum_version_id": 1, "Fields": []}}, "fw_cfg_io": {"Name": "fw_cfg_io",
"Description": {"name": "fw_cfg", "version_id": 1, "minimum_version_id": 1, "Fields": [], "Subsections": []}}}
END
run_expect 1 "$GODWIT" verify --schema schema plain
out_has 'section "fw_cfg" instance 0: its version is 2, the schema loads 1 to 1 [savevm-schema-version]'
out_has 'section "fw_cfg" instance 0: the schema does not know its subsection fw_cfg/dma [savevm-schema-subsection]'
out_has "the schema does not list 28 of 30 devices, which are not judged: timer, "
run_expect 1 "$GODWIT" verify --schema plain plain
err_has "the schema plain: it is no JSON"

# The device model's state in an image of Xen, which has no description of its own.
hvm=$data/xen417/tiny-hvm.save.xz
run_expect 0 "$GODWIT" inspect --records "$hvm"
grep -qE "^0x017f9bb8  qemu +0  FULL +24  timer 0, version 2$" out || fail "a section of the device model"
run_expect 0 "$GODWIT" inspect --platform --like plain "$hvm"
out_has "apic 0: version 3, at 0x17fa157, 181 bytes"
grep -qE "^    apicbase +0xfee00900$" out || fail "a field of the device model"
if command -v jq >/dev/null; then
	run_expect 0 "$GODWIT" inspect --json --like plain "$hvm"
	jq -e '.emulator_sections[] | select(.name == "apic") | .fields[] | select(.path == "apicbase").value == 4276095232' \
		out >/dev/null || fail "JSON of the device model's fields"
fi
