#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# godwit diff: a single known change is reported by name, as text and as JSON, and nothing else is; failures.
. "$(dirname "$0")/lib.sh"
requires xz python3

change() { python3 "$here/change.py" "$@"; }

# elements: prints the elements of the lists in the JSON of ./out, one a line.
elements() { sed -n 's/^  \({.*}\)[],]*$/\1/p' out; }

# One change each. told LINE JSON CHANGE...: that line is printed, and nothing else. piped does the same from pipes.
base=
told()
{
	local line=$1 json=$2
	shift 2
	change "$@" <"$base" >other
	run_expect 1 "$GODWIT" diff "$base" other
	err_is_empty
	grep -qxF -e "$line" out || FAIL_DEPTH=1 fail "not said: $line"
	[ "$(grep -c . out)" = 4 ] || FAIL_DEPTH=1 fail "more is said"
	run_expect 1 "$GODWIT" diff --json "$base" other
	[ "$(elements)" = "$json" ] || FAIL_DEPTH=1 fail "expected $json"
	out_has '"equal":false'
}
piped()
{
	told "$@"
	"$GODWIT" diff --json <(cat "$base") <(cat other) 2>err | grep -v '"file":' >piped
	grep -v '"file":' out | cmp - piped || FAIL_DEPTH=1 fail "from pipes it is another"
}
xz -dc "$data/xen417/tiny-hvm.save.xz" | change small >hvm
base=hvm
piped 'pfn 0x00000030: contents' '{"first":48,"last":48,"what":["contents"]}' page_byte 0x30 0x123
told 'HVM param STORE_PFN: 0xfeffc in A, 0xfeffd in B' \
	'{"part":"hvm_param","index":1,"field":"STORE_PFN","a":"0xfeffc","b":"0xfeffd"}' param 1
piped 'vCPU 0 CPU rax: 0xcd8ab3 in A, 0xcd8ab2 in B' \
	'{"part":"vcpu","vcpu":0,"entry":"CPU","field":"rax","a":"0xcd8ab3","b":"0xcd8ab2"}' context 2 512
told 'vCPU 0 CPU cr0: PE only in B' \
	'{"part":"vcpu","vcpu":0,"entry":"CPU","field":"cr0","a":"0x10","b":"0x11","only_a":[],"only_b":["PE"]}' \
	context 2 656
told 'IOAPIC 0 id: 0x0 in A, 0x1 in B' \
	'{"part":"platform","instance":0,"entry":"IOAPIC","field":"id","a":"0x0","b":"0x1"}' context 4 12
told 'CPUID 0x1 ecx: sse3 only in A' \
	'{"part":"cpuid","leaf":"0x1","subleaf":null,"field":"ecx","a":"0xc2f82203","b":"0xc2f82202","only_a":["sse3"],"only_b":[]}' cpuid 1 2 0
told 'CPUID 0x7.0 ebx: avx2 only in B' \
	'{"part":"cpuid","leaf":"0x7","subleaf":0,"field":"ebx","a":"0x1880309","b":"0x1880329","only_a":[],"only_b":["avx2"]}' cpuid 7 1 5
told 'CPUID 0x0 eax: 0xd in A, 0xc in B' \
	'{"part":"cpuid","leaf":"0x0","subleaf":null,"field":"eax","a":"0xd","b":"0xc"}' cpuid 0 0 0
told 'MSR policy ARCH_CAPABILITIES: rdcl_no only in B' \
	'{"part":"msr_policy","index":"0x10a","field":"ARCH_CAPABILITIES","a":"0x0","b":"0x1","only_a":[],"only_b":["rdcl_no"]}' msr 0x10a 0
told 'TSC khz: 2596129 in A, 2596128 in B' \
	'{"part":"tsc","field":"khz","a":"2596129","b":"2596128"}' body 8 4
told 'config c_info.name: "thvm" in A, "TTYS" in B' \
	'{"part":"config","field":"c_info.name","a":"\"thvm\"","b":"\"TTYS\""}' text '"name": "thvm"' '"name": "TTYS"'
# A section of QEMU's state; offsets count from the start of the section.
told 'device model section 0000:00:01.0/PIIX3: 1 byte differs, from 0x123 on: 00000000000000000000000000000000... in A, 01000000000000000000000000000000... in B' \
	'{"part":"emulator","entry":"section","field":"0000:00:01.0/PIIX3","a":"00000000000000000000000000000000...","b":"01000000000000000000000000000000...","offset":291,"differing":1}' \
	behind 3 3000
# An image with an error is not compared.
change behind 3 12 <hvm >other
run_expect 1 "$GODWIT" diff hvm other
err_has "QEMU's state: its version is 16777219, expected 3"
xz -dc "$data/xen-code/v3_422_libxl_hvm_1024.xz" >libxl
base=libxl
piped 'device model id: 2 in A, 3 in B' '{"part":"emulator","field":"id","a":"2","b":"3"}' behind 3 0
change behind 3 1008 <libxl >other
run_expect 1 "$GODWIT" diff libxl other
out_has "device model section cpu: 1 byte differs, from 0x3e0 on: "
out_has "1 difference in state; 1024 pages are equal"
piped 'xenstore physmap/1f000000/name: vga.vram in A, vga.vraM in B' \
	'{"part":"xenstore","field":"physmap/1f000000/name","a":"vga.vram","b":"vga.vraM"}' text vga.vram vga.vraM
xz -dc "$data/xen417/tiny-pv.save.xz" >pv
base=pv
told 'vCPU 0 BASIC rbx: 0x3a397 in A, 0x3a396 in B' \
	'{"part":"vcpu","vcpu":0,"entry":"BASIC","field":"rbx","a":"0x3a397","b":"0x3a396"}' basic 560
told 'shared info wc_sec: 1795199033 in A, 1795199032 in B' \
	'{"part":"shared_info","field":"wc_sec","a":"1795199033","b":"1795199032"}' body 7 3076
piped 'P2M frames[1]: 0x194 in A, 0x195 in B' \
	'{"part":"p2m","field":"frames[1]","a":"0x194","b":"0x195"}' body 3 16
piped 'pfn 0x0000019b: type: L1 in A, normal in B' \
	'{"first":411,"last":411,"what":["type"],"type_a":"L1","type_b":"normal"}' page_type 0x19b 0
# A page that was removed, and one that was added.
change page_pfn 0x41 0xa3 <hvm >other
run_expect 1 "$GODWIT" diff hvm other
out_has "pfn 0x00000041: only in A"
out_has "pfn 0x000000a3: only in B"
out_has "0 differences in state; 2 of 993 pages differ: 1 only in A, 1 only in B"
# Details of pages.
change page_byte 0x30 0x123 <hvm | change page_byte 0x30 0xfff | change page_byte 0x31 0 >other
run_expect 1 "$GODWIT" diff --pages hvm other
out_has "pfn 0x00000030: contents, 2 bytes from 0x123 on"
out_has "pfn 0x00000031: contents, 1 byte from 0x0 on"
run_expect 1 "$GODWIT" diff --pages --json hvm other
out_has '{"first":48,"last":48,"what":["contents"],"offset":291,"differing":2}'
run_expect 1 "$GODWIT" diff hvm other
out_has "pfn 0x00000030-0x00000031 (2): contents"

# Failures. A bad image: status 1, as for images that differ; the message says which one is bad.
head -c 100000 hvm >bad
run_expect 1 "$GODWIT" diff hvm bad
err_has "bad: image record"
run_expect 1 "$GODWIT" diff --json bad hvm
python3 -m json.tool out >/dev/null || fail "not JSON"
out_has '"failure":"bad: image record'
out_lacks '"equal"'
echo "What on earth is this?" >text
run_expect 1 "$GODWIT" diff text hvm
err_has "text: "
run_expect 3 "$GODWIT" diff hvm no-such-file
err_has "No such file"
run_expect 2 "$GODWIT" diff hvm
err_has "B is missing"
run_expect 2 "$GODWIT" diff - -
err_has "cannot both"
"$GODWIT" diff hvm hvm >/dev/full 2>err
[ $? -eq 3 ] || fail "a full disk went unnoticed"
err_has "No space left"
# No room for the pages of a pipe.
(
	ulimit -f 100
	cat hvm | "$GODWIT" diff - hvm >/dev/null 2>err
)
[ $? -eq 3 ] || fail "a file too large: status"
err_has "File too large"
# Interrupted.
mkfifo pipe
"$GODWIT" diff hvm pipe >out 2>err &
pid=$!
exec 9>pipe
head -c 5000 hvm >&9
kill -TERM $pid
wait $pid
status=$?
exec 9>&-
[ $status -eq 4 ] || fail "status $status after SIGTERM, expected 4"
exit 0
