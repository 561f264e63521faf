/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of rules: every demand on every layer, once. Errors are what Xen's own reader
 * refuses and what would be unsafe to apply; warnings break the specification, but a released
 * Xen writes them or reads them without harm; notes are worth knowing.
 */
#include "format/rules/internal.h"

#define XEND	    "XendCheckpoint.py of Xen 4.4, "
#define LIBXC	    "libxc-migration-stream, "
#define LIBXL	    "libxl-migration-stream, "
#define XL	    "xl_cmdimpl (save file header)"
#define READER	    "Xen's reader, "
#define JSON	    "libxl_json.c, "
#define CREATE	    "libxl_create.c, "
#define LEGACY	    "xg_save_restore.h of Xen 4.5"
#define OLD	    "Xen's legacy reader, "
#define QEMU_SAVEVM "migration/savevm.c of QEMU, "
#define LIBVIRT	    "qemu_saveimage.c of libvirt, "
#define SETS	    "Xen's hypervisor, "

/* Xen's hypervisor, of an HVM guest's state. */
#define SET_PARAM "Xen's hvm_set_param"
#define LOAD	  "Xen's hvm_load"
#define LOAD_CPU  "Xen's hvm_load_cpu_ctxt"
#define LOAD_MSRS "Xen's hvm_load_cpu_msrs"

/* Of Xen 4.since to 4.until; 0: no bound. */
#define RULE(since, until, level, layer, id, text, source, deep)                                   \
	{                                                                                          \
		id, layer, GW_LEVEL_##level, text, source, deep, since, until                      \
	}
#define ERROR(layer, id, text, source)	 RULE(0, 0, ERROR, layer, id, text, source, false)
#define WARNING(layer, id, text, source) RULE(0, 0, WARNING, layer, id, text, source, false)
#define NOTE(layer, id, text, source)	 RULE(0, 0, NOTE, layer, id, text, source, false)
/* An error to some releases only: to the others the image is good. */
#define ERROR_IN(since, until, layer, id, text, source)                                            \
	RULE(since, until, ERROR, layer, id, text, source, false)
#define DEEP(level, layer, id, text, source) RULE(0, 0, level, layer, id, text, source, true)

/* clang-format off */
const struct gw_rule gw_rules_table[GW_NR_RULES] = {
#include "format/rules/table_layers.inc"
#include "format/rules/table_image.inc"
#include "format/rules/table_hvm.inc"
#include "format/rules/table_deep.inc"
#include "format/rules/table_savevm.inc"
#include "format/rules/table_libvirt.inc"
};
