/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The simulated Xen (fake_xen.h): CPU policies, the TSC, the state of HVM domains and PV vCPUs.
 */
#include "lib/gwtest.h"

#include <errno.h>

#include <xenctrl.h>
#include <xenguest.h>

#include "base/bytes.h"
#include "base/util.h"
#include "fake_xen.h"
#include "format/libxc/image.h"
#include "hypervisor/domain.h"

#define MAX_LEAVES 120u
#define MAX_MSRS   2u
#define HVM_LEAVES 51u
#define PV_LEAVES  46u
#define NR_PARAMS  39u

struct xc_cpu_policy {
	unsigned nr_leaves;
	uint32_t features; /* leaf 1 edx */
	const struct gw_policy *domain;
};

static int failed_with(int errnum)
{
	errno = errnum;
	return -1;
}

xc_cpu_policy_t *xc_cpu_policy_init(void)
{
	return calloc(1, sizeof(xc_cpu_policy_t));
}

void xc_cpu_policy_destroy(xc_cpu_policy_t *policy)
{
	if (policy->domain) {
		gw_policy_free((struct gw_policy *)(uintptr_t)policy->domain);
		free((void *)(uintptr_t)policy->domain);
	}
	free(policy);
}

int xc_cpu_policy_get_system(xc_interface *xch, unsigned int policy_idx, xc_cpu_policy_t *policy)
{
	bool pv = policy_idx == XEN_SYSCTL_cpu_policy_pv_max;

	if (!pv && policy_idx != XEN_SYSCTL_cpu_policy_hvm_max)
		return failed_with(EINVAL);
	policy->nr_leaves = pv ? PV_LEAVES : HVM_LEAVES;
	policy->features = pv ? 0x0fc9c3f5 : 0x0fcbfbfd;
	return 0;
}

int xc_cpu_policy_get_domain(xc_interface *xch, uint32_t domid, xc_cpu_policy_t *policy)
{
	struct fake_domain *f = fake_find(domid);
	struct gw_policy *copy = calloc(1, sizeof(*copy));

	if (!f) {
		free(copy);
		return failed_with(ESRCH);
	}
	assert_int_equal(gw_domain_get_policy(f->memory, copy, NULL), 0);
	policy->domain = copy;
	/* A new domain has the default policy. */
	policy->nr_leaves = copy->nr_leaves ? 0 : f->memory->pv ? PV_LEAVES : HVM_LEAVES;
	policy->features = 0x0fc98075;
	return 0;
}

int xc_cpu_policy_get_size(xc_interface *xch, uint32_t *nr_leaves, uint32_t *nr_msrs)
{
	*nr_leaves = MAX_LEAVES;
	*nr_msrs = MAX_MSRS;
	return 0;
}

int xc_cpu_policy_serialise(xc_interface *xch, const xc_cpu_policy_t *policy,
			    xen_cpuid_leaf_t *leaves, uint32_t *nr_leaves, xen_msr_entry_t *msrs,
			    uint32_t *nr_msrs)
{
	const struct gw_policy *own = policy->nr_leaves ? NULL : policy->domain;
	uint32_t n = own ? (uint32_t)own->nr_leaves : policy->nr_leaves;

	if (*nr_leaves < n || *nr_msrs < MAX_MSRS)
		return failed_with(ENOBUFS);
	for (uint32_t i = 0; i < n; i++) {
		if (own)
			memcpy(&leaves[i], &own->leaves[i], sizeof(leaves[i]));
		else
			leaves[i] = (xen_cpuid_leaf_t){i, XEN_CPUID_NO_SUBLEAF,		i, 0,
						       0, i == 1 ? policy->features : 0};
	}
	*nr_leaves = n;
	*nr_msrs = own ? (uint32_t)own->nr_msrs : 1;
	for (uint32_t i = 0; i < *nr_msrs; i++)
		msrs[i] = own ? (xen_msr_entry_t){.idx = own->msrs[i].index,
						  .val = own->msrs[i].value}
			      : (xen_msr_entry_t){.idx = 0xce, .val = 1u << 31};
	return 0;
}

int xc_set_domain_cpu_policy(xc_interface *xch, uint32_t domid, uint32_t nr_leaves,
			     xen_cpuid_leaf_t *leaves, uint32_t nr_msrs, xen_msr_entry_t *msrs,
			     uint32_t *err_leaf_p, uint32_t *err_subleaf_p, uint32_t *err_msr_p)
{
	struct fake_domain *f = fake_find(domid);
	struct gw_policy policy = {.leaves = (struct gw_cpuid_leaf *)leaves,
				   .nr_leaves = nr_leaves,
				   .nr_msrs = nr_msrs};

	if (!f)
		return failed_with(ESRCH);
	*err_leaf_p = *err_subleaf_p = *err_msr_p = ~0u;
	if (f->ran)
		return failed_with(EEXIST);
	for (uint32_t i = 0; i < nr_leaves; i++)
		if (leaves[i].leaf > 0x40 && leaves[i].leaf < 0x40000000) {
			*err_leaf_p = leaves[i].leaf;
			*err_subleaf_p = leaves[i].subleaf;
			return failed_with(ERANGE);
		}
	policy.msrs = calloc(nr_msrs + 1, sizeof(*policy.msrs));
	for (uint32_t i = 0; i < nr_msrs; i++) {
		policy.msrs[i] = (struct gw_msr_entry){.index = msrs[i].idx, .value = msrs[i].val};
		if (msrs[i].idx != 0xce && msrs[i].idx != 0x10a) {
			*err_msr_p = msrs[i].idx;
			free(policy.msrs);
			return failed_with(ERANGE);
		}
	}
	assert_int_equal(gw_domain_set_policy(f->memory, &policy, NULL), 0);
	free(policy.msrs);
	return 0;
}

int xc_domain_get_tsc_info(xc_interface *xch, uint32_t domid, uint32_t *tsc_mode,
			   uint64_t *elapsed_nsec, uint32_t *gtsc_khz, uint32_t *incarnation)
{
	struct gw_tsc_info tsc;

	assert_int_equal(gw_domain_get_tsc(fake_find(domid)->memory, &tsc, NULL), 0);
	*tsc_mode = tsc.mode;
	*elapsed_nsec = tsc.nsec;
	*gtsc_khz = tsc.khz;
	*incarnation = tsc.incarnation;
	return 0;
}

int xc_domain_set_tsc_info(xc_interface *xch, uint32_t domid, uint32_t tsc_mode,
			   uint64_t elapsed_nsec, uint32_t gtsc_khz, uint32_t incarnation)
{
	struct gw_tsc_info tsc = {
		.mode = tsc_mode,
		.nsec = elapsed_nsec,
		.khz = gtsc_khz,
		.incarnation = incarnation,
	};

	if (tsc_mode > 3)
		return failed_with(EINVAL);
	return gw_domain_set_tsc(fake_find(domid)->memory, &tsc, NULL);
}

/* The size that is asked for without a buffer is the most that there can be. */
int xc_domain_hvm_getcontext(xc_interface *xch, uint32_t domid, uint8_t *ctxt_buf, uint32_t size)
{
	struct fake_domain *f = fake_find(domid);
	void *blob;
	size_t len;

	if (gw_domain_get_context(f->memory, &blob, &len, NULL) < 0)
		return failed_with(EINVAL);
	if (ctxt_buf && size >= len)
		memcpy(ctxt_buf, blob, len);
	free(blob);
	if (!ctxt_buf)
		return (int)len + 2000;
	return size < len ? failed_with(ENOSPC) : (int)len;
}

int xc_domain_hvm_setcontext(xc_interface *xch, uint32_t domid, uint8_t *hvm_ctxt, uint32_t size)
{
	for (uint32_t at = 0; at + 8 <= size; at += 8 + gw_get_le32(hvm_ctxt + at + 4))
		if (gw_get_le16(hvm_ctxt + at) > 20)
			return failed_with(EINVAL);
	return gw_domain_set_context(fake_find(domid)->memory, hvm_ctxt, size, NULL);
}

int xc_hvm_param_set(xc_interface *handle, uint32_t dom, uint32_t param, uint64_t value)
{
	if (param >= NR_PARAMS || param == HVM_PARAM_PAE_ENABLED)
		return failed_with(EINVAL);
	return gw_domain_set_param(fake_find(dom)->memory, param, value, NULL);
}

int xc_hvm_param_get(xc_interface *handle, uint32_t dom, uint32_t param, uint64_t *value)
{
	if (param >= NR_PARAMS)
		return failed_with(EINVAL);
	return gw_domain_get_param(fake_find(dom)->memory, param, value, NULL);
}

int xc_domain_get_guest_width(xc_interface *xch, uint32_t domid, unsigned int *guest_width)
{
	return gw_domain_get_width(fake_find(domid)->memory, guest_width, NULL);
}

int xc_vcpu_getinfo(xc_interface *xch, uint32_t domid, uint32_t vcpu, xc_vcpuinfo_t *info)
{
	bool online;

	if (gw_domain_vcpu_online(fake_find(domid)->memory, vcpu, &online, NULL) < 0)
		return failed_with(ESRCH);
	info->online = online;
	return 0;
}

int xc_vcpu_getcontext(xc_interface *xch, uint32_t domid, uint32_t vcpu,
		       vcpu_guest_context_any_t *ctxt)
{
	void *blob;
	size_t len;

	if (gw_domain_get_vcpu(fake_find(domid)->memory, vcpu, GW_REC_X86_PV_VCPU_BASIC, &blob,
			       &len, NULL) < 0)
		return failed_with(EINVAL);
	if (!blob)
		return failed_with(ENODATA);
	assert_true(len <= sizeof(*ctxt));
	memcpy(ctxt, blob, len);
	free(blob);
	return 0;
}

int xc_vcpu_setcontext(xc_interface *xch, uint32_t domid, uint32_t vcpu,
		       vcpu_guest_context_any_t *ctxt)
{
	struct fake_domain *f = fake_find(domid);
	unsigned width;

	gw_domain_get_width(f->memory, &width, NULL);
	if (gw_domain_set_vcpu(f->memory, vcpu, GW_REC_X86_PV_VCPU_BASIC, ctxt,
			       width == 8 ? 5168 : 2800, NULL) < 0)
		return failed_with(EINVAL);
	return 0;
}

int xc_mmuext_op(xc_interface *xch, struct mmuext_op *op, unsigned int nr_ops, uint32_t dom)
{
	assert_true(nr_ops <= 1024);
	fake.pins++;
	for (unsigned i = 0; i < nr_ops; i++) {
		uint8_t type = GW_PAGE_PINNED | (op[i].cmd - MMUEXT_PIN_L1_TABLE + 1);
		uint64_t mfn = op[i].arg1.mfn;

		if (gw_domain_pin(fake_find(dom)->memory, 1, &mfn, &type, NULL) < 0)
			return failed_with(EINVAL);
	}
	return 0;
}

/* A blob of the memory backend's into a buffer of the caller's; *size is how big that is, then how
 * much it is. */
static int copy_blob(struct fake_domain *f, uint32_t vcpu, uint32_t record, void *to, size_t *size)
{
	size_t room = *size;
	void *blob;

	if (gw_domain_get_vcpu(f->memory, vcpu, record, &blob, size, NULL) < 0)
		return failed_with(EINVAL);
	if (to && *size <= room && blob)
		memcpy(to, blob, *size);
	free(blob);
	return to && *size > room ? failed_with(ENOBUFS) : 0;
}

static int get_xsave(struct fake_domain *f, struct xen_domctl_vcpuextstate *op)
{
	size_t size = op->size;
	void *buffer = op->buffer.p;

	op->xfeature_mask = fake.xsave_mask;
	if (!fake.xsave_mask) {
		op->size = 16;
		return 0;
	}
	if (buffer && !fake_is_buffer(buffer, size))
		return failed_with(EFAULT);
	if (copy_blob(f, op->vcpu, GW_REC_X86_PV_VCPU_XSAVE, buffer, &size) < 0)
		return -1;
	op->size = buffer ? size : size + 256;
	return 0;
}

static int get_msrs(struct fake_domain *f, struct xen_domctl_vcpu_msrs *op)
{
	size_t size = op->msr_count * sizeof(xen_domctl_vcpu_msr_t);

	if (!op->msrs.p) {
		op->msr_count = 7;
		return 0;
	}
	if (!fake_is_buffer(op->msrs.p, size))
		return failed_with(EFAULT);
	if (copy_blob(f, op->vcpu, GW_REC_X86_PV_VCPU_MSRS, op->msrs.p, &size) < 0)
		return -1;
	op->msr_count = (uint32_t)(size / sizeof(xen_domctl_vcpu_msr_t));
	return 0;
}

static int set_msrs(struct fake_domain *f, struct xen_domctl_vcpu_msrs *op)
{
	size_t size = op->msr_count * sizeof(xen_domctl_vcpu_msr_t);

	if (!fake_is_buffer(op->msrs.p, size))
		return failed_with(EFAULT);
	for (uint32_t i = 0; i < op->msr_count; i++)
		if (op->msrs.p[i].index == 0x12345) {
			op->msr_count = i;
			return failed_with(EINVAL);
		}
	return gw_domain_set_vcpu(f->memory, op->vcpu, GW_REC_X86_PV_VCPU_MSRS, op->msrs.p, size,
				  NULL);
}

static int get_extended(struct fake_domain *f, struct xen_domctl *op)
{
	uint32_t vcpu = op->u.ext_vcpucontext.vcpu;
	size_t size = sizeof(op->u);

	if (copy_blob(f, vcpu, GW_REC_X86_PV_VCPU_EXTENDED, &op->u, &size) < 0)
		return -1;
	if (size == 0)
		op->u.ext_vcpucontext =
			(struct xen_domctl_ext_vcpucontext){.vcpu = vcpu, .size = 64};
	return 0;
}

int fake_state_domctl(struct fake_domain *f, struct xen_domctl *op)
{
	struct xen_domctl_vcpuextstate *xsave = &op->u.vcpuextstate;

	switch (op->cmd) {
	case XEN_DOMCTL_set_address_size:
		if (op->u.address_size.size == 32 && fake.no_pv32)
			return failed_with(EOPNOTSUPP);
		return gw_domain_set_width(f->memory, op->u.address_size.size / 8, NULL) < 0
			       ? failed_with(EINVAL)
			       : 0;
	case XEN_DOMCTL_get_ext_vcpucontext:
		return get_extended(f, op);
	case XEN_DOMCTL_set_ext_vcpucontext:
		return gw_domain_set_vcpu(f->memory, op->u.ext_vcpucontext.vcpu,
					  GW_REC_X86_PV_VCPU_EXTENDED, &op->u,
					  op->u.ext_vcpucontext.size, NULL);
	case XEN_DOMCTL_getvcpuextstate:
		return get_xsave(f, xsave);
	case XEN_DOMCTL_setvcpuextstate:
		if (!fake.xsave_mask && xsave->size > 16)
			return failed_with(EINVAL);
		if (!fake_is_buffer(xsave->buffer.p, xsave->size))
			return failed_with(EFAULT);
		return gw_domain_set_vcpu(f->memory, xsave->vcpu, GW_REC_X86_PV_VCPU_XSAVE,
					  xsave->buffer.p, xsave->size, NULL);
	case XEN_DOMCTL_get_vcpu_msrs:
		return get_msrs(f, &op->u.vcpu_msrs);
	case XEN_DOMCTL_set_vcpu_msrs:
		return set_msrs(f, &op->u.vcpu_msrs);
	default:
		return 1;
	}
}
