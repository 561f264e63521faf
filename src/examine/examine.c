/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The outer part of the walk: the file's format, the header before the layers, and the bytes after
 * the end.
 */
#include "examine/examine.h"

#include <string.h>

#include "base/util.h"
#include "examine/walk.h"

/* The greeting that the sender of "xl migrate" sends after its stream when the receiver may unpause
 * (xl_migrate.c). */
static const char handshake[] = "domain is yours, you are cleared to unpause";

/* Reads the optional data in pieces, because its length is not trusted. Data over the limit is
 * skipped. Returns the values of gw_input_read(). */
static int read_optional(struct gw_walk *w, struct gw_xlfile *xl, struct gw_error *err)
{
	uint64_t left = xl->optional_len;

	while (left && xl->optional.len < GW_XLFILE_CONFIG_MAX) {
		size_t n = (size_t)GW_MIN(left, (uint64_t)65536);
		void *to = gw_buffer_reserve(&xl->optional, n, err);
		int rc = to ? gw_input_read(&w->in, to, n, err) : -1;

		if (rc <= 0)
			return rc;
		xl->optional.len += n;
		left -= n;
	}
	return gw_input_skip(&w->in, left, err);
}

static enum gw_walk_outcome walk_xlfile(struct gw_walk *w, struct gw_xlfile *xl,
					struct gw_error *err)
{
	uint8_t raw[GW_XLFILE_HEADER_SIZE];
	uint64_t layer_start = gw_input_offset(&w->in);
	struct gw_error failure = GW_ERROR_INIT;
	int rc = gw_input_read(&w->in, raw, sizeof(raw), err);

	if (rc < 0)
		return GW_WALK_FAILED;
	if (rc == 0) {
		gw_rules_report(&w->findings, "xl-truncated", gw_input_offset(&w->in), NULL,
				"the input ends inside the %d bytes of the header",
				GW_XLFILE_HEADER_SIZE);
		return GW_WALK_LOST;
	}
	if (gw_xlfile_header_decode(raw, xl, &failure) < 0) {
		gw_rules_report(&w->findings, "xl-magic", layer_start, NULL, "%s", failure.text);
		return GW_WALK_LOST;
	}
	w->sum->has_xl = true;
	rc = read_optional(w, xl, err);
	if (rc < 0)
		return GW_WALK_FAILED;
	if (w->sink->xlfile)
		w->sink->xlfile(w->sink->opaque, layer_start, xl);
	w->announces_legacy = !(xl->mandatory_flags & GW_XLFILE_STREAM_V2);
	gw_xlfile_rules(xl, &w->findings, layer_start, NULL);
	if (w->sink->with_config)
		gw_xlfile_config_rules(xl, false, &w->config, &w->findings, layer_start, NULL);
	if (rc == 0) {
		gw_rules_report(&w->findings, "xl-truncated", gw_input_offset(&w->in), NULL,
				"the input ends inside the %u bytes of optional data",
				xl->optional_len);
		return GW_WALK_LOST;
	}
	return GW_WALK_OVER;
}

static void xend_cut(struct gw_walk *w, const struct gw_xend *xend)
{
	if (w->sum->has_xend)
		gw_rules_report(&w->findings, "xend-truncated", gw_input_offset(&w->in), NULL,
				"the input ends inside the %d bytes of the config",
				xend->config_len);
	else
		gw_rules_report(&w->findings, "xend-truncated", gw_input_offset(&w->in), NULL,
				"the input ends inside the %d bytes of the header",
				GW_XEND_HEADER_SIZE);
}

/* Header and config, as far as they are there. 1, 0, -1 as gw_input_read(); 0 also if the magic is
 * wrong, which is then reported. */
static int read_xend(struct gw_walk *w, struct gw_xend *xend, uint64_t layer_start,
		     struct gw_error *err)
{
	struct gw_error failure = GW_ERROR_INIT;
	size_t len;
	void *to;

	while (gw_xend_want(xend, &to, &len, err) == 0) {
		int rc = gw_input_read(&w->in, to, len, err);

		if (len == 0 || rc < 0)
			return rc;
		if (rc == 0) {
			xend_cut(w, xend);
			return 0;
		}
		if (gw_xend_got(xend, &failure) < 0) {
			gw_rules_report(&w->findings, "xend-magic", layer_start, NULL, "%s",
					failure.text);
			return 0;
		}
		w->sum->has_xend = true;
	}
	return -1;
}

static enum gw_walk_outcome walk_xend(struct gw_walk *w, struct gw_xend *xend, struct gw_error *err)
{
	uint64_t layer_start = gw_input_offset(&w->in);
	int rc = read_xend(w, xend, layer_start, err);

	if (rc < 0)
		return GW_WALK_FAILED;
	if (w->sum->has_xend && w->sink->xend)
		w->sink->xend(w->sink->opaque, layer_start, xend);
	/* Where the image begins is known only where the length is one. */
	if (w->sum->has_xend && gw_xend_rules(xend, &w->findings, layer_start, NULL) < 0)
		return GW_WALK_LOST;
	w->announces_legacy = true;
	return rc ? GW_WALK_OVER : GW_WALK_LOST;
}

/* Checks the bytes after the end of the outermost layer. */

static int count_rest(struct gw_walk *w, uint64_t *count, struct gw_error *err)
{
	uint8_t buf[4096];

	for (;;) {
		struct gw_error failure = GW_ERROR_INIT;
		uint64_t before = w->in.ch->read_pos;
		ssize_t n = gw_channel_read_some(w->in.ch, buf, sizeof(buf), &failure);
		int rc = n < 0 ? -1 : n > 0;

		if (gw_input_took(&w->in, before, rc, &failure, err) == GW_READ_FAILED)
			return -1;
		if (n <= 0)
			return 0;
		*count += (uint64_t)n;
	}
}

static int walk_rest(struct gw_walk *w, struct gw_error *err)
{
	uint64_t offset = gw_input_offset(&w->in), count = 0;
	uint8_t first[sizeof(handshake)];
	ssize_t n = gw_input_peek(&w->in, first, sizeof(first), err);

	if (n < 0)
		return -1;
	if ((size_t)n == sizeof(handshake) && !memcmp(first, handshake, sizeof(handshake))) {
		gw_rules_report(
			&w->findings, "migrate-handshake", offset, NULL,
			"%zu bytes after the end: \"%s\", the greeting of xl migrate's sender",
			sizeof(handshake), handshake);
		if (gw_input_skip(&w->in, sizeof(handshake), err) < 0)
			return -1;
		offset += sizeof(handshake);
	}
	if (count_rest(w, &count, err) < 0)
		return -1;
	if (count)
		gw_rules_report(&w->findings, "trailing-bytes", offset, NULL,
				"%llu bytes after the end", (unsigned long long)count);
	return 0;
}

/* Where in the file we are. */
static const char *place(const struct gw_walk *w)
{
	return w->sum->has_xl	  ? "after the xl header: "
	       : w->sum->has_xend ? "after the xend header: "
				  : "";
}

static int name_format(struct gw_walk *w, enum gw_file_format format)
{
	const char *layer = place(w);

	if (format == GW_FILE_EMPTY || format == GW_FILE_UNKNOWN)
		gw_rules_report(&w->findings, "file-format", gw_input_offset(&w->in), NULL,
				"%s%s: expected an xl file, a libxl stream or a libxc image", layer,
				gw_file_format_name(format));
	else
		gw_rules_report(&w->findings, "file-format", gw_input_offset(&w->in), NULL,
				"%s%s: this version does not read it yet", layer,
				gw_file_format_name(format));
	return 0;
}

static int detect(struct gw_walk *w, enum gw_file_format *format, struct gw_error *err)
{
	uint8_t first[GW_DETECT_BYTES];
	ssize_t n = gw_input_peek(&w->in, first, sizeof(first), err);

	if (n < 0)
		return -1;
	*format = gw_detect(first, (size_t)n);
	return 0;
}

/* Reports a format that does not fit the header before it, and walks it anyway. */
static void check_place(struct gw_walk *w, enum gw_file_format format)
{
	const char *image = format == GW_FILE_LEGACY  ? "a legacy image"
			    : format == GW_FILE_IMAGE ? "a bare libxc image"
						      : "a libxl stream";

	if (w->announces_legacy ? format == GW_FILE_LEGACY
				: format == GW_FILE_STREAM || !w->sum->has_xl)
		return;
	gw_rules_report(&w->findings, "file-format", gw_input_offset(&w->in), NULL,
			"%s%s, expected a %s", place(w), image,
			w->announces_legacy ? "legacy image" : "libxl stream");
}

/* Walks a libxl stream or a bare image, and the bytes after it. */
static int walk_inner(struct gw_walk *w, enum gw_file_format format, struct gw_error *err)
{
	enum gw_walk_outcome outcome;

	/* Where the header says so, it is one, even if it does not look like one. */
	if (format == GW_FILE_UNKNOWN && w->announces_legacy)
		format = GW_FILE_LEGACY;
	if (format == GW_FILE_STREAM || format == GW_FILE_IMAGE || format == GW_FILE_LEGACY)
		check_place(w, format);
	/* Only an image of Xen has a header of xl or xend before it. */
	if (!gw_file_format_is_xen(format) && (w->sum->has_xl || w->sum->has_xend))
		return name_format(w, format);
	switch (format) {
	case GW_FILE_STREAM:
		outcome = gw_walk_image(w, GW_LAYER_LIBXL, err);
		break;
	case GW_FILE_IMAGE:
		outcome = gw_walk_image(w, GW_LAYER_LIBXC, err);
		break;
	case GW_FILE_LEGACY:
		outcome = gw_walk_legacy(w, err);
		break;
	case GW_FILE_LIBVIRT:
	case GW_FILE_LIBVIRT_PART:
		outcome = gw_walk_libvirt(w, err);
		break;
	case GW_FILE_QEMU:
		outcome = gw_walk_savevm(w, err);
		break;
	default:
		return name_format(w, format);
	}
	if (outcome == GW_WALK_FAILED)
		return -1;
	return outcome == GW_WALK_OVER ? walk_rest(w, err) : 0;
}

/* The header in front, if there is one. */
static enum gw_walk_outcome walk_front(struct gw_walk *w, enum gw_file_format *format,
				       struct gw_error *err)
{
	enum gw_walk_outcome outcome = GW_WALK_OVER;
	struct gw_xlfile xl = {0};
	struct gw_xend xend = {0};

	if (*format == GW_FILE_XL)
		outcome = walk_xlfile(w, &xl, err);
	else if (*format == GW_FILE_XEND)
		outcome = walk_xend(w, &xend, err);
	else
		return outcome;
	gw_xlfile_free(&xl);
	gw_xend_free(&xend);
	if (outcome == GW_WALK_OVER && detect(w, format, err) < 0)
		return GW_WALK_FAILED;
	return outcome;
}

static int walk_file(struct gw_walk *w, struct gw_error *err)
{
	enum gw_file_format format;
	enum gw_walk_outcome outcome;

	if (detect(w, &format, err) < 0)
		return -1;
	w->sum->format = format;
	outcome = walk_front(w, &format, err);
	if (outcome != GW_WALK_OVER)
		return outcome == GW_WALK_FAILED ? -1 : 0;
	return walk_inner(w, format, err);
}

/* The compression of the input is damaged or cut off. */
static void report_damage(void *owner, const char *text)
{
	struct gw_walk *w = owner;

	gw_rules_report(&w->findings, "file-damaged", gw_input_offset(&w->in), NULL, "%s", text);
}

int gw_examine(struct gw_channel *in, const struct gw_examine_sink *sink,
	       struct gw_examination *examination, struct gw_error *err)
{
	struct gw_walk w = {
		.in = {.ch = in, .damaged = report_damage, .owner = &w},
		.sink = sink,
		.sum = examination,
		.findings = {.report = gw_walk_finding, .opaque = &w, .xen = sink->xen},
	};
	int rc;

	*examination = (struct gw_examination){0};
	gw_walk_progress(&w, GW_STAGE_READING);
	rc = walk_file(&w, err);
	if (rc == 0)
		gw_walk_progress(&w, GW_STAGE_DONE);
	examination->bytes = in->read_pos;
	return rc;
}

static bool is_loss(const struct gw_finding *finding)
{
	return strcmp(finding->rule->id, "image-cut-round") == 0 ||
	       strcmp(finding->rule->id, "stream-cut-round") == 0;
}

void gw_examine_obey(const struct gw_finding *finding, const struct gw_log *log,
		     struct gw_error *bad)
{
	char text[600];

	gw_finding_format(finding, text, sizeof(text));
	if (finding->level == GW_LEVEL_ERROR)
		gw_fail(bad, GW_INVALID, "%s", text);
	else if (finding->level == GW_LEVEL_WARNING)
		gw_logf(log, is_loss(finding) ? GW_LOG_WARNING : GW_LOG_INFO, "%s", text);
}
