/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Values of a libxl_domain_config that libxl refuses, although godwit has no use for them: settings
 * of the scheduler that it cannot apply, and the memory for a guest's paging.
 */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "format/xl/config_internal.h"

#define PAGING_MIN_KB	  64
#define PAGING_KB_PER_MIB 8
/* With this much memory, the share of the memory is as much as that of a vCPU. */
#define NO_VCPU_ENOUGH_KB (128u * 1024)

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
 * libxl computes a size from max_memkb and max_vcpus before it gives these their defaults: without
 * a vCPU it leaves out the 1 MiB that each has, which a small guest needs for its p2m. Of a pool
 * that is given, Xen takes a few pages at once, and fails if there are not so many.
 */
static void check_paging_memory(struct gw_config_reader *r, const json_t *b_info)
{
	const json_t *shadow = json_object_get(b_info, "shadow_memkb");
	const json_t *vcpus = json_object_get(b_info, "max_vcpus");

	if (r->config->type != GW_GUEST_X86_HVM)
		return;
	if (!json_is_integer(shadow) && !json_is_integer(json_object_get(b_info, "max_memkb")))
		gw_config_fault(r, GW_CONFIG_PAGING, 0,
				"it has neither max_memkb nor shadow_memkb");
	if (!json_is_integer(shadow) && json_is_integer(vcpus) && json_integer_value(vcpus) == 0 &&
	    r->config->max_memkb < NO_VCPU_ENOUGH_KB)
		gw_config_fault(
			r, GW_CONFIG_PAGING, 0,
			"max_vcpus is 0 and there is no shadow_memkb: libxl gives too little, %" PRIu64
			" KiB",
			r->config->max_memkb / 1024 * PAGING_KB_PER_MIB);
	if (json_is_integer(shadow) && json_integer_value(shadow) < PAGING_MIN_KB)
		gw_config_fault(r, GW_CONFIG_PAGING, 0,
				"shadow_memkb is %" PRId64 ", expected at least %d",
				(int64_t)json_integer_value(shadow), PAGING_MIN_KB);
}

void gw_config_check_values(struct gw_config_reader *r, const json_t *b_info)
{
	check_scheduler(r, b_info);
	check_affinity(r, b_info, "vcpu_hard_affinity");
	check_affinity(r, b_info, "vcpu_soft_affinity");
	check_paging_memory(r, b_info);
}
