# SPDX-License-Identifier: LGPL-2.1-or-later
# verify FILE: Xen's own verifier (verify-stream-v2) and godwit's take an xl save file.
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$XEN_TOOLS/lib/python "$PYTHON" "$XEN_TOOLS/bin/verify-stream-v2" -f xl -i "$1" || exit
"$GODWIT" verify "$1"
