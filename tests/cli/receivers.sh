# SPDX-License-Identifier: LGPL-2.1-or-later
# Receivers have an entry in "list --all", a verb ends one without its domains, and every process has a title.
. "$(dirname "$0")/domains.sh"
requires xz ps

title_of()
{
	tr '\0' ' ' <"/proc/$1/cmdline" | sed 's/ *$//'
}
receivers_now()
{
	"$GODWIT" list --all | sed -n 's/^(receiver) *\([0-9]*\) .*listening at \(.*\)/\1 \2/p'
}
end_all_receivers()
{
	receivers_now | while read -r pid _; do kill -9 "$pid"; done
}
trap 'end_all_receivers; end_all; cd /; rm -rf "$tmp"' EXIT

run_expect 0 "$GODWIT" receive -k -d "unix:$tmp/many"
run_expect 0 "$GODWIT" receive -d "unix:$tmp/once"
receiver
run_expect 0 "$GODWIT" list
out_lacks receiver
[ "$(receivers_now | wc -l)" = 3 ] || fail "receivers: $(receivers_now)"
run_expect 0 "$GODWIT" list --all --json
python3 -c '
import json, sys
all = json.load(open("out"))
assert sorted(r["address"] for r in all) == sorted(sys.argv[1:]), all
assert all[0]["kind"] == "receiver" and all[0]["state"] == "listening" and all[0]["id"] > 1, all
' "unix:$tmp/many" "unix:$tmp/once" "$address" || fail "the JSON of list --all: $(cat out)"
many=$(receivers_now | sed -n "s|^\([0-9]*\) unix:$tmp/many$|\1|p")
[ "$(title_of "$many")" = "godwit: receiver unix:$tmp/many" ] || fail "its title is $(title_of "$many")"

# A domain has a title of its own, and lives on when its receiver ends.
tiny
[ "$(title_of "$(domain_ids)")" = "godwit: domain tpvh" ] || fail "its title is $(title_of "$(domain_ids)")"
ps -o comm= -p "$(domain_ids)" | grep -q '^godwit:tpvh' || fail "its short name is $(ps -o comm= -p "$(domain_ids)")"
run_expect 0 "$GODWIT" migrate tpvh "unix:$tmp/many"
until_true 20 is_state tpvh running
[ "$(title_of "$(domain_ids)")" = "godwit: domain tpvh" ] || fail "its title is $(title_of "$(domain_ids)")"
run_expect 0 "$GODWIT" receive --end "unix:$tmp/many"
until_true 10 test ! -e "/proc/$many"
assert_state tpvh running
[ "$(receivers_now | wc -l)" = 2 ] || fail "receivers: $(receivers_now)"

# A receiver of one domain is not one any more when it has come.
run_expect 0 "$GODWIT" migrate tpvh "unix:$tmp/once"
until_true 20 is_state tpvh running
[ "$(receivers_now | wc -l)" = 1 ] || fail "receivers: $(receivers_now)"
run_expect 3 "$GODWIT" receive --end "unix:$tmp/once"
err_has "no receiver listens at unix:$tmp/once here"

# By its process id; the arrivals of a receiver that ends are cancelled.
"$GODWIT" migrate --bandwidth 1M tpvh "$address" 2>migrate.err &
migrate=$!
until_true 20 is_state tpvh--incoming receiving
run_expect 0 "$GODWIT" receive --end "$receiver"
wait "$migrate"
until_true 20 is_state tpvh running
[ -z "$(receivers_now)" ] || fail "receivers: $(receivers_now)"
[ -z "$(ls "$GODWIT_RUNTIME_DIR" | grep receiver$)" ] || fail "left: $(ls "$GODWIT_RUNTIME_DIR")"

# One that was killed leaves a file, which the next list removes.
receiver
kill -9 "$receiver"
until_true 10 eval "! kill -0 $receiver 2>/dev/null"
[ -e "$GODWIT_RUNTIME_DIR/$receiver.receiver" ] || fail "no entry"
[ -z "$(receivers_now)" ] || fail "receivers: $(receivers_now)"
[ ! -e "$GODWIT_RUNTIME_DIR/$receiver.receiver" ] || fail "the entry of a dead process stays"
