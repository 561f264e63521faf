# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests on KVM: saved, restored and moved, among themselves and live to and from the built-in machine. The guest
# rewrites and checks its memory all the time, and finds no page lost, stale or swapped.
. "$(dirname "$0")/domains.sh"
requires xz
[ -r /dev/kvm ] && [ -w /dev/kvm ] || skip "no access to /dev/kvm"
kernel=$GODWIT_GUESTS/godwit-guest64.elf
[ -e "$kernel" ] || skip "no guests were built for this machine"
# A workload for a KVM that emulates each instruction, and CPU features that both machines have.
load="light=1 pages=16 period=4"
cpu=portable,-vme,-sse3

beats_after()
{
	[ "$(last_beat "$1")" -gt "$2" ]
}

# goes_on NAME BEAT: it has beaten after BEAT, and found no fault.
goes_on()
{
	until_true 60 beats_after "$1" "$2"
	! console_has "$1" CORRUPT || fail "$(console "$1" | grep -a CORRUPT)"
}

# on NAME: the host that its process has.
on()
{
	"$GODWIT" list --json | python3 -c 'import json, sys
print([d["host"] for d in json.load(sys.stdin) if d["name"] == sys.argv[1]][0])' "$1"
}

"$GODWIT" -c kvm: run -d --cpu $cpu --name g --cmdline "$load" "$kernel" >/dev/null 2>err ||
	{ grep -q "this KVM lacks" err && skip "$(cat err)"; cat err; fail "no guest on KVM"; }
goes_on g 1
[ "$(on g)" = kvm ] || fail "it is on $(on g)"

# To a file and back, both by request and by force.
run_expect 0 "$GODWIT" save g g.save
b=$(python3 "$here/page.py" g.save 0x100 16)
run_expect 0 "$GODWIT" verify g.save
run_expect 0 "$GODWIT" -c kvm: restore -d g.save
until_true 60 console_has g "godwit-guest: restored"
goes_on g "$((b))"
b=$(last_beat g)
run_expect 0 "$GODWIT" save --force-pause g g.save
run_expect 0 "$GODWIT" -c kvm: restore -d g.save
goes_on g "$b"

# Live, from KVM to KVM, to the built-in machine, and back. Each takes what the other has sent.
for host in kvm: emu: kvm: emu: kvm:; do
	b=$(last_beat g)
	connect=(-c $host)
	receiver
	run_expect 0 "$GODWIT" migrate g "$address"
	until_true 5 is_state g running
	[ "$(on g)" = ${host%:} ] || fail "it is on $(on g), not on $host"
	goes_on g "$b"
done

# By force in both directions: the guest does not notice it, wherever it is stopped.
for host in emu: kvm: emu: kvm:; do
	b=$(last_beat g)
	run_expect 0 "$GODWIT" save --force-pause g g.save
	run_expect 0 "$GODWIT" -c $host restore -d g.save
	goes_on g "$b"
done

# The state of the processor that the guest does not use for its work: vectors, debug registers, FS and GS base, PAT,
# STAR. It compares all of them in each step.
run_expect 0 "$GODWIT" -c kvm: run -d --cpu $cpu --name s --cmdline "state=1 $load" "$kernel"
goes_on s 1
for host in emu: kvm: kvm: emu:; do
	b=$(last_beat s)
	connect=(-c $host)
	receiver
	run_expect 0 "$GODWIT" migrate s "$address"
	goes_on s $((b + 1))
	b=$(last_beat s)
	run_expect 0 "$GODWIT" save --force-pause s s.save
	run_expect 0 "$GODWIT" -c $host restore -d s.save
	goes_on s $((b + 1))
done
run_expect 0 "$GODWIT" destroy s

# The LAPIC with a running timer and an interrupt that waits; AVX where this KVM has it. The built-in machine has no
# place for them, and says so.
state=3
! "$GODWIT" -c kvm: run --paused -d --cpu $cpu,+xsave,+avx --name a "$kernel" >/dev/null 2>&1 || {
	state=7 cpu+=,+xsave,+avx
	run_expect 0 "$GODWIT" destroy a
}
run_expect 0 "$GODWIT" -c kvm: run -d --cpu $cpu --name s --cmdline "state=$state $load" "$kernel"
goes_on s 1
for i in 1 2; do
	b=$(last_beat s)
	connect=(-c kvm:)
	receiver
	run_expect 0 "$GODWIT" migrate s "$address"
	goes_on s $((b + 1))
	b=$(last_beat s)
	run_expect 0 "$GODWIT" save --force-pause s s.save
	run_expect 0 "$GODWIT" -c kvm: restore -d s.save
	goes_on s $((b + 1))
done
connect=(-c emu:)
receiver
b=$(last_beat s)
run_expect 3 "$GODWIT" migrate s "$address"
err_has "LAPIC"
goes_on s "$b"
run_expect 0 "$GODWIT" destroy s

# A missing CPU feature is refused by name, before a page is sent; the guest runs on where it was.
for host in kvm: emu:; do
	b=$(last_beat g)
	connect=(-c "$host?lack=sse2")
	receiver
	run_expect 1 "$GODWIT" migrate g "$address"
	err_has "CPU feature sse2"
	goes_on g "$b"
done
run_expect 0 "$GODWIT" destroy g
run_expect 1 "$GODWIT" -c kvm:?lack=sse2 restore -d g.save
err_has "KVM on this machine does not have: CPU feature sse2"

# The 64-bit guest that real Xen saved. Its Xen ran in QEMU, which has features that no other processor has together.
offer=acpi+ss+sse3+pclmulqdq+ssse3+sse4_1+sse4_2+movbe+popcnt+aesni+rdrand+page1gb+3dnowext+3dnow+fsgsbase+bmi1+bmi2
offer+=+erms+adx+sse4a+abm+mmxext+umip+clflushopt+clwb+x2apic
for by in stock godwit; do
	xz -dc "$data/xen417/beat-pvh64-$by.save.xz" >xen.save
	run_expect 0 "$GODWIT" -c "kvm:?offer=$offer" restore -d --name xen xen.save
	until_true 60 console_has xen "godwit-guest: restored"
	goes_on xen 0
	run_expect 0 "$GODWIT" destroy xen
done
