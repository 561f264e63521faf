/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads the header of xend and the useful values of its config.
 */
#include "format/xend/xend.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/xend/sxp.h"

#define AT_ONCE 65536u

const char gw_xend_magic[GW_XEND_MAGIC_SIZE + 1] = "LinuxGuestRecord";

bool gw_xend_is_magic(const void *first_bytes, size_t len)
{
	return len >= 8 &&
	       !memcmp(first_bytes, gw_xend_magic, GW_MIN(len, (size_t)GW_XEND_MAGIC_SIZE));
}

int gw_xend_want(struct gw_xend *xend, void **to, size_t *len, struct gw_error *err)
{
	size_t left = 0;

	if (!xend->has_header) {
		*to = xend->raw;
		*len = xend->wanted = GW_XEND_HEADER_SIZE;
		return 0;
	}
	if (xend->config_len > 0 && (uint32_t)xend->config_len <= GW_XEND_CONFIG_MAX)
		left = (size_t)xend->config_len - xend->config.len;
	*len = xend->wanted = GW_MIN(left, (size_t)AT_ONCE);
	*to = left ? gw_buffer_reserve(&xend->config, xend->wanted, err) : NULL;
	return left && !*to ? -1 : 0;
}

int gw_xend_got(struct gw_xend *xend, struct gw_error *err)
{
	if (xend->has_header) {
		xend->config.len += xend->wanted;
		return 0;
	}
	if (!gw_xend_is_magic(xend->raw, GW_XEND_MAGIC_SIZE))
		return gw_fail(err, GW_INVALID, "xend header: the first %d bytes are not \"%s\"",
			       GW_XEND_MAGIC_SIZE, gw_xend_magic);
	xend->config_len = (int32_t)gw_get_be32(xend->raw + GW_XEND_MAGIC_SIZE);
	xend->has_header = true;
	return 0;
}

void gw_xend_free(struct gw_xend *xend)
{
	gw_buffer_free(&xend->config);
	*xend = (struct gw_xend){0};
}

/* The config: (domain (KEY VALUE) ... (image (KIND (KEY VALUE) ...)) (device (KIND ...)) ...) */

#define LEVELS 5u /* depths that matter, including 0 */

struct reading {
	struct gw_sxp sxp;
	struct gw_xend_config *config;
	unsigned nr[LEVELS]; /* elements so far of the open list at each depth */
	char key[24];	     /* first element of the list at depth 2; "" if it is not an atom */
	char inner[24];	     /* of the list at depth 4, likewise */
};

/* Takes the current atom, if it is text that fits and no value came before. */
static void take_text(const struct reading *r, char *to, size_t size)
{
	size_t len;

	if (*to)
		return;
	len = gw_sxp_atom(&r->sxp, to, size);
	if (len >= size || strlen(to) != len)
		*to = '\0';
}

static void take_key(const struct reading *r, char *to, size_t size)
{
	*to = '\0';
	take_text(r, to, size);
}

static void take_number(const struct reading *r, uint64_t *to)
{
	char text[24] = "", *end;

	take_text(r, text, sizeof(text));
	if (*to == 0 && *text >= '0' && *text <= '9') {
		uint64_t value = strtoull(text, &end, 10);

		*to = *end ? 0 : value;
	}
}

static void take_value(struct reading *r)
{
	struct gw_xend_config *c = r->config;

	if (!strcmp(r->key, "name"))
		take_text(r, c->name, sizeof(c->name));
	else if (!strcmp(r->key, "uuid"))
		take_text(r, c->uuid, sizeof(c->uuid));
	else if (!strcmp(r->key, "memory"))
		take_number(r, &c->memory);
	else if (!strcmp(r->key, "maxmem"))
		take_number(r, &c->maxmem);
	else if (!strcmp(r->key, "vcpus"))
		take_number(r, &c->vcpus);
}

static void take_image_value(struct reading *r)
{
	if (!strcmp(r->inner, "kernel"))
		take_text(r, r->config->kernel, sizeof(r->config->kernel));
	else if (!strcmp(r->inner, "videoram"))
		take_number(r, &r->config->videoram);
}

static void count_device(struct gw_xend_config *c, const char *kind)
{
	size_t i = 0;

	while (i < c->nr_devices && strcmp(c->devices[i].kind, kind) != 0)
		i++;
	if (i == GW_XEND_KINDS_MAX)
		return;
	if (i == c->nr_devices)
		strcpy(c->devices[c->nr_devices++].kind, kind);
	c->devices[i].count++;
}

/* (image (KIND ...)), (device (KIND ...)): an image of any KIND but "hvm" is a PV guest's. */
static void take_kind(struct reading *r)
{
	char kind[sizeof(r->config->devices[0].kind)];

	take_key(r, kind, sizeof(kind));
	if (!*kind)
		return;
	if (!strcmp(r->key, "device"))
		count_device(r->config, kind);
	else if (!strcmp(r->key, "image") && r->config->guest == GW_GUEST_NONE)
		r->config->guest = strcmp(kind, "hvm") ? GW_GUEST_X86_PV : GW_GUEST_X86_HVM;
}

static int take_atom(struct reading *r, struct gw_error *err)
{
	unsigned depth = r->sxp.depth, nth;
	char name[24];

	if (depth >= LEVELS)
		return 0;
	nth = r->nr[depth]++;
	switch (depth) {
	case 0:
		return gw_fail(err, GW_INVALID, "%s does not begin with a list",
			       nth ? "the text after the config" : "it");
	case 1:
		take_key(r, name, sizeof(name));
		if (nth == 0 && strcmp(name, "domain") != 0)
			return gw_fail(err, GW_INVALID, "its list does not begin with \"domain\"");
		break;
	case 2:
		if (nth == 0)
			take_key(r, r->key, sizeof(r->key));
		else if (nth == 1)
			take_value(r);
		break;
	case 3:
		if (nth == 0 && r->nr[2] == 2)
			take_kind(r);
		break;
	default:
		if (nth == 0)
			take_key(r, r->inner, sizeof(r->inner));
		else if (nth == 1 && r->nr[2] == 2 && !strcmp(r->key, "image"))
			take_image_value(r);
	}
	return 0;
}

/* A list begins as an element of the list around it. */
static int open_list(struct reading *r, struct gw_error *err)
{
	unsigned depth = r->sxp.depth, nth = 0;

	if (depth <= LEVELS)
		nth = r->nr[depth - 1]++;
	if (depth == 1 && nth)
		return gw_fail(err, GW_INVALID, "more than one list, the next at byte %zu",
			       r->sxp.start);
	if (depth == 2 && nth == 0)
		return gw_fail(err, GW_INVALID, "its list does not begin with \"domain\"");
	if (depth < LEVELS)
		r->nr[depth] = 0;
	if (depth == 2)
		r->key[0] = '\0';
	if (depth == 4)
		r->inner[0] = '\0';
	return 0;
}

static int read_config(struct reading *r, struct gw_error *err)
{
	for (;;) {
		enum gw_sxp_token token;
		int rc = gw_sxp_next(&r->sxp, &token, err);

		if (rc == 0 && token == GW_SXP_END)
			return r->nr[1] ? 0 : gw_fail(err, GW_INVALID, "it is empty");
		if (rc == 0 && token == GW_SXP_OPEN)
			rc = open_list(r, err);
		else if (rc == 0 && token == GW_SXP_ATOM)
			rc = take_atom(r, err);
		if (rc < 0)
			return -1;
	}
}

int gw_xend_config_read(const char *text, size_t len, struct gw_xend_config *config,
			struct gw_error *err)
{
	struct reading r = {.config = config};

	*config = (struct gw_xend_config){0};
	gw_sxp_init(&r.sxp, text, len);
	if (read_config(&r, err) == 0)
		return 0;
	*config = (struct gw_xend_config){0};
	return -1;
}
