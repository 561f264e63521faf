/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The walk through a libvirt save file: its header and XML, and the stream of QEMU in it.
 */
#include "channel/borrow.h"
#include "examine/walk.h"

/* 1, 0: the input ended, or -1. */
static int read_header(struct gw_walk *w, struct gw_libvirt_save *save, struct gw_error *err)
{
	uint8_t raw[GW_LIBVIRT_HEADER_SIZE];
	int rc = gw_input_read(&w->in, raw, sizeof(raw), err);

	if (rc < 0)
		return -1;
	if (rc == 0) {
		gw_rules_report(&w->findings, "libvirt-truncated", gw_input_offset(&w->in), NULL,
				"the input ends inside the %u bytes of the header",
				GW_LIBVIRT_HEADER_SIZE);
		return 0;
	}
	return gw_libvirt_header_decode(raw, save, err) < 0 ? -1 : 1;
}

/* XML, cookie and padding. What is beyond the limit is skipped. */
static int read_data(struct gw_walk *w, struct gw_libvirt_save *save, struct gw_error *err)
{
	uint64_t left = save->data_len;
	int rc = 1;

	while (rc > 0 && left && save->data.len < GW_LIBVIRT_XML_MAX) {
		size_t n = left < 65536 ? (size_t)left : 65536;
		void *to = gw_buffer_reserve(&save->data, n, err);

		rc = to ? gw_input_read(&w->in, to, n, err) : -1;
		if (rc > 0)
			save->data.len += n;
		left -= n;
	}
	if (rc > 0)
		rc = gw_input_skip(&w->in, left, err);
	if (rc == 0)
		gw_rules_report(&w->findings, "libvirt-truncated", gw_input_offset(&w->in), NULL,
				"the input ends inside the %u bytes of XML after the header",
				save->data_len);
	return rc;
}

/* A stream that is stored as it is goes on in the same input. */
static enum gw_walk_outcome walk_stream(struct gw_walk *w, uint32_t format, struct gw_error *err)
{
	struct gw_input outer = w->in;
	enum gw_walk_outcome outcome;
	struct gw_channel *inner;

	if (format == GW_LIBVIRT_RAW || format == GW_LIBVIRT_SPARSE)
		return gw_walk_savevm(w, err);
	inner = gw_channel_borrow(outer.ch, err);
	if (inner)
		inner = gw_channel_decompress(inner, err);
	if (!inner)
		return GW_WALK_FAILED;
	/* Offsets are those in the stream. */
	w->in = (struct gw_input){.ch = inner, .damaged = outer.damaged, .owner = outer.owner};
	outcome = gw_walk_savevm(w, err);
	gw_channel_close(inner);
	w->in = outer;
	return outcome;
}

/* Formats for which this program has no decompressor. */
static bool is_readable(uint32_t format)
{
	return format != GW_LIBVIRT_BZIP2 && format != GW_LIBVIRT_LZOP;
}

static enum gw_walk_outcome walk(struct gw_walk *w, struct gw_libvirt_save *save,
				 struct gw_error *err)
{
	uint64_t layer_start = gw_input_offset(&w->in);
	uint64_t errors;
	int rc = read_header(w, save, err);

	if (rc <= 0)
		return rc < 0 ? GW_WALK_FAILED : GW_WALK_LOST;
	rc = read_data(w, save, err);
	if (rc < 0)
		return GW_WALK_FAILED;
	w->sum->has_libvirt = true;
	if (w->sink->libvirt)
		w->sink->libvirt(w->sink->opaque, layer_start, save);
	errors = w->sum->errors;
	gw_libvirt_rules(save, &w->findings, layer_start, NULL);
	/* The stream of a save that did not come to its end is read as far as it goes. */
	if (rc == 0 || !gw_libvirt_format_name(save->format) ||
	    w->sum->errors > errors + !save->complete)
		return GW_WALK_LOST;
	if (is_readable(save->format))
		return walk_stream(w, save->format, err);
	gw_fail(err, GW_UNSUPPORTED,
		"%s: its stream is compressed with %s, which this version does not decompress",
		w->in.ch->name, gw_libvirt_format_name(save->format));
	return GW_WALK_FAILED;
}

enum gw_walk_outcome gw_walk_libvirt(struct gw_walk *w, struct gw_error *err)
{
	struct gw_libvirt_save save = {0};
	enum gw_walk_outcome outcome = walk(w, &save, err);

	gw_libvirt_free(&save);
	return outcome;
}
