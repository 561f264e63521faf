# SPDX-License-Identifier: LGPL-2.1-or-later
# Migration through ssh, which starts the receiver: with a stand-in that runs its command here, and with a real sshd on
# the loopback interface where one can be started.
. "$(dirname "$0")/domains.sh"
requires xz

mkdir bin
ln -s "$GODWIT" bin/godwit
# The stand-in takes options that begin with -, a host, and a command for a shell, which gets two pipes or a socket.
cat >bin/fake-ssh <<'SH'
#!/bin/bash
while [ "${1#-}" != "$1" ]; do echo "$1" >>"$FAKE_LOG"; shift; done
echo "host $1" >>"$FAKE_LOG"
shift
echo "command $*" >>"$FAKE_LOG"
[ "$FAKE" = refuses ] && { echo "nobody: Permission denied (publickey)." >&2; exit 255; }
[ "$FAKE" = pipes ] && { cat | PATH=$FAKE_PATH sh -c "$*" | cat; exit "${PIPESTATUS[1]}"; }
PATH=$FAKE_PATH exec sh -c "$*"
SH
chmod +x bin/fake-ssh
export FAKE=socket FAKE_LOG=$tmp/fake.log FAKE_PATH=$tmp/bin:$PATH
ssh=(--ssh "$tmp/bin/fake-ssh -4")
: >fake.log

tiny
other=$tmp/other
# list_there: the state of tpvh in the other runtime folder.
state_there()
{
	GODWIT_RUNTIME_DIR=$other "$GODWIT" list | sed -n "s/^tpvh *[0-9]* *[0-9KM]* *[0-9:]*  //p"
}
runs_there()
{
	[ "$(state_there)" = running ]
}
end_there()
{
	GODWIT_RUNTIME_DIR=$other "$GODWIT" destroy tpvh || fail "tpvh cannot be destroyed there"
}
trap 'end_all; GODWIT_RUNTIME_DIR=$other end_all; cd /; rm -rf "$tmp"' EXIT

# Over a socket and over two pipes; the receiver is in the background when the command ends.
for FAKE in socket pipes; do
	run_expect 0 "$GODWIT" migrate "${ssh[@]}" tpvh "ssh:me@there.example:$other"
	out_has "tpvh has moved to ssh:me@there.example:$other"
	assert_state tpvh ""
	until_true 10 runs_there
	grep -qx -e -4 fake.log || fail "no option: $(cat fake.log)"
	grep -qxF "host me@there.example" fake.log || fail "no host: $(cat fake.log)"
	grep -qxF "command GODWIT_RUNTIME_DIR='$other' godwit receive -d fd:0,1" fake.log || fail "$(cat fake.log)"
	grep -q "the domain has arrived" "$other/tpvh.log" || fail "the domain has no log"
	end_there
	tiny
done
# The same runtime folder on both sides.
FAKE=socket
run_expect 0 "$GODWIT" migrate "${ssh[@]}" tpvh ssh:there
until_true 10 is_state tpvh running
grep -qxF "command godwit receive -d fd:0,1" fake.log || fail "$(cat fake.log)"

# A refusal comes with its reasons; ssh itself fails; there is no godwit; no such command.
mkdir -p "$other"
GODWIT_RUNTIME_DIR=$other tiny
run_expect 1 "$GODWIT" migrate "${ssh[@]}" tpvh "ssh:there:$other"
err_has 'a domain named "tpvh" exists here already'
err_has "runs on here"
end_there
FAKE=refuses run_expect 3 "$GODWIT" migrate "${ssh[@]}" tpvh ssh:there
err_has "Permission denied (publickey)"
err_has "ssh ended with status 255"
err_has "runs on here"
FAKE_PATH=$PATH run_expect 3 "$GODWIT" migrate "${ssh[@]}" tpvh ssh:there
err_has "ssh ended with status 127"
run_expect 3 "$GODWIT" migrate --ssh "$tmp/nothing" tpvh ssh:there
err_has "$tmp/nothing: No such file or directory"
err_has "ssh ended with status 127"
assert_state tpvh running
for address in ssh: ssh:@ ssh:me@ ssh:-oProxyCommand=x "ssh:a b" "ssh:a'b" "ssh:a:/x'y"; do
	run_expect 2 "$GODWIT" migrate "${ssh[@]}" tpvh "$address"
	err_has "ssh:[USER@]HOST[:RUNTIME] is expected"
done
run_expect 2 "$GODWIT" receive ssh:there
run_expect 2 "$GODWIT" receive --keep fd:0,1
err_has "--keep needs an address to listen at"

# A receiver on one descriptor: what it prints does not get in the way.
run_expect 0 "$GODWIT" migrate --ssh "$tmp/bin/fake-ssh" tpvh ssh:[::1]
grep -qxF "host ::1" fake.log || fail "$(cat fake.log)"
until_true 10 is_state tpvh running

# Ctrl-C reaches the command and ssh: the migration is cancelled, and the connection lives until then.
guest busy "pages=4000 seed=3"
setsid env --default-signal=INT "$GODWIT" migrate --bandwidth 1M "${ssh[@]}" busy ssh:there >out 2>err &
migrate=$!
until_true 20 is_state busy--incoming receiving
kill -INT -- "-$migrate"
wait "$migrate"
[ $? = 4 ] || fail "the exit status of a cancelled migration"
until_true 10 is_state busy running
until_true 10 is_state busy--incoming ""

# A real sshd with keys of its own.
sshd=$(PATH=$PATH:/usr/sbin command -v sshd) || { echo "no sshd is installed: only the stand-in was tried"; exit 0; }
ssh-keygen -q -t ed25519 -N '' -f host.key && ssh-keygen -q -t ed25519 -N '' -f user.key || fail "ssh-keygen"
cp user.key.pub authorized
port=$((20000 + $$ % 20000))
cat >sshd.conf <<CONF
ListenAddress 127.0.0.1
Port $port
HostKey $tmp/host.key
AuthorizedKeysFile $tmp/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
SetEnv PATH=$tmp/bin:$PATH GODWIT_CONF=/dev/null
CONF
# Where root has no /run/sshd, sshd gets a /run of its own.
own_run=()
[ "$(id -u)" != 0 ] || [ -d /run/sshd ] ||
	own_run=(unshare -m bash -c 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$@"' -)
"${own_run[@]}" "$sshd" -D -e -f "$tmp/sshd.conf" 2>sshd.log &
started+=($!)
disown
real="ssh -F none -p $port -i $tmp/user.key -o StrictHostKeyChecking=no -o UserKnownHostsFile=$tmp/known -o BatchMode=yes"
n=100
until $real 127.0.0.1 true 2>ssh.err; do
	kill -0 "${started[-1]}" 2>/dev/null && [ $((n -= 1)) -gt 0 ] ||
		{ echo "no sshd can be started here, only the stand-in was tried: $(cat sshd.log ssh.err)"; exit 0; }
	sleep 0.1
done
run_expect 0 "$GODWIT" migrate --ssh "$real" tpvh "ssh:127.0.0.1:$other"
out_has "tpvh has moved to ssh:127.0.0.1"
until_true 10 runs_there
GODWIT_RUNTIME_DIR=$other tiny again
run_expect 3 "$GODWIT" migrate --ssh "$real -i $tmp/nothing -o IdentitiesOnly=yes -o PubkeyAuthentication=no" busy "ssh:127.0.0.1:$other"
err_has "ssh ended with status 255"
is_state busy running || fail "busy does not run on"
echo "with a real sshd"
