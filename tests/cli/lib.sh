# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Sourced by every end-to-end test of the godwit command: ". lib.sh". GODWIT is the command, GODWIT_TEST_DATA the
# folder of real streams. A test runs in a fresh folder that is removed at its end. The first check that fails shows
# the command and its output, and ends the test.
# UPDATE=1 writes golden files (NAME.expected beside the test) from the command's present output: look at the
# difference before committing it.
set -u
: "${GODWIT:?the path of the godwit command}" "${GODWIT_TEST_DATA:?the folder tests/data}"
here=$(cd "$(dirname "$0")" && pwd)
data=$GODWIT_TEST_DATA
tmp=$(mktemp -d "${TMPDIR:-/tmp}/godwit-test.XXXXXX")
trap 'cd /; rm -rf "$tmp"' EXIT
cd "$tmp" || exit 99
unset COLUMNS
export LC_ALL=C
# Not the configuration of this machine.
export GODWIT_CONF=/dev/null

# The interpreter that runs Meson: python3 may be a wrapper that takes much longer to start.
python3()
{
	command "${PYTHON:-python3}" "$@"
}

# skip REASON: this test cannot run here.
skip()
{
	echo "SKIP: $*"
	exit 77
}

# requires COMMAND...: skips the test if one of them is missing.
requires()
{
	local c
	for c; do
		command -v "$c" >/dev/null || skip "$c is not installed"
	done
}

# fail TEXT: ends the test, showing the last run_expect.
fail()
{
	echo "FAIL (line ${BASH_LINENO[${FAIL_DEPTH:-0}]}): $*"
	[ -z "${last_run:-}" ] || echo "ran: $last_run"
	[ ! -s "$tmp/out" ] || { echo "stdout:"; head -c 4000 "$tmp/out"; }
	[ ! -s "$tmp/err" ] || { echo "stderr:"; head -c 4000 "$tmp/err"; }
	exit 1
}

# run_expect STATUS COMMAND...: runs it with stdout in ./out and stderr in ./err; it must exit with STATUS.
run_expect()
{
	local wanted=$1 status
	shift
	last_run=$*
	"$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
	[ "$status" -eq "$wanted" ] || FAIL_DEPTH=1 fail "exit status $status, expected $wanted"
}

# out_has TEXT, err_has TEXT, out_lacks TEXT: the last output has TEXT, literally, on one line; or does not have it.
out_has()
{
	grep -qF -e "$1" "$tmp/out" || FAIL_DEPTH=1 fail "stdout lacks: $1"
}
err_has()
{
	grep -qF -e "$1" "$tmp/err" || FAIL_DEPTH=1 fail "stderr lacks: $1"
}
out_lacks()
{
	! grep -qF -e "$1" "$tmp/out" || FAIL_DEPTH=1 fail "stdout has: $1"
}
err_is_empty()
{
	[ ! -s "$tmp/err" ] || FAIL_DEPTH=1 fail "stderr is not empty"
}

# out_is_golden NAME: stdout of the last run equals NAME.expected.
out_is_golden()
{
	local file=$here/$1.expected
	if [ -n "${UPDATE:-}" ]; then
		cp "$tmp/out" "$file"
	elif ! diff -u "$file" "$tmp/out"; then
		FAIL_DEPTH=1 fail "stdout differs from $1.expected (UPDATE=1 rewrites it)"
	fi
}
