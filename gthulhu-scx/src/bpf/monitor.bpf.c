// SPDX-License-Identifier: GPL-2.0
/*
 * Watches processes for user space, with or without a scheduler: a listing of all tasks whenever it is read, and from the
 * time of attaching on all that becomes of them. Needs no sched_ext.
 *
 * A listing leaves out whoever has begun to end, and an end is told after that has begun: so what is in a listing and
 * ends later is told of, and what was told of is in no later listing. All else is told when it has happened, but for a
 * name, which is told just before.
 */
#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "monitor.h"
#include "parent.bpf.h"

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, GTH_TOLD_BYTES);
} told SEC(".maps");

/* Reports that found no room; it only grows. */
volatile __u64 lost SEC(".data.lost");

static __always_inline void *told_begin(__u64 size)
{
	void *report = bpf_ringbuf_reserve(&told, size, 0);

	if (!report)
		__sync_fetch_and_add(&lost, 1);
	return report;
}

static __always_inline void describe(struct gth_told_task *t, enum gth_told_kind kind, struct task_struct *p)
{
	struct task_struct *leader = p->group_leader;

	t->kind = kind;
	t->flags = leader->flags & PF_EXITING ? GTH_LEADER_ENDED : 0;
	t->tid = p->pid;
	t->tgid = p->tgid;
	t->start_ns = p->start_boottime;
	t->leader_start_ns = leader->start_boottime;
	t->cgroup = leader->cgroups->dfl_cgrp->kn->id;
	t->parent = leader->real_parent->tgid;
	t->pad = 0;
	bpf_probe_read_kernel(t->comm, sizeof(t->comm), leader->comm);
}

/* Threads of the kernel are in no pod, whatever becomes of them. */
static __always_inline bool is_ours(const struct task_struct *p)
{
	return !(p->flags & PF_KTHREAD);
}

static __always_inline struct gth_told_task *begin_of(enum gth_told_kind kind, struct task_struct *p)
{
	struct gth_told_task *t;

	if (!is_ours(p))
		return NULL;
	t = told_begin(sizeof(*t));
	if (t)
		describe(t, kind, p);
	return t;
}

static __always_inline int tell(enum gth_told_kind kind, struct task_struct *p)
{
	struct gth_told_task *t = begin_of(kind, p);

	if (t)
		bpf_ringbuf_submit(t, 0);
	return 0;
}

SEC("iter/task")
int list_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *p = ctx->task;
	struct gth_told_task t;

	if (!p || !is_ours(p) || p->flags & PF_EXITING)
		return 0;
	describe(&t, GTH_TOLD_TASK, p);
	bpf_seq_write(ctx->meta->seq, &t, sizeof(t));
	return 0;
}

/* Of every task that is made, those that a fork does not make (for io_uring, say) too. */
SEC("tp_btf/task_newtask")
int BPF_PROG(tell_begun, struct task_struct *p, __u64 clone_flags)
{
	return tell(GTH_TOLD_BEGUN, p);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(tell_program, struct task_struct *p, int old_pid, struct linux_binprm *bprm)
{
	return tell(GTH_TOLD_PROGRAM, p);
}

/* The new name is not in place yet, so it is taken from the argument. */
SEC("tp_btf/task_rename")
int BPF_PROG(tell_name, struct task_struct *p, const char *comm)
{
	struct gth_told_task *t;

	if (p->pid != p->tgid)
		return 0;
	t = begin_of(GTH_TOLD_NAME, p);
	if (!t)
		return 0;
	__builtin_memset(t->comm, 0, sizeof(t->comm));
	bpf_probe_read_kernel_str(t->comm, sizeof(t->comm), comm);
	bpf_ringbuf_submit(t, 0);
	return 0;
}

/* Hierarchies of version 1 have cgroups of their own. */
static __always_inline bool is_unified(const struct cgroup *cgrp)
{
	return cgrp->root->hierarchy_id == 0;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(tell_moved, struct cgroup *to, const char *path, struct task_struct *p, bool whole_process)
{
	if (p->pid != p->tgid || !is_unified(to))
		return 0;
	return tell(GTH_TOLD_MOVED, p);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(tell_ended, struct task_struct *p)
{
	struct gth_told_task *t = begin_of(GTH_TOLD_ENDED, p);

	if (!t)
		return 0;
	if (p->signal->live.counter <= 0)
		t->flags |= GTH_LAST;
	bpf_ringbuf_submit(t, 0);
	return 0;
}

static __always_inline int tell_cgroup(enum gth_told_kind kind, struct cgroup *cgrp)
{
	struct gth_told_cgroup *c;

	if (!is_unified(cgrp))
		return 0;
	c = told_begin(sizeof(*c));
	if (!c)
		return 0;
	c->kind = kind;
	c->pad = 0;
	c->id = cgrp->kn->id;
	c->parent = parent_of(cgrp);
	__builtin_memset(c->name, 0, sizeof(c->name));
	bpf_probe_read_kernel_str(c->name, sizeof(c->name), BPF_CORE_READ(cgrp, kn, name));
	bpf_ringbuf_submit(c, 0);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(tell_cgroup_made, struct cgroup *cgrp, const char *path)
{
	return tell_cgroup(GTH_TOLD_CGROUP_MADE, cgrp);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(tell_cgroup_gone, struct cgroup *cgrp, const char *path)
{
	return tell_cgroup(GTH_TOLD_CGROUP_GONE, cgrp);
}
