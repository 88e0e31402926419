/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The graded class, priorities 10 to 20, and the wake-up preemption of the default class.
 *
 * Both stay in the default order. A task that wakes with a clock behind that of the running one may end that one's
 * turn once it has lasted for a while: 0.25 ms for priority 10, up to 2.5 ms for 20, 3 ms without a strategy, less where
 * the running task has a smaller share. If it has not lasted that long, the CPU's timer sees to it. A graded task also
 * counts as up to 5 ms less far on. Neither adds to what a task gets in the long run: it is charged for every turn.
 */
#ifndef GTH_GRADED_H
#define GTH_GRADED_H

#define TURN_NORMAL_NS (3 * MSEC)
#define TURN_STEP_NS (225 * 1000ULL)
#define TURN_STRONGEST_NS (250 * 1000ULL)
#define LAG_NS MSEC
#define CREDIT_STEP_NS (450 * 1000ULL)

static __always_inline bool in_graded_class(const struct gth_task *t)
{
	return rank_of(t) > GTH_LATENCY_MAX && rank_of(t) <= GTH_PRIORITY_MAX;
}

static __always_inline __u64 graded_credit(const struct gth_task *t)
{
	return in_graded_class(t) ? (GTH_PRIORITY_MAX + 1 - rank_of(t)) * CREDIT_STEP_NS : 0;
}

/* How long a turn is left alone before this task may end it. */
static __always_inline __u64 patience(const struct gth_task *t, const struct gth_cpu *victim)
{
	__u64 turn = TURN_NORMAL_NS;

	if (in_graded_class(t))
		turn = TURN_STRONGEST_NS + (rank_of(t) - GTH_LATENCY_MAX - 1) * TURN_STEP_NS;
	if (victim->share < t->share)
		turn = turn * victim->share / t->share;
	return turn;
}

/* A task of this strength was queued in order after it woke up: may it end the turn of its CPU? */
static __always_inline void wake_preempt(struct task_struct *p, struct gth_task *t, __s32 cpu, __u64 now)
{
	struct gth_cpu *c = cpu_of(cpu);
	__u64 lasted, wanted, clock_there, lead;
	__u32 mine = rank_of(t);

	if (!c || c->taken || !c->picked_at)
		return;
	if (mine == GTH_RANK_NORMAL ? c->rank != GTH_RANK_NORMAL : c->rank <= mine || c->rank == GTH_RANK_IDLE)
		return;
	lasted = since(c->picked_at, now);
	clock_there = c->vtime + own_time(lasted, c->share);
	lead = mine == GTH_RANK_NORMAL ? own_time(LAG_NS, t->share) : 0;
	if (!before(t->vtime - own_time(graded_credit(t), t->share) + lead, clock_there))
		return;
	wanted = patience(t, c);
	if (lasted + TIMER_SHORTEST_NS < wanted) {
		cut_later(cpu, c, wanted - lasted, now);
		return;
	}
	count(mine == GTH_RANK_NORMAL ? GTH_LAG_PREEMPTIONS : GTH_GRADED_PREEMPTIONS);
	scx_bpf_kick_cpu(cpu, KICK_PREEMPT);
}

#endif
