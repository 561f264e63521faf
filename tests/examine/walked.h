/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Walking bytes of a test's: a channel that counts what is read of them and what is passed over,
 * and what the walk said.
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

/* Over data and len, which are set; free(c->ch.name) when it is done. */
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

/* The walk over a channel, into an outcome that is zeroed; it must not fail. */
void examine_channel(struct gw_channel *ch, struct outcome *o);
void examine(const uint8_t *data, size_t len, struct outcome *o);
/* For a test that is about to fail: all findings. */
void show(const struct outcome *o);
/* The first of that rule, or NULL. */
const struct gw_finding *find(const struct outcome *o, const char *rule);

#endif
