/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shares: what part of the machine a task should get, by nice and by cpu.weight of its cgroup and all above it.
 *
 * Every cgroup knows its load: the weights of its runnable tasks and of its children that have any. A child adds its
 * weight to its parent when its load becomes more than nothing, and takes it away when that is over, so a change goes
 * only as far up as it matters. A cgroup's share is its parent's share, in proportion of weight to load; a task's is the
 * same below its cgroup. The queues stay flat: a task with half the share runs its clock at twice the speed.
 *
 * Bounds: a cgroup's share is computed anew at most once a millisecond, so it lags behind by that much. What is deeper
 * than GTH_LEVELS levels, or beyond GTH_MAX_GROUPS cgroups, counts as part of the root.
 */
#ifndef GTH_WEIGHT_H
#define GTH_WEIGHT_H

#define GTH_ONE (1ULL << 30)
#define GTH_LEVELS 16
#define GTH_MAX_GROUPS 32768 /* a power of two */
#define GTH_PROBES 8
#define SHARE_FRESH_NS MSEC
#define WEIGHT_NORMAL 100

struct group {
	struct bpf_timer refill; /* of its limit; see limit.bpf.h */
	__u64 id;                /* 0 = this slot is free */
	__u64 load;
	__u64 share_at;
	__u32 parent; /* slot */
	__u32 limit;  /* slot of the nearest cgroup at or above with a limit, when the share was computed */
	__u32 share;
	__u32 weight;
	__u32 active_weight; /* what the parent's load counts while this load is not 0 */
	__u32 waiting;       /* 1 while the timer runs */
	__u64 quota_ns;      /* 0 = no limit */
	__u64 period_ns;
	__u64 burst_ns;
	__u64 period_at;
	__s64 left_ns; /* of the quota; below 0 it is owed */
};

/*
 * By slot: an array, since it is looked into several times for each switch of tasks. Slot 0 stands for "none", slot 1 is
 * the root's; others are found by id, a few places from where the id says. The kernel counts ids up, so they spread.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GTH_MAX_GROUPS);
	__type(key, __u32);
	__type(value, struct group);
} groups SEC(".maps");

#define NO_SLOT 0
#define ROOT_SLOT 1

static __always_inline struct group *group_at(__u32 slot)
{
	return slot ? bpf_map_lookup_elem(&groups, &slot) : NULL;
}

static __always_inline __u32 probe(__u64 id, __u32 step)
{
	__u32 slot = (id + step) & (GTH_MAX_GROUPS - 1);

	return slot > ROOT_SLOT ? slot : slot + 2;
}

/* The slot of a cgroup; that of the root if it has none of its own. */
static __noinline __u32 slot_of(__u64 id)
{
	struct group *g;
	__u32 step;

	for (step = 0; step < GTH_PROBES && id; step++) {
		g = group_at(probe(id, step));
		if (g && g->id == id)
			return probe(id, step);
	}
	return ROOT_SLOT;
}

/* Takes a free slot for a cgroup; NO_SLOT if there is none near. */
static __noinline __u32 slot_take(__u64 id, bool root)
{
	struct group *g;
	__u32 step;

	for (step = 0; step < GTH_PROBES; step++) {
		__u32 slot = root ? ROOT_SLOT : probe(id, step);

		g = group_at(slot);
		if (g && !__sync_val_compare_and_swap(&g->id, 0, id))
			return slot;
	}
	return NO_SLOT;
}

/*
 * Functions that are not static are judged by the verifier once, not again for each caller; that is why those with
 * loops take and give plain numbers only.
 */
__noinline int load_add(__u32 slot, __u32 weight)
{
	struct group *g;
	int i;

	for (i = 0; i < GTH_LEVELS; i++) {
		g = group_at(slot);
		if (!g || __sync_fetch_and_add(&g->load, (__u64)weight))
			break;
		weight = g->weight;
		g->active_weight = weight;
		slot = g->parent;
	}
	return 0;
}

__noinline int load_drop(__u32 slot, __u32 weight)
{
	struct group *g;
	int i;

	for (i = 0; i < GTH_LEVELS; i++) {
		g = group_at(slot);
		if (!g || __sync_fetch_and_sub(&g->load, (__u64)weight) != weight)
			break;
		weight = g->active_weight;
		slot = g->parent;
	}
	return 0;
}

/* The weight of a cgroup was set; what its parent counts follows at once. */
static __always_inline void group_reweigh(struct group *g, __u32 weight)
{
	struct group *parent = group_at(g->parent);
	__u32 counted;

	g->weight = weight ?: 1;
	if (!parent || !g->load)
		return;
	counted = __sync_lock_test_and_set(&g->active_weight, g->weight);
	__sync_fetch_and_add(&parent->load, (__u64)g->weight - counted);
}

/*
 * A task became runnable: it counts from now on, in the cgroup whose weight counts for it: its own, or where the
 * controller is off there, one above. What it adds is kept, so that the same is taken away.
 */
static __always_inline void weight_joins(struct task_struct *p, struct gth_task *t)
{
	__u64 id = p->sched_task_group->css.cgroup->kn->id;

	if (t->flags & TASK_LOADED)
		return;
	if (t->group != id || !t->slot) {
		t->group = id;
		t->slot = slot_of(id);
	}
	t->flags |= TASK_LOADED;
	t->weight = p->scx.weight ?: WEIGHT_NORMAL;
	load_add(t->slot, t->weight);
}

static __always_inline void weight_leaves(struct gth_task *t)
{
	if (!(t->flags & TASK_LOADED))
		return;
	t->flags &= ~TASK_LOADED;
	load_drop(t->slot, t->weight);
}

/* Computes the share of a cgroup and finds the nearest limit that holds for it. */
__noinline int group_refresh(__u32 own_slot, __u64 now)
{
	struct group *g = group_at(own_slot), *at = g, *parent;
	__u64 share = GTH_ONE, load;
	__u32 slot, limit;
	int i;

	if (!g)
		return 0;
	limit = g->quota_ns ? own_slot : NO_SLOT;
	for (i = 0; i < GTH_LEVELS; i++) {
		slot = at->parent;
		parent = group_at(slot);
		if (!parent)
			break;
		load = max_of(parent->load, at->weight);
		share = share * at->weight / load;
		if (!limit && parent->quota_ns)
			limit = slot;
		at = parent;
	}
	g->limit = limit;
	g->share = max_of(share, 1);
	g->share_at = now;
	return 0;
}

/* The task's share of the machine now, of GTH_ONE; never 0. Where there are no groups, only nice counts. */
static __always_inline __u32 share_of(struct gth_task *t, __u64 now)
{
	struct group *g = group_at(t->slot);
	__u32 weight = t->weight ?: WEIGHT_NORMAL;
	__u64 share;

	if (!g || !g->id)
		return t->share = max_of((GTH_ONE >> 7) * weight / WEIGHT_NORMAL, 1);
	if (!g->share || since(g->share_at, now) >= SHARE_FRESH_NS)
		group_refresh(t->slot, now);
	share = (__u64)g->share * weight / max_of(g->load, weight);
	return t->share = max_of(share, 1);
}

#endif
