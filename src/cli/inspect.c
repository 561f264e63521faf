/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit inspect: shows the contents of a stored image. The walk and the list of records are here;
 * inspect/text.c and inspect/json.c print the summary after it.
 */
#include "cli/inspect/inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/input.h"
#include "cli/inspect/memory.h"
#include "cli/inspect/savevm.h"
#include "cli/like.h"
#include "examine/describe.h"
#include "examine/examine.h"

static void record_text(const struct gw_examine_record *r, const char *name, const char *text)
{
	printf("0x%08" PRIx64 "  %-5s %6" PRIu64 "  %-22s %10" PRIu32, r->offset,
	       r->layer == GW_LAYER_LIBXL ? "libxl" : "libxc", r->rec->number, name,
	       r->rec->length);
	if (*text) {
		fputs("  ", stdout);
		gw_print_safe(stdout, text);
	}
	putchar('\n');
}

static void record_json(struct gw_inspect *inspect, const struct gw_examine_record *r,
			const char *name, const char *text)
{
	gw_json_element(&inspect->writer,
			json_pack("{s:s, s:I, s:I, s:I, s:s, s:I, s:o}", "layer",
				  r->layer == GW_LAYER_LIBXL ? "libxl" : "libxc", "number",
				  (json_int_t)r->rec->number, "offset", (json_int_t)r->offset,
				  "type", (json_int_t)r->rec->type, "name", name, "length",
				  (json_int_t)r->rec->length, "text",
				  gw_json_text(text, strlen(text))));
}

static void item_text(const struct gw_examine_item *item)
{
	printf("0x%08" PRIx64 "  %6" PRIu64 "  %-26s %10" PRIu64, item->offset, item->number,
	       item->name, item->length);
	if (*item->text) {
		fputs("  ", stdout);
		gw_print_safe(stdout, item->text);
	}
	putchar('\n');
}

static void item_json(struct gw_inspect *inspect, const struct gw_examine_item *item)
{
	gw_json_element(&inspect->writer,
			json_pack("{s:s, s:I, s:I, s:i, s:s, s:I, s:o}", "layer", "legacy",
				  "number", (json_int_t)item->number, "offset",
				  (json_int_t)item->offset, "type", (int)item->id, "name",
				  item->name, "length", (json_int_t)item->length, "text",
				  gw_json_text(item->text, strlen(item->text))));
}

/* Of a legacy image its own parts are listed, not the records that they become. */
static void on_item(void *opaque, const struct gw_examine_item *item)
{
	struct gw_inspect *inspect = opaque;

	gw_summary_item(&inspect->summary, item);
	if (!inspect->list)
		return;
	gw_output_erase(&inspect->cli->out);
	if (inspect->json)
		item_json(inspect, item);
	else
		item_text(item);
}

static void on_record(void *opaque, const struct gw_examine_record *record)
{
	struct gw_inspect *inspect = opaque;
	const struct gw_summary *s = &inspect->summary;
	char title[40], text[512];
	const char *name;

	gw_summary_record(&inspect->summary, record);
	if (!inspect->list || inspect->examination.has_legacy)
		return;
	name = gw_record_title(record->layer, record->rec->type, title, sizeof(title));
	gw_describe_record(record, s->has_pv_info ? s->pv_info.guest_width : 0, text, sizeof(text));
	gw_output_erase(&inspect->cli->out);
	if (inspect->json)
		record_json(inspect, record, name, text);
	else
		record_text(record, name, text);
}

static void on_xlfile(void *opaque, uint64_t offset, const struct gw_xlfile *xl)
{
	struct gw_inspect *inspect = opaque;

	gw_summary_xlfile(&inspect->summary, offset, xl);
}

static void on_xend(void *opaque, uint64_t offset, const struct gw_xend *xend)
{
	struct gw_inspect *inspect = opaque;

	gw_summary_xend(&inspect->summary, offset, xend);
}

static void on_stream(void *opaque, uint64_t offset, const struct gw_stream_header *header)
{
	struct gw_inspect *inspect = opaque;

	gw_summary_stream(&inspect->summary, offset, header);
}

static void on_image(void *opaque, uint64_t offset, const struct gw_image_header *header)
{
	struct gw_inspect *inspect = opaque;

	gw_summary_image(&inspect->summary, offset, header);
}

static void on_progress(void *opaque, const struct gw_progress *progress)
{
	struct gw_inspect *inspect = opaque;

	gw_output_progress(&inspect->cli->out, progress);
}

static int read_xend_config(struct gw_inspect *inspect, const char *text, size_t len,
			    struct gw_error *err)
{
	if (gw_xend_config_read(text, len, &inspect->xend, err) < 0)
		return -1;
	return gw_config_from_xend(&inspect->config, &inspect->xend, err);
}

/* An unreadable config is shown unchanged, with a message that gives the reason. */
static void read_config(struct gw_inspect *inspect)
{
	const struct gw_summary *s = &inspect->summary;
	const char *text = (const char *)s->config.data;
	struct gw_error err = GW_ERROR_INIT;
	int rc;

	if (!s->has_config)
		return;
	if (s->config_is_xend)
		rc = read_xend_config(inspect, text, s->config.len, &err);
	else if (s->config_is_json)
		rc = gw_config_parse_json(&inspect->config, text, s->config.len, &err);
	else
		rc = gw_config_parse_text(&inspect->config, text, s->config.len, &err);
	inspect->has_config = rc == 0;
	if (rc < 0)
		gw_logf(&inspect->cli->out.log, GW_LOG_WARNING, "the domain's config: %s",
			err.text);
}

/* The end of the list of records, and the summary after it. */
static void show_savevm(struct gw_inspect *inspect)
{
	char title[256];

	if (inspect->json) {
		gw_json_member(&inspect->writer, "format",
			       json_string(gw_file_format_name(inspect->examination.format)));
		gw_inspect_savevm_json(inspect);
		return;
	}
	if (inspect->records)
		putchar('\n');
	printf("%s: %s\n", inspect->file,
	       gw_examination_title(&inspect->examination, title, sizeof(title)));
	gw_inspect_savevm_text(inspect);
}

static int show(struct gw_inspect *inspect, struct gw_error *err)
{
	if (inspect->examination.has_savevm || inspect->examination.has_libvirt) {
		show_savevm(inspect);
		return 0;
	}
	read_config(inspect);
	if (gw_inspect_page_tables(inspect, err) < 0)
		return -1;
	if (inspect->json)
		return gw_inspect_json(inspect, err);
	return gw_inspect_text(inspect, err);
}

/* True if the requested vCPU exists. */
static int check_vcpu(const struct gw_inspect *inspect, struct gw_error *err)
{
	const struct gw_summary *s = &inspect->summary;

	if (!inspect->one_vcpu || s->vcpu_places[inspect->vcpu])
		return 0;
	if (inspect->examination.has_savevm) {
		if (gw_savevm_find_section(&inspect->savevm, "cpu", inspect->vcpu))
			return 0;
		return gw_fail(err, GW_INVALID, "%s: has no vCPU %" PRIu32, inspect->file,
			       inspect->vcpu);
	}
	return gw_fail(err, GW_INVALID, "%s: has no vCPU %" PRIu32 "; it has %zu", inspect->file,
		       inspect->vcpu, s->nr_vcpus);
}

static int on_page(void *opaque, uint64_t pfn, unsigned type, const uint8_t *contents,
		   struct gw_error *err)
{
	struct gw_inspect *inspect = opaque;

	return gw_summary_page(&inspect->summary, pfn, type, contents, err);
}

static bool wants(void *opaque, uint64_t pfn, unsigned type)
{
	struct gw_inspect *inspect = opaque;

	return gw_summary_wants(&inspect->summary, pfn, type);
}

static int on_body(void *opaque, const struct gw_examine_record *record, const uint8_t *data,
		   size_t len, struct gw_error *err)
{
	struct gw_inspect *inspect = opaque;

	if (gw_summary_body(&inspect->summary, record, data, len, err) < 0)
		return -1;
	/* JSON has them as members of the device model's state. */
	if (!inspect->records || inspect->json || inspect->examination.has_legacy ||
	    record->rec->type != GW_STREAM_EMULATOR_CONTEXT)
		return 0;
	inspect->body_left = inspect->body_left ? inspect->body_left : record->rec->length - 8;
	inspect->body_left -= len;
	return inspect->body_left ? 0 : gw_inspect_emulator_list(inspect, err);
}

/* Keeps a copy. */
static void on_libvirt(void *opaque, uint64_t offset, const struct gw_libvirt_save *save)
{
	struct gw_inspect *inspect = opaque;
	struct gw_error err = GW_ERROR_INIT;

	inspect->libvirt = *save;
	inspect->libvirt.data = (struct gw_buffer){0};
	inspect->libvirt_offset = offset;
	if (gw_buffer_append(&inspect->libvirt.data, save->data.data, save->data.len, &err) < 0)
		gw_logf(&inspect->cli->out.log, GW_LOG_WARNING, "the domain's XML: %s", err.text);
}

static void on_savevm_section(void *opaque, const struct gw_savevm_section *section)
{
	gw_inspect_savevm_section(opaque, section);
}

static void on_savevm_command(void *opaque, const struct gw_savevm_command_at *command)
{
	gw_inspect_savevm_command(opaque, command);
}

static int inspect_channel(struct gw_inspect *inspect, struct gw_channel *in,
			   const struct gw_savevm_description *like)
{
	const struct gw_examine_sink sink = {
		.opaque = inspect,
		.xlfile = on_xlfile,
		.xend = on_xend,
		.stream = on_stream,
		.image = on_image,
		.record = on_record,
		.page = inspect->pages || inspect->page_tables ? on_page : NULL,
		.wants = wants,
		.item = on_item,
		.body = on_body,
		.libvirt = on_libvirt,
		.savevm = &inspect->savevm,
		.savevm_section = on_savevm_section,
		.savevm_command = on_savevm_command,
		.like = like,
		.progress = on_progress,
	};
	struct gw_error err = GW_ERROR_INIT;
	int rc;

	if (inspect->json) {
		gw_json_begin(&inspect->writer);
		gw_json_member(&inspect->writer, "godwit_inspect", json_integer(1));
		gw_json_member(&inspect->writer, "file",
			       gw_json_text(inspect->file, strlen(inspect->file)));
		if (inspect->list)
			gw_json_list(&inspect->writer, "records");
	}
	rc = gw_examine(in, &sink, &inspect->examination, &err);
	gw_output_erase(&inspect->cli->out);
	if (inspect->json && inspect->list)
		gw_json_list_end(&inspect->writer);
	if (rc == 0)
		rc = gw_summary_finish(&inspect->summary, &err);
	if (rc == 0 && !inspect->examination.has_savevm)
		rc = gw_inspect_emulator_read(inspect, &err);
	if (rc == 0)
		rc = check_vcpu(inspect, &err);
	/* What precedes a stream that cannot be decompressed can be shown. */
	if (rc == 0)
		rc = show(inspect, &err);
	else if (inspect->examination.has_libvirt && err.code == GW_UNSUPPORTED)
		show_savevm(inspect);
	if (inspect->json)
		gw_json_end(&inspect->writer);
	if (rc < 0)
		return gw_cli_fail(inspect->cli, &err);
	if (!inspect->examination.errors)
		return GW_EXIT_OK;
	return gw_cli_error(inspect->cli, GW_EXIT_BAD,
			    "%s breaks rules of its format %" PRIu64
			    " time%s: \"godwit verify\" reports them",
			    inspect->file, inspect->examination.errors,
			    inspect->examination.errors == 1 ? "" : "s");
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	struct gw_inspect inspect = {
		.cli = cli,
		.file = gw_args_positional(args, 0),
		.json = gw_args_flag(args, "json"),
		.records = gw_args_flag(args, "records"),
		.one_vcpu = gw_args_text(args, "vcpu") != NULL,
		.vcpu = (uint32_t)gw_args_number(args, "vcpu", 0),
		.params = gw_args_flag(args, "params"),
		.policy = gw_args_flag(args, "policy"),
		.memory = gw_args_flag(args, "memory"),
		.page_tables = gw_args_flag(args, "page-tables"),
		.pages = gw_args_flag(args, "pages"),
		.platform = gw_args_flag(args, "platform"),
	};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_savevm_stream like = {0};
	const struct gw_savevm_description *described = gw_cli_like(cli, args, &like, &err);
	struct gw_xend xend = {0};
	struct gw_channel *in = NULL;
	int status;

	if (err.code) {
		gw_savevm_stream_free(&like);
		return gw_cli_fail(cli, &err);
	}
	/* A legacy image is converted to read its page contents. */
	in = inspect.pages || inspect.page_tables
		     ? gw_cli_open_current(cli, inspect.file, &xend, &err)
		     : gw_cli_open(cli, inspect.file, &err);
	if (xend.has_header)
		gw_summary_xend(&inspect.summary, 0, &xend);
	gw_xend_free(&xend);

	inspect.narrowed = inspect.one_vcpu || inspect.params || inspect.policy || inspect.memory ||
			   inspect.page_tables || inspect.platform;
	inspect.memory |= inspect.pages && inspect.narrowed;
	inspect.summary.want_contents = inspect.pages;
	inspect.summary.want_tables = inspect.page_tables;
	inspect.list = inspect.records || (inspect.json && !inspect.narrowed);
	inspect.like = described;
	inspect.summary.want_emulator = inspect.list || described;
	status = in ? inspect_channel(&inspect, in, described) : gw_cli_fail(cli, &err);
	gw_channel_close(in);
	gw_savevm_stream_free(&inspect.savevm);
	gw_libvirt_free(&inspect.libvirt);
	gw_savevm_stream_free(&like);
	gw_config_free(&inspect.config);
	gw_summary_free(&inspect.summary);
	return status;
}

const struct gw_verb gw_verb_inspect = {
	.name = "inspect",
	.group = GW_GROUP_IMAGES,
	.summary = "show the contents of a stored image",
	.description =
		"Shows the contents of the image in FILE (an xl save file, a libxl stream, a libxc "
		"image of version 2 or 3, or a stream of QEMU): its layers and their versions, the Xen version that wrote it, "
		"the guest and its config, the records, the memory map, vCPUs, parameters, the CPU policy "
		"and the device model.\n\n"
		"For a legacy image (Xen 4.5 or older) it shows the word size of the tools that saved it, "
		"its chunks, the records of version 3 that they become, and the rest as for version 3. In "
		"a file of \"xm save\" (xend, Xen 3.x to 4.4) such an image comes after xend's config; each "
		"list of that config is printed on a line, and --json also contains its text "
		"(\"config_text\").\n\n"
		"Page contents are read only with --pages (all of them) or --page-tables (those of page "
		"tables). Otherwise they are skipped, so even a large file takes no time. An image with "
		"errors is shown as far as it can be read. An image with checkpoints is shown as it is at "
		"the last complete one.\n\n"
		"Of a stream of QEMU (savevm, a migration to a file, the one in a file of \"virsh save\") it shows the machine type, the RAM "
		"blocks and the devices' sections; --platform and --vcpu show them field by field, by the "
		"description at the stream's end. A stream without one (an old machine type, the device "
		"state that Xen asks for, alone or in an image) can be read by the description of another: "
		"--like.\n\n"
		"--vcpu, --params, --policy, --memory, --page-tables and --platform show only the parts "
		"that they name, and these in full: one field a line, without array elements that are 0.",
	.options =
		(const struct gw_option[]){
			{"records", 'r', GW_KIND_FLAG,
			 .help = "list all records first, one a line: offset in the file, layer, number, type, body length, and a summary of the body; for a legacy image its chunks and the parts of its tails, each with its total length"},
			{"json", 'j', GW_KIND_FLAG,
			 .help = "write one JSON object with everything, including the records"},
			GW_OPTION_LIKE,
			{"vcpu", 0, GW_KIND_NUMBER, "N",
			 "show the state of vCPU N: registers, local APIC, MSRs, XSAVE area",
			 .max = GW_SUMMARY_VCPUS_MAX - 1},
			{"params", 0, GW_KIND_FLAG, .help = "show the parameters of an HVM guest"},
			{"policy", 0, GW_KIND_FLAG,
			 .help = "show the CPU policy: CPUID leaf by leaf with the names of features, and MSRs"},
			{"memory", 0, GW_KIND_FLAG,
			 .help = "show the whole memory map: runs of pages by type, holes, how often pages were resent, pinned page tables"},
			{"pages", 0, GW_KIND_FLAG,
			 .help = "read the page contents, and count pages that are zero, one repeated word, or equal to another page"},
			{"page-tables", 0, GW_KIND_FLAG,
			 .help = "read the page tables of a PV guest, and show the tree below each root and the invalid entries"},
			{"platform", 0, GW_KIND_FLAG,
			 .help = "show the state outside vCPUs: interrupt controllers and timers of an HVM guest, shared info of a PV guest, the TSC, the sections of device model state"},
			{0},
		},
	.positionals =
		(const struct gw_positional[]){
			{"FILE", GW_KIND_FILE,
			 "the image; \"-\" is standard input; zstd, xz and gzip are decompressed"},
			{0},
		},
	.examples =
		(const struct gw_example[]){
			{"godwit inspect web1.save",
			 "Shows the contents of a file of \"xl save\"."},
			{"godwit inspect --json web1.save.zst | jq .memory.pages",
			 "Prints one value."},
			{"godwit inspect --vcpu 0 web1.save",
			 "Shows the registers of the first vCPU."},
			{0},
		},
	.bad = "The image has errors (godwit verify lists them), or its format is not supported",
	.connects = GW_CONNECTS_NOTHING,
	.json = "inspect-json.md",
	.run = run,
};
