# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What rows of the matrix share. A row runs one domain, named like the row ($chosen), of one of these kinds:
#
#   pvh32 pvh64 pv      the project's heartbeat guests; they check each page that they keep and count in a page at pfn 0x100
#   hvm                 the 32-bit one again, from a disk, with a device model
#   linux-pv linux-pvh  Debian's kernel with one process, which checks files and counts on its console
prefix=/usr/local
libexec=$prefix/libexec/godwit
patience=40 # seconds that a guest may take for three beats
domain=$chosen

say()
{
	echo "[$(cut -d' ' -f1 /proc/uptime)] $*"
}

fail()
{
	say "FAIL: $*"
	echo "$*" | tr '\n' ' ' >/tmp/row/verdict
	exit 1
}

skip()
{
	echo "$*" >/tmp/row/verdict
	exit 77
}

# until_true SECONDS COMMAND...: waits until the command succeeds; 1 if it never does.
until_true()
{
	local end=$(($(cut -d. -f1 /proc/uptime) + $1))
	shift
	while ! "$@"; do
		[ "$(cut -d. -f1 /proc/uptime)" -lt $end ] || return 1
		sleep 0.1
	done
}

# on_host SCRIPT ARGUMENT...: runs tests/xen/host/SCRIPT.sh on the host, in the folder that is /out here. Its output is
# printed, its exit status returned.
on_host()
{
	local ask=/out/ask
	say "on the host: $*"
	rm -f $ask.*
	echo "$*" >$ask.new
	mv $ask.new $ask.now
	until_true 200 test -e $ask.status || fail "the host does not answer: $*"
	cat $ask.output
	return "$(cat $ask.status)"
}

# verify FILE: Xen's own verifier and godwit's take it, on the host.
verify()
{
	cp "$1" /out/image
	on_host verify image || fail "a verifier does not take the image: $(tail -n 1 /out/ask.output)"
	rm /out/image
}

# use_helper stock|godwit: who saves and restores for the xl commands from here on.
use_helper()
{
	unset LIBXL_SAVE_HELPER
	[ "$1" = godwit ] || return 0
	[ -x $libexec/godwit-save-helper ] || skip "no godwit-save-helper in this build"
	export LIBXL_SAVE_HELPER=$libexec/godwit-save-helper
}

# try COMMAND...: runs it with its output in ./said and in the log; its status.
try()
{
	local status
	say "$*"
	"$@" >said 2>&1 </dev/null
	status=$?
	show
	say "exit status $status"
	return $status
}

# What the last command printed, without each step of its progress.
show()
{
	grep -v ' Frames: ' said
}

# must WHAT COMMAND...: the row fails if the command does, with the first error that it printed.
must()
{
	local what=$1
	shift
	try "$@" || fail "$what: $(why)"
}

# The first error in what the last command printed.
why()
{
	grep -m 1 -i -e error -e fail said || tail -n 1 said
}

# domain_id [NAME]: nothing if there is no such domain.
domain_id()
{
	xl domid "${1:-$domain}" 2>/dev/null
}

# The flags of the domain in xl list: r-----, ---s--, ----c-.
domain_flags()
{
	xl list "$domain" 2>/dev/null | awk 'NR == 2 { print $5 }'
}

# How many domains there are beside dom0.
count_domains()
{
	xl list | awk 'NR > 1 && $2 > 0' | wc -l
}

# find_domain: sets $id, which the functions below use. xl is slow here.
find_domain()
{
	id=$(domain_id)
	[ -n "$id" ] || fail "there is no domain any more"
}

# read_header: the first words of the heartbeat guest's page (struct hb_header in guests/layout.h) as $port, $beats and
# $resumes; 0 if the guest has not begun.
read_header()
{
	port=0 beats=0 resumes=0
	set -- $(/rig/look "$id" 0x100 0 6 2>/dev/null)
	# The magic begins with "GODW", the version is 1.
	[ "${1:-} ${3:-}" = "1464094535 1" ] || return 0
	port=$4 beats=$5 resumes=$6
}

# The count of the guest, 0 if it has not begun.
beats()
{
	case $kind in
	linux-*)
		beats=$(cat /out/console/guest-"$domain"*.log 2>/dev/null | sed -n 's/.*beat \([0-9]*\) ok.*/\1/p' | sort -n | tail -n 1)
		;;
	*) read_header ;;
	esac
	echo "${beats:-0}"
}

has_beaten()
{
	[ "$(beats)" -ge "$1" ]
}

# saver: the process that saves, also while another one restores on this host.
saver()
{
	local pid
	for pid in $(pidof libxl-save-helper godwit-save-helper); do
		! tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -e "--save-domain" || echo "$pid"
	done
}

# What a guest says that has found a bad page.
complaint()
{
	{
		xl dmesg | grep -a "(d$id).*CORRUPT"
		grep -ah CORRUPT /out/console/guest-"$domain"*.log 2>/dev/null
	} | tail -n 1
}

# counts_on BEATS: the domain runs and its count goes on from there, page after page without a fault.
counts_on()
{
	local from=$1 now
	find_domain
	now=$(beats)
	[ "$now" -ge "$from" ] || fail "the count went back from $from to $now"
	until_true $patience has_beaten $((now + 3)) ||
		fail "the count stands at $(beats), after $from before; the domain is $(domain_flags) $(complaint)"
	[ -z "$(complaint)" ] || fail "the guest found a bad page: $(complaint)"
	say "counts: $from before, $now at once, $(beats) now"
}

# configure KIND: writes ./config and sets $kind. $settings is added to it.
configure()
{
	kind=$1
	{
		echo "name='$domain'"
		echo "vcpus=1" # without it xl computes too little memory for paging
		echo "on_crash='preserve'"
		echo "on_poweroff='preserve'"
		case $kind in
		pv) echo "type='pv'; kernel='/rig/guests/godwit-guest-pv.elf'; memory=${memory:-8}; maxmem=${memory:-8}" ;;
		pvh*) echo "type='pvh'; kernel='/rig/guests/godwit-guest${kind#pvh}.elf'; memory=${memory:-8}; maxmem=${memory:-8}" ;;
		hvm)
			[ -x /usr/libexec/xen-qemu-system-i386 ] || skip "no device model in this rig: $(cat /out/no-model 2>/dev/null)"
			echo "type='hvm'; memory=16; maxmem=16; boot='c'; xen_platform_pci=0; usb=0; vga='none'; vnc=0; serial='none'"
			echo "disk=['format=raw,vdev=hda,access=rw,backendtype=qdisk,target=/tmp/row/disk.img']"
			cp /rig/guests/disk.img .
			;;
		linux-*)
			echo "type='${kind#linux-}'; kernel='/rig/guests/vmlinuz'; ramdisk='/rig/guests/guest.cpio'; memory=128"
			echo "extra='console=hvc0 panic=-1 quiet'"
			;;
		esac
		case $kind in
		pv*) echo "extra='${options:-} seed=5 pages=64 period=100'" ;;
		esac
		echo "${settings:-}"
	} | tr ';' '\n' | sed 's/^ *//' >config
}

# make_guest KIND: creates the row's domain and waits until it counts. A heartbeat guest has $memory MiB, and $options comes
# first in its command line, where an option counts.
# A Linux guest boots once; later rows restore what the first one saved then.
make_guest()
{
	configure "$1"
	case $kind in linux-*)
		[ -e "/tmp/$kind.save" ] || boot_linux
		must "Xen's restore of the booted guest" xl restore config "/tmp/$kind.save"
		find_domain
		until_true 40 has_beaten 1 || fail "the Linux guest does not count after its restore"
		return
		;;
	esac
	must "xl create" timeout 100 xl create config
	find_domain
	until_true 60 has_beaten 3 || fail "the guest does not start to count: $(domain_flags) $(complaint)"
}

boot_linux()
{
	must "xl create" timeout 100 xl create config
	find_domain
	until_true 120 has_beaten 3 || fail "the Linux guest does not start to count"
	must "Xen's save of the booted guest" xl save "$domain" "/tmp/$kind.save"
}

# arm: publishes the port at which a heartbeat guest takes suspend requests, as a driver in it would. Needed before each
# save and migration, because a restored guest has another port.
arm()
{
	case $kind in
	pv | pvh*)
		read_header
		xenstore-write "/local/domain/$id/device/suspend/event-channel" "$port"
		;;
	esac
}

# migrate SENDER RECEIVER [OPTION...]: xl's live migration to this host, with the helper of each side.
migrate()
{
	local receiver=$2
	use_helper "$receiver"
	use_helper "$1"
	shift 2
	try timeout 150 xl -v migrate "$@" -s "/rig/dom0/receive.sh $receiver" "$domain" localhost
}
