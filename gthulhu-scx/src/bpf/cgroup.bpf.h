/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel tells us about cgroups of the CPU controller: that they come and go, their weight and their limit.
 */
#ifndef GTH_CGROUP_H
#define GTH_CGROUP_H

#include "parent.bpf.h"

/* One too many is no error: it counts as part of the root. */
SEC("struct_ops.s/gthulhu_cgroup_init")
__s32 BPF_PROG(gthulhu_cgroup_init, struct cgroup *cgrp, struct scx_cgroup_init_args *args)
{
	__u64 parent = parent_of(cgrp);
	__u32 slot = slot_take(cgrp->kn->id, !parent);
	struct group *g = group_at(slot);

	if (!g)
		return 0;
	g->parent = parent ? slot_of(parent) : NO_SLOT;
	g->load = 0;
	g->share = 0;
	g->limit = NO_SLOT;
	g->weight = args->weight ?: WEIGHT_NORMAL;
	g->active_weight = g->weight;
	g->quota_ns = 0;
	if (!honour_limits)
		return 0;
	/* A slot that was in use before has its timer already. */
	if (!bpf_timer_init(&g->refill, &groups, CLOCK_MONOTONIC))
		bpf_timer_set_callback(&g->refill, limit_release);
	limit_set(g, args->bw_period_us, args->bw_quota_us, args->bw_burst_us, clock());
	return scx_bpf_create_dsq(DSQ_LIMIT(slot), -1);
}

SEC("struct_ops.s/gthulhu_cgroup_exit")
void BPF_PROG(gthulhu_cgroup_exit, struct cgroup *cgrp)
{
	__u32 slot = slot_of(cgrp->kn->id);
	struct group *g = group_at(slot);

	if (!g || g->id != cgrp->kn->id)
		return;
	/* Nothing runs here any more; what the parent may still count was left over by a race. */
	if (g->load)
		load_drop(g->parent, g->active_weight);
	if (honour_limits) {
		limit_set(g, 0, 0, 0, 0);
		scx_bpf_destroy_dsq(DSQ_LIMIT(slot));
	}
	g->id = 0;
}

SEC("struct_ops/gthulhu_cgroup_set_weight")
void BPF_PROG(gthulhu_cgroup_set_weight, struct cgroup *cgrp, __u32 weight)
{
	struct group *g = group_at(slot_of(cgrp->kn->id));

	if (g && g->id == cgrp->kn->id)
		group_reweigh(g, weight);
}

SEC("struct_ops/gthulhu_cgroup_set_bandwidth")
void BPF_PROG(gthulhu_cgroup_set_bandwidth, struct cgroup *cgrp, __u64 period_us, __u64 quota_us, __u64 burst_us)
{
	struct group *g = group_at(slot_of(cgrp->kn->id));

	if (g && g->id == cgrp->kn->id)
		limit_set(g, period_us, quota_us, burst_us, clock());
}

#endif
