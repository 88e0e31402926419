/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a cgroup stands in its tree, for the object that schedules and for the one that watches.
 */
#ifndef GTH_PARENT_H
#define GTH_PARENT_H

/* The id of the cgroup above this one; 0 for the root. */
static __always_inline __u64 parent_of(struct cgroup *cgrp)
{
	struct cgroup *parent, **ancestors = (void *)cgrp + bpf_core_field_offset(struct cgroup, ancestors);
	int level = cgrp->level;

	if (level <= 0 || bpf_probe_read_kernel(&parent, sizeof(parent), &ancestors[level - 1]) || !parent)
		return 0;
	return BPF_CORE_READ(parent, kn, id);
}

#endif
