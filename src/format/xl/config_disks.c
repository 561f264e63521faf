/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The disks of a libxl_domain_config: the names that they have in the guest.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/xl/config_internal.h"

/* PREFIX, letters as a number to the base 26, and a partition's number without a leading zero
 * (libxl_device.c, device_virtdisk_matches). */
static bool is_disk(const char *name, const char *prefix, long disks, unsigned long partitions)
{
	size_t len = strlen(prefix);
	unsigned long partition;
	long disk = -1;
	char *end;

	if (strncmp(name, prefix, len) != 0)
		return false;
	for (name += len; *name >= 'a' && *name <= 'z'; name++) {
		disk = (disk + 1) * 26 + (*name - 'a');
		if (disk > disks)
			return false;
	}
	if (!*name)
		return true;
	if (*name < '1' || *name > '9')
		return false;
	errno = 0;
	partition = strtoul(name, &end, 10);
	return !errno && !*end && partition <= partitions;
}

/* "d" DISK "p" PARTITION */
static bool is_numbered(const char *name)
{
	int disk, partition, end = -1;

	return sscanf(name, "d%ip%i%n", &disk, &partition, &end) == 2 && end == (int)strlen(name) &&
	       disk < 1 << 20 && partition < 256;
}

/* A device number as Xen has it. */
static bool is_number(const char *name)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(name, &end, 0);
	return !errno && !*end && number <= INT_MAX;
}

static bool is_virtual_disk(const char *name)
{
	return is_numbered(name) || is_number(name) || is_disk(name, "xvd", (1 << 20) - 1, 255) ||
	       is_disk(name, "hd", 3, 63) || is_disk(name, "sd", 15, 15);
}

void gw_config_check_disks(struct gw_config_reader *r, const json_t *root)
{
	const json_t *disk;
	size_t i;

	json_array_foreach (json_object_get(root, "disks"), i, disk) {
		const char *name = json_string_value(json_object_get(disk, "vdev"));

		if (name && !is_virtual_disk(name))
			gw_config_fault(
				r, GW_CONFIG_DISK, 0,
				"disk %zu is \"%.30s\" in the guest, no name of a virtual disk", i,
				name);
	}
}
