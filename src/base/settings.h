/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads a file of settings: lines KEY = VALUE, empty lines, and comments that begin with '#'.
 */
#ifndef GW_BASE_SETTINGS_H
#define GW_BASE_SETTINGS_H

#include <godwit/error.h>

/* One setting of the file at path, without blanks around key and value. 0 or -1. */
typedef int gw_setting(void *opaque, const char *key, const char *value, const char *path,
		       struct gw_error *err);

/* The most bytes of a file of settings. */
#define GW_SETTINGS_MAX (64u << 10)

/*
 * Calls setting for each line of the file that the environment variable names, which then must
 * exist, or else of the file at path, which need not. It has to be a regular file or /dev/null. A
 * line that is no setting fails with GW_USAGE; the error of a line names file and line. Returns 0
 * or -1.
 */
int gw_settings_read(const char *variable, const char *path, gw_setting *setting, void *opaque,
		     struct gw_error *err);

#endif
