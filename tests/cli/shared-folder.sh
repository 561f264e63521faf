# SPDX-License-Identifier: LGPL-2.1-or-later
# What another user has put into a folder that all may write to: no file of that folder is followed, filled, read or
# believed because of it, whatever fs.protected_* says.
. "$(dirname "$0")/domains.sh"
requires xz mkfifo python3
[ "$(id -u)" = 0 ] || skip "only root can make the files of another user"
other=12345

# The folders: a shared one, one of the other user in it, and one of root's that a link would lead to.
mkdir shared mine
chmod 1777 shared
mkdir shared/theirs
chown $other shared/theirs
chmod 755 .
xz -dc "$data/xen417/tiny-pvh.save.xz" >mine/image
tiny

# planted PATH KIND: the file of that kind, of the other user, in the place of whatever is there.
planted()
{
	rm -rf "$1"
	case $2 in
	fifo) mkfifo "$1" ;;
	link) ln -s "$tmp/mine/victim" "$1" ;;
	socket) python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$1" ;;
	device) mknod "$1" c 1 5 ;;
	esac
	chown -h $other "$1"
}

# refused PATH NOUN COMMAND...: it fails, says why, and the victim stays as it was.
refused()
{
	local path=$1 noun=$2
	shift 2
	echo victim >mine/victim
	timeout 20 "$@" >out 2>err </dev/null
	local status=$?
	last_run=$*
	[ $status != 0 ] && [ $status != 124 ] || fail "exit status $status"
	err_has "$path: refused: a $noun"
	err_has "of user $other lies in"
	err_has "where other users can create files"
	[ "$(cat mine/victim)" = victim ] || fail "root's file has changed"
}

for folder in shared shared/theirs; do
	x=$folder/x
	for kind in fifo link socket device; do
		case $kind in
		link) noun="symbolic link" ;;
		fifo) noun=FIFO ;;
		*) noun=$kind ;;
		esac
		planted $x $kind
		refused $x "$noun" "$GODWIT" save -k tpvh $x
		refused $x "$noun" "$GODWIT" save -k --live --trace $x tpvh mine/new
		refused $x "$noun" "$GODWIT" save -k --report $x tpvh mine/new
		refused $x "$noun" "$GODWIT" convert mine/image $x
		refused $x "$noun" "$GODWIT" convert $x mine/new
		refused $x "$noun" "$GODWIT" export --raw mine/image $x
		refused $x "$noun" "$GODWIT" inspect $x
		refused $x "$noun" "$GODWIT" verify $x
		refused $x "$noun" "$GODWIT" diff mine/image $x
		refused $x "$noun" "$GODWIT" policy $x
		refused $x "$noun" "$GODWIT" restore $x
		refused $x "$noun" "$GODWIT" run --name n $x
		refused $x "$noun" "$GODWIT" migrate tpvh unix:$x
		refused $x "$noun" "$GODWIT" migrate --tls-psk $x tpvh tls:127.0.0.1:1
		refused $x "$noun" env GODWIT_CONF=$x "$GODWIT" receive tcp::0
		[ $kind = link ] || refused $x "$noun" "$GODWIT" receive unix:$x
		assert_state tpvh running
	done
	# A link in the middle of a path.
	planted $folder/way link
	ln -sfn "$tmp/mine" $folder/way
	chown -h $other $folder/way
	refused $folder/way/image "symbolic link" "$GODWIT" inspect $folder/way/image
	refused $folder/way/victim "symbolic link" "$GODWIT" save -k tpvh $folder/way/victim
	# A second name of another user's file, and of root's.
	rm -f $x
	cp mine/image mine/theirs
	chown $other mine/theirs
	ln mine/theirs $x
	refused $x "file with several names (hard links)" "$GODWIT" inspect $x
	rm -f $x mine/theirs
	# Nobody else may say what is trusted.
	echo 'accept = v3' >$x
	chown $other $x
	refused $x file env GODWIT_CONF=$x "$GODWIT" receive tcp::0
	echo 'a:00112233445566778899aabbccddeeff' >$x
	chmod 600 $x
	refused $x file "$GODWIT" receive --tls-psk $x tls:127.0.0.1:0
	rm -f $x
done

# Root's own links and FIFOs, and the images of others, work there as everywhere.
rm -f shared/way
ln -s "$tmp/mine" shared/way
cp mine/image shared/image
chown $other shared/image
run_expect 0 "$GODWIT" verify shared/way/image
run_expect 0 "$GODWIT" verify shared/image
ln -s "$tmp/mine/saved" shared/saved
run_expect 0 "$GODWIT" save -k tpvh shared/saved
[ -L shared/saved ] && [ -s mine/saved ] || fail "a link of root's own was not followed"
mkfifo shared/fifo
cat shared/fifo >piped &
started+=($!)
run_expect 0 "$GODWIT" save -k tpvh shared/fifo
wait $!
run_expect 0 "$GODWIT" verify piped
# A file of another user is replaced, never written into.
ln shared/image second
run_expect 0 "$GODWIT" save -k tpvh shared/way/new
cmp -s shared/image second || fail "a file of another user was written into"
# In a folder that only its owner can write to, the owner decides.
mkdir home
chown $other home
ln -s "$tmp/mine/image" home/link
chown -h $other home/link
run_expect 0 "$GODWIT" verify home/link
# Pipes and files that the shell has opened.
run_expect 0 "$GODWIT" verify <(cat mine/image)
"$GODWIT" convert mine/image /dev/stdout >direct || fail "/dev/stdout"
run_expect 0 "$GODWIT" verify direct
# A socket there, for users that root allows.
"$GODWIT" receive --allow-uid "$other,0" "unix:$tmp/shared/in" >o 2>receiver.err &
started+=($!)
until_true 20 test -s o
run_expect 0 "$GODWIT" migrate tpvh "unix:$tmp/shared/in"
until_true 20 is_state tpvh running
