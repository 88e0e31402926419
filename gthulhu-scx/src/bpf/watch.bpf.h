/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watches processes and cgroups come, change and go, for user space. Scheduling does not depend on any of it: a
 * task's strategy is looked up when it is enqueued (governed.bpf.h).
 */
#ifndef GTH_WATCH_H
#define GTH_WATCH_H

static __always_inline void report_if_ruled(struct task_struct *p)
{
	if (nearest_ruled(p))
		event_of_process(GTH_EV_PROCESS_NEW, p, cgroup_of(p));
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(watch_fork, struct task_struct *parent, struct task_struct *child)
{
	if (child->pid == child->tgid)
		report_if_ruled(child);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(watch_exec, struct task_struct *p, int old_pid, struct linux_binprm *bprm)
{
	report_if_ruled(p);
	return 0;
}

/* The new name is not in place yet, so it is taken from the argument. */
SEC("tp_btf/task_rename")
int BPF_PROG(watch_rename, struct task_struct *p, const char *comm)
{
	struct gth_event *e;

	if (p->pid != p->tgid || !nearest_ruled(p))
		return 0;
	e = event_begin(GTH_EV_PROCESS_NEW);
	if (!e)
		return 0;
	e->tgid = p->tgid;
	e->cgroup = cgroup_of(p);
	bpf_probe_read_kernel_str(e->comm, sizeof(e->comm), comm);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(watch_move, struct cgroup *to, const char *path, struct task_struct *p, bool whole_process)
{
	if (p->pid == p->tgid)
		report_if_ruled(p);
	return 0;
}

/* The rule of a process goes with its last thread, not with its leader. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(watch_exit, struct task_struct *p, bool group_dead)
{
	__u32 tgid = p->tgid;
	bool had_rule;

	if (!group_dead)
		return 0;
	had_rule = !bpf_map_delete_elem(&pid_rules, &tgid);
	if (had_rule || nearest_ruled(p))
		event_of_process(GTH_EV_PROCESS_GONE, p, cgroup_of(p));
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(watch_mkdir, struct cgroup *cgrp, const char *path)
{
	event_of_cgroup(GTH_EV_CGROUP_MADE, cgrp, path);
	return 0;
}

/* Ids are not used again, but an entry would stay for ever. */
SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(watch_rmdir, struct cgroup *cgrp, const char *path)
{
	__u64 id = cgrp->kn->id;

	bpf_map_delete_elem(&cg_rules, &id);
	event_of_cgroup(GTH_EV_CGROUP_GONE, cgrp, path);
	return 0;
}

#endif
