# SPDX-License-Identifier: LGPL-2.1-or-later
# A legacy image whose device model's record has no length, from a sender that does not close its pipe: the command says
# what it waits for.
. "$(dirname "$0")/domains.sh"
requires xz mkfifo

xz -dc "$data/xen-code/leg45_hvm_w64_qemutrad_1024.xz" >image
mkfifo input
waits()
{
	grep -q "the device model's record has no length: waiting for the end of" err
}
for to in libxl libxc; do
	exec 3<>input
	"$GODWIT" convert --to $to input out.$to 2>err 3>&- &
	convert=$!
	started+=("$convert")
	cat image >&3
	until_true 40 waits
	[ ! -e out.$to ] || fail "it does not wait"
	exec 3>&-
	wait "$convert"
	status=$?
	[ $status = 0 ] || fail "exit status $status: $(cat err)"
	[ "$(grep -c "waiting for" err)" = 1 ] || fail "not one line: $(cat err)"
	run_expect 0 "$GODWIT" convert --to $to image direct.$to
	! grep -q waiting err || fail "a file is not waited for: $(cat err)"
	cmp out.$to direct.$to || fail "the results differ"
done
