/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel tells us about cgroups of the CPU controller: that they come and go, their weight and their limit.
 */
#ifndef GTH_CGROUP_H
#define GTH_CGROUP_H

static __always_inline __u64 parent_of(struct cgroup *cgrp)
{
	struct cgroup *parent, **ancestors = (void *)cgrp + bpf_core_field_offset(struct cgroup, ancestors);
	int level = cgrp->level;

	if (level <= 0 || bpf_probe_read_kernel(&parent, sizeof(parent), &ancestors[level - 1]) || !parent)
		return 0;
	return BPF_CORE_READ(parent, kn, id);
}

/* One too many is no error: it counts as part of the root. */
SEC("struct_ops.s/gthulhu_cgroup_init")
__s32 BPF_PROG(gthulhu_cgroup_init, struct cgroup *cgrp, struct scx_cgroup_init_args *args)
{
	__u64 id = cgrp->kn->id;
	struct group fresh = {
		.parent = parent_of(cgrp),
		.weight = args->weight ?: WEIGHT_NORMAL,
		.share = 0,
	};
	struct group *g;
	__s32 err;

	fresh.active_weight = fresh.weight;
	if (!fresh.parent)
		root_group = id;
	if (bpf_map_update_elem(&groups, &id, &fresh, BPF_ANY))
		return 0;
	g = group_by_id(id);
	if (!g || !honour_limits)
		return 0;
	err = scx_bpf_create_dsq(DSQ_LIMIT(id), -1);
	if (err)
		return err;
	bpf_timer_init(&g->refill, &groups, CLOCK_MONOTONIC);
	bpf_timer_set_callback(&g->refill, limit_release);
	limit_set(g, args->bw_period_us, args->bw_quota_us, args->bw_burst_us, clock());
	return 0;
}

SEC("struct_ops.s/gthulhu_cgroup_exit")
void BPF_PROG(gthulhu_cgroup_exit, struct cgroup *cgrp)
{
	__u64 id = cgrp->kn->id;
	struct group *g = group_by_id(id);

	if (!g)
		return;
	/* Nothing runs here any more; what the parent may still count was left over by a race. */
	if (g->load)
		load_drop(g->parent, g->active_weight);
	if (honour_limits)
		scx_bpf_destroy_dsq(DSQ_LIMIT(id));
	bpf_map_delete_elem(&groups, &id);
}

SEC("struct_ops/gthulhu_cgroup_set_weight")
void BPF_PROG(gthulhu_cgroup_set_weight, struct cgroup *cgrp, __u32 weight)
{
	struct group *g = group_by_id(cgrp->kn->id);

	if (g)
		group_reweigh(g, weight);
}

SEC("struct_ops/gthulhu_cgroup_set_bandwidth")
void BPF_PROG(gthulhu_cgroup_set_bandwidth, struct cgroup *cgrp, __u64 period_us, __u64 quota_us, __u64 burst_us)
{
	struct group *g = group_by_id(cgrp->kn->id);

	if (g)
		limit_set(g, period_us, quota_us, burst_us, clock());
}

#endif
