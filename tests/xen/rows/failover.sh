# SPDX-License-Identifier: LGPL-2.1-or-later
#
# xl remus to this host, until the primary is lost: the backup takes over. failover-KIND-HELPER ends the processes of the
# primary's host; failover-destroyed-KIND-HELPER destroys its domain, as an administrator does who forces it.

# is_at CHECKPOINT: or the sender has ended.
is_at()
{
	read_header
	[ "$resumes" -ge "$1" ] || ! kill -0 $sender 2>/dev/null
}

# protect_here KIND HELPER: a domain with a backup after 12 checkpoints or more: $id, $sender and $floor, a count that the
# backup has to have.
protect_here()
{
	use_helper "$2"
	make_guest "$1"
	arm
	# Without a limit of time: what is killed later has to be xl itself.
	xl -v remus -F -n -d -i 100 -s "/rig/dom0/receive.sh $2" "$domain" localhost >said 2>&1 </dev/null &
	sender=$!
	until_true 100 is_at 10
	floor=$beats
	# While the 12th is made, the 11th is complete at the backup.
	until_true 60 is_at 12
	[ "$resumes" -ge 12 ] || {
		show
		fail "only $resumes checkpoints: $(why)"
	}
	# On a host of its own the backup would find its name free.
	xl rename "$domain" "$domain-primary" || fail "xl rename"
}

took_over()
{
	grep -q "Remus Failover for domain" said && [ -n "$(domain_id)" ]
}

# The backup runs, alone, from the last checkpoint that was complete.
check_backup()
{
	until_true 60 took_over || {
		show
		fail "the backup does not take over: $(why); $(xl list | tail -n +2 | tr -s '\n ' '; ')"
	}
	show
	counts_on "$floor"
	[ "$(count_domains)" = 1 ] || fail "there are $(count_domains) domains after the failover"
	read_header
}

lose_host()
{
	local last
	protect_here "$1" "$2"
	say "the primary is lost"
	kill -9 $sender $(saver)
	xl pause "$domain-primary" || fail "xl pause"
	read_header
	last=$resumes
	xl destroy "$domain-primary" || fail "xl destroy"
	check_backup
	# The guest may have resumed from its last checkpoint without having counted that, and the backup may lack it.
	[ "$resumes" -ge $((last - 1)) ] && [ "$resumes" -le $((last + 1)) ] ||
		fail "the backup is at checkpoint $resumes, the primary was at $last"
	say "the primary was at checkpoint $last, the backup is at $resumes"
}

lose_domain()
{
	protect_here "$1" "$2"
	xl destroy "$domain-primary" || fail "xl destroy"
	wait $sender
	check_backup
	[ "$resumes" -ge 11 ] || fail "the backup is at checkpoint $resumes, expected 11 or later"
}

for helper in stock godwit; do
	row failover-pvh64-$helper lose_host pvh64 $helper
	row failover-destroyed-pvh64-$helper lose_domain pvh64 $helper
done
