# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Lets Xen judge patched images, in dom0: for each line "BASE SEED" of /out/fidelity makes the image of that seed from
# /out/base-BASE, restores it without running it, and destroys it. tests/xen/fidelity.py writes the one and reads what comes:
#
#   /out/now     the line that is being judged
#   /out/said    for each a line "== BASE SEED STATUS SECONDS", then what xl said, and what Xen logged if xl failed
#
# Starting a program takes long here: as few as possible are started for an image.
limit=240 # seconds for a restore
batch=8	  # images that are made together

# Everything that a restore has left. Without it the next image would be refused because of this one: if that cannot be had,
# the run ends.
clean_up()
{
	local id pid
	for pid in $(pidof xl libxl-save-helper); do
		kill -9 "$pid"
	done
	xl list | awk 'NR > 1 && $2 > 0 { print $2 }' | while read -r id; do
		timeout -s KILL $limit xl destroy "$id"
	done
	for pid in $(pgrep -f xen-qemu-system); do
		kill -9 "$pid"
	done
	[ "$(xl list | wc -l)" = 2 ] || stuck=1
}

# Sets $status.
restore()
{
	timeout -s KILL $limit xl -v restore -p -e "$base-image.$seed" >said 2>&1 </dev/null
	status=$?
}

judge()
{
	local base=$1 seed=$2 status began ended id rest
	echo "$base $seed" >/out/now
	read -r began rest </proc/uptime
	restore
	# A failed restore can leave its domain, which has the name that the next one wants.
	if grep -q 'already exists' said; then
		clean_up
		restore
	fi
	read -r ended rest </proc/uptime
	[ $status = 0 ] || xl dmesg -c >>said 2>/dev/null
	echo "== $base $seed $status $began $ended" >head
	cat head said >>/out/said
	echo "$base $seed $status" >>/out/results
	case $status in
	0)
		# "xc: detail: fd 12, dom 7, hvm 0, ..."
		id=$(sed -n 's/^xc: detail: fd .*, dom \([0-9]*\), .*/\1/p' said)
		xl destroy "$id" || clean_up
		;;
	137) clean_up ;;
	esac
	rm -f "$base-image.$seed" /var/log/xen/*
}

mkdir -p /tmp/fidelity
cd /tmp/fidelity || exit
# Of the HVM guest.
cp /rig/guests/disk.img /tmp/disk.img
xl sched-credit2 -d 0 -w 65535
for base in pv pvh hvm; do
	[ ! -e /out/base-$base ] || cp /out/base-$base $base
done
xl dmesg -c >/dev/null
made=0 stuck=
while read -r base seed; do
	[ ! -e /out/stop ] || break
	if [ ! -e "$base-image.$seed" ]; then
		/rig/fidelity_make "$base" "$seed-$((seed + batch - 1))" "$base-image" >/dev/null
		made=$((made + batch))
		# What a failed restore may have left.
		[ $((made % 64)) != 0 ] || clean_up
	fi
	[ -z "$stuck" ] || break
	judge "$base" "$seed"
done </out/fidelity
echo "end" >>/out/results
