/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The vCPUs of a PV domain of Xen's, as the four blobs that an image carries.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "format/libxc/image.h"
#include "format/x86/pv_layout.h"
#include "hypervisor/xen/domain.h"

#define XSAVE_MAX (1u << 20) /* of one vCPU; far above what any CPU has */
#define MSRS_MAX  4096u	     /* of one vCPU */

static int give(const void *data, size_t n, void **blob, size_t *len, struct gw_error *err)
{
	*blob = malloc(n + 1);
	if (!*blob)
		return gw_fail_errno(err, "the state of a vCPU, %zu bytes", n);
	memcpy(*blob, data, n);
	*len = n;
	return 0;
}

/* The context has the guest's layout; libxc's struct has room for both. */
static int basic_size(struct gw_domain *d, size_t *size, struct gw_error *err)
{
	const struct gw_pv_layout *layout;
	unsigned width;

	if (gw_xen_get_width(d, &width, err) < 0)
		return -1;
	layout = gw_pv_layout(width);
	if (!layout || layout->vcpu_size > sizeof(vcpu_guest_context_any_t))
		return gw_fail(err, GW_UNSUPPORTED, "a PV guest of width %u: expected 4 or 8",
			       width);
	*size = layout->vcpu_size;
	return 0;
}

static int get_basic(struct gw_domain *d, uint32_t vcpu, void **blob, size_t *len,
		     struct gw_error *err)
{
	vcpu_guest_context_any_t context;
	size_t size = 0;

	if (basic_size(d, &size, err) < 0)
		return -1;
	memset(&context, 0, sizeof(context));
	if (xc_vcpu_getcontext(gw_xen_xch(d), d->domid, vcpu, &context) < 0)
		return gw_xen_fail(err, "its context");
	return give(&context, size, blob, len, err);
}

static int set_basic(struct gw_domain *d, uint32_t vcpu, const void *blob, size_t len,
		     struct gw_error *err)
{
	vcpu_guest_context_any_t context;
	size_t size = 0;

	if (basic_size(d, &size, err) < 0)
		return -1;
	if (len != size)
		return gw_fail(err, GW_INVALID, "a context of %zu bytes: expected %zu", len, size);
	memset(&context, 0, sizeof(context));
	memcpy(&context, blob, len);
	if (xc_vcpu_setcontext(gw_xen_xch(d), d->domid, vcpu, &context) < 0)
		return gw_xen_fail(err, "its context");
	return 0;
}

static int get_extended(struct gw_domain *d, uint32_t vcpu, void **blob, size_t *len,
			struct gw_error *err)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_get_ext_vcpucontext,
		.domain = (domid_t)d->domid,
		.u.ext_vcpucontext.vcpu = vcpu,
	};

	if (xc_domctl(gw_xen_xch(d), &op) < 0)
		return gw_xen_fail(err, "its extended context");
	uint32_t size = op.u.ext_vcpucontext.size;

	if (size > GW_PV_EXTENDED_MAX)
		return gw_fail(err, GW_UNSUPPORTED,
			       "its extended context has %u bytes, at most %u go", size,
			       GW_PV_EXTENDED_MAX);
	return size ? give(&op.u, size, blob, len, err) : 0;
}

/* The blob begins with its vCPU and its size, which Xen reads from there. */
static int set_extended(struct gw_domain *d, uint32_t vcpu, const void *blob, size_t len,
			struct gw_error *err)
{
	struct xen_domctl op = {
		.cmd = XEN_DOMCTL_set_ext_vcpucontext,
		.domain = (domid_t)d->domid,
	};

	if (len < 8 || len > GW_PV_EXTENDED_MAX || len > sizeof(op.u))
		return gw_fail(err, GW_INVALID,
			       "an extended context of %zu bytes: expected 8 to %u", len,
			       GW_PV_EXTENDED_MAX);
	memcpy(&op.u, blob, len);
	if (op.u.ext_vcpucontext.vcpu != vcpu)
		return gw_fail(err, GW_INVALID, "an extended context of vCPU %u",
			       op.u.ext_vcpucontext.vcpu);
	if (xc_domctl(gw_xen_xch(d), &op) < 0)
		return gw_xen_fail(err, "its extended context");
	return 0;
}

static int xsave_op(struct gw_domain *d, uint32_t cmd, uint32_t vcpu, void *buffer, uint64_t *size,
		    uint64_t *mask)
{
	struct xen_domctl op = {
		.cmd = cmd,
		.domain = (domid_t)d->domid,
		.u.vcpuextstate = {.vcpu = vcpu, .size = *size, .xfeature_mask = *mask},
	};

	set_xen_guest_handle_raw(op.u.vcpuextstate.buffer, (uint64_t *)buffer);
	int r = xc_domctl(gw_xen_xch(d), &op);

	*size = op.u.vcpuextstate.size;
	*mask = op.u.vcpuextstate.xfeature_mask;
	return r;
}

/* Without XSAVE the size is not 0, but the mask is. */
static int get_xsave(struct gw_domain *d, uint32_t vcpu, void **blob, size_t *len,
		     struct gw_error *err)
{
	struct gw_xen_host *h = gw_xen_of(d)->host;
	uint64_t size = 0, mask = 0;

	if (xsave_op(d, XEN_DOMCTL_getvcpuextstate, vcpu, NULL, &size, &mask) < 0)
		return gw_xen_fail(err, "the size of its XSAVE state");
	if (mask == 0 || size == 0)
		return 0;
	if (size > XSAVE_MAX)
		return gw_fail(err, GW_UNSUPPORTED, "its XSAVE state has %llu bytes",
			       (unsigned long long)size);
	size_t room = (size_t)size;
	void *buffer = gw_xen_buffer_alloc(h, room, err);

	if (!buffer)
		return -1;
	int r = xsave_op(d, XEN_DOMCTL_getvcpuextstate, vcpu, buffer, &size, &mask);

	if (r < 0)
		gw_xen_fail(err, "its XSAVE state");
	else if (size > 0)
		r = give(buffer, GW_MIN((size_t)size, room), blob, len, err);
	gw_xen_buffer_free(h, buffer, room);
	return r < 0 ? -1 : 0;
}

static int set_xsave(struct gw_domain *d, uint32_t vcpu, const void *blob, size_t len,
		     struct gw_error *err)
{
	struct gw_xen_host *h = gw_xen_of(d)->host;
	uint64_t size = len, mask = 0;

	if (len < GW_PV_XSAVE_MIN || len > XSAVE_MAX)
		return gw_fail(err, GW_INVALID, "XSAVE state of %zu bytes: at least %u", len,
			       GW_PV_XSAVE_MIN);
	void *buffer = gw_xen_buffer_alloc(h, len, err);

	if (!buffer)
		return -1;
	memcpy(buffer, blob, len);
	int r = xsave_op(d, XEN_DOMCTL_setvcpuextstate, vcpu, buffer, &size, &mask);

	if (r < 0)
		gw_xen_fail(err, "its XSAVE state (does this host have XSAVE?)");
	gw_xen_buffer_free(h, buffer, len);
	return r < 0 ? -1 : 0;
}

static int msrs_op(struct gw_domain *d, uint32_t cmd, uint32_t vcpu, void *buffer, uint32_t *count)
{
	struct xen_domctl op = {
		.cmd = cmd,
		.domain = (domid_t)d->domid,
		.u.vcpu_msrs = {.vcpu = vcpu, .msr_count = *count},
	};

	set_xen_guest_handle_raw(op.u.vcpu_msrs.msrs, (xen_domctl_vcpu_msr_t *)buffer);
	int r = xc_domctl(gw_xen_xch(d), &op);

	*count = op.u.vcpu_msrs.msr_count;
	return r;
}

static int get_msrs(struct gw_domain *d, uint32_t vcpu, void **blob, size_t *len,
		    struct gw_error *err)
{
	struct gw_xen_host *h = gw_xen_of(d)->host;
	uint32_t count = 0;

	if (msrs_op(d, XEN_DOMCTL_get_vcpu_msrs, vcpu, NULL, &count) < 0)
		return gw_xen_fail(err, "the number of its MSRs");
	if (count == 0)
		return 0;
	if (count > MSRS_MAX)
		return gw_fail(err, GW_UNSUPPORTED, "it has %u MSRs", count);
	size_t room = count * sizeof(xen_domctl_vcpu_msr_t);
	void *buffer = gw_xen_buffer_alloc(h, room, err);

	if (!buffer)
		return -1;
	/* The first answer was the most that there can be. */
	int r = msrs_op(d, XEN_DOMCTL_get_vcpu_msrs, vcpu, buffer, &count);

	if (r < 0)
		gw_xen_fail(err, "its MSRs");
	else if (count > 0)
		r = give(buffer, GW_MIN(count * sizeof(xen_domctl_vcpu_msr_t), room), blob, len,
			 err);
	gw_xen_buffer_free(h, buffer, room);
	return r < 0 ? -1 : 0;
}

static int set_msrs(struct gw_domain *d, uint32_t vcpu, const void *blob, size_t len,
		    struct gw_error *err)
{
	struct gw_xen_host *h = gw_xen_of(d)->host;
	uint32_t all = (uint32_t)(len / sizeof(xen_domctl_vcpu_msr_t)), count = all;

	if (len % sizeof(xen_domctl_vcpu_msr_t) || all > MSRS_MAX)
		return gw_fail(err, GW_INVALID, "MSRs of %zu bytes: not a multiple of %zu", len,
			       sizeof(xen_domctl_vcpu_msr_t));
	xen_domctl_vcpu_msr_t *msrs = gw_xen_buffer_alloc(h, len, err);

	if (!msrs)
		return -1;
	memcpy(msrs, blob, len);
	int r = msrs_op(d, XEN_DOMCTL_set_vcpu_msrs, vcpu, msrs, &count);

	/* Xen says at which one it stopped. */
	if (r < 0 && count < all)
		gw_xen_fail(err, "its MSR 0x%x", msrs[count].index);
	else if (r < 0)
		gw_xen_fail(err, "its MSRs");
	gw_xen_buffer_free(h, msrs, len);
	return r < 0 ? -1 : 0;
}

static int unknown(uint32_t record, struct gw_error *err)
{
	return gw_fail(err, GW_USAGE, "state 0x%x of a vCPU is not known", record);
}

int gw_xen_get_vcpu(struct gw_domain *d, uint32_t vcpu, uint32_t record, void **blob, size_t *len,
		    struct gw_error *err)
{
	int r;

	*blob = NULL;
	*len = 0;
	switch (record) {
	case GW_REC_X86_PV_VCPU_BASIC:
		r = get_basic(d, vcpu, blob, len, err);
		break;
	case GW_REC_X86_PV_VCPU_EXTENDED:
		r = get_extended(d, vcpu, blob, len, err);
		break;
	case GW_REC_X86_PV_VCPU_XSAVE:
		r = get_xsave(d, vcpu, blob, len, err);
		break;
	case GW_REC_X86_PV_VCPU_MSRS:
		r = get_msrs(d, vcpu, blob, len, err);
		break;
	default:
		return unknown(record, err);
	}
	return r < 0 ? gw_fail_in(err, "domain %u, vCPU %u", d->domid, vcpu) : 0;
}

int gw_xen_set_vcpu(struct gw_domain *d, uint32_t vcpu, uint32_t record, const void *blob,
		    size_t len, struct gw_error *err)
{
	int r;

	switch (record) {
	case GW_REC_X86_PV_VCPU_BASIC:
		r = set_basic(d, vcpu, blob, len, err);
		break;
	case GW_REC_X86_PV_VCPU_EXTENDED:
		r = set_extended(d, vcpu, blob, len, err);
		break;
	case GW_REC_X86_PV_VCPU_XSAVE:
		r = set_xsave(d, vcpu, blob, len, err);
		break;
	case GW_REC_X86_PV_VCPU_MSRS:
		r = set_msrs(d, vcpu, blob, len, err);
		break;
	default:
		return unknown(record, err);
	}
	return r < 0 ? gw_fail_in(err, "domain %u, vCPU %u", d->domid, vcpu) : 0;
}
