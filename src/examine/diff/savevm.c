/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Compares two streams of QEMU: the configuration, RAM blocks, and the devices' sections field by
 * field. Memory is compared like that of images (pages.c).
 */
#include "examine/diff/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "format/qemu/machine.h"

#define AT_ONCE 65536u

static void compare_configuration(struct gw_diff *d)
{
	const struct gw_savevm_stream *a = &d->a.savevm, *b = &d->b.savevm;
	struct gw_difference x = {.part = GW_DIFF_MACHINE, .field = "type"};

	gw_diff_texts(d, &x, a->has_configuration ? a->configuration.machine : NULL,
		      b->has_configuration ? b->configuration.machine : NULL);
	x.field = "capabilities";
	gw_diff_texts(d, &x, a->configuration.capabilities, b->configuration.capabilities);
	x.field = "uuid";
	gw_diff_buffers(d, &x, a->configuration.uuid, 16, b->configuration.uuid, 16);
}

/* RAM blocks */

static const struct gw_savevm_block *find_block(const struct gw_savevm_stream *s, const char *name)
{
	for (size_t i = 0; i < s->ram.nr_blocks; i++)
		if (!strcmp(s->ram.blocks[i].name, name))
			return &s->ram.blocks[i];
	return NULL;
}

static int compare_contents(struct gw_diff *d, const struct gw_savevm_block *a,
			    const struct gw_savevm_block *b, struct gw_error *err)
{
	GW_FREE_ON_EXIT uint8_t *bytes_a = malloc(AT_ONCE), *bytes_b = malloc(AT_ONCE);
	const struct gw_difference x = {.part = GW_DIFF_BLOCK, .entry = a->name};
	uint64_t place_a, place_b;
	struct gw_diff_bytes found = {0};

	if (!bytes_a || !bytes_b)
		return gw_fail_errno(err, "comparing RAM blocks");
	/* Without a page of theirs there are no contents to compare. */
	if (!d->a.block_places || !d->b.block_places)
		return 0;
	place_a = d->a.block_places[a - d->a.savevm.ram.blocks];
	place_b = d->b.block_places[b - d->b.savevm.ram.blocks];
	for (uint64_t at = 0; at < a->length; at += AT_ONCE) {
		size_t n = (size_t)GW_MIN(a->length - at, (uint64_t)AT_ONCE);

		if (gw_byte_store_read(&d->a.store, place_a + at, bytes_a, n, err) < 0 ||
		    gw_byte_store_read(&d->b.store, place_b + at, bytes_b, n, err) < 0)
			return -1;
		if (memcmp(bytes_a, bytes_b, n) != 0)
			gw_diff_bytes_add(&found, at, bytes_a, n, bytes_b, n);
	}
	gw_diff_bytes_report(d, &x, &found);
	return 0;
}

static void report_block(struct gw_diff *d, const struct gw_savevm_block *a,
			 const struct gw_savevm_block *b)
{
	const struct gw_difference x = {.part = GW_DIFF_BLOCK, .entry = a ? a->name : b->name};
	char text_a[40] = "", text_b[40] = "";

	if (a)
		snprintf(text_a, sizeof(text_a), "%" PRIu64 " bytes", a->length);
	if (b)
		snprintf(text_b, sizeof(text_b), "%" PRIu64 " bytes", b->length);
	gw_diff_texts(d, &x, a ? text_a : NULL, b ? text_b : NULL);
}

static int compare_blocks(struct gw_diff *d, struct gw_error *err)
{
	const struct gw_savevm_stream *a = &d->a.savevm, *b = &d->b.savevm;
	const struct gw_savevm_block *memory = gw_pc_memory(&a->ram);

	for (size_t i = 0; i < a->ram.nr_blocks; i++) {
		const struct gw_savevm_block *one = &a->ram.blocks[i];
		const struct gw_savevm_block *other = find_block(b, one->name);

		report_block(d, one, other);
		/* That of the machine is compared page by page. */
		if (other && one != memory && one->length == other->length &&
		    compare_contents(d, one, other, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < b->ram.nr_blocks; i++)
		if (!find_block(a, b->ram.blocks[i].name))
			report_block(d, NULL, &b->ram.blocks[i]);
	return 0;
}

/* Sections */

/* A field with its path. */
struct value {
	char *path;
	const char *type;
	const uint8_t *data;
	size_t size;
};

struct values {
	struct gw_buffer list; /* of struct value */
	struct gw_error err;
	bool too_many;
};

static bool take_value(void *opaque, const struct gw_savevm_value *v)
{
	struct values *values = opaque;
	struct value one = {.type = v->type, .data = v->data, .size = v->size};

	if (!v->type)
		return true;
	values->too_many = values->list.len / sizeof(one) >= GW_DIFF_LIST_MAX;
	if (values->too_many)
		return false;
	one.path = strdup(v->path);
	if (!one.path || gw_buffer_append(&values->list, &one, sizeof(one), &values->err) < 0) {
		free(one.path);
		gw_fail(&values->err, GW_NO_MEMORY, "the fields of a section");
		return false;
	}
	return true;
}

static void collect(struct values *values, const struct gw_savevm_section *s)
{
	struct gw_savevm_walk walk = {
		.of_another = s->found == GW_SAVEVM_BY_LIKE,
		.visit = take_value,
		.opaque = values,
	};

	gw_savevm_walk(&walk, s->layout, s->bytes, (size_t)s->length);
}

static void free_values(struct values *values)
{
	struct value *list = (void *)values->list.data;

	for (size_t i = 0; i < values->list.len / sizeof(*list); i++)
		free(list[i].path);
	gw_buffer_free(&values->list);
}

static int by_path(const void *x, const void *y)
{
	return strcmp(((const struct value *)x)->path, ((const struct value *)y)->path);
}

static void value_text(const struct value *v, char *text, size_t size)
{
	const struct gw_savevm_value value = {.type = v->type, .data = v->data, .size = v->size};

	gw_savevm_value_text(&value, text, size);
}

static void compare_value(struct gw_diff *d, const struct gw_difference *what,
			  const struct value *a, const struct value *b)
{
	struct gw_difference x = *what;
	char text_a[3 * GW_SAVEVM_BYTES_SHOWN], text_b[3 * GW_SAVEVM_BYTES_SHOWN];

	x.field = a ? a->path : b->path;
	if (a && b && a->size == b->size && memcmp(a->data, b->data, a->size) == 0)
		return;
	if (a && b && !gw_savevm_number_size(a->type, a->size)) {
		gw_diff_buffers(d, &x, a->data, a->size, b->data, b->size);
		return;
	}
	if (a)
		value_text(a, text_a, sizeof(text_a));
	if (b)
		value_text(b, text_b, sizeof(text_b));
	gw_diff_texts(d, &x, a ? text_a : NULL, b ? text_b : NULL);
}

static int compare_fields(struct gw_diff *d, const struct gw_difference *what,
			  const struct gw_savevm_section *a, const struct gw_savevm_section *b,
			  struct gw_error *err)
{
	struct values in_a = {0}, in_b = {0};
	GW_FREE_ON_EXIT struct gw_diff_pair *pairs = NULL;
	const struct value *list_a, *list_b;
	ssize_t n = -1;
	bool too_many;

	collect(&in_a, a);
	collect(&in_b, b);
	too_many = in_a.too_many || in_b.too_many;
	list_a = (const void *)in_a.list.data;
	list_b = (const void *)in_b.list.data;
	if (in_a.err.code || in_b.err.code)
		gw_fail_as(err, in_a.err.code ? &in_a.err : &in_b.err);
	else if (too_many)
		n = 0;
	else
		n = gw_diff_match(list_a, in_a.list.len / sizeof(*list_a), list_b,
				  in_b.list.len / sizeof(*list_b), sizeof(*list_a), by_path, &pairs,
				  err);
	for (ssize_t i = 0; i < n; i++)
		compare_value(d, what, pairs[i].a < 0 ? NULL : &list_a[pairs[i].a],
			      pairs[i].b < 0 ? NULL : &list_b[pairs[i].b]);
	free_values(&in_a);
	free_values(&in_b);
	if (too_many)
		gw_diff_buffers(d, what, a->bytes, (size_t)a->length, b->bytes, (size_t)b->length);
	return n < 0 ? -1 : 0;
}

static int compare_section(struct gw_diff *d, const struct gw_savevm_section *a,
			   const struct gw_savevm_section *b, struct gw_error *err)
{
	const struct gw_savevm_section *one = gw_diff_either(a, b);
	struct gw_difference x = {
		.part = GW_DIFF_SECTION,
		.entry = one->head.name,
		.number = one->head.instance,
	};
	char text[40];

	if (!a || !b) {
		snprintf(text, sizeof(text), "version %" PRIu32 ", %" PRIu64 " bytes",
			 one->head.version, one->length);
		gw_diff_texts(d, &x, a ? text : NULL, b ? text : NULL);
		return 0;
	}
	gw_diff_numbers(d, &x, "version", a->head.version, b->head.version);
	x.field = NULL;
	if (a->length == b->length && memcmp(a->bytes, b->bytes, (size_t)a->length) == 0)
		return 0;
	if (a->layout && b->layout && a->length <= GW_DIFF_SECTION_MAX &&
	    b->length <= GW_DIFF_SECTION_MAX)
		return compare_fields(d, &x, a, b, err);
	gw_diff_buffers(d, &x, a->bytes, (size_t)a->length, b->bytes, (size_t)b->length);
	return 0;
}

/* The devices' sections of a stream, for the caller to free. */
static const struct gw_savevm_section **devices(const struct gw_savevm_stream *s, size_t *n,
						struct gw_error *err)
{
	const struct gw_savevm_section **list = calloc(s->nr_sections + 1, sizeof(*list));

	*n = 0;
	if (!list)
		gw_fail_errno(err, "the sections of a QEMU stream");
	for (size_t i = 0; list && i < s->nr_sections; i++)
		if (s->sections[i].bytes)
			list[(*n)++] = &s->sections[i];
	return list;
}

static int by_name(const void *x, const void *y)
{
	const struct gw_savevm_head *a = &(*(const struct gw_savevm_section *const *)x)->head;
	const struct gw_savevm_head *b = &(*(const struct gw_savevm_section *const *)y)->head;
	int order = strcmp(a->name, b->name);

	return order ? order : (a->instance > b->instance) - (a->instance < b->instance);
}

static int compare_sections(struct gw_diff *d, struct gw_error *err)
{
	size_t nr_a, nr_b;
	GW_FREE_ON_EXIT const struct gw_savevm_section **a = devices(&d->a.savevm, &nr_a, err);
	GW_FREE_ON_EXIT const struct gw_savevm_section **b = devices(&d->b.savevm, &nr_b, err);
	GW_FREE_ON_EXIT struct gw_diff_pair *pairs = NULL;
	ssize_t n = a && b ? gw_diff_match(a, nr_a, b, nr_b, sizeof(*a), by_name, &pairs, err) : -1;

	for (ssize_t i = 0; i < n; i++)
		if (compare_section(d, pairs[i].a < 0 ? NULL : a[pairs[i].a],
				    pairs[i].b < 0 ? NULL : b[pairs[i].b], err) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

int gw_diff_savevm(struct gw_diff *d, struct gw_error *err)
{
	compare_configuration(d);
	if (compare_blocks(d, err) < 0 || compare_sections(d, err) < 0)
		return -1;
	return gw_diff_pages(d, err);
}
