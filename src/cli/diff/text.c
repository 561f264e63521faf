/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The text output of diff: a line for each difference and for each run of pages.
 */
#include "cli/diff/diff.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <godwit/policy.h>

#include "base/util.h"
#include "examine/summary/summary.h"

/* Runs of pages that are shown without --all. */
#define RUNS_SHOWN 24u
/* Longer values are cut. */
#define VALUE_SHOWN 160

static void images(void *opaque, const struct gw_comparison *found)
{
	const struct gw_diff_run *run = opaque;
	char title[256];

	gw_output_erase(&run->cli->out);
	fputs("A: ", stdout);
	gw_print_safe(stdout, run->file_a);
	printf(": %s\nB: ", gw_examination_title(&found->a, title, sizeof(title)));
	gw_print_safe(stdout, run->file_b);
	printf(": %s\n", gw_examination_title(&found->b, title, sizeof(title)));
}

/* What the difference is of, but for the field. */
static void part(const struct gw_difference *x)
{
	static const char *const names[GW_DIFF_NR_PARTS] = {
		[GW_DIFF_GUEST] = "guest",
		[GW_DIFF_CONFIG] = "config",
		[GW_DIFF_PV] = "PV guest",
		[GW_DIFF_P2M] = "P2M",
		[GW_DIFF_TSC] = "TSC",
		[GW_DIFF_SHARED_INFO] = "shared info",
		[GW_DIFF_XENABI] = "Xen-ABI state",
		[GW_DIFF_KVM] = "state in KVM",
		[GW_DIFF_XENSTORE] = "xenstore",
		[GW_DIFF_MACHINE] = "machine",
	};

	switch (x->part) {
	case GW_DIFF_CPUID:
		printf("CPUID 0x%" PRIx32, x->number);
		if (x->subleaf != GW_CPUID_NO_SUBLEAF)
			printf(".%" PRIu32, x->subleaf);
		break;
	case GW_DIFF_MSR_POLICY:
		fputs("MSR policy", stdout);
		if (!x->field)
			printf(" 0x%" PRIx32, x->number);
		break;
	case GW_DIFF_PARAM:
		fputs("HVM param", stdout);
		if (!x->field)
			printf(" %" PRIu32, x->number);
		break;
	case GW_DIFF_VCPU:
		printf("vCPU %" PRIu32 "%s%s", x->number, x->entry ? " " : "",
		       x->entry ? x->entry : "");
		break;
	case GW_DIFF_EMULATOR:
		fputs(x->entry ? "device model " : "device model", stdout);
		gw_print_safe(stdout, x->entry ? x->entry : "");
		break;
	case GW_DIFF_SECTION:
		fputs("section ", stdout);
		gw_print_safe(stdout, x->entry);
		printf(" %" PRIu32, x->number);
		break;
	case GW_DIFF_BLOCK:
		fputs("RAM block ", stdout);
		gw_print_safe(stdout, x->entry);
		break;
	case GW_DIFF_PLATFORM:
		if (x->entry)
			printf("%s %" PRIu32, x->entry, x->number);
		else
			fputs("HVM context", stdout);
		break;
	default:
		fputs(names[x->part], stdout);
		break;
	}
}

static void value(const char *text)
{
	char cut[VALUE_SHOWN + 4];
	size_t len = strlen(text), shown = GW_MIN(len, (size_t)VALUE_SHOWN);

	/* Not in the middle of a UTF-8 character. */
	while (shown > VALUE_SHOWN - 4 && shown < len && (text[shown] & 0xc0) == 0x80)
		shown--;
	snprintf(cut, sizeof(cut), "%.*s%s", (int)shown, text, shown < len ? "..." : "");
	gw_print_safe(stdout, len ? cut : "nothing");
}

/* "sse3 only in A, avx aes only in B" */
static void bits(const struct gw_difference *x)
{
	if (x->only_a[0])
		printf("%s only in A", x->only_a);
	if (x->only_b[0])
		printf("%s%s only in B", x->only_a[0] ? ", " : "", x->only_b);
}

static void values(const struct gw_difference *x)
{
	if (!x->a || !x->b) {
		const char *text = x->a ? x->a : x->b;

		printf("only in %s", x->a ? "A" : "B");
		if (text[0]) {
			fputs(": ", stdout);
			value(text);
		}
		return;
	}
	if (x->all_named) {
		bits(x);
		return;
	}
	if (x->bytes)
		printf("%" PRIu64 " byte%s, from 0x%" PRIx64 " on: ", x->differing,
		       x->differing == 1 ? " differs" : "s differ", x->offset);
	value(x->a);
	fputs(" in A, ", stdout);
	value(x->b);
	fputs(" in B", stdout);
	if (x->only_a[0] || x->only_b[0]) {
		fputs(" (", stdout);
		bits(x);
		putchar(')');
	}
}

static void difference(void *opaque, const struct gw_difference *x)
{
	const struct gw_diff_run *run = opaque;

	gw_output_erase(&run->cli->out);
	part(x);
	if (x->field) {
		putchar(' ');
		value(x->field);
	}
	fputs(": ", stdout);
	values(x);
	putchar('\n');
}

static void pages(void *opaque, const struct gw_page_difference *p)
{
	struct gw_diff_run *run = opaque;

	if (run->runs++ >= RUNS_SHOWN && !run->all)
		return;
	gw_output_erase(&run->cli->out);
	printf("pfn 0x%08" PRIx64, p->first);
	if (p->last > p->first)
		printf("-0x%08" PRIx64 " (%" PRIu64 ")", p->last, p->last - p->first + 1);
	fputs(": ", stdout);
	if (p->only_a || p->only_b)
		printf("only in %s", p->only_a ? "A" : "B");
	if (p->contents)
		fputs("contents", stdout);
	if (p->differing)
		printf(", %" PRIu32 " byte%s from 0x%" PRIx32 " on", p->differing,
		       p->differing == 1 ? "" : "s", p->offset);
	if (p->type)
		printf("%stype: %s in A, %s in B", p->contents ? "; " : "",
		       gw_diff_type_name(p->type_a), gw_diff_type_name(p->type_b));
	putchar('\n');
}

const struct gw_diff_sink gw_diff_text = {
	.images = images,
	.difference = difference,
	.pages = pages,
};

static void count(const char **sep, uint64_t n, const char *what)
{
	if (!n)
		return;
	printf("%s%" PRIu64 " %s", *sep, n, what);
	*sep = ", ";
}

void gw_diff_text_end(const struct gw_diff_run *run, const struct gw_comparison *found)
{
	const char *sep = ": ";

	if (run->runs > RUNS_SHOWN && !run->all)
		printf("and %" PRIu64 " more runs of pages (--all lists them)\n",
		       run->runs - RUNS_SHOWN);
	if (gw_diff_is_equal(found)) {
		printf("no difference: %" PRIu64 " pages and all state are equal\n",
		       found->pages_a);
		return;
	}
	printf("%" PRIu64 " difference%s in state; ", found->differences,
	       found->differences == 1 ? "" : "s");
	if (!found->pages) {
		printf("%" PRIu64 " pages are equal\n", found->pages_a);
		return;
	}
	printf("%" PRIu64 " of %" PRIu64 " pages differ", found->pages,
	       found->pages_a + found->only_b);
	count(&sep, found->contents, "in contents");
	count(&sep, found->types, "in type");
	count(&sep, found->only_a, "only in A");
	count(&sep, found->only_b, "only in B");
	putchar('\n');
}
