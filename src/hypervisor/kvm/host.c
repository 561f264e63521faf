/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * KVM as a host: /dev/kvm and what it must have, the policy, new domains.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/util.h"
#include "hypervisor/kvm/domain.h"
#include "hypervisor/uri.h"

struct kvm_host {
	struct gw_host host; /* first */
	int kvm;
	struct gw_kvm_caps caps;
	struct gw_policy policy;
	unsigned yield_us;
	struct gw_held_list domains;
};

static struct kvm_host *host_of(struct gw_host *host)
{
	return gw_container_of(host, struct kvm_host, host);
}

static int host_policy(struct gw_host *host, enum gw_guest_type type, struct gw_policy *policy,
		       struct gw_error *err)
{
	return gw_policy_copy(policy, &host_of(host)->policy, err);
}

static unsigned host_guest_types(struct gw_host *host)
{
	return 1u << GW_GUEST_X86_HVM;
}

static uint64_t host_free_pages(struct gw_host *host)
{
	return gw_machine_host_pages();
}

static struct gw_domain *host_create(struct gw_host *host, const struct gw_domain_config *config,
				     struct gw_error *err)
{
	struct kvm_host *h = host_of(host);
	struct gw_kvm *k;

	if (config->type != GW_GUEST_X86_HVM) {
		gw_fail(err, GW_UNSUPPORTED, "kvm: runs x86 HVM and PVH guests only");
		return NULL;
	}
	if (config->vcpus > 1) {
		gw_fail(err, GW_UNSUPPORTED, "a domain of kvm: has one vCPU, not %u",
			config->vcpus);
		return NULL;
	}
	k = gw_kvm_new(h->kvm, &h->caps, config, &h->policy, h->yield_us, &h->domains, err);
	return k ? &k->m.d : NULL;
}

static struct gw_domain *host_attach(struct gw_host *host, uint32_t domid, uint64_t max_pfns,
				     struct gw_error *err)
{
	return gw_held_attach(&host_of(host)->domains, domid, err);
}

static void free_host(struct kvm_host *h)
{
	if (h->kvm >= 0)
		close(h->kvm);
	free(h->caps.cpuid);
	free(h->caps.msrs);
	gw_policy_free(&h->policy);
	gw_host_fini(&h->host);
	free(h);
}

void gw_kvm_host_free(struct gw_held_list *domains)
{
	free_host(gw_container_of(domains, struct kvm_host, domains));
}

static void host_close(struct gw_host *host)
{
	struct kvm_host *h = host_of(host);
	struct gw_domain *d;
	bool last;

	while ((d = gw_held_end(&h->domains, &last)))
		d->control->ops->destroy(d->control);
	if (last)
		free_host(h);
}

static const struct gw_host_ops host_ops = {
	.head = GW_TABLE_HEAD(struct gw_host_ops),
	.name = "kvm",
	.policy = host_policy,
	.guest_types = host_guest_types,
	.free_pages = host_free_pages,
	.create = host_create,
	.attach = host_attach,
	.close = host_close,
};

static int parse(struct kvm_host *h, const char *query, struct gw_kvm_features *words,
		 struct gw_error *err)
{
	struct gw_uri_pair pair;
	uint64_t number;
	int rc;

	while ((rc = gw_uri_next(&query, &pair, err)) > 0) {
		if (!strcmp(pair.key, "lack")) {
			snprintf(words->lack, sizeof(words->lack), "%s", pair.value);
		} else if (!strcmp(pair.key, "offer")) {
			snprintf(words->offer, sizeof(words->offer), "%s", pair.value);
		} else if (!strcmp(pair.key, "yield_us")) {
			if (gw_uri_number(&pair, 1000000, &number, err) < 0)
				return -1;
			h->yield_us = (unsigned)number;
		} else {
			return gw_fail(
				err, GW_USAGE,
				"host kvm: has options lack=, offer= and yield_us=, not \"%s\"",
				pair.key);
		}
	}
	return rc;
}

static int need_caps(int kvm, struct gw_error *err)
{
	static const struct {
		int cap;
		const char *name;
	} needed[] = {
		{KVM_CAP_SPLIT_IRQCHIP, "an interrupt controller in the kernel"},
		{KVM_CAP_IMMEDIATE_EXIT, "immediate_exit"},
		{KVM_CAP_X86_USER_SPACE_MSR, "MSRs in user space"},
		{KVM_CAP_X86_MSR_FILTER, "a filter of MSRs"},
		{KVM_CAP_XSAVE, "XSAVE areas"},
		{KVM_CAP_XCRS, "XCR0"},
		{KVM_CAP_DEBUGREGS, "debug registers"},
		{KVM_CAP_VCPU_EVENTS, "pending events"},
		{KVM_CAP_MP_STATE, "the run state of a vCPU"},
		{KVM_CAP_ADJUST_CLOCK, "its clock"},
	};

	for (size_t i = 0; i < GW_ARRAY_SIZE(needed); i++)
		if (ioctl(kvm, KVM_CHECK_EXTENSION, needed[i].cap) <= 0)
			return gw_fail(err, GW_UNSUPPORTED, "this KVM lacks %s", needed[i].name);
	return 0;
}

/* The list that KVM fills, with room for as many entries as it has. */
static int read_cpuid(int kvm, struct gw_kvm_caps *caps, struct gw_error *err)
{
	for (unsigned room = 64; room <= 4096; room *= 2) {
		free(caps->cpuid);
		caps->cpuid =
			calloc(1, sizeof(*caps->cpuid) + room * sizeof(struct kvm_cpuid_entry2));
		if (!caps->cpuid)
			return gw_fail(err, GW_NO_MEMORY, "no memory for KVM's CPUID");
		caps->cpuid->nent = room;
		if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, caps->cpuid) == 0)
			return 0;
		if (errno != E2BIG)
			break;
	}
	return gw_fail_errno(err, "asking KVM for its CPU features");
}

static int read_msrs(int kvm, struct gw_kvm_caps *caps, struct gw_error *err)
{
	struct kvm_msr_list none = {0};

	if (ioctl(kvm, KVM_GET_MSR_INDEX_LIST, &none) < 0 && errno != E2BIG)
		return gw_fail_errno(err, "asking KVM for its MSRs");
	caps->msrs = calloc(1, sizeof(none) + none.nmsrs * sizeof(none.indices[0]));
	if (!caps->msrs)
		return gw_fail(err, GW_NO_MEMORY, "no memory for KVM's MSRs");
	caps->msrs->nmsrs = none.nmsrs;
	if (ioctl(kvm, KVM_GET_MSR_INDEX_LIST, caps->msrs) < 0)
		return gw_fail_errno(err, "asking KVM for its MSRs");
	return 0;
}

static int read_caps(int kvm, struct gw_kvm_caps *caps, struct gw_error *err)
{
	int manual = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);
	int slots = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (size < (int)sizeof(struct kvm_run))
		return gw_fail_errno(err, "asking KVM for the size of a vCPU");
	caps->run_size = (unsigned)size;
	caps->slots = slots > 0 ? (unsigned)slots : 32;
	caps->manual_protect = manual > 0 && (manual & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE);
	caps->initially_set = caps->manual_protect && (manual & KVM_DIRTY_LOG_INITIALLY_SET);
	caps->bus_cycles = ioctl(kvm, KVM_CHECK_EXTENSION, GW_KVM_CAP_BUS_CYCLES) > 0;
	return need_caps(kvm, err) < 0 || read_cpuid(kvm, caps, err) < 0 ||
			       read_msrs(kvm, caps, err) < 0
		       ? -1
		       : 0;
}

static int open_kvm(struct kvm_host *h, struct gw_error *err)
{
	h->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (h->kvm < 0)
		return gw_fail(err, GW_UNSUPPORTED, "opening /dev/kvm: %m");
	if (ioctl(h->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return gw_fail(err, GW_UNSUPPORTED, "/dev/kvm has another API version than %d",
			       KVM_API_VERSION);
	return read_caps(h->kvm, &h->caps, err);
}

struct gw_host *gw_kvm_host_open(const char *query, struct gw_error *err)
{
	struct gw_kvm_features words = {"", ""};
	struct kvm_host *h = calloc(1, sizeof(*h));

	if (!h) {
		gw_fail(err, GW_NO_MEMORY, "no memory for a host");
		return NULL;
	}
	h->kvm = -1;
	gw_held_init(&h->domains);
	if (gw_host_init(&h->host, &host_ops, err) < 0 || parse(h, query, &words, err) < 0 ||
	    open_kvm(h, err) < 0 ||
	    gw_kvm_policy_host(h->kvm, &h->caps, &words, &h->policy, err) < 0) {
		free_host(h);
		return NULL;
	}
	return &h->host;
}
