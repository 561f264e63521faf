/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A new domain from a PVH kernel: its config, its CPU policy, its first memory.
 */
#include <stdio.h>
#include <string.h>

#include <godwit/channel.h>

#include "base/util.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "vmm/domain.h"
#include "vmm/process.h"
#include "vmm/room.h"
#include "format/x86/cpu_models.h"
#include "hypervisor/pvh/boot.h"

#define KERNEL_MAX  (UINT64_C(512) << 20)
#define KERNEL_STEP 65536u
#define NAMES_TRIED 1000

/* The policy of the new domain. */
static int apply_cpu(struct gw_process *p, const char *cpu, struct gw_error *err)
{
	struct gw_policy offered = {0}, policy = {0};
	int ret = gw_host_policy(p->host, GW_GUEST_X86_HVM, &offered, err);

	if (ret == 0)
		ret = gw_cpu_model_policy(cpu, &offered, &policy, err);
	if (ret == 0)
		ret = gw_domain_set_policy(p->domain, &policy, err);
	gw_policy_free(&offered);
	gw_policy_free(&policy);
	return ret;
}

static int read_kernel(const char *path, struct gw_buffer *elf, struct gw_error *err)
{
	struct gw_channel *ch = gw_channel_open(path, err);
	ssize_t n = -1;

	if (!ch)
		return -1;
	do {
		void *to = gw_buffer_reserve(elf, KERNEL_STEP, err);

		n = to ? gw_channel_read_some(ch, to, KERNEL_STEP, err) : -1;
		if (n > 0)
			elf->len += (size_t)n;
	} while (n > 0 && elf->len <= KERNEL_MAX);
	gw_channel_close(ch);
	if (n > 0)
		return gw_fail(err, GW_INVALID, "%s is larger than %u MiB, too large for a kernel",
			       path, (unsigned)(KERNEL_MAX >> 20));
	return n < 0 ? -1 : 0;
}

/* "/boot/tiny.elf" gives "tiny"; characters that a name cannot have become hyphens. */
static void name_of(const char *path, char name[GW_NAME_MAX])
{
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t len = strcspn(base, ".");
	char one[2] = "";

	/* Leaves room for a number at the end. */
	snprintf(name, GW_NAME_MAX, "%.*s", (int)GW_MIN(len, (size_t)GW_NAME_MAX - 6), base);
	for (char *p = name; *p; p++) {
		one[0] = *p;
		if (p == name ? !gw_name_is_valid(one) : !gw_name_is_valid(one) && *p != '-')
			*p = p == name ? 'd' : '-';
	}
	if (!*name)
		strcpy(name, "domain");
}

/* Claims the requested name, or one made from the kernel's: tiny, tiny-2, tiny-3, ... */
static int claim_name(struct gw_process *p, const char *kernel, struct gw_error *err)
{
	char base[GW_NAME_MAX], name[GW_NAME_MAX + 12];

	if (p->args.name)
		return gw_name_check_given(p->args.name, err) < 0
			       ? -1
			       : gw_claim_take(&p->claim, &p->runtime, p->args.name, err);
	name_of(kernel, base);
	for (unsigned i = 1; i <= NAMES_TRIED; i++) {
		struct gw_error why = GW_ERROR_INIT;

		snprintf(name, sizeof(name), i > 1 ? "%s-%u" : "%s", base, i);
		if (gw_name_check_given(name, NULL) < 0)
			continue;
		if (gw_claim_take(&p->claim, &p->runtime, name, &why) == 0)
			return 0;
		if (why.code != GW_BUSY)
			return gw_fail_as(err, &why);
	}
	return gw_fail(err, GW_BUSY, "%u domains named %s exist here already: give --name",
		       NAMES_TRIED, base);
}

static int fill_config(struct gw_process *p, const struct gw_process_boot *boot,
		       struct gw_error *err)
{
	struct gw_config *config = &p->config;

	config->name = strdup(p->claim.name);
	config->kernel = strdup(boot->kernel);
	config->cmdline = boot->cmdline ? strdup(boot->cmdline) : NULL;
	if (!config->name || !config->kernel || (boot->cmdline && !config->cmdline))
		return gw_fail(err, GW_NO_MEMORY, "no memory");
	config->type = GW_GUEST_X86_HVM;
	config->pvh = true;
	config->max_memkb = boot->memory / 1024;
	config->max_vcpus = 1;
	return gw_config_build(config, err);
}

int gw_process_boot(struct gw_process *p, const struct gw_process_boot *boot, struct gw_error *err)
{
	struct gw_buffer elf = {0};
	int ret = -1;

	if (read_kernel(boot->kernel, &elf, err) == 0 && claim_name(p, boot->kernel, err) == 0 &&
	    fill_config(p, boot, err) == 0 && gw_room_take(p, NULL, err) == 0 &&
	    gw_process_create_domain(p, err) == 0 && apply_cpu(p, boot->cpu, err) == 0 &&
	    gw_pvh_boot(p->domain, elf.data, elf.len, boot->cmdline, boot->memory / GW_PAGE_SIZE,
			err) == 0)
		ret = gw_process_start_domain(p, err);
	gw_buffer_free(&elf);
	return ret;
}
