# SPDX-License-Identifier: LGPL-2.1-or-later
# legacy WIDTH FILE [IMAGE]: the image that Xen 4.5 with tools of this width would have saved of the guest of this xl save
# file; of the tiny PV guest, if none is given.
[ -n "${3:-}" ] || xz -dc "$SOURCE/tests/data/xen417/tiny-pv.save.xz" >tiny.save || exit
"$PYTHON" "$SOURCE/tests/cli/legacy.py" "$1" "${3:-tiny.save}" "$2"
