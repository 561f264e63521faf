/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Scans a savevm stream through a window that moves over it. The description is parsed in
 * description.c.
 */
#include "format/qemu/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/util.h"

#define MAGIC	    UINT32_C(0x5145564d) /* "QEVM" */
#define HEADER_SIZE 8u

enum {
	SECTION_EOF = 0x00,
	SECTION_START = 0x01,
	SECTION_FULL = 0x04,
	SUBSECTION = 0x05,
	SECTION_DESCRIPTION = 0x06,
	SECTION_CONFIGURATION = 0x07,
	SECTION_FOOTER = 0x7e,
};

/* Ids in the header of a section are small. */
#define IDS_MAX	     0xffffu
#define VERSIONS_MAX 0xffu

/* The footer's mark and an id. */
#define FOOTER_SIZE 5
/* Bytes that must be in the window, unless the stream ends: the longest header. */
#define AHEAD (1u + 4u + 1u + GW_QEMU_NAME_MAX + 4u + 4u)

void gw_qemu_sections_begin(struct gw_qemu_sections *q, uint64_t total)
{
	gw_qemu_sections_free(q);
	q->total = total;
	q->begun = true;
}

static bool is_name(const uint8_t *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool letter = (text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z';
		bool digit = text[i] >= '0' && text[i] <= '9';

		if (!letter && !digit && (i == 0 || !memchr("_-./:,@+ ", text[i], 9)))
			return false;
	}
	return len >= 2;
}

/* Is this the header of a section? */
static bool read_header(const uint8_t *p, size_t len, struct gw_qemu_candidate *candidate)
{
	size_t n;

	if (len < gw_qemu_header_size(2) || (p[0] != SECTION_FULL && p[0] != SECTION_START))
		return false;
	n = p[5];
	candidate->id = gw_get_be32(p + 1);
	if (candidate->id > IDS_MAX || len < gw_qemu_header_size(n) || !is_name(p + 6, n))
		return false;
	candidate->instance = gw_get_be32(p + 6 + n);
	candidate->version = gw_get_be32(p + 10 + n);
	memcpy(candidate->name, p + 6, n);
	candidate->name[n] = 0;
	candidate->first_word = 0;
	if (len >= gw_qemu_header_size(n) + 4)
		candidate->first_word = gw_get_be32(p + gw_qemu_header_size(n));
	return candidate->instance <= IDS_MAX && candidate->version <= VERSIONS_MAX;
}

/* Do the stream's last bytes begin a header, and with it a name? */
static bool is_cut_header(const uint8_t *p, size_t len)
{
	return len > 8 && (p[0] == SECTION_FULL || p[0] == SECTION_START) &&
	       gw_get_be32(p + 1) <= IDS_MAX && len < gw_qemu_header_size(p[5]) &&
	       is_name(p + 6, GW_MIN(len - 6, (size_t)p[5]));
}

/* A subsection's name is the section's, a '/' and its own. It has no ids and no length. */
static void note_subsection(struct gw_qemu_sections *q, const uint8_t *p, size_t len)
{
	struct gw_qemu_subsection *s = &q->subsection;
	size_t n = len > 2 ? p[1] : 0;

	if (n < 3 || len < 2 + n + 4 || !is_name(p + 2, n) || !memchr(p + 2, '/', n) ||
	    gw_get_be32(p + 2 + n) > VERSIONS_MAX)
		return;
	memcpy(s->name, p + 2, n);
	s->name[n] = 0;
	s->version = gw_get_be32(p + 2 + n);
	s->data = q->scan_offset + 2 + n + 4;
}

static int note(struct gw_qemu_sections *q, const struct gw_qemu_candidate *candidate,
		struct gw_error *err)
{
	if (q->nr_candidates == 4 * GW_QEMU_SECTIONS_MAX) {
		q->left_out++;
		return 0;
	}
	if (q->nr_candidates == q->cap_candidates) {
		size_t cap = q->cap_candidates ? q->cap_candidates * 2 : 64;
		struct gw_qemu_candidate *list = reallocarray(q->candidates, cap, sizeof(*list));

		if (!list)
			return gw_fail_errno(err, "the sections of a device model's state");
		q->candidates = list;
		q->cap_candidates = cap;
	}
	q->candidates[q->nr_candidates++] = *candidate;
	return 0;
}

/* True if the bytes before p in the window are a footer. */
static bool behind_footer(const struct gw_qemu_sections *q, const uint8_t *p, uint32_t *id)
{
	if (p - q->window < FOOTER_SIZE || p[-FOOTER_SIZE] != SECTION_FOOTER)
		return false;
	*id = gw_get_be32(p - FOOTER_SIZE + 1);
	return true;
}

/* The sections end at p, where EOF should be. */
static void end_at(struct gw_qemu_sections *q, const uint8_t *p)
{
	q->end = q->window_offset + (uint64_t)(p - q->window);
	q->closed = behind_footer(q, p, &q->last_footer);
}

/* Scans one possible start of a section; len bytes follow in the window. */
static int scan_at(struct gw_qemu_sections *q, const uint8_t *p, size_t len, struct gw_error *err)
{
	struct gw_qemu_candidate candidate = {.offset = q->scan_offset};

	/* A description follows EOF and fills the stream exactly. */
	if (p[0] == SECTION_DESCRIPTION && len > 5 && p[5] == '{' && p[-1] == SECTION_EOF &&
	    gw_get_be32(p + 1) <= GW_QEMU_DESCRIPTION_MAX &&
	    q->scan_offset + 5 + gw_get_be32(p + 1) == q->total) {
		end_at(q, p - 1);
		q->described = true;
		return gw_buffer_append(&q->description, p + 5, len - 5, err);
	}
	if (p[0] == SUBSECTION)
		note_subsection(q, p, len);
	if (!read_header(p, len, &candidate))
		return 0;
	candidate.behind_footer = behind_footer(q, p, &candidate.footer_id);
	return note(q, &candidate, err);
}

/* The stream's header, and a CONFIGURATION after it with the machine's name. */
static void scan_head(struct gw_qemu_sections *q)
{
	const uint8_t *p = q->window + HEADER_SIZE;
	uint32_t n;

	q->first_section = HEADER_SIZE;
	q->is_qemu = q->window_len >= HEADER_SIZE && gw_get_be32(q->window) == MAGIC;
	if (!q->is_qemu)
		return;
	q->version = gw_get_be32(q->window + 4);
	if (q->window_len < HEADER_SIZE + 5 || p[0] != SECTION_CONFIGURATION)
		return;
	n = gw_get_be32(p + 1);
	if (n > GW_QEMU_NAME_MAX || q->window_len < HEADER_SIZE + 5 + n)
		return;
	memcpy(q->machine, p + 5, n);
	/* Its subsections, if there are any, are scanned like all other bytes. */
	q->first_section += 5 + n;
}

static void look_for_eof(struct gw_qemu_sections *q)
{
	q->is_empty = q->is_qemu && q->first_section < q->window_len &&
		      q->window[q->first_section] == SECTION_EOF;
}

/* Scans all positions of the window that have enough bytes after them; with last: all positions. */
static int scan(struct gw_qemu_sections *q, bool last, struct gw_error *err)
{
	size_t drop;

	if (!q->scan_offset) {
		if (!last && q->window_len < HEADER_SIZE + 5 + GW_QEMU_NAME_MAX)
			return 0;
		scan_head(q);
		look_for_eof(q);
		q->scan_offset = q->first_section;
	}
	for (; q->is_qemu && !q->described; q->scan_offset++) {
		size_t i = (size_t)(q->scan_offset - q->window_offset);

		if (i >= q->window_len || (!last && q->window_len - i < AHEAD))
			break;
		if (scan_at(q, q->window + i, q->window_len - i, err) < 0)
			return -1;
		if (last && is_cut_header(q->window + i, q->window_len - i))
			q->cut_header = true;
	}
	/* A header needs the footer before it, a description needs EOF and a footer before it. */
	drop = q->scan_offset > q->window_offset + FOOTER_SIZE + 1
		       ? (size_t)(q->scan_offset - q->window_offset) - FOOTER_SIZE - 1
		       : 0;
	drop = GW_MIN(drop, q->window_len);
	memmove(q->window, q->window + drop, q->window_len - drop);
	q->window_len -= drop;
	q->window_offset += drop;
	return 0;
}

int gw_qemu_sections_add(struct gw_qemu_sections *q, const uint8_t *data, size_t len,
			 struct gw_error *err)
{
	while (len) {
		size_t n = GW_MIN(len, sizeof(q->window) - q->window_len);

		if (q->described)
			return gw_buffer_append(&q->description, data, len, err);
		if (q->scan_offset && !q->is_qemu)
			return 0;
		memcpy(q->window + q->window_len, data, n);
		q->window_len += n;
		data += n;
		len -= n;
		if (scan(q, false, err) < 0)
			return -1;
	}
	return 0;
}

static const struct gw_qemu_candidate *candidate_at(const struct gw_qemu_sections *q,
						    uint64_t offset)
{
	for (size_t i = 0; i < q->nr_candidates; i++)
		if (q->candidates[i].offset == offset)
			return &q->candidates[i];
	return NULL;
}

static void list_candidate(struct gw_qemu_sections *q, const struct gw_qemu_candidate *candidate)
{
	struct gw_qemu_section *s = gw_qemu_add_section(q, candidate->name);

	if (s)
		gw_qemu_place_section(s, candidate);
}

static bool is_listed(const struct gw_qemu_sections *q, const struct gw_qemu_candidate *candidate)
{
	for (size_t i = 0; i < q->nr; i++)
		if (q->list[i].id == candidate->id || (q->list[i].instance == candidate->instance &&
						       !strcmp(q->list[i].name, candidate->name)))
			return true;
	return false;
}

/*
 * Follows the sections by their footers. False if they do not lead to EOF: either there are no
 * footers, or device data looked like one.
 */
static bool list_by_footers(struct gw_qemu_sections *q)
{
	const struct gw_qemu_candidate *last = candidate_at(q, q->first_section);
	uint64_t left_out;

	if (!last || !q->closed)
		return false;
	left_out = q->left_out;
	list_candidate(q, last);
	for (size_t i = 0; i < q->nr_candidates; i++) {
		const struct gw_qemu_candidate *candidate = &q->candidates[i];

		if (candidate->offset > last->offset && candidate->behind_footer &&
		    candidate->footer_id == last->id && !is_listed(q, candidate)) {
			list_candidate(q, candidate);
			last = candidate;
		}
	}
	if (last->id == q->last_footer)
		return true;
	q->nr = 0;
	q->left_out = left_out;
	return false;
}

/* Lists the first section, and every candidate that does not repeat a section. */
static bool list_by_pattern(struct gw_qemu_sections *q)
{
	if (!candidate_at(q, q->first_section))
		return false;
	for (size_t i = 0; i < q->nr_candidates; i++)
		if (!is_listed(q, &q->candidates[i]))
			list_candidate(q, &q->candidates[i]);
	return true;
}

/* Each section extends to the next. */
static void fill_sizes(struct gw_qemu_sections *q)
{
	for (size_t i = 0; i < q->nr; i++) {
		uint64_t to = i + 1 == q->nr	      ? q->end
			      : q->list[i + 1].placed ? q->list[i + 1].offset
						      : 0;

		if (q->list[i].placed && to > q->list[i].offset)
			q->list[i].size = to - q->list[i].offset;
	}
}

int gw_qemu_sections_end(struct gw_qemu_sections *q, struct gw_error *err)
{
	if (!q->begun || q->ended)
		return 0;
	q->ended = true;
	if (!q->described && scan(q, true, err) < 0)
		return -1;
	if (!q->is_qemu)
		return 0;
	/* A complete stream ends with EOF; in a cut one the end of the last section is unknown. */
	if (!q->described && q->window_offset + q->window_len == q->total && q->window_len &&
	    q->window[q->window_len - 1] == SECTION_EOF)
		end_at(q, q->window + q->window_len - 1);
	q->list = calloc(GW_QEMU_SECTIONS_MAX, sizeof(*q->list));
	if (!q->list)
		return gw_fail_errno(err, "the sections of a device model's state");
	if (q->described && gw_qemu_describe(q))
		q->found_by = GW_QEMU_DESCRIPTION;
	else if (list_by_footers(q))
		q->found_by = GW_QEMU_FOOTERS;
	else if (list_by_pattern(q))
		q->found_by = GW_QEMU_PATTERN;
	fill_sizes(q);
	return 0;
}

void gw_qemu_sections_free(struct gw_qemu_sections *q)
{
	free(q->list);
	free(q->candidates);
	gw_buffer_free(&q->description);
	*q = (struct gw_qemu_sections){0};
}
