/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tests the header of xend and the S-expression in it. The configs here follow xend's own writer
 * (to_sxp() of XendConfig.py, show() of sxp.py, Xen 4.4): none was recorded.
 */
#include "lib/gwtest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "base/util.h"
#include "format/rules/rules.h"
#include "format/xend/sxp.h"
#include "format/xend/xend.h"
#include "lib/random.h"

static const char hvm_config[] =
	"(domain (domid 7) (cpu_weight 256) (cpu_cap 0) (pool_name Pool-0) (bootloader '') "
	"(vcpus 2) (cpus (('0 1 2 3') ('0 1 2 3'))) (on_poweroff destroy) (description '') "
	"(on_crash restart) (uuid 0e2d4a44-5c1c-9d5b-27f3-6fbc6ec4d14f) (bootloader_args '') "
	"(name web1) (on_reboot restart) (maxmem 768) (memory 512) (shadow_memory 9) "
	"(features '') (on_xend_start ignore) (on_xend_stop ignore) (start_time "
	"1288188436.68) (cpu_time 23.474) (online_vcpus 2) (image (hvm (kernel '') "
	"(superpages 0) (videoram 4) (hpet 0) (stdvga 0) (loader /usr/lib/xen/boot/hvmloader) "
	"(serial pty) (vncpasswd 'it\\'s (not) \"open\"') (boot cda) (rtc_timeoffset -3600) "
	"(pci ()) (pae 1) (acpi 1) (apic 1) (device_model /usr/lib/xen/bin/qemu-dm) "
	"(notes (SUSPEND_CANCEL 1)))) (status 2) (state r-----) (store_mfn 131068) "
	"(device (vif (bridge xenbr0) (mac 00:16:3e:11:22:33) (type ioemu))) "
	"(device (vbd (uname phy:/dev/vg/web1) (dev hda:disk) (mode w) (backend 0))) "
	"(device (vbd (uname file:/iso/a.iso) (dev hdc:cdrom) (mode r) (backend 0))) "
	"(device (vfb (vncunused 1) (type vnc))) (device (console (protocol vt100) "
	"(location 2))))";

static const char pv_config[] =
	"(domain (domid 3) (uuid 5d6c0a2e-1f7c-4a5a-8d15-1b7f6a9d4c10) (vcpus '1') (name mail-2) (maxmem 256) (memory 128) (image (linux (kernel /boot/vmlinuz-2.6.32-5-xen-amd64) (ramdisk /boot/initrd) (args 'root=/dev/xvda1 ro '))) (device (tap2 (uname tap:aio:/srv/mail.img) (dev xvda) (mode w))))";

/* The header. */

static void append_header(struct gw_buffer *file, int32_t config_len)
{
	uint8_t raw[4];

	gw_put_be32(raw, (uint32_t)config_len);
	assert_int_equal(gw_buffer_append(file, "LinuxGuestRecord", 16, NULL), 0);
	assert_int_equal(gw_buffer_append(file, raw, sizeof(raw), NULL), 0);
}

/* Feeds bytes to xend; returns how many it took, or -1. *enough: it wants no more. */
static ssize_t feed(struct gw_xend *xend, const uint8_t *data, size_t len, bool *enough,
		    struct gw_error *err)
{
	size_t at = 0, n;
	void *to;

	for (*enough = false;; at += n) {
		if (gw_xend_want(xend, &to, &n, err) < 0)
			return -1;
		*enough = n == 0;
		if (*enough || n > len - at)
			return (ssize_t)at;
		memcpy(to, data + at, n);
		if (gw_xend_got(xend, err) < 0)
			return -1;
	}
}

static void header_by_hand(void **state)
{
	static const char bytes[] = "LinuxGuestRecord\0\0\0\x0b(domain ())behind";
	struct gw_error err = GW_ERROR_INIT;
	struct gw_xend xend = {0};
	char other[sizeof(bytes)];
	bool enough;

	assert_true(gw_xend_is_magic(bytes, 8));
	assert_true(gw_xend_is_magic(bytes, sizeof(bytes)));
	assert_false(gw_xend_is_magic(bytes, 7));
	assert_false(gw_xend_is_magic("LinuxGuestRecorb", 16));
	assert_int_equal(feed(&xend, (const uint8_t *)bytes, sizeof(bytes) - 1, &enough, &err), 31);
	assert_true(enough);
	assert_int_equal(xend.config_len, 11);
	assert_int_equal(xend.config.len, 11);
	assert_memory_equal(xend.config.data, "(domain ())", 11);
	gw_xend_free(&xend);

	memcpy(other, bytes, sizeof(bytes));
	other[15] = 'D';
	assert_int_equal(feed(&xend, (const uint8_t *)other, sizeof(bytes), &enough, &err), -1);
	assert_int_equal(err.code, GW_INVALID);
	assert_non_null(strstr(err.text, "\"LinuxGuestRecord\""));
	gw_xend_free(&xend);
}

/* A claimed length uses no memory: memory grows with the input, and no byte beyond the header is
 * wanted. */
static void lengths(void **state)
{
	static const struct {
		int32_t len;
		size_t taken;
		bool enough;
	} cases[] = {
		{0, 20, true},
		{-1, 20, true},
		{INT32_MIN, 20, true},
		{INT32_MAX, 20, true},
		{(int32_t)GW_XEND_CONFIG_MAX + 1, 20, true},
		{(int32_t)GW_XEND_CONFIG_MAX, 20, false},
		{100, 20, false},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_buffer file = {0};
		struct gw_xend xend = {0};
		bool enough;

		append_header(&file, cases[i].len);
		assert_int_equal(feed(&xend, file.data, file.len, &enough, &err), cases[i].taken);
		assert_int_equal(enough, cases[i].enough);
		assert_int_equal(xend.config_len, cases[i].len);
		assert_true(xend.config.cap <= 2 * 65536);
		gw_xend_free(&xend);
		gw_buffer_free(&file);
	}
}

static void longest_config(void **state)
{
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer file = {0};
	struct gw_xend xend = {0};
	bool enough;

	append_header(&file, (int32_t)GW_XEND_CONFIG_MAX);
	for (uint32_t i = 0; i < GW_XEND_CONFIG_MAX; i++)
		gw_buffer_append(&file, &(char){(char)('a' + i % 23)}, 1, NULL);
	assert_int_equal(feed(&xend, file.data, file.len, &enough, &err), file.len);
	assert_true(enough);
	assert_int_equal(xend.config.len, GW_XEND_CONFIG_MAX);
	assert_memory_equal(xend.config.data, file.data + 20, GW_XEND_CONFIG_MAX);
	gw_xend_free(&xend);
	gw_buffer_free(&file);
}

/* S-expressions. */

/* The tokens one after another: "(", ")", and atoms as <text>. Returns -1 where gw_sxp_next()
 * does. */
static int tokens_of(const char *text, size_t len, struct gw_buffer *out, struct gw_error *err)
{
	enum gw_sxp_token token;
	struct gw_sxp s;

	for (gw_sxp_init(&s, text, len);;) {
		char atom[4096];
		size_t n;

		if (gw_sxp_next(&s, &token, err) < 0)
			return -1;
		assert_true(s.start <= s.until && s.until <= len && s.pos <= len);
		assert_true(s.depth <= GW_SXP_DEPTH_MAX);
		switch (token) {
		case GW_SXP_END:
			assert_int_equal(s.pos, len);
			return gw_buffer_append(out, NULL, 1, NULL);
		case GW_SXP_OPEN:
			gw_buffer_append(out, "(", 1, NULL);
			break;
		case GW_SXP_CLOSE:
			gw_buffer_append(out, ")", 1, NULL);
			break;
		default:
			n = gw_sxp_atom(&s, atom, sizeof(atom));
			assert_true(n <= s.until - s.start);
			gw_buffer_append(out, "<", 1, NULL);
			gw_buffer_append(out, atom, GW_MIN(n, sizeof(atom) - 1), NULL);
			gw_buffer_append(out, ">", 1, NULL);
		}
	}
}

static void tokens(void **state)
{
	static const struct {
		const char *text, *tokens; /* with "!" before it, part of the error */
	} cases[] = {
		{"", ""},
		{" \t\n\v\f\r", ""},
		{"(a b)", "(<a><b>)"},
		{"(a(b)c)", "(<a>(<b>)<c>)"},
		{"()()", "()()"},
		{"a", "<a>"},
		{"(a # ( not a list\n b)", "(<a><b>)"},
		{"(a#b\n)", "(<a>)"},
		{"('a b' \"c'd\" e'f)", "(<a b><c'd><e'f>)"},
		{"(a'b c')", "(<a'b><c'>)"},
		{"(a;b {} [1])", "(<a><;b><{><}><[1><]>)"},
		{"('\\a\\b\\t\\n\\v\\f\\r\\\\\\'\\\"')", "(<\a\b\t\n\v\f\r\\'\">)"},
		{"('\\x41\\x4a4\\x4' '\\1019\\60\\6')", "(<AJ4\x04><A90\x06>)"},
		{"('\\xe4\\377')", "(<\xe4\xff>)"},
		{"('\\q\\xg\\')')", "(<\\q\\xg')>)"},
		{"(a\\x41 \xc3\xa4)", "!no atom begins with byte 0xc3 (at byte 7)"},
		{"(a\xc3\xa4)", "(<a\xc3\xa4>)"},
		{"(a", "!the text ends inside a list at depth 1"},
		{"((a)", "!the text ends inside a list at depth 1"},
		{"(a))", "!byte 3 closes a list, but no list is open"},
		{"('a", "!the quoted text at byte 1 is not terminated"},
		{"(a 'b\\')", "!the quoted text at byte 3 is not terminated"},
		{"'a\\", "!the quoted text at byte 0 is not terminated"},
		{"(\177)", "!no atom begins with byte 0x7f (at byte 1)"},
		{"(a # b)", "!the text ends inside a list at depth 1"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_buffer out = {0};
		int rc = tokens_of(cases[i].text, strlen(cases[i].text), &out, &err);

		if (*cases[i].tokens == '!')
			assert_fails(rc, &err, GW_INVALID, cases[i].tokens + 1);
		else if (rc < 0)
			fail_msg("%s: %s", cases[i].text, err.text);
		else
			assert_string_equal((char *)out.data, cases[i].tokens);
		gw_buffer_free(&out);
	}
}

static void atoms_into_little_room(void **state)
{
	enum gw_sxp_token token;
	struct gw_sxp s;
	char room[4] = "xxx";

	gw_sxp_init(&s, "'a\\x00b\\n' #", 12);
	assert_int_equal(gw_sxp_next(&s, &token, NULL), 0);
	assert_int_equal(token, GW_SXP_ATOM);
	assert_int_equal(gw_sxp_atom(&s, room, 1), 4);
	assert_int_equal(room[0], 0);
	assert_int_equal(gw_sxp_atom(&s, room, sizeof(room)), 4);
	assert_memory_equal(room, "a\0b", 4);
	assert_int_equal(gw_sxp_next(&s, &token, NULL), 0);
	assert_int_equal(token, GW_SXP_END);
}

static void deep_lists(void **state)
{
	static char deep[2 * 1000000];
	struct gw_error err = GW_ERROR_INIT;
	struct gw_buffer out = {0};
	size_t most = GW_SXP_DEPTH_MAX;

	memset(deep, '(', sizeof(deep) / 2);
	memset(deep + sizeof(deep) / 2, ')', sizeof(deep) / 2);
	assert_ok(tokens_of(deep + sizeof(deep) / 2 - most, 2 * most, &out, &err), &err);
	assert_int_equal(tokens_of(deep, sizeof(deep), &out, &err), -1);
	assert_non_null(strstr(err.text, "nested more than 64 deep at byte 64"));
	gw_buffer_reset(&out);
	assert_int_equal(gw_sxp_lay_out(deep, sizeof(deep), &out, NULL), -1);
	gw_buffer_free(&out);
}

static void laid_out(void **state)
{
	static const struct {
		const char *text, *out;
	} cases[] = {
		{"", ""},
		{"a b", "a b\n"},
		{"(domain (name 'a b') (x) # why\n (image (hvm (pae 1))))",
		 "(domain\n    (name 'a b')\n    (x)\n    (image\n        (hvm\n            (pae 1))))\n"},
		{"(a (b) c (d))(e)", "(a\n    (b)\n    c\n    (d))\n(e)\n"},
		{"((((((((((a))))))))))",
		 "(\n    (\n        (\n            (\n                (\n                    (\n"
		 "                        (\n                            (\n"
		 "                                (\n                                (a))))))))))\n"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_buffer out = {0};

		assert_ok(gw_sxp_lay_out(cases[i].text, strlen(cases[i].text), &out, &err), &err);
		assert_int_equal(gw_buffer_append(&out, NULL, 1, NULL), 0);
		assert_string_equal((char *)out.data, cases[i].out);
		gw_buffer_free(&out);
	}
}

/* Configs. */

static void read_ok(struct gw_xend_config *c, const char *text)
{
	struct gw_error err = GW_ERROR_INIT;

	assert_ok(gw_xend_config_read(text, strlen(text), c, &err), &err);
}

static void configs_of_xend(void **state)
{
	struct gw_xend_config c;

	read_ok(&c, hvm_config);
	assert_string_equal(c.name, "web1");
	assert_string_equal(c.uuid, "0e2d4a44-5c1c-9d5b-27f3-6fbc6ec4d14f");
	assert_string_equal(c.kernel, "");
	assert_int_equal(c.memory, 512);
	assert_int_equal(c.maxmem, 768);
	assert_int_equal(c.vcpus, 2);
	assert_int_equal(c.videoram, 4);
	assert_int_equal(c.guest, GW_GUEST_X86_HVM);
	assert_int_equal(c.nr_devices, 4);
	assert_string_equal(c.devices[0].kind, "vif");
	assert_int_equal(c.devices[0].count, 1);
	assert_string_equal(c.devices[1].kind, "vbd");
	assert_int_equal(c.devices[1].count, 2);
	assert_string_equal(c.devices[3].kind, "console");

	read_ok(&c, pv_config);
	assert_string_equal(c.name, "mail-2");
	assert_string_equal(c.kernel, "/boot/vmlinuz-2.6.32-5-xen-amd64");
	assert_int_equal(c.vcpus, 1);
	assert_int_equal(c.videoram, 0);
	assert_int_equal(c.guest, GW_GUEST_X86_PV);
	assert_int_equal(c.nr_devices, 1);
	assert_string_equal(c.devices[0].kind, "tap2");
}

/* Values that are missing, repeated, in another place, or written differently from xend. */
static void other_configs(void **state)
{
	char text[GW_XEND_TEXT_MAX + 64];
	struct gw_xend_config c;

	read_ok(&c, "(domain)");
	assert_string_equal(c.name, "");
	assert_int_equal(c.guest, GW_GUEST_NONE);
	assert_int_equal(c.nr_devices, 0);

	read_ok(&c,
		"(domain (name a) (name b) (memory 1) (memory 2) (image (hvm)) (image (linux)) (vcpus 3 4) (other (name c) (uuid d)) name e (uuid))");
	assert_string_equal(c.name, "a");
	assert_string_equal(c.uuid, "");
	assert_int_equal(c.memory, 1);
	assert_int_equal(c.vcpus, 3);
	assert_int_equal(c.guest, GW_GUEST_X86_HVM);

	/* In another place. */
	read_ok(&c,
		"(domain (image hvm (hvm)) (device) (device vbd) (device ((vbd))) (device x (vbd)) (image (linux (notes (kernel a)) (b (kernel c)) (() kernel d))) ((name) x) (x (kernel y (kernel z))))");
	assert_int_equal(c.guest, GW_GUEST_X86_PV);
	assert_int_equal(c.nr_devices, 0);
	assert_string_equal(c.kernel, "");
	assert_string_equal(c.name, "");

	read_ok(&c, "(domain (memory 12x) (maxmem -1) (vcpus +2) (name 'a\\x00b') (uuid ''))");
	assert_int_equal(c.memory | c.maxmem | c.vcpus, 0);
	assert_string_equal(c.name, "");
	read_ok(&c, "(domain (memory 99999999999999999999999999) (maxmem 99999999999999999999))");
	assert_int_equal(c.memory, 0);
	assert_true(c.maxmem == UINT64_MAX);

	snprintf(text, sizeof(text), "(domain (name %0*d))", (int)GW_XEND_TEXT_MAX - 1, 0);
	read_ok(&c, text);
	assert_int_equal(strlen(c.name), GW_XEND_TEXT_MAX - 1);
	snprintf(text, sizeof(text), "(domain (name %0*d))", (int)GW_XEND_TEXT_MAX, 0);
	read_ok(&c, text);
	assert_string_equal(c.name, "");
}

static void many_kinds(void **state)
{
	struct gw_xend_config c;
	struct gw_buffer text = {0};

	gw_buffer_printf(&text, NULL, "(domain");
	for (int i = 0; i < 100; i++)
		gw_buffer_printf(&text, NULL, " (device (kind%d (a b)))", i % 50);
	gw_buffer_printf(&text, NULL, " (device (longer-than-16-bytes)) (device (kind0)))");
	gw_buffer_append(&text, NULL, 1, NULL);
	read_ok(&c, (const char *)text.data);
	assert_int_equal(c.nr_devices, GW_XEND_KINDS_MAX);
	assert_string_equal(c.devices[15].kind, "kind15");
	assert_int_equal(c.devices[0].count, 3);
	assert_int_equal(c.devices[15].count, 2);
	gw_buffer_free(&text);
}

static void no_configs(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "it is empty"},
		{"# nothing", "it is empty"},
		{"()", "it is empty"},
		{"domain", "it does not begin with a list"},
		{"(vm (name a))", "its list does not begin with \"domain\""},
		{"((domain) (name a))", "its list does not begin with \"domain\""},
		{"(domain) x", "the text after the config does not begin with a list"},
		{"(domain)(domain)", "more than one list, the next at byte 8"},
		{"(domain", "the text ends inside a list"},
		{"{\"c_info\": {}}", "it does not begin with a list"},
		{"name = 'a'", "it does not begin with a list"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(cases); i++) {
		struct gw_error err = GW_ERROR_INIT;
		struct gw_xend_config c;

		assert_fails(gw_xend_config_read(cases[i].text, strlen(cases[i].text), &c, &err),
			     &err, GW_INVALID, cases[i].why);
		assert_string_equal(c.name, "");
	}
}

/* Hostile ones. */

/* The formatted text has the same tokens, and formatting it again changes nothing. */
static void check_layout(const char *text, size_t len)
{
	struct gw_buffer tokens = {0}, out = {0}, again = {0}, tokens_again = {0};
	struct gw_error err = GW_ERROR_INIT;
	struct gw_xend_config c, same;
	int rc = tokens_of(text, len, &tokens, &err);

	assert_int_equal(gw_sxp_lay_out(text, len, &out, NULL), rc);
	assert_true(out.len <= 17 * len + 64);
	if (rc == 0) {
		const char *laid_out = (const char *)out.data;

		assert_int_equal(tokens_of(laid_out, out.len, &tokens_again, NULL), 0);
		assert_int_equal(tokens.len, tokens_again.len);
		assert_memory_equal(tokens.data, tokens_again.data, tokens.len);
		assert_int_equal(gw_sxp_lay_out(laid_out, out.len, &again, NULL), 0);
		assert_int_equal(out.len, again.len);
		if (out.len)
			assert_memory_equal(out.data, again.data, out.len);
		rc = gw_xend_config_read(text, len, &c, NULL);
		assert_int_equal(gw_xend_config_read(laid_out, out.len, &same, NULL), rc);
		assert_memory_equal(&c, &same, sizeof(c));
	} else {
		assert_int_equal(gw_xend_config_read(text, len, &c, NULL), -1);
	}
	gw_buffer_free(&tokens);
	gw_buffer_free(&out);
	gw_buffer_free(&again);
	gw_buffer_free(&tokens_again);
}

/* In a block of exactly that size: a sanitizer sees any access beyond it. Returns 1 for a
 * config. */
static int check(const char *text, size_t len)
{
	struct gw_error err = GW_ERROR_INIT;
	char *exact = malloc(len ? len : 1);
	struct gw_xend_config c;
	int rc;

	assert_non_null(exact);
	memcpy(exact, text, len);
	rc = gw_xend_config_read(exact, len, &c, &err);
	assert_true((rc < 0) == (err.code == GW_INVALID));
	check_layout(exact, len);
	free(exact);
	return rc == 0;
}

static void cut_everywhere(void **state)
{
	static const char *const configs[] = {hvm_config, pv_config};

	for (size_t i = 0; i < GW_ARRAY_SIZE(configs); i++) {
		size_t len = strlen(configs[i]);

		for (size_t cut = 0; cut < len; cut++)
			assert_false(check(configs[i], cut));
		assert_true(check(configs[i], len));
	}
}

static void damage(char *text, size_t *len)
{
	static const char telling[] = "()()()'\"\\#; \n\\x\0\377";
	size_t at = random_below(*len), n = random_below(20);

	switch (random_below(4)) {
	case 0:
		text[at] = (char)random_below(256);
		break;
	case 1:
		text[at] = telling[random_below(sizeof(telling) - 1)];
		break;
	case 2:
		n = GW_MIN(n, *len - at);
		memmove(text + at, text + at + n, *len - at - n);
		*len -= n;
		break;
	default:
		n = GW_MIN(n, *len - at);
		memmove(text + at + n, text + at, *len - at);
		memmove(text + at, text + random_below(*len), n);
		*len += n;
	}
}

static void mutants(void **state)
{
	const char *env = getenv("GODWIT_MUTANTS");
	unsigned long n = env ? strtoul(env, NULL, 0) : 4000, good = 0;

	for (unsigned long i = 0; i < n; i++) {
		const char *parent = i % 2 ? hvm_config : pv_config;
		size_t len = strlen(parent), times = 1 + random_below(4);
		char text[sizeof(hvm_config) + 100] = {0};

		memcpy(text, parent, len);
		while (times-- && len > 20)
			damage(text, &len);
		good += (unsigned long)check(text, len);
	}
	print_message("%lu of %lu mutants are configs\n", good, n);
	assert_true(n < 100 || (good > n / 10 && good < n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_by_hand),
		cmocka_unit_test(lengths),
		cmocka_unit_test(longest_config),
		cmocka_unit_test(tokens),
		cmocka_unit_test(atoms_into_little_room),
		cmocka_unit_test(deep_lists),
		cmocka_unit_test(laid_out),
		cmocka_unit_test(configs_of_xend),
		cmocka_unit_test(other_configs),
		cmocka_unit_test(many_kinds),
		cmocka_unit_test(no_configs),
		cmocka_unit_test(cut_everywhere),
		cmocka_unit_test(mutants),
	};

	return cmocka_run_group_tests_name("xend", tests, NULL, NULL);
}
