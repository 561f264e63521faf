/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Decodes the framing of a savevm stream.
 */
#include "format/qemu/savevm.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

/* Most capabilities that a configuration may list; QEMU knows some twenty. */
#define CAPABILITIES_MAX 128u

size_t gw_savevm_header(const uint8_t *p, size_t len, uint32_t *magic, uint32_t *version)
{
	if (len < GW_SAVEVM_HEADER_SIZE)
		return 0;
	*magic = gw_get_be32(p);
	*version = gw_get_be32(p + 4);
	return GW_SAVEVM_HEADER_SIZE;
}

/* A name of n bytes, as a string. */
static void take_name(char *to, const uint8_t *p, size_t n)
{
	memcpy(to, p, n);
	to[n] = 0;
	for (size_t i = 0; i < n; i++)
		if (!to[i])
			to[i] = '?';
}

/* A place in the configuration. It stops being good when bytes are missing. */
struct cursor {
	const uint8_t *p;
	size_t len, pos, need;
};

/* The next n bytes, or NULL. */
static const uint8_t *take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p + c->pos;

	if (c->need || c->len - c->pos < n) {
		c->need = GW_MAX(c->need, c->pos + n);
		return NULL;
	}
	c->pos += n;
	return p;
}

static void add_capability(struct gw_savevm_configuration *conf, const char *name)
{
	size_t used = strlen(conf->capabilities);

	snprintf(conf->capabilities + used, sizeof(conf->capabilities) - used, "%s%s",
		 used ? ", " : "", name);
	conf->ignore_shared |= !strcmp(name, "x-ignore-shared");
	conf->mapped_ram |= !strcmp(name, "mapped-ram");
}

static const char *take_capabilities(struct cursor *c, struct gw_savevm_configuration *conf)
{
	const uint8_t *p = take(c, 4);
	uint32_t count = p ? gw_get_be32(p) : 0;

	if (count > CAPABILITIES_MAX)
		return "it has more capabilities than QEMU knows";
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *n = take(c, 1);
		const uint8_t *text = n ? take(c, *n) : NULL;
		char name[GW_SAVEVM_NAME_MAX + 1];

		if (!text)
			return NULL;
		take_name(name, text, *n);
		add_capability(conf, name);
	}
	return NULL;
}

static const char *take_subsection(struct cursor *c, struct gw_savevm_configuration *conf,
				   const char *name)
{
	const uint8_t *p;

	if (!strcmp(name, "configuration/target-page-bits")) {
		p = take(c, 4);
		if (p) {
			conf->page_bits = gw_get_be32(p);
			conf->has_page_bits = true;
		}
		/* 1 KiB to 64 KiB: QEMU has no other targets. */
		return p && (conf->page_bits < 10 || conf->page_bits > 16)
			       ? "its target-page-bits are not those of any target"
			       : NULL;
	}
	if (!strcmp(name, "configuration/capabilities"))
		return take_capabilities(c, conf);
	if (!strcmp(name, "configuration/uuid")) {
		p = take(c, sizeof(conf->uuid));
		if (p) {
			memcpy(conf->uuid, p, sizeof(conf->uuid));
			conf->has_uuid = true;
		}
		return NULL;
	}
	return "it has a subsection that QEMU does not know";
}

/* The subsections after the machine's name. */
static const char *take_subsections(struct cursor *c, struct gw_savevm_configuration *conf)
{
	for (;;) {
		const uint8_t *type = take(c, 1), *n, *text;
		char name[GW_SAVEVM_NAME_MAX + 1];
		const char *bad;

		if (!type || *type != GW_SAVEVM_SUBSECTION) {
			c->pos -= type != NULL;
			return NULL;
		}
		n = take(c, 1);
		text = n ? take(c, *n) : NULL;
		if (!text || !take(c, 4))
			return NULL;
		take_name(name, text, *n);
		bad = take_subsection(c, conf, name);
		if (bad)
			return bad;
	}
}

size_t gw_savevm_configuration(const uint8_t *p, size_t len, struct gw_savevm_configuration *conf,
			       size_t *need, const char **bad)
{
	struct cursor c = {.p = p, .len = len};
	const uint8_t *head, *text;
	uint32_t n;

	*conf = (struct gw_savevm_configuration){.page_bits = 12};
	*bad = NULL;
	head = take(&c, 5);
	n = head ? gw_get_be32(head + 1) : 0;
	if (n > GW_SAVEVM_NAME_MAX) {
		*bad = "the name of its machine is too long";
		return 5;
	}
	text = head ? take(&c, n) : NULL;
	if (text) {
		take_name(conf->machine, text, n);
		*bad = take_subsections(&c, conf);
	}
	*need = c.need;
	if (conf->page_bits < 10 || conf->page_bits > 16)
		conf->page_bits = 12;
	return c.need ? 0 : c.pos;
}

size_t gw_savevm_head(const uint8_t *p, size_t len, struct gw_savevm_head *head, size_t *need)
{
	size_t n, size;

	*need = 5;
	if (len < 5)
		return 0;
	*head = (struct gw_savevm_head){.type = p[0], .id = gw_get_be32(p + 1)};
	if (p[0] == GW_SAVEVM_PART || p[0] == GW_SAVEVM_END)
		return 5;
	*need = 6;
	if (len < 6)
		return 0;
	n = p[5];
	size = 6 + n + 8;
	*need = size;
	if (len < size)
		return 0;
	take_name(head->name, p + 6, n);
	head->instance = gw_get_be32(p + 6 + n);
	head->version = gw_get_be32(p + 10 + n);
	return size;
}

size_t gw_savevm_head_size(const struct gw_savevm_head *head)
{
	if (head->type == GW_SAVEVM_PART || head->type == GW_SAVEVM_END)
		return 5;
	return 6 + strlen(head->name) + 8;
}

size_t gw_savevm_command(const uint8_t *p, size_t len, struct gw_savevm_command *c, size_t *need)
{
	*need = 5;
	if (len < 5)
		return 0;
	*c = (struct gw_savevm_command){.number = gw_get_be16(p + 1), .length = gw_get_be16(p + 3)};
	*need = (size_t)5 + c->length;
	if (len < *need)
		return 0;
	c->payload = p + 5;
	return *need;
}

/* A length below 0: it varies, and is at least the complement. */
static const struct {
	const char *name;
	int length;
} commands[] = {
	[GW_SAVEVM_OPEN_RETURN_PATH] = {"OPEN_RETURN_PATH", 0},
	[GW_SAVEVM_PING] = {"PING", 4},
	[GW_SAVEVM_POSTCOPY_ADVISE] = {"POSTCOPY_ADVISE", ~0},
	[GW_SAVEVM_POSTCOPY_LISTEN] = {"POSTCOPY_LISTEN", 0},
	[GW_SAVEVM_POSTCOPY_RUN] = {"POSTCOPY_RUN", 0},
	[GW_SAVEVM_POSTCOPY_RAM_DISCARD] = {"POSTCOPY_RAM_DISCARD", ~3},
	[GW_SAVEVM_PACKAGED] = {"PACKAGED", 4},
	[GW_SAVEVM_ENABLE_COLO] = {"ENABLE_COLO", 0},
	[GW_SAVEVM_POSTCOPY_RESUME] = {"POSTCOPY_RESUME", 0},
	[GW_SAVEVM_RECV_BITMAP] = {"RECV_BITMAP", ~1},
	[GW_SAVEVM_SWITCHOVER_START] = {"SWITCHOVER_START", 0},
};

const char *gw_savevm_command_name(unsigned number)
{
	return number < GW_ARRAY_SIZE(commands) ? commands[number].name : NULL;
}

bool gw_savevm_command_length_is_good(const struct gw_savevm_command *c)
{
	int length;

	if (!gw_savevm_command_name(c->number))
		return false;
	length = commands[c->number].length;
	if (c->number == GW_SAVEVM_POSTCOPY_ADVISE)
		return c->length == 0 || c->length == 16;
	return length >= 0 ? c->length == length : c->length >= ~length;
}

const char *gw_savevm_type_name(unsigned type, char buf[16])
{
	static const char *const names[] = {
		[GW_SAVEVM_EOF] = "EOF",
		[GW_SAVEVM_START] = "START",
		[GW_SAVEVM_PART] = "PART",
		[GW_SAVEVM_END] = "END",
		[GW_SAVEVM_FULL] = "FULL",
		[GW_SAVEVM_SUBSECTION] = "SUBSECTION",
		[GW_SAVEVM_DESCRIPTION] = "VMDESCRIPTION",
		[GW_SAVEVM_CONFIGURATION] = "CONFIGURATION",
		[GW_SAVEVM_COMMAND] = "COMMAND",
	};

	if (type < GW_ARRAY_SIZE(names))
		return names[type];
	if (type == GW_SAVEVM_FOOTER)
		return "FOOTER";
	snprintf(buf, 16, "type 0x%02x", type);
	return buf;
}

bool gw_savevm_is_type(unsigned type)
{
	return type <= GW_SAVEVM_FULL || type == GW_SAVEVM_COMMAND;
}

const char *gw_savevm_short_name(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}
