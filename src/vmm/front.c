/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the front of a stored image: its header, and the config in it.
 */
#include "vmm/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "convert/convert.h"
#include "convert/xend.h"
#include "examine/detect.h"
#include "format/foreign.h"
#include "format/legacy/legacy.h"
#include "format/libxl/stream.h"
#include "format/rules/rules.h"
#include "format/xl/file.h"
#include "hypervisor/host.h"
#include "vmm/domain.h"

/* The state while the front is read. */
struct reader {
	struct gw_process *p;
	struct gw_front *front;
	struct gw_channel **ch;
	struct gw_config *config;
};

/* Input that ends inside xl's header is reported with the message of verify. */
static int read_front_part(struct gw_channel *in, void *to, size_t len, const char *what,
			   struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	int rc = gw_channel_read(in, to, len, &why);

	if (rc > 0)
		return 0;
	if (rc < 0 && why.code != GW_TRUNCATED)
		return gw_fail_as(err, &why);
	return gw_rules_report(NULL, "xl-truncated", in->read_pos, err,
			       "the input ends inside the %s", what);
}

/* The optional data after xl's header. No memory is allocated for it before it has come. */
static int read_optional(struct gw_channel *in, struct gw_xlfile *xl, struct gw_error *err)
{
	size_t left = xl->optional_len;
	char what[48];

	snprintf(what, sizeof(what), "%u bytes of optional data", xl->optional_len);
	while (left > 0) {
		size_t n = left < 65536 ? left : 65536;
		void *to = gw_buffer_reserve(&xl->optional, n, err);

		if (!to || read_front_part(in, to, n, what, err) < 0)
			return -1;
		xl->optional.len += n;
		left -= n;
	}
	return 0;
}

static int read_config(const struct gw_xlfile *xl, struct gw_config *config, struct gw_error *err)
{
	size_t len;
	const char *text = gw_xlfile_config(xl, &len);

	if (!text)
		return gw_fail(err, GW_INVALID,
			       "xl header: the header contains no config, or it is cut");
	if (xl->mandatory_flags & GW_XLFILE_JSON)
		return gw_config_parse_json(config, text, len, err);
	return gw_config_parse_text(config, text, len, err);
}

/* A legacy image comes next: from now on the channel gives a current one. */
static int convert_legacy(const struct reader *r, enum gw_guest_type guest, struct gw_error *err)
{
	const struct gw_process_args *args = &r->p->args;
	const struct gw_observer observer = {.log = args->log};
	struct gw_convert_args convert = {
		.in = *r->ch,
		.from = GW_CONVERT_LEGACY,
		.to = GW_CONVERT_LIBXL,
		.legacy = {.guest = guest},
		.observer = &observer,
	};
	struct gw_channel *ch;

	if (gw_acceptance_check(&args->acceptance, GW_GENERATION_LEGACY, &args->log, err) < 0)
		return -1;
	ch = gw_convert_channel(&convert, NULL, err);
	if (!ch)
		return -1;
	*r->ch = ch;
	r->front->converted = true;
	return 0;
}

static int read_xl_header(const struct reader *r, const uint8_t *first8, struct gw_error *err)
{
	uint8_t raw[GW_XLFILE_HEADER_SIZE];
	struct gw_xlfile xl = {0};
	int ret;

	memcpy(raw, first8, 8);
	if (read_front_part(*r->ch, raw + 8, sizeof(raw) - 8, "48 bytes of the header", err) < 0)
		return -1;
	if (gw_xlfile_header_decode(raw, &xl, err) < 0)
		return -1;
	/* First the header, before its length is trusted; then its contents. */
	r->front->sized = true;
	ret = gw_xlfile_rules(&xl, NULL, 0, err);
	if (ret == 0)
		ret = read_optional(*r->ch, &xl, err);
	if (ret == 0)
		ret = gw_xlfile_rules(&xl, NULL, 0, err);
	if (ret == 0)
		ret = gw_xlfile_config_rules(&xl, r->p->args.name, &r->front->facts, NULL, 0, err);
	if (ret == 0)
		ret = read_config(&xl, r->config, err);
	if (ret == 0 && !(xl.mandatory_flags & GW_XLFILE_STREAM_V2))
		ret = convert_legacy(r, r->config->type, err);
	/* A converted image has offsets of its own. */
	r->front->offset = r->front->converted ? 0 : sizeof(raw) + xl.optional_len;
	gw_xlfile_free(&xl);
	return ret;
}

/* There is no config: the domain may become as large as the host allows, and gets the size of the
 * image once that is known. */
static int make_config(const struct reader *r, enum gw_guest_type type, struct gw_error *err)
{
	struct gw_process *p = r->p;
	struct gw_config *config = r->config;

	if (!p->args.name)
		return gw_fail(err, GW_USAGE, "this image has no config: give --name");
	if (gw_process_open_host(p, err) < 0)
		return -1;
	config->type = type;
	config->pvh = type == GW_GUEST_X86_HVM;
	config->max_memkb = gw_host_free_pages(p->host) * 4;
	config->name = strdup(p->args.name);
	return config->name ? gw_config_build(config, err)
			    : gw_fail(err, GW_NO_MEMORY, "no memory");
}

/* xend gives an HVM guest video memory on top of its maxmem: 4 MiB if the config does not say. */
static uint64_t video_memkb(const struct gw_xend_config *xend)
{
	return (xend->videoram ? GW_MIN(xend->videoram, (uint64_t)1024) : 4) * 1024;
}

/* Takes the config of xend, but the guest type of the image. A config that cannot be parsed counts
 * as none. */
static int convert_config(const struct reader *r, const struct gw_xend *xend,
			  enum gw_guest_type type, struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	struct gw_xend_config from;
	int ret =
		gw_xend_config_read((const char *)xend->config.data, xend->config.len, &from, &why);

	from.guest = type;
	if (ret == 0)
		ret = gw_config_from_xend(r->config, &from, &why);
	if (ret == 0 && type == GW_GUEST_X86_HVM)
		r->config->max_memkb += video_memkb(&from);
	if (ret == 0)
		ret = gw_config_build(r->config, &why);
	r->front->sized = ret == 0;
	if (ret == 0)
		return 0;
	gw_config_free(r->config);
	if (r->p->args.name)
		return make_config(r, type, err);
	return gw_fail(err, GW_USAGE, "the config of this image cannot be read (%s): give --name",
		       why.text);
}

/* No magic: a legacy image, or an unknown format. xend: the header before it, or NULL. */
static int read_legacy(const struct reader *r, const struct gw_xend *xend, struct gw_error *err)
{
	struct gw_legacy_kind kind = {0};
	struct gw_error why = GW_ERROR_INIT;
	uint8_t first[GW_LEGACY_DETECT];
	int got = gw_channel_read(*r->ch, first, sizeof(first), &why);

	if (got < 0 && why.code != GW_TRUNCATED)
		return gw_fail_as(err, &why);
	if (got > 0 && !xend && gw_foreign_refuse(first, sizeof(first), err) < 0)
		return -1;
	if (got <= 0 || gw_detect(first, sizeof(first)) != GW_FILE_LEGACY)
		return gw_fail(
			err, GW_INVALID,
			xend ? "the xend header is not followed by a legacy image"
			     : "unknown format: expected a file of xl or xend, a libxl stream, a libxc image or a legacy image");
	gw_channel_unread(*r->ch, first, sizeof(first));
	if (gw_legacy_detect(first, sizeof(first), &kind, err) < 0 ||
	    (xend ? convert_config(r, xend, kind.guest, err) : make_config(r, kind.guest, err)) < 0)
		return -1;
	return convert_legacy(r, kind.guest, err);
}

static int read_xend_header(const struct reader *r, struct gw_error *err)
{
	struct gw_xend xend = {0};
	int ret = gw_xend_read(*r->ch, NULL, &xend, err);

	if (ret == 0)
		ret = read_legacy(r, &xend, err);
	gw_xend_free(&xend);
	return ret;
}

static int read_front(const struct reader *r, struct gw_error *err)
{
	uint8_t first[8];
	int got = gw_channel_read(*r->ch, first, sizeof(first), err);

	if (got == 0)
		return gw_fail(err, GW_TRUNCATED, "the file is empty");
	if (got < 0)
		return -1;
	r->front->layer = GW_LAYER_LIBXL;
	if (gw_xlfile_is_magic(first, sizeof(first)))
		return read_xl_header(r, first, err);
	gw_channel_unread(*r->ch, first, sizeof(first));
	if (gw_xend_is_magic(first, sizeof(first)))
		return read_xend_header(r, err);
	if (gw_get_be64(first) == UINT64_MAX)
		r->front->layer = GW_LAYER_LIBXC;
	else if (memcmp(first, "LibxlFmt", 8) != 0)
		return read_legacy(r, NULL, err);
	return make_config(r, GW_GUEST_X86_HVM, err);
}

static int check_name(const struct reader *r, struct gw_error *err)
{
	if (r->p->args.name) {
		if (gw_name_check_given(r->p->args.name, err) < 0)
			return -1;
		return gw_config_rename(r->config, r->p->args.name, err);
	}
	if (!r->config->name)
		return gw_fail(err, GW_USAGE, "the config has no name: give --name");
	return gw_name_check_given(r->config->name, err) < 0 ? gw_fail_more(err, ": give --name")
							     : 0;
}

int gw_front_read(struct gw_process *p, struct gw_front *front, struct gw_channel **ch,
		  struct gw_config *config, struct gw_error *err)
{
	struct reader r = {p, front, ch, config};

	*config = (struct gw_config){0};
	if (read_front(&r, err) == 0 && check_name(&r, err) == 0)
		return 0;
	gw_config_free(config);
	return -1;
}
