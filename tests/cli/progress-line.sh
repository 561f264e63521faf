# SPDX-License-Identifier: LGPL-2.1-or-later
# A terminal: no progress line comes before the guest's output. And the exit status of a receiver that is asked to end.
. "$(dirname "$0")/domains.sh"
requires python3

guest g "pages=64 period=200"
cat >terminal.py <<'PY'
import os, pty, re, select, signal, subprocess, sys, time
# Runs a verb on a terminal until the guest has printed a beat; then another command may run (a migration to it).
args, then = sys.argv[1].split(), sys.argv[2].split()
pid, fd = pty.fork()
if pid == 0:
    os.execvp(args[0], args)
seen, started, end = b"", None, time.time() + 60
while time.time() < end and not re.search(rb"beat \d+ gen \d+ ok", seen):
    if select.select([fd], [], [], 0.2)[0]:
        try:
            seen += os.read(fd, 65536)
        except OSError:
            break
    m = re.search(rb"(tcp:127\.0\.0\.1:\d+)\r\n", seen)
    if then and not started and m:
        started = subprocess.Popen(then + [m[1].decode()], stdout=subprocess.DEVNULL)
os.kill(pid, signal.SIGTERM)
os.waitpid(pid, 0)
if started:
    started.wait()
open("seen", "wb").write(seen)
text = seen.decode(errors="replace")
at = text.index("godwit-guest:")
before = text[:at]
assert "MiB" in before, "no progress was shown: %r" % text
line = before[before.rindex("\r\x1b[K"):] if "\r\x1b[K" in before else before
assert line == "\r\x1b[K", "before the guest's output: %r" % before[-200:]
assert "\x1b[K" not in text[at:] and "MiB" not in text[at:].split("\n")[0], text[at:]
PY
python3 terminal.py "$GODWIT receive tcp:127.0.0.1:0" "$GODWIT migrate --bandwidth 20M g" || fail "a progress line: $(cat -v seen)"

# Asked to end: idle, and in the middle of a migration.
guest g "pages=64"
# begin OPTION: a receiver in the background that obeys SIGINT; $address.
begin()
{
	out=receiver.$((receivers += 1))
	(trap - INT; exec env --default-signal=INT,HUP "$GODWIT" receive $1 tcp:127.0.0.1:0 >$out 2>receiver.err) &
	receiver=$!
	started+=("$receiver")
	until_true 10 test -s $out
	address=$(head -1 $out)
}
# ends SIGNAL STATUS
ends()
{
	kill -"$1" "$receiver"
	wait "$receiver"
	status=$?
	[ $status = "$2" ] || fail "exit status $status after SIG$1, expected $2"
}
for signal in TERM INT HUP; do
	for keep in "" --keep; do
		begin "$keep"
		ends $signal 0
		[ ! -s receiver.err ] || fail "an idle receiver said: $(cat receiver.err)"

		begin "$keep"
		"$GODWIT" migrate --bandwidth 20K g "$address" 2>migrate.err &
		migrate=$!
		until_true 20 is_state g--incoming receiving
		ends $signal 4
		wait "$migrate"
		until_true 10 is_state g running
		until_true 10 is_state g--incoming ""
	done
done
