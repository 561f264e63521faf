/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Compares what a domain claims with what is left, and reserves it in the same step.
 */
#include "vmm/room.h"

#include "base/util.h"
#include "hypervisor/host.h"
#include "migrate/preflight.h"
#include "vmm/domain.h"

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* What others leave of the machine and of the receiver's budget. The file is locked. */
static struct gw_preflight_room room_beside(const struct gw_process *p,
					    const struct gw_reserved *others)
{
	const struct gw_budget *budget = &p->args.budget;
	uint64_t free_pages = gw_machine_free_pages();

	return (struct gw_preflight_room){
		.left = free_pages == UINT64_MAX ? free_pages : less(free_pages, others->promised),
		.promised = others->promised,
		.max_pages = budget->max_memory / GW_PAGE_SIZE,
		.max_domains = budget->max_domains,
		.pages = others->pages,
		.domains = others->domains,
	};
}

static int lock(struct gw_process *p, struct gw_reserved *others, struct gw_error *err)
{
	if (gw_process_open_host(p, err) < 0)
		return -1;
	return gw_reservation_lock(&p->reservation, &p->runtime, p->args.budget.id, others, err);
}

static int reserve(struct gw_process *p, uint64_t pages, struct gw_error *err)
{
	return gw_reservation_set(&p->reservation, p->args.budget.id, pages,
				  !p->host->ops->never_runs, err);
}

/* A refused claim holds nothing, whatever it held before. */
static int finish(struct gw_process *p, int ret)
{
	gw_reservation_unlock(&p->reservation);
	if (ret < 0)
		gw_reservation_release(&p->reservation);
	return ret;
}

int gw_room_take(struct gw_process *p, const struct gw_policy *policy, struct gw_error *err)
{
	struct gw_preflight wanted = {
		.type = p->config.type,
		.policy = policy,
		.pages = p->config.max_memkb / 4,
	};
	struct gw_preflight_room room;
	struct gw_reserved others;
	int ret;

	if (lock(p, &others, err) < 0)
		return -1;
	room = room_beside(p, &others);
	wanted.room = &room;
	ret = gw_preflight(p->host, &wanted, err);
	if (ret == 0)
		ret = reserve(p, wanted.pages, err);
	return finish(p, ret);
}

int gw_room_take_rest(struct gw_process *p, enum gw_guest_type type, struct gw_error *err)
{
	struct gw_preflight wanted = {.type = type, .pages = 1};
	struct gw_preflight_room room;
	struct gw_reserved others;
	uint64_t rest;
	int ret;

	if (lock(p, &others, err) < 0)
		return -1;
	room = room_beside(p, &others);
	wanted.room = &room;
	rest = GW_MIN(gw_host_free_pages(p->host), room.left);
	if (room.max_pages)
		rest = GW_MIN(rest, less(room.max_pages, room.pages));
	ret = gw_preflight(p->host, &wanted, err);
	/* Without a budget it takes page by page what is free: to promise all of that to it would
	 * keep out everyone else. */
	if (ret == 0)
		ret = reserve(p, room.max_pages ? rest : 0, err);
	if (ret == 0) {
		pthread_mutex_lock(&p->lock);
		p->config.max_memkb = rest * 4;
		pthread_mutex_unlock(&p->lock);
	}
	return finish(p, ret);
}

int gw_room_resize(struct gw_process *p, struct gw_error *err)
{
	struct gw_reserved others;
	int ret;

	if (lock(p, &others, err) < 0)
		return -1;
	ret = reserve(p, p->config.max_memkb / 4, err);
	gw_reservation_unlock(&p->reservation);
	return ret;
}
