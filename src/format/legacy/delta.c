/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Undoes the compression of Remus: see delta.h. A page is one byte 0x00 (unchanged), or 0x80 and
 * the whole page, or runs: a byte with a count of 32-bit words (1 to 127), which are skipped if its
 * bit 7 is set and otherwise copied from the following bytes.
 */
#include "format/legacy/delta.h"

#include <string.h>

#include <godwit/guest.h>

#include "base/util.h"

#define UNCHANGED 0x00
#define FULL	  0x80
#define SKIP	  0x80 /* in the byte before a run */
#define COUNT	  0x7f
#define WORD	  4u

enum state {
	S_BEGIN,  /* the start of a page */
	S_MARKER, /* the marker of a run that is not the first */
	S_COPY,	  /* d->left bytes of a run, or of a full page */
};

static bool is_first(const struct gw_legacy_delta *d)
{
	return d->state == S_BEGIN;
}

enum gw_legacy_delta_kind gw_legacy_delta_kind(const struct gw_legacy_delta *d, const uint8_t *in,
					       size_t len)
{
	if (!is_first(d))
		return d->full ? GW_DELTA_FULL : GW_DELTA_RUNS;
	if (len == 0)
		return GW_DELTA_NONE;
	if (in[0] == UNCHANGED)
		return GW_DELTA_UNCHANGED;
	return in[0] == FULL ? GW_DELTA_FULL : GW_DELTA_RUNS;
}

/* Takes the marker byte of a run. */
static int begin_run(struct gw_legacy_delta *d, uint8_t marker, struct gw_error *err)
{
	uint32_t bytes = (marker & COUNT) * WORD;

	if (is_first(d) && marker == UNCHANGED) {
		d->done = GW_PAGE_SIZE;
		return 0;
	}
	if (is_first(d) && marker == FULL) {
		d->full = true;
		bytes = GW_PAGE_SIZE;
	}
	if (bytes == 0)
		return gw_fail(err, GW_INVALID,
			       "compressed page: an empty run (0x%02x) at byte %u of the page",
			       marker, d->done);
	if (bytes > GW_PAGE_SIZE - d->done)
		return gw_fail(
			err, GW_INVALID,
			"compressed page: a run of %u bytes at byte %u of the page, which has %u left",
			bytes, d->done, GW_PAGE_SIZE - d->done);
	if (marker & SKIP && !d->full) {
		d->done += bytes;
		d->state = S_MARKER;
	} else {
		d->left = bytes;
		d->state = S_COPY;
	}
	return 0;
}

static size_t copy(struct gw_legacy_delta *d, const uint8_t *in, size_t len, uint8_t *page)
{
	size_t n = GW_MIN(len, (size_t)d->left);

	memcpy(page + d->done, in, n);
	d->done += (uint32_t)n;
	d->left -= (uint32_t)n;
	if (d->left == 0)
		d->state = S_MARKER;
	return n;
}

long gw_legacy_delta_apply(struct gw_legacy_delta *d, const uint8_t *in, size_t len, uint8_t *page,
			   bool *complete, struct gw_error *err)
{
	size_t used = 0;

	*complete = false;
	while (used < len) {
		if (d->state == S_COPY)
			used += copy(d, in + used, len - used, page);
		else if (begin_run(d, in[used++], err) < 0)
			return -1;
		if (d->done < GW_PAGE_SIZE)
			continue;
		*d = (struct gw_legacy_delta){0};
		*complete = true;
		break;
	}
	return (long)used;
}
