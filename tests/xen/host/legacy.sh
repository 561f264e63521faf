# SPDX-License-Identifier: LGPL-2.1-or-later
# legacy WIDTH FILE: the image that Xen 4.5 with tools of this width would have saved of the tiny PV guest.
xz -dc "$SOURCE/tests/data/xen417/tiny-pv.save.xz" >tiny.save &&
	"$PYTHON" "$SOURCE/tests/cli/legacy.py" "$1" tiny.save "$2"
