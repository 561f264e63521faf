#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The library as an embedder gets it: each public header compiles alone, as C and as C++, in strict modes; pkg-config
# finds the installed library, which exports every function that the headers declare.
# usage: installed.sh SOURCE BUILD SANITIZE CXX CC...   (CXX "" if there is none)
set -eu
source=$1 build=$2 sanitize=$3 cxx=$4
shift 4
cc=$*
[ "$sanitize" = none ] || { echo "a sanitized library asks for more of a program than -lgodwit"; exit 77; }
command -v pkg-config >/dev/null || { echo "pkg-config is not here"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

DESTDIR=$dir meson install -C "$build" --no-rebuild --quiet >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
pc=$(find "$dir" -name libgodwit.pc)
lib=$(dirname "$(find "$dir" -name libgodwit.so)")
export PKG_CONFIG_PATH="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$dir" PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1
cflags=$(pkg-config --cflags libgodwit)
libs=$(pkg-config --libs libgodwit)
include=$(pkg-config --variable=includedir libgodwit)
case $include in "$dir"*) ;; *) include=$dir$include ;; esac

failed=0
check() { # LANGUAGE HEADER COMPILER FLAGS...
	language=$1 header=$2
	shift 2
	if ! printf '#include <godwit/%s>\n' "$header" |
		"$@" -Wall -Wextra -Wpedantic -Werror -I"$include" -fsyntax-only -x "$language" -; then
		echo "godwit/$header does not compile alone: $*"
		failed=1
	fi
}

count=0
for header in "$source"/include/godwit/*.h; do
	name=${header##*/}
	[ -f "$include/godwit/$name" ] || { echo "godwit/$name is not installed"; failed=1; continue; }
	# shellcheck disable=SC2086 # a compiler and its flags
	check c "$name" $cc -std=c11 -D_GNU_SOURCE
	# shellcheck disable=SC2086
	check c "$name" $cc -std=c17
	[ -z "$cxx" ] || check c++ "$name" "$cxx" -std=c++17
	count=$((count + 1))
done
[ "$count" -gt 0 ] || { echo "no headers in $source/include/godwit"; exit 1; }

cat >"$dir/embedder.c" <<'END'
#include <stdio.h>
#include <godwit/cancel.h>
#include <godwit/channel.h>
int main(void)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *ch = gw_channel_create("/dev/null", &err);

	if (!ch || gw_channel_write(ch, "x", 1, &err) || gw_channel_finish(ch, &err)) {
		puts(err.text);
		return 1;
	}
	gw_channel_close(ch);
	return 0;
}
END
# shellcheck disable=SC2086 # lists of flags
$cc "$dir/embedder.c" $cflags $libs -o "$dir/embedder"
LD_LIBRARY_PATH=$lib "$dir/embedder"
if [ -n "$cxx" ]; then
	# shellcheck disable=SC2086
	"$cxx" -x c++ "$dir/embedder.c" -x none $cflags $libs -o "$dir/embedder"
	LD_LIBRARY_PATH=$lib "$dir/embedder"
fi

# The library exports every function that a header declares, apart from inline ones and function types.
cat "$include"/godwit/*.h | tr '\n' ' ' | sed 's|/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/||g' >"$dir/text"
grep -oE '(static inline|typedef) [^(;]*\(' "$dir/text" | grep -oE 'gw_[a-z0-9_]+\(' | tr -d '(' | sort -u >"$dir/defined"
grep -oE '\bgw_[a-z0-9_]+\(' "$dir/text" | tr -d '(' | sort -u | comm -23 - "$dir/defined" >"$dir/declared"
nm -D --defined-only "$lib/libgodwit.so" | awk '$2 != "A" {sub(/@.*/, "", $3); print $3}' | sort -u >"$dir/shown"
missing=$(comm -23 "$dir/declared" "$dir/shown")
[ -z "$missing" ] || { echo "declared, and not in libgodwit.so: $missing"; failed=1; }
extra=$(comm -13 "$dir/declared" "$dir/shown" )
[ -z "$extra" ] || { echo "in libgodwit.so, and not declared: $extra"; failed=1; }
echo "$count headers, $(wc -l <"$dir/declared") functions"
exit $failed
