/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Loads, restores and inspects stored streams. Its walk over an image shares no code with the
 * engine.
 */
#include "lib/gwtest.h"

#include <sys/mman.h>

#include "base/bytes.h"
#include "hypervisor/control.h"
#include "hypervisor/host.h"
#include "lib/bytes.h"
#include "format/libxc/image.h"
#include "lib/realdata.h"
#include "format/libxl/stream.h"
#include "format/xl/file.h"
#include "stored.h"

#define HVM_PFNS (UINT64_C(1) << 20)
#define PV_PFNS	 (UINT64_C(1) << 14)

static void count_pfns(void *opaque, uint32_t type, const uint8_t *body, uint32_t len)
{
	uint64_t *nr = opaque;

	if (type != GW_REC_PAGE_DATA)
		return;
	for (uint32_t i = 0; i < gw_get_le32(body); i++) {
		uint64_t pfn = gw_get_le64(body + 8 + 8 * i) & GW_PAGE_ENTRY_PFN_MASK;

		if (pfn + 1 > *nr)
			*nr = pfn + 1;
	}
}

/* The first round of an image has every pfn. */
static uint64_t count_all(const struct stored *s)
{
	uint64_t nr = 0;

	for (size_t at = s->image + 40; at + 8 <= s->file.len;) {
		uint32_t type = gw_get_le32(s->file.data + at);
		uint32_t len = gw_get_le32(s->file.data + at + 4);

		if (type == GW_REC_END || type == GW_REC_CHECKPOINT)
			break;
		count_pfns(&nr, type, s->file.data + at + 8, len);
		at += 8 + ((len + 7u) & ~7u);
	}
	return nr;
}

struct stored stored_load(const char *name)
{
	struct stored s = {.file = realdata_load(realdata_path(name))};
	const uint8_t *stream;

	s.image = realdata_image(&s.file);
	stream = memmem(s.file.data, s.file.len, "LibxlFmt", 8);
	s.libxl = stream;
	s.at = stream ? (size_t)(stream - s.file.data) : s.image;
	s.type = (enum gw_guest_type)gw_get_le32(s.file.data + s.image + 24);
	s.nr_pfns = count_all(&s);
	return s;
}

void stored_free(struct stored *s)
{
	gw_buffer_free(&s->file);
}

struct gw_channel *stored_bytes(const void *data, size_t len)
{
	return bytes_source("stored", data, len);
}

struct gw_domain *stored_domain(enum gw_guest_type type, uint64_t max_pfns)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_host *host = gw_host_open("memory:", &err);
	struct gw_domain_config config = {
		.name = "stored",
		.type = type,
		.max_pages = max_pfns		       ? max_pfns
			     : type == GW_GUEST_X86_PV ? PV_PFNS
						       : HVM_PFNS,
		.vcpus = 4,
		.seed = 42,
	};
	struct gw_domain *d;

	if (!host)
		fail_msg("%s", err.text);
	d = gw_host_create(host, &config, &err);
	if (!d)
		fail_msg("%s", err.text);
	gw_host_close(host);
	return d;
}

int restore_as_owner(const struct gw_restore_args *args, bool libxl,
		     struct gw_restore_result *result, struct gw_error *err)
{
	if ((libxl ? gw_restore_stream(args, NULL, result, err)
		   : gw_restore_image(args, result, err)) < 0)
		return -1;
	return gw_control_restored(args->domain->control, err);
}

int stored_restore(const struct stored *s, size_t len, struct gw_domain **domain,
		   struct gw_restore_args *args, struct gw_restore_result *result,
		   struct gw_error *err)
{
	int rc;

	*domain = stored_domain(s->type, s->nr_pfns);
	args->domain = *domain;
	args->in = stored_bytes(s->file.data + s->at, len);
	args->origin = s->at;
	rc = restore_as_owner(args, s->libxl, result, err);
	gw_channel_close(args->in);
	args->in = NULL;
	return rc;
}

static int ts_suspend(void *opaque, struct gw_error *err)
{
	struct gw_domain *d = opaque;

	return gw_control_suspend(d->control, 1000, NULL, err) < 0 ? -1 : 0;
}

static int ts_resume(void *opaque, struct gw_error *err)
{
	struct gw_domain *d = opaque;

	return gw_control_resume(d->control, err);
}

struct gw_toolstack stored_toolstack(struct gw_domain *d)
{
	return (struct gw_toolstack){.head = GW_TABLE_HEAD(struct gw_toolstack),
				     .owner = d,
				     .suspend = ts_suspend,
				     .postcopy = ts_resume};
}

struct gw_buffer stored_save(struct gw_domain *d, bool live)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_toolstack ts = stored_toolstack(d);
	struct gw_save_args args = {.domain = d, .toolstack = &ts, .live = live};
	struct gw_buffer image = {0};

	args.out = bytes_sink("saved", &image);
	assert_ok(gw_save_image(&args, NULL, &err), &err);
	gw_channel_close(args.out);
	return image;
}

/* Calls fn for each record of an image. */
static void walk(const struct gw_buffer *image,
		 void (*fn)(void *opaque, uint32_t type, const uint8_t *body, uint32_t len),
		 void *opaque)
{
	for (size_t at = 40; at + 8 <= image->len;) {
		uint32_t type = gw_get_le32(image->data + at);
		uint32_t len = gw_get_le32(image->data + at + 4);

		assert_true(at + 8 + len <= image->len);
		fn(opaque, type, image->data + at + 8, len);
		at += 8 + ((len + 7u) & ~7u);
	}
}

static void take_pages(void *opaque, uint32_t type, const uint8_t *body, uint32_t len)
{
	struct pages *p = opaque;
	uint32_t count = type == GW_REC_PAGE_DATA ? gw_get_le32(body) : 0;
	const uint8_t *data = body + 8 + 8 * (size_t)count;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t entry = gw_get_le64(body + 8 + 8 * i);
		uint64_t pfn = entry & GW_PAGE_ENTRY_PFN_MASK;
		unsigned page_type = (unsigned)(entry >> 60);

		p->types[pfn] = (uint8_t)page_type;
		if (!gw_page_has_data(page_type))
			continue;
		memcpy(p->data + pfn * GW_PAGE_SIZE, data, GW_PAGE_SIZE);
		data += GW_PAGE_SIZE;
	}
	if (count)
		assert_ptr_equal(data, body + len);
}

struct pages pages_of_image(const struct gw_buffer *image)
{
	struct pages p = {0};

	walk(image, count_pfns, &p.nr);
	p.types = malloc(p.nr);
	/* Mostly holes: malloc() would fill them all under MALLOC_PERTURB_. */
	p.data = mmap(NULL, p.nr * GW_PAGE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(p.types && p.data != MAP_FAILED);
	memset(p.types, GW_PAGE_XTAB, p.nr);
	walk(image, take_pages, &p);
	return p;
}

void pages_free(struct pages *p)
{
	free(p->types);
	munmap(p->data, p->nr * GW_PAGE_SIZE);
	*p = (struct pages){0};
}

struct special {
	uint64_t pfn;
	unsigned width;
	bool found;
};

/* HVM: rings that the restore empties. PV: start_info, and pages that contain mfns. */
static void find_special(void *opaque, uint32_t type, const uint8_t *body, uint32_t len)
{
	struct special *s = opaque;

	if (type == GW_REC_HVM_PARAMS)
		for (uint32_t i = 0; i < gw_get_le32(body); i++) {
			uint64_t index = gw_get_le64(body + 8 + 16 * i);

			if (index == 1 || index == 5 || index == 6 || index == 17)
				s->found |= gw_get_le64(body + 16 + 16 * i) == s->pfn;
		}
	if (type == GW_REC_X86_PV_INFO)
		s->width = body[0];
	if (type == GW_REC_X86_PV_P2M_FRAMES)
		for (uint32_t i = 8; i < len; i += 8)
			s->found |= gw_get_le64(body + i) == s->pfn;
	if (type == GW_REC_X86_PV_VCPU_BASIC && gw_get_le32(body) == 0)
		s->found |= s->pfn == (s->width == 8 ? gw_get_le64(body + 8 + 616)
						     : gw_get_le32(body + 8 + 524));
}

bool pages_special(const struct gw_buffer *image, uint64_t pfn)
{
	struct special s = {.pfn = pfn};

	walk(image, find_special, &s);
	return s.found;
}
