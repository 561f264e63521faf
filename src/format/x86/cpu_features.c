/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of CPU features: bits of CPUID from Intel's and AMD's manuals, with the names of Xen's
 * public/arch-x86/cpufeatureset.h.
 */
#include "format/x86/cpu_features.h"

#include <string.h>

#include "base/util.h"

#define NONE GW_CPUID_NO_SUBLEAF

const struct gw_cpu_feature_word gw_cpu_feature_words[] = {
	{1,
	 NONE,
	 GW_EDX,
	 1u << 9 | 1u << 28,
	 {[0] = "fpu",	 [1] = "vme",	 [2] = "de",	[3] = "pse",	  [4] = "tsc",
	  [5] = "msr",	 [6] = "pae",	 [7] = "mce",	[8] = "cx8",	  [9] = "apic",
	  [11] = "sep",	 [12] = "mtrr",	 [13] = "pge",	[14] = "mca",	  [15] = "cmov",
	  [16] = "pat",	 [17] = "pse36", [18] = "psn",	[19] = "clflush", [21] = "ds",
	  [22] = "acpi", [23] = "mmx",	 [24] = "fxsr", [25] = "sse",	  [26] = "sse2",
	  [27] = "ss",	 [28] = "htt",	 [29] = "tm1",	[30] = "ia64",	  [31] = "pbe"}},
	{1,
	 NONE,
	 GW_ECX,
	 1u << 27 | 1u << 31,
	 {[0] = "sse3",	   [1] = "pclmulqdq", [2] = "dtes64",	  [3] = "monitor",
	  [4] = "dscpl",   [5] = "vmx",	      [6] = "smx",	  [7] = "eist",
	  [8] = "tm2",	   [9] = "ssse3",     [10] = "cnxt_id",	  [11] = "sdbg",
	  [12] = "fma",	   [13] = "cx16",     [14] = "xtpr",	  [15] = "pdcm",
	  [17] = "pcid",   [18] = "dca",      [19] = "sse4_1",	  [20] = "sse4_2",
	  [21] = "x2apic", [22] = "movbe",    [23] = "popcnt",	  [24] = "tsc_deadline",
	  [25] = "aesni",  [26] = "xsave",    [27] = "osxsave",	  [28] = "avx",
	  [29] = "f16c",   [30] = "rdrand",   [31] = "hypervisor"}},
	{0x80000001,
	 NONE,
	 GW_EDX,
	 GW_CPU_FEATURES_COPIED,
	 {[11] = "syscall",
	  [20] = "nx",
	  [22] = "mmxext",
	  [25] = "ffxsr",
	  [26] = "page1gb",
	  [27] = "rdtscp",
	  [29] = "lm",
	  [30] = "3dnowext",
	  [31] = "3dnow"}},
	{0x80000001,
	 NONE,
	 GW_ECX,
	 1u << 1,
	 {[0] = "lahf_lm",	 [1] = "cmp_legacy",  [2] = "svm",	    [3] = "extapic",
	  [4] = "cr8_legacy",	 [5] = "abm",	      [6] = "sse4a",	    [7] = "misalignsse",
	  [8] = "3dnowprefetch", [9] = "osvw",	      [10] = "ibs",	    [11] = "xop",
	  [12] = "skinit",	 [13] = "wdt",	      [15] = "lwp",	    [16] = "fma4",
	  [17] = "tce",		 [19] = "nodeid_msr", [21] = "tbm",	    [22] = "topoext",
	  [23] = "perfctr_core", [24] = "perfctr_nb", [26] = "dbext",	    [27] = "perftsc",
	  [28] = "perfctr_llc",	 [29] = "monitorx",   [30] = "addr_msk_ext"}},
	{0xd,
	 1,
	 GW_EAX,
	 0,
	 {[0] = "xsaveopt", [1] = "xsavec", [2] = "xgetbv1", [3] = "xsaves", [4] = "xfd"}},
	{7,
	 0,
	 GW_EBX,
	 1u << 6 | 1u << 13,
	 {[0] = "fsgsbase",    [1] = "tsc_adjust",   [2] = "sgx",	    [3] = "bmi1",
	  [4] = "hle",	       [5] = "avx2",	     [6] = "fdp_excp_only", [7] = "smep",
	  [8] = "bmi2",	       [9] = "erms",	     [10] = "invpcid",	    [11] = "rtm",
	  [12] = "pqm",	       [13] = "no_fpu_sel",  [14] = "mpx",	    [15] = "pqe",
	  [16] = "avx512f",    [17] = "avx512dq",    [18] = "rdseed",	    [19] = "adx",
	  [20] = "smap",       [21] = "avx512_ifma", [23] = "clflushopt",   [24] = "clwb",
	  [25] = "proc_trace", [26] = "avx512pf",    [27] = "avx512er",	    [28] = "avx512cd",
	  [29] = "sha",	       [30] = "avx512bw",    [31] = "avx512vl"}},
	{7,
	 0,
	 GW_ECX,
	 1u << 4,
	 {[0] = "prefetchwt1",
	  [1] = "avx512_vbmi",
	  [2] = "umip",
	  [3] = "pku",
	  [4] = "ospke",
	  [5] = "waitpkg",
	  [6] = "avx512_vbmi2",
	  [7] = "cet_ss",
	  [8] = "gfni",
	  [9] = "vaes",
	  [10] = "vpclmulqdq",
	  [11] = "avx512_vnni",
	  [12] = "avx512_bitalg",
	  [13] = "tme",
	  [14] = "avx512_vpopcntdq",
	  [16] = "la57",
	  [22] = "rdpid",
	  [23] = "key_locker",
	  [24] = "bus_lock_detect",
	  [25] = "cldemote",
	  [27] = "movdiri",
	  [28] = "movdir64b",
	  [29] = "enqcmd",
	  [30] = "sgx_lc",
	  [31] = "pks"}},
	{7,
	 0,
	 GW_EDX,
	 1u << 10,
	 {[1] = "sgx_keys",
	  [2] = "avx512_4vnniw",
	  [3] = "avx512_4fmaps",
	  [4] = "fsrm",
	  [5] = "uintr",
	  [8] = "avx512_vp2intersect",
	  [9] = "srbds_ctrl",
	  [10] = "md_clear",
	  [11] = "rtm_always_abort",
	  [13] = "tsx_force_abort",
	  [14] = "serialize",
	  [15] = "hybrid",
	  [16] = "tsxldtrk",
	  [18] = "pconfig",
	  [19] = "arch_lbr",
	  [20] = "cet_ibt",
	  [22] = "amx_bf16",
	  [23] = "avx512_fp16",
	  [24] = "amx_tile",
	  [25] = "amx_int8",
	  [26] = "ibrsb",
	  [27] = "stibp",
	  [28] = "l1d_flush",
	  [29] = "arch_caps",
	  [30] = "core_caps",
	  [31] = "ssbd"}},
	{7,
	 1,
	 GW_EAX,
	 0,
	 {[0] = "sha512",	 [1] = "sm3",	      [2] = "sm4",	 [3] = "rao_int",
	  [4] = "avx_vnni",	 [5] = "avx512_bf16", [6] = "lass",	 [7] = "cmpccxadd",
	  [8] = "arch_perf_mon", [10] = "fzrm",	      [11] = "fsrs",	 [12] = "fsrcs",
	  [17] = "fred",	 [18] = "lkgs",	      [19] = "wrmsrns",	 [20] = "nmi_src",
	  [21] = "amx_fp16",	 [22] = "hreset",     [23] = "avx_ifma", [26] = "lam",
	  [27] = "msrlist",	 [30] = "no_invd",    [31] = "movrs"}},
	{7, 1, GW_EBX, 0, {[0] = "intel_ppin"}},
	{7, 1, GW_ECX, 0, {[5] = "msr_imm"}},
	{7,
	 1,
	 GW_EDX,
	 0,
	 {[4] = "avx_vnni_int8",
	  [5] = "avx_ne_convert",
	  [8] = "amx_complex",
	  [10] = "avx_vnni_int16",
	  [14] = "prefetchi",
	  [15] = "user_msr",
	  [17] = "uiret_uif",
	  [18] = "cet_sss",
	  [19] = "avx10",
	  [21] = "apx_f",
	  [24] = "slsm"}},
	{7,
	 2,
	 GW_EDX,
	 0,
	 {[0] = "intel_psfd",
	  [1] = "ipred_ctrl",
	  [2] = "rrsba_ctrl",
	  [3] = "ddp_ctrl",
	  [4] = "bhi_ctrl",
	  [5] = "mcdt_no",
	  [6] = "uc_lock_dis"}},
	{0x80000007,
	 NONE,
	 GW_EDX,
	 0,
	 {[7] = "hw_pstate", [8] = "itsc", [9] = "cpb", [10] = "efro"}},
	{0x80000008,
	 NONE,
	 GW_EBX,
	 1u << 20,
	 {[0] = "clzero",     [1] = "irperf",	       [2] = "rstr_fp_err_ptrs",
	  [4] = "rdpru",      [8] = "mcommit",	       [9] = "wbnoinvd",
	  [12] = "ibpb",      [13] = "int_wbinvd",     [14] = "ibrs",
	  [15] = "amd_stibp", [16] = "ibrs_always",    [17] = "stibp_always",
	  [18] = "ibrs_fast", [19] = "ibrs_same_mode", [20] = "no_lmsl",
	  [23] = "amd_ppin",  [24] = "amd_ssbd",       [25] = "virt_ssbd",
	  [26] = "ssb_no",    [27] = "cppc",	       [28] = "psfd",
	  [29] = "btc_no",    [30] = "ibpb_ret"}},
	{0x80000021,
	 NONE,
	 GW_EAX,
	 1u << 1 | 1u << 5,
	 {[0] = "no_nest_bp",  [1] = "fs_gs_ns",      [2] = "lfence_dispatch",
	  [5] = "verw_clear",  [6] = "nscb",	      [7] = "upper_address_ignore",
	  [8] = "auto_ibrs",   [9] = "no_smm_ctl",    [10] = "amd_fsrs",
	  [11] = "amd_fsrc",   [13] = "prefetch_ctl", [17] = "cpuid_user_dis",
	  [18] = "epsf",       [19] = "fsrsc",	      [20] = "amd_prefetchi",
	  [23] = "avx512_bmm", [27] = "sbpb",	      [28] = "ibpb_brtype",
	  [29] = "srso_no",    [30] = "srso_us_no",   [31] = "srso_msr_fix"}},
	{0x80000021, NONE, GW_ECX, 0, {[1] = "tsa_sq_no", [2] = "tsa_l1_no"}},
	{0xd,
	 0,
	 GW_EAX,
	 0,
	 {[0] = "xstate_fpu",
	  [1] = "xstate_sse",
	  [2] = "xstate_ymm",
	  [3] = "xstate_bndregs",
	  [4] = "xstate_bndcsr",
	  [5] = "xstate_opmask",
	  [6] = "xstate_zmm",
	  [7] = "xstate_hi_zmm",
	  [9] = "xstate_pkru",
	  [17] = "xstate_tilecfg",
	  [18] = "xstate_tiledata"}},
};

const size_t gw_cpu_nr_feature_words = GW_ARRAY_SIZE(gw_cpu_feature_words);

/* MSR_ARCH_CAPABILITIES, 0x10a. */
const char *const gw_arch_caps_names[64] = {[0] = "rdcl_no",
					    [1] = "eibrs",
					    [2] = "rsba",
					    [3] = "skip_l1dfl",
					    [4] = "intel_ssb_no",
					    [5] = "mds_no",
					    [6] = "if_pschange_mc_no",
					    [7] = "tsx_ctrl",
					    [8] = "taa_no",
					    [9] = "mcu_ctrl",
					    [10] = "misc_pkg_ctrl",
					    [11] = "energy_filtering",
					    [12] = "doitm",
					    [13] = "sbdr_ssdp_no",
					    [14] = "fbsdp_no",
					    [15] = "psdp_no",
					    [16] = "mcu_ext",
					    [17] = "fb_clear",
					    [18] = "fb_clear_ctrl",
					    [19] = "rrsba",
					    [20] = "bhi_no",
					    [21] = "xapic_status",
					    [23] = "ovrclk_status",
					    [24] = "pbrsb_no",
					    [25] = "gds_ctrl",
					    [26] = "gds_no",
					    [27] = "rfds_no",
					    [28] = "rfds_clear",
					    [29] = "ign_umonitor",
					    [30] = "mon_umon_mitg",
					    [32] = "pb_opt_ctrl",
					    [62] = "its_no"};

/* Other names of some features, used by Linux and QEMU. */
static const struct {
	const char *alias, *name;
} aliases[] = {
	{"pni", "sse3"},
	{"aes", "aesni"},
	{"pdpe1gb", "page1gb"},
	{"cmpxchg8b", "cx8"},
	{"cmpxchg16b", "cx16"},
	{"fxsr_opt", "ffxsr"},
	{"sha_ni", "sha"},
	{"lzcnt", "abm"},
	{"invtsc", "itsc"},
	{"nonstop_tsc", "itsc"},
	{"clfsh", "clflush"},
	{"pclmul", "pclmulqdq"},
	{"est", "eist"},
	{"ds_cpl", "dscpl"},
	{"xd", "nx"},
	{"tsc_deadline_timer", "tsc_deadline"},
	{"arch_capabilities", "arch_caps"},
	{"core_capability", "core_caps"},
	{"spec_ctrl", "ibrsb"},
	{"flush_l1d", "l1d_flush"},
	{"rdrnd", "rdrand"},
	{"ht", "htt"},
	{"tsc_dl", "tsc_deadline"},
	{"avx512vbmi", "avx512_vbmi"},
	{"ddpd_u", "ddp_ctrl"},
	{"bld", "bus_lock_detect"},
};

/* One letter of a name in a comparison, which ignores separators. */
static char letter(const char **s)
{
	while (**s == '.' || **s == '-' || **s == '_')
		++*s;
	if (!**s)
		return 0;

	char c = *(*s)++;

	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_name(const char *a, const char *b)
{
	char c;

	do {
		c = letter(&a);
		if (c != letter(&b))
			return false;
	} while (c);
	return true;
}

bool gw_cpu_feature_get(size_t i, struct gw_cpu_feature *feature)
{
	for (size_t w = 0; w < gw_cpu_nr_feature_words; w++) {
		const struct gw_cpu_feature_word *word = &gw_cpu_feature_words[w];

		for (unsigned bit = 0; bit < 32; bit++) {
			if (!word->names[bit] || i-- > 0)
				continue;
			*feature = (struct gw_cpu_feature){word->names[bit], word->leaf,
							   word->subleaf, word->reg, bit};
			return true;
		}
	}
	return false;
}

bool gw_cpu_feature_find(const char *name, struct gw_cpu_feature *feature)
{
	for (size_t i = 0; gw_cpu_feature_get(i, feature); i++)
		if (same_name(name, feature->name))
			return true;
	for (size_t i = 0; i < GW_ARRAY_SIZE(aliases); i++)
		if (same_name(name, aliases[i].alias))
			return gw_cpu_feature_find(aliases[i].name, feature);
	return false;
}

const char *gw_cpu_feature_name(uint32_t leaf, uint32_t subleaf, enum gw_cpuid_reg reg,
				unsigned bit)
{
	for (size_t w = 0; w < gw_cpu_nr_feature_words && bit < 32; w++) {
		const struct gw_cpu_feature_word *word = &gw_cpu_feature_words[w];

		if (word->leaf == leaf && word->reg == reg &&
		    gw_cpuid_same_subleaf(word->subleaf, subleaf))
			return word->names[bit];
	}
	return NULL;
}
