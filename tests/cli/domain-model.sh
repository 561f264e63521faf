# SPDX-License-Identifier: LGPL-2.1-or-later
# What an image must not lose on its way through a domain in memory: the state of a device model, and the suspend steps
# of a PV guest.
. "$(dirname "$0")/domains.sh"
requires python3 xz

xz -dc "$data/xen417/tiny-hvm.save.xz" >hvm.save
xz -dc "$data/xen417/tiny-pv.save.xz" >pv.save

# The device model's records are the same bytes in the next image, paused or not, and after a move.
for paused in "" --paused; do
	run_expect 0 "$GODWIT" -c memory: restore -d $paused hvm.save
	run_expect 0 "$GODWIT" save thvm again.save
	run_expect 0 "$GODWIT" verify --deep again.save
	for f in hvm again; do
		run_expect 0 "$GODWIT" inspect --records $f.save
		grep -c EMULATOR out >$f.count
	done
	cmp -s hvm.count again.count || fail "$(cat hvm.count) emulator records became $(cat again.count)"
done

# A PV guest that its owner paused takes its suspend steps all the same; by force it is not saved.
run_expect 0 "$GODWIT" -c memory: restore -d --paused pv.save
run_expect 1 "$GODWIT" save --force-pause tpv no.save
err_has "a PV guest has to suspend itself"
[ ! -e no.save ] || fail "there is an image"
assert_state tpv paused
run_expect 0 "$GODWIT" save --keep-running tpv again.save
assert_state tpv paused
run_expect 0 "$GODWIT" verify --deep again.save
run_expect 0 "$GODWIT" save tpv again.save
run_expect 0 "$GODWIT" verify --deep again.save

# An image without a config gives the domain the size of its memory.
xz -dc "$data/xen417/tiny-pvh.save.xz" >pvh.save
python3 -c 'import sys; d = open("pvh.save", "rb").read(); sys.stdout.buffer.write(d[d.index(b"LibxlFmt") + 24:-8])' >bare.image
run_expect 0 "$GODWIT" -c memory: restore -d --name bare bare.image
run_expect 0 "$GODWIT" list
out_has " 4M "
run_expect 0 "$GODWIT" save bare bare.save
run_expect 0 "$GODWIT" verify bare.save
grep -aq '"target_memkb": 4096' bare.save || fail "another amount of memory in the config"
