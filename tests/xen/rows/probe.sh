# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The Xen backend call by call (tests/hypervisor/xen_probe.c): probe-KIND on a guest that runs and counts on, probe-new on
# domains that the probe makes.

probe=/rig/xen_probe

needs_probe()
{
	[ -x $probe ] || skip "no xen_probe in this build"
	use_helper stock
}

probe_calls()
{
	local before
	needs_probe
	make_guest "$1"
	before=$(beats)
	must "xen_probe calls" timeout 100 $probe calls "$id"
	counts_on "$before"
}

probe_new()
{
	needs_probe
	must "xen_probe new" timeout 100 $probe new
	[ "$(count_domains)" = 0 ] || fail "a domain is left: $(xl list | tail -n 1)"
}

for guest in pv pvh64 hvm; do
	row probe-$guest probe_calls $guest
done
row probe-new probe_new
