/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the schema of a QEMU: what is parsed, and what it says of a stream's versions.
 */
#include "lib/gwtest.h"

#include "base/util.h"
#include "format/qemu/schema.h"

static const char schema_text[] =
	"{\"vmschkmachine\": {\"Name\": \"pc\"}, \"disk-device\": {\"Name\": \"disk-device\", "
	"\"version_id\": 4, \"minimum_version_id\": 2, \"Description\": {\"name\": \"disk\", "
	"\"version_id\": 4, \"minimum_version_id\": 2, \"Fields\": [{\"field\": \"regs\", "
	"\"version_id\": 3, \"field_exists\": true, \"size\": 12, \"Description\": {\"name\": "
	"\"reg\", \"version_id\": 1, \"minimum_version_id\": 1, \"Subsections\": [{\"name\": "
	"\"reg/extra\", \"version_id\": 1, \"minimum_version_id\": 1}]}}], \"Subsections\": "
	"[{\"name\": \"disk/retry\", \"version_id\": 2, \"minimum_version_id\": 2}]}}}";

struct seen {
	unsigned faults[GW_SAVEVM_NR_FAULTS];
	char last[800];
};

static void on_fault(void *opaque, enum gw_savevm_fault fault, uint64_t offset, const char *text)
{
	struct seen *seen = opaque;

	seen->faults[fault]++;
	snprintf(seen->last, sizeof(seen->last), "%s", text);
}

/* A stream with one section of this version, name and description. */
static struct seen judge(const char *name, uint32_t version, const char *device)
{
	static const uint8_t bytes[1];
	struct gw_savevm_section section = {
		.head = {.type = GW_SAVEVM_FULL, .version = version},
		.bytes = bytes,
		.found = GW_SAVEVM_BY_DESCRIPTION,
	};
	struct gw_savevm_stream stream = {.sections = &section, .nr_sections = 1};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_schema schema;
	struct seen seen = {0};
	char json[1000];
	const struct gw_savevm_faults faults = {.report = on_fault, .opaque = &seen};

	snprintf(section.head.name, sizeof(section.head.name), "%s", name);
	snprintf(json, sizeof(json), "{\"devices\": [%s]}", device ? device : "");
	assert_ok(gw_savevm_description_parse(&stream.description, json, strlen(json), &err), &err);
	if (device)
		section.layout = &stream.description.devices[0].layout;
	assert_ok(gw_schema_parse(&schema, schema_text, strlen(schema_text), &err), &err);
	gw_schema_judge(&schema, &stream, &faults);
	gw_schema_free(&schema);
	gw_savevm_description_free(&stream.description);
	return seen;
}

static void test_parsed(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_schema schema;
	const struct gw_schema_state *disk;

	assert_ok(gw_schema_parse(&schema, schema_text, strlen(schema_text), &err), &err);
	assert_string_equal(schema.machine, "pc");
	assert_int_equal(schema.nr_classes, 1);
	assert_string_equal(schema.classes[0].type, "disk-device");
	disk = gw_schema_find(&schema, "disk");
	assert_non_null(disk);
	assert_int_equal(disk->version, 4);
	assert_int_equal(disk->minimum, 2);
	assert_int_equal(disk->nr_fields, 1);
	assert_true(disk->fields[0].has_condition);
	assert_int_equal(disk->fields[0].version, 3);
	assert_string_equal(disk->fields[0].of->name, "reg");
	assert_null(gw_schema_find(&schema, "disk-device"));
	gw_schema_free(&schema);
	assert_fails(gw_schema_parse(&schema, "{}", 2, &err), &err, GW_INVALID, "no schema");
	assert_fails(gw_schema_parse(&schema, "{", 1, &err), &err, GW_INVALID, "no JSON");
}

static void test_versions(void **state)
{
	static const struct {
		uint32_t version;
		unsigned faults;
	} versions[] = {{1, 1}, {2, 0}, {4, 0}, {5, 1}};

	for (size_t i = 0; i < GW_ARRAY_SIZE(versions); i++) {
		struct seen seen = judge("0000:00:02.0/disk", versions[i].version, NULL);

		assert_int_equal(seen.faults[GW_SAVEVM_FAULT_SCHEMA_VERSION], versions[i].faults);
		assert_int_equal(seen.faults[GW_SAVEVM_FAULT_SCHEMA_DEVICE], 0);
	}
	assert_int_equal(judge("timer", 1, NULL).faults[GW_SAVEVM_FAULT_SCHEMA_DEVICE], 1);
}

static void test_subsections(void **state)
{
	struct seen seen;

	seen = judge("disk", 3,
		     "{\"name\": \"disk\", \"vmsd_name\": \"disk\", \"subsections\": "
		     "[{\"vmsd_name\": \"disk/retry\", \"version\": 2}]}");
	assert_int_equal(seen.faults[GW_SAVEVM_FAULT_SCHEMA_VERSION], 0);
	seen = judge("disk", 3,
		     "{\"name\": \"disk\", \"vmsd_name\": \"disk\", \"subsections\": "
		     "[{\"vmsd_name\": \"disk/retry\", \"version\": 1}]}");
	assert_int_equal(seen.faults[GW_SAVEVM_FAULT_SCHEMA_VERSION], 1);
	assert_non_null(
		strstr(seen.last, "subsection disk/retry has version 1, the schema loads 2 to 2"));
	seen = judge("disk", 3,
		     "{\"name\": \"disk\", \"vmsd_name\": \"disk\", \"subsections\": "
		     "[{\"vmsd_name\": \"disk/new\", \"version\": 1}]}");
	assert_int_equal(seen.faults[GW_SAVEVM_FAULT_SCHEMA_SUBSECTION], 1);
	/* In a struct of a field. */
	seen = judge(
		"disk", 3,
		"{\"name\": \"disk\", \"vmsd_name\": \"disk\", \"fields\": [{\"name\": \"regs\", "
		"\"struct\": {\"vmsd_name\": \"reg\", \"subsections\": [{\"vmsd_name\": "
		"\"reg/more\", \"version\": 1}]}}]}");
	assert_int_equal(seen.faults[GW_SAVEVM_FAULT_SCHEMA_SUBSECTION], 1);
	assert_non_null(strstr(seen.last, "does not know its subsection reg/more"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parsed),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_subsections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
