/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's functions and flags under one name each, whatever the running kernel calls them.
 *
 * A function that not every kernel has is declared weak under a suffix (the loader drops what follows `___`) and
 * used only where its symbol exists; the loader removes the other branch. Flags are asked for by name, since their
 * values moved between kernels.
 */
#ifndef GTH_COMPAT_H
#define GTH_COMPAT_H

#define flag(type, name) bpf_core_enum_value(enum type, name)
/* A flag that is 0 where the kernel does not know it. */
#define flag_or_none(type, name) (bpf_core_enum_value_exists(enum type, name) ? flag(type, name) : 0)

#define ENQ_WAKEUP flag(scx_enq_flags, SCX_ENQ_WAKEUP)
#define ENQ_PREEMPT flag(scx_enq_flags, SCX_ENQ_PREEMPT)
#define ENQ_REENQ flag(scx_enq_flags, SCX_ENQ_REENQ)
#define ENQ_LAST flag(scx_enq_flags, SCX_ENQ_LAST)
/* Since 6.15; before, it cannot be told whether a CPU was looked for. */
#define ENQ_CPU_SELECTED flag_or_none(scx_enq_flags, SCX_ENQ_CPU_SELECTED)
#define ENT_QUEUED flag(scx_ent_flags, SCX_TASK_QUEUED)
#define KICK_IDLE flag(scx_kick_flags, SCX_KICK_IDLE)
#define KICK_PREEMPT flag(scx_kick_flags, SCX_KICK_PREEMPT)
#define DSQ_LOCAL flag(scx_dsq_id_flags, SCX_DSQ_LOCAL)
#define DSQ_LOCAL_ON flag(scx_dsq_id_flags, SCX_DSQ_LOCAL_ON)

/* On every kernel from 6.12 on. */
__s32 scx_bpf_create_dsq(__u64 dsq_id, __s32 node) __ksym;
void scx_bpf_destroy_dsq(__u64 dsq_id) __ksym;
__s32 scx_bpf_dsq_nr_queued(__u64 dsq_id) __ksym;
__s32 scx_bpf_select_cpu_dfl(struct task_struct *p, __s32 prev_cpu, __u64 wake_flags, bool *is_idle) __ksym;
__s32 scx_bpf_pick_idle_cpu(const struct cpumask *allowed, __u64 flags) __ksym;
__s32 scx_bpf_pick_any_cpu(const struct cpumask *allowed, __u64 flags) __ksym;
bool scx_bpf_test_and_clear_cpu_idle(__s32 cpu) __ksym;
__s32 scx_bpf_task_cpu(const struct task_struct *p) __ksym;
void scx_bpf_kick_cpu(__s32 cpu, __u64 flags) __ksym;
const struct cpumask *scx_bpf_get_online_cpumask(void) __ksym;
void scx_bpf_put_cpumask(const struct cpumask *mask) __ksym;
bool bpf_cpumask_test_cpu(__u32 cpu, const struct cpumask *mask) __ksym;

int bpf_iter_scx_dsq_new(struct bpf_iter_scx_dsq *it, __u64 dsq_id, __u64 flags) __ksym __weak;
struct task_struct *bpf_iter_scx_dsq_next(struct bpf_iter_scx_dsq *it) __ksym __weak;
void bpf_iter_scx_dsq_destroy(struct bpf_iter_scx_dsq *it) __ksym __weak;

/* Since 6.13; until 6.15 there were also the names of 6.12. */
void scx_bpf_dsq_insert___v1(struct task_struct *p, __u64 dsq_id, __u64 slice, __u64 flags) __ksym __weak;
void scx_bpf_dispatch___old(struct task_struct *p, __u64 dsq_id, __u64 slice, __u64 flags) __ksym __weak;
void scx_bpf_dsq_insert_vtime___v1(struct task_struct *p, __u64 dsq_id, __u64 slice, __u64 vtime,
				   __u64 flags) __ksym __weak;
void scx_bpf_dispatch_vtime___old(struct task_struct *p, __u64 dsq_id, __u64 slice, __u64 vtime,
				  __u64 flags) __ksym __weak;
bool scx_bpf_dsq_move_to_local___v1(__u64 dsq_id) __ksym __weak;
bool scx_bpf_consume___old(__u64 dsq_id) __ksym __weak;
void scx_bpf_dsq_move_set_vtime___v1(struct bpf_iter_scx_dsq *it, __u64 vtime) __ksym __weak;
bool scx_bpf_dsq_move_vtime___v1(struct bpf_iter_scx_dsq *it, struct task_struct *p, __u64 dsq_id,
				 __u64 flags) __ksym __weak;

static __always_inline void insert(struct task_struct *p, __u64 dsq, __u64 slice, __u64 flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_insert___v1))
		scx_bpf_dsq_insert___v1(p, dsq, slice, flags);
	else
		scx_bpf_dispatch___old(p, dsq, slice, flags);
}

static __always_inline void insert_vtime(struct task_struct *p, __u64 dsq, __u64 slice, __u64 vtime, __u64 flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_insert_vtime___v1))
		scx_bpf_dsq_insert_vtime___v1(p, dsq, slice, vtime, flags);
	else
		scx_bpf_dispatch_vtime___old(p, dsq, slice, vtime, flags);
}

static __always_inline bool move_to_local(__u64 dsq)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_to_local___v1))
		return scx_bpf_dsq_move_to_local___v1(dsq);
	return scx_bpf_consume___old(dsq);
}

/* Since 7.1; before, the slice is written in place. */
bool scx_bpf_task_set_slice___v1(struct task_struct *p, __u64 slice) __ksym __weak;

static __always_inline void set_slice(struct task_struct *p, __u64 slice)
{
	if (bpf_ksym_exists(scx_bpf_task_set_slice___v1))
		scx_bpf_task_set_slice___v1(p, slice);
	else
		p->scx.slice = slice;
}

/* Since 7.1; before, an iterator of one step. */
struct task_struct *scx_bpf_dsq_peek___v1(__u64 dsq_id) __ksym __weak;

/* The kernel's own state of each CPU. */
extern const struct rq runqueues __ksym __weak;

/* Whether a task of a stronger class runs on a CPU: real-time, deadline or the kernel's stopper. */
static __always_inline bool stronger_runs(__s32 cpu)
{
	const struct task_struct *current;
	const struct rq *rq;

	if (!bpf_ksym_exists(&runqueues))
		return false;
	rq = bpf_per_cpu_ptr(&runqueues, cpu);
	current = rq ? rq->curr : NULL;
	return current && current->prio < MAX_RT_PRIO;
}

/* Since 6.14. */
__u64 scx_bpf_now___v1(void) __ksym __weak;

static __always_inline __u64 clock(void)
{
	if (bpf_ksym_exists(scx_bpf_now___v1))
		return scx_bpf_now___v1();
	return bpf_ktime_get_ns();
}

/* 7.1 added a form without a result, under a name of the kernel's own that looks like one of our suffixes. */
__u32 scx_bpf_reenqueue_local___v1(void) __ksym __weak;
void scx_bpf_reenqueue_local___v2___new(void) __ksym __weak;

static __always_inline void reenqueue_local(void)
{
	if (bpf_ksym_exists(scx_bpf_reenqueue_local___v1))
		scx_bpf_reenqueue_local___v1();
	else if (bpf_ksym_exists(scx_bpf_reenqueue_local___v2___new))
		scx_bpf_reenqueue_local___v2___new();
}

#endif
