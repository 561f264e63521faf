# SPDX-License-Identifier: LGPL-2.1-or-later
# "godwit -c xen:" where no Xen runs: each verb gives the reason, and none needs Xen's libraries to start.
. "$(dirname "$0")/../cli/lib.sh"
[ ! -e /dev/xen/privcmd ] || skip "this machine runs Xen"

ldd "$GODWIT" | grep -q -i xen && fail "the command links Xen's libraries: $(ldd "$GODWIT")"
for words in list "pause g" "resume g" "destroy g" "save g g.save" "restore $data/xen417/tiny-pvh.save.xz"; do
	run_expect 3 "$GODWIT" -c xen: $words
	err_has "libxl cannot be used (does this machine run Xen?)"
done
[ ! -e g.save ] || fail "a file is left of the save"

# A migration needs its address first.
run_expect 3 "$GODWIT" -c xen: migrate g unix:nobody
err_has "unix:nobody"

# Options of godwit's own domains.
for option in --force-pause --allow-loss --trace=t --suspend-timeout=1; do
	run_expect 2 "$GODWIT" -c xen: migrate $option g unix:nobody
	err_has "${option%=*} does not apply to domains of xen:"
done
run_expect 2 "$GODWIT" -c xen: save --force-pause g g.save
err_has "--force-pause does not apply to domains of xen:"

# Without the plugin.
export GODWIT_PLUGINS=$tmp
run_expect 3 "$GODWIT" -c xen: list
err_has "the plugin xl cannot be used"
