/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Makes and checks domains of the memory backend.
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/x86/hvm_context.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/memory/memory.h"

#define NEIGHBOUR_PAGES 2u
#define PATTERN		0x5a

static void must(bool ok, const struct gw_error *err)
{
	if (ok)
		return;
	fprintf(stderr, "the fuzz target cannot begin: %s\n", err->text);
	abort();
}

static struct gw_domain *create(struct gw_host *host, enum gw_guest_type type, uint64_t max_pages)
{
	const struct gw_domain_config config = {
		.name = "fuzz", .type = type, .max_pages = max_pages, .vcpus = 4, .seed = 11};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_domain *d = gw_host_create(host, &config, &err);

	must(d, &err);
	return d;
}

static int suspend(void *opaque, struct gw_error *err)
{
	struct gw_domain *d = opaque;

	return gw_control_suspend(d->control, 1000, NULL, err) < 0 ? -1 : 0;
}

static int resume(void *opaque, struct gw_error *err)
{
	struct gw_domain *d = opaque;

	return gw_control_resume(d->control, err);
}

static void add_pages(struct gw_domain *d, unsigned n)
{
	struct gw_error err = GW_ERROR_INIT;
	uint64_t gfn;

	for (uint64_t pfn = 0; pfn < n; pfn++) {
		must(gw_domain_populate(d, 1, &pfn, &gfn, &err) == 0, &err);
		memset(gw_memory_page(d, pfn), PATTERN, GW_PAGE_SIZE);
	}
}

void machine_open(struct machine *m, enum gw_guest_type type, uint64_t max_pages)
{
	static struct machine kept[2];
	struct machine *with = &kept[type == GW_GUEST_X86_PV];
	struct gw_error err = GW_ERROR_INIT;

	if (!with->host) {
		with->host = gw_host_open("memory:?pages=4096", &err);
		must(with->host, &err);
		with->neighbour = create(with->host, type, NEIGHBOUR_PAGES);
		add_pages(with->neighbour, NEIGHBOUR_PAGES);
	}
	*m = *with;
	m->d = create(m->host, type, max_pages);
	m->toolstack = (struct gw_toolstack){.head = GW_TABLE_HEAD(struct gw_toolstack),
					     .owner = m->d,
					     .suspend = suspend,
					     .postcopy = resume};
}

static void check_neighbour(struct gw_domain *d)
{
	for (uint64_t pfn = 0; pfn < NEIGHBOUR_PAGES; pfn++) {
		const uint8_t *page = gw_memory_page(d, pfn);

		/* Each byte is like the one before it. */
		if (page && page[0] == PATTERN && !memcmp(page, page + 1, GW_PAGE_SIZE - 1))
			continue;
		fprintf(stderr, "another domain's page %llu was changed\n",
			(unsigned long long)pfn);
		abort();
	}
	if (gw_memory_next(d, NEIGHBOUR_PAGES) == GW_INVALID_PFN)
		return;
	fprintf(stderr, "another domain got a page\n");
	abort();
}

void machine_close(struct machine *m)
{
	check_neighbour(m->neighbour);
	gw_control_destroy(m->d->control);
	if (gw_host_free_pages(m->host) != MACHINE_PAGES - NEIGHBOUR_PAGES) {
		fprintf(stderr, "the host has lost pages\n");
		abort();
	}
}

void machine_fill_hvm(struct gw_domain *d, unsigned n)
{
	static const struct gw_hvm_header header = {.magic = GW_HVM_HEADER_MAGIC,
						    .version = GW_HVM_HEADER_VERSION,
						    .changeset = UINT64_MAX};
	struct gw_hvm_cpu cpu = {.cr0 = 0x11, .dr6 = 0xffff0ff0, .dr7 = 0x400};
	uint8_t raw_header[GW_HVM_HEADER_SIZE], raw_cpu[GW_HVM_CPU_SIZE];
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer blob = {0};

	add_pages(d, n);
	gw_hvm_header_encode(raw_header, &header);
	gw_hvm_cpu_encode(raw_cpu, &cpu);
	must(gw_hvm_entry_append(&blob, GW_HVM_HEADER, 0, raw_header, sizeof(raw_header), &err) ==
			     0 &&
		     gw_hvm_entry_append(&blob, GW_HVM_CPU, 0, raw_cpu, sizeof(raw_cpu), &err) ==
			     0 &&
		     gw_hvm_entry_append(&blob, GW_HVM_END, 0, NULL, 0, &err) == 0 &&
		     gw_domain_set_context(d, blob.data, blob.len, &err) == 0,
	     &err);
	gw_buffer_free(&blob);
}
