/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Images that a release of Xen refuses or takes, each for one reason: verify, with the rehearsal of
 * --deep, says the same. What every release refuses, restore refuses as well.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "examine/examine.h"
#include "format/rules/rules.h"
#include "hypervisor/control.h"
#include "migrate/rehearse.h"
#include "stored.h"

/* rule: the error that verify reports, NULL: none. xen: as --for xen-4.xen, 0: any. */
static const struct {
	const char *file;
	unsigned xen;
	const char *rule;
} cases[] = {
	/* vCPUs of PV guests */
	{"xen-refuses/rip-noncanon.xz", 0, "vcpu-canonical"},
	{"xen-refuses/ldt-xen-range.xz", 0, "vcpu-ldt"},
	{"xen-refuses/user-no-cr1.xz", 0, "vcpu-user-root"},
	{"xen-refuses/ext-size-8.xz", 0, "vcpu-extended-short"},
	{"xen-refuses/xsave-no-x87.xz", 0, "vcpu-xsave-xcr0"},
	{"xen-refuses/xsave-xcr0-above-acc.xz", 0, "vcpu-xsave-xcr0"},
	{"xen-refuses/msrs-unknown.xz", 0, "vcpu-msr-index"},
	{"xen-refuses/dr7-above-32-bits.xz", 0, NULL},
	{"xen-refuses/dr7-above-32-bits.xz", 17, NULL},
	{"xen-refuses/dr7-above-32-bits.xz", 18, "vcpu-debug-registers"},
	{"xen-refuses/dr7-above-32-bits.xz", 22, "vcpu-debug-registers"},
	{"xen-refuses/gdt-tss-descriptor.xz", 0, "pv-gdt-descriptor"},
	{"xen417/tiny-pv.save.xz", 0, NULL},
	{"xen417/tiny-pv.save.xz", 22, NULL},
};

struct verdict {
	const char *expected; /* an id; NULL: no error */
	bool found;
	unsigned errors;
	char first[600];
	struct gw_rehearsal rehearsal;
};

static void on_finding(void *opaque, const struct gw_finding *finding)
{
	struct verdict *v = opaque;

	if (finding->level < GW_LEVEL_ERROR)
		return;
	if (!v->errors++)
		gw_finding_format(finding, v->first, sizeof(v->first));
	v->found |= v->expected && !strcmp(finding->rule->id, v->expected);
}

static void on_record(void *opaque, const struct gw_examine_record *record)
{
	struct verdict *v = opaque;

	gw_rehearsal_record(&v->rehearsal, record->layer, record->rec, record->pages);
}

/* As verify --deep: an image without errors is restored into memory. */
static void verify(const struct stored *s, unsigned xen, struct verdict *v)
{
	const struct gw_examine_sink sink = {
		.opaque = v, .xen = xen, .finding = on_finding, .record = on_record};
	const struct gw_findings findings = {.report = on_finding, .opaque = v, .xen = xen};
	struct gw_channel *in = stored_bytes(s->file.data, s->file.len);
	struct gw_examination examination;
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_examine(in, &sink, &examination, &err), &err);
	gw_channel_close(in);
	if (v->errors)
		return;
	const struct gw_rehearsal_args args = {
		.guest = s->type,
		.in = stored_bytes(s->file.data + s->at, s->file.len - s->at),
		.in_stream = s->libxl,
		.origin = s->at,
		.findings = &findings,
	};

	assert_ok(gw_rehearse(&v->rehearsal, &args, &err), &err);
	gw_channel_close(args.in);
}

static void verify_says_what_xen_does(void **state)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct stored s = stored_load(cases[i].file);
		struct verdict v = {.expected = cases[i].rule};

		verify(&s, cases[i].xen, &v);
		if (cases[i].rule ? !v.found : v.errors > 0)
			fail_msg("%s, Xen 4.%u: expected %s, found %u errors: %s", cases[i].file,
				 cases[i].xen, cases[i].rule ? cases[i].rule : "none", v.errors,
				 v.first);
		stored_free(&s);
	}
}

/* A restore judges as any Xen does. */
static void restore_refuses(void **state)
{
	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct stored s = stored_load(cases[i].file);
		struct gw_restore_args args = {0};
		struct gw_error err = GW_ERROR_INIT;
		struct gw_domain *d;
		int rc;

		if (cases[i].xen == 0) {
			rc = stored_restore(&s, s.file.len - s.at, &d, &args, NULL, &err);
			if (rc == 0 ? cases[i].rule != NULL : !cases[i].rule)
				fail_msg("%s: restore gave %d: %s", cases[i].file, rc, err.text);
			gw_control_destroy(d->control);
		}
		stored_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verify_says_what_xen_does),
		cmocka_unit_test(restore_refuses),
	};

	return cmocka_run_group_tests_name("xen refuses", tests, NULL, NULL);
}
