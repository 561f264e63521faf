# SPDX-License-Identifier: LGPL-2.1-or-later
# The VM generation id: kept by the first restore of an image and by a migration, new in every later restore; and the
# warning about two domains of one uuid.
. "$(dirname "$0")/domains.sh"
requires python3 xz

# patch FILE ADDRESS: the tiny PVH guest, with the param VM_GENERATION_ID_ADDR in the place of another one.
patch()
{
	xz -dc "$data/xen417/tiny-pvh.save.xz" | python3 "$here/change.py" set_param 27 34 "$2" >"$1" || fail "no $1"
}
# genid NAME: the id in the memory of a running domain, in $genid.
genid()
{
	rm -f copy
	"$GODWIT" save -k --allow-loss "$1" copy 2>/dev/null || fail "$1 cannot be saved"
	genid="$(word copy 0x211 0x10) $(word copy 0x211 0x14) $(word copy 0x211 0x18) $(word copy 0x211 0x1c)"
}
# restored NAME FILE [OPTION...]: it runs, with what it says in ./err.
restored()
{
	local name=$1 file=$2
	shift 2
	run_expect 0 "$GODWIT" restore -d "$@" --name "$name" "$file"
	assert_state "$name" running
}
none="0x0 0x0 0x0 0x0"

tiny probe # no machine: skipped
patch image 0x211010

# The first restore changes nothing.
restored one image
err_is_empty
genid one
[ "$genid" = "$none" ] || fail "the first restore has written $genid"
cp copy later

# The second one, of a copy of the file in another form: another id, and a word about the uuid.
xz -0 -k image && mv image.xz copy.xz
restored two copy.xz
err_has "this image was restored here before, with the same uuid 21436ef1-f91f-43fd-af89-6694c364eedc"
err_has '"one" has that uuid, too'
err_has "its guest gets a new VM generation id"
genid two
second=$genid
[ "$second" != "$none" ] || fail "the second restore has no new id"
genid one
[ "$genid" = "$none" ] || fail "the first domain's id changed to $genid"

# A third has one of its own; a migration keeps it.
run_expect 0 "$GODWIT" destroy one
restored three image
genid three
third=$genid
[ "$third" != "$none" ] && [ "$third" != "$second" ] || fail "the third id is $third, the second $second"
receiver
run_expect 0 "$GODWIT" migrate three "$address"
until_true 5 is_state three running
genid three
[ "$genid" = "$third" ] || fail "the migration changed $third to $genid"

# A later snapshot of the same guest is another image.
restored four later
err_is_empty

# On request, also the first time.
export GODWIT_RUNTIME_DIR=$tmp/other
restored five image --new-genid
err_is_empty
genid five
[ "$genid" != "$none" ] || fail "--new-genid has no effect"
restored six image --new-genid
err_has "restored here before"
for name in five six; do
	run_expect 0 "$GODWIT" destroy $name
done

# A guest without an id, and ids in places where no guest has one: the restore goes on, unless a new one was asked for.
plain=$tmp/tiny.save
restored plain "$plain"
err_is_empty
restored again "$plain"
err_has "no VM generation id by which it could notice that"
run_expect 1 "$GODWIT" restore -d --new-genid --name never "$plain"
err_has "the guest has no VM generation id"
assert_state never ""
for place in 0x211ff8 0xfffffffff000; do
	patch bad $place
	restored bad bad
	err_is_empty
	run_expect 0 "$GODWIT" destroy bad
	restored bad bad
	err_has "the VM generation id at $place"
	run_expect 0 "$GODWIT" destroy bad
	run_expect 1 "$GODWIT" restore -d --new-genid --name never bad
	err_has "the VM generation id at $place"
	assert_state never ""
done
kill -9 $(domain_ids)
export GODWIT_RUNTIME_DIR=$tmp/run

# Of a guest of type hvm the config has it, too, and the next image brings both.
xz -dc "$data/xen417/tiny-hvm.save.xz" | python3 "$here/change.py" set_param 27 34 0x30100 >hvm.save
run_expect 0 "$GODWIT" -c memory: restore -d --new-genid hvm.save
run_expect 0 "$GODWIT" save thvm next.save
python3 - next.save "$(word next.save 0x30 0x100) $(word next.save 0x30 0x104) $(word next.save 0x30 0x108) $(word next.save 0x30 0x10c)" <<'END' ||
import json, struct, sys
data = open(sys.argv[1], "rb").read()
length, = struct.unpack_from("<I", data, 44)
config = data[48 + 4:48 + length].rstrip(b"\0")
config = json.loads(config[config.index(b"{"):])
genid = bytes(config["b_info"]["type.hvm"]["ms_vm_genid"])
words = [int(w, 0) for w in sys.argv[2].split()]
assert struct.unpack("<4I", genid) == tuple(words) and any(words), (genid, words)
END
	fail "the config has another id than the memory"
