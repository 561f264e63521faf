/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * godwit verify: checks an image against every rule of every layer.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "channel/copy.h"
#include "cli/args.h"
#include "cli/input.h"
#include "cli/json.h"
#include "cli/like.h"
#include "cli/verb.h"
#include "convert/convert.h"
#include "examine/describe.h"
#include "examine/examine.h"
#include "examine/summary/summary.h"
#include "migrate/rehearse.h"

struct verify {
	struct gw_cli *cli;
	const char *file;
	bool json, strict, want_deep;
	const struct gw_savevm_description *like;
	struct gw_schema schema;	    /* empty: none is given */
	unsigned xen;			    /* judged as Xen 4.xen; 0: any */
	struct gw_examination *examination; /* where findings of the rehearsal are counted */
	struct gw_rehearsal rehearsal;
	bool has_layer;
	uint64_t layer; /* where the stream, or the image if it is bare, begins */
	bool spooled;	/* the input can be read only once: spool keeps what was read */
	struct gw_spool spool;
	struct gw_json_writer writer;
};

static void finding_text(const struct gw_finding *finding)
{
	char text[600];

	printf("%s: ", gw_level_name(finding->level));
	gw_print_safe(stdout, gw_finding_format(finding, text, sizeof(text)));
	printf(" [%s]\n", finding->rule->id);
}

static void finding_json(struct verify *v, const struct gw_finding *finding)
{
	json_t *value = json_pack("{s:s, s:s, s:s, s:I}", "level", gw_level_name(finding->level),
				  "layer", gw_layer_name(finding->rule->layer), "rule",
				  finding->rule->id, "offset", (json_int_t)finding->offset);
	/* The ids of a legacy image's chunks are signed. */
	json_int_t type = finding->rule->layer == GW_LAYER_LEGACY
				  ? (int32_t)finding->record_type
				  : (json_int_t)finding->record_type;
	char title[40], releases[40];

	if (!value)
		return;
	if (finding->has_record) {
		json_object_set_new(value, "record",
				    json_integer((json_int_t)finding->record_number));
		json_object_set_new(value, "type", json_integer(type));
		json_object_set_new(
			value, "name",
			json_string(gw_record_title(finding->rule->layer, finding->record_type,
						    title, sizeof(title))));
	}
	json_object_set_new(value, "text", gw_json_text(finding->text, strlen(finding->text)));
	json_object_set_new(value, "demand", json_string(finding->rule->text));
	json_object_set_new(value, "source", json_string(finding->rule->source));
	if (*gw_rule_releases(finding->rule, releases, sizeof(releases)))
		json_object_set_new(value, "releases", json_string(releases));
	gw_json_element(&v->writer, value);
}

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	struct verify *v = opaque;

	gw_output_erase(&v->cli->out);
	if (v->json)
		finding_json(v, finding);
	else
		finding_text(finding);
}

static void on_deep_finding(void *opaque, const struct gw_finding *finding)
{
	struct verify *v = opaque;

	if (finding->level == GW_LEVEL_ERROR)
		v->examination->errors++;
	else if (finding->level == GW_LEVEL_WARNING)
		v->examination->warnings++;
	else
		v->examination->notes++;
	on_finding(v, finding);
}

static void note_layer(struct verify *v, uint64_t offset)
{
	if (!v->has_layer)
		v->layer = offset;
	v->has_layer = true;
}

static void on_stream(void *opaque, uint64_t offset, const struct gw_stream_header *header)
{
	note_layer(opaque, offset);
}

static void on_image(void *opaque, uint64_t offset, const struct gw_image_header *header)
{
	note_layer(opaque, offset);
}

static void on_record(void *opaque, const struct gw_examine_record *record)
{
	struct verify *v = opaque;

	gw_rehearsal_record(&v->rehearsal, record->layer, record->rec, record->pages);
}

static void on_progress(void *opaque, const struct gw_progress *progress)
{
	struct verify *v = opaque;

	/* With --deep it is restored next. */
	if (progress->stage != GW_STAGE_DONE || !v->want_deep)
		gw_output_progress(&v->cli->out, progress);
}

static const char *counted(uint64_t n, const char *what, char *buf, size_t size)
{
	snprintf(buf, size, "%" PRIu64 " %s%s", n, what, n == 1 ? "" : "s");
	return buf;
}

static void result_text(const struct verify *v, const struct gw_examination *e, bool ok)
{
	char title[256], errors[40], warnings[40];

	gw_print_safe(stdout, v->file);
	fputs(": ", stdout);
	counted(e->errors, "error", errors, sizeof(errors));
	counted(e->warnings, "warning", warnings, sizeof(warnings));
	if (ok)
		printf("ok: %s%s%s\n", gw_examination_title(e, title, sizeof(title)),
		       e->warnings ? ", " : "", e->warnings ? warnings : "");
	else
		printf("%s, %s\n", errors, warnings);
}

static void result_json(struct verify *v, const struct gw_examination *e, bool ok,
			const struct gw_error *failure)
{
	char title[256];

	gw_json_list_end(&v->writer);
	gw_json_member(&v->writer, "ok", json_boolean(ok));
	gw_json_member(&v->writer, "errors", json_integer((json_int_t)e->errors));
	gw_json_member(&v->writer, "warnings", json_integer((json_int_t)e->warnings));
	gw_json_member(&v->writer, "notes", json_integer((json_int_t)e->notes));
	gw_json_member(&v->writer, "title",
		       json_string(gw_examination_title(e, title, sizeof(title))));
	gw_json_member(&v->writer, "records", json_integer((json_int_t)e->image_records));
	gw_json_member(&v->writer, "pages", json_integer((json_int_t)e->pages));
	gw_json_member(&v->writer, "bytes", json_integer((json_int_t)e->bytes));
	if (failure->code)
		gw_json_member(&v->writer, "failure",
			       gw_json_text(failure->text, strlen(failure->text)));
	gw_json_end(&v->writer);
}

/* The input of the first reading: with --deep it has to be there once more. */
static struct gw_channel *open_input(struct verify *v, struct gw_error *err)
{
	struct gw_channel *in = gw_cli_open(v->cli, v->file, err);
	struct stat st;

	if (!in || !v->want_deep)
		return in;
	v->spooled = !strcmp(v->file, "-") || stat(v->file, &st) < 0 || !S_ISREG(st.st_mode);
	return v->spooled ? gw_channel_copy(in, &v->spool, err) : in;
}

/* The same bytes again, from the first one of the stream or of the bare image on. */
static struct gw_channel *reopen_input(struct verify *v, struct gw_error *err)
{
	struct gw_channel *in =
		v->spooled ? gw_spool_read(&v->spool, err) : gw_cli_open(v->cli, v->file, err);

	if (!in)
		return NULL;
	gw_channel_set_cancel(in, v->cli->cancel);
	if (v->layer == 0 || gw_channel_skip(in, v->layer, err) > 0)
		return in;
	gw_fail(err, GW_TRUNCATED, "%s: the file became shorter during the check", v->file);
	gw_channel_close(in);
	return NULL;
}

/* A legacy image as the one of version 3 that it becomes. Owns in from then on, also on failure. */
static struct gw_channel *converted(struct gw_channel *in, struct gw_error *err)
{
	const struct gw_convert_args args = {
		.in = in,
		.to = GW_CONVERT_LIBXC,
		.from = GW_CONVERT_LEGACY,
		.cancel = in->cancel,
	};
	struct gw_channel *ch = gw_convert_channel(&args, NULL, err);

	if (!ch)
		gw_channel_close(in);
	return ch;
}

static void on_rehearsal_progress(void *opaque, const struct gw_progress *progress)
{
	gw_output_progress(&((struct gw_cli *)opaque)->out, progress);
}

/* Restores the image into memory. */
static int rehearse(struct verify *v, struct gw_examination *examination, struct gw_error *err)
{
	const struct gw_findings findings = {.report = on_deep_finding, .opaque = v, .xen = v->xen};
	const struct gw_observer observer = {.owner = v->cli, .progress = on_rehearsal_progress};
	struct gw_rehearsal_args args = {
		.guest = (enum gw_guest_type)examination->image.type,
		.in = reopen_input(v, err),
		.in_stream = examination->has_stream,
		.origin = v->layer,
		.converted = examination->has_legacy,
		.observer = &observer,
		.cancel = v->cli->cancel,
		.findings = &findings,
	};
	int rc;

	v->examination = examination;
	if (args.in && args.converted)
		args.in = converted(args.in, err);
	if (!args.in)
		return -1;
	rc = gw_rehearse(&v->rehearsal, &args, err);
	gw_channel_close(args.in);
	return rc;
}

static int verify(struct verify *v, struct gw_channel *in)
{
	const struct gw_examine_sink sink = {
		.opaque = v,
		.with_config = true,
		.xen = v->xen,
		.stream = on_stream,
		.image = on_image,
		.record = v->want_deep ? on_record : NULL,
		.finding = on_finding,
		.progress = on_progress,
		.like = v->like,
		.schema = v->schema.machine ? &v->schema : NULL,
	};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_examination examination;
	bool ok;
	int rc;

	if (v->json) {
		gw_json_begin(&v->writer);
		gw_json_member(&v->writer, "godwit_verify", json_integer(1));
		gw_json_member(&v->writer, "file", gw_json_text(v->file, strlen(v->file)));
		gw_json_member(&v->writer, "deep", json_boolean(v->want_deep));
		gw_json_list(&v->writer, "findings");
	}
	rc = gw_examine(in, &sink, &examination, &err);
	/* An image with errors is not restored. */
	if (rc == 0 && v->want_deep && !examination.errors)
		rc = examination.has_savevm
			     ? gw_fail(&err, GW_UNSUPPORTED,
				       "%s is a stream of QEMU: --deep restores images of Xen",
				       v->file)
			     : rehearse(v, &examination, &err);
	gw_output_erase(&v->cli->out);
	ok = rc == 0 && !examination.errors && !(v->strict && examination.warnings);
	if (v->json)
		result_json(v, &examination, ok, &err);
	else if (rc == 0)
		result_text(v, &examination, ok);
	if (rc < 0)
		return gw_cli_fail(v->cli, &err);
	return ok ? GW_EXIT_OK : GW_EXIT_BAD;
}

static int run(struct gw_cli *cli, const struct gw_args *args)
{
	const char *release = gw_args_text(args, "for");
	int xen = gw_xen_release(release ? release : "any");
	struct verify v = {
		.cli = cli,
		.file = gw_args_positional(args, 0),
		.json = gw_args_flag(args, "json"),
		.strict = gw_args_flag(args, "strict"),
		.want_deep = gw_args_flag(args, "deep"),
		.xen = (unsigned)xen,
	};
	struct gw_savevm_stream like = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_channel *in;
	int status;

	if (xen < 0)
		return gw_cli_error(cli, GW_EXIT_USAGE,
				    "--for takes xen-4.%u to xen-4.%u or any, not \"%s\"",
				    GW_XEN_FIRST, GW_XEN_LAST, release);
	v.like = gw_cli_like(cli, args, &like, &err);
	if (!err.code)
		gw_cli_schema(cli, args, &v.schema, &err);
	in = err.code ? NULL : open_input(&v, &err);
	status = in ? verify(&v, in) : gw_cli_fail(cli, &err);
	gw_channel_close(in);
	gw_spool_close(&v.spool);
	gw_savevm_stream_free(&like);
	gw_schema_free(&v.schema);
	return status;
}

const struct gw_verb gw_verb_verify = {
	.name = "verify",
	.group = GW_GROUP_IMAGES,
	.summary = "check a stored image against every rule of its format",
	.description =
		"Checks the image in FILE (an xl save file, a libxl stream, a libxc image of version 2 "
		"or 3, or a stream of QEMU) against every rule of every layer. It lists all problems, each with its level, "
		"layer, record, offset in the file, and the rule's name in brackets. A legacy image (Xen "
		"4.5 or older; bare or in a file of xl or xend) is checked against the rules of its own "
		"format and, after conversion, against those of version 3. Of compressed Remus rounds "
		"only the framing is checked. The config in a file of xl is judged as libxl would, and the "
		"image by what the config gives the domain: its type, vCPUs, memory and device model.\n\n"
		"A restore refuses an image with an error. A warning breaks the specification, but "
		"released versions of Xen wrote it and read it back. A note is information.\n\n"
		"Releases of Xen differ. Without --for an error is what every Xen from 4.14 to 4.22 refuses; "
		"of what only some of them refuse there is a warning that names them. With --for what "
		"that release refuses is an error, and what only others refuse a note.\n\n"
		"The last line says \"FILE: ok: ...\" with the layers found, or counts the errors and "
		"warnings. Page contents have no checksum in this format and cannot be verified; they are "
		"skipped, and not even read from a regular file.\n\n"
		"In a stream of QEMU, alone or in a file of \"virsh save\", an error is what QEMU refuses to load, as far as the stream alone can "
		"tell: QEMU has no checks of what its devices' fields hold. It never reads the description at "
		"the end, so what contradicts that is a warning. --schema adds the versions that the QEMU of a "
		"-dump-vmstate file loads; that file does not list every device.\n\n"
		"With --deep an image without errors is also restored, into a domain in memory that never "
		"runs. This finds what the records alone do not show: invalid page tables, vCPU roots "
		"that are no page tables, P2M frames, rings and parameters without a page. The restore "
		"leaves a bad page or record out and goes on, so that one run reports every bad page and "
		"record; of what is only checked at the end, such as vCPU roots and pinned page tables, "
		"it reports the first error. It needs as much memory as "
		"the domain has, and a pipe is copied to an unlinked file in $TMPDIR, /var/tmp or /tmp.",
	.options =
		(const struct gw_option[]){
			{"deep", 0, GW_KIND_FLAG,
			 .help = "also restore the image into memory, and report what only that finds"},
			{"for", 0, GW_KIND_TEXT, "RELEASE",
			 "judge as this Xen would: xen-4.14 to xen-4.22; any, the default, stands for all"},
			{"json", 'j', GW_KIND_FLAG,
			 .help = "write one JSON object instead of text"},
			GW_OPTION_LIKE,
			GW_OPTION_SCHEMA,
			{"strict", 0, GW_KIND_FLAG, .help = "treat warnings as errors"},
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
			{"godwit verify web1.save", "Checks a file that \"xl save\" wrote."},
			{"godwit verify --deep web1.save",
			 "Also checks page tables and vCPU roots, by a restore into memory."},
			{"godwit verify --for xen-4.17 web1.save",
			 "Checks whether Xen 4.17 takes it."},
			{"ssh host cat /srv/web1.save | godwit verify -",
			 "Checks an image on another host."},
			{0},
		},
	.bad = "The image breaks a rule of level error; with --strict, also of level warning",
	.connects = GW_CONNECTS_NOTHING,
	.json = "inspect-json.md",
	.run = run,
};
