/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Log-dirty by KVM: a bitmap for each slot. With manual protection a page is protected again only
 * when it is cleared, and in the same step only what was fetched is cleared. KVM does not see the
 * stores of this process.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/bitmap.h"
#include "base/util.h"
#include "hypervisor/kvm/domain.h"

/* Protecting is done in parts of this many pages, between which the guest runs. */
#define PROTECT_STEP UINT64_C(65536)

/* Sets in bitmap, atomically, what is set in the count bits of part, from first on. */
static void merge(uint64_t *bitmap, uint64_t first, const uint64_t *part, uint64_t count)
{
	for (uint64_t i = 0; (i = gw_bitmap_next_set(part, count, i)) < count; i++)
		__atomic_fetch_or(&bitmap[(first + i) / 64], UINT64_C(1) << ((first + i) % 64),
				  __ATOMIC_ACQ_REL);
}

static int clear(const struct gw_kvm *k, uint32_t number, uint64_t first, uint64_t count,
		 void *bits, struct gw_error *err)
{
	struct kvm_clear_dirty_log clear = {.slot = number,
					    .first_page = first,
					    .num_pages = (uint32_t)count,
					    .dirty_bitmap = bits};

	if (ioctl(k->vm, KVM_CLEAR_DIRTY_LOG, &clear) < 0)
		return gw_fail_errno(err, "protecting a domain's written pages again");
	return 0;
}

static int clear_all(const struct gw_kvm *k, uint32_t number, uint64_t *bits, struct gw_error *err)
{
	uint64_t count = k->slots[number].count;

	for (uint64_t at = 0; at < count; at += PROTECT_STEP)
		if (clear(k, number, at, GW_MIN(PROTECT_STEP, count - at), bits + at / 64, err) < 0)
			return -1;
	return 0;
}

int gw_kvm_dirty_fetch_slot(struct gw_kvm *k, size_t number, uint64_t *bitmap, bool forget,
			    struct gw_error *err)
{
	const struct gw_kvm_slot *slot = &k->slots[number];
	uint64_t *part = gw_bitmap_new(slot->count);
	struct kvm_dirty_log log = {.slot = (uint32_t)number, .dirty_bitmap = part};
	int rc = 0;

	if (!part)
		return gw_fail(err, GW_NO_MEMORY, "no memory to collect dirty pages");
	if (ioctl(k->vm, KVM_GET_DIRTY_LOG, &log) < 0)
		rc = gw_fail_errno(err, "fetching a domain's written pages");
	if (rc == 0) {
		merge(bitmap, slot->gfn, part, slot->count);
		/* Without manual protection fetching has forgotten them: marks remember. */
		if (!forget && !k->caps->manual_protect)
			merge(k->m.dirty.marks, slot->gfn, part, slot->count);
		if (forget && k->caps->manual_protect)
			rc = clear_all(k, (uint32_t)number, part, err);
	}
	free(part);
	return rc;
}

static int collect(struct gw_machine *m, uint64_t *bitmap, bool forget, struct gw_error *err)
{
	struct gw_kvm *k = gw_kvm_of_machine(m);
	int rc = 0;

	gw_machine_dirty_take_marks(m, bitmap, forget);
	pthread_mutex_lock(&k->slot_lock);
	for (size_t i = 0; i < k->nr_slots && rc == 0; i++)
		if (k->slots[i].used && k->slots[i].logging)
			rc = gw_kvm_dirty_fetch_slot(k, i, bitmap, forget, err);
	pthread_mutex_unlock(&k->slot_lock);
	gw_machine_dirty_add_writers(m, bitmap);
	return rc;
}

static int set_logging(const struct gw_kvm *k, size_t number, bool on, struct gw_error *err)
{
	struct gw_kvm_slot *slot = &k->slots[number];
	struct kvm_userspace_memory_region region = {
		.slot = (uint32_t)number,
		.flags = on ? KVM_MEM_LOG_DIRTY_PAGES : 0,
		.guest_phys_addr = slot->gfn * GW_PAGE_SIZE,
		.memory_size = slot->count * GW_PAGE_SIZE,
		.userspace_addr = (uintptr_t)slot->host,
	};

	if (ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return gw_fail_errno(err, "switching a domain's log-dirty mode");
	slot->logging = on;
	return 0;
}

/* Where every page is dirty at first, all of them are cleared. */
int gw_kvm_dirty_start_slot(struct gw_kvm *k, size_t number, struct gw_error *err)
{
	uint64_t *all;
	int rc;

	if (set_logging(k, number, true, err) < 0)
		return -1;
	if (!k->caps->initially_set)
		return 0;
	all = gw_bitmap_new(k->slots[number].count);
	if (!all)
		return gw_fail(err, GW_NO_MEMORY, "no memory to log dirty pages");
	gw_bitmap_set_range(all, 0, k->slots[number].count);
	rc = clear_all(k, (uint32_t)number, all, err);
	free(all);
	return rc;
}

static bool is_memory(const struct gw_kvm *k, const struct gw_kvm_slot *slot)
{
	return slot->used && slot->host != k->m.xen.shared_info;
}

static int start(struct gw_machine *m, struct gw_error *err)
{
	struct gw_kvm *k = gw_kvm_of_machine(m);
	int rc = 0;

	pthread_mutex_lock(&k->slot_lock);
	k->logging = true;
	for (size_t i = 0; i < k->nr_slots && rc == 0; i++)
		if (is_memory(k, &k->slots[i]))
			rc = gw_kvm_dirty_start_slot(k, i, err);
	pthread_mutex_unlock(&k->slot_lock);
	return rc;
}

static void stop(struct gw_machine *m)
{
	struct gw_kvm *k = gw_kvm_of_machine(m);

	pthread_mutex_lock(&k->slot_lock);
	k->logging = false;
	for (size_t i = 0; i < k->nr_slots; i++)
		if (k->slots[i].used && k->slots[i].logging)
			set_logging(k, i, false, NULL);
	pthread_mutex_unlock(&k->slot_lock);
}

/* They are marked, and their slot comes with the next entry. */
static int added(struct gw_machine *m, size_t n, const uint64_t *gfns, struct gw_error *err)
{
	return 0;
}

const struct gw_machine_dirty_ops gw_kvm_dirty_log = {
	.name = "KVM's log",
	.misses_host_writes = true,
	.start = start,
	.collect = collect,
	.stop = stop,
	.added = added,
};
