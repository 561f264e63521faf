#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds the parts of the Xen rig from Debian's packages: build.sh DIR PART...
#
#   base     xen.bin, vmlinuz, dom0.cpio (xl, xenstored, busybox, modules), guest.cpio (a Linux guest's initrd)
#   hvm      model.cpio: the device model of HVM guests
#   disk     disk.img: the disk of the HVM guest; GUEST says where the 32-bit heartbeat guest is
#   tap      tap: what takes the times of the bench
#   shadow   xen-shadow.bin: the hypervisor from Debian's source with shadow paging, which PV live migration needs
#
# A part that is up to date is kept. Packages are downloaded once, into DIR/packages; nothing is installed.
# Exit status: 0 built, 77 something cannot be had here (the last line says what), 1 a step failed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mkdir -p "$1" && cd "$1" && pwd)
shift
xen=4.17
root=$dir/root
libs=usr/lib/x86_64-linux-gnu
modules=(xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xenfs virtio_pci 9pnet_virtio 9p)
base_packages=("xen-hypervisor-$xen-amd64" "xen-utils-$xen" "libxenmisc$xen" xenstore-utils busybox-static libxencall1
	libxendevicemodel1 libxenevtchn1 libxenforeignmemory1 libxengnttab1 libxenhypfs1 libxenstore4 libxentoolcore1
	libxentoollog1 libyajl2 libuuid1 zlib1g liblzma5 libzstd1 libbz2-1.0 libc6 libgcc-s1 libxen-dev)
model_packages=(qemu-system-xen seabios qemu-system-data)

cannot()
{
	echo "$*"
	exit 77
}

# first PATTERN: the first file of that name, nothing if there is none.
first()
{
	compgen -G "$1" | sed -n 1p
}

# unpack FOLDER PACKAGE...: downloads what is not in DIR/packages and unpacks it below the folder.
unpack()
{
	local to=$1 p file
	shift
	mkdir -p "$dir/packages" "$to/.unpacked"
	for p; do
		[ ! -e "$to/.unpacked/$p" ] || continue
		file=$(first "$dir/packages/${p}_*.deb") || true
		if [ -z "$file" ]; then
			(cd "$dir/packages" && apt-get -qq -o APT::Sandbox::User=root download "$p") >"$dir/fetch.log" 2>&1 ||
				cannot "the package $p cannot be had: $(tail -n 1 "$dir/fetch.log")"
			file=$(first "$dir/packages/${p}_*.deb")
		fi
		dpkg-deb -x "$file" "$to"
		touch "$to/.unpacked/$p"
	done
}

# libraries FOLDER PROGRAM...: copies the shared libraries of programs; those of the packages come first.
libraries()
{
	local to=$1 search=$root/$libs:$root/lib/x86_64-linux-gnu out
	shift
	out=$(LD_LIBRARY_PATH=$search ldd "$@" 2>/dev/null) || true
	! grep -q 'not found' <<<"$out" || cannot "a library cannot be had:$(grep -m 1 'not found' <<<"$out")"
	mkdir -p "$to"
	awk '$2 == "=>" && $3 ~ /^\// { print $3 }' <<<"$out" | sort -u | xargs -r cp -nL -t "$to"
}

# archive FOLDER FILE: the folder as an initramfs.
archive()
{
	(cd "$1" && find . -print0 | sort -z | cpio --quiet -0 -o -H newc -R 0:0) >"$2.new"
	mv "$2.new" "$2"
}

# module_files NAME...: kernel modules with those that they need before them.
module_files()
{
	local name file needs
	for name; do
		file=$(find "$root/lib/modules" -name "${name//[-_]/[-_]}.ko" -print -quit)
		[ -n "$file" ] || continue # built into the kernel
		needs=$(tr '\0' '\n' <"$file" | sed -n 's/^depends=//p' | tr '\n,' '  ')
		# shellcheck disable=SC2086 # a list of names
		[ -z "$needs" ] || module_files $needs
		echo "$file"
	done
}

# is_new FILE SOURCE...: the file is there and newer than its sources.
is_new()
{
	local file=$1 source
	shift
	[ -e "$file" ] || return 1
	for source; do
		[ ! "$source" -nt "$file" ] || return 1
	done
}

build_dom0()
{
	local d=$dir/dom0 bin=usr/lib/xen-$xen/bin file
	rm -rf "$d"
	mkdir -p "$d"/{bin,sbin,dev,proc,sys,tmp,out,root,mod,lib64,run/{xen,xenstored,lock}} "$d/$bin" "$d/usr/bin" \
		"$d/usr/lib/xen-$xen/boot" "$d"/etc/xen/scripts "$d"/var/{lib/xen,lib/xenstored,log/xen}
	ln -s ../run "$d/var/run"
	ln -s ../run/lock "$d/var/lock"
	# The list has busybox, too.
	"$root/bin/busybox" --list | while read -r file; do ln -s busybox "$d/bin/$file"; done
	cp --remove-destination "$root/bin/busybox" "$d/bin/"
	for file in xl xenstored xenconsoled xen-init-dom0 libxl-save-helper; do
		cp "$root/$bin/$file" "$d/$bin/"
	done
	cp -L "$root"/usr/bin/xenstore-{read,write,rm,ls} "$d/usr/bin/"
	cp "$root/usr/lib/xen-$xen/boot/hvmloader" "$d/usr/lib/xen-$xen/boot/"
	libraries "$d/lib/x86_64-linux-gnu" "$d/$bin"/* "$d/usr/bin"/*
	# xl loads libgcc_s when it first ends a thread; godwit's programs may link any of Xen's libraries.
	cp -L "$root"/lib/x86_64-linux-gnu/libgcc_s.so.1 "$d/lib/x86_64-linux-gnu/"
	cp -nL "$root/$libs"/libxen*.so.* "$d/lib/x86_64-linux-gnu/"
	cp -L "$root"/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$d/lib64/"
	module_files "${modules[@]}" | awk '!seen[$0]++' | while read -r file; do
		cp "$file" "$d/mod/"
		basename "$file" >>"$d/mod/order"
	done
	printf 'autoballoon="off"\nrun_hotplug_scripts=0\n' >"$d/etc/xen/xl.conf"
	install -m 755 "$here/dom0/init.sh" "$d/init"
	archive "$d" "$dir/dom0.cpio"
}

build_base()
{
	local kernel
	is_new "$dir/dom0.cpio" "$0" "$here/dom0/init.sh" "$here/guests/linux-init.sh" "$here/look.c" "$here/agree.c" && return 0
	kernel=$(first "$dir/packages/linux-image-*_*.deb") || true
	kernel=${kernel##*/}
	kernel=${kernel%%_*}
	[ -n "$kernel" ] || kernel=$(apt-cache depends linux-image-amd64 2>/dev/null |
		sed -n '/Depends: linux-image-/{s/.*: //p; q}')
	[ -n "$kernel" ] || cannot "Debian's kernel package linux-image-amd64 is not known to apt-cache"
	unpack "$root" "${base_packages[@]}" "$kernel"
	# QEMU starts the 32-bit ELF file, not the compressed one.
	zcat "$root/boot/xen-$xen-amd64.gz" >"$dir/xen.bin"
	cp "$root/boot/vmlinuz-${kernel#linux-image-}" "$dir/vmlinuz"
	mkdir -p "$dir/guest/bin"
	cp "$root/bin/busybox" "$dir/guest/bin/"
	install -m 755 "$here/guests/linux-init.sh" "$dir/guest/init"
	archive "$dir/guest" "$dir/guest.cpio"
	gcc -O1 -Wall -o "$dir/agree" "$here/agree.c"
	gcc -O1 -Wall -I"$root/usr/include" -o "$dir/look" "$here/look.c" -L"$root/$libs" -lxenctrl -lxenforeignmemory \
		-Wl,-rpath-link,"$root/$libs"
	build_dom0
}

# The device model and its libraries stay together: they are this machine's, not those of dom0.
build_hvm()
{
	local m=$dir/model from=$dir/model-root
	is_new "$dir/model.cpio" "$0" && return 0
	unpack "$from" "${model_packages[@]}"
	rm -rf "$m"
	mkdir -p "$m"/opt/model/{lib,share} "$m"/usr/{libexec,share/seabios}
	cp "$from/usr/libexec/xen-qemu-system-i386" "$m/opt/model/"
	root=$from libraries "$m/opt/model/lib" "$m/opt/model/xen-qemu-system-i386"
	cp -L /lib64/ld-linux-x86-64.so.2 "$m/opt/model/lib/"
	cp "$from"/usr/share/seabios/{bios-256k,vgabios-stdvga}.bin "$m/usr/share/seabios/"
	cp "$from"/usr/share/seabios/*.bin "$from/usr/share/qemu/kvmvapic.bin" "$m/opt/model/share/"
	cp -r "$from/usr/share/qemu/keymaps" "$m/opt/model/share/"
	cat >"$m/usr/libexec/xen-qemu-system-i386" <<-'END'
		#!/bin/sh
		exec /opt/model/lib/ld-linux-x86-64.so.2 --library-path /opt/model/lib /opt/model/xen-qemu-system-i386 \
			-L /opt/model/share "$@"
	END
	chmod 755 "$m/usr/libexec/xen-qemu-system-i386"
	archive "$m" "$dir/model.cpio"
}

build_disk()
{
	local sectors entry end
	objcopy -O binary "$GUEST" "$dir/disk.flat"
	sectors=$((($(stat -c %s "$dir/disk.flat") + 511) / 512))
	[ $sectors -lt 127 ] || { echo "the guest is too large for its boot sector"; exit 1; }
	entry=0x$(nm "$GUEST" | sed -n 's/ T _start$//p')
	end=0x$(nm "$GUEST" | sed -n 's/ . image_end$//p')
	gcc -m32 -c -DSECTORS=$sectors -DENTRY="$entry" -DEND="$end" -o "$dir/disk.o" "$here/guests/hvm.S"
	ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o "$dir/disk.img" "$dir/disk.o"
	cat "$dir/disk.flat" >>"$dir/disk.img"
	truncate -s 1M "$dir/disk.img"
}

build_tap()
{
	gcc -O1 -Wall -o "$dir/tap" "$here/tap.c"
}

build_shadow()
{
	local s=$dir/source tools=$dir/source/tools apt
	[ ! -e "$dir/xen-shadow.bin" ] || return 0
	mkdir -p "$s"/apt/{lists,cache/archives}/partial "$tools"
	# The release alone: its updates may lack the source.
	awk 'BEGIN { RS = "" } NR == 1' /etc/apt/sources.list.d/debian.sources 2>/dev/null |
		sed 's/^Types: .*/Types: deb-src/' >"$s/src.sources"
	[ -s "$s/src.sources" ] || cannot "no /etc/apt/sources.list.d/debian.sources names where sources are"
	apt=(apt-get -qq -o APT::Sandbox::User=root -o "Dir::Etc::sourcelist=$s/src.sources" -o Dir::Etc::sourceparts=/dev/null
		-o "Dir::State::lists=$s/apt/lists" -o "Dir::Cache=$s/apt/cache")
	compgen -G "$s/xen_*.dsc" >/dev/null ||
		(cd "$s" && "${apt[@]}" update && "${apt[@]}" source --download-only xen) >"$dir/fetch.log" 2>&1 ||
		cannot "the source of Xen cannot be had: $(tail -n 1 "$dir/fetch.log")"
	unpack "$tools" flex bison m4 libfl2 libsigsegv2
	compgen -G "$s/xen-*/xen" >/dev/null || tar -xf "$s"/xen_*.orig.tar.* -C "$s"
	(
		cd "$s"/xen-*/xen
		export PATH=$tools/usr/bin:$PATH LD_LIBRARY_PATH=$tools/$libs BISON_PKGDATADIR=$tools/usr/share/bison \
			M4=$tools/usr/bin/m4 XEN_TARGET_ARCH=x86_64
		sed 's/# CONFIG_SHADOW_PAGING is not set/CONFIG_SHADOW_PAGING=y/' "$root/boot/xen-$xen-amd64.config" >.config
		make olddefconfig </dev/null
		make -j"$(nproc)" debug=n </dev/null
		zcat xen.gz >"$dir/xen-shadow.bin.new"
	) >"$dir/shadow.log" 2>&1 || { tail -n 20 "$dir/shadow.log"; echo "the hypervisor could not be built"; exit 1; }
	mv "$dir/xen-shadow.bin.new" "$dir/xen-shadow.bin"
}

for need in apt-get apt-cache dpkg-deb cpio gcc zcat; do
	command -v $need >/dev/null || cannot "$need is not installed"
done
[ "$(uname -m)" = x86_64 ] || cannot "the rig is for x86_64"
for part; do
	"build_$part"
done
