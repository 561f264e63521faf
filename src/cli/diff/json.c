/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The JSON output of diff. docs/inspect-json.md specifies it: change both together, and raise the
 * version number there when a member is removed or changes its meaning.
 */
#include "cli/diff/diff.h"

#include <string.h>

#include <godwit/policy.h>

#include "examine/summary/summary.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *text_or_null(const char *text)
{
	return text ? gw_json_text(text, strlen(text)) : json_null();
}

/* The words of a list with spaces between. */
static json_t *words(const char *list)
{
	json_t *array = json_array();

	while (*list) {
		size_t len = strcspn(list, " ");

		json_array_append_new(array, gw_json_text(list, len));
		list += len + (list[len] == ' ');
	}
	return array;
}

static void go_to(struct gw_diff_run *run, int stage)
{
	static const char *const lists[] = {
		[GW_DIFF_DIFFERENCES] = "differences",
		[GW_DIFF_PAGES] = "page_runs",
	};

	while ((int)run->stage < stage) {
		if (run->stage != GW_DIFF_HEAD)
			gw_json_list_end(&run->writer);
		run->stage++;
		if (run->stage != GW_DIFF_TAIL)
			gw_json_list(&run->writer, lists[run->stage]);
	}
}

static json_t *image(const char *file, const struct gw_examination *e, uint64_t checkpoints)
{
	char title[256];

	return json_pack("{s:o, s:s, s:s, s:o}", "file", gw_json_text(file, strlen(file)), "format",
			 gw_file_format_name(e->format), "title",
			 gw_examination_title(e, title, sizeof(title)), "checkpoints",
			 number(checkpoints));
}

static void images(void *opaque, const struct gw_comparison *found)
{
	struct gw_diff_run *run = opaque;

	gw_output_erase(&run->cli->out);
	gw_json_member(&run->writer, "a", image(run->file_a, &found->a, found->checkpoints_a));
	gw_json_member(&run->writer, "b", image(run->file_b, &found->b, found->checkpoints_b));
	go_to(run, GW_DIFF_DIFFERENCES);
}

/* Which of the things of its part it is. */
static void identify(json_t *o, const struct gw_difference *x)
{
	switch (x->part) {
	case GW_DIFF_CPUID:
		json_object_set_new(o, "leaf", gw_json_hex(x->number));
		json_object_set_new(o, "subleaf",
				    x->subleaf == GW_CPUID_NO_SUBLEAF ? json_null()
								      : number(x->subleaf));
		break;
	case GW_DIFF_MSR_POLICY:
		json_object_set_new(o, "index", gw_json_hex(x->number));
		break;
	case GW_DIFF_PARAM:
		json_object_set_new(o, "index", number(x->number));
		break;
	case GW_DIFF_VCPU:
		json_object_set_new(o, "vcpu", number(x->number));
		break;
	case GW_DIFF_SECTION:
		json_object_set_new(o, "instance", number(x->number));
		break;
	case GW_DIFF_PLATFORM:
		if (x->entry)
			json_object_set_new(o, "instance", number(x->number));
		break;
	default:
		break;
	}
	if (x->entry)
		json_object_set_new(o, "entry", text_or_null(x->entry));
	if (x->field)
		json_object_set_new(o, "field", text_or_null(x->field));
}

static void difference(void *opaque, const struct gw_difference *x)
{
	struct gw_diff_run *run = opaque;
	json_t *o = json_pack("{s:s}", "part", gw_diff_part_name(x->part));

	identify(o, x);
	json_object_set_new(o, "a", text_or_null(x->a));
	json_object_set_new(o, "b", text_or_null(x->b));
	if (x->only_a[0] || x->only_b[0]) {
		json_object_set_new(o, "only_a", words(x->only_a));
		json_object_set_new(o, "only_b", words(x->only_b));
	}
	if (x->bytes) {
		json_object_set_new(o, "offset", number(x->offset));
		json_object_set_new(o, "differing", number(x->differing));
	}
	gw_output_erase(&run->cli->out);
	gw_json_element(&run->writer, o);
}

static void pages(void *opaque, const struct gw_page_difference *p)
{
	struct gw_diff_run *run = opaque;
	json_t *what = json_array();
	json_t *o = json_pack("{s:o, s:o, s:O}", "first", number(p->first), "last", number(p->last),
			      "what", what);

	if (p->contents)
		json_array_append_new(what, json_string("contents"));
	if (p->type)
		json_array_append_new(what, json_string("type"));
	if (p->only_a || p->only_b)
		json_array_append_new(what, json_string(p->only_a ? "only_a" : "only_b"));
	json_decref(what);
	if (p->type) {
		json_object_set_new(o, "type_a", json_string(gw_diff_type_name(p->type_a)));
		json_object_set_new(o, "type_b", json_string(gw_diff_type_name(p->type_b)));
	}
	if (p->differing) {
		json_object_set_new(o, "offset", number(p->offset));
		json_object_set_new(o, "differing", number(p->differing));
	}
	gw_output_erase(&run->cli->out);
	go_to(run, GW_DIFF_PAGES);
	gw_json_element(&run->writer, o);
}

const struct gw_diff_sink gw_diff_json = {
	.images = images,
	.difference = difference,
	.pages = pages,
};

void gw_diff_json_begin(struct gw_diff_run *run)
{
	gw_json_begin(&run->writer);
	gw_json_member(&run->writer, "godwit_diff", json_integer(1));
}

void gw_diff_json_end(struct gw_diff_run *run, const struct gw_comparison *found,
		      const char *failure)
{
	struct gw_json_writer *w = &run->writer;

	if (failure) {
		if (run->stage != GW_DIFF_HEAD)
			gw_json_list_end(w);
		gw_json_member(w, "failure", text_or_null(failure));
	} else {
		go_to(run, GW_DIFF_TAIL);
		gw_json_member(w, "pages",
			       json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "a",
					 number(found->pages_a), "b", number(found->pages_b),
					 "differ", number(found->pages), "contents",
					 number(found->contents), "type", number(found->types),
					 "only_a", number(found->only_a), "only_b",
					 number(found->only_b)));
		gw_json_member(w, "equal", json_boolean(gw_diff_is_equal(found)));
	}
	gw_json_end(w);
}
