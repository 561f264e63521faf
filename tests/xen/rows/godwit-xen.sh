# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The verbs of "godwit -c xen:": godwit-xen-ACTION.

godwit_xen()
{
	local verb=$1
	shift
	"$prefix/bin/godwit" -c xen: "$verb" "$@"
}

needs_plugin()
{
	[ -n "$(find $prefix/lib -path '*/godwit/xl.so')" ] || skip "no plugin for libxl's domains in this build"
	use_helper stock
}

# What godwit saves, xl restores, and the other way round. xl sees the domain as its own.
gx_save_restore()
{
	local before
	needs_plugin
	make_guest "$1"
	arm
	before=$(beats)
	must "godwit -c xen: save" timeout 100 "$prefix/bin/godwit" -v -c xen: save "$domain" image
	[ -z "$(domain_id)" ] || fail "the domain is still there after the save"
	must "xl restore" timeout 100 xl restore image
	counts_on "$before"
	arm
	before=$(beats)
	must "xl save" timeout 100 xl save "$domain" image
	must "godwit -c xen: restore" timeout 100 "$prefix/bin/godwit" -v -c xen: restore image
	counts_on "$before"
	godwit_xen list | grep -q "^$domain " || fail "godwit -c xen: list does not show the domain"
	must "xl destroy" xl destroy "$domain"
}

# receive_here: starts a receiver and sets $address.
receive_here()
{
	"$prefix/bin/godwit" -v -c xen: receive "$@" tcp:127.0.0.1:0 >address 2>received </dev/null &
	receiver=$!
	until_true 20 test -s address || fail "the receiver does not listen: $(cat received)"
	address=$(head -n 1 address)
}

gx_migrate()
{
	local before
	needs_plugin
	make_guest "$1"
	arm
	before=$(beats)
	receive_here
	must "godwit -c xen: migrate" timeout 150 "$prefix/bin/godwit" -v -c xen: migrate --report report "$domain" "$address"
	wait $receiver || fail "the receiver: $(tail -n 1 received)"
	cat received
	[ "$(count_domains)" = 1 ] || fail "there are $(count_domains) domains after the migration"
	grep -q '"migration"' report || fail "the report does not name the migration"
	counts_on "$before"
}

# SIGTERM while memory is sent: the domain runs on at the source, and the receiver has nothing.
gx_cancel()
{
	local before
	needs_plugin
	make_guest "$1"
	arm
	before=$(beats)
	receive_here
	timeout 150 "$prefix/bin/godwit" -c xen: migrate --bandwidth 100K "$domain" "$address" >said 2>&1 </dev/null &
	until_true 60 xl domid "$domain--incoming" || fail "no domain comes into being at the receiver"
	kill -TERM $(pidof godwit | tr ' ' '\n' | grep -v -x $receiver)
	wait $!
	status=$?
	cat said
	[ $status = 4 ] || fail "exit status $status after a cancel, expected 4"
	until_true 20 one_domain || fail "there are $(count_domains) domains after the cancel"
	kill $receiver
	counts_on "$before"
}

one_domain()
{
	[ "$(count_domains)" = 1 ]
}

# A name in use: refused before a page is sent.
gx_refuse()
{
	local before
	needs_plugin
	make_guest "$1"
	arm
	before=$(beats)
	receive_here --name Domain-0
	try timeout 150 "$prefix/bin/godwit" -c xen: migrate "$domain" "$address"
	status=$?
	[ $status = 1 ] || fail "exit status $status, expected 1"
	grep -q "the name Domain-0 is in use" said || fail "the reason is not given: $(cat said)"
	one_domain || fail "there are $(count_domains) domains after the refusal"
	kill $receiver
	counts_on "$before"
}

row godwit-xen-save gx_save_restore pvh64
row godwit-xen-save-pv gx_save_restore pv
row godwit-xen-migrate gx_migrate pvh64
row godwit-xen-migrate-hvm gx_migrate hvm
row godwit-xen-cancel gx_cancel pvh64
row godwit-xen-refuse gx_refuse pvh64
