/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The least size of the data of sections and subsections of savevm streams, for the devices of the
 * machines that Xen's guests have.
 *
 * The sizes are those of the fields that every stream of this version has, as the descriptions of
 * QEMU 2.11 to 7.2 list them. The CPU's is that of a 32-bit target (qemu-system-i386, which Xen
 * uses); a 64-bit one has more. Fields and subsections that only some streams have do not count.
 */
#include "format/qemu/whole.h"

#include <string.h>

#include "base/util.h"

static const struct {
	const char *name;
	uint32_t version;
	uint32_t size;
	uint32_t element; /* of an array, whose length comes first */
} sizes[] = {
	{"timer", 2, 24},
	{"cpu_common", 1, 8},
	{"cpu", 12, 1313},
	{"apic", 3, 181},
	{"PCIHost", 1, 4},
	{"PCIBUS", 1, 4, 4},
	{"I440FX", 3, 277},
	{"dma", 1, 75},
	{"PIIX3", 3, 292},
	{"i8259", 1, 16},
	{"i8254", 3, 108},
	{"pcspk", 1, 2},
	{"ioapic", 3, 206},
	{"hpet", 2, 151},
	{"mc146818rtc", 3, 245},
	{"serial", 3, 11},
	{"fdc", 2, 542},
	{"ps2kbd", 3, 284},
	{"ps2mouse", 2, 291},
	{"pckbd", 3, 4},
	{"vmmouse", 0, 4105},
	{"port92", 1, 1},
	{"ide", 3, 430},
	{"i2c_bus", 1, 1},
	{"piix4_pm", 3, 312},
	{"acpi_build", 1, 1},
	{"fw_cfg", 2, 6},
	{"cpu/fpop_ip_dp", 1, 18},
	{"cpu/msr_smi_count", 1, 8},
	{"cpu/poll_control_msr", 1, 8},
	{"fdrive/media_rate", 1, 1},
	{"hpet/offset", 1, 8},
	{"fw_cfg/dma", 0, 8},
	{"piix4_pm/memhp", 1, 4},
	{"piix4_pm/cpuhp", 1, 15},
};

/* True if name is what, alone or after the path of a device on its bus. */
static bool is_named(const char *name, const char *what)
{
	size_t len = strlen(name), n = strlen(what);

	return len >= n && !strcmp(name + len - n, what) && (len == n || name[len - n - 1] == '/');
}

uint64_t gw_qemu_least_size(const char *name, uint32_t version, uint32_t first_word)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(sizes); i++)
		if (sizes[i].version == version && is_named(name, sizes[i].name))
			return sizes[i].size + (uint64_t)sizes[i].element * first_word;
	return 0;
}
