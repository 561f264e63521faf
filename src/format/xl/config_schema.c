/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The fields of a libxl_domain_config whose values libxl can refuse: words, yes or no, and numbers.
 * It refuses a config with one bad value, also where godwit has no use for the field. A value of
 * another JSON type is taken as missing.
 *
 * The fields are those of libxl_types.idl of Xen 4.14 to 4.22, each release's with those of the
 * others, but for the fields of Arm, of sound and of displays.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "format/xl/config_internal.h"

enum kind {
	YES_OR_NO, /* a libxl_defbool: a string */
	WORD,	   /* of an enumeration: a string, in any case of letters */
	MAC,	   /* a string of six bytes */
	INT,
	UINT8,
	UINT32,
	UINT64,
	STRINGS, /* an array of strings */
	NUMBERS, /* an array of integers */
	CPUID,	 /* an array of objects, or an object that has one as "cpuid", and an array "msr" */
};

/* Fields of one kind in one object of the config, names and words separated by spaces. The path is
 * that of the keys to the object; arrays are passed through. */
struct fields {
	const char *path;
	enum kind kind;
	const char *names;
	const char *words;
};

static const struct fields schema[] = {
	{"", WORD, "on_poweroff on_reboot on_watchdog on_crash on_soft_reset",
	 "destroy restart restart_rename preserve coredump_destroy coredump_restart soft_reset"},

	{"c_info", YES_OR_NO,
	 "hap oos run_hotplug_scripts driver_domain xend_suspend_evtchn_compat"},
	{"c_info", WORD, "passthrough", "default disabled enabled sync_pt share_pt"},
	{"c_info", UINT32, "ssidref domid poolid"},

	{"b_info", YES_OR_NO,
	 "numa_placement localtime disable_migrate device_model_stubdomain claim_mode acpi "
	 "nested_hvm apic dm_restrict vpmu bootloader_restrict"},
	{"b_info", WORD, "tsc_mode", "default always_emulate native native_paravirt"},
	{"b_info", WORD, "device_model_version", "unknown qemu_xen_traditional qemu_xen"},
	{"b_info", WORD, "timer_mode",
	 "unknown delay_for_missed_ticks no_delay_for_missed_ticks no_missed_ticks_pending "
	 "one_missed_tick_pending"},
	{"b_info", WORD, "altp2m", "disabled mixed external limited"},
	{"b_info", INT, "max_grant_version vmtrace_buf_kb"},
	{"b_info", UINT32,
	 "rtc_timeoffset exec_ssidref max_grant_frames max_maptrack_frames device_model_ssidref "
	 "event_channels altp2m_count xenstore_feature_mask"},
	{"b_info", UINT64, "video_memkb shadow_memkb iommu_memkb stubdomain_memkb"},
	{"b_info", STRINGS, "extra extra_pv extra_hvm bootloader_args"},
	{"b_info", NUMBERS, "avail_vcpus cpumap nodemap irqs llc_colors"},
	{"b_info", CPUID, "cpuid"},
	{"b_info.vnuma_nodes", UINT32, "pnode"},
	{"b_info.vnuma_nodes", NUMBERS, "vcpus distances"},
	{"b_info.vnuma_nodes", UINT64, "memkb"},
	{"b_info.sched_params", WORD, "sched", "unknown sedf credit credit2 arinc653 rtds null"},
	{"b_info.sched_params", INT, "weight cap period budget extratime slice latency"},
	{"b_info.ioports", UINT32, "first number"},
	{"b_info.iomem", UINT64, "start number gfn"},
	{"b_info.arch_x86", YES_OR_NO, "msr_relaxed"},

	{"b_info.type.hvm", YES_OR_NO,
	 "pae apic acpi acpi_s3 acpi_s4 acpi_laptop_slate nx viridian hpet vpt_align nested_hvm "
	 "altp2m nographic gfx_passthru usb vkb_device xen_platform_pci xen_platform_pci_bar_uc "
	 "pirq"},
	{"b_info.type.hvm", WORD, "bios", "unknown rombios seabios ovmf"},
	{"b_info.type.hvm", WORD, "timer_mode",
	 "unknown delay_for_missed_ticks no_delay_for_missed_ticks no_missed_ticks_pending "
	 "one_missed_tick_pending"},
	{"b_info.type.hvm", WORD, "hdtype", "ide ahci"},
	{"b_info.type.hvm", WORD, "gfx_passthru_kind", "default igd"},
	{"b_info.type.hvm", WORD, "vendor_device", "none xenserver"},
	{"b_info.type.hvm", INT, "usbversion"},
	{"b_info.type.hvm", UINT64, "mmio_hole_memkb rdm_mem_boundary_memkb mca_caps"},
	{"b_info.type.hvm", STRINGS, "usbdevice_list serial_list"},
	{"b_info.type.hvm", NUMBERS, "viridian_enable viridian_disable"},
	{"b_info.type.hvm.vga", WORD, "kind", "unknown cirrus std none qxl"},
	{"b_info.type.hvm.vga", UINT64, "video_mem_kb"},
	{"b_info.type.hvm.vnc", YES_OR_NO, "enable findunused"},
	{"b_info.type.hvm.vnc", INT, "display"},
	{"b_info.type.hvm.sdl", YES_OR_NO, "enable opengl"},
	{"b_info.type.hvm.spice", YES_OR_NO,
	 "enable disable_ticketing agent_mouse vdagent clipboard_sharing"},
	{"b_info.type.hvm.spice", INT, "port tls_port usbredirection"},
	{"b_info.type.hvm.rdm", WORD, "strategy", "ignore host"},
	{"b_info.type.hvm.rdm", WORD, "policy", "invalid strict relaxed"},
	{"b_info.type.pv", YES_OR_NO, "e820_host"},
	{"b_info.type.pv", STRINGS, "bootloader_args"},
	{"b_info.type.pv", UINT64, "slack_memkb"},
	{"b_info.type.pvh", YES_OR_NO, "pvshim"},

	{"disks", YES_OR_NO, "discard_enable colo_enable colo_restore_enable trusted grant_usage"},
	{"disks", WORD, "backend", "unknown phy tap qdisk standalone"},
	{"disks", WORD, "format", "unknown qcow qcow2 vhd raw empty qed"},
	{"disks", WORD, "specification", "unknown xen virtio"},
	{"disks", WORD, "transport", "unknown mmio"},
	{"disks", INT, "removable readwrite is_cdrom colo_port"},
	{"disks", UINT32, "backend_domid irq"},
	{"disks", UINT64, "base"},
	{"nics", YES_OR_NO, "trusted"},
	{"nics", WORD, "nictype", "unknown vif_ioemu vif"},
	{"nics", MAC, "mac"},
	{"nics", INT, "devid mtu"},
	{"nics", UINT32, "backend_domid rate_interval_usecs"},
	{"nics", UINT64, "rate_bytes_per_interval"},
	{"pcidevs", WORD, "rdm_policy", "invalid strict relaxed"},
	{"pcidevs", INT, "domain"},
	{"pcidevs", UINT8, "func dev bus"},
	{"pcidevs", UINT32, "vdevfn vfunc_mask"},
	{"rdms", WORD, "policy", "invalid strict relaxed"},
	{"rdms", UINT64, "start size"},
	{"vfbs", INT, "devid"},
	{"vfbs", UINT32, "backend_domid"},
	{"vfbs.vnc", YES_OR_NO, "enable findunused"},
	{"vfbs.vnc", INT, "display"},
	{"vfbs.sdl", YES_OR_NO, "enable opengl"},
	{"vkbs", WORD, "backend_type", "unknown qemu linux"},
	{"vkbs", INT, "devid"},
	{"vkbs", UINT32,
	 "backend_domid width height multi_touch_width multi_touch_height "
	 "multi_touch_num_contacts"},
	{"vtpms", INT, "devid"},
	{"vtpms", UINT32, "backend_domid"},
	{"p9s", WORD, "type", "unknown qemu xen_9pfsd"},
	{"p9s", INT, "devid max_space max_files max_open_files"},
	{"p9s", UINT32, "backend_domid"},
	{"channels", INT, "devid"},
	{"channels", UINT32, "backend_domid"},
	{"usbctrls", WORD, "type", "auto pv devicemodel qusb"},
	{"usbctrls", INT, "devid version ports"},
	{"usbctrls", UINT32, "backend_domid"},
	{"usbdevs", INT, "ctrl port"},
	{"usbdevs.type.hostdev", UINT8, "hostbus hostaddr"},
};

/* Is text one of the words of the list? compare: strncmp or strncasecmp. */
static bool is_among(const char *text, const char *list,
		     int (*compare)(const char *, const char *, size_t))
{
	size_t len = strlen(text);

	for (const char *word = list; word && *word; word += strspn(word, " ")) {
		size_t n = strcspn(word, " ");

		if (n == len && compare(word, text, n) == 0)
			return true;
		word += n;
	}
	return false;
}

/* libxl compares as many letters as the word has, in this case. */
static bool starts_a_word(const char *text)
{
	return !strncmp(text, "True", 4) || !strncmp(text, "False", 5) ||
	       !strncmp(text, "<default>", 9);
}

/* Six numbers of one or two hexadecimal digits with colons between them, whatever follows. */
static bool is_mac(const char *text)
{
	static const char digits[] = "0123456789abcdefABCDEF";

	for (unsigned i = 0; i < 6; i++) {
		size_t n = strspn(text, digits);

		if (n < 1 || n > 2 || (i < 5 && text[n] != ':'))
			return false;
		text += n + 1;
	}
	return true;
}

static void check_text(struct gw_config_reader *r, const struct fields *f, const char *key,
		       const char *text)
{
	if (f->kind == YES_OR_NO && !starts_a_word(text))
		gw_config_fault(r, GW_CONFIG_WORD, 0,
				"%s is \"%.20s\", expected True, False or <default>", key, text);
	if (f->kind == WORD && !is_among(text, f->words, strncasecmp))
		gw_config_fault(r, GW_CONFIG_WORD, 0, "%s is \"%.20s\", none of: %s", key, text,
				f->words);
	if (f->kind == MAC && !is_mac(text))
		gw_config_fault(r, GW_CONFIG_WORD, 0, "%s is \"%.20s\", no MAC address", key, text);
}

static void check_number(struct gw_config_reader *r, const struct fields *f, const char *key,
			 int64_t value)
{
	static const struct {
		int64_t min, max;
	} ranges[] = {
		[INT] = {INT_MIN, INT_MAX},
		[UINT8] = {0, UINT8_MAX},
		[UINT32] = {0, UINT32_MAX},
		[UINT64] = {0, INT64_MAX},
	};

	if (f->kind < INT || f->kind > UINT64 ||
	    (value >= ranges[f->kind].min && value <= ranges[f->kind].max))
		return;
	gw_config_fault(r, GW_CONFIG_NUMBER, 0,
			"%s is %" PRId64 ", expected %" PRId64 " to %" PRId64, key, value,
			ranges[f->kind].min, ranges[f->kind].max);
}

static bool are_strings(const json_t *list)
{
	const json_t *element;
	size_t i;

	json_array_foreach (list, i, element)
		if (!json_is_string(element))
			return false;
	return true;
}

static bool are_numbers(const json_t *list)
{
	const json_t *element;
	size_t i;

	json_array_foreach (list, i, element)
		if (!json_is_integer(element))
			return false;
	return true;
}

/* Xen 4.17 and later write the object, with the MSRs beside the leaves. */
static bool is_cpuid(const json_t *value)
{
	const json_t *list = json_is_array(value) ? value : json_object_get(value, "cpuid");
	const json_t *element;
	size_t i;

	json_array_foreach (list, i, element)
		if (!json_is_object(element))
			return false;
	return json_is_array(list) &&
	       (json_is_array(value) || json_is_array(json_object_get(value, "msr")));
}

static void check_list(struct gw_config_reader *r, const struct fields *f, const char *key,
		       const json_t *value)
{
	if (f->kind == STRINGS && !are_strings(value))
		gw_config_fault(r, GW_CONFIG_LIST, 0, "%s has something else than strings", key);
	if (f->kind == NUMBERS && !are_numbers(value))
		gw_config_fault(r, GW_CONFIG_LIST, 0, "%s has something else than integers", key);
	if (f->kind == CPUID && !is_cpuid(value))
		gw_config_fault(r, GW_CONFIG_LIST, 0, "%s is no list of objects", key);
}

static void check_value(struct gw_config_reader *r, const char *path, const char *key,
			const json_t *value)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(schema); i++) {
		const struct fields *f = &schema[i];

		if (strcmp(f->path, path) != 0 || !is_among(key, f->names, strncmp))
			continue;
		if (json_is_string(value))
			check_text(r, f, key, json_string_value(value));
		else if (json_is_integer(value))
			check_number(r, f, key, json_integer_value(value));
		check_list(r, f, key, value);
	}
}

static void check_object(struct gw_config_reader *r, const char *path, const json_t *object);

static void check_below(struct gw_config_reader *r, const char *path, const char *key,
			const json_t *value)
{
	char below[64];
	json_t *element;
	size_t i;
	int n = snprintf(below, sizeof(below), "%s%s%s", path, *path ? "." : "", key);

	/* No object of the schema has so long a path. */
	if (n < 0 || (size_t)n >= sizeof(below))
		return;
	if (json_is_object(value))
		check_object(r, below, value);
	json_array_foreach (value, i, element) {
		if (json_is_object(element))
			check_object(r, below, element);
	}
}

static void check_object(struct gw_config_reader *r, const char *path, const json_t *object)
{
	const char *key;
	json_t *value;

	/* A json_t is not changed by the walk; the macro wants one that may be. */
	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		check_value(r, path, key, value);
		check_below(r, path, key, value);
	}
}

void gw_config_check_schema(struct gw_config_reader *r, const json_t *root)
{
	check_object(r, "", root);
}
