/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The Xen backend against a real Xen: run in the domain that controls it, beside guests that xl
 * started. Prints "ok WHAT" or "FAILED WHAT" a line; the exit status is 1 if any failed.
 *
 *   xen_probe calls DOMID   every call on a running guest that does no harm to it
 *   xen_probe new           a new HVM and a new PV domain, made and destroyed here
 *   xen_probe copy DOMID    a live save of an HVM or PVH guest, restored into a new domain,
 * compared page by page. The guest ends suspended.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bitmap.h"
#include "base/clock.h"
#include "base/util.h"
#include "format/libxc/image.h"
#include "hypervisor/domain.h"
#include "hypervisor/host.h"
#include "hypervisor/xen/domain.h"
#include "hypervisor/xen/xen.h"
#include "migrate/restore.h"
#include "migrate/save.h"

static unsigned failures;
static struct gw_error err;
static struct gw_host *host;

static xc_interface *xch(void)
{
	return ((struct gw_xen_host *)host)->xch;
}

static bool GW_PRINTF(2, 3) report(bool good, const char *fmt, ...)
{
	va_list ap;

	printf(good ? "ok " : "FAILED ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	if (err.code != GW_OK)
		printf(" [%s: %s]", gw_code_name(err.code), err.text);
	printf("\n");
	fflush(stdout);
	failures += !good;
	gw_error_clear(&err);
	return good;
}

/* What is reported may be what the condition did. */
#define check(condition, ...)                                                                      \
	({                                                                                         \
		bool good_ = (condition);                                                          \
		report(good_, __VA_ARGS__);                                                        \
	})

static double ms_since(uint64_t start)
{
	return (double)(gw_clock_ns() - start) / 1e6;
}

static void check_host(void)
{
	struct gw_policy pv = {0}, hvm = {0};

	check(gw_host_guest_types(host) != 0, "guest_types 0x%x", gw_host_guest_types(host));
	check(gw_host_free_pages(host) < UINT64_MAX, "free_pages %" PRIu64,
	      gw_host_free_pages(host));
	check(gw_host_policy(host, GW_GUEST_X86_PV, &pv, &err) == 0 && pv.nr_leaves > 10,
	      "policy PV: %zu leaves, %zu MSRs", pv.nr_leaves, pv.nr_msrs);
	check(gw_host_policy(host, GW_GUEST_X86_HVM, &hvm, &err) == 0 && hvm.nr_leaves > 10,
	      "policy HVM: %zu leaves, %zu MSRs", hvm.nr_leaves, hvm.nr_msrs);
	gw_policy_free(&pv);
	gw_policy_free(&hvm);
	check(gw_host_attach(host, 32000, 0, &err) == NULL, "attach to a domain that is not there");
	/* Xen 4.17 answers for the next domain. */
	check(gw_host_attach(host, 0x7ff0, 0, &err) == NULL, "attach to a reserved number");
}

static void check_memory(struct gw_domain *d)
{
	struct gw_pfn_range *ranges = NULL;
	uint64_t nr, start = gw_clock_ns(), pages = 0;
	size_t n;

	check(gw_domain_nr_pfns(d, &nr, &err) == 0, "nr_pfns 0x%" PRIx64, nr);
	bool good = gw_domain_ranges(d, &ranges, &n, &err) == 0;

	check(good, "ranges: %zu in %.1f ms", n, ms_since(start));
	for (size_t i = 0; good && i < n; i++) {
		printf("  0x%" PRIx64 " + 0x%" PRIx64 "\n", ranges[i].first, ranges[i].count);
		pages += ranges[i].count;
	}
	free(ranges);
	struct gw_domain_info info = {0};

	gw_domain_info(d, &info, &err);
	check(good && pages >= info.nr_pages && pages <= nr,
	      "%" PRIu64 " pages; ranges cover %" PRIu64 " pfns", info.nr_pages, pages);
}

static void check_map_hvm(struct gw_domain *d)
{
	const uint64_t gfns[] = {0x100, 0x80000, 0x200, GW_INVALID_PFN};
	uint8_t types[4] = {0}, results[4] = {0};
	void *pages[4] = {0};
	struct gw_mapping mapping;

	check(gw_domain_page_types(d, 4, gfns, types, &err) == 0 && types[0] == 0 &&
		      types[1] == GW_PAGE_XTAB && types[2] == 0 && types[3] == GW_PAGE_XTAB,
	      "page_types %x %x %x %x", types[0], types[1], types[2], types[3]);
	if (!check(gw_domain_map_each(d, 4, gfns, false, pages, results, &mapping, &err) == 0,
		   "map"))
		return;
	check(results[0] == GW_MAP_OK && results[1] == GW_MAP_GONE && results[2] == GW_MAP_OK &&
		      results[3] == GW_MAP_GONE && pages[0] && !pages[1],
	      "map results %u %u %u %u", results[0], results[1], results[2], results[3]);
	printf("  pfn 0x200 begins with %.8s\n", (const char *)pages[2]);
	gw_domain_unmap(d, &mapping);
	check(gw_domain_map_each(d, 1, gfns + 1, false, pages, results, &mapping, &err) == 0 &&
		      results[0] == GW_MAP_GONE,
	      "map of a hole alone");
	gw_domain_unmap(d, &mapping);
}

/* A page that comes while log-dirty is on must be found by it, or a live save loses it. */
static void check_new_page(struct gw_domain *d, uint64_t *bitmap, uint64_t nr)
{
	uint64_t pfn = 0xf0000, gfn, dirty; /* a hole below the devices */
	xc_domaininfo_t info;

	gw_xen_getinfo((struct gw_xen_host *)host, d->domid, &info, &err);
	xc_domain_setmaxmem(xch(), d->domid, (info.max_pages + 16) * 4);
	if (!check(gw_domain_populate(d, 1, &pfn, &gfn, &err) == 0, "populate beside the guest"))
		return;
	memset(bitmap, 0, GW_BITMAP_WORDS(nr) * 8);
	check(gw_domain_logdirty_fetch_and_clear(d, bitmap, nr, &dirty, &err) == 0 &&
		      gw_bitmap_test(bitmap, pfn),
	      "a new page is logged (%" PRIu64 " dirty)", dirty);
}

static void check_logdirty(struct gw_domain *d)
{
	uint64_t nr, dirty = 0, few[1];

	if (gw_domain_nr_pfns(d, &nr, &err) < 0)
		return;
	uint64_t *bitmap = gw_bitmap_new(nr);

	bool on = gw_domain_logdirty_start(d, &err) == 0;

	/* Debian's Xen has no shadow paging. */
	check(on || (d->pv && err.code == GW_UNSUPPORTED), "logdirty_start");
	if (!on) {
		free(bitmap);
		return;
	}
	check(gw_domain_logdirty_start(d, &err) == 0, "logdirty_start again");
	usleep(300000);
	check(gw_domain_logdirty_peek(d, &dirty, &err) == 0 && dirty > 0, "peek %" PRIu64, dirty);
	check(d->ops->logdirty_fetch_and_clear(d, few, 64, &dirty, &err) < 0 &&
		      err.code == GW_USAGE,
	      "a short fetch is refused");
	check(gw_domain_logdirty_peek(d, &dirty, &err) == 0 && dirty > 0, "peek after it %" PRIu64,
	      dirty);
	check(gw_domain_logdirty_fetch_and_clear(d, bitmap, nr, &dirty, &err) == 0 && dirty > 0 &&
		      gw_bitmap_count(bitmap, nr) == dirty,
	      "fetch %" PRIu64, dirty);
	if (d->hvm)
		check_new_page(d, bitmap, nr);
	memset(bitmap, 0, GW_BITMAP_WORDS(nr) * 8);
	check(gw_domain_logdirty_fetch_and_clear(d, bitmap, nr, &dirty, &err) == 0,
	      "fetch again %" PRIu64, dirty);
	gw_domain_logdirty_stop(d);
	gw_domain_logdirty_stop(d);
	free(bitmap);
}

static void check_x86(struct gw_domain *d)
{
	struct gw_policy policy = {0};
	struct gw_tsc_info tsc;

	check(gw_domain_get_policy(d, &policy, &err) == 0 && policy.nr_leaves > 10,
	      "get_policy: %zu leaves, %zu MSRs", policy.nr_leaves, policy.nr_msrs);
	bool busy = gw_domain_set_policy(d, &policy, &err) < 0 && err.code == GW_BUSY;

	check(busy, "set_policy of a domain that has run");
	gw_policy_free(&policy);
	check(gw_domain_get_tsc(d, &tsc, &err) == 0 && tsc.khz > 0,
	      "tsc: mode %u, %u kHz, incarnation %u", tsc.mode, tsc.khz, tsc.incarnation);
}

static void check_hvm(struct gw_domain *d)
{
	void *blob = NULL;
	size_t len = 0;

	check(gw_domain_get_context(d, &blob, &len, &err) == 0 && len > 1000,
	      "get_context: %zu bytes", len);
	free(blob);
	for (size_t i = 0; i < GW_ARRAY_SIZE(gw_hvm_params_saved); i++) {
		uint64_t value;

		if (gw_domain_get_param(d, gw_hvm_params_saved[i], &value, &err) < 0)
			check(false, "param %u", gw_hvm_params_saved[i]);
	}
	check(gw_domain_get_param(d, 99, &(uint64_t){0}, &err) < 0, "param 99");
	check(gw_domain_set_param(d, 4, 1, &err) == 0, "set_param PAE_ENABLED is dropped");
}

static void check_pv(struct gw_domain *d)
{
	static const uint32_t records[] = {GW_REC_X86_PV_VCPU_BASIC, GW_REC_X86_PV_VCPU_EXTENDED,
					   GW_REC_X86_PV_VCPU_XSAVE, GW_REC_X86_PV_VCPU_MSRS};
	const uint64_t *m2p;
	uint64_t max_mfn = 0, mfn;
	unsigned width = 0;
	bool online = false;
	void *shared;

	check(gw_domain_get_width(d, &width, &err) == 0 && width == 8, "width %u", width);
	bool good = check(gw_domain_m2p(d, &m2p, &max_mfn, &err) == 0, "m2p: max_mfn 0x%" PRIx64,
			  max_mfn);

	if (good)
		check(m2p[max_mfn] != 1, "m2p[max_mfn] 0x%" PRIx64, m2p[max_mfn]);
	check(gw_domain_compat_m2p_mfn0(d, &mfn, &err) == 0 || err.code == GW_UNSUPPORTED,
	      "compat_m2p_mfn0");
	check(gw_domain_shared_info(d, &shared, &mfn, &err) == 0, "shared_info mfn 0x%" PRIx64,
	      mfn);
	check(gw_domain_vcpu_online(d, 0, &online, &err) == 0 && online, "vcpu_online");
	for (unsigned i = 0; i < 4; i++) {
		void *blob;
		size_t len;

		check(gw_domain_get_vcpu(d, 0, records[i], &blob, &len, &err) == 0,
		      "get_vcpu 0x%x: %zu bytes", records[i], len);
		free(blob);
	}
	check(gw_domain_get_vcpu(d, 7, records[0], &shared, &(size_t){0}, &err) < 0,
	      "get_vcpu of a vCPU that is not there");
}

static void calls(uint32_t domid)
{
	struct gw_domain *d = gw_host_attach(host, domid, 0, &err);
	struct gw_domain_info info;

	check_host();
	if (!check(d != NULL, "attach"))
		return;
	check(gw_domain_info(d, &info, &err) == 0 && info.nr_pages > 0,
	      "info: type %d paused %d shutdown %d vcpu %u pages %" PRIu64, info.type, info.paused,
	      info.shutdown, info.max_vcpu_id, info.nr_pages);
	check_memory(d);
	check_x86(d);
	check_logdirty(d);
	if (d->hvm) {
		check_map_hvm(d);
		check_hvm(d);
	} else {
		check_pv(d);
	}
	check_memory(d);
	gw_domain_close(d);
}

/* A domain such as libxl makes before it starts the restoring helper. */
static struct gw_domain *create(bool hvm, uint32_t emulated, uint64_t max_pages)
{
	struct xen_domctl_createdomain config = {
		.flags = hvm ? XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap : 0,
		.max_vcpus = 1,
		.max_evtchn_port = 1023,
		.max_grant_frames = -1,
		.max_maptrack_frames = -1,
		.grant_opts = XEN_DOMCTL_GRANT_version(1),
		.arch.emulation_flags = emulated,
	};
	uint32_t domid = 0;

	if (!check(xc_domain_create(xch(), &domid, &config) == 0, "xc_domain_create"))
		return NULL;
	check(xc_domain_max_vcpus(xch(), domid, 1) == 0, "max_vcpus of domain %u", domid);
	check(xc_domain_setmaxmem(xch(), domid, max_pages * 4) == 0, "setmaxmem");
	if (hvm)
		check(xc_set_paging_mempool_size(xch(), domid, 4 << 20) == 0, "paging pool");
	struct gw_domain *d = gw_host_attach(host, domid, 0, &err);
	uint64_t nr = 0;

	check(d && gw_domain_nr_pfns(d, &nr, &err) == 0 && nr > 0x100000,
	      "attach to a new domain: room for 0x%" PRIx64 " pfns", nr);
	return d;
}

static void destroy(struct gw_domain *d)
{
	uint32_t domid = d->domid;

	gw_domain_close(d);
	check(xc_domain_destroy(xch(), domid) == 0, "destroy of domain %u", domid);
}

static void check_populate(struct gw_domain *d)
{
	enum { N = 1100 };
	static uint64_t pfns[N], gfns[N];
	size_t done = 0;
	void *pages[2];
	struct gw_mapping mapping;
	struct gw_domain_info info;

	/* A whole 2 MiB, then one by one. */
	for (unsigned i = 0; i < N; i++)
		pfns[i] = 0x200 + i;
	check(gw_domain_populate_part(d, 512 + 100, pfns, gfns, &done, &err) == 0 && done == 612,
	      "populate %zu", done);
	check(gw_domain_info(d, &info, &err) == 0 && info.nr_pages == 612,
	      "info after it: %" PRIu64 " pages", info.nr_pages);
	check(d->pv || (gfns[0] == 0x200 && gfns[611] == 0x200 + 611), "gfns of HVM are pfns");
	/* 1024 may be had. */
	check(gw_domain_populate_part(d, 488, pfns + 612, gfns + 612, &done, &err) < 0 &&
		      done == 412,
	      "populate beyond the limit: %zu of 488", done);
	check(gw_domain_map(d, 2, (uint64_t[]){gfns[0], gfns[1023]}, true, pages, &mapping, &err) ==
		      0,
	      "map of new pages for writing");
	memset(pages[1], 0x5a, GW_PAGE_SIZE);
	gw_domain_unmap(d, &mapping);
}

static void new_hvm(void)
{
	struct gw_policy policy = {0};
	struct gw_tsc_info tsc;
	struct gw_ring store = {.gfn = 0x210}, console = {.gfn = 0x211};
	void *blob = NULL;
	size_t len = 0;
	uint64_t value = 0;
	struct gw_domain *d = create(true, XEN_X86_EMU_LAPIC, 1024);

	if (!d)
		return;
	check_populate(d);
	check(gw_domain_get_policy(d, &policy, &err) == 0, "get_policy");
	check(gw_domain_set_policy(d, &policy, &err) == 0, "set_policy of its own");
	struct gw_msr_entry bad = {.index = 0x12345};
	struct gw_policy odd = {.msrs = &bad, .nr_msrs = 1};

	check(gw_domain_set_policy(d, &odd, &err) < 0 && err.code == GW_REFUSED &&
		      strstr(err.text, "0x12345"),
	      "set_policy with a bad MSR");
	struct gw_cpuid_leaf leaf = {.leaf = 0x999, .subleaf = GW_CPUID_NO_SUBLEAF};

	odd = (struct gw_policy){.leaves = &leaf, .nr_leaves = 1};
	check(gw_domain_set_policy(d, &odd, &err) < 0 && err.code == GW_REFUSED &&
		      strstr(err.text, "0x999"),
	      "set_policy with a bad leaf");
	gw_policy_free(&policy);
	check(gw_domain_get_tsc(d, &tsc, &err) == 0 && gw_domain_set_tsc(d, &tsc, &err) == 0,
	      "set_tsc");
	check(gw_domain_set_param(d, HVM_PARAM_STORE_PFN, 0x210, &err) == 0 &&
		      gw_domain_get_param(d, HVM_PARAM_STORE_PFN, &value, &err) == 0 &&
		      value == 0x210,
	      "set_param");
	check(gw_domain_get_context(d, &blob, &len, &err) == 0, "get_context: %zu bytes", len);
	check(gw_domain_set_context(d, blob, len, &err) == 0, "set_context");
	check(gw_domain_set_context(d, "nonsense", 8, &err) < 0, "set_context of nonsense");
	free(blob);
	check(gw_domain_seed_grants(d, &store, &console, &err) == 0, "seed_grants");
	check_memory(d);
	destroy(d);
}

static void new_pv(void)
{
	struct gw_domain *d = create(false, 0, 1024);
	uint64_t mfn = 0;
	uint8_t type = GW_PAGE_PINNED | 1;
	unsigned width = 0;
	const uint64_t *m2p;
	void *blob = NULL, *shared;
	size_t len = 0;

	if (!d)
		return;
	check(gw_domain_set_width(d, 8, &err) == 0 && gw_domain_get_width(d, &width, &err) == 0 &&
		      width == 8,
	      "set_width 8");
	check(gw_domain_set_width(d, 4, &err) == 0 || err.code == GW_UNSUPPORTED, "set_width 4");
	check_populate(d);
	check(gw_domain_m2p(d, &m2p, &mfn, &err) == 0, "m2p");
	uint64_t pfn = 0x900, gfn;

	/* The limit is reached; one page more shows the mfn of a PV page. */
	xc_domain_setmaxmem(xch(), d->domid, 1030 * 4);
	check(gw_domain_populate(d, 1, &pfn, &gfn, &err) == 0 && m2p[gfn] == pfn,
	      "populate gives mfn 0x%" PRIx64 ", whose pfn is 0x%" PRIx64, gfn, m2p[gfn]);
	void *page;
	struct gw_mapping mapping;
	uint8_t result;

	if (gw_domain_map(d, 1, &gfn, true, &page, &mapping, &err) == 0) {
		memset(page, 0, GW_PAGE_SIZE);
		gw_domain_unmap(d, &mapping);
	}
	check(gw_domain_pin(d, 1, &gfn, &type, &err) == 0, "pin an L1");
	check(gw_domain_page_types(d, 1, &gfn, &type, &err) == 0 && type == (GW_PAGE_PINNED | 1),
	      "its type is 0x%x", type);
	check(gw_domain_map_each(d, 1, &gfn, true, &page, &result, &mapping, &err) == 0 &&
		      result == GW_MAP_REFUSED,
	      "map of it for writing: %u", result);
	gw_domain_unmap(d, &mapping);
	check(gw_domain_pin(d, 1, &gfn, &(uint8_t){GW_PAGE_PINNED | 2}, &err) < 0,
	      "pin it as an L2");
	check(gw_domain_shared_info(d, &shared, &mfn, &err) == 0, "shared_info");
	check(gw_domain_get_vcpu(d, 0, GW_REC_X86_PV_VCPU_EXTENDED, &blob, &len, &err) == 0 &&
		      gw_domain_set_vcpu(d, 0, GW_REC_X86_PV_VCPU_EXTENDED, blob, len, &err) == 0,
	      "set_vcpu EXTENDED of %zu bytes", len);
	free(blob);
	check(gw_domain_get_vcpu(d, 0, GW_REC_X86_PV_VCPU_BASIC, &blob, &len, &err) < 0 ||
		      len == 5168,
	      "get_vcpu of one that was never set");
	free(blob);
	uint8_t msr[16] = {0x45, 0x23, 0x01};

	check(gw_domain_set_vcpu(d, 0, GW_REC_X86_PV_VCPU_MSRS, msr, 16, &err) < 0 &&
		      strstr(err.text, "0x12345"),
	      "set_vcpu of a bad MSR");
	struct gw_ring store = {.gfn = gfn}, console = {.gfn = GW_INVALID_PFN};

	check(gw_domain_seed_grants(d, &store, &console, &err) == 0, "seed_grants");
	destroy(d);
}

static int suspend(void *owner, struct gw_error *e)
{
	struct gw_domain *d = owner;

	if (xc_domain_shutdown(xch(), d->domid, SHUTDOWN_suspend) == 0)
		return 0;
	return gw_fail_errno(e, "stopping domain %u", d->domid);
}

static void compare(struct gw_domain *a, struct gw_domain *b, uint64_t nr)
{
	struct gw_pfn_range *ranges;
	size_t n, pages = 0, differ = 0;

	if (!check(gw_domain_ranges(a, &ranges, &n, &err) == 0, "ranges"))
		return;
	for (size_t i = 0; i < n; i++)
		for (uint64_t pfn = ranges[i].first; pfn < ranges[i].first + ranges[i].count;
		     pfn++) {
			void *pa, *pb;
			uint8_t ra, rb;
			struct gw_mapping ma, mb;

			if (gw_domain_map_each(a, 1, &pfn, false, &pa, &ra, &ma, &err) < 0 ||
			    gw_domain_map_each(b, 1, &pfn, false, &pb, &rb, &mb, &err) < 0)
				break;
			pages += ra == GW_MAP_OK;
			if (ra != rb || (ra == GW_MAP_OK && memcmp(pa, pb, GW_PAGE_SIZE) != 0)) {
				printf("  pfn 0x%" PRIx64 " differs (%u %u)\n", pfn, ra, rb);
				differ++;
			}
			gw_domain_unmap(a, &ma);
			gw_domain_unmap(b, &mb);
		}
	free(ranges);
	/* The rings are cleared, and shared info is no memory of the guest's. */
	check(pages > 0 && differ <= 4, "%zu pages compared, %zu differ", pages, differ);
}

/* The copy does something: its memory changes. */
static void run(struct gw_domain *d)
{
	struct gw_domain_info info;
	uint64_t dirty = 0;

	check(gw_domain_logdirty_start(d, &err) == 0, "logdirty_start of the copy");
	check(xc_domain_unpause(xch(), d->domid) == 0, "unpause of the copy");
	usleep(500000);
	check(gw_domain_info(d, &info, &err) == 0 && info.shutdown == GW_SHUTDOWN_NONE &&
		      gw_domain_logdirty_peek(d, &dirty, &err) == 0 && dirty > 0,
	      "the copy runs: shutdown %d, %" PRIu64 " pages written", info.shutdown, dirty);
	gw_domain_logdirty_stop(d);
}

static void copy(uint32_t domid)
{
	char path[] = "/tmp/xen_probe.XXXXXX";
	int fd = mkstemp(path);
	struct gw_domain *a = gw_host_attach(host, domid, 0, &err);
	struct gw_report stats = {0};
	uint64_t nr = 0, start = gw_clock_ns();

	if (!check(a != NULL, "attach"))
		return;
	struct gw_toolstack ts = {
		.head = GW_TABLE_HEAD(struct gw_toolstack), .owner = a, .suspend = suspend};
	struct gw_channel *out = gw_channel_from_fd(fd, true, "the image", &err);
	struct gw_save_args save = {.domain = a,
				    .out = out,
				    .toolstack = &ts,
				    .live = true,
				    .precopy = {.max_rounds = 5, .downtime_ms = 300}};

	check(gw_save_image(&save, &stats, &err) == 0,
	      "save: %" PRIu64 " pages, %u rounds, %.0f ms", stats.pages, stats.rounds,
	      ms_since(start));
	lseek(fd, 0, SEEK_SET);
	struct gw_domain_info info;

	gw_domain_info(a, &info, &err);
	gw_domain_nr_pfns(a, &nr, &err);
	xc_domaininfo_t xen;

	gw_xen_getinfo((struct gw_xen_host *)host, domid, &xen, &err);
	struct gw_domain *b = create(true, xen.arch_config.emulation_flags, info.nr_pages + 64);

	if (!b)
		return;
	start = gw_clock_ns();
	struct gw_restore_args restore = {.domain = b, .in = out};
	struct gw_restore_result result;

	check(gw_restore_image(&restore, &result, &err) == 0, "restore: %.0f ms", ms_since(start));
	compare(a, b, nr);
	run(b);
	destroy(b);
	gw_domain_close(a);
	gw_channel_close(out);
	unlink(path);
}

int main(int argc, char **argv)
{
	uint32_t domid = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;

	host = gw_xen_host_open("", &err);
	if (!check(host != NULL, "open"))
		return 1;
	if (argc > 2 && strcmp(argv[1], "calls") == 0) {
		calls(domid);
	} else if (argc > 1 && strcmp(argv[1], "new") == 0) {
		new_hvm();
		new_pv();
	} else if (argc > 2 && strcmp(argv[1], "copy") == 0) {
		copy(domid);
	} else {
		fprintf(stderr, "usage: xen_probe calls DOMID | new | copy DOMID\n");
		return 2;
	}
	gw_host_close(host);
	printf("%u failed\n", failures);
	return failures > 0;
}
