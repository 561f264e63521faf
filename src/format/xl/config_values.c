/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Values of a libxl_domain_config that libxl refuses, although godwit has no use for them: words
 * that its parsers do not know, and settings of the scheduler that it cannot apply.
 */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "format/xl/config_internal.h"

#define PAGING_MIN_KB 64

/* The keys of type libxl_defbool, of Xen 4.14 to 4.22 (libxl_types.idl). */
static const char *const yes_or_no[] = {
	"acpi",
	"acpi_laptop_slate",
	"acpi_s3",
	"acpi_s4",
	"altp2m",
	"apic",
	"device_model_stubdomain",
	"disable_migrate",
	"dm_restrict",
	"driver_domain",
	"e820_host",
	"gfx_passthru",
	"hap",
	"hpet",
	"localtime",
	"msr_relaxed",
	"nested_hvm",
	"nographic",
	"numa_placement",
	"nx",
	"oos",
	"pae",
	"pvshim",
	"run_hotplug_scripts",
	"usb",
	"userspace_colo_proxy",
	"viridian",
	"vkb_device",
	"vpmu",
	"vpt_align",
	"xen_platform_pci",
	"xend_suspend_evtchn_compat",
};

static const char *const schedulers[] = {"unknown",  "sedf", "credit", "credit2",
					 "arinc653", "rtds", "null"};

static bool is_yes_or_no(const char *key)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(yes_or_no); i++)
		if (!strcmp(key, yes_or_no[i]))
			return true;
	return false;
}

/* libxl compares as many letters as the word has, in this case. */
static bool starts_a_word(const char *text)
{
	return !strncmp(text, "True", 4) || !strncmp(text, "False", 5) ||
	       !strncmp(text, "<default>", 9);
}

/* Of objects in objects, too: those of the guest's type, of its platform. */
static void check_words(struct gw_config_reader *r, const json_t *object, unsigned depth)
{
	const char *key;
	json_t *value;

	/* A json_t is not changed by the walk; the macro wants one that may be. */
	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		const char *text = json_string_value(value);

		if (json_is_object(value) && depth > 0)
			check_words(r, value, depth - 1);
		else if (text && is_yes_or_no(key) && !starts_a_word(text))
			gw_config_fault(r, GW_CONFIG_WORD, 0,
					"%s is \"%.20s\", expected True, False or <default>", key,
					text);
	}
}

static bool is_scheduler(const char *name)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(schedulers); i++)
		if (!strcasecmp(name, schedulers[i]))
			return true;
	return false;
}

/* libxl's own default is -1: the scheduler's value stays. */
static void check_share(struct gw_config_reader *r, const json_t *sched, const char *key,
			int64_t least, int64_t most)
{
	const json_t *value = json_object_get(sched, key);
	int64_t number = json_integer_value(value);

	if (json_is_integer(value) && number != -1 && (number < least || number > most))
		gw_config_fault(r, GW_CONFIG_SCHEDULER, 0,
				"%s is %" PRId64 ", expected %" PRId64 " to %" PRId64, key, number,
				least, most);
}

static void check_scheduler(struct gw_config_reader *r, const json_t *b_info)
{
	const json_t *sched = json_object_get(b_info, "sched_params");
	const char *name = json_string_value(json_object_get(sched, "sched"));

	if (!name)
		return;
	if (!is_scheduler(name))
		gw_config_fault(r, GW_CONFIG_WORD, 0, "sched is \"%.20s\", no scheduler of Xen",
				name);
	if (strncasecmp(name, "credit", 6) != 0)
		return;
	check_share(r, sched, "weight", 1, 65535);
	check_share(r, sched, "cap", 0, (int64_t)r->config->max_vcpus * 100);
}

static void check_affinity(struct gw_config_reader *r, const json_t *b_info, const char *key)
{
	size_t n = json_array_size(json_object_get(b_info, key));

	if (n > r->config->max_vcpus)
		gw_config_fault(r, GW_CONFIG_SCHEDULER, 0, "%s is given for %zu vCPUs of %u", key,
				n, r->config->max_vcpus);
}

/*
 * libxl computes a size from max_memkb before it gives that its default. Of a pool that is given,
 * Xen takes a few pages at once, and fails if there are not so many.
 */
static void check_paging_memory(struct gw_config_reader *r, const json_t *b_info)
{
	const json_t *shadow = json_object_get(b_info, "shadow_memkb");

	if (r->config->type != GW_GUEST_X86_HVM)
		return;
	if (!json_is_integer(shadow) && !json_is_integer(json_object_get(b_info, "max_memkb")))
		gw_config_fault(r, GW_CONFIG_PAGING, 0,
				"it has neither max_memkb nor shadow_memkb");
	if (json_is_integer(shadow) && json_integer_value(shadow) < PAGING_MIN_KB)
		gw_config_fault(r, GW_CONFIG_PAGING, 0,
				"shadow_memkb is %" PRId64 ", expected at least %d",
				(int64_t)json_integer_value(shadow), PAGING_MIN_KB);
}

void gw_config_check_values(struct gw_config_reader *r, const json_t *c_info, const json_t *b_info)
{
	check_words(r, c_info, 1);
	check_words(r, b_info, 1);
	check_scheduler(r, b_info);
	check_affinity(r, b_info, "vcpu_hard_affinity");
	check_affinity(r, b_info, "vcpu_soft_affinity");
	check_paging_memory(r, b_info);
}
