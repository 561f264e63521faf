/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libxl_domain_config in JSON: built for a domain that has none, and kept as text otherwise.
 */
#include "vmm/config.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/buffer.h"
#include "base/util.h"
#include "format/rules/rules.h"
#include "vmm/json_splice.h"

#define DEFAULT_MEMKB (64u * 1024)
#define MEMMIB_END    (UINT64_C(1) << 34) /* no config has that much memory */
/* A domain's memory in addition to its RAM: special pages at the end of the first 4 GiB, firmware,
 * padding of video memory. */
#define SLACK_PAGES 1024u

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

/* The first error is the reason why the config is refused. */
static void on_finding(void *opaque, const struct gw_finding *finding)
{
	if (finding->level == GW_LEVEL_ERROR)
		gw_fail(opaque, GW_INVALID, "the domain's config: %s",
			finding->text + strlen("the config: "));
}

/* Judges and reads the config; it is empty after a failure. */
static int read_config(struct gw_config *config, const struct gw_config_text *from,
		       struct gw_error *err)
{
	struct gw_error refused = GW_ERROR_INIT, failed = GW_ERROR_INIT;
	const struct gw_findings findings = {.report = on_finding, .opaque = &refused};

	if (gw_config_rules(from, config, &findings, &failed) == 0)
		return 0;
	gw_config_free(config);
	return gw_fail_as(err, refused.code ? &refused : &failed);
}

int gw_config_parse_json(struct gw_config *config, const char *text, size_t len,
			 struct gw_error *err)
{
	const struct gw_config_text from = {.text = text, .len = len, .json = true, .named = true};

	if (read_config(config, &from, err) < 0)
		return -1;
	if (set_text(config, text, len, err) == 0)
		return 0;
	gw_config_free(config);
	return -1;
}

int gw_config_parse_text(struct gw_config *config, const char *text, size_t len,
			 struct gw_error *err)
{
	const struct gw_config_text from = {.text = text, .len = len, .named = true};

	if (read_config(config, &from, err) < 0)
		return -1;
	if (gw_config_build(config, err) == 0)
		return 0;
	gw_config_free(config);
	return -1;
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
	if (gw_uuid_parse(xend->uuid, uuid))
		memcpy(config->uuid, uuid, sizeof(uuid));
	if (gw_config_set_string(&config->name, *xend->name ? xend->name : NULL, err) == 0 &&
	    gw_config_set_string(&config->kernel, *xend->kernel ? xend->kernel : NULL, err) == 0)
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
	uint64_t target = config->target_memkb ? config->target_memkb : config->max_memkb;
	char type_key[16];
	json_t *b = json_object(), *vcpus = json_array();

	for (unsigned i = 0; i < config->max_vcpus; i++)
		json_array_append_new(vcpus, json_integer(i));
	json_object_set_new(b, "max_vcpus", json_integer(config->max_vcpus));
	json_object_set_new(b, "avail_vcpus", vcpus);
	json_object_set_new(b, "max_memkb", json_integer((json_int_t)config->max_memkb));
	json_object_set_new(b, "target_memkb", json_integer((json_int_t)target));
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

/* Puts value (its reference is taken over) instead of the bytes from start to end. */
static int splice(struct gw_config *config, size_t start, size_t end, json_t *value,
		  struct gw_error *err)
{
	struct gw_buffer buf = {0};
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	int ret = -1;

	if (!text)
		gw_fail(err, GW_USAGE, "the name is not UTF-8");
	else if (gw_buffer_append(&buf, config->text, start, err) == 0 &&
		 gw_buffer_append(&buf, text, strlen(text), err) == 0 &&
		 gw_buffer_append(&buf, config->text + end, config->text_len - end, err) == 0)
		ret = set_text(config, (const char *)buf.data, buf.len, err);
	json_decref(value);
	free(text);
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
		ret = splice(config, start, end, json_string(name), err);
	else
		ret = rename_by_dump(config, name, err);
	return ret < 0 ? -1 : gw_config_set_string(&config->name, name, err);
}

/* libxl_ms_vm_genid in JSON: 16 numbers. */
static json_t *genid_json(const uint8_t genid[16])
{
	json_t *array = json_array();

	for (int i = 0; i < 16; i++)
		json_array_append_new(array, json_integer(genid[i]));
	return array;
}

/* For a text that has no generation id yet: everything is written anew. */
static int add_genid(struct gw_config *config, const uint8_t genid[16], struct gw_error *err)
{
	json_t *root = json_loadb(config->text, config->text_len, 0, NULL);
	json_t *b_info = json_object_get(root, "b_info");
	json_t *hvm = json_object_get(b_info, "type.hvm");
	char *text = NULL;
	int ret;

	if (!hvm && json_object_set_new(b_info, "type.hvm", json_object()) == 0)
		hvm = json_object_get(b_info, "type.hvm");
	if (json_object_set_new(hvm, "ms_vm_genid", genid_json(genid)) == 0)
		text = json_dumps(root, JSON_INDENT(4) | JSON_PRESERVE_ORDER);
	json_decref(root);
	if (!text)
		return gw_fail(err, GW_INVALID, "the config has no place for a generation id");
	ret = set_text(config, text, strlen(text), err);
	free(text);
	return ret;
}

int gw_config_set_genid(struct gw_config *config, const uint8_t genid[16], struct gw_error *err)
{
	static const char *const keys[] = {"b_info", "type.hvm", "ms_vm_genid"};
	size_t start, end;

	/* libxl has the field for guests of type hvm only. */
	if (config->type != GW_GUEST_X86_HVM || config->pvh)
		return 0;
	if (gw_json_find_path(config->text, config->text_len, keys, 3, &start, &end))
		return splice(config, start, end, genid_json(genid), err);
	return add_genid(config, genid, err);
}

uint64_t gw_config_pages(const struct gw_config *config)
{
	uint64_t kb = config->target_memkb ? config->target_memkb : config->max_memkb;

	return GW_MIN(kb, config->max_memkb) / 4;
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
