/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every rule of every layer, once. verify reports the findings, restore obeys them: both give the
 * same checker the same records, so what one calls an error the other refuses. No checker here
 * needs a domain. Rules that only a restore can check are in the table as well, and are checked
 * there.
 */
#ifndef GW_FORMAT_RULES_RULES_H
#define GW_FORMAT_RULES_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "format/libxc/image.h"
#include "format/legacy/legacy.h"
#include "format/libvirt/save.h"
#include "format/libxl/stream.h"
#include "format/qemu/faults.h"
#include "format/xend/xend.h"
#include "format/xl/config.h"
#include "format/xl/file.h"

enum gw_level {
	GW_LEVEL_NOTE,	  /* worth knowing */
	GW_LEVEL_WARNING, /* breaks the specification, but released Xens wrote and read it */
	GW_LEVEL_ERROR,	  /* restore refuses */
};

enum gw_layer {
	GW_LAYER_FILE,
	GW_LAYER_XL,
	GW_LAYER_XEND,
	GW_LAYER_LIBXL,
	GW_LAYER_LIBXC,
	GW_LAYER_LEGACY,
	GW_LAYER_QEMU,
	GW_LAYER_LIBVIRT,
};

/* A rule of the table in table.c. Ids are stable words ("page-data-count") for JSON and tests. */
struct gw_rule {
	const char *id;
	enum gw_layer layer;
	enum gw_level level;
	const char *text;   /* the demand, in one sentence */
	const char *source; /* its source: "libxc-migration-stream, PAGE_DATA" */
	bool deep;	    /* only a restore can check it, no checker here */
	/* The releases of Xen, 4.since to 4.until, that make this demand; 0: no bound. */
	uint8_t since, until;
};

/* The releases of Xen that the table knows: 4.14 to 4.22. */
#define GW_XEN_FIRST 14u
#define GW_XEN_LAST  22u

const struct gw_rule *gw_rules(size_t *count);
/* The rule of that id, which exists. */
const struct gw_rule *gw_rule_find(const char *id);
const char *gw_level_name(enum gw_level level);
/*
 * What a broken rule means to Xen 4.xen; 0: to any. The level of the table where that release makes
 * the demand, a note where it does not. To any release an error of only some of them is a warning.
 */
enum gw_level gw_rule_level(const struct gw_rule *rule, unsigned xen);
/* "Xen 4.18 and later", "Xen 4.14 to 4.20", "Xen 4.17"; "" if all make the demand. Returns text. */
char *gw_rule_releases(const struct gw_rule *rule, char *text, size_t size);
/* 17 for "xen-4.17", 0 for "any"; -1 if the table knows no such release. */
int gw_xen_release(const char *name);
/* "file", "xl header", ..., "QEMU stream", "libvirt save file" */
const char *gw_layer_name(enum gw_layer layer);

/* A place where a rule is broken. */
struct gw_finding {
	const struct gw_rule *rule;
	enum gw_level level;
	uint64_t offset; /* from the first byte of the input, not of the layer */
	bool has_record;
	uint64_t record_number; /* within its layer */
	uint32_t record_type;	/* legacy image: reader->id */
	char text[400]; /* expected and found: "count 5000 needs 40008 bytes, record has 4104" */
};

/* "image record 12 (PAGE_DATA) at offset 0x4a10: count 5000 needs ..." Returns text. */
char *gw_finding_format(const struct gw_finding *finding, char *text, size_t size);

/*
 * Receives findings; verify collects them, restore stops at the first error. A checker reports a
 * rule that is broken many times at most a few dozen times, some warnings once.
 */
struct gw_findings {
	void (*report)(void *opaque, const struct gw_finding *finding);
	void *opaque;
	unsigned xen; /* judge as Xen 4.xen does; 0: as gw_rule_level() says of any release */
};

/* What a config says of the domain, for the rules of the layers after it. */
struct gw_config_facts {
	bool known; /* a config came with the image, and its guest type can be read */
	enum gw_guest_type type;
	bool pvh;
	bool stubdom;	       /* the device model runs in a domain of its own */
	bool qemu_traditional; /* the device model is qemu-xen-traditional */
	unsigned vcpus;	       /* 0: not known */
	uint64_t max_pages;    /* most pages that the domain may have; 0: not known */
};
void gw_config_facts_of(const struct gw_config *config, struct gw_config_facts *facts);

/* The checker's state for one image. */
enum gw_image_kind { GW_IMAGE_PLAIN, GW_IMAGE_CHECKPOINTED, GW_IMAGE_ANY };
struct gw_image_rules;

/*
 * base: offset of the image's first byte in the input, for messages. kind: as the container demands
 * (ANY for a bare file, in which CHECKPOINT records make it checkpointed). max_pfns: bound for pfns
 * (0: the checker's own, 2^36). Borrowed: out. NULL: no memory.
 */
struct gw_image_rules *gw_image_rules_new(const struct gw_findings *out, uint64_t layer_start,
					  enum gw_image_kind kind, uint64_t max_pfns);
void gw_image_rules_free(struct gw_image_rules *rules);
/* What the config before the image says; called before the header is judged. */
void gw_image_rules_config(struct gw_image_rules *rules, const struct gw_config_facts *facts);

/*
 * Each returns 0, or -1 if a rule of level error was broken. err then holds the first such finding,
 * formatted: GW_TRUNCATED for an input that ended too early, else GW_INVALID. Offsets are counted
 * from the first byte of the layer, as those of records are.
 */
int gw_image_rules_header(struct gw_image_rules *rules, const struct gw_image_header *h,
			  struct gw_error *err);
/* A whole record other than PAGE_DATA, before it is applied. */
int gw_image_rules_record(struct gw_image_rules *rules, const struct gw_record *rec,
			  struct gw_error *err);
/* A PAGE_DATA record after its entries were read: the reader at GW_IMAGE_PAGES. */
int gw_image_rules_pages(struct gw_image_rules *rules, const struct gw_image_reader *reader,
			 struct gw_error *err);
/*
 * The image is over: END was read, or the input ended. at_boundary: not inside a record; inside:
 * the record that was cut, if its header was read, else NULL; offset: where the input ended. A
 * checkpointed image that ends after a CHECKPOINT is complete up to it. Records missing before an
 * END or CHECKPOINT were reported with that record.
 */
int gw_image_rules_end(struct gw_image_rules *rules, bool at_boundary,
		       const struct gw_record *inside, uint64_t offset, struct gw_error *err);
/* The framing is lost, or another layer has a fault at this offset, in the given record if rec is
 * not NULL. */
int gw_image_rules_framing(struct gw_image_rules *rules, uint64_t offset,
			   const struct gw_record *rec, const char *text, struct gw_error *err);

/* Facts that the rules collected, for restore and inspect. */
struct gw_image_facts {
	unsigned version;
	enum gw_guest_type type;
	unsigned pv_width; /* 0: unknown */
	uint64_t pv_max_pfn;
	bool static_data_end;	   /* read or inferred */
	bool static_data_inferred; /* inferred, by the rule for v2 */
	bool verify_mode;
	uint64_t checkpoints;	/* CHECKPOINT records read */
	bool ended;		/* END was read */
	bool not_for_stock_xen; /* has a record that stock Xen would ignore to the guest's harm */
};
const struct gw_image_facts *gw_image_rules_facts(const struct gw_image_rules *rules);

/* The libxl layer: the same calls. */
struct gw_stream_rules;
struct gw_stream_rules *gw_stream_rules_new(const struct gw_findings *out, uint64_t layer_start);
void gw_stream_rules_free(struct gw_stream_rules *rules);
int gw_stream_rules_header(struct gw_stream_rules *rules, const struct gw_stream_header *h,
			   struct gw_error *err);
/* guest: from the image header once it is known, else GW_GUEST_NONE. */
int gw_stream_rules_record(struct gw_stream_rules *rules, const struct gw_record *rec,
			   enum gw_guest_type guest, struct gw_error *err);
/* The same for a record whose body is only announced (GW_STREAM_BODY): its ids are judged as
 * well. */
int gw_stream_rules_body(struct gw_stream_rules *rules, const struct gw_stream_reader *reader,
			 enum gw_guest_type guest, struct gw_error *err);
/* What comes after body_head of that record: first this, -1: no memory. */
int gw_stream_rules_body_begin(struct gw_stream_rules *rules, const struct gw_stream_reader *reader,
			       struct gw_error *err);
/* The bytes, in pieces of any size, with its padding; -1: no memory. */
int gw_stream_rules_bytes(struct gw_stream_rules *rules, const uint8_t *data, size_t len,
			  struct gw_error *err);
/* All of the body has come: judges it. */
int gw_stream_rules_body_end(struct gw_stream_rules *rules, const struct gw_stream_reader *reader,
			     struct gw_error *err);
/* What the config before the stream says; called before its first record is judged. */
void gw_stream_rules_config(struct gw_stream_rules *rules, const struct gw_config_facts *facts);
/* A CHECKPOINT of the image: records of this layer follow until CHECKPOINT_END. */
void gw_stream_rules_checkpoint(struct gw_stream_rules *rules);
int gw_stream_rules_end(struct gw_stream_rules *rules, bool at_boundary,
			const struct gw_record *inside, uint64_t offset, struct gw_error *err);

/* The legacy image: gets every event of its reader before it is applied. */
struct gw_legacy_rules;
struct gw_legacy_rules *gw_legacy_rules_new(const struct gw_findings *out, uint64_t layer_start);
void gw_legacy_rules_free(struct gw_legacy_rules *rules);
int gw_legacy_rules_event(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			  enum gw_legacy_event event, struct gw_error *err);
/* The reader cannot continue (text is its error), or compressed contents are invalid, or incomplete
 * at the end of a body. */
int gw_legacy_rules_framing(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			    const char *text, struct gw_error *err);
/* The input ended at this offset. After a complete state this is no error; inside a later round it
 * is a warning, because that round is lost. */
int gw_legacy_rules_end(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			bool at_boundary, uint64_t offset, struct gw_error *err);
/* The input ended before the device model's record, gw_legacy_reader_without_model(): a warning. */
int gw_legacy_rules_no_model(struct gw_legacy_rules *rules, const struct gw_legacy_reader *r,
			     struct gw_error *err);

/* The header of a libvirt save file, and its XML. */
int gw_libvirt_rules(const struct gw_libvirt_save *save, const struct gw_findings *out,
		     uint64_t layer_start, struct gw_error *err);

/* A stream of QEMU: judges the faults that its reading found (format/qemu/faults.h). */
struct gw_savevm_rules;
struct gw_savevm_rules *gw_savevm_rules_new(const struct gw_findings *out);
void gw_savevm_rules_free(struct gw_savevm_rules *rules);
/* offset: from the first byte of the input; text: what is expected and found. */
int gw_savevm_rules_fault(struct gw_savevm_rules *rules, enum gw_savevm_fault fault,
			  uint64_t offset, const char *text, struct gw_error *err);

/* The xl header and its optional data, except for what the config says. */
int gw_xlfile_rules(const struct gw_xlfile *xl, const struct gw_findings *out, uint64_t layer_start,
		    struct gw_error *err);

/* A config, as it lies in the optional data of an xl header or comes alone. */
struct gw_config_text {
	const char *text;
	size_t len;	 /* without the NUL */
	bool json;	 /* else the text of xl before 4.5 */
	bool named;	 /* the domain gets its name from elsewhere: the config needs none */
	uint64_t offset; /* of the text, for messages */
};

/* Reads the config and judges it. *config has what could be read, and no text; the caller frees it.
 * 0, or -1 with err: a rule was broken, or there is no memory. */
int gw_config_rules(const struct gw_config_text *from, struct gw_config *config,
		    const struct gw_findings *out, struct gw_error *err);
/* The config of an xl header, if it has one: the facts. named: as above. */
int gw_xlfile_config_rules(const struct gw_xlfile *xl, bool named, struct gw_config_facts *facts,
			   const struct gw_findings *out, uint64_t layer_start,
			   struct gw_error *err);

/* The xend header and its config. */
int gw_xend_rules(const struct gw_xend *xend, const struct gw_findings *out, uint64_t layer_start,
		  struct gw_error *err);

/*
 * Completes a finding whose rule, place and text are set: its level, and the releases that make the
 * demand. Reports it. 0, or -1 with err if it is an error.
 */
int gw_finding_report(const struct gw_findings *out, struct gw_finding *finding,
		      struct gw_error *err);

/* Reports a finding outside the checkers above (unknown file format, bytes after the end). id must
 * be in the table. */
int gw_rules_report(const struct gw_findings *out, const char *id, uint64_t offset,
		    struct gw_error *err, const char *fmt, ...) GW_PRINTF(5, 6);

#endif
