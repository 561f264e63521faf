# SPDX-License-Identifier: LGPL-2.1-or-later
# "godwit run --cpu": the saved image has the vendor, the highest leaves and the features that were chosen.
. "$(dirname "$0")/domains.sh"
guest g1 pages=64
requires python3 xz

# born NAME [--cpu WORDS]: saves a new guest; its policy is in the file "out".
born()
{
	local name=$1
	shift
	run_expect 0 "$GODWIT" run -d --name "$name" "$@" "$GODWIT_GUESTS/godwit-guest64.elf"
	until_true 5 console_has "$name" "beat 1 "
	run_expect 0 "$GODWIT" save "$name" "$name.save"
	run_expect 0 "$GODWIT" verify --strict "$name.save"
	run_expect 0 "$GODWIT" inspect --policy "$name.save"
}

amd="ebx 68747541 ecx 444d4163 edx 69746e65"
intel="ebx 756e6547 ecx 6c65746e edx 49656e69"
lean="fpu vme de pse tsc msr pae cx8 sep pge cmov pat pse36 clflush mmx fxsr sse sse2"

born default
out_has "0x00000000      eax 00000001 $amd"
out_has "0x80000000      eax 80000008 $amd"
out_has "edx: ${lean/ vme/}"
out_has "ecx: sse3 cx16 hypervisor"
for absent in 0x00000002 0x00000007 0x80000021 syscall " nx" apic umip; do out_lacks "$absent"; done
out_has "MSR 0x000000ce PLATFORM_INFO          0x0"
out_has "Needs a host with leaves up to 0x1 and 0x80000008, for Xen 4.22 a CPU of vendor AuthenticAMD"
mv out default.policy
born portable --cpu portable
sed 1d out | cmp -s - <(sed 1d default.policy) || fail "portable is not the default"

born portable-intel --cpu portable-intel,+sse4_2,-sep
out_has "0x00000000      eax 00000001 $intel"
out_has "0x80000000      eax 80000008 ebx 00000000"
out_has "ecx: sse3 cx16 sse4_2 hypervisor"
out_lacks " sep"

born intel --cpu intel
out_has "0x00000000      eax 00000007 $intel"
out_has "0x80000000      eax 80000008 ebx 00000000"
out_has "ebx: fsgsbase bmi1 bmi2 erms adx clflushopt clwb"
out_lacks "3dnow "
born amd --cpu amd
out_has "0x00000000      eax 00000007 $amd"
out_has "0x80000000      eax 80000008 $amd"
out_has sse4a
born host --cpu host
out_has "0x00000000      eax 0000000d $amd"
out_has "0x80000000      eax 80000021 $amd"
out_has "MSR 0x000000ce PLATFORM_INFO          0x80000000"

# A feature in a higher leaf makes that leaf the highest.
born higher --cpu +bmi2
out_has "0x00000000      eax 00000007 $amd"
out_has "ebx: bmi2"

# A guest of any vendor comes back.
run_expect 0 "$GODWIT" restore -d intel.save
is_state intel running || fail "intel is $(state intel)"
run_expect 0 "$GODWIT" destroy intel

# Xen does not demand the features that it accumulates over a pool, so neither does the built-in machine.
xz -dc "$data/xen417/tiny-pvh.save.xz" | python3 "$here/change.py" cpuid 7 3 10 >md-clear.save
run_expect 0 "$GODWIT" restore -d --name cleared md-clear.save
run_expect 0 "$GODWIT" destroy cleared

run_expect 2 "$GODWIT" run --cpu cray "$GODWIT_GUESTS/godwit-guest64.elf"
err_has "cray"
run_expect 1 "$GODWIT" run --cpu portable,+avx2 "$GODWIT_GUESTS/godwit-guest64.elf"
err_has "this host does not offer the CPU feature avx2"
run_expect 0 "$GODWIT" help run
out_has "portable-intel"
