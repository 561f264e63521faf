# SPDX-License-Identifier: LGPL-2.1-or-later
# Saving: the domain and the file after success and after each kind of failure.
. "$(dirname "$0")/domains.sh"
requires python3 xz

tiny

# A copy of a running domain, suspended and live, to a file and to a pipe.
run_expect 0 "$GODWIT" save --keep-running --report r.json tpvh a.save
assert_state tpvh running
[ "$(stat -c %a a.save)" = 600 ] || fail "the image has mode $(stat -c %a a.save)"
python3 -c 'import json; r = json.load(open("r.json")); assert r["rounds"] == 1 and r["pages"] > 1000, r' ||
	fail "the report is wrong"
run_expect 0 "$GODWIT" save --keep-running --live --report r.json tpvh b.save
python3 -c 'import json; r = json.load(open("r.json")); assert r["rounds"] >= 2, r' ||
	fail "the live report is wrong"
"$GODWIT" save -k tpvh - | cat >c.save || fail "save to a pipe"
for f in a b c; do
	word $f.save 0x200 8 >/dev/null
done

# Paused afterwards, and saved while paused.
run_expect 0 "$GODWIT" save --paused tpvh a.save
assert_state tpvh paused
cp a.save before
run_expect 1 "$GODWIT" save --keep-running tpvh a.save
err_has "tpvh is paused and its guest cannot suspend itself"
err_has "--allow-forced"
cmp a.save before || fail "a save that was refused has changed the old file"
assert_state tpvh paused
run_expect 0 "$GODWIT" save --static-only tpvh static.save
run_expect 0 "$GODWIT" save --allow-forced --keep-running tpvh forced.save
assert_state tpvh paused
run_expect 0 "$GODWIT" verify forced.save
out_has "the guest was paused by force"
run_expect 0 "$GODWIT" resume tpvh
assert_state tpvh running
run_expect 2 "$GODWIT" save --paused --keep-running tpvh a.save

# The static data alone: the domain is not even suspended, and verify misses nothing but the rest.
run_expect 0 "$GODWIT" save --static-only tpvh static.save
assert_state tpvh running
"$GODWIT" save --static-only tpvh - | cmp - static.save || fail "the static data changes"
[ "$(stat -c %s static.save)" -lt 20000 ] || fail "$(stat -c %s static.save) bytes of static data"
run_expect 1 "$GODWIT" verify static.save
[ "$(grep -c ^error: out)" = 1 ] || fail "more than one error"
out_has "the input ends between two records, before END [image-truncated]"
run_expect 0 "$GODWIT" inspect --policy a.save
tail -n +2 out >whole
run_expect 1 "$GODWIT" inspect --policy static.save
tail -n +2 out | cmp - whole || fail "another policy than the image's"
run_expect 2 "$GODWIT" save --static-only --live tpvh static.save

# There is no room, or no folder: the domain runs on, the old file is unchanged.
cp a.save before
run_expect 3 "$GODWIT" save tpvh /dev/full
err_has "No space left"
err_has "runs on here"
assert_state tpvh running
run_expect 3 "$GODWIT" save tpvh nowhere/x.save
assert_state tpvh running
cmp a.save before || fail "a save that failed has changed the old file"

# The domain's process writes: limits of the command's process do not apply.
(
	ulimit -f 1000
	"$GODWIT" save tpvh a.save
) || fail "save under a limit"
assert_state tpvh ""
run_expect 0 "$GODWIT" restore -d a.save
assert_state tpvh running

# A limit of the domain's own process is a failed write: the guest runs on, nothing is left of the file.
process=$(domain_ids)
prlimit --fsize=2000000: -p "$process"
run_expect 3 "$GODWIT" save -k tpvh limited.save
err_has "File too large"
err_has "runs on here"
assert_state tpvh running
[ ! -e limited.save ] || fail "a file that was cut off by the limit is left"
[ -z "$(find . -name '.*limited*')" ] || fail "a hidden part of the file is left"
prlimit --fsize=unlimited: -p "$process"
run_expect 0 "$GODWIT" save -k tpvh limited.save
assert_state tpvh running
# A guest's memory is a file too.
(
	ulimit -f 100
	run_expect 3 "$GODWIT" restore -d --name limited limited.save
) || fail "a guest larger than the limit"
err_has "File too large"
assert_state limited ""

# The command is killed in the middle: no file of that name, and the domain runs.
mkfifo slowly
exec 3<>slowly
"$GODWIT" save tpvh slowly 2>/dev/null &
saver=$!
started+=("$saver")
until_true 5 is_state tpvh saving
kill -KILL "$saver"
until_true 5 is_state tpvh running
exec 3>&-

# A restored domain is the same as the saved one; names do not clash.
run_expect 0 "$GODWIT" restore -d --name again --paused before
out_has again
assert_state again paused
run_expect 3 "$GODWIT" restore -d --name again before
err_has 'a domain named "again" exists here already'
run_expect 0 "$GODWIT" destroy again

# Files that are not images.
run_expect 1 "$GODWIT" restore /dev/null
head -c 100000 before >cut
run_expect 1 "$GODWIT" restore --name cut cut
# The same message, from the same rule, as verify has.
said=$(sed 's/^godwit: restore: [^:]*: //' "$tmp/err")
run_expect 1 "$GODWIT" verify cut
out_has "error: $said [image-truncated]"
run_expect 1 "$GODWIT" restore -d --name cut cut
# Every rule of xl's header as well. The mandatory flags are at 36, the length of the optional data at 44, the config
# at 52.
patched()
{
	cp before "$1"
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
patched byteorder 32 '\1\2\3\4'
patched flags 36 '\7'
patched size 44 '\377\377\377\177'
patched config-length 48 '\377\377\1'
patched config-nul 60 '\0'
head -c 40 before >truncated
head -c 60 before >truncated-config
for f in byteorder flags size config-length config-nul truncated truncated-config; do
	run_expect 1 "$GODWIT" restore --name cut $f
	said=$(sed 's/^godwit: restore: [^:]*: //' "$tmp/err")
	run_expect 1 "$GODWIT" verify $f
	out_has "error: $said [xl-${f%%-config}]"
done
printf 'x%.0s' $(seq 100) >junk
run_expect 1 "$GODWIT" restore - <junk
err_has "standard input: unknown format"
run_expect 1 "$GODWIT" restore junk
err_has "junk: unknown format: expected a file of xl or xend"
run_expect 3 "$GODWIT" restore not-there
[ "$(grep -c not-there err)" = 1 ] && ! grep -q "not-there.*not-there" err || fail "named twice: $(cat err)"
[ "$("$GODWIT" list | wc -l)" = 2 ] || fail "something was left: $("$GODWIT" list)"

# Without xl's header a name is needed; a compressed file is accepted.
tail -c +$((49 + $(od -An -tu4 -j44 -N4 before))) before >stream
run_expect 2 "$GODWIT" restore stream
xz -0 <stream >stream.xz
run_expect 0 "$GODWIT" restore -d --name bare stream.xz
assert_state bare running
run_expect 0 "$GODWIT" destroy bare

# A guest that never announced how to ask it.
guest deaf "pages=16 listen=0"
for live in "" --live; do
	run_expect 1 "$GODWIT" save $live -k deaf deaf.save
	err_has "never announced how to ask it to suspend"
	err_has "--allow-forced"
	err_has "runs on here"
	assert_state deaf running
	[ ! -e deaf.save ] || fail "a save that was refused has left a file"
done
run_expect 0 "$GODWIT" save --allow-forced deaf deaf.save
run_expect 0 "$GODWIT" restore -d deaf.save
run_expect 0 "$GODWIT" save --force-pause deaf deaf.save
receiver
run_expect 0 "$GODWIT" restore -d deaf.save
run_expect 0 "$GODWIT" migrate deaf "$address"

# Reports on standard output are alone there, and --quiet leaves nothing.
guest r "pages=16"
receiver --keep
run_expect 2 "$GODWIT" save --report - r -
run_expect 0 "$GODWIT" save -k --report - r r.save
python3 -c 'import json; assert json.load(open("out"))["operation"] == "save"' || fail "the report of a save"
run_expect 0 "$GODWIT" migrate --report - r "$address"
python3 -c 'import json; assert json.load(open("out"))["operation"] == "migrate"' || fail "the report of a migration"
err_has "r has moved to"
until_true 20 is_state r running
run_expect 0 "$GODWIT" -q migrate --report r.json r "$address"
[ ! -s out ] && [ ! -s err ] || fail "quiet, and yet: $(cat out err)"
python3 -c 'import json; assert json.load(open("r.json"))["operation"] == "migrate"' || fail "the report of a migration"
