/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Decides about a new VM generation id, and writes it into the guest's memory and the config.
 */
#include "vmm/genid.h"

#include <string.h>
#include <sys/random.h>

#include "base/util.h"
#include "hypervisor/domain.h"
#include "vmm/client.h"
#include "vmm/restored.h"

#define PARAM_GENID_ADDR 34 /* VM_GENERATION_ID_ADDR, a guest-physical address */
#define GENID_BYTES	 16u
#define ANSWER_MS	 1000

/* The address of the id in the guest's memory; 0: it has none. */
static int find_address(struct gw_domain *d, uint64_t *address, struct gw_error *err)
{
	*address = 0;
	return d->hvm ? gw_domain_get_param(d, PARAM_GENID_ADDR, address, err) : 0;
}

/* The address comes from the image: it may be anywhere. */
static int write_memory(struct gw_domain *d, uint64_t address, const uint8_t genid[GENID_BYTES],
			struct gw_error *err)
{
	uint64_t gfn = address / GW_PAGE_SIZE, at = address % GW_PAGE_SIZE;
	struct gw_mapping mapping;
	void *page;

	if (at > GW_PAGE_SIZE - GENID_BYTES)
		return gw_fail(err, GW_INVALID,
			       "the VM generation id at 0x%llx does not lie within one page",
			       (unsigned long long)address);
	if (gw_domain_map(d, 1, &gfn, true, &page, &mapping, err) < 0)
		return gw_fail_in(err, "the VM generation id at 0x%llx",
				  (unsigned long long)address);
	memcpy((uint8_t *)page + at, genid, GENID_BYTES);
	gw_domain_unmap(d, &mapping);
	return 0;
}

static int renew(struct gw_process *p, uint64_t address, struct gw_error *err)
{
	uint8_t genid[GENID_BYTES];
	int rc;

	if (getrandom(genid, sizeof(genid), 0) != (ssize_t)sizeof(genid))
		return gw_fail_errno(err, "random bytes for a VM generation id");
	if (write_memory(p->domain, address, genid, err) < 0)
		return -1;
	pthread_mutex_lock(&p->lock);
	rc = gw_config_set_genid(&p->config, genid, err);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

static bool has_uuid(struct gw_process *p, const char *name, const char *uuid)
{
	struct gw_client client;
	json_t *info = NULL;
	const char *text;
	bool same = false;

	if (gw_client_connect(&client, &p->runtime, name, NULL) < 0)
		return false;
	if (gw_client_call(&client, json_pack("{s:s}", "request", "info"), -1, NULL, NULL, NULL,
			   ANSWER_MS, &info, NULL) == 0) {
		text = json_string_value(json_object_get(info, "uuid"));
		same = text && strcmp(text, uuid) == 0;
	}
	json_decref(info);
	gw_client_close(&client);
	return same;
}

/* Another domain here with this uuid: its name in buf, or "". */
static void find_twin(struct gw_process *p, const char *uuid, char buf[GW_NAME_MAX])
{
	char **names;
	size_t n;

	buf[0] = '\0';
	if (gw_runtime_list(&p->runtime, &names, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n && !buf[0]; i++)
		if (strcmp(names[i], p->claim.name) != 0 && has_uuid(p, names[i], uuid))
			snprintf(buf, GW_NAME_MAX, "%s", names[i]);
	gw_runtime_free_list(names, n);
}

static void warn(struct gw_process *p, const uint8_t uuid_before[16], const char *effect)
{
	char uuid[37], twin[GW_NAME_MAX];

	gw_uuid_format(p->config.uuid, uuid);
	if (memcmp(uuid_before, p->config.uuid, 16) != 0) {
		gw_logf(&p->args.log, GW_LOG_WARNING, "this image was restored here before: %s",
			effect);
		return;
	}
	find_twin(p, uuid, twin);
	gw_logf(&p->args.log, GW_LOG_WARNING,
		"this image was restored here before, with the same uuid %s%s%s%s: %s", uuid,
		twin[0] ? ", and the domain \"" : "", twin, twin[0] ? "\" has that uuid, too" : "",
		effect);
}

/* A new id for a guest that was restored before, if that can be done. The restore goes on in any
 * case. */
static void renew_again(struct gw_process *p, uint64_t address, const uint8_t uuid_before[16])
{
	struct gw_error err = GW_ERROR_INIT;

	if (address == 0)
		warn(p, uuid_before,
		     "its guest has no VM generation id by which it could notice that");
	else if (renew(p, address, &err) == 0)
		warn(p, uuid_before, "its guest gets a new VM generation id");
	else
		warn(p, uuid_before, err.text);
}

int gw_genid_after_restore(struct gw_process *p, uint64_t fingerprint, struct gw_error *err)
{
	struct gw_error unknown = GW_ERROR_INIT;
	uint8_t uuid_before[16];
	uint64_t address;
	bool before;

	if (find_address(p->domain, &address, err) < 0)
		return -1;
	if (p->args.new_genid && address == 0)
		return gw_fail(
			err, GW_REFUSED,
			"the guest has no VM generation id (HVM param VM_GENERATION_ID_ADDR)");
	if (p->args.new_genid && renew(p, address, err) < 0)
		return -1;
	if (gw_restored_note(&p->runtime, fingerprint, p->config.uuid, &before, uuid_before,
			     &unknown) < 0)
		gw_logf(&p->args.log, GW_LOG_WARNING,
			"it is not known whether this image was restored here before: %s",
			unknown.text);
	else if (before && p->args.new_genid)
		warn(p, uuid_before, "its guest gets a new VM generation id");
	else if (before)
		renew_again(p, address, uuid_before);
	return 0;
}
