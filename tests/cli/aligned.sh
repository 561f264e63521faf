# SPDX-License-Identifier: LGPL-2.1-or-later
# The place of page contents in saved files: on page boundaries, for each type of guest, and in files that every release
# accepts. Pipes and live saves have no more bytes than before.
. "$(dirname "$0")/domains.sh"
requires python3 xz

aligned()
{
	python3 "$here/aligned.py" "$@" 2>aligned.err || FAIL_DEPTH=1 fail "$*: $(tail -n 1 aligned.err)"
}

# accepted FILE: by every release that verify knows.
accepted()
{
	local version
	run_expect 0 "$GODWIT" verify --strict "$1"
	for version in 14 15 16 17 18 19 20 21 22; do
		run_expect 0 "$GODWIT" verify --deep --for xen-4.$version "$1"
	done
}

# check NAME FILE [RUNS]: saves the domain to FILE and to a pipe, and restores the file.
check()
{
	local name=$1 file=$2
	shift 2
	run_expect 0 "$GODWIT" "${connect[@]}" save --keep-running "$name" "$file"
	aligned "$file" yes "$@"
	accepted "$file"
	"$GODWIT" "${connect[@]}" save --keep-running "$name" - | cat >piped || fail "save to a pipe"
	aligned piped no
	"$GODWIT" diff "$file" piped >out || grep -qv '^pfn\|pages differ' out || fail "pages differ"
	run_expect 0 "$GODWIT" "${connect[@]}" restore -d --paused --name "$name-2" "$file"
	# The white space after the config does not grow.
	"$GODWIT" "${connect[@]}" save --allow-forced --keep-running "$name-2" - | cat >again || fail "save again"
	length=$(od -An -tu4 -j48 -N4 again)
	[ "$(dd if=again bs=1 skip=$((52 + length - 2)) count=1 2>/dev/null)" != " " ] || fail "the white space stays"
	run_expect 0 "$GODWIT" "${connect[@]}" destroy "$name-2"
}

connect=()
tiny
check tpvh tpvh.save 1
run_expect 0 "$GODWIT" save --keep-running --live tpvh live.save
aligned live.save no
guest beat 64 "seed=1 pages=64"
check beat beat.save 30

# At the end of a file, and at an odd place in it.
"$GODWIT" save --keep-running tpvh - >>appended || fail "save at the end of a file"
aligned appended no
run_expect 0 "$GODWIT" destroy tpvh

connect=(-c memory:)
for guest in hvm pv; do
	xz -dc "$data/xen417/tiny-$guest.save.xz" >$guest.save
	run_expect 0 "$GODWIT" -c memory: restore -d --name $guest $guest.save
	if [ $guest = hvm ]; then
		check $guest $guest.new.save 0
	else
		check $guest $guest.new.save
	fi
done
