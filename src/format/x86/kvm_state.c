/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Encodes and decodes the body of GODWIT_KVM.
 */
#include "format/x86/kvm_state.h"

#include "base/bytes.h"

#define HEAD_SIZE 48
#define MSR_SIZE  16

#define EVENT_SHADOW	  3u
#define EVENT_NMI_PENDING 4u
#define EVENT_NMI_MASKED  8u
#define EVENTS_KNOWN	  15u

/* KVM_MP_STATE_UNINITIALIZED to KVM_MP_STATE_SIPI_RECEIVED. */
#define MP_STATE_LAST 4u

bool gw_kvm_state_is_plain(const struct gw_kvm_state *state)
{
	return state->mp_state == GW_KVM_RUNNABLE && !state->shadow && !state->nmi_pending &&
	       !state->nmi_masked && state->nr_msrs == 0;
}

int gw_kvm_state_append(struct gw_buffer *out, const struct gw_kvm_state *state,
			struct gw_error *err)
{
	size_t len = HEAD_SIZE + MSR_SIZE * (size_t)state->nr_msrs;
	uint8_t *raw = gw_buffer_reserve(out, len, err);

	if (!raw)
		return -1;
	for (size_t i = 0; i < len; i++)
		raw[i] = 0;
	gw_put_le32(raw, GW_KVM_STATE_VERSION);
	gw_put_le32(raw + 4, 1); /* vCPUs */
	gw_put_le64(raw + 8, state->clock);
	gw_put_le32(raw + 16, 0); /* the number of this vCPU */
	gw_put_le32(raw + 20, state->mp_state);
	gw_put_le32(raw + 24, (state->shadow & EVENT_SHADOW) |
				      (state->nmi_pending ? EVENT_NMI_PENDING : 0) |
				      (state->nmi_masked ? EVENT_NMI_MASKED : 0));
	gw_put_le32(raw + 28, state->nr_msrs);
	for (uint32_t i = 0; i < state->nr_msrs; i++) {
		gw_put_le32(raw + HEAD_SIZE + MSR_SIZE * i, state->msrs[i].index);
		gw_put_le64(raw + HEAD_SIZE + MSR_SIZE * i + 8, state->msrs[i].value);
	}
	out->len += len;
	return 0;
}

static int bad(struct gw_error *err, const char *what, uint64_t value)
{
	return gw_fail(err, GW_INVALID, "GODWIT_KVM: %s (0x%llx)", what, (unsigned long long)value);
}

static int decode_head(const uint8_t *raw, size_t len, struct gw_kvm_state *state,
		       struct gw_error *err)
{
	uint32_t events;

	if (len < HEAD_SIZE)
		return bad(err, "too short", len);
	if (gw_get_le32(raw) != GW_KVM_STATE_VERSION)
		return gw_fail(err, GW_UNSUPPORTED, "GODWIT_KVM: version %u, this godwit knows %u",
			       gw_get_le32(raw), GW_KVM_STATE_VERSION);
	if (gw_get_le32(raw + 4) != 1 || gw_get_le32(raw + 16) != 0)
		return gw_fail(err, GW_UNSUPPORTED,
			       "GODWIT_KVM: %u vCPUs, this godwit knows records of one",
			       gw_get_le32(raw + 4));
	if (gw_get_le64(raw + 32) || gw_get_le64(raw + 40))
		return bad(err, "a reserved field is not 0",
			   gw_get_le64(raw + 32) | gw_get_le64(raw + 40));
	events = gw_get_le32(raw + 24);
	if (events & ~EVENTS_KNOWN)
		return bad(err, "unknown events", events);
	*state = (struct gw_kvm_state){
		.clock = gw_get_le64(raw + 8),
		.mp_state = gw_get_le32(raw + 20),
		.shadow = events & EVENT_SHADOW,
		.nmi_pending = events & EVENT_NMI_PENDING,
		.nmi_masked = events & EVENT_NMI_MASKED,
		.nr_msrs = gw_get_le32(raw + 28),
	};
	if (state->mp_state > MP_STATE_LAST)
		return bad(err, "unknown run state of a vCPU", state->mp_state);
	if (state->nr_msrs > GW_KVM_STATE_MSRS ||
	    len != HEAD_SIZE + MSR_SIZE * (size_t)state->nr_msrs)
		return bad(err, "its length does not fit its number of MSRs", state->nr_msrs);
	return 0;
}

int gw_kvm_state_decode(const void *body, size_t len, struct gw_kvm_state *state,
			struct gw_error *err)
{
	const uint8_t *raw = body;

	if (decode_head(raw, len, state, err) < 0)
		return -1;
	for (uint32_t i = 0; i < state->nr_msrs; i++) {
		const uint8_t *at = raw + HEAD_SIZE + MSR_SIZE * i;

		state->msrs[i] = (struct gw_kvm_msr){gw_get_le32(at), gw_get_le64(at + 8)};
		if (gw_get_le32(at + 4))
			return bad(err, "a reserved field is not 0", gw_get_le32(at + 4));
		if (i > 0 && state->msrs[i].index <= state->msrs[i - 1].index)
			return bad(err, "an MSR is out of order", state->msrs[i].index);
	}
	return 0;
}
