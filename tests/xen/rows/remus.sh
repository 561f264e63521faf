# SPDX-License-Identifier: LGPL-2.1-or-later
#
# xl remus to nowhere, for 20 checkpoints: remus-KIND-HELPER. The guest counts its suspensions. Then the helper is ended, and
# the guest runs on.

# has_resumed N PID: or the process has ended.
has_resumed()
{
	read_header
	[ "$resumes" -ge "$1" ] || ! kill -0 "$2" 2>/dev/null
}

# end_stock PID: ends the stock helper. libxl carries a suspension that it has begun to its end, also when the helper is gone,
# and then nobody resumes the guest. So the helper is stopped first, and ended only if the guest counts on meanwhile. Godwit's
# helper may be ended at any moment: it waits for libxl's answer before it ends.
end_stock()
{
	local from tries
	for tries in $(seq 20); do
		kill -STOP "$1"
		sleep 0.3
		from=$(beats)
		if until_true 2 has_beaten $((from + 2)); then
			kill -TERM "$1"
			kill -CONT "$1"
			return
		fi
		kill -CONT "$1"
		# Another moment of the interval.
		sleep 0.$((tries % 10))
	done
	fail "in 20 tries the guest never ran while its helper was stopped"
}

protect()
{
	local before pid
	use_helper "$2"
	make_guest "$1"
	arm
	before=$(beats)
	# The host is not used, but xl asks for one.
	timeout 200 xl -v remus -F -b -n -d -i 100 "$domain" nowhere >said 2>&1 </dev/null &
	until_true 150 has_resumed 20 $!
	[ "$resumes" -ge 20 ] || {
		show
		fail "only $resumes checkpoints: $(why)"
	}
	for pid in $(pidof libxl-save-helper); do
		end_stock "$pid"
	done
	for pid in $(pidof godwit-save-helper); do
		kill -TERM "$pid"
	done
	wait $!
	show
	[ -z "$(complaint)" ] || fail "the guest found a bad page: $(complaint)"
	counts_on "$before"
}

for helper in stock godwit; do
	row remus-pvh64-$helper protect pvh64 $helper
done
