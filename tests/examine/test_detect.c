/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the detection of formats by their first bytes.
 */
#include "lib/gwtest.h"

#include "base/bytes.h"
#include "examine/detect.h"
#include "format/xl/file.h"

static void knows_magics(void **unused)
{
	uint8_t ones[8];

	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(gw_detect("", 0), GW_FILE_EMPTY);
	assert_int_equal(gw_detect("x", 1), GW_FILE_UNKNOWN);
	assert_int_equal(gw_detect(gw_xlfile_magic, GW_XLFILE_MAGIC_SIZE), GW_FILE_XL);
	assert_int_equal(gw_detect("LinuxGuestRecord\0\0\4\0", 20), GW_FILE_XEND);
	assert_int_equal(gw_detect("LinuxGue", 8), GW_FILE_XEND);
	assert_int_equal(gw_detect("LinuxGu", 7), GW_FILE_UNKNOWN);
	assert_int_equal(gw_detect("LinuxGuestRekord", 16), GW_FILE_UNKNOWN);
	assert_int_equal(gw_detect("LibxlFmt\0\0\0\2", 12), GW_FILE_STREAM);
	assert_int_equal(gw_detect(ones, 8), GW_FILE_IMAGE);
	assert_int_equal(gw_detect(ones, 7), GW_FILE_UNKNOWN);
	assert_int_equal(gw_detect("QEVM\0\0\0\3", 8), GW_FILE_QEMU);
	assert_int_equal(gw_detect("LibvirtQemudSave", 16), GW_FILE_LIBVIRT);
	assert_int_equal(gw_detect("LibvirtQemudPart", 16), GW_FILE_LIBVIRT_PART);
	assert_int_equal(gw_detect("LibvirtQemudPar", 15), GW_FILE_UNKNOWN);
	assert_int_equal(gw_detect("libvirt-xml\n \0 \r", 16), GW_FILE_LIBVIRT_XEN);
	assert_int_equal(gw_detect("\177ELF\2\1\1\0", 8), GW_FILE_ELF);
	assert_int_equal(gw_detect("some text that is no image at all", 33), GW_FILE_UNKNOWN);
}

/* p2m_size and the next word, as toolstacks of either width wrote them. */
static enum gw_file_format legacy(unsigned width, uint64_t p2m_size, uint64_t next)
{
	uint8_t raw[32] = {0};

	if (width == 8) {
		gw_put_le64(raw, p2m_size);
		gw_put_le64(raw + 8, next);
	} else {
		gw_put_le32(raw, (uint32_t)p2m_size);
		gw_put_le32(raw + 4, (uint32_t)next);
	}
	return gw_detect(raw, sizeof(raw));
}

static void knows_legacy_images(void **unused)
{
	for (unsigned width = 4; width <= 8; width += 4) {
		assert_int_equal(legacy(width, 0x1000, UINT64_MAX), GW_FILE_LEGACY);
		assert_int_equal(legacy(width, 0x100000, 1024), GW_FILE_LEGACY);
		assert_int_equal(legacy(width, 0x100000, (uint32_t)-7), GW_FILE_LEGACY);
		assert_int_equal(legacy(width, 0x10000000, 1024), GW_FILE_UNKNOWN);
		assert_int_equal(legacy(width, 0x100000, 1025), GW_FILE_UNKNOWN);
		assert_int_equal(legacy(width, 0x100000, (uint32_t)-22), GW_FILE_UNKNOWN);
		assert_int_equal(legacy(width, 0, 1), GW_FILE_UNKNOWN);
	}
}

static void names_all(void **unused)
{
	for (int f = GW_FILE_EMPTY; f <= GW_FILE_ELF; f++)
		assert_non_null(gw_file_format_name((enum gw_file_format)f));
	assert_true(gw_file_format_is_read(GW_FILE_XL));
	assert_true(gw_file_format_is_read(GW_FILE_XEND));
	assert_true(gw_file_format_is_read(GW_FILE_LEGACY));
	assert_true(gw_file_format_is_read(GW_FILE_QEMU));
	assert_true(gw_file_format_is_read(GW_FILE_LIBVIRT));
	assert_false(gw_file_format_is_read(GW_FILE_LIBVIRT_XEN));
	assert_false(gw_file_format_is_xen(GW_FILE_QEMU));
	assert_true(gw_file_format_is_xen(GW_FILE_LEGACY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_magics),
		cmocka_unit_test(knows_legacy_images),
		cmocka_unit_test(names_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
