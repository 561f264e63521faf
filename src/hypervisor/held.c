/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The domains that a host of this process holds (held.h).
 */
#include "hypervisor/held.h"

#include <assert.h>

void gw_held_init(struct gw_held_list *list)
{
	*list = (struct gw_held_list){.next_domid = 1};
	pthread_mutex_init(&list->lock, NULL);
}

uint32_t gw_held_domid(struct gw_held_list *list)
{
	pthread_mutex_lock(&list->lock);
	uint32_t domid = list->next_domid++;
	pthread_mutex_unlock(&list->lock);
	return domid;
}

void gw_held_add(struct gw_held_list *list, struct gw_held *held, struct gw_domain *domain)
{
	held->domain = domain;
	held->handles = 1;
	pthread_mutex_lock(&list->lock);
	held->next = list->first;
	list->first = held;
	pthread_mutex_unlock(&list->lock);
}

struct gw_domain *gw_held_attach(struct gw_held_list *list, uint32_t domid, struct gw_error *err)
{
	struct gw_domain *found = NULL;

	pthread_mutex_lock(&list->lock);
	for (struct gw_held *held = list->first; held && !found; held = held->next)
		if (held->domain->domid == domid) {
			held->handles++;
			found = held->domain;
		}
	pthread_mutex_unlock(&list->lock);
	if (!found)
		gw_fail(err, GW_UNSUPPORTED,
			"domain %u is not one of this host: a domain of another process cannot be attached",
			domid);
	return found;
}

bool gw_held_close(struct gw_held_list *list, struct gw_held *held)
{
	pthread_mutex_lock(&list->lock);
	assert(held->handles > 0);
	bool unreachable = --held->handles == 0 && list->closed;
	pthread_mutex_unlock(&list->lock);
	return unreachable;
}

bool gw_held_remove(struct gw_held_list *list, struct gw_held *held)
{
	pthread_mutex_lock(&list->lock);
	for (struct gw_held **p = &list->first; *p; p = &(*p)->next)
		if (*p == held) {
			*p = held->next;
			break;
		}
	bool last = list->closed && !list->first;
	pthread_mutex_unlock(&list->lock);
	return last;
}

struct gw_domain *gw_held_end(struct gw_held_list *list, bool *last)
{
	struct gw_domain *found = NULL;

	pthread_mutex_lock(&list->lock);
	for (struct gw_held *held = list->first; held && !found; held = held->next)
		if (held->handles == 0)
			found = held->domain;
	/* Only now: removing the last of those must not free the host below its caller. */
	if (!found)
		list->closed = true;
	*last = !found && !list->first;
	pthread_mutex_unlock(&list->lock);
	return found;
}
