#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The config in front of an image: verify finds what libxl refuses and what restore refuses; both agree on configs that
# were changed at random.
. "$(dirname "$0")/domains.sh"
requires python3 xz

for g in pv pvh hvm; do
	xz -dc "$data/xen417/tiny-$g.save.xz" >$g.save
done

# changed GUEST EDIT...: changed.save is the image with another config.
changed()
{
	local from=$1
	shift
	python3 "$here/config.py" "$@" <"$from.save" >changed.save || fail "config.py $*"
}

# refused RULE: verify calls it an error of this rule, and restore refuses it with the same message.
refused()
{
	run_expect 1 "$GODWIT" verify changed.save
	grep "^error: .*\[$1\]$" out >found || fail "no error of the rule $1"
	head -n 1 found | sed 's/^error: //; s/ \[[a-z0-9-]*\]$//' >message
	run_expect 1 "$GODWIT" -c memory: restore -d --paused changed.save
	grep -qF "$(cat message)" err || fail "restore does not say: $(cat message)"
}

# taken RULE: a finding, but no error.
taken()
{
	run_expect 0 "$GODWIT" verify changed.save
	out_has "[$1]"
	run_expect 0 "$GODWIT" -c memory: restore -d --paused changed.save
	run_expect 0 "$GODWIT" destroy "$(cat out)"
}

changed pvh text '{ not json at all '
refused config-json
changed pvh set b_info.max_memkb 0 set b_info.target_memkb 0
refused config-memory
changed pvh set b_info.max_memkb -1
refused config-memory
changed pvh set b_info.target_memkb 8192
taken config-target
changed pv set b_info.max_memkb 1024 set b_info.target_memkb 1024
refused page-data-config
changed pvh set c_info.type '"pv"'
refused config-build-type
changed pvh set c_info.type '"pv"' drop b_info.type.pvh set b_info.type.pv '{}'
refused image-config-guest
changed pvh model
refused stream-emulator-guest
changed pvh set c_info.type '"hvm"' drop b_info.type.pvh set b_info.type.hvm '{}'
refused stream-emulator-needed
changed pv set b_info.max_vcpus 0
taken config-vcpus-zero
changed pv set b_info.max_vcpus '"1"'
taken config-field-type
changed pv more x
taken config-json-trailing
run_expect 0 "$GODWIT" verify --for xen-4.20 changed.save
changed hvm set b_info.device_model_version '"qemu_xen_traditional"'
taken config-device-model
run_expect 1 "$GODWIT" verify --for xen-4.21 changed.save
run_expect 0 "$GODWIT" verify --for xen-4.20 changed.save

# A name comes from --name where the config has none.
changed pv drop c_info.name
refused config-name
run_expect 0 "$GODWIT" -c memory: restore -d --paused --name other changed.save
run_expect 0 "$GODWIT" destroy other

# Configs changed at random: what one refuses the other refuses. How much memory a host has is no question
# of the config.
seed=${GODWIT_SEED:-20261130}
taken=0 refused=0
for i in $(seq 1 "${GODWIT_CONFIGS:-40}"); do
	changed pv random "$seed.$i"
	"$GODWIT" verify changed.save >out 2>err
	verified=$?
	"$GODWIT" -c memory: restore -d --paused --name "c$i" changed.save >out2 2>err2
	restored=$?
	if [ $restored -eq 0 ]; then
		taken=$((taken + 1))
		"$GODWIT" destroy "c$i" >/dev/null || fail "destroy c$i"
	else
		refused=$((refused + 1))
	fi
	# With --name the config needs none.
	if [ $verified -eq 1 ] && [ "$(grep -c '^error: ' out)" -eq "$(grep -c '^error: .*\[config-name\]' out)" ]; then
		verified=0
	fi
	[ $verified -eq 0 ] && [ $restored -eq 0 ] && continue
	! grep -q "this host has room for\|pages: from 1 to [0-9]* can be held" err2 || continue
	[ $verified -eq 1 ] && [ $restored -eq 1 ] && continue
	cat err2
	fail "config $seed.$i: verify $verified, restore $restored"
done
echo "$taken taken, $refused refused"
[ "${GODWIT_CONFIGS:-40}" -lt 40 ] || { [ $taken -gt 4 ] && [ $refused -gt 4 ]; } || fail "the changes prove little"
