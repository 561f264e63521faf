#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The command line itself: help, version, mistakes, unwritable standard output.
. "$(dirname "$0")/lib.sh"

run_expect 0 "$GODWIT" --version
grep -qE '^godwit [0-9]+\.[0-9]+\.[0-9]+$' out || fail "the version's form"
run_expect 0 "$GODWIT" help --version
out_has "godwit "

run_expect 0 "$GODWIT" --help
out_has "Usage: godwit"
out_has "--connect=URI"
err_is_empty
cp out overview
run_expect 0 "$GODWIT" help
cmp -s out overview || fail "help and --help differ"
run_expect 2 "$GODWIT"
err_has "Usage: godwit"

# Every listed verb has help, in both ways, and a manual page.
verbs=$(sed -n 's/^  \([a-z]\{1,\}\) .*/\1/p' overview)
[ -n "$verbs" ] || fail "no verb is listed"
for verb in $verbs; do
	run_expect 0 "$GODWIT" help "$verb"
	out_has "Usage: godwit $verb"
	cp out text
	run_expect 0 "$GODWIT" "$verb" --help
	cmp -s out text || fail "help $verb and $verb --help differ"
	run_expect 0 "$GODWIT" help --man "$verb"
	for section in NAME SYNOPSIS DESCRIPTION OPTIONS "EXIT STATUS" EXAMPLES; do
		out_has ".SH $section"
	done
	if command -v groff >/dev/null; then
		groff -man -ww -Tutf8 out >/dev/null 2>groff.err || fail "groff refuses the page of $verb"
		[ ! -s groff.err ] || { cat groff.err; fail "groff warns about the page of $verb"; }
	fi
done

# Mistakes are named, with a suggestion.
run_expect 2 "$GODWIT" hepl
err_has 'there is no verb "hepl"; did you mean "help"?'
run_expect 2 "$GODWIT" quetzalcoatl
err_has 'there is no verb "quetzalcoatl"'
run_expect 2 "$GODWIT" --no-such-option
err_has "there is no option --no-such-option"
run_expect 2 "$GODWIT" help --verson
err_has "did you mean --version?"
run_expect 2 "$GODWIT" help -x
err_has "there is no option -x"
run_expect 2 "$GODWIT" help one two
err_has '"two" is one argument too many'
run_expect 2 "$GODWIT" help --progress=sometimes
err_has "--progress takes one of auto|never|json"
run_expect 2 "$GODWIT" help --help=yes
err_has "--help takes no value"
run_expect 2 "$GODWIT" --connect
err_has "--connect needs a value"
run_expect 2 "$GODWIT" --connect= --ver
err_has "there is no option --ver"
run_expect 0 "$GODWIT" -vvcemu: --progress never help -q -- help

# Completions are valid for their shells, and offer the existing verbs and options.
run_expect 0 "$GODWIT" help --completion=bash
bash -n out || fail "bash refuses its completion"
. ./out
# completed LINE: what is offered at its end.
completed()
{
	COMP_LINE=$1 COMP_POINT=${#1}
	last_run="completion of: $1"
	_godwit
	echo "${COMPREPLY[*]}"
}
# offers LINE WORDS
offers()
{
	[ "$(completed "$1")" = "$2" ] || FAIL_DEPTH=1 fail "\"$1\" is completed to: $(completed "$1")"
}
offers "godwit hel" help
offers "godwit --progress=js" json
offers "godwit --progress js" json
offers "godwit -c emu: help --vers" --version
offers "godwit -c em" emu:
offers "godwit -c emu: lis" list
offers "godwit -c emu:?lack=sse2 rec" receive
offers "godwit list -c xe" xen:
offers "godwit restore --accept v" "v3 v2"
offers "godwit restore --accept=v3,l" "v3,legacy"
offers "godwit run --cpu port" "portable portable-intel"
offers "godwit help rest" restore
: >some-file
offers "godwit verify some-f" some-file
offers "godwit verify --json some-f" some-file
offers "godwit save g --report some-f" some-file
offers "godwit save g some-f" some-file
# Domains: where a verb takes one, and only there.
list_of_two() { if [ "$1" = list ]; then printf 'NAME ID\nalpha 1\nalbum 2\n'; fi; }
for verb in pause resume destroy console save migrate; do
	offers "list_of_two $verb al" "alpha album"
	offers "list_of_two -c emu: $verb alp" alpha
done
offers "list_of_two save alpha al" ""
offers "list_of_two save --downtime 5 al" "alpha album"
run_expect 0 "$GODWIT" help --completion=zsh
if command -v zsh >/dev/null; then
	zsh -n out || fail "zsh refuses its completion"
fi

# Results that cannot be written are a failure, which is reported.
[ -e /dev/full ] && { "$GODWIT" --help >/dev/full 2>err; [ $? -eq 3 ] || fail "/dev/full"; }
err_has "No space left on device"
"$GODWIT" --help >&- 2>err
[ $? -eq 3 ] || fail "closed standard output"
err_has "standard output"
mkfifo pipe
exec 8<>pipe 9>pipe 8<&-
"$GODWIT" --help >&9 2>err
[ $? -eq 3 ] || fail "a pipe without reader"
err_has "Broken pipe"
exec 9>&-

# Files of other programs: every verb that reads an image names the format.
foreign()
{
	local name=$1 verb
	{ printf "$2"; head -c 100 /dev/zero; } >foreign
	for verb in "verify foreign" "convert foreign foreign.out" "export --raw foreign foreign.out" "diff foreign foreign" \
		"restore --name foreign foreign"; do
		GODWIT_RUNTIME_DIR=$tmp/run "$GODWIT" $verb >out 2>err
		[ $? != 0 ] || fail "accepted: $verb"
		grep -qE "$name: (this version does not read it|it cannot be converted or restored)" out err ||
			fail "$verb does not name a $name: $(cat out err)"
	done
	run_expect 1 "$GODWIT" inspect foreign
	out_has "$name"
	[ ! -e foreign.out ] || fail "a file is left"
}
foreign "libvirt save file of a Xen domain" 'libvirt-xml\n \0 \r'
foreign "ELF file" '\177ELF\2\1\1'

# Where JSON is described, in the help and in the manual.
for words in "inspect inspect-json.md" "verify inspect-json.md" "diff inspect-json.md" "list control.md" \
	"save report-json.md" "migrate report-json.md"; do
	run_expect 0 "$GODWIT" help "${words% *}"
	out_has "${words#* }"
	[ -e "$here/../../docs/${words#* }" ] || fail "there is no ${words#* }"
	run_expect 0 "$GODWIT" help --man "${words% *}"
	out_has ".SH JSON"
done

# Help in narrow terminals: only what cannot be split is longer.
for width in 40 80; do
	for words in --help "help save" "help receive" "help inspect" "help run"; do
		COLUMNS=$width run_expect 0 "$GODWIT" $words
		awk -v w=$width 'length($0) > w && $0 ~ /[^ ] +[^ ]/ && $0 !~ /^  godwit|^Usage|^  *(-.,|--)/' out >long
		[ ! -s long ] || fail "wider than $width: $(cat long)"
	done
done

# ./dev of the source tree: the list has exactly its jobs, and no terminal's escapes go into a pipe.
dev=$here/../../dev
run_expect 0 "$dev" help
[ "$(sed -n 's/^  \([a-z-]*\) .*/\1/p' out | sort)" = "$(sed -n 's/^cmd_\([a-z_-]*\)().*/\1/p' "$dev" | tr _ - | sort)" ] ||
	fail "other jobs than those of dev"
! grep -q $'\033' out err || fail "escapes in a pipe"
