/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The libxl stream, v2 (Xen's docs/specs/libxl-migration-stream.pandoc): header, records, the
 * bodies of its six record types. The libxc image comes in the same stream after LIBXC_CONTEXT;
 * other files read and write it.
 */
#ifndef GW_FORMAT_LIBXL_STREAM_H
#define GW_FORMAT_LIBXL_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

#include "format/record.h"

#define GW_STREAM_HEADER_SIZE 16
#define GW_STREAM_VERSION     2
#define GW_STREAM_BIG_ENDIAN  UINT32_C(1)
#define GW_STREAM_CONVERTED   UINT32_C(2) /* converted from a legacy stream */
#define GW_STREAM_BODY_MAX    (1u << 20)  /* largest body that the reader reads completely */

enum gw_stream_record_type {
	GW_STREAM_END = 0,
	GW_STREAM_LIBXC_CONTEXT = 1,
	GW_STREAM_EMULATOR_XENSTORE_DATA = 2,
	GW_STREAM_EMULATOR_CONTEXT = 3,
	GW_STREAM_CHECKPOINT_END = 4,
	GW_STREAM_CHECKPOINT_STATE = 5,
};

enum gw_emulator { GW_EMULATOR_UNKNOWN = 0, GW_EMULATOR_TRADITIONAL = 1, GW_EMULATOR_UPSTREAM = 2 };

/* Limit of a device model's state: more than any real one, less than what could exhaust a host. */
#define GW_EMULATOR_MAX (256u << 20)

struct gw_stream_header {
	uint32_t version;
	uint32_t options;
};

const char *gw_stream_record_name(uint32_t type);
const char *gw_emulator_name(uint32_t id);

void gw_stream_header_encode(const struct gw_stream_header *h, uint8_t raw[GW_STREAM_HEADER_SIZE]);
/* Fails only if the ident is not "LibxlFmt". */
int gw_stream_header_decode(const uint8_t raw[GW_STREAM_HEADER_SIZE], struct gw_stream_header *h,
			    struct gw_error *err);

/* EMULATOR_XENSTORE_DATA and EMULATOR_CONTEXT: data points after the two ids. */
struct gw_emulator_data {
	uint32_t emulator_id, index;
	const uint8_t *data;
	size_t len;
};
int gw_emulator_data_decode(const struct gw_record *rec, struct gw_emulator_data *emu,
			    struct gw_error *err);
/* Gets pair i of the xenstore data: 1; 0 when there are no more; -1 if a string has no end or the
 * last key no value. */
int gw_xenstore_pair(const struct gw_emulator_data *emu, size_t *pos, const char **key,
		     const char **value, struct gw_error *err);
/* Appends a record of either type with these contents. */
int gw_emulator_data_append(struct gw_buffer *buf, uint32_t type,
			    const struct gw_emulator_data *emu, struct gw_error *err);

/* CHECKPOINT_STATE: "NEW", "SVM_SUSPENDED", "SVM_READY", "SVM_RESUMED" for 0 to 3, NULL otherwise.
 */
const char *gw_checkpoint_state_name(uint32_t control_id);
int gw_checkpoint_state_decode(const struct gw_record *rec, uint32_t *control_id,
			       struct gw_error *err);
int gw_checkpoint_state_append(struct gw_buffer *buf, uint32_t control_id, struct gw_error *err);

/*
 * The reader of this layer's records (want / got as in libxc/image.h). It stops (GW_STREAM_CONTEXT)
 * right after a LIBXC_CONTEXT record (reader->rec), and continues after the image when the caller
 * calls gw_stream_reader_resume(). In a stream with checkpoints the image pauses after each
 * CHECKPOINT and continues after CHECKPOINT_END (COLO: after the following CHECKPOINT_STATE); there
 * the caller stops using this reader until its next resume(). Bodies up to GW_STREAM_BODY_MAX are
 * read completely. Longer ones, and all EMULATOR_CONTEXT bodies, are reported as GW_STREAM_BODY:
 * the caller takes or skips body_left bytes itself, then calls gw_stream_reader_body_done().
 */
enum gw_stream_event {
	GW_STREAM_MORE,
	GW_STREAM_HEADER,
	GW_STREAM_RECORD,  /* reader->rec with data */
	GW_STREAM_BODY,	   /* reader->rec with data NULL; the first min(length, 8) bytes are in
			      body_head */
	GW_STREAM_CONTEXT, /* an image begins here */
	GW_STREAM_DONE,	   /* reported by the got() after END */
};

struct gw_stream_reader {
	struct gw_stream_header header;
	struct gw_record rec; /* number and offset count within this layer; offsets include the
				 bytes of the image */
	uint8_t body_head[8];
	uint64_t body_left; /* GW_STREAM_BODY: bytes (body and padding) after body_head */
	uint64_t offset;    /* bytes taken, without those of the image */

	/* private */
	int state;
	struct gw_buffer buf;
	size_t need;
	uint64_t left, records, image_bytes_before;
};

void gw_stream_reader_init(struct gw_stream_reader *r);
void gw_stream_reader_free(struct gw_stream_reader *r);
int gw_stream_reader_want(struct gw_stream_reader *r, void **to, size_t *len, struct gw_error *err);
int gw_stream_reader_got(struct gw_stream_reader *r, enum gw_stream_event *event,
			 struct gw_error *err);
void gw_stream_reader_body_done(struct gw_stream_reader *r);
/* image_bytes: length of the image part in between, for the offsets. */
void gw_stream_reader_resume(struct gw_stream_reader *r, uint64_t image_bytes);
bool gw_stream_reader_at_boundary(const struct gw_stream_reader *r);

#endif
