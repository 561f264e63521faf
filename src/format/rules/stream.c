/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules for the libxl stream.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "base/visible.h"
#include "format/rules/emulator.h"
#include "format/rules/internal.h"

enum phase {
	P_BEFORE_CONTEXT,
	P_NORMAL,	    /* after the image */
	P_CHECKPOINT,	    /* after a CHECKPOINT of the image */
	P_AFTER_CHECKPOINT, /* after CHECKPOINT_END: the image continues, except for COLO's state */
	P_ENDED,
};

struct gw_stream_rules {
	struct gw_reporter reporter;
	enum phase phase;
	uint64_t checkpoints;  /* CHECKPOINT_END records seen */
	bool emulator_context; /* of this round */
	bool any_emulator_context;
	struct gw_config_facts config; /* zeroed: not known */
	enum gw_guest_type guest;
	struct gw_emulator_rules emulator;
};

/* Longest xenstore path. */
#define XENSTORE_PATH_MAX 3072

struct gw_stream_rules *gw_stream_rules_new(const struct gw_findings *out, uint64_t layer_start)
{
	struct gw_stream_rules *rules = calloc(1, sizeof(*rules));

	if (rules)
		rules->reporter = (struct gw_reporter){.out = out, .layer_start = layer_start};
	return rules;
}

void gw_stream_rules_free(struct gw_stream_rules *rules)
{
	if (rules)
		gw_emulator_rules_free(&rules->emulator);
	free(rules);
}

int gw_stream_rules_header(struct gw_stream_rules *rules, const struct gw_stream_header *h,
			   struct gw_error *err)
{
	uint32_t reserved = h->options & ~(GW_STREAM_BIG_ENDIAN | GW_STREAM_CONVERTED);
	struct gw_reporter *r = &rules->reporter;
	int rc = 0;

	if (h->version != GW_STREAM_VERSION)
		rc |= gw_broken(r, R_STREAM_VERSION, 8, NULL, err, "version %u, expected %u",
				h->version, GW_STREAM_VERSION);
	if (h->options & GW_STREAM_BIG_ENDIAN)
		rc |= gw_broken(r, R_STREAM_ENDIAN, 12, NULL, err,
				"its byte order is big-endian, expected little-endian");
	if (reserved)
		rc |= gw_broken(r, R_STREAM_RESERVED, 12, NULL, err, "reserved option bits 0x%x",
				reserved);
	if (h->options & GW_STREAM_CONVERTED)
		rc |= gw_broken(r, R_STREAM_CONVERTED, 12, NULL, err,
				"it was converted from a legacy stream");
	return rc;
}

static int broken(struct gw_stream_rules *rules, enum gw_rule_number number,
		  const struct gw_record *rec, struct gw_error *err, const char *text)
{
	return gw_broken(&rules->reporter, number, rec->offset, rec, err, "%s", text);
}

static int check_empty(struct gw_stream_rules *rules, const struct gw_record *rec,
		       struct gw_error *err)
{
	if (rec->length == 0)
		return 0;
	return gw_broken(&rules->reporter, R_STREAM_LENGTH, rec->offset, rec, err,
			 "length is %u, expected 0", rec->length);
}

static int check_context(struct gw_stream_rules *rules, const struct gw_record *rec,
			 struct gw_error *err)
{
	int rc = 0;

	if (rec->length)
		rc = gw_broken(&rules->reporter, R_STREAM_CONTEXT_BODY, rec->offset, rec, err,
			       "length is %u, expected 0", rec->length);
	if (rules->phase != P_BEFORE_CONTEXT)
		return rc | broken(rules, R_STREAM_CONTEXT_TWICE, rec, err,
				   "a record of this type came before");
	rules->phase = P_NORMAL;
	return rc;
}

/*
 * No device model state came. libxl opens its file for every guest of type hvm; with the device
 * model in a domain of its own another program does so.
 */
static int check_no_model(struct gw_stream_rules *rules, const struct gw_record *rec,
			  struct gw_error *err)
{
	const struct gw_config_facts *config = &rules->config;

	if (config->pvh)
		return 0;
	if (config->known && config->type == GW_GUEST_X86_HVM && !config->stubdom)
		return broken(rules, R_STREAM_EMULATOR_NEEDED, rec, err,
			      "no device model state, and the config's type is hvm");
	return broken(rules, R_STREAM_EMULATOR_MISSING, rec, err,
		      "no device model state: only a PVH guest can run without it");
}

static int check_end(struct gw_stream_rules *rules, const struct gw_record *rec,
		     struct gw_error *err)
{
	int rc = check_empty(rules, rec, err);

	if (rules->phase == P_BEFORE_CONTEXT)
		rc |= broken(rules, R_STREAM_CONTEXT_MISSING, rec, err,
			     "the stream contains no image");
	if (rules->phase == P_CHECKPOINT)
		rc |= broken(rules, R_STREAM_CHECKPOINT_PLACE, rec, err, "END inside a checkpoint");
	else if (rules->guest == GW_GUEST_X86_HVM && !rules->any_emulator_context)
		rc |= check_no_model(rules, rec, err);
	rules->phase = P_ENDED;
	return rc;
}

static int check_checkpoint_end(struct gw_stream_rules *rules, const struct gw_record *rec,
				struct gw_error *err)
{
	int rc = check_empty(rules, rec, err);

	if (rules->phase != P_CHECKPOINT)
		return rc | broken(rules, R_STREAM_CHECKPOINT_PLACE, rec, err,
				   "no checkpoint is open here");
	rules->phase = P_AFTER_CHECKPOINT;
	rules->checkpoints++;
	rules->emulator_context = false;
	return rc;
}

static int check_checkpoint_state(struct gw_stream_rules *rules, const struct gw_record *rec,
				  struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	uint32_t id;
	int rc = 0;

	if (rules->phase != P_AFTER_CHECKPOINT)
		rc = broken(rules, R_STREAM_CHECKPOINT_PLACE, rec, err,
			    "it does not follow a CHECKPOINT_END");
	if (!rec->data || gw_checkpoint_state_decode(rec, &id, &why) < 0)
		return rc | broken(rules, R_STREAM_CHECKPOINT_STATE, rec, err,
				   why.code ? why.text : "it is too long");
	if (id != 0) {
		const char *name = gw_checkpoint_state_name(id);

		rc |= gw_broken(&rules->reporter, R_STREAM_CHECKPOINT_STATE, rec->offset, rec, err,
				"control id is %u%s%s%s, expected 0 (NEW)", id, name ? " (" : "",
				name ? name : "", name ? ")" : "");
	}
	return rc;
}

/* True for characters that xenstored accepts in a path, except dots: so the path cannot leave its
 * directory. */
static bool path_is_safe(const char *key)
{
	size_t len = strlen(key);

	if (len == 0 || len > XENSTORE_PATH_MAX || key[0] == '/' || key[len - 1] == '/' ||
	    strstr(key, "//"))
		return false;
	for (const char *c = key; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-/_@", *c))
			return false;
	return true;
}

/* True for physmap/X/start_addr and the like, where X is a hex number. */
static bool path_is_physmap(const char *key)
{
	static const char *const leaves[] = {"/start_addr", "/size", "/name"};
	const char *folder = "physmap/";
	size_t digits;

	if (strncmp(key, folder, strlen(folder)) != 0)
		return false;
	key += strlen(folder);
	digits = strspn(key, "0123456789abcdefABCDEFx");
	for (size_t i = 0; i < GW_ARRAY_SIZE(leaves); i++)
		if (digits && !strcmp(key + digits, leaves[i]))
			return true;
	return false;
}

/* Hostile bytes as text for a message. */
static const char *printable(const char *s, char out[64])
{
	return gw_visible(out, 64, s);
}

static int check_xenstore(struct gw_stream_rules *rules, const struct gw_record *rec,
			  struct gw_error *err)
{
	struct gw_error why = GW_ERROR_INIT;
	struct gw_emulator_data emu;
	const char *key, *value;
	char shown[64];
	size_t pos = 0;
	int rc = 0, more;

	if (!rec->data)
		return broken(rules, R_STREAM_XENSTORE_STRINGS, rec, err,
			      "the record is longer than any device model's data");
	if (gw_emulator_data_decode(rec, &emu, &why) < 0)
		return 0; /* its length was reported */
	while ((more = gw_xenstore_pair(&emu, &pos, &key, &value, &why)) > 0) {
		if (key[0] == 0 || key[0] == '/')
			rc |= gw_broken(&rules->reporter, R_STREAM_XENSTORE_PATH, rec->offset, rec,
					err, "key \"%s\"", printable(key, shown));
		else if (!path_is_safe(key))
			rc |= gw_broken(&rules->reporter, R_STREAM_XENSTORE_KEY, rec->offset, rec,
					err, "key \"%s\"", printable(key, shown));
		else if (!path_is_physmap(key))
			rc |= gw_broken(&rules->reporter, R_STREAM_XENSTORE_PHYSMAP, rec->offset,
					rec, err, "key \"%s\"", printable(key, shown));
	}
	if (more < 0)
		rc |= broken(rules, R_STREAM_XENSTORE_STRINGS, rec, err, why.text);
	return rc;
}

/* Emulator records; head: their first bytes, NULL if unknown. */
static int check_emulator(struct gw_stream_rules *rules, const struct gw_record *rec,
			  const uint8_t *head, struct gw_error *err)
{
	struct gw_reporter *r = &rules->reporter;
	int rc = 0;

	if (rules->guest == GW_GUEST_X86_PV)
		rc |= broken(rules, R_STREAM_EMULATOR_GUEST, rec, err,
			     "the guest is x86 PV, which has no device model state");
	else if (rules->config.pvh)
		rc |= broken(rules, R_STREAM_EMULATOR_GUEST, rec, err,
			     "the config's type is pvh: the guest has no device model");
	if (rules->phase == P_AFTER_CHECKPOINT)
		rc |= broken(rules, R_STREAM_CHECKPOINT_PLACE, rec, err,
			     "the image must continue after CHECKPOINT_END");
	if (rec->type == GW_STREAM_EMULATOR_CONTEXT) {
		if (rules->emulator_context)
			rc |= broken(rules, R_STREAM_EMULATOR_TWICE, rec, err,
				     "a record of this type came before");
		rules->emulator_context = rules->any_emulator_context = true;
	}
	if (rec->length < 8)
		return rc | gw_broken(r, R_STREAM_EMULATOR_LENGTH, rec->offset, rec, err,
				      "length is %u, expected at least 8", rec->length);
	if (rec->type == GW_STREAM_EMULATOR_CONTEXT && rec->length > GW_EMULATOR_MAX)
		rc |= gw_broken(r, R_STREAM_EMULATOR_SIZE, rec->offset, rec, err,
				"length is %u, at most %u expected", rec->length, GW_EMULATOR_MAX);
	if (head && gw_get_le32(head) > GW_EMULATOR_UPSTREAM)
		rc |= gw_broken(r, R_STREAM_EMULATOR_ID, rec->offset, rec, err,
				"emulator id %u is unknown", gw_get_le32(head));
	if (head && gw_get_le32(head) == GW_EMULATOR_TRADITIONAL)
		rc |= gw_broken(r, R_STREAM_EMULATOR_TRADITIONAL, rec->offset, rec, err,
				"emulator id 1 (qemu-xen-traditional)");
	if (head && gw_get_le32(head + 4) != 0)
		rc |= gw_broken(r, R_STREAM_EMULATOR_INDEX, rec->offset, rec, err,
				"index is %u, expected 0", gw_get_le32(head + 4));
	if (rec->type == GW_STREAM_EMULATOR_XENSTORE_DATA)
		rc |= check_xenstore(rules, rec, err);
	return rc;
}

static int check_record(struct gw_stream_rules *rules, const struct gw_record *rec,
			const uint8_t *head, enum gw_guest_type guest, struct gw_error *err)
{
	int rc = 0;

	if (guest != GW_GUEST_NONE)
		rules->guest = guest;
	if (rules->phase == P_ENDED)
		rc |= broken(rules, R_STREAM_AFTER_END, rec, err, "END came before it");
	if (rec->data && !gw_padding_is_zero(rec))
		rc |= broken(rules, R_STREAM_PADDING, rec, err, "non-zero padding");
	if (rules->phase == P_BEFORE_CONTEXT && rec->type != GW_STREAM_LIBXC_CONTEXT &&
	    rec->type != GW_STREAM_END)
		rc |= broken(rules, R_STREAM_CONTEXT_FIRST, rec, err,
			     "no LIBXC_CONTEXT came before it");
	switch (rec->type) {
	case GW_STREAM_END:
		return rc | check_end(rules, rec, err);
	case GW_STREAM_LIBXC_CONTEXT:
		return rc | check_context(rules, rec, err);
	case GW_STREAM_EMULATOR_XENSTORE_DATA:
	case GW_STREAM_EMULATOR_CONTEXT:
		return rc | check_emulator(rules, rec, head, err);
	case GW_STREAM_CHECKPOINT_END:
		return rc | check_checkpoint_end(rules, rec, err);
	case GW_STREAM_CHECKPOINT_STATE:
		return rc | check_checkpoint_state(rules, rec, err);
	default:
		return rc | broken(rules, R_STREAM_TYPE, rec, err, "unknown type");
	}
}

int gw_stream_rules_record(struct gw_stream_rules *rules, const struct gw_record *rec,
			   enum gw_guest_type guest, struct gw_error *err)
{
	const uint8_t *head = rec->data && rec->length >= 8 ? rec->data : NULL;

	return check_record(rules, rec, head, guest, err);
}

int gw_stream_rules_body(struct gw_stream_rules *rules, const struct gw_stream_reader *reader,
			 enum gw_guest_type guest, struct gw_error *err)
{
	return check_record(rules, &reader->rec, reader->body_head, guest, err);
}

int gw_stream_rules_body_begin(struct gw_stream_rules *rules, const struct gw_stream_reader *reader,
			       struct gw_error *err)
{
	return gw_emulator_rules_begin(&rules->emulator, &reader->rec, reader->body_head,
				       &rules->config, err);
}

int gw_stream_rules_bytes(struct gw_stream_rules *rules, const uint8_t *data, size_t len,
			  struct gw_error *err)
{
	return gw_emulator_rules_bytes(&rules->emulator, data, len, err);
}

int gw_stream_rules_body_end(struct gw_stream_rules *rules, const struct gw_stream_reader *reader,
			     struct gw_error *err)
{
	return gw_emulator_rules_end(&rules->emulator, &rules->reporter, &reader->rec, err);
}

void gw_stream_rules_config(struct gw_stream_rules *rules, const struct gw_config_facts *facts)
{
	rules->config = *facts;
}

void gw_stream_rules_checkpoint(struct gw_stream_rules *rules)
{
	rules->phase = P_CHECKPOINT;
}

int gw_stream_rules_end(struct gw_stream_rules *rules, bool at_boundary,
			const struct gw_record *inside, uint64_t offset, struct gw_error *err)
{
	struct gw_reporter *r = &rules->reporter;

	if (rules->phase == P_ENDED)
		return 0;
	if (rules->phase == P_AFTER_CHECKPOINT && at_boundary)
		return gw_broken(
			r, R_STREAM_CHECKPOINTED, offset, NULL, err,
			"it ends after checkpoint %llu and is complete up to it; plain xl "
			"restore refuses it (\"Found checkpoint in non-checkpointed stream\")",
			(unsigned long long)rules->checkpoints);
	if (rules->checkpoints > 0)
		return gw_cut(r, R_STREAM_CUT_ROUND, inside, offset, err,
			      "the input ends in round %llu; it is complete up to checkpoint %llu",
			      (unsigned long long)rules->checkpoints + 1,
			      (unsigned long long)rules->checkpoints);
	return gw_cut(r, R_STREAM_TRUNCATED, inside, offset, err, "the input ends %s, before END",
		      at_boundary ? "between two records" : "inside a record");
}
