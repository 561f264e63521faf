# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Files of virsh save.
. "$(dirname "$0")/lib.sh"

xz -dc "$data/qemu/plain.xz" >plain
make()
{
	python3 "$here/libvirt.py" plain "$@" || fail "the test's file could not be written"
}

# Each format of the stream, either byte order, both versions; from a pipe.
formats="raw gzip xz"
command -v zstd >/dev/null && formats="$formats zstd"
for format in $formats; do
	make file "$format"
	run_expect 0 "$GODWIT" verify --strict file
	out_has "file: ok: libvirt save file, QEMU stream v3, pc-i440fx-7.2, 33 sections, 5 pages"
	run_expect 0 "$GODWIT" verify - < <(cat file)
	run_expect 0 "$GODWIT" inspect file
	out_has "libvirt file  at 0x0, version 2, domain was running, stream $format"
	out_has "Name          web1"
	out_has "UUID          00112233-4455-6677-8899-aabbccddeeff"
	out_has "Machine       pc-i440fx-7.2"
done
make file raw big cookie running=0
run_expect 0 "$GODWIT" inspect file
out_has "domain was paused, stream raw"
out_has "XML           103 bytes, cookie 9 bytes"
make file raw v1 format=1
run_expect 0 "$GODWIT" verify file
# Offsets in a stream that is stored as it is count from the start of the file, in another from that of the stream.
size=$(stat -c %s plain)
head -c 30000 plain >cut
python3 "$here/libvirt.py" cut file raw
run_expect 1 "$GODWIT" verify file
out_has "error: QEMU stream at offset 0x$(printf %x "$(stat -c %s file)"): section \"ram\" instance 0: the input ends"
python3 "$here/libvirt.py" cut file xz
run_expect 1 "$GODWIT" verify file
out_has 'error: QEMU stream at offset 0x7530: section "ram" instance 0: the input ends'

# Not complete, and with faults in the header.
make file raw part
run_expect 1 "$GODWIT" verify file
out_has 'error: libvirt save file at offset 0x0: it begins with "LibvirtQemudPart": virsh save did not come to its end [libvirt-partial]'
out_lacks savevm
run_expect 1 "$GODWIT" inspect file
out_has "domain was running, incomplete, stream raw"
make file raw format=9
run_expect 1 "$GODWIT" verify file
out_has "[libvirt-format]"
make file raw version=3
run_expect 1 "$GODWIT" verify file
out_has "[libvirt-version]"
make file raw length=0
run_expect 1 "$GODWIT" verify file
out_has "[libvirt-length]"
make file raw cookie=100000
run_expect 1 "$GODWIT" verify file
out_has "[libvirt-cookie]"
make file raw length=4294967295
run_expect 1 "$GODWIT" verify file
out_has "[libvirt-truncated]"
make file raw
{ head -c 92 file; head -c 300 /dev/zero; tail -c +393 file; } >noxml
run_expect 1 "$GODWIT" verify noxml
out_has "[libvirt-xml]"
head -c 50 file >short
run_expect 1 "$GODWIT" verify short
out_has "the input ends inside the 92 bytes of the header [libvirt-truncated]"
# A stream of another format than its header says.
make file raw format=1
run_expect 0 "$GODWIT" verify file
make file gzip format=0
run_expect 1 "$GODWIT" verify file
out_has "[savevm-magic]"
# What is not decompressed here is named, and the file is not called bad.
for format in bzip2 lzop; do
	make file "$format"
	run_expect 3 "$GODWIT" verify file
	err_has "file: its stream is compressed with $format, which this version does not decompress"
	run_expect 3 "$GODWIT" inspect file
	out_has "Name          web1"
done
if command -v jq >/dev/null; then
	make file xz cookie
	run_expect 0 "$GODWIT" inspect --json file
	jq -e '.libvirt.format_name == "xz" and .libvirt.complete and (.libvirt.xml | startswith("<domain")) and
		.libvirt.cookie == "<cookie/>" and .qemu.machine == "pc-i440fx-7.2"' out >/dev/null || fail "JSON"
fi
