/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of an HVM or PVH domain of the memory backend: context and params, kept unchanged.
 */
#include <string.h>

#include "base/util.h"
#include "hypervisor/memory/domain.h"

static int get_context(struct gw_domain *d, void **blob, size_t *len, struct gw_error *err)
{
	struct gw_buffer *context = &gw_memory_of(d)->hvm.context;

	if (context->len == 0)
		return gw_fail(err, GW_UNSUPPORTED,
			       "the domain has no HVM context: nothing was restored into it");
	*blob = malloc(context->len);
	if (!*blob)
		return gw_fail_errno(err, "an HVM context of %zu bytes", context->len);
	memcpy(*blob, context->data, context->len);
	*len = context->len;
	return 0;
}

static int set_context(struct gw_domain *d, const void *blob, size_t len, struct gw_error *err)
{
	struct gw_buffer *context = &gw_memory_of(d)->hvm.context;

	if (len == 0)
		return gw_fail(err, GW_INVALID, "the HVM context is empty");
	gw_buffer_reset(context);
	return gw_buffer_append(context, blob, len, err);
}

static int check_param(uint32_t index, struct gw_error *err)
{
	if (index < GW_MEMORY_HVM_PARAMS)
		return 0;
	return gw_fail(err, GW_UNSUPPORTED, "HVM param %u: there are %u", index,
		       GW_MEMORY_HVM_PARAMS);
}

static int get_param(struct gw_domain *d, uint32_t index, uint64_t *value, struct gw_error *err)
{
	if (check_param(index, err) < 0)
		return -1;
	*value = gw_memory_of(d)->hvm.params[index];
	return 0;
}

static int set_param(struct gw_domain *d, uint32_t index, uint64_t value, struct gw_error *err)
{
	if (check_param(index, err) < 0)
		return -1;
	gw_memory_of(d)->hvm.params[index] = value;
	return 0;
}

const struct gw_x86_hvm_ops gw_memory_hvm_ops = {
	.head = GW_TABLE_HEAD(struct gw_x86_hvm_ops),
	.get_context = get_context,
	.set_context = set_context,
	.get_param = get_param,
	.set_param = set_param,
};

void gw_memory_hvm_free(struct gw_memory_domain *m)
{
	gw_buffer_free(&m->hvm.context);
}
