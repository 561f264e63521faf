# SPDX-License-Identifier: LGPL-2.1-or-later
# Generations of images that restore and receive accept; images that are sent without the godwit protocol.
. "$(dirname "$0")/domains.sh"
requires python3 xz

tiny
run_expect 0 "$GODWIT" destroy tpvh

# The same image as version 2, and as a converted one.
python3 - <<'PY' || fail "cannot make the variants"
image = bytearray(open("tiny.save", "rb").read())
at = image.index(b"\xff" * 8 + b"XENF")
for name, place, value in (("v2.save", at + 12, b"\0\0\0\2"), ("converted.save", at + 32, b"\0\0\0\0")):
    other = bytearray(image)
    other[place : place + 4] = value
    open(name, "wb").write(other)
PY

# restores STATUS IMAGE [OPTION...]: an accepted image runs, and is destroyed again.
restores()
{
	local status=$1 image=$2
	shift 2
	FAIL_DEPTH=1 run_expect "$status" "$GODWIT" restore -d "$@" "$image"
	if [ "$status" = 0 ]; then
		assert_state tpvh running
		"$GODWIT" destroy tpvh || fail "tpvh cannot be destroyed"
	else
		assert_state tpvh ""
	fi
}

restores 0 v2.save
restores 0 converted.save
restores 1 tiny.save --accept v2,legacy,converted
err_has "the image is of version 3: this host does not accept it (--accept v2,legacy,converted)"
restores 1 v2.save --accept v3
err_has "the image is of version 2, which Xen 4.6 to 4.13 wrote: this host does not accept it"
restores 1 converted.save --accept v3,v2,legacy
err_has "converted from a legacy image: this host does not accept it"
restores 2 tiny.save --accept v3,v9
err_has '--accept: "v9" is not a generation of images'

# The site's file, and the command's options, which override it.
export GODWIT_CONF=$tmp/godwit.conf
printf 'accept = v3\nwarn = v2, converted\n' >godwit.conf
restores 0 tiny.save
! grep -q accept err || fail "a warning without a reason"
restores 1 v2.save
err_has "(accept = v3 in $tmp/godwit.conf)"
restores 0 v2.save --accept v2
printf 'warn = v2 # for now\n' >godwit.conf
run_expect 0 "$GODWIT" restore -d v2.save
err_has "this host may soon refuse it"
"$GODWIT" destroy tpvh
printf 'accept = v3\nallow = v2\n' >godwit.conf
restores 2 tiny.save
err_has "$tmp/godwit.conf, line 2: unknown setting \"allow\""
run_expect 2 "$GODWIT" receive tcp:127.0.0.1:0
printf 'accept = v3\n' >godwit.conf

# An image that is written to a receiver without any protocol.
send()
{
	cat "$1" >"/dev/tcp/127.0.0.1/${address##*:}"
}
receiver
send tiny.save 2>/dev/null
until_true 5 grep -qF -e "a stored image came, and this receiver takes domains only from a godwit: --accept-image takes both" receiver.err
assert_state tpvh ""
receiver --accept-image
send tiny.save || fail "tiny.save could not be sent"
until_true 10 is_state tpvh running
a=$(counter tpvh)
[ "$a" -ge $((0x1d95)) ] || fail "the counter is $a"
"$GODWIT" destroy tpvh

# Refused by the receiver, which listens on; cut in the middle; then a complete one.
: >receiver.err
receiver --accept-image
send v2.save 2>/dev/null
until_true 5 grep -q "this host does not accept it (accept = v3 in" receiver.err
head -c 1000000 tiny.save >cut.save
send cut.save 2>/dev/null
until_true 5 grep -q "the input ends inside a record" receiver.err
send tiny.save
until_true 10 is_state tpvh running
# The same rules apply to the protocol.
receiver --accept v2
run_expect 1 "$GODWIT" migrate tpvh "$address"
err_has "this host does not accept it (--accept v2)"
assert_state tpvh running
"$GODWIT" destroy tpvh

# Legacy images are converted on the fly: the guest runs on, from a file, a pipe, and a connection.
export GODWIT_CONF=/dev/null
for width in 32 64; do
	python3 "$here/legacy.py" $width tiny.save legacy.$width || fail "legacy.py"
	python3 "$here/legacy.py" $width bare tiny.save bare.$width || fail "legacy.py"
done
# runs_on COMMAND...: the restored guest counts on from where it was.
runs_on()
{
	FAIL_DEPTH=1 run_expect 0 "$@"
	assert_state tpvh running
	[ "$(counter tpvh)" -ge $((0x1d95)) ] || FAIL_DEPTH=1 fail "the counter is $(counter tpvh)"
	"$GODWIT" destroy tpvh || fail "tpvh cannot be destroyed"
}
runs_on "$GODWIT" restore -d legacy.64
runs_on "$GODWIT" restore -d legacy.32
runs_on "$GODWIT" restore -d --name tpvh bare.64
run_expect 0 "$GODWIT" restore -d --name tpvh - < <(xz -c0 bare.32)
"$GODWIT" destroy tpvh
restores 1 legacy.64 --accept v3,v2,converted
err_has "the legacy format of Xen 4.5 or older: this host does not accept it"
restores 0 legacy.64 --accept legacy
head -c 3000000 legacy.64 >cut
restores 1 cut
where=$("$GODWIT" verify cut 2>&1 | sed -n 's/.*\(legacy image chunk .*\) \[.*/\1/p')
err_has "${where:?}"
# The same after xend's header: the name is that of its config, and --name overrides it.
python3 "$here/xend.py" hvm bare.64 xend.64 tpvh 4 && python3 "$here/xend.py" hvm bare.32 xend.32 other 4 ||
	fail "xend.py"
runs_on "$GODWIT" restore -d xend.64
run_expect 0 "$GODWIT" restore -d xend.32
assert_state other running
"$GODWIT" destroy other
runs_on "$GODWIT" restore -d --name tpvh xend.32
runs_on "$GODWIT" restore -d - <xend.64
run_expect 0 "$GODWIT" restore -d --paused xend.64
run_expect 0 "$GODWIT" save --allow-forced tpvh again.save
run_expect 0 "$GODWIT" inspect again.save
out_has "Name          tpvh"
out_has "UUID          0e2d4a44-5c1c-9d5b-27f3-6fbc6ec4d14f"
# With its video memory.
out_has "Config        1 vCPU, 8192 KiB"
restores 1 xend.64 --accept v3,v2,converted
err_has "the legacy format of Xen 4.5 or older: this host does not accept it"
head -c 1000 xend.64 >cut
restores 1 cut
err_has "xend header at offset 0x3e8: the input ends inside the header or its config"
head -c 3000000 xend.64 >cut
restores 1 cut
err_has "0x2dc6c0"
# An unreadable config is treated like a missing one.
{ printf 'LinuxGuestRecord\0\0\0\007'; printf '(domain'; cat bare.64; } >no-sxp
restores 2 no-sxp
err_has "cannot be read (the text ends inside a list at depth 1): give --name"
runs_on "$GODWIT" restore -d --name tpvh no-sxp
{ printf 'LinuxGuestRecord\377\377\377\377'; cat bare.64; } >bad
restores 1 bad --name tpvh
err_has "the header gives a config of -1 bytes"
{ printf 'LinuxGuestRecord\0\0\0\010'; printf '(domain)'; cat bare.64; } >no-name
restores 2 no-name
err_has "the config has no name: give --name"
{ printf 'LinuxGuestRecord\0\0\0\010'; printf '(domain)'; cat tiny.save; } >not-legacy
restores 1 not-legacy
err_has "the xend header is not followed by a legacy image"
receiver --accept-image
send legacy.64
until_true 10 is_state tpvh running
[ "$(counter tpvh)" -ge $((0x1d95)) ] || fail "the counter is $(counter tpvh)"
"$GODWIT" destroy tpvh
receiver --accept-image
send xend.64
until_true 10 is_state tpvh running
[ "$(counter tpvh)" -ge $((0x1d95)) ] || fail "the counter is $(counter tpvh)"
"$GODWIT" destroy tpvh
exit 0
