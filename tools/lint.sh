#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What can be said of the source without running it. Every check runs; any that finds
# something makes the exit status 1.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
status=0
bad() { printf 'lint: %s\n' "$*"; status=1; }

check_format() {
	local f
	while read -r f; do
		clang-format --dry-run -Werror "$f" >/dev/null 2>&1 || bad "$f: clang-format would change it"
	done < <(git ls-files 'src/*.[ch]' 'include/*.h' 'tests/*.[ch]' 'guests/*.[ch]' 'fuzz/*.[ch]' 'bench/*.[ch]')
}

check_heads() {
	local f
	while read -r f; do
		head -5 "$f" | grep -q 'SPDX-License-Identifier: LGPL-2.1-or-later' || bad "$f: no SPDX line at its head"
	done < <(git ls-files '*.[chS]' '*.sh' '*.py' '*meson.build' dev)
}

check_lengths() {
	local f n
	while read -r n f; do
		[ "$f" = total ] || [ "$n" -le 700 ] || bad "$f: $n lines; what two things is it?"
	done < <(git ls-files 'src/*.[ch]' 'include/*.h' 'tests/*.[ch]' 'guests/*.[ch]' 'fuzz/*.[ch]' 'bench/*.[ch]' | xargs wc -l)
}

check_arrows() {
	python3 tools/check_arrows.py || bad "a room reaches where it may not"
}

# The symbols are those of the compilers' builds: after check_compilers.
check_circles() {
	python3 tools/check_circles.py build-lint-gcc || bad "files need each other in a circle"
}

check_references() {
	python3 tools/check_references.py || bad "a comment names what is not there"
}

check_words() {
	local line
	while read -r line; do
		bad "$line: unfinished"
	done < <(git grep -nwE 'TODO|FIXME|XXX' -- src include tests guests fuzz bench)
}

# Phrases that make a sentence hard to read. CLEAN in the script lists the paths.
check_english() {
	python3 tools/check_english.py --self-test && python3 tools/check_english.py || bad "check_english"
}

check_compilers() {
	local cc dir
	for cc in gcc clang; do
		dir=build-lint-$cc
		[ -f "$dir/build.ninja" ] || CC=$cc meson setup "$dir" >/dev/null || { bad "$cc: setup"; continue; }
		ninja -C "$dir" >"$dir/log" 2>&1 || { cat "$dir/log"; bad "$cc: the build has warnings or fails"; }
	done
}

check_cppcheck() {
	# ctunullpointer: sizeof(err->text) is taken for a use of err. memleak: the cleanup attribute is not
	# known. internalAstError: cppcheck 2.10 cannot read some of GNU C.
	cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingInclude --suppress=unknownMacro --suppress=ctunullpointer \
		--suppress=memleak --suppress=internalAstError -Iinclude -Isrc src || bad "cppcheck"
}

check_tidy() {
	local log=build-lint-clang/tidy.log
	# One that cannot run at all finds nothing, too: its status counts.
	git ls-files 'src/*.c' | xargs -P "$(nproc)" -n 8 clang-tidy --quiet -p build-lint-clang >"$log" 2>"$log.err" ||
		{ tail -n 5 "$log.err"; bad "clang-tidy failed"; }
	grep -E 'warning:|error:' "$log" && bad "clang-tidy"
}

check_heads
check_lengths
check_arrows
check_references
check_words
check_english
check_format
check_cppcheck
check_compilers
check_circles
check_tidy
[ $status = 0 ] && echo "lint: nothing found"
exit $status
