/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shared by the tests of the reading of savevm streams: a stream with memory and two devices, and
 * the result of a reading.
 */
#ifndef GW_TESTS_READ_SAVEVM_READING_H
#define GW_TESTS_READ_SAVEVM_READING_H

#include "read/savevm.h"

/* The result of a reading, with what its listener heard. */
struct result {
	struct gw_savevm_stream stream;
	int rc;
	unsigned faults[GW_SAVEVM_NR_FAULTS], nr_faults;
	char last[800];
	uint64_t last_offset;
	unsigned sections, commands, blocks, pages;
	uint64_t sum; /* of the first bytes of all pages, each times its page number plus 1 */
};

/* pages: the listener wants them. like: of another stream, or NULL. */
struct result read_with(const void *data, size_t len, bool pages,
			const struct gw_savevm_description *like);
struct result read_buffer(const struct gw_buffer *b);
void done(struct result *r);
/* Reads it, expects faults of this kind alone, the last with this text, and frees it. */
void expect(struct gw_buffer *b, enum gw_savevm_fault fault, const char *text);

/* Descriptions of the two devices. */
#define TIMER                                                                                      \
	"{\"name\": \"timer\", \"instance_id\": 0, \"vmsd_name\": \"timer\", \"version\": 2, "     \
	"\"fields\": [{\"name\": \"ticks\", \"type\": \"int64\", \"size\": 8}]}"
#define DISK_FIELDS                                                                                \
	"\"fields\": [{\"name\": \"regs\", \"array_len\": 2, \"type\": \"struct\", \"struct\": "   \
	"{\"vmsd_name\": \"reg\", \"version\": 1, \"fields\": [{\"name\": \"value\", \"type\": "   \
	"\"uint16\", \"size\": 2}, {\"name\": \"on\", \"type\": \"bool\", \"size\": 1}]}, "        \
	"\"size\": 3}, {\"name\": \"state\", \"index\": 1, \"type\": \"uint8\", \"size\": 1}]"
#define DISK                                                                                       \
	"{\"name\": \"0000:00:01.1/disk\", \"instance_id\": 1, \"vmsd_name\": \"disk\", "          \
	"\"version\": 3, " DISK_FIELDS ", \"subsections\": [{\"vmsd_name\": \"disk/retry\", "      \
	"\"version\": 1, \"fields\": [{\"name\": \"count\", \"type\": \"uint32\", \"size\": 4}]}]}"

/* The memory sections, and those of the devices. */
void put_memory(struct gw_buffer *b, bool footers);
void put_timer(struct gw_buffer *b, bool footers, uint64_t ticks);
void put_disk(struct gw_buffer *b, bool footers);
/* All of them, with EOF and this description; NULL: without. */
struct gw_buffer stream_of(bool footers, const char *devices);
/* Without configuration and memory. */
struct gw_buffer devices_only(bool footers, const char *devices);

/* Fails the test if one of these faults was not seen. */
void savevm_all_were_seen(enum gw_savevm_fault first, enum gw_savevm_fault last);

#endif
