/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keeps Unicorn's memory map equal to the guest's memory: each run of gfns with a page is a region,
 * so an access to any other address stops the guest. All regions are mapped before the guest runs,
 * because Unicorn's page walker does not ask for missing memory.
 */
#include <stdlib.h>

#include "base/util.h"
#include "hypervisor/emu/domain.h"

/* Unicorn aborts the process at 4096 sections and needs seconds for a thousand. */
#define PIECES_MAX 512

struct list {
	struct gw_emu_piece *piece;
	size_t n;
};

static int push(struct list *l, uint64_t gfn, uint64_t count, void *host, struct gw_error *err)
{
	if (!count)
		return 0;
	if (l->n == PIECES_MAX)
		return gw_fail(
			err, GW_UNSUPPORTED,
			"the guest's memory is in more than %d separate pieces, which the built-in machine cannot map",
			PIECES_MAX);
	l->piece[l->n++] = (struct gw_emu_piece){gfn, count, host};
	return 0;
}

static int list_wanted(struct gw_emu *e, struct list *l, struct gw_error *err)
{
	uint64_t info = e->m.xen.shared_info_gfn;
	bool listed = info == GW_INVALID_PFN;
	uint64_t first, n;

	l->piece = malloc(PIECES_MAX * sizeof(*l->piece));
	if (!l->piece)
		return gw_fail(err, GW_NO_MEMORY, "no memory to list a domain's pages");
	for (uint64_t at = 0; (n = gw_machine_memory_run(&e->m.mem, at, &first)); at = first + n) {
		if (!listed && info < first) {
			listed = true;
			if (push(l, info, 1, e->m.xen.shared_info, err) < 0)
				return -1;
		}
		if (push(l, first, n, gw_machine_memory_page(&e->m.mem, first), err) < 0)
			return -1;
	}
	return listed ? 0 : push(l, info, 1, e->m.xen.shared_info, err);
}

static bool same(const struct gw_emu_piece *a, const struct gw_emu_piece *b)
{
	return a->gfn == b->gfn && a->count == b->count && a->host == b->host;
}

static bool is_in(const struct gw_emu_piece *p, const struct gw_emu_piece *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (same(p, &list[i]))
			return true;
	return false;
}

int gw_emu_pieces_sync(struct gw_emu *e, struct gw_error *err)
{
	struct gw_emu_engine *eng = &e->engine;
	struct list want = {0};
	uc_err rc = UC_ERR_OK;

	if (list_wanted(e, &want, err) < 0) {
		free(want.piece);
		return -1;
	}
	for (size_t i = 0; i < eng->nr_pieces; i++)
		if (!is_in(&eng->pieces[i], want.piece, want.n))
			e->u->mem_unmap(eng->uc, eng->pieces[i].gfn * GW_PAGE_SIZE,
					eng->pieces[i].count * GW_PAGE_SIZE);
	for (size_t i = 0; i < want.n && rc == UC_ERR_OK; i++)
		if (!is_in(&want.piece[i], eng->pieces, eng->nr_pieces)) {
			rc = e->u->mem_map_ptr(eng->uc, want.piece[i].gfn * GW_PAGE_SIZE,
					       want.piece[i].count * GW_PAGE_SIZE, UC_PROT_ALL,
					       want.piece[i].host);
			if (rc != UC_ERR_OK)
				gw_fail(err, GW_UNSUPPORTED,
					"Unicorn cannot map the guest's pages 0x%llx to 0x%llx: %s",
					(unsigned long long)want.piece[i].gfn,
					(unsigned long long)(want.piece[i].gfn +
							     want.piece[i].count - 1),
					e->u->strerror(rc));
		}
	free(eng->pieces);
	eng->pieces = want.piece;
	eng->nr_pieces = want.n;
	return rc == UC_ERR_OK ? 0 : -1;
}
