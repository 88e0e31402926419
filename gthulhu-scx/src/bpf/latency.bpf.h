/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The latency class, priorities 1 to 9: on wake-up such a task takes the CPU from weaker work at once.
 *
 * What keeps that harmless: it counts for wake-ups only, never when a slice is used up; a task may do it for 50 ms of
 * each 100 ms (its wake budget); the floor of each CPU (floor.bpf.h); equal or stronger work is never disturbed. A task
 * that may jump but finds only equal or stronger work waits in BOOST, which is served before the default order: by
 * strength, but two milliseconds of waiting make up for one step of priority.
 */
#ifndef GTH_LATENCY_H
#define GTH_LATENCY_H

#define BUDGET_WINDOW_NS (100 * MSEC)
#define BUDGET_NS (50 * MSEC)
#define BOOST_STEP_NS (2 * MSEC)
/* A turn cut short by less than this was not cut short. */
#define CUT_SHORT_NS (100 * 1000ULL)

static __always_inline __s64 budget_left(struct gth_task *t, __u64 now)
{
	if (since(t->budget_at, now) >= BUDGET_WINDOW_NS) {
		t->budget_at = now;
		t->budget_ns = BUDGET_NS;
	}
	return t->budget_ns;
}

/* Claims a CPU whose running task is weaker, so that an equal one that comes a moment later does not follow. */
static __always_inline bool claim(struct task_struct *p, struct gth_task *t, __s32 cpu, __u64 now)
{
	struct gth_cpu *c = cpu_of(cpu);
	__u32 mine = rank_of(t), theirs;
	__u64 slice, left;

	if (!c || !may_run_on(p, cpu, c) || c->taken)
		return false;
	theirs = c->rank;
	if (theirs <= mine)
		return false;
	/*
	 * Nobody of ours runs there. The kernel does not say when a stronger class takes an idle CPU, nor when the running
	 * task itself becomes one of that class; what we put there would wait for as long as that one runs.
	 */
	if (!c->picked_at && stronger_runs(cpu))
		return false;
	left = floor_left(c, now);
	slice = t->granted_ns;
	if (left < slice && order_waits(cpu)) {
		if (left < CUT_SHORT_NS) {
			count(GTH_FLOOR_REFUSALS);
			return false;
		}
		slice = left;
	}
	if (__sync_val_compare_and_swap(&c->rank, theirs, mine) != theirs)
		return false;
	t->granted_ns = slice;
	insert(p, DSQ_LOCAL_ON | cpu, slice, ENQ_PREEMPT);
	count(GTH_PREEMPTIONS);
	return true;
}

/* A task of the class woke up, or lost its CPU before its turn was over. True if it was placed. */
static __always_inline bool latency_enqueue(struct task_struct *p, struct gth_task *t, __u64 now)
{
	__s64 left = budget_left(t, now);
	__s32 cpu = scx_bpf_task_cpu(p), other;
	struct gth_cpu *c;

	if (left <= (__s64)CUT_SHORT_NS) {
		count(GTH_BUDGET_REFUSALS);
		return false;
	}
	t->flags |= TASK_BOOSTED;
	t->flags &= ~TASK_IN_ORDER;
	t->granted_ns = min_of(grant_of(t), left);
	if (claim(p, t, cpu, now))
		return true;
	if (!is_pinned(p)) {
		other = scx_bpf_pick_any_cpu(p->cpus_ptr, 0);
		if (other >= 0 && other != cpu && claim(p, t, other, now))
			return true;
	}
	c = cpu_of(cpu);
	if (c && floor_reached(c, cpu, now))
		return false;
	gauge_queued(t, true);
	insert_vtime(p, DSQ_BOOST, t->granted_ns, now + rank_of(t) * BOOST_STEP_NS, 0);
	wake_idle(p);
	return true;
}

/* Whether a task that did not sleep was put off its CPU in the middle of a turn it had won. */
static __always_inline bool latency_cut_short(struct gth_task *t)
{
	return in_latency_class(t) && t->flags & TASK_BOOSTED && t->ran_ns + CUT_SHORT_NS < t->granted_ns;
}

#endif
