/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The default order: every task has a clock that runs while it has a CPU, the faster the smaller its share; the
 * task with the earliest clock is next.
 *
 * A unit of the clock is a nanosecond of the whole machine's work, so `ns` of a task's own time are ns / share. A
 * task that slept is at most one slice of its own behind the others, one that ran ahead at most one slice and two ticks
 * before them. New tasks start half a slice ahead: a storm of them cannot keep the older ones waiting. However small the
 * share, no task is put back further than what the machine does in CLOCK_REACH_NS.
 */
#ifndef GTH_ORDER_H
#define GTH_ORDER_H

#define CLOCK_REACH_NS (4 * SEC_NS)

/* The furthest clock with which a task has been picked in order. */
static __u64 clock_now;

static __always_inline __u64 own_time(__u64 ns, __u32 share)
{
	__u64 most = CLOCK_REACH_NS * nr_cpus;

	/* So that the shift below cannot overflow. */
	ns = min_of(ns, 8 * SEC_NS);
	return min_of((ns << 30) / (share ?: 1), most);
}

/* Charges what the task has run since it was last charged. Returns that time. */
static __always_inline __u64 charge(struct gth_task *t, struct gth_cpu *c, __u64 now)
{
	__u64 ran;

	if (!t->started_at)
		return 0;
	ran = since(t->started_at, now);
	t->started_at = now;
	t->ran_ns += ran;
	t->vtime += own_time(ran, share_of(t, now));
	t->budget_ns -= t->flags & TASK_BOOSTED ? ran : 0;
	if (t->flags & TASK_BOOSTED)
		c->boosted_ns += ran;
	return ran;
}

/* Brings the task's clock within its bounds. */
static __always_inline void order_clamp(struct gth_task *t, __u64 now)
{
	__u64 slice = slice_of(t);
	__u32 share = share_of(t, now);
	__u64 behind = own_time(slice, share), ahead = own_time(slice + 2 * tick_ns, share);

	if (t->flags & TASK_FRESH) {
		t->flags &= ~TASK_FRESH;
		t->vtime = clock_now + own_time(slice / 2, share);
	}
	if (before(t->vtime, clock_now - behind))
		t->vtime = clock_now - behind;
	else if (before(clock_now + ahead, t->vtime))
		t->vtime = clock_now + ahead;
}

/* Queues a task in order, `credit` nanoseconds of its own time earlier than its clock says. */
static __always_inline void order_insert(struct task_struct *p, struct gth_task *t, __u64 credit, __u64 flags)
{
	__u64 dsq = is_pinned(p) ? DSQ_PINNED(scx_bpf_task_cpu(p)) : DSQ_SHARED;

	t->flags &= ~TASK_BOOSTED;
	t->flags |= TASK_IN_ORDER;
	t->granted_ns = grant_of(t);
	gauge_queued(t, true);
	insert_vtime(p, dsq, t->granted_ns, t->vtime - own_time(credit, t->share), flags);
}

/* A task got a CPU. */
static __always_inline void order_running(struct gth_task *t)
{
	if (t->flags & TASK_IN_ORDER && before(clock_now, t->vtime))
		clock_now = t->vtime;
}

/* A task waits in a queue that any CPU looks into: an idle one should. */
static __always_inline void wake_idle(struct task_struct *p)
{
	__s32 idle = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);

	if (idle >= 0)
		scx_bpf_kick_cpu(idle, KICK_IDLE);
}

/* Moves a task from the queue that is being walked back into the order, and wakes a CPU for it. */
static __always_inline void order_back(struct bpf_iter_scx_dsq *it, struct task_struct *p, struct gth_task *t)
{
	bool pinned = is_pinned(p);
	__s32 cpu = scx_bpf_task_cpu(p);

	if (before(t->vtime, clock_now))
		t->vtime = clock_now;
	t->flags |= TASK_IN_ORDER;
	gauge_queued(t, true);
	scx_bpf_dsq_move_set_vtime___v1(it, t->vtime);
	scx_bpf_dsq_move_vtime___v1(it, p, pinned ? DSQ_PINNED(cpu) : DSQ_SHARED, 0);
	if (pinned)
		scx_bpf_kick_cpu(cpu, KICK_IDLE);
	else
		wake_idle(p);
}

#endif
