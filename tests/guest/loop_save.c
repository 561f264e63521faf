/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The small save loop: live passes, then a final pass with all deferred pages.
 */
#include "lib/gwtest.h"

#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/control.h"
#include "hypervisor/domain.h"
#include "loop.h"

#define BATCH 100u /* divides no number of pages here */

struct save {
	struct gw_save_guest guest;
	struct save_options *options;
	struct gw_buffer *out;
	uint64_t *dirty, *deferred;
};

/* Appends the page in the form in which it is sent; 1 if it is deferred. */
static int one_page(struct save *s, uint64_t pfn, uint64_t gfn, unsigned type, bool final,
		    struct gw_error *err)
{
	struct gw_domain *d = s->guest.domain;
	uint8_t *to = gw_buffer_reserve(s->out, 4096, err);
	struct gw_mapping mapping;
	void *page;
	int r = 0;

	if (!to || gw_domain_map(d, 1, &gfn, false, &page, &mapping, err) < 0)
		return -1;
	if (s->guest.ops->needs_normalise(type))
		r = s->guest.ops->normalise(&s->guest, pfn, type, page, to, final, err);
	else
		memcpy(to, page, 4096);
	gw_domain_unmap(d, &mapping);
	s->out->len += r == 0 ? 4096 : 0;
	return r;
}

static int batch(struct save *s, const uint64_t *pfns, size_t n, bool final, struct gw_error *err)
{
	uint64_t gfns[BATCH], entries[BATCH];
	uint8_t types[BATCH];
	size_t head = s->out->len, with_data = 0;

	if (s->guest.ops->pfn_to_gfn(&s->guest, n, pfns, gfns, err) < 0 ||
	    gw_domain_page_types(s->guest.domain, n, gfns, types, err) < 0 ||
	    gw_buffer_append(s->out, NULL, 16 + 8 * n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int r = gw_page_has_data(types[i])
				? one_page(s, pfns[i], gfns[i], types[i], final, err)
				: 0;

		if (r < 0)
			return -1;
		if (gw_page_has_data(types[i]) && r == 0)
			with_data++;
		if (gfns[i] == GW_INVALID_PFN || r == GW_DEFER) {
			gw_bitmap_set(s->deferred, pfns[i]);
			s->options->deferred += r == GW_DEFER;
			types[i] = GW_PAGE_XTAB;
		}
		entries[i] = gw_page_entry(pfns[i], types[i]);
	}
	gw_page_data_head_encode(s->out->data + head, n, entries, with_data);
	return 0;
}

static int pass(struct save *s, bool final, struct gw_error *err)
{
	uint64_t pfns[BATCH], nr = s->guest.nr_pfns;
	size_t n = 0;

	for (uint64_t pfn = gw_bitmap_next_set(s->dirty, nr, 0); pfn < nr;
	     pfn = gw_bitmap_next_set(s->dirty, nr, pfn + 1)) {
		pfns[n++] = pfn;
		if (n == BATCH) {
			if (batch(s, pfns, n, final, err) < 0)
				return -1;
			n = 0;
		}
	}
	if (n && batch(s, pfns, n, final, err) < 0)
		return -1;
	memset(s->dirty, 0, GW_BITMAP_WORDS(nr) * 8);
	return s->guest.ops->check_state(&s->guest, err);
}

static int clean(struct save *s, struct gw_error *err)
{
	uint64_t count;

	return gw_domain_logdirty_fetch_and_clear(s->guest.domain, s->dirty, s->guest.nr_pfns,
						  &count, err);
}

static void between(struct save *s)
{
	if (s->options->between)
		s->options->between(s->options->opaque, s->guest.domain);
}

static int suspended_round(struct save *s, bool logdirty, struct gw_error *err)
{
	struct gw_domain *d = s->guest.domain;

	if (gw_control_suspend(d->control, 1000, NULL, err) < 0 || (logdirty && clean(s, err) < 0))
		return -1;
	gw_bitmap_or(s->dirty, s->deferred, s->guest.nr_pfns);
	memset(s->deferred, 0, GW_BITMAP_WORDS(s->guest.nr_pfns) * 8);
	if (pass(s, true, err) < 0)
		return -1;
	return s->guest.ops->end_of_checkpoint(&s->guest, s->out, err);
}

static int memory(struct save *s, struct gw_error *err)
{
	struct gw_domain *d = s->guest.domain;
	bool logdirty = s->options->live_passes > 0 || s->options->checkpoints > 0;

	gw_bitmap_set_range(s->dirty, 0, s->guest.nr_pfns);
	if (logdirty && gw_domain_logdirty_start(d, err) < 0)
		return -1;
	for (unsigned i = 0; i < s->options->live_passes; i++) {
		if (pass(s, false, err) < 0)
			return -1;
		between(s);
		if (clean(s, err) < 0)
			return -1;
	}
	if (suspended_round(s, logdirty, err) < 0)
		return -1;
	for (unsigned i = 0; i < s->options->checkpoints; i++) {
		if (i > 0) {
			if (gw_control_resume(d->control, err) < 0)
				return -1;
			between(s);
			if (suspended_round(s, true, err) < 0)
				return -1;
		}
		if (gw_record_append(s->out, GW_REC_CHECKPOINT, NULL, 0, err) < 0)
			return -1;
	}
	return 0;
}

static int whole(struct save *s, struct gw_error *err)
{
	struct gw_image_header h = {.version = 3,
				    .type = (uint32_t)s->guest.domain->type,
				    .page_shift = 12,
				    .xen_major = 4,
				    .xen_minor = 17};
	const struct gw_save_guest_ops *ops = s->guest.ops;
	uint8_t raw[40];

	gw_image_header_encode(&h, raw);
	if (gw_buffer_append(s->out, raw, sizeof(raw), err) < 0 ||
	    ops->static_data(&s->guest, s->out, err) < 0 ||
	    gw_record_append(s->out, GW_REC_STATIC_DATA_END, NULL, 0, err) < 0 ||
	    ops->start_of_stream(&s->guest, s->out, err) < 0 || memory(s, err) < 0)
		return -1;
	return s->options->checkpoints ? 0 : gw_record_append(s->out, GW_REC_END, NULL, 0, err);
}

int save_loop(struct gw_domain *d, struct gw_buffer *out, struct save_options *options,
	      struct gw_error *err)
{
	struct save s = {.guest = {.ops = gw_save_guest_ops(d->type), .domain = d},
			 .options = options,
			 .out = out};
	struct gw_domain_info info;
	int r = s.guest.ops->setup(&s.guest, err);

	if (r == 0) {
		s.dirty = gw_bitmap_new(s.guest.nr_pfns);
		s.deferred = gw_bitmap_new(s.guest.nr_pfns);
		assert_true(s.dirty && s.deferred);
		r = whole(&s, err);
	}
	gw_domain_logdirty_stop(d);
	s.guest.ops->cleanup(&s.guest);
	free(s.dirty);
	free(s.deferred);
	assert_int_equal(gw_domain_info(d, &info, NULL), 0);
	if (!options->stay_suspended && info.shutdown == GW_SHUTDOWN_SUSPEND)
		assert_int_equal(gw_control_resume(d->control, NULL), 0);
	return r;
}
