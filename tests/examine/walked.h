/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Walks over a test's bytes, with a channel that counts the bytes read and skipped and a sink that
 * keeps what the walk reports.
 */
#ifndef GW_TESTS_EXAMINE_WALKED_H
#define GW_TESTS_EXAMINE_WALKED_H

#include <godwit/channel.h>

#include "examine/examine.h"

struct counting {
	struct gw_channel ch;
	const uint8_t *data;
	size_t len, at;
	uint64_t read, skipped;
};

/* Set data and len before; free(c->ch.name) after. */
void counting_init(struct counting *c);

#define FINDINGS 64

struct outcome {
	struct gw_examination sum;
	struct gw_finding findings[FINDINGS];
	size_t nr;
	uint64_t read, skipped;
	uint64_t last_offset; /* of the last record */
	size_t records;
};

/* Walks over a channel into a zeroed outcome; must not fail. */
void examine_channel(struct gw_channel *ch, struct outcome *o);
void examine(const uint8_t *data, size_t len, struct outcome *o);
/* Prints all findings, for a test that is about to fail. */
void show(const struct outcome *o);
/* The first finding of that rule, or NULL. */
const struct gw_finding *find(const struct outcome *o, const char *rule);

#endif
