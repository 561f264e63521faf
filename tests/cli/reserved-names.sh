# SPDX-License-Identifier: LGPL-2.1-or-later
# Names that the runtime folder needs for its own files are given to no domain: by no option, image or sender.
. "$(dirname "$0")/domains.sh"
requires xz python3

tiny
for name in receive x--incoming; do
	run_expect 2 "$GODWIT" run --name $name "$GODWIT_GUESTS/godwit-guest64.elf"
	err_has "\"$name\" cannot be a domain's name here"
	run_expect 2 "$GODWIT" restore -d --name $name tiny.save
	err_has "\"$name\" cannot be a domain's name here"
	python3 "$here/config.py" set c_info.name "\"$name\"" <tiny.save >named.save
	run_expect 2 "$GODWIT" restore -d named.save
	err_has "\"$name\" cannot be a domain's name here"
	err_has "give --name"
	# From a sender, by an option of the receiver and in an image.
	receiver --name $name
	run_expect 1 "$GODWIT" migrate tpvh "$address"
	err_has "\"$name\" cannot be a domain's name here"
	assert_state tpvh running
	receiver --accept-image
	: >receiver.err
	exec 3<>"/dev/tcp/127.0.0.1/${address##*:}"
	cat named.save >&3 2>/dev/null
	exec 3>&-
	until_true 20 grep -qF "\"$name\" cannot be a domain's name here" receiver.err
	assert_state $name ""
done
run_expect 0 "$GODWIT" restore -d --name other named.save
assert_state other running
[ ! -e "$GODWIT_RUNTIME_DIR/receive.lock" ] || fail "a domain called receive has left a file"
# A kernel's own name is changed.
cp "$GODWIT_GUESTS/godwit-guest64.elf" receive.elf
run_expect 0 "$GODWIT" run -d --cmdline pages=16 receive.elf
out_has receive-2
