/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests HVM save records: the walk over valid and invalid blobs, and the contexts of guests that
 * Xen 4.17 saved.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "format/x86/hvm_context.h"
#include "lib/realdata.h"

static struct gw_hvm_header some_header(void)
{
	return (struct gw_hvm_header){GW_HVM_HEADER_MAGIC, GW_HVM_HEADER_VERSION, UINT64_MAX,
				      0x60fb1, 2594110};
}

static void append(struct gw_buffer *buf, uint16_t code, uint16_t instance, const void *data,
		   uint32_t len)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_hvm_entry_append(buf, code, instance, data, len, &err), &err);
}

static struct gw_buffer some_context(void)
{
	struct gw_hvm_header header = some_header();
	struct gw_buffer buf = {0};
	uint8_t raw[GW_HVM_HEADER_SIZE];

	gw_hvm_header_encode(raw, &header);
	append(&buf, GW_HVM_HEADER, 0, raw, sizeof(raw));
	append(&buf, GW_HVM_TSC_ADJUST, 1, "\1\2\3\4\5\6\7\x08", 8);
	append(&buf, GW_HVM_END, 0, NULL, 0);
	return buf;
}

static int walk(const struct gw_buffer *buf, size_t *entries, struct gw_error *err)
{
	struct gw_hvm_entry entry;
	struct gw_hvm_walk w;
	int rc;

	gw_hvm_walk_init(&w, buf->data, buf->len);
	*entries = 0;
	while ((rc = gw_hvm_walk_next(&w, &entry, err)) > 0)
		++*entries;
	return rc;
}

static void builds_and_walks(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer buf = some_context();
	struct gw_hvm_header header, wanted = some_header();
	struct gw_hvm_entry entry;
	size_t n;

	assert_memory_equal(buf.data,
			    "\1\0\0\0\x18\0\0\0\x86\x12\x38\x54\1\0\0\0"
			    "\xff\xff\xff\xff\xff\xff\xff\xff\xb1\x0f\6\0\x3e\x95\x27\0"
			    "\x13\0\1\0\x08\0\0\0\1\2\3\4\5\6\7\x08"
			    "\0\0\0\0\0\0\0\0",
			    56);
	assert_int_equal(buf.len, 56);
	assert_ok(walk(&buf, &n, &err), &err);
	assert_int_equal(n, 3);
	assert_int_equal(gw_hvm_find(buf.data, buf.len, GW_HVM_HEADER, 0, &entry, &err), 1);
	assert_ok(gw_hvm_header_decode(&entry, &header, &err), &err);
	assert_memory_equal(&header, &wanted, sizeof(header));
	assert_int_equal(gw_hvm_find(buf.data, buf.len, GW_HVM_TSC_ADJUST, 1, &entry, &err), 1);
	assert_int_equal(entry.offset, 32);
	assert_int_equal(entry.length, 8);
	assert_int_equal(gw_hvm_find(buf.data, buf.len, GW_HVM_TSC_ADJUST, 0, &entry, &err), 0);

	buf.data[8] ^= 1;
	assert_int_equal(gw_hvm_find(buf.data, buf.len, GW_HVM_HEADER, 0, &entry, &err), 1);
	assert_fails(gw_hvm_header_decode(&entry, &header, &err), &err, GW_INVALID, "0x54381287");
	entry.length = 16;
	assert_fails(gw_hvm_header_decode(&entry, &header, &err), &err, GW_INVALID,
		     "16 bytes, expected 24");
	gw_buffer_free(&buf);
}

static void refuses_what_xen_refuses(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer buf = some_context();
	size_t n;

	buf.len -= 1;
	assert_fails(walk(&buf, &n, &err), &err, GW_INVALID, "7 bytes left at 0x30");
	buf.len = 47;
	assert_fails(walk(&buf, &n, &err), &err, GW_INVALID, "8 bytes, 7 are left");
	buf.len = 0;
	assert_fails(walk(&buf, &n, &err), &err, GW_INVALID, "without END");
	gw_buffer_free(&buf);

	buf = some_context();
	gw_put_le16(buf.data, GW_HVM_CPU);
	assert_fails(walk(&buf, &n, &err), &err, GW_INVALID, "expected HEADER (1)");
	gw_put_le16(buf.data, GW_HVM_HEADER);
	gw_put_le32(buf.data + 36, UINT32_MAX);
	assert_fails(walk(&buf, &n, &err), &err, GW_INVALID, "4294967295 bytes, 16 are left");
	gw_buffer_free(&buf);
}

/* Like Xen, the walk stops at END: its length and what follows it make no difference. */
static void stops_at_end(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer buf = some_context();
	size_t n;

	append(&buf, GW_HVM_END, 0, NULL, 0);
	assert_ok(walk(&buf, &n, &err), &err);
	assert_int_equal(n, 3);
	gw_put_le16(buf.data + 32, GW_HVM_END);
	gw_put_le32(buf.data + 36, UINT32_MAX);
	assert_ok(walk(&buf, &n, &err), &err);
	assert_int_equal(n, 2);
	gw_buffer_free(&buf);
}

/* The context of a saved guest, taken apart and put together again, has the same bytes. */
static void rebuilds(const char *name, struct gw_hvm_cpu *cpu)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer file = realdata_load(realdata_path(name)), again = {0};
	struct gw_record rec = realdata_record(&file, realdata_image(&file), GW_REC_HVM_CONTEXT);
	uint8_t raw[GW_HVM_CPU_SIZE], header_raw[GW_HVM_HEADER_SIZE];
	struct gw_hvm_header header;
	struct gw_hvm_entry entry;
	struct gw_hvm_walk w;
	size_t cpus = 0;
	int rc;

	gw_hvm_walk_init(&w, rec.data, rec.length);
	while ((rc = gw_hvm_walk_next(&w, &entry, &err)) > 0) {
		const void *data = entry.data;

		assert_non_null(gw_hvm_code_name(entry.typecode));
		if (entry.typecode == GW_HVM_HEADER) {
			assert_ok(gw_hvm_header_decode(&entry, &header, &err), &err);
			gw_hvm_header_encode(header_raw, &header);
			data = header_raw;
		} else if (entry.typecode == GW_HVM_CPU) {
			assert_ok(gw_hvm_cpu_decode(&entry, cpu, &err), &err);
			gw_hvm_cpu_encode(raw, cpu);
			data = raw;
			cpus++;
		}
		append(&again, entry.typecode, entry.instance, data, entry.length);
	}
	assert_ok(rc, &err);
	assert_int_equal(cpus, 1);
	assert_int_equal(again.len, rec.length);
	assert_memory_equal(again.data, rec.data, rec.length);
	gw_buffer_free(&again);
	gw_buffer_free(&file);
}

static void contexts_of_real_guests(void **state)
{
	struct gw_hvm_cpu cpu;

	rebuilds("xen417/tiny-hvm.save.xz", &cpu);
	rebuilds("xen417/tiny-pvh.save.xz", &cpu);
	/* This guest was in flat 32-bit protected mode without paging, and in its suspend
	 * hypercall. */
	assert_int_equal(cpu.rip, 0x1103a8);
	assert_int_equal(cpu.gpr[GW_HVM_RAX], 0);
	assert_int_equal(cpu.cr0 & 0x80000001, 1);
	assert_int_equal(cpu.efer, 0);
	assert_int_equal(cpu.seg[GW_HVM_CS].ar, 0xc9b);
	assert_int_equal(cpu.seg[GW_HVM_CS].limit, UINT32_MAX);
	assert_int_equal(cpu.seg[GW_HVM_SS].ar, 0xc93);
	assert_int_equal(cpu.seg[GW_HVM_TR].limit, 0x67);
	assert_int_equal(cpu.seg[GW_HVM_TR].ar, 0x8b);
	assert_int_equal(cpu.seg[GW_HVM_LDTR].ar, 0);
}

/* Every byte of the record has its place in the struct: none is lost, none is used twice. */
static void no_byte_of_a_cpu_is_lost(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t raw[GW_HVM_CPU_SIZE], back[GW_HVM_CPU_SIZE];
	struct gw_hvm_entry entry = {.typecode = GW_HVM_CPU, .length = sizeof(raw), .data = raw};
	struct gw_hvm_cpu cpu;

	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i * 7 + i / 256 + 1);
	assert_ok(gw_hvm_cpu_decode(&entry, &cpu, &err), &err);
	gw_hvm_cpu_encode(back, &cpu);
	assert_memory_equal(back, raw, sizeof(raw));
	assert_true(cpu.gpr[GW_HVM_R15] == gw_get_le64(raw + 632));
	assert_true(cpu.rip == gw_get_le64(raw + 640));
	assert_true(cpu.seg[GW_HVM_LDTR].selector == gw_get_le32(raw + 764));
	assert_true(cpu.gdtr.limit == gw_get_le32(raw + 804));
	assert_true(cpu.gdtr.base == gw_get_le64(raw + 880));
	assert_true(cpu.tsc == gw_get_le64(raw + 1008));
}

static void older_cpus(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	uint8_t raw[1024] = {0};
	struct gw_hvm_entry entry = {.typecode = GW_HVM_CPU, .length = 1024, .data = raw};
	struct gw_hvm_cpu cpu;

	gw_put_le64(raw + 992, 0x500);
	gw_put_le64(raw + 1000, 77);
	gw_put_le64(raw + 1008, 0x1234);
	gw_put_le32(raw + 1016, 0x80000b0e);
	assert_ok(gw_hvm_cpu_decode(&entry, &cpu, &err), &err);
	assert_int_equal(cpu.efer, 0x500);
	assert_int_equal(cpu.tsc_aux, 77);
	assert_int_equal(cpu.tsc, 0x1234);
	assert_int_equal(cpu.pending_event, 0x80000b0e);
	assert_int_equal(cpu.flags, GW_HVM_CPU_FPU_VALID);

	entry.length = 1016; /* the same bytes at other offsets: tsc now holds tsc_aux, and so on */
	assert_ok(gw_hvm_cpu_decode(&entry, &cpu, &err), &err);
	assert_int_equal(cpu.efer, 0x500);
	assert_int_equal(cpu.tsc_aux, 0);
	assert_int_equal(cpu.tsc, 77);
	assert_int_equal(cpu.pending_event, 0x1234);
	assert_int_equal(cpu.flags, GW_HVM_CPU_FPU_VALID);
	/* Any other length: zeros follow. */
	entry.length = 1004;
	assert_ok(gw_hvm_cpu_decode(&entry, &cpu, &err), &err);
	assert_int_equal(cpu.tsc_aux, 77);
	assert_int_equal(cpu.tsc, 0);
	assert_int_equal(cpu.flags, GW_HVM_CPU_FPU_VALID);
	entry.length = 1033;
	assert_fails(gw_hvm_cpu_decode(&entry, &cpu, &err), &err, GW_INVALID,
		     "1033 bytes, expected at most 1032");
}

static void names(void **state)
{
	assert_string_equal(gw_hvm_code_name(0), "END");
	assert_string_equal(gw_hvm_code_name(20), "CPU_MSR");
	assert_null(gw_hvm_code_name(21));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builds_and_walks),
		cmocka_unit_test(refuses_what_xen_refuses),
		cmocka_unit_test(stops_at_end),
		cmocka_unit_test(contexts_of_real_guests),
		cmocka_unit_test(no_byte_of_a_cpu_is_lost),
		cmocka_unit_test(older_cpus),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests_name("hvm_context", tests, NULL, NULL);
}
