/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The walk of a stored image through all its layers: xl or xend header, libxl stream, libxc image.
 * Every record is checked against the rules (format/rules/rules.h) and passed to a sink with the
 * findings. After an error the walk continues wherever the framing still gives the start of the
 * next record. Page contents and device model state are skipped, unless the sink requests them.
 *
 * A legacy image is walked item by item and checked against the rules of its format. The sink also
 * gets the records of its conversion (format/legacy/map.h), which are checked against the image
 * rules, because a restore must accept them.
 */
#ifndef GW_EXAMINE_EXAMINE_H
#define GW_EXAMINE_EXAMINE_H

#include <stdbool.h>
#include <stdint.h>

#include <godwit/channel.h>
#include <godwit/error.h>
#include <godwit/log.h>
#include <godwit/progress.h>

#include "examine/detect.h"
#include "format/libxc/image.h"
#include "format/legacy/legacy.h"
#include "format/rules/rules.h"
#include "format/libxl/stream.h"
#include "format/xend/xend.h"
#include "format/xl/file.h"
#include "format/qemu/schema.h"
#include "format/qemu/tree.h"
#include "read/checkpoints.h"

/*
 * A record on its way through the sink. Borrowed for the call. Those that a legacy image becomes
 * have number and offset of the item that they come from, and come in the order of version 3: the
 * registers at the end of their round, the pages of a later round once it is whole.
 */
struct gw_examine_record {
	enum gw_layer layer;	     /* GW_LAYER_LIBXL or GW_LAYER_LIBXC */
	uint64_t offset;	     /* of its header, from the first byte of the input */
	const struct gw_record *rec; /* data is NULL if the body was skipped */
	/* PAGE_DATA: the reader with its entries; NULL for all others. */
	const struct gw_image_reader *pages;
	/* Records of the libxl layer without data: the body's first min(length, 8) bytes. */
	const uint8_t *body_head;
	enum gw_counts counts;			  /* what it makes of the records before it */
	const struct gw_checkpoints *checkpoints; /* up to and with this record */
};

/* An item of a legacy image: a chunk or a part of its tail. Borrowed for the call. */
struct gw_examine_item {
	uint64_t number; /* from 0 */
	uint64_t offset; /* of its first byte, from the first byte of the input */
	uint64_t length; /* all of its bytes */
	int32_t id;	 /* enum gw_legacy_id; of a batch the number of its entries */
	const char *name;
	const char *text; /* what it says in a few words; may be empty */
};

/* Receives what the walk meets, in the order of the input. Any entry may be NULL. Offsets count
 * from the input's start. */
struct gw_examine_sink {
	void *opaque;
	/* Judges the config in an xl header too, and the image by it: for those who would restore
	 * the image. */
	bool with_config;
	unsigned xen; /* judges as Xen 4.xen; 0: any, as gw_rule_level() says */
	void (*xlfile)(void *opaque, uint64_t offset, const struct gw_xlfile *xl);
	void (*xend)(void *opaque, uint64_t offset, const struct gw_xend *xend);
	void (*stream)(void *opaque, uint64_t offset, const struct gw_stream_header *header);
	void (*image)(void *opaque, uint64_t offset, const struct gw_image_header *header);
	/* Comes before the findings about it. */
	void (*record)(void *opaque, const struct gw_examine_record *record);
	/* Legacy images; before the findings about it and the records it becomes. */
	void (*item)(void *opaque, const struct gw_examine_item *item);
	/*
	 * Each entry of a PAGE_DATA record, after the record and the findings about it, with the
	 * 4096 bytes that it carries (NULL if none, or if they are not wanted). Entries whose
	 * wanted bytes the input lacks, and those of a record that is not well formed, do not come.
	 * -1 with err ends the walk. With NULL here page contents are not read. Of a legacy image
	 * no contents can be had: with this set its walk fails (GW_UNSUPPORTED).
	 */
	int (*page)(void *opaque, uint64_t pfn, unsigned type, const uint8_t *contents,
		    struct gw_error *err);
	/* Are the contents of this entry wanted? All are without this. */
	bool (*wants)(void *opaque, uint64_t pfn, unsigned type);
	/*
	 * The rest of a libxl record that came without data (device model state), after body_head,
	 * in pieces and without padding. Called after the record and its findings. -1 with err ends
	 * the walk. With NULL such bodies are skipped.
	 */
	int (*body)(void *opaque, const struct gw_examine_record *record, const uint8_t *data,
		    size_t len, struct gw_error *err);
	void (*libvirt)(void *opaque, uint64_t offset, const struct gw_libvirt_save *save);
	/*
	 * A stream of QEMU: where its tree goes, zeroed before; the caller frees it in any case.
	 * NULL: not wanted. Then its sections and commands as they are found; what was read so far
	 * is in the tree.
	 */
	struct gw_savevm_stream *savevm;
	void (*savevm_section)(void *opaque, const struct gw_savevm_section *section);
	void (*savevm_command)(void *opaque, const struct gw_savevm_command_at *command);
	/* Each page of its memory (read/savevm.h); -1 with err ends the walk. NULL: page contents
	 * of mapped-ram are skipped. */
	int (*savevm_page)(void *opaque, const struct gw_savevm_ram_item *item,
			   struct gw_error *err);
	/* The description of another stream of the same machine, for one that has none. */
	const struct gw_savevm_description *like;
	const struct gw_schema *schema; /* of a QEMU that is to load a stream of QEMU; NULL: none */
	void (*finding)(void *opaque, const struct gw_finding *finding);
	void (*progress)(void *opaque, const struct gw_progress *progress);
};

/* What an examination found: the layers, their headers, and counts. */
struct gw_examination {
	enum gw_file_format format; /* of the outermost layer */
	bool has_xl, has_xend, has_stream, has_image;
	bool has_libvirt; /* a libvirt save file */
	bool has_savevm;  /* a stream of QEMU */
	uint32_t savevm_version;
	char machine[64]; /* of its configuration; "": it has none */
	/* The image is a legacy one: has_image is set as well, and what is said of the image is
	 * said of the one it becomes. */
	bool has_legacy;
	struct gw_stream_header stream; /* if has_stream */
	struct gw_image_header image;	/* if has_image */
	struct gw_image_facts facts;	/* if has_image */
	struct gw_legacy_header legacy; /* if has_legacy; likewise the next ones */
	uint64_t legacy_items, rounds;	/* rounds: complete ones */
	bool legacy_compressed, legacy_last_checkpoint;
	bool has_legacy_model;
	enum gw_legacy_device_model legacy_model; /* of the last complete round */
	uint64_t image_records, stream_records;
	uint64_t savevm_sections;
	uint64_t page_entries; /* of all PAGE_DATA records */
	uint64_t pages;	       /* with data, resent ones counted each time */
	uint64_t bytes;	       /* of the input, decompressed */
	uint64_t errors, warnings, notes;
};

/*
 * Walks in to its end. Returns 0 when the walk is over, whatever it found; -1 if the input could
 * not be read on (GW_SYSTEM), memory ran out, the channel's token was set (GW_CANCELLED), or the
 * sink's page or body failed. Input that ends early or whose compression is damaged is a finding.
 */
int gw_examine(struct gw_channel *in, const struct gw_examine_sink *sink,
	       struct gw_examination *examination, struct gw_error *err);

/*
 * A finding, for a listener that takes an image only if it obeys the rules: an error refuses it
 * (the first one goes into bad, as GW_INVALID), a cut-off round, whose contents are lost, is logged
 * as a warning, other broken rules as information.
 */
void gw_examine_obey(const struct gw_finding *finding, const struct gw_log *log,
		     struct gw_error *bad);

#endif
