# SPDX-License-Identifier: LGPL-2.1-or-later
# Logs of processes in the background: what their lines say, and when they go.
. "$(dirname "$0")/domains.sh"

run=$GODWIT_RUNTIME_DIR
stamp='^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z'
# logged FILE SUBJECT TEXT: a line of it.
logged()
{
	grep -qE "$stamp $2: .*$3" "$run/$1" || fail "$1 has no line \"$2: $3\": $(cat "$run/$1")"
}

# A guest that ends by itself leaves its log, with time and name on each line.
guest g "pages=16 period=50 beats=3 end=3"
until_true 20 is_state g ""
logged g.log g "the guest crashed"
[ -z "$(grep -vE "$stamp g: " "$run/g.log")" ] || fail "other lines: $(cat "$run/g.log")"
# The next domain of that name begins its own.
guest g "pages=16"
! grep -q crashed "$run/g.log" || fail "the log of an earlier domain goes on: $(cat "$run/g.log")"

# Peers: of a domain that arrived, and of a connection without one.
run_expect 0 "$GODWIT" receive -k -d tcp:127.0.0.1:0
address=$(cat out)
started+=($("$GODWIT" list --all | sed -n 's/^(receiver) *\([0-9]*\) .*/\1/p'))
run_expect 0 "$GODWIT" migrate g "$address"
until_true 20 is_state g running
logged g.log "g \(from tcp:127\.0\.0\.1:[0-9]*\)" "the domain has arrived"
exec 3<>"/dev/tcp/127.0.0.1/${address##*:}"
echo "GET / HTTP/1.0" >&3
exec 3>&-
reported() { grep -q "no godwit hello" "$run/receive.log"; }
until_true 20 reported
logged receive.log "receiver $address \(from tcp:127\.0\.0\.1:[0-9]*\)" "no godwit hello"
guest h "pages=16"
run_expect 0 "$GODWIT" pause g
"$GODWIT" migrate --bandwidth 1M h "$address" 2>/dev/null &
migrate=$!
until_true 20 is_state h--incoming receiving
kill -TERM "$migrate"
wait "$migrate"
reported() { grep -qE "receiver .*from .*: h: .*cancelled the migration" "$run/receive.log"; }
until_true 20 reported

# What a command ends takes its log along.
run_expect 0 "$GODWIT" destroy g
run_expect 0 "$GODWIT" save h h.save
[ -z "$(ls "$run" | grep -E '^[gh].*log')" ] || fail "left: $(ls "$run")"

# list removes old ones, but not of a domain that lives.
guest lives "pages=16"
guest dead "pages=16 period=50 beats=1 end=3"
until_true 20 is_state dead ""
[ -e "$run/dead.log" ] || fail "no log of a guest that crashed"
touch -d "8 days ago" "$run/lives.log" "$run/dead.log" "$run/receive.log"
run_expect 0 "$GODWIT" list
[ ! -e "$run/dead.log" ] || fail "an old log stays"
[ -e "$run/lives.log" ] || fail "the log of a domain that lives is gone"
[ -e "$run/receive.log" ] || fail "the log of the receivers is gone"
