# SPDX-License-Identifier: LGPL-2.1-or-later
# Domains that end while they are saved or migrated: the guest shuts down instead of suspending, or in the middle, or
# somebody destroys it. The message says that the domain is gone, and nobody says that it runs on.
. "$(dirname "$0")/domains.sh"

# gone WORDS COMMAND...: it fails with these words, and the domain g is gone.
gone()
{
	local words=$1
	shift
	run_expect 3 "$@"
	err_has "$words"
	! grep -qE "runs on|stays" err || fail "the domain is said to be here"
	assert_state g ""
}

# The answers to a suspend request. The receiver hears the reason, and receives another one.
receiver
for answer in "0 powered itself off" "1 asked for a reboot" "3 crashed"; do
	did=${answer#* }
	for verb in "save g g.save" "save --live -k g g.save" "migrate g $address" "migrate --no-live g $address"; do
		guest g "pages=16 answer=${answer%% *}"
		gone "godwit: ${verb%% *}: g: the guest $did; it is gone" "$GODWIT" $verb
		[ ! -e g.save ] || fail "a domain that is gone has left a file"
	done
	[ "$(grep -c "the guest $did" receiver.err)" = 2 ] || fail "the receiver said: $(cat receiver.err)"
done
guest g "pages=16"
run_expect 0 "$GODWIT" migrate g "$address"
until_true 10 is_state g running
run_expect 0 "$GODWIT" destroy g

# The guest shuts down while its memory is sent. At this rate that would take minutes.
receiver --keep
for verb in "migrate --bandwidth 20K g $address" "save --live --bandwidth 20K g g.save"; do
	guest g "pages=64 period=50 idle=100 beats=60 end=0"
	gone "g: the guest powered itself off; it is gone" timeout 60 "$GODWIT" $verb
done
[ ! -e g.save ] || fail "a domain that is gone has left a file"

# A write that waits does not hide it: nobody reads the pipe.
mkfifo slowly
exec 3<>slowly
guest g "pages=64 period=50 idle=100 beats=60 end=1"
gone "g: the guest asked for a reboot; it is gone" timeout 60 "$GODWIT" save --live g slowly
exec 3>&-

# Somebody destroys the domain: by the verb, by a signal to its process.
process_of()
{
	"$GODWIT" list | sed -n "s/^$1 *\([0-9]*\) .*/\1/p"
}
for verb in "migrate --bandwidth 20K g $address" "save --live --bandwidth 20K g g.save"; do
	for how in destroy signal; do
		guest g "pages=64"
		"$GODWIT" $verb >verb.out 2>verb.err &
		command=$!
		started+=("$command")
		until_true 20 eval "is_state g migrating || is_state g saving"
		if [ $how = destroy ]; then
			run_expect 0 "$GODWIT" destroy g
		else
			kill -TERM "$(process_of g)"
		fi
		wait "$command"
		status=$?
		[ $status = 3 ] || fail "exit status $status, expected 3: $(cat verb.err)"
		grep -q "g was destroyed meanwhile; it is gone" verb.err || fail "said: $(cat verb.err)"
		! grep -q "runs on" verb.err || fail "said: $(cat verb.err)"
		until_true 10 is_state g ""
		until_true 10 is_state g--incoming ""
	done
done
[ ! -e g.save ] || fail "a domain that is gone has left a file"
