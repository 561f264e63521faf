/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keeps KVM's memory slots equal to the guest's memory: each run of gfns with a page is a slot, so
 * an access to any other address leaves the guest.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/buffer.h"
#include "base/util.h"
#include "hypervisor/kvm/domain.h"

static int push(struct gw_buffer *list, uint64_t gfn, uint64_t count, void *host,
		struct gw_error *err)
{
	struct gw_kvm_slot slot = {gfn, count, host, .used = true};

	return gw_buffer_append(list, &slot, sizeof(slot), err);
}

/* The runs of pages in ascending order, and the shared info page among them. */
static int list_wanted(const struct gw_kvm *k, struct gw_buffer *list, struct gw_error *err)
{
	const struct gw_machine *m = &k->m;
	uint64_t info = m->xen.shared_info_gfn, first, n;
	bool listed = info == GW_INVALID_PFN;

	for (uint64_t at = 0; (n = gw_machine_memory_run(&m->mem, at, &first)); at = first + n) {
		if (!listed && info < first) {
			listed = true;
			if (push(list, info, 1, m->xen.shared_info, err) < 0)
				return -1;
		}
		if (push(list, first, n, gw_machine_memory_page(&m->mem, first), err) < 0)
			return -1;
	}
	return listed ? 0 : push(list, info, 1, m->xen.shared_info, err);
}

static bool same(const struct gw_kvm_slot *a, const struct gw_kvm_slot *b)
{
	return a->gfn == b->gfn && a->count == b->count && a->host == b->host;
}

static int set_slot(const struct gw_kvm *k, size_t number, const struct gw_kvm_slot *slot,
		    struct gw_error *err)
{
	struct kvm_userspace_memory_region region = {
		.slot = (uint32_t)number,
		.flags = slot->logging ? KVM_MEM_LOG_DIRTY_PAGES : 0,
		.guest_phys_addr = slot->gfn * GW_PAGE_SIZE,
		.memory_size = slot->used ? slot->count * GW_PAGE_SIZE : 0,
		.userspace_addr = (uintptr_t)slot->host,
	};

	if (ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return gw_fail_errno(err, "giving KVM the guest's pages 0x%llx to 0x%llx",
				     (unsigned long long)slot->gfn,
				     (unsigned long long)(slot->gfn + slot->count - 1));
	return 0;
}

/* Takes a slot away. What was written there stays dirty. */
static int drop(struct gw_kvm *k, size_t number, struct gw_error *err)
{
	uint64_t *marks = k->m.dirty.marks;

	if (k->slots[number].logging && marks &&
	    gw_kvm_dirty_fetch_slot(k, number, marks, false, err) < 0)
		return -1;
	k->slots[number].used = false;
	return set_slot(k, number, &k->slots[number], err);
}

static bool wanted(const struct gw_kvm_slot *slot, const struct gw_kvm_slot *want, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (same(slot, &want[i]))
			return true;
	return false;
}

static bool present(const struct gw_kvm *k, const struct gw_kvm_slot *want)
{
	for (size_t i = 0; i < k->nr_slots; i++)
		if (k->slots[i].used && same(&k->slots[i], want))
			return true;
	return false;
}

static size_t free_number(const struct gw_kvm *k)
{
	size_t number = 0;

	while (number < k->nr_slots && k->slots[number].used)
		number++;
	return number;
}

static int put(struct gw_kvm *k, const struct gw_kvm_slot *slot, struct gw_error *err)
{
	size_t number = free_number(k);

	if (number >= k->caps->slots)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"the guest's memory is in more than %u separate pieces, which KVM cannot map",
			k->caps->slots);
	if (number == k->nr_slots) {
		struct gw_kvm_slot *more = realloc(k->slots, (k->nr_slots + 1) * sizeof(*k->slots));

		if (!more)
			return gw_fail(err, GW_NO_MEMORY, "no memory to list a domain's pages");
		k->slots = more;
		k->nr_slots++;
	}
	k->slots[number] = *slot;
	if (set_slot(k, number, slot, err) < 0) {
		k->slots[number].used = false;
		return -1;
	}
	/* Nothing runs now: what was written before is in the marks. */
	if (k->logging && slot->host != k->m.xen.shared_info)
		return gw_kvm_dirty_start_slot(k, number, err);
	return 0;
}

static int sync_locked(struct gw_kvm *k, const struct gw_kvm_slot *want, size_t n,
		       struct gw_error *err)
{
	for (size_t i = 0; i < k->nr_slots; i++)
		if (k->slots[i].used && !wanted(&k->slots[i], want, n) && drop(k, i, err) < 0)
			return -1;
	for (size_t i = 0; i < n; i++)
		if (!present(k, &want[i]) && put(k, &want[i], err) < 0)
			return -1;
	return 0;
}

int gw_kvm_slots_sync(struct gw_kvm *k, struct gw_error *err)
{
	struct gw_buffer list = {0};
	int rc;

	pthread_mutex_lock(&k->slot_lock);
	rc = list_wanted(k, &list, err);
	if (rc == 0)
		rc = sync_locked(k, (const struct gw_kvm_slot *)list.data,
				 list.len / sizeof(struct gw_kvm_slot), err);
	pthread_mutex_unlock(&k->slot_lock);
	gw_buffer_free(&list);
	return rc;
}
