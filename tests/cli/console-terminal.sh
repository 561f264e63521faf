# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest that prints commands for a terminal: every verb that shows a console shows them as text, and passes them on
# only with --raw or into a pipe or file.
. "$(dirname "$0")/domains.sh"
requires python3

# Prints what a command writes to a terminal until it has WORD, then interrupts the command.
cat >terminal.py <<'PY'
import os, pty, select, signal, sys, time
word, command = sys.argv[1].encode(), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
seen, until = b"", time.time() + 60
while word not in seen and time.time() < until:
    if select.select([fd], [], [], 1)[0]:
        try:
            seen += os.read(fd, 65536)
        except OSError:
            break
if "receive" not in command:
    os.kill(pid, signal.SIGINT)
sys.stdout.buffer.write(seen)
os.close(fd)
PY
[ -e "$GODWIT_GUESTS/godwit-guest64.elf" ] || skip "no guests were built for this machine"
python3 - "$GODWIT_GUESTS/godwit-guest64.elf" evil.elf <<'PY'
import sys
# The guest's compiler may have moved the first letter into the code.
old, new = b"godwit-guest: ", b"g\x1b]0;\x07\x9b\xe2\x80\xae\x1b[1m"
assert len(old) == len(new)
data = open(sys.argv[1], "rb").read()
open(sys.argv[2], "wb").write(data.replace(old, new))
PY
bold=$(printf '\033[1m')

# filtered FILE, raw FILE: what the guest printed, as text; as it is.
filtered()
{
	grep -qaF '\x1b]0;\x07\x9b\u202e'"$bold" "$1" || fail "not shown as text: $(cat -v "$1" | tail -3)"
	! grep -qa "$(printf '\033[^\\[]')" "$1" || fail "a command has passed: $(cat -v "$1" | tail -3)"
	! grep -qa "$(printf '\342\200\256')" "$1" || fail "a direction has passed"
}
raw()
{
	grep -qaF "$(printf '\033]0;\007\233\342\200\256\033[1m')" "$1" || fail "not as it is: $(cat -v "$1" | tail -3)"
}

python3 terminal.py "beat 2" "$GODWIT" run --name r --cmdline "pages=16 period=20" evil.elf >out
filtered out
python3 terminal.py "beat 2" "$GODWIT" run --raw --name r2 --cmdline "pages=16 period=20" evil.elf >out
raw out
"$GODWIT" run -d --name g --cmdline "pages=16 period=20" evil.elf >out 2>err ||
	skip "no built-in machine: $(cat err)"
has_beat() { console g | grep -qa "beat 2"; }
until_true 20 has_beat
python3 terminal.py "beat 2" "$GODWIT" console g >out
filtered out
python3 terminal.py "beat 2" "$GODWIT" console --no-follow g >out
filtered out
python3 terminal.py "beat 2" "$GODWIT" console --raw g >out
raw out
"$GODWIT" console --no-follow g >out
raw out
"$GODWIT" console --no-follow g | cat >out
raw out
run_expect 0 "$GODWIT" save g g.save
python3 terminal.py "beat" "$GODWIT" restore g.save >out
filtered out
python3 terminal.py "beat" "$GODWIT" restore --raw --name again g.save >out
raw out

# A receiver that becomes the domain's process.
for option in "" --raw; do
	run_expect 0 "$GODWIT" restore -d --name "m$option" g.save
	python3 terminal.py beat "$GODWIT" receive $option "unix:$tmp/in$option" >out &
	started+=($!)
	until_true 20 test -S "in$option"
	"$GODWIT" migrate "m$option" "unix:$tmp/in$option" >/dev/null 2>err || fail "migrate: $(cat err)"
	wait $!
	if [ -n "$option" ]; then raw out; else filtered out; fi
done
