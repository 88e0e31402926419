/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Limits: cpu.max of cgroups, on kernels that tell us about it (6.17 and later).
 *
 * A cgroup with a limit has a purse that is filled once a period and charged for every turn of a task at or below it.
 * While it is empty, tasks wait in a queue of the cgroup's own; a timer at the end of the period lets them go.
 *
 * Bounds: a turn is charged at the tick and at its end, so each CPU may overdraw by a tick, which the next period pays
 * back. At most GTH_NESTED limits count for one task, the nearest. A task that would wait longer than GTH_HELD_NS is let go
 * all the same: the kernel ends a scheduler that leaves a task waiting for half a minute.
 */
#ifndef GTH_LIMIT_H
#define GTH_LIMIT_H

#define GTH_NESTED 4
#define GTH_HELD_NS (10 * SEC_NS)
#define GTH_RELEASE_BATCH 256

/* Cgroups that have a limit; while there are none, nothing of this costs anything. */
static __s64 limits_in_use;

static void order_back(struct bpf_iter_scx_dsq *it, struct task_struct *p, struct gth_task *t);

static __always_inline void limit_set(struct group *g, __u64 period_us, __u64 quota_us, __u64 burst_us, __u64 now)
{
	/* "max" is a quota greater than any period. */
	bool limited = period_us && quota_us && quota_us < period_us * 4096, was_limited = g->quota_ns;

	if (limited != was_limited)
		__sync_fetch_and_add(&limits_in_use, limited ? 1 : -1);
	if (!limited) {
		g->quota_ns = 0;
		return;
	}
	g->period_ns = period_us * 1000;
	g->burst_ns = burst_us * 1000;
	g->left_ns = quota_us * 1000;
	g->period_at = now;
	g->quota_ns = quota_us * 1000;
}

/* Fills the purse for the periods that began since the last time; one of many callers does it. */
static __always_inline void limit_refill(struct group *g, __u64 now)
{
	__u64 began = g->period_at, periods;
	__s64 most = g->quota_ns + g->burst_ns, left;

	if (!g->period_ns || since(began, now) < g->period_ns)
		return;
	periods = since(began, now) / g->period_ns;
	if (__sync_val_compare_and_swap(&g->period_at, began, began + periods * g->period_ns) != began)
		return;
	left = __sync_fetch_and_add(&g->left_ns, periods * g->quota_ns) + periods * g->quota_ns;
	if (left > most)
		__sync_fetch_and_sub(&g->left_ns, left - most);
}

/* The nearest limit above a cgroup that has one itself. */
static __always_inline __u32 limit_above(struct group *g)
{
	struct group *parent = group_at(g->parent);

	return parent ? parent->limit : NO_SLOT;
}

/* Charges a turn, or a part of one, to all limits that hold for tasks of a group. 1 if a purse is empty now. */
__noinline int limit_charge(__u32 slot, __u64 ns, __u64 now)
{
	struct group *g = group_at(slot);
	int empty = 0, i;

	slot = g ? g->limit : NO_SLOT;
	for (i = 0; i < GTH_NESTED; i++) {
		g = group_at(slot);
		if (!g)
			break;
		limit_refill(g, now);
		if (g->quota_ns)
			empty |= __sync_fetch_and_sub(&g->left_ns, ns) <= (__s64)ns;
		slot = limit_above(g);
	}
	return empty;
}

/* The slot of the cgroup whose purse is empty for tasks of a group; NO_SLOT if they may run. */
__noinline __u32 limit_find(__u32 slot, __u64 now)
{
	struct group *g = group_at(slot);
	int i;

	slot = g ? g->limit : NO_SLOT;
	for (i = 0; i < GTH_NESTED; i++) {
		g = group_at(slot);
		if (!g)
			break;
		limit_refill(g, now);
		if (g->quota_ns && g->left_ns <= 0)
			return slot;
		slot = limit_above(g);
	}
	return NO_SLOT;
}

static __always_inline __u32 limit_holds(struct gth_task *t, __u64 now)
{
	return limits_in_use ? limit_find(t->slot, now) : NO_SLOT;
}

/* The period is over: those who waited get back into the order, the first first. */
static int limit_release(void *map, __u32 *slot, struct group *g)
{
	__u64 now = clock(), dsq = DSQ_LIMIT(*slot);
	struct bpf_iter_scx_dsq it;
	struct task_struct *p;
	struct gth_task *t;
	__u64 again = MSEC;
	int i;

	limit_refill(g, now);
	bpf_iter_scx_dsq_new(&it, dsq, 0);
	bpf_for(i, 0, GTH_RELEASE_BATCH) {
		p = bpf_iter_scx_dsq_next(&it);
		if (!p)
			break;
		t = task_of(p);
		if (!t || (g->left_ns <= 0 && g->quota_ns && since(t->waiting_since, now) < GTH_HELD_NS)) {
			again = g->period_ns;
			break;
		}
		order_back(&it, p, t);
	}
	bpf_iter_scx_dsq_destroy(&it);
	if (scx_bpf_dsq_nr_queued(dsq) > 0)
		bpf_timer_start(&g->refill, again, 0);
	else
		g->waiting = 0;
	return 0;
}

/* Puts a task where it waits for the next period. */
static __noinline bool limit_hold(struct task_struct *p, __u32 slot, __u64 slice, __u64 now)
{
	struct group *g = group_at(slot);
	__u64 used;

	if (!g)
		return false;
	insert(p, DSQ_LIMIT(slot), slice, 0);
	count(GTH_THROTTLED);
	if (!__sync_val_compare_and_swap(&g->waiting, 0, 1)) {
		used = since(g->period_at, now);
		bpf_timer_start(&g->refill, used < g->period_ns ? g->period_ns - used : MSEC, 0);
	}
	return true;
}

#endif
