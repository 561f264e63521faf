/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The domains that a host of this process holds (emu: and memory:): attach finds them, close lets
 * go of them, and the host outlives its last domain. A host of a real hypervisor needs none of
 * this.
 */
#ifndef GW_HYPERVISOR_HELD_H
#define GW_HYPERVISOR_HELD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <godwit/hypervisor.h>

/* One domain of the list; embedded in the backend's struct. */
struct gw_held {
	struct gw_held *next;
	struct gw_domain *domain;
	unsigned handles; /* create and attach count one each, close takes one away */
};

struct gw_held_list {
	pthread_mutex_t lock;
	struct gw_held *first;
	uint32_t next_domid;
	bool closed; /* the host was closed: nobody can attach any more */
};

void gw_held_init(struct gw_held_list *list);
/* A number for a new domain, 1 first. */
uint32_t gw_held_domid(struct gw_held_list *list);
/* Adds a new domain with one handle. */
void gw_held_add(struct gw_held_list *list, struct gw_held *held, struct gw_domain *domain);
/* One more handle of the domain with this number; NULL with err. */
struct gw_domain *gw_held_attach(struct gw_held_list *list, uint32_t domid, struct gw_error *err);
/* One handle less. True if nobody can reach the domain any more: the caller destroys it. */
bool gw_held_close(struct gw_held_list *list, struct gw_held *held);
/* Takes out a domain that ends. True if it was the last one of a closed host: the caller frees the
 * host. */
bool gw_held_remove(struct gw_held_list *list, struct gw_held *held);
/* The host was closed. Returns domains without a handle one by one, for the caller to destroy; NULL
 * at the end, then *last says if the caller frees the host now. */
struct gw_domain *gw_held_end(struct gw_held_list *list, bool *last);

#endif
