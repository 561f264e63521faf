# SPDX-License-Identifier: LGPL-2.1-or-later
# Compressed images in every legal form: members and frames one after another, padding, skippable frames. What is damaged
# is reported, also after the image's last byte, by every verb that reads one.
. "$(dirname "$0")/domains.sh"
requires xz zstd gzip

xz -dc "$data/xen417/tiny-pvh.save.xz" >whole.save
size=$(stat -c %s whole.save)
head -c $((size / 2)) whole.save >a
tail -c +$((size / 2 + 1)) whole.save >b
: >none
head -c 8 /dev/zero >zeros8
head -c 3 /dev/zero >zeros3
echo garbage >garbage
printf '\x5a\x2a\x4d\x18\x04\0\0\0abcd' >skip
head -c 10 skip >skip-cut
for f in a b none; do
	xz -0 -k $f && gzip -1 -k $f && zstd -q -1 $f || fail "compressing $f"
done

good()
{
	local name=$1
	shift
	cat "$@" >"$name"
	run_expect 0 "$GODWIT" verify "$name"
	"$GODWIT" convert "$name" - | cmp - whole.save || fail "$name is converted to another image"
}
good two.xz a.xz b.xz
good padded.xz a.xz zeros8 b.xz zeros8
good empty-members.xz none.xz a.xz none.xz b.xz none.xz
good two.gz none.gz a.gz none.gz b.gz
good padded.gz a.gz b.gz zeros3
good two.zst a.zst b.zst
good skips.zst skip skip a.zst skip b.zst none.zst skip
"$GODWIT" verify - <skips.zst >out 2>&1 || fail "from a pipe"

# bad NAME WORDS FILE...: each verb fails with these words.
bad()
{
	local name=$1 words=$2 verb
	shift 2
	cat "$@" >"$name"
	run_expect 1 "$GODWIT" verify "$name"
	out_has "$words"
	run_expect 1 "$GODWIT" convert "$name" out.save
	err_has "$words"
	[ ! -e out.save ] || fail "convert has left a file"
	run_expect 1 "$GODWIT" restore -d --name bad "$name"
	if ! grep -q -e "built without" -e libunicorn err; then
		err_has "$words"
	fi
	assert_state bad ""
	for verb in "inspect $name" "export --raw $name out.raw" "diff $name whole.save"; do
		"$GODWIT" $verb >out 2>err && fail "accepted: $verb"
	done
	[ ! -e out.raw ] || fail "export has left a file"
}
bad between.xz "other data follows" a.xz garbage b.xz
bad after.xz "other data follows" a.xz b.xz garbage
bad padding.xz "3 zeros follow a member of its xz data" a.xz b.xz zeros3
bad between.gz "other data follows" a.gz garbage b.gz
bad after.gz "other data follows" a.gz b.gz garbage
bad zeros.zst "other data follows" a.zst zeros8 b.zst
bad after.zst "other data follows" a.zst b.zst garbage
bad cut.zst "is cut off" a.zst b.zst skip-cut
cp two.gz crc
printf '\0' | dd of=crc bs=1 seek=$(($(stat -c %s crc) - 6)) conv=notrunc status=none
bad crc.gz "incorrect data check" crc
