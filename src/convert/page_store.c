/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The page store's file and its index. Pfns come in clusters, so they are stored by chunks of
 * adjacent pfns; a hostile image can scatter them, so the number of chunks has a bound.
 */
#include "convert/page_store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <godwit/guest.h>

#include "base/util.h"
#include "channel/offset_io.h"
#include "channel/spool.h"
#include "format/libxc/image.h"

#define WHAT	   "the unlinked file for spooled pages"
#define CHUNK_SIZE ((uint64_t)GW_PAGE_STORE_CHUNK * GW_PAGE_SIZE)
/* Enough for a guest of 1 TiB, and 128 MiB of memory. */
#define CHUNKS_MAX ((size_t)1 << 18)
/* A type that no page has: a nibble is the type XOR this, so that 0 is "need not be sent". */
#define NO_TYPE 5u

struct gw_page_store_chunk {
	uint64_t number; /* its first pfn / GW_PAGE_STORE_CHUNK */
	uint8_t types[GW_PAGE_STORE_CHUNK / 2];
};

void gw_page_store_free(struct gw_page_store *s)
{
	if (s->open)
		close(s->fd);
	free(s->chunks);
	free(s->index);
	*s = (struct gw_page_store){0};
}

/* Where in the index a chunk of this number is, or would be put. */
static size_t place_of(const struct gw_page_store *s, uint64_t number)
{
	size_t slot = (size_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 32);

	for (slot &= s->index_size - 1; s->index[slot]; slot = (slot + 1) & (s->index_size - 1))
		if (s->chunks[s->index[slot] - 1].number == number)
			break;
	return slot;
}

/* The chunk's place in the list, or nr_chunks. */
static size_t find(const struct gw_page_store *s, uint64_t number)
{
	size_t slot;

	if (s->nr_chunks && s->chunks[s->last].number == number)
		return s->last;
	if (!s->index_size)
		return s->nr_chunks;
	slot = place_of(s, number);
	return s->index[slot] ? s->index[slot] - 1 : s->nr_chunks;
}

static int grow_index(struct gw_page_store *s, struct gw_error *err)
{
	size_t size = s->index_size ? 2 * s->index_size : 64;
	uint32_t *index = calloc(size, sizeof(*index));

	if (!index)
		return gw_fail_errno(err, "memory for spooled pages");
	free(s->index);
	s->index = index;
	s->index_size = size;
	for (size_t i = 0; i < s->nr_chunks; i++)
		s->index[place_of(s, s->chunks[i].number)] = (uint32_t)i + 1;
	return 0;
}

static int grow(struct gw_page_store *s, struct gw_error *err)
{
	size_t room = GW_MAX(s->room + s->room / 2, (size_t)16);
	struct gw_page_store_chunk *chunks;

	if (s->nr_chunks == CHUNKS_MAX)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"the pfns of this image are too scattered: those of a checkpoint round are in %zu separate ranges",
			CHUNKS_MAX);
	if (2 * (s->nr_chunks + 1) > s->index_size && grow_index(s, err) < 0)
		return -1;
	if (s->nr_chunks < s->room)
		return 0;
	chunks = reallocarray(s->chunks, room, sizeof(*chunks));
	if (!chunks)
		return gw_fail_errno(err, "memory for spooled pages");
	s->chunks = chunks;
	s->room = room;
	return 0;
}

static int open_file(struct gw_page_store *s, struct gw_error *err)
{
	if (s->open)
		return 0;
	s->fd = gw_spool_file(err);
	s->open = s->fd >= 0;
	return s->open ? 0 : -1;
}

/* The chunk of pfn, made if there is none; NULL with err. Its number in the list is s->last. */
static struct gw_page_store_chunk *chunk_of(struct gw_page_store *s, uint64_t pfn,
					    struct gw_error *err)
{
	uint64_t number = pfn / GW_PAGE_STORE_CHUNK;
	size_t i = find(s, number);

	if (i == s->nr_chunks) {
		if (open_file(s, err) < 0 || grow(s, err) < 0)
			return NULL;
		/* So that what never came reads as zeros. */
		if (ftruncate(s->fd, (off_t)((i + 1) * CHUNK_SIZE)) < 0) {
			gw_fail_errno(err, "freeing space in %s", WHAT);
			return NULL;
		}
		s->chunks[i] = (struct gw_page_store_chunk){.number = number};
		s->index[place_of(s, number)] = (uint32_t)i + 1;
		s->nr_chunks++;
	}
	s->last = i;
	return &s->chunks[i];
}

static uint64_t offset_of(size_t chunk, uint64_t pfn)
{
	return chunk * CHUNK_SIZE + pfn % GW_PAGE_STORE_CHUNK * GW_PAGE_SIZE;
}

static unsigned get_type(const struct gw_page_store_chunk *chunk, size_t i)
{
	return (chunk->types[i / 2] >> (4 * (i % 2)) & 0xfu) ^ NO_TYPE;
}

static void set_type(struct gw_page_store_chunk *chunk, size_t i, unsigned type)
{
	unsigned shift = 4 * (i % 2), nibble = (type ^ NO_TYPE) << shift;

	chunk->types[i / 2] = (uint8_t)((chunk->types[i / 2] & ~(0xfu << shift)) | nibble);
}

int gw_page_store_mark(struct gw_page_store *s, uint64_t pfn, unsigned type, struct gw_error *err)
{
	struct gw_page_store_chunk *chunk = chunk_of(s, pfn, err);
	size_t i = pfn % GW_PAGE_STORE_CHUNK;
	unsigned before;

	if (!chunk)
		return -1;
	before = get_type(chunk, i);
	if (type == GW_PAGE_XALLOC && before != NO_TYPE && gw_page_has_data(before))
		return 0;
	set_type(chunk, i, type);
	return 0;
}

size_t gw_page_store_place(struct gw_page_store *s, uint64_t pfn, size_t n, uint64_t *offset,
			   struct gw_error *err)
{
	if (!chunk_of(s, pfn, err))
		return SIZE_MAX;
	*offset = offset_of(s->last, pfn);
	return GW_MIN(n, (size_t)(GW_PAGE_STORE_CHUNK - pfn % GW_PAGE_STORE_CHUNK));
}

int gw_page_store_write(struct gw_page_store *s, uint64_t pfn, size_t n, const void *contents,
			struct gw_error *err)
{
	const uint8_t *from = contents;

	while (n) {
		uint64_t offset;
		size_t some = gw_page_store_place(s, pfn, n, &offset, err);

		if (some == SIZE_MAX ||
		    gw_pwrite_all(s->fd, offset, from, some * GW_PAGE_SIZE, WHAT, err) < 0)
			return -1;
		from += some * GW_PAGE_SIZE;
		pfn += some;
		n -= some;
	}
	return 0;
}

int gw_page_store_read(const struct gw_page_store *s, uint64_t pfn, size_t n, void *contents,
		       struct gw_error *err)
{
	size_t i = find(s, pfn / GW_PAGE_STORE_CHUNK);

	if (i == s->nr_chunks) {
		memset(contents, 0, n * GW_PAGE_SIZE);
		return 0;
	}
	return gw_pread_all(s->fd, offset_of(i, pfn), contents, n * GW_PAGE_SIZE, WHAT, err);
}

size_t gw_page_store_take(struct gw_page_store *s, size_t number, uint64_t *entries)
{
	struct gw_page_store_chunk *chunk = &s->chunks[number];
	size_t n = 0;

	for (size_t i = 0; i < GW_PAGE_STORE_CHUNK; i++) {
		unsigned type = get_type(chunk, i);

		if (type != NO_TYPE)
			entries[n++] = gw_page_entry(chunk->number * GW_PAGE_STORE_CHUNK + i, type);
	}
	memset(chunk->types, 0, sizeof(chunk->types));
	return n;
}
