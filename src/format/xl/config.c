/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reads a libxl_domain_config in JSON as libxl does (its JSON reader and the parsers generated from
 * its types), for the few fields that godwit uses.
 */
#include "format/xl/config.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "format/xl/config_internal.h"

/* More than a config of libxl has: affinities of 128 vCPUs are some ten thousand numbers. */
#define VALUES_MAX 65536u
#define DEPTH_MAX  64u

#define MEMKB_MAX (UINT64_C(1) << 44) /* more than Xen can address */

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

bool gw_uuid_parse(const char *text, uint8_t uuid[16])
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	unsigned nibbles = 0;

	if (strlen(text) != strlen(form))
		return false;
	for (size_t i = 0; form[i]; i++) {
		char c = (char)tolower((unsigned char)text[i]);
		uint8_t digit;

		if (form[i] == '-' ? c != '-' : !isxdigit((unsigned char)c))
			return false;
		if (c == '-')
			continue;
		digit = (uint8_t)(isdigit((unsigned char)c) ? c - '0' : c - 'a' + 10);
		if (nibbles++ % 2 == 0)
			uuid[nibbles / 2] = (uint8_t)(digit << 4);
		else
			uuid[nibbles / 2 - 1] |= digit;
	}
	return true;
}

bool gw_name_is_valid(const char *name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
	size_t len = strlen(name);

	return len > 0 && len < GW_NAME_MAX && *name != '.' && *name != '-' &&
	       strspn(name, allowed) == len;
}

uint64_t gw_config_max_pages(const struct gw_config *config)
{
	return (config->target_memkb + GW_CONFIG_SLACK_MEMKB) / 4;
}

int gw_config_set_string(char **to, const char *from, struct gw_error *err)
{
	char *copy = from ? strdup(from) : NULL;

	if (from && !copy)
		return gw_fail(err, GW_NO_MEMORY, "no memory for the domain's config");
	free(*to);
	*to = copy;
	return 0;
}

void gw_config_type(struct gw_config_reader *r, const char *type)
{
	struct gw_config *config = r->config;

	config->pvh = strcasecmp(type, "pvh") == 0;
	if (config->pvh || strcasecmp(type, "hvm") == 0)
		config->type = GW_GUEST_X86_HVM;
	else if (strcasecmp(type, "pv") == 0)
		config->type = GW_GUEST_X86_PV;
	else
		gw_config_fault(r, GW_CONFIG_TYPE, 0,
				"the type is \"%.40s\", expected pv, pvh or hvm", type);
}

void gw_config_check_name(struct gw_config_reader *r)
{
	const char *name = r->config->name;

	if (!name)
		gw_config_fault(r, GW_CONFIG_NAME, 0, "it does not name the domain");
	else if (!gw_name_is_valid(name))
		gw_config_fault(r, GW_CONFIG_NAME_HERE, 0, "the name is \"%.80s\"", name);
}

void gw_config_check_memory(struct gw_config_reader *r)
{
	const struct gw_config *config = r->config;

	if (config->max_memkb < 4 || config->max_memkb > MEMKB_MAX)
		gw_config_fault(r, GW_CONFIG_MEMORY, 0,
				"max_memkb is %llu, expected a number from 4 to %llu",
				(unsigned long long)config->max_memkb,
				(unsigned long long)MEMKB_MAX);
	if (config->target_memkb > MEMKB_MAX)
		gw_config_fault(
			r, GW_CONFIG_MEMORY, 0, "target_memkb is %llu, expected at most %llu",
			(unsigned long long)config->target_memkb, (unsigned long long)MEMKB_MAX);
	else if (config->target_memkb > config->max_memkb)
		gw_config_fault(r, GW_CONFIG_TARGET, 0, "target_memkb is %llu, max_memkb is %llu",
				(unsigned long long)config->target_memkb,
				(unsigned long long)config->max_memkb);
}

void gw_config_check_vcpus(struct gw_config_reader *r, int64_t vcpus)
{
	int64_t max =
		r->config->type == GW_GUEST_X86_HVM ? GW_CONFIG_HVM_VCPUS : GW_CONFIG_PV_VCPUS;

	if (vcpus == 0)
		gw_config_fault(r, GW_CONFIG_VCPUS_ZERO, 0, "the number of vCPUs is 0");
	else if (vcpus < 0 || vcpus > max)
		gw_config_fault(r, GW_CONFIG_VCPUS, 0,
				"the number of vCPUs is %lld, expected 1 to %lld", (long long)vcpus,
				(long long)max);
	r->config->max_vcpus = vcpus > 0 ? (unsigned)GW_MIN(vcpus, (int64_t)GW_CONFIG_PV_VCPUS) : 1;
}

/* The JSON */

static void wrong_type(struct gw_config_reader *r, const char *key, const char *expected)
{
	gw_config_fault(r, GW_CONFIG_FIELD_TYPE, 0, "%s is not a %s", key, expected);
}

/* The string of that key; NULL if there is none, or it is of another type. */
static const char *string_of(struct gw_config_reader *r, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (value && !json_is_string(value) && !json_is_null(value))
		wrong_type(r, key, "string");
	return json_string_value(value);
}

/* True if there is a number of that key. To libxl a number with a fraction is another type. */
static bool number_of(struct gw_config_reader *r, const json_t *object, const char *key,
		      int64_t *number)
{
	const json_t *value = json_object_get(object, key);

	if (value && !json_is_integer(value))
		wrong_type(r, key, "whole number");
	*number = json_integer_value(value);
	return json_is_integer(value);
}

static void read_memory(struct gw_config_reader *r, const json_t *b_info)
{
	struct gw_config *config = r->config;
	bool has_target = false;
	int64_t number;

	config->max_memkb = GW_CONFIG_DEFAULT_MEMKB;
	if (number_of(r, b_info, "max_memkb", &number) && number < 0)
		gw_config_fault(r, GW_CONFIG_MEMORY, 0, "max_memkb is %lld", (long long)number);
	else if (json_is_integer(json_object_get(b_info, "max_memkb")))
		config->max_memkb = (uint64_t)number;
	if (number_of(r, b_info, "target_memkb", &number) && number < 0)
		gw_config_fault(r, GW_CONFIG_MEMORY, 0, "target_memkb is %lld", (long long)number);
	else
		has_target = json_is_integer(json_object_get(b_info, "target_memkb"));
	config->target_memkb = has_target ? (uint64_t)number : config->max_memkb;
	gw_config_check_memory(r);
}

/* libxl builds the domain that b_info describes: it has an object "type.pv" or the like. */
static void check_build_type(struct gw_config_reader *r, const json_t *b_info)
{
	static const char *const kinds[] = {"hvm", "pv", "pvh"};
	const char *wanted = r->config->type == GW_GUEST_X86_PV ? "pv"
			     : r->config->pvh			? "pvh"
								: "hvm";
	const char *found = NULL;
	char key[16];

	for (size_t i = 0; i < GW_ARRAY_SIZE(kinds); i++) {
		snprintf(key, sizeof(key), "type.%s", kinds[i]);
		/* libxl keeps the last one in this order. */
		if (json_is_object(json_object_get(b_info, key)))
			found = kinds[i];
	}
	if (!found)
		gw_config_fault(r, GW_CONFIG_BUILD_TYPE, 0, "b_info has no object type.%s", wanted);
	else if (r->config->type != GW_GUEST_NONE && strcmp(found, wanted) != 0)
		gw_config_fault(r, GW_CONFIG_BUILD_TYPE, 0,
				"b_info has type.%s, the type in c_info is %s", found, wanted);
}

static void read_model(struct gw_config_reader *r, const json_t *b_info)
{
	const char *version = string_of(r, b_info, "device_model_version");
	const char *stubdom = string_of(r, b_info, "device_model_stubdomain");
	struct gw_config *config = r->config;

	config->stubdom = stubdom && strncmp(stubdom, "True", 4) == 0;
	config->qemu_traditional = version && strcasecmp(version, "qemu_xen_traditional") == 0;
	if (config->qemu_traditional && config->type == GW_GUEST_X86_HVM && !config->pvh)
		gw_config_fault(r, GW_CONFIG_TRADITIONAL, 0,
				"device_model_version is qemu_xen_traditional");
}

static int read_create_info(struct gw_config_reader *r, const json_t *c_info, struct gw_error *err)
{
	const char *type = string_of(r, c_info, "type");
	const char *uuid = string_of(r, c_info, "uuid");
	const char *name = string_of(r, c_info, "name");

	if (type)
		gw_config_type(r, type);
	else
		gw_config_fault(r, GW_CONFIG_TYPE, 0, "there is no c_info.type");
	if (uuid && !gw_uuid_parse(uuid, r->config->uuid))
		gw_config_fault(r, GW_CONFIG_UUID, 0, "\"%.60s\" is not a uuid", uuid);
	if (gw_config_set_string(&r->config->name, name, err) < 0)
		return -1;
	gw_config_check_name(r);
	return 0;
}

static int read_build_info(struct gw_config_reader *r, const json_t *b_info, struct gw_error *err)
{
	int64_t vcpus = 1;

	read_memory(r, b_info);
	if (number_of(r, b_info, "max_vcpus", &vcpus))
		gw_config_check_vcpus(r, vcpus);
	else
		r->config->max_vcpus = 1;
	check_build_type(r, b_info);
	read_model(r, b_info);
	if (gw_config_set_string(&r->config->kernel, string_of(r, b_info, "kernel"), err) < 0)
		return -1;
	return gw_config_set_string(&r->config->cmdline, string_of(r, b_info, "cmdline"), err);
}

static int read_sections(struct gw_config_reader *r, const json_t *root, struct gw_error *err)
{
	const json_t *c_info = json_object_get(root, "c_info");
	const json_t *b_info = json_object_get(root, "b_info");

	if (!json_is_object(c_info) || !json_is_object(b_info)) {
		gw_config_fault(r, GW_CONFIG_SECTIONS, 0, "it has no object %s",
				json_is_object(c_info) ? "b_info" : "c_info");
		return 0;
	}
	if (read_create_info(r, c_info, err) < 0 || read_build_info(r, b_info, err) < 0)
		return -1;
	gw_config_check_schema(r, root);
	gw_config_check_values(r, b_info);
	gw_config_check_disks(r, root);
	return 0;
}

/* The JSON value at the beginning of the text; NULL after a fault. */
/*
 * Counts what a parser would make objects of, and how deep they are: a text of "{},{}," takes 70
 * times its size in memory. False if it is more than any config has.
 */
static bool is_bounded(const char *text, size_t len)
{
	size_t values = 0, depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (in_string)
			continue;
		else if (text[i] == '{' || text[i] == '[')
			values++, depth++;
		else if ((text[i] == '}' || text[i] == ']') && depth)
			depth--;
		else if (text[i] == ',' || text[i] == ':')
			values++;
		if (values > VALUES_MAX || depth > DEPTH_MAX)
			return false;
	}
	return true;
}

static json_t *parse(struct gw_config_reader *r, const char *text, size_t len)
{
	size_t flags = JSON_DISABLE_EOF_CHECK;
	json_error_t je;
	json_t *root;
	size_t end;

	if (!is_bounded(text, len)) {
		gw_config_fault(r, GW_CONFIG_SIZE, 0,
				"more than %u values, or more than %u objects inside of each other",
				VALUES_MAX, DEPTH_MAX);
		return NULL;
	}
	root = json_loadb(text, len, flags | JSON_REJECT_DUPLICATES, &je);
	if (!root && json_error_code(&je) == json_error_duplicate_key) {
		gw_config_fault(r, GW_CONFIG_TWICE, (size_t)GW_MAX(je.position, 0), "line %d: %s",
				je.line, je.text);
		root = json_loadb(text, len, flags, &je);
	}
	if (!root) {
		gw_config_fault(r, GW_CONFIG_SYNTAX, (size_t)GW_MAX(je.position, 0),
				"it is not JSON: line %d: %s", je.line, je.text);
		return NULL;
	}
	/* What the parser has taken. */
	end = (size_t)GW_MAX(je.position, 0);
	while (end < len && strchr(" \t\r\n", text[end]) && text[end])
		end++;
	if (end < len)
		gw_config_fault(r, GW_CONFIG_TRAILING, end, "%zu bytes follow the JSON object",
				len - end);
	return root;
}

int gw_config_read_json(struct gw_config *config, const char *text, size_t len,
			const struct gw_config_faults *faults, struct gw_error *err)
{
	struct gw_config_reader r = {.config = config, .faults = faults};
	json_t *root;
	int ret;

	*config = (struct gw_config){0};
	root = parse(&r, text, len);
	if (!root)
		return 0;
	ret = read_sections(&r, root, err);
	json_decref(root);
	if (ret < 0)
		gw_config_free(config);
	return ret;
}
