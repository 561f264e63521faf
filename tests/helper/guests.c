/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Environments for the helper, and what it kept (guests.h).
 */
#include "guests.h"

#include "lib/realdata.h"

void environment_add(struct environment *e, const char *name, const char *value)
{
	assert_true(e->n < 11);
	snprintf(e->texts[e->n], sizeof(e->texts[0]), "%s=%s", name, value);
	e->n++;
}

const char *const *environment_list(struct environment *e)
{
	for (unsigned i = 0; i < e->n; i++)
		e->list[i] = e->texts[i];
	e->list[e->n] = NULL;
	return e->list;
}

struct gw_buffer image_in(const char *file)
{
	struct gw_buffer all = realdata_load(realdata_path(file)), image = {0};
	size_t at = realdata_image(&all);

	assert_int_equal(gw_buffer_append(&image, all.data + at, all.len - at, NULL), 0);
	gw_buffer_free(&all);
	return image;
}

static struct environment host(const char *file, const char *options)
{
	struct environment e = {0};
	struct stored s = stored_load(file);
	char uri[300];

	snprintf(uri, sizeof(uri), "memory:?attach=%s&vcpus=2&pfns=%llu%s",
		 s.type == GW_GUEST_X86_PV ? "pv" : "hvm", (unsigned long long)s.nr_pfns + 16,
		 options);
	stored_free(&s);
	environment_add(&e, "GODWIT_HELPER_CONNECT", uri);
	return e;
}

struct environment source(const char *file, const char *options)
{
	struct environment e = host(file, options);
	struct gw_buffer image = image_in(file);

	scratch_save("image", image.data, image.len);
	gw_buffer_free(&image);
	environment_add(&e, "GODWIT_HELPER_IMAGE", scratch("image"));
	environment_add(&e, "GODWIT_HELPER_KEEP", scratch("source"));
	return e;
}

struct environment target(const char *file, const char *options)
{
	struct environment e = host(file, options);

	environment_add(&e, "GODWIT_HELPER_KEEP", scratch("target"));
	return e;
}

struct pages kept_pages(const char *name)
{
	struct gw_buffer image = scratch_load(name);
	struct pages p = pages_of_image(&image);

	gw_buffer_free(&image);
	return p;
}

const uint8_t *page_of(const struct pages *p, uint64_t pfn)
{
	return pfn < p->nr && p->types[pfn] != GW_PAGE_XTAB ? p->data + pfn * GW_PAGE_SIZE : NULL;
}

bool page_is(const struct pages *p, uint64_t pfn, uint8_t byte)
{
	const uint8_t *page = page_of(p, pfn);

	assert_non_null(page);
	for (size_t i = 0; i < GW_PAGE_SIZE; i++)
		if (page[i] != byte)
			return false;
	return true;
}

void assert_moved(void)
{
	struct gw_buffer image = scratch_load("source");
	struct pages from = kept_pages("source"), to = kept_pages("target");

	assert_int_equal(from.nr, to.nr);
	for (uint64_t pfn = 0; pfn < from.nr; pfn++) {
		assert_int_equal(from.types[pfn], to.types[pfn]);
		if (memcmp(from.data + pfn * GW_PAGE_SIZE, to.data + pfn * GW_PAGE_SIZE,
			   GW_PAGE_SIZE) != 0 &&
		    !pages_special(&image, pfn))
			fail_msg("pfn 0x%llx differs", (unsigned long long)pfn);
	}
	gw_buffer_free(&image);
	pages_free(&from);
	pages_free(&to);
}
