/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The walk over a device's data.
 */
#include "format/qemu/fields.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/qemu/savevm.h"

static bool GW_PRINTF(2, 3) fail(struct gw_savevm_walk *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->fault, sizeof(w->fault), fmt, ap);
	va_end(ap);
	return false;
}

/* Adds a part to the path; returns the length before, for shorten(). */
static size_t GW_PRINTF(2, 3) lengthen(struct gw_savevm_walk *w, const char *fmt, ...)
{
	size_t before = strlen(w->path);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->path + before, sizeof(w->path) - before, fmt, ap);
	va_end(ap);
	return before;
}

static void shorten(struct gw_savevm_walk *w, size_t before)
{
	w->path[before] = 0;
}

static bool show(struct gw_savevm_walk *w, const char *type, uint32_t version, uint64_t size)
{
	const struct gw_savevm_value value = {
		.path = w->path,
		.type = type,
		.version = version,
		.offset = w->taken,
		.size = (size_t)size,
		.data = w->data + w->taken,
	};

	if (size > w->len - w->taken)
		return fail(w, "field %s: its %llu bytes do not fit into the %zu that follow",
			    w->path, (unsigned long long)size, w->len - w->taken);
	if (w->visit && !w->visit(w->opaque, &value))
		return false;
	w->taken += (size_t)size;
	return true;
}

static bool walk_layout(struct gw_savevm_walk *w, const struct gw_savevm_layout *l);

/* An element with parts. Where the described sizes disagree, its own size counts, and its parts are
 * not known: QEMU described arrays with NULL in them so until 9.2. */
static bool walk_struct(struct gw_savevm_walk *w, const struct gw_savevm_field *f)
{
	if (!w->of_another && f->of->size != f->size)
		return show(w, f->type, 0, f->size);
	/* A struct without any byte has no values either. */
	if (!f->of->nr_fields && !f->of->nr_subsections)
		return true;
	return walk_layout(w, f->of);
}

static bool walk_field(struct gw_savevm_walk *w, const struct gw_savevm_field *f)
{
	size_t before = lengthen(w, "%s%s", *w->path ? "." : "", f->name);
	/* Many elements without a byte are as good as one. */
	uint32_t count = f->size ? f->count : GW_MIN(f->count, 1u);

	if (f->has_index)
		lengthen(w, "[%u]", f->index);
	if (!w->of_another && f->size * (uint64_t)count > w->len - w->taken)
		return fail(w, "field %s: %u times %llu bytes do not fit into the %zu that follow",
			    w->path, count, (unsigned long long)f->size, w->len - w->taken);
	for (uint32_t i = 0; i < count; i++) {
		size_t name = strlen(w->path);

		if (++w->steps > GW_SAVEVM_STEPS_MAX)
			return fail(w, "field %s: the stream has more than %u fields", w->path,
				    GW_SAVEVM_STEPS_MAX);
		if (f->is_array)
			lengthen(w, "[%u]", i);
		if (!(f->of ? walk_struct(w, f) : show(w, f->type, 0, f->size)))
			return false;
		shorten(w, name);
	}
	shorten(w, before);
	return true;
}

/* Does a subsection of this name begin here? */
static bool begins_here(const struct gw_savevm_walk *w, const struct gw_savevm_layout *sub)
{
	const uint8_t *p = w->data + w->taken;
	size_t n = strlen(sub->name);

	return w->len - w->taken >= 2 + n + 4 && p[0] == GW_SAVEVM_SUBSECTION && p[1] == n &&
	       memcmp(p + 2, sub->name, n) == 0;
}

static bool walk_subsection(struct gw_savevm_walk *w, const struct gw_savevm_layout *sub)
{
	size_t before = strlen(w->path), head = gw_savevm_subsection_head_size(sub);
	uint32_t version = gw_get_be32(w->data + w->taken + head - 4);

	/* Its name begins with that of what it belongs to. */
	lengthen(w, "%s%s", before ? "." : "", sub->name);
	if (version != sub->version)
		return fail(w, "subsection %s: its version is %u, described as %u", w->path,
			    version, sub->version);
	if (!show(w, NULL, version, head) || !walk_layout(w, sub))
		return false;
	shorten(w, before);
	return true;
}

/* A subsection of this layout that the other stream did not have. */
static bool has_unknown(struct gw_savevm_walk *w, const struct gw_savevm_layout *l)
{
	const uint8_t *p = w->data + w->taken;
	size_t n = l->name ? strlen(l->name) : 0, left = w->len - w->taken;

	return n && left > 2 + n && p[0] == GW_SAVEVM_SUBSECTION && p[1] > n &&
	       memcmp(p + 2, l->name, n) == 0 && left >= (size_t)2 + p[1] + 4;
}

static bool walk_those_there(struct gw_savevm_walk *w, const struct gw_savevm_layout *l)
{
	for (size_t i = 0; i < l->nr_subsections; i++) {
		if (!begins_here(w, &l->subsections[i]))
			continue;
		if (!walk_subsection(w, &l->subsections[i]))
			return false;
		/* They may come in any order; none comes twice. */
	}
	if (has_unknown(w, l))
		return fail(w, "subsection %.*s: the other stream does not describe it",
			    w->data[w->taken + 1], (const char *)w->data + w->taken + 2);
	return true;
}

static bool walk_subsections(struct gw_savevm_walk *w, const struct gw_savevm_layout *l)
{
	for (size_t i = 0; i < l->nr_subsections; i++) {
		if (!begins_here(w, &l->subsections[i]))
			return fail(w, "subsection %s does not begin where it is described",
				    l->subsections[i].name);
		if (!walk_subsection(w, &l->subsections[i]))
			return false;
	}
	return true;
}

static bool walk_layout(struct gw_savevm_walk *w, const struct gw_savevm_layout *l)
{
	for (size_t i = 0; i < l->nr_fields; i++)
		if (!walk_field(w, &l->fields[i]))
			return false;
	return w->of_another ? walk_those_there(w, l) : walk_subsections(w, l);
}

bool gw_savevm_walk(struct gw_savevm_walk *w, const struct gw_savevm_layout *layout,
		    const uint8_t *data, size_t len)
{
	w->data = data;
	w->len = len;
	w->taken = 0;
	w->path[0] = 0;
	w->fault[0] = 0;
	return walk_layout(w, layout);
}

/* The type without what follows its first word: "int32" of "int32 equal". */
static bool is_type(const char *type, const char *what)
{
	size_t n = strlen(what);

	return strncmp(type, what, n) == 0 && (type[n] == 0 || type[n] == ' ');
}

unsigned gw_savevm_number_size(const char *type, size_t size)
{
	static const char *const numbers[] = {"uint8", "uint16", "uint32", "uint64",
					      "int8",  "int16",	 "int32",  "int64",
					      "bool",  "timer",	 "nullptr"};

	for (size_t i = 0; type && i < GW_ARRAY_SIZE(numbers); i++)
		if (is_type(type, numbers[i]))
			return size == 1 || size == 2 || size == 4 || size == 8 ? (unsigned)size
										: 0;
	return 0;
}

uint64_t gw_savevm_number(const struct gw_savevm_value *value, bool *is_signed)
{
	uint64_t n = 0;

	*is_signed = strncmp(value->type, "int", 3) == 0 || is_type(value->type, "timer");
	for (size_t i = 0; i < value->size; i++)
		n = n << 8 | value->data[i];
	if (*is_signed && value->size < 8 && (value->data[0] & 0x80))
		n |= ~UINT64_C(0) << (8 * value->size);
	return n;
}

char *gw_savevm_value_text(const struct gw_savevm_value *value, char *buf, size_t size)
{
	size_t n = GW_MIN(value->size, (size_t)GW_SAVEVM_BYTES_SHOWN), len = 0;
	bool is_signed;
	uint64_t number;

	if (gw_savevm_number_size(value->type, value->size)) {
		number = gw_savevm_number(value, &is_signed);
		snprintf(buf, size, is_signed ? "%" PRId64 : "0x%" PRIx64, number);
		return buf;
	}
	buf[0] = 0;
	for (size_t i = 0; i < n && len + 6 < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%02x", value->data[i]);
	if (n < value->size)
		snprintf(buf + len, size - len, "...");
	return buf;
}
