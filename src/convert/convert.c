/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A conversion from the outside: what the input is, which layers the result has, the
 * header in front.
 */
#include "convert/conversion.h"

#include <string.h>

#include "base/util.h"
#include "channel/kind.h"
#include "convert/xend.h"
#include "format/foreign.h"

/* The optional data, in pieces: its length is only a claim. 1, 0, -1 as gw_input_read(). */
static int read_optional(struct gw_conv *c, struct gw_error *err)
{
	uint64_t left = c->xl.optional_len;

	while (left && c->xl.optional.len < GW_XLFILE_CONFIG_MAX) {
		size_t n = (size_t)GW_MIN(left, (uint64_t)65536);
		void *to = gw_buffer_reserve(&c->xl.optional, n, err);
		int rc = to ? gw_input_read(&c->in, to, n, err) : -1;

		if (rc <= 0)
			return rc;
		c->xl.optional.len += n;
		left -= n;
	}
	/* What is longer the rules refuse. */
	return 1;
}

static int xl_truncated(struct gw_conv *c, struct gw_error *err)
{
	return gw_rules_report(&c->findings, "xl-truncated", gw_input_offset(&c->in), err,
			       "the input ends inside the header or its optional data");
}

static int read_xl(struct gw_conv *c, struct gw_error *err)
{
	uint8_t raw[GW_XLFILE_HEADER_SIZE];
	int rc = gw_input_read(&c->in, raw, sizeof(raw), err);

	if (rc == 0)
		return xl_truncated(c, err);
	if (rc < 0 || gw_xlfile_header_decode(raw, &c->xl, err) < 0)
		return -1;
	c->has_xl = true;
	rc = read_optional(c, err);
	if (rc == 0)
		return xl_truncated(c, err);
	return rc < 0 ? -1 : gw_xlfile_rules(&c->xl, &c->findings, c->in_start, err);
}

static int read_xend(struct gw_conv *c, struct gw_error *err)
{
	struct gw_xend xend = {0};
	int rc = gw_xend_read(c->in.ch, &c->findings, &xend, err);

	c->has_xend = true;
	c->xend_config_len = (uint32_t)xend.config.len;
	gw_xend_free(&xend);
	return rc;
}

enum kind { K_NOTHING, K_XL, K_XEND, K_STREAM, K_IMAGE, K_LEGACY };

/* Reads as few bytes as the shortest format has: after its last byte the sender may wait for an
 * answer. */
static int detect(struct gw_conv *c, enum kind *kind, struct gw_error *err)
{
	uint8_t first[8];
	ssize_t n = gw_input_peek(&c->in, first, sizeof(first), err);

	if (n < 0)
		return -1;
	*kind = K_LEGACY;
	if ((size_t)n < sizeof(first))
		*kind = K_NOTHING;
	else if (gw_xlfile_is_magic(first, sizeof(first)))
		*kind = K_XL;
	else if (gw_xend_is_magic(first, sizeof(first)))
		*kind = K_XEND;
	else if (memcmp(first, "LibxlFmt", 8) == 0)
		*kind = K_STREAM;
	else if (memcmp(first, "\xff\xff\xff\xff\xff\xff\xff\xff", 8) == 0)
		*kind = K_IMAGE;
	return 0;
}

/* What follows is what the xl header's flag says; xend had nothing but legacy images. */
static int check_behind(struct gw_conv *c, enum kind kind, struct gw_error *err)
{
	bool v2 = c->has_xl && c->xl.mandatory_flags & GW_XLFILE_STREAM_V2;
	const char *header = c->has_xl ? "xl" : "xend";

	if (kind == (v2 ? K_STREAM : K_LEGACY))
		return 0;
	if (kind == K_NOTHING)
		return gw_fail(err, GW_TRUNCATED, "the input ends after the %s header", header);
	return gw_fail(err, GW_INVALID, "the %s header announces %s, but other data follows it",
		       header, v2 ? "a libxl stream" : "a legacy image");
}

/* Nothing has said yet what comes next: it may be a file of another program. */
static int refuse_foreign(struct gw_conv *c, enum kind kind, struct gw_error *err)
{
	uint8_t first[GW_FOREIGN_BYTES];
	ssize_t n;

	if (kind != K_LEGACY || c->has_xl || c->has_xend)
		return 0;
	n = gw_input_peek(&c->in, first, sizeof(first), err);
	return n < 0 ? -1 : gw_foreign_refuse(first, (size_t)n, err);
}

static enum gw_convert_form outermost(const struct gw_conv *c, enum kind kind)
{
	if (c->has_xl)
		return GW_CONVERT_XL;
	return kind == K_IMAGE ? GW_CONVERT_LIBXC : GW_CONVERT_LIBXL;
}

static int choose_form(struct gw_conv *c, enum kind kind, struct gw_error *err)
{
	size_t len;

	c->done->to = c->args->to == GW_CONVERT_SAME ? outermost(c, kind) : c->args->to;
	if (c->args->to != GW_CONVERT_XL || c->has_xend || gw_xlfile_config(&c->xl, &len))
		return 0;
	return gw_fail(err, GW_USAGE, "an xl file needs a config, and %s contains none",
		       c->in.ch->name);
}

/* -1 (GW_INVALID) if the caller wanted something else. */
static int check_source(const struct gw_conv *c, enum kind kind, struct gw_error *err)
{
	enum gw_convert_source from = c->args->from;

	if (kind == K_NOTHING)
		return gw_fail(err, GW_TRUNCATED, "%s is too short for an image", c->in.ch->name);
	if (kind == K_LEGACY && from != GW_CONVERT_ANY && from != GW_CONVERT_LEGACY)
		return gw_fail(err, GW_INVALID, "it is not an image of version %d",
			       from == GW_CONVERT_V2 ? 2 : 3);
	if (kind != K_LEGACY && from == GW_CONVERT_LEGACY)
		return gw_fail(err, GW_INVALID, "it is %s, expected a legacy image",
			       kind == K_STREAM ? "a libxl stream"
						: "a libxc image of version 2 or 3");
	return 0;
}

/* Reads the headers before the image and detects the image's format. */
static int read_front(struct gw_conv *c, enum kind *kind, struct gw_error *err)
{
	if (detect(c, kind, err) < 0)
		return -1;
	if (*kind != K_XL && *kind != K_XEND)
		return 0;
	if ((*kind == K_XL ? read_xl(c, err) : read_xend(c, err)) < 0 || detect(c, kind, err) < 0)
		return -1;
	return check_behind(c, *kind, err);
}

static void tell_xend(struct gw_conv *c)
{
	if (c->has_xend)
		gw_conv_dropped(
			c,
			"the config of %u bytes is dropped: it is in xend's own language, which no current toolstack reads%s",
			c->xend_config_len,
			c->done->to == GW_CONVERT_XL
				? "; \"xl restore\" needs a config for xl as well as the result"
				: "");
}

static int convert(struct gw_conv *c, struct gw_error *err)
{
	enum kind kind;

	if (read_front(c, &kind, err) < 0 || refuse_foreign(c, kind, err) < 0 ||
	    check_source(c, kind, err) < 0 || choose_form(c, kind, err) < 0)
		return -1;
	tell_xend(c);
	switch (kind) {
	case K_STREAM:
		return gw_conv_current(c, GW_LAYER_LIBXL, err);
	case K_IMAGE:
		return gw_conv_current(c, GW_LAYER_LIBXC, err);
	default:
		return gw_conv_legacy(c, err);
	}
}

int gw_convert(const struct gw_convert_args *args, struct gw_conversion_result *done,
	       struct gw_error *err)
{
	struct gw_conv c = {
		.args = args,
		.in = {.ch = args->in},
		.out = args->out,
		.done = done,
		.findings = {.report = gw_conv_finding, .opaque = &c},
		.in_start = args->in->read_pos,
		.out_start = args->out->write_pos,
	};
	int rc;

	if (args->observer)
		c.log = args->observer->log;
	if (args->cancel) {
		gw_channel_set_cancel(c.in.ch, args->cancel);
		gw_channel_set_cancel(c.out, args->cancel);
	}
	*done = (struct gw_conversion_result){0};
	gw_conv_progress(&c, GW_STAGE_CONVERTING);
	rc = convert(&c, err);
	if (rc == 0)
		rc = gw_channel_check_compressed(c.in.ch, err);
	if (rc == 0)
		gw_conv_progress(&c, GW_STAGE_DONE);
	done->in_bytes = c.in.ch->read_pos - c.in_start;
	done->out_bytes = c.out->write_pos - c.out_start;
	gw_page_store_free(&c.pages);
	gw_spool_close(&c.deferred.current);
	gw_spool_close(&c.deferred.complete);
	gw_xlfile_free(&c.xl);
	return rc;
}
