# SPDX-License-Identifier: LGPL-2.1-or-later
# -c: every verb honours it, or refuses it in words.
. "$(dirname "$0")/domains.sh"
requires xz

kernel=$GODWIT_GUESTS/godwit-guest64.elf
image=$data/xen417/tiny-pvh.save.xz
every="list|pause g|resume g|destroy g|console g|save g f|migrate g unix:x|run $kernel|restore $image|receive unix:x"
files="inspect $image|verify $image|convert $image f|diff $image $image|export --raw $image f"

# each VERBS STATUS URI WORDS: every one of the verbs refuses the uri with these words.
each()
{
	local verb verbs
	IFS='|' read -ra verbs <<<"$1"
	for verb in "${verbs[@]}"; do
		run_expect "$2" "$GODWIT" -c "$3" $verb
		err_has "$4"
		run_expect "$2" "$GODWIT" $verb -c "$3"
	done
}
each "$every|$files" 2 foo 'expected emu:, kvm:, memory: or xen:, with the colon'
each "$every|$files" 2 foo: 'expected emu:, kvm:, memory: or xen:'
each "$every|$files" 2 emu 'with the colon'
each "$every|$files" 2 emu:x 'after "emu:" nothing or "?key=value" is expected'
each "run $kernel|restore $image" 2 "kvm:?colour=red" 'host kvm: has options lack=, offer= and yield_us='
for uri in emu: xen: kvm: memory:; do
	each "$files" 2 $uri 'uses no hypervisor: -c does not apply'
done
each "run $kernel|console g" 2 xen: 'does not work on domains of xen:'
each "list|save g f|restore $image" 2 "xen:?a=1" 'xen: takes no keys'
each "list|pause g|save g f" 2 "emu:?lack=sse2" 'keys are for the host that run, restore or receive creates a domain on'
each "run $kernel" 2 memory: 'memory: only holds domains'
[ ! -e f ] || fail "a file is left"
[ "$("$GODWIT" list | wc -l)" = 1 ] || fail "a domain is left: $(cat out)"

# Domains of two hosts: -c chooses.
tiny
run_expect 0 "$GODWIT" -c memory: restore -d --name held tiny.save
err_has "memory: only holds the domain: its guest does not run"
run_expect 0 "$GODWIT" list
out_has tpvh
out_has held
run_expect 0 "$GODWIT" -c emu: list
out_has tpvh
out_lacks held
run_expect 0 "$GODWIT" -c memory: list
out_has held
out_lacks tpvh
for verb in pause resume "save -k" destroy console "migrate"; do
	rest=
	case $verb in save*) rest=f ;; migrate) rest=unix:x ;; esac
	run_expect 3 "$GODWIT" -c emu: $verb held $rest
	err_has "held is a domain of memory:, not of emu:"
done
run_expect 0 "$GODWIT" -c memory: pause held
run_expect 0 "$GODWIT" -c memory: destroy held
run_expect 0 "$GODWIT" -c emu: save tpvh f
