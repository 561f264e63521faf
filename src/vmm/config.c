/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libxl_domain_config in JSON, read for the few fields godwit acts on and kept as text otherwise;
 * and the configs of old xl and of xend, read just far enough to build such JSON.
 */
#include "vmm/config.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/buffer.h"
#include "base/util.h"
#include "vmm/json_splice.h"

#define DEFAULT_MEMKB (64u * 1024)
#define MEMMIB_END    (UINT64_C(1) << 34) /* no config has that much memory */
/* A domain's memory in addition to its RAM: special pages at the end of the first 4 GiB, firmware,
 * padding of video memory. */
#define SLACK_PAGES 1024u

void gw_config_free(struct gw_config *config)
{
	free(config->text);
	free(config->name);
	free(config->kernel);
	free(config->cmdline);
	memset(config, 0, sizeof(*config));
}

void gw_uuid_format(const uint8_t uuid[16], char out[37])
{
	static const char digits[] = "0123456789abcdef";
	char *p = out;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = digits[uuid[i] >> 4];
		*p++ = digits[uuid[i] & 0xf];
	}
	*p = '\0';
}

static bool parse_uuid(const char *text, uint8_t uuid[16])
{
	unsigned nibbles = 0;

	for (; *text; text++) {
		const char *digits = "0123456789abcdef";
		const char *at;

		if (*text == '-')
			continue;
		at = strchr(digits, tolower((unsigned char)*text));
		if (!at || nibbles == 32)
			return false;
		if (nibbles % 2 == 0)
			uuid[nibbles / 2] = (uint8_t)((at - digits) << 4);
		else
			uuid[nibbles / 2] |= (uint8_t)(at - digits);
		nibbles++;
	}
	return nibbles == 32;
}

static int set_type(struct gw_config *config, const char *type, struct gw_error *err)
{
	config->pvh = strcasecmp(type, "pvh") == 0;
	if (config->pvh || strcasecmp(type, "hvm") == 0)
		config->type = GW_GUEST_X86_HVM;
	else if (strcasecmp(type, "pv") == 0)
		config->type = GW_GUEST_X86_PV;
	else
		return gw_fail(err, GW_INVALID,
			       "the domain's config gives type \"%s\", expected pv, pvh or hvm",
			       type);
	return 0;
}

static int copy_string(char **to, const char *from, struct gw_error *err)
{
	char *copy = from ? strdup(from) : NULL;

	if (from && !copy)
		return gw_fail(err, GW_NO_MEMORY, "no memory for the domain's config");
	free(*to);
	*to = copy;
	return 0;
}

/* A number of the JSON, which must be in [min, max] if it exists. */
static int get_number(const json_t *object, const char *key, uint64_t min, uint64_t max,
		      uint64_t *value, struct gw_error *err)
{
	const json_t *number = json_object_get(object, key);

	if (!number)
		return 0;
	if (!json_is_integer(number) || json_integer_value(number) < 0 ||
	    (uint64_t)json_integer_value(number) < min ||
	    (uint64_t)json_integer_value(number) > max)
		return gw_fail(err, GW_INVALID,
			       "the domain's config: %s is not a number from %llu to %llu", key,
			       (unsigned long long)min, (unsigned long long)max);
	*value = (uint64_t)json_integer_value(number);
	return 0;
}

static int get_fields(struct gw_config *config, const json_t *root, struct gw_error *err)
{
	const json_t *c_info = json_object_get(root, "c_info");
	const json_t *b_info = json_object_get(root, "b_info");
	const char *type = json_string_value(json_object_get(c_info, "type"));
	const char *uuid = json_string_value(json_object_get(c_info, "uuid"));
	uint64_t vcpus = 1;

	if (!json_is_object(c_info) || !json_is_object(b_info))
		return gw_fail(err, GW_INVALID,
			       "the domain's config has no c_info or no b_info object");
	if (!type)
		return gw_fail(err, GW_INVALID, "the domain's config has no c_info.type");
	if (set_type(config, type, err) < 0)
		return -1;
	if (uuid && !parse_uuid(uuid, config->uuid))
		return gw_fail(err, GW_INVALID, "the domain's config: \"%s\" is not a uuid", uuid);
	config->max_memkb = DEFAULT_MEMKB;
	if (get_number(b_info, "target_memkb", 0, UINT64_C(1) << 44, &config->max_memkb, err) < 0 ||
	    get_number(b_info, "max_memkb", 4, UINT64_C(1) << 44, &config->max_memkb, err) < 0 ||
	    get_number(b_info, "max_vcpus", 1, 8192, &vcpus, err) < 0)
		return -1;
	config->max_vcpus = (unsigned)vcpus;
	if (copy_string(&config->name, json_string_value(json_object_get(c_info, "name")), err) <
		    0 ||
	    copy_string(&config->kernel, json_string_value(json_object_get(b_info, "kernel")),
			err) < 0)
		return -1;
	return copy_string(&config->cmdline, json_string_value(json_object_get(b_info, "cmdline")),
			   err);
}

static int set_text(struct gw_config *config, const char *text, size_t len, struct gw_error *err)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return gw_fail(err, GW_NO_MEMORY, "no memory for the domain's config");
	memcpy(copy, text, len);
	copy[len] = '\0';
	free(config->text);
	config->text = copy;
	config->text_len = len;
	return 0;
}

int gw_config_parse_json(struct gw_config *config, const char *text, size_t len,
			 struct gw_error *err)
{
	json_error_t je;
	json_t *root;
	int ret;

	memset(config, 0, sizeof(*config));
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
	if (!root)
		return gw_fail(err, GW_INVALID, "the domain's config is not JSON: line %d: %s",
			       je.line, je.text);
	ret = get_fields(config, root, err);
	json_decref(root);
	if (ret == 0)
		ret = set_text(config, text, len, err);
	if (ret < 0)
		gw_config_free(config);
	return ret;
}

/* One "key = value" line of a text config; value loses its quotes. */
static int text_line(struct gw_config *config, char *key, char *value, struct gw_error *err)
{
	size_t len;

	if (*value == '"' || *value == '\'') {
		char *end = strchr(value + 1, *value);

		if (end)
			*end = '\0';
		value++;
	}
	len = strlen(value);
	while (len && isspace((unsigned char)value[len - 1]))
		value[--len] = '\0';

	if (strcmp(key, "name") == 0)
		return copy_string(&config->name, value, err);
	if (strcmp(key, "kernel") == 0)
		return copy_string(&config->kernel, value, err);
	if (strcmp(key, "type") == 0 || strcmp(key, "builder") == 0)
		return set_type(config, strcmp(value, "generic") == 0 ? "pv" : value, err);
	if (strcmp(key, "uuid") == 0 && !parse_uuid(value, config->uuid))
		return gw_fail(err, GW_INVALID, "the domain's config: \"%s\" is not a uuid", value);
	if (strcmp(key, "memory") == 0 || strcmp(key, "maxmem") == 0 || strcmp(key, "vcpus") == 0) {
		char *end;
		unsigned long number = strtoul(value, &end, 10);

		if (end == value || *end || number == 0 || number > (1u << 30))
			return gw_fail(err, GW_INVALID,
				       "the domain's config: %s = %s is not a number", key, value);
		if (*key == 'v')
			config->max_vcpus = (unsigned)GW_MIN(number, 8192ul);
		else
			config->max_memkb = GW_MAX(config->max_memkb, (uint64_t)number * 1024);
	}
	return 0;
}

int gw_config_parse_text(struct gw_config *config, const char *text, size_t len,
			 struct gw_error *err)
{
	GW_FREE_ON_EXIT char *copy = strndup(text, len);
	char *save = NULL;
	int ret = 0;

	memset(config, 0, sizeof(*config));
	config->type = GW_GUEST_X86_PV;
	config->max_vcpus = 1;
	if (!copy)
		return gw_fail(err, GW_NO_MEMORY, "no memory for the domain's config");
	for (char *line = strtok_r(copy, "\n", &save); line && ret == 0;
	     line = strtok_r(NULL, "\n", &save)) {
		char *key = line + strspn(line, " \t");
		char *equals = strchr(line, '=');

		if (*key == '#' || !equals)
			continue;
		key[strcspn(key, " \t=")] = '\0';
		ret = text_line(config, key, equals + 1 + strspn(equals + 1, " \t"), err);
	}
	if (ret == 0 && !config->max_memkb)
		config->max_memkb = DEFAULT_MEMKB;
	if (ret == 0)
		ret = gw_config_build(config, err);
	if (ret < 0)
		gw_config_free(config);
	return ret;
}

int gw_config_from_xend(struct gw_config *config, const struct gw_xend_config *xend,
			struct gw_error *err)
{
	uint64_t mib = xend->maxmem ? xend->maxmem : xend->memory;
	uint8_t uuid[16];

	*config = (struct gw_config){.type = xend->guest, .max_vcpus = 1};
	config->max_memkb = mib && mib < MEMMIB_END ? mib * 1024 : DEFAULT_MEMKB;
	if (xend->vcpus)
		config->max_vcpus = (unsigned)GW_MIN(xend->vcpus, (uint64_t)8192);
	/* An invalid uuid does no harm: the domain gets a new one. */
	if (parse_uuid(xend->uuid, uuid))
		memcpy(config->uuid, uuid, sizeof(uuid));
	if (copy_string(&config->name, *xend->name ? xend->name : NULL, err) == 0 &&
	    copy_string(&config->kernel, *xend->kernel ? xend->kernel : NULL, err) == 0)
		return 0;
	gw_config_free(config);
	return -1;
}

static int random_uuid(uint8_t uuid[16], struct gw_error *err)
{
	static const uint8_t none[16];

	if (memcmp(uuid, none, 16) != 0)
		return 0;
	if (getrandom(uuid, 16, 0) != 16)
		return gw_fail_errno(err, "random bytes for a uuid");
	uuid[6] = (uuid[6] & 0x0f) | 0x40; /* RFC 9562, version 4 */
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
	return 0;
}

static json_t *build_b_info(const struct gw_config *config, const char *kind)
{
	char type_key[16];
	json_t *b = json_object(), *vcpus = json_array();

	for (unsigned i = 0; i < config->max_vcpus; i++)
		json_array_append_new(vcpus, json_integer(i));
	json_object_set_new(b, "max_vcpus", json_integer(config->max_vcpus));
	json_object_set_new(b, "avail_vcpus", vcpus);
	json_object_set_new(b, "max_memkb", json_integer((json_int_t)config->max_memkb));
	json_object_set_new(b, "target_memkb", json_integer((json_int_t)config->max_memkb));
	json_object_set_new(b, "video_memkb", json_integer(0));
	json_object_set_new(b, "claim_mode", json_string("True"));
	if (config->kernel)
		json_object_set_new(b, "kernel", json_string(config->kernel));
	if (config->cmdline)
		json_object_set_new(b, "cmdline", json_string(config->cmdline));
	snprintf(type_key, sizeof(type_key), "type.%s", kind);
	json_object_set_new(b, type_key, json_object());
	json_object_set_new(b, "arch_arm", json_object());
	json_object_set_new(b, "arch_x86", json_pack("{s:s}", "msr_relaxed", "False"));
	return b;
}

int gw_config_build(struct gw_config *config, struct gw_error *err)
{
	const char *kind = config->type == GW_GUEST_X86_PV ? "pv" : config->pvh ? "pvh" : "hvm";
	char uuid[37];
	char *text = NULL;
	json_t *root;
	int ret;

	if (!config->max_vcpus)
		config->max_vcpus = 1;
	if (random_uuid(config->uuid, err) < 0)
		return -1;
	gw_uuid_format(config->uuid, uuid);
	root = json_pack("{s:{s:s, s:s*, s:s, s:s}, s:o, s:s, s:s, s:s}", "c_info", "type", kind,
			 "name", config->name, "uuid", uuid, "run_hotplug_scripts", "False",
			 "b_info", build_b_info(config, kind), "on_reboot", "restart", "on_crash",
			 "preserve", "on_soft_reset", "soft_reset");
	if (root)
		text = json_dumps(root, JSON_INDENT(4) | JSON_PRESERVE_ORDER);
	json_decref(root);
	if (!text)
		return gw_fail(err, GW_USAGE, "a name, kernel or command line is not UTF-8");
	ret = set_text(config, text, strlen(text), err);
	free(text);
	return ret;
}

/* The slow way, for a text whose keys have escapes: everything is written anew. */
static int rename_by_dump(struct gw_config *config, const char *name, struct gw_error *err)
{
	json_t *root = json_loadb(config->text, config->text_len, 0, NULL);
	json_t *c_info = json_object_get(root, "c_info");
	char *text = NULL;
	int ret;

	if (json_object_set_new(c_info, "name", json_string(name)) == 0)
		text = json_dumps(root, JSON_INDENT(4) | JSON_PRESERVE_ORDER);
	json_decref(root);
	if (!text)
		return gw_fail(err, GW_USAGE, "the name \"%s\" cannot be written as JSON", name);
	ret = set_text(config, text, strlen(text), err);
	free(text);
	return ret;
}

static int splice_name(struct gw_config *config, size_t start, size_t end, const char *name,
		       struct gw_error *err)
{
	struct gw_buffer buf = {0};
	json_t *value = json_string(name);
	char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
	int ret = -1;

	if (!quoted)
		gw_fail(err, GW_USAGE, "the name is not UTF-8");
	else if (gw_buffer_append(&buf, config->text, start, err) == 0 &&
		 gw_buffer_append(&buf, quoted, strlen(quoted), err) == 0 &&
		 gw_buffer_append(&buf, config->text + end, config->text_len - end, err) == 0)
		ret = set_text(config, (const char *)buf.data, buf.len, err);
	json_decref(value);
	free(quoted);
	gw_buffer_free(&buf);
	return ret;
}

int gw_config_rename(struct gw_config *config, const char *name, struct gw_error *err)
{
	size_t start, end;
	int ret;

	if (config->name && strcmp(config->name, name) == 0)
		return 0;
	if (gw_json_find(config->text, config->text_len, "c_info", "name", &start, &end))
		ret = splice_name(config, start, end, name, err);
	else
		ret = rename_by_dump(config, name, err);
	return ret < 0 ? -1 : copy_string(&config->name, name, err);
}

void gw_config_to_hypervisor(const struct gw_config *config, struct gw_domain_config *out)
{
	memset(out, 0, sizeof(*out));
	out->name = config->name;
	memcpy(out->uuid, config->uuid, 16);
	out->type = config->type;
	out->max_pages = config->max_memkb / 4 + SLACK_PAGES;
	out->vcpus = config->max_vcpus;
}
