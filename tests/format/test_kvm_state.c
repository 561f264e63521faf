/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the codec of GODWIT_KVM's body: what is written is read back, and every field is checked.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "format/x86/kvm_state.h"

static const struct gw_kvm_state full = {
	.clock = 0x0123456789abcdefu,
	.mp_state = GW_KVM_HALTED,
	.shadow = 2,
	.nmi_pending = true,
	.nmi_masked = true,
	.nr_msrs = 2,
	.msrs = {{0x1a0, 1}, {0x4b564d01, 0x8000000000001001u}},
};

static void every_field_comes_back(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	static struct gw_kvm_state again;
	struct gw_buffer raw = {0};

	assert_ok(gw_kvm_state_append(&raw, &full, &err), &err);
	assert_int_equal(raw.len, 48 + 2 * 16);
	/* Written by hand, at the offsets of docs/format.md. */
	assert_int_equal(gw_get_le32(raw.data), 1);
	assert_int_equal(gw_get_le64(raw.data + 8), full.clock);
	assert_int_equal(gw_get_le32(raw.data + 20), 3);
	assert_int_equal(gw_get_le32(raw.data + 24), 2 | 4 | 8);
	assert_int_equal(gw_get_le32(raw.data + 48 + 16), 0x4b564d01);
	assert_ok(gw_kvm_state_decode(raw.data, raw.len, &again, &err), &err);
	assert_int_equal(again.clock, full.clock);
	assert_int_equal(again.mp_state, full.mp_state);
	assert_int_equal(again.shadow, full.shadow);
	assert_true(again.nmi_pending && again.nmi_masked);
	assert_int_equal(again.nr_msrs, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(again.msrs[i].index, full.msrs[i].index);
		assert_int_equal(again.msrs[i].value, full.msrs[i].value);
	}
	gw_buffer_free(&raw);
}

static void only_a_running_vcpu_is_plain(void **state)
{
	struct gw_kvm_state s = {.clock = 5};

	assert_true(gw_kvm_state_is_plain(&s));
	s.shadow = 1;
	assert_false(gw_kvm_state_is_plain(&s));
	s = (struct gw_kvm_state){.mp_state = GW_KVM_HALTED};
	assert_false(gw_kvm_state_is_plain(&s));
	s = (struct gw_kvm_state){.nmi_pending = true};
	assert_false(gw_kvm_state_is_plain(&s));
	s = (struct gw_kvm_state){.nmi_masked = true};
	assert_false(gw_kvm_state_is_plain(&s));
	s = (struct gw_kvm_state){.nr_msrs = 1};
	assert_false(gw_kvm_state_is_plain(&s));
}

static void every_field_is_checked(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
		int code;
		const char *words;
	} faults[] = {
		{0, 2, GW_UNSUPPORTED, "version 2, this godwit knows 1"},
		{4, 2, GW_UNSUPPORTED, "2 vCPUs"},
		{16, 1, GW_UNSUPPORTED, "records of one"},
		{20, 5, GW_INVALID, "unknown run state of a vCPU (0x5)"},
		{24, 16, GW_INVALID, "unknown events (0x10)"},
		{28, 3, GW_INVALID, "does not fit its number of MSRs (0x3)"},
		{28, 513, GW_INVALID, "does not fit its number of MSRs (0x201)"},
		{28, 0xffffffff, GW_INVALID, "does not fit its number of MSRs"},
		{32, 1, GW_INVALID, "a reserved field is not 0"},
		{44, 1, GW_INVALID, "a reserved field is not 0"},
		{52, 1, GW_INVALID, "a reserved field is not 0"},
		{64, 0x1a0, GW_INVALID, "an MSR is out of order (0x1a0)"},
		{64, 0x10, GW_INVALID, "an MSR is out of order (0x10)"},
	};
	struct gw_error err = GW_ERROR_INIT;
	static struct gw_kvm_state s;
	struct gw_buffer raw = {0};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		gw_buffer_reset(&raw);
		assert_ok(gw_kvm_state_append(&raw, &full, &err), &err);
		gw_put_le32(raw.data + faults[i].at, faults[i].value);
		assert_fails(gw_kvm_state_decode(raw.data, raw.len, &s, &err), &err, faults[i].code,
			     faults[i].words);
	}
	gw_buffer_reset(&raw);
	assert_ok(gw_kvm_state_append(&raw, &full, &err), &err);
	for (size_t len = 0; len < raw.len; len++) {
		assert_int_equal(gw_kvm_state_decode(raw.data, len, &s, &err), -1);
		gw_error_clear(&err);
	}
	gw_buffer_free(&raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_comes_back),
		cmocka_unit_test(only_a_running_vcpu_is_plain),
		cmocka_unit_test(every_field_is_checked),
	};

	return cmocka_run_group_tests_name("kvm_state", tests, NULL, NULL);
}
