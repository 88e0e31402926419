/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every feature stands on: the settings, the state of tasks and CPUs, the counters, and the queues.
 */
#ifndef GTH_STATE_H
#define GTH_STATE_H

#define MSEC 1000000ULL
#define SEC_NS (1000 * MSEC)

/* Settings, written by user space before loading. */
const volatile __u64 default_slice_ns = 4 * MSEC;
const volatile __u64 tick_ns = 4 * MSEC;
const volatile __u32 nr_cpus = 1;
const volatile bool honour_limits = true;

/* User space counts it up when it has changed rules. In a map of its own, which user space may write whole. */
volatile __u64 generation SEC(".data.publish") = 1;
struct gth_exit exit_info SEC(".data.exit");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct gth_task);
} task_ctx SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gth_cpu);
} cpu_ctx SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gth_stats);
} stats SEC(".maps");

/*
 * The queues. Tasks of the default order wait in SHARED, or in the queue of their CPU if they may run on no other;
 * both are ordered by the same clock. Tasks that may jump the queue but cannot at once wait in BOOST.
 */
#define DSQ_SHARED (1ULL << 32)
#define DSQ_BOOST ((1ULL << 32) + 1)
#define DSQ_PINNED(cpu) ((__u64)(__u32)(cpu))
#define DSQ_LIMIT(slot) ((1ULL << 33) + (slot))

enum task_flags {
	TASK_FRESH = 1 << 0,    /* never queued before */
	TASK_BOOSTED = 1 << 1,  /* this turn was won by jumping the queue */
	TASK_IN_ORDER = 1 << 2, /* this turn came by the default order */
	TASK_GOVERNED = 1 << 3, /* counted as having a strategy */
	TASK_LOADED = 1 << 4,   /* counted in the load of its group */
	TASK_QUEUED = 1 << 5,   /* counted as waiting in a queue */
};

static __always_inline struct gth_task *task_of(struct task_struct *p)
{
	return bpf_task_storage_get(&task_ctx, p, NULL, 0);
}

static __always_inline struct gth_cpu *cpu_of(__s32 cpu)
{
	__u32 zero = 0;

	return bpf_map_lookup_percpu_elem(&cpu_ctx, &zero, cpu);
}

/*
 * The CPU that a task runs on. It need not be this one: a running task that is given another class, weight or set of
 * CPUs stops and runs again by the hand of whoever does that, on that one's CPU; and where a CPU has no tick of its own
 * (nohz_full) another one ticks for it.
 */
static __always_inline struct gth_cpu *cpu_of_running(const struct task_struct *p)
{
	return cpu_of(scx_bpf_task_cpu(p));
}

static __always_inline void count(enum gth_counter which)
{
	__u32 zero = 0;
	struct gth_stats *s = bpf_map_lookup_elem(&stats, &zero);

	if (s && which < GTH_NR_COUNTERS)
		s->counter[which]++;
}

static __always_inline bool before(__u64 a, __u64 b)
{
	return (__s64)(a - b) < 0;
}

/* Clocks of two CPUs may differ a little: what seems to lie ahead has just happened. */
static __always_inline __u64 since(__u64 then, __u64 now)
{
	return before(then, now) ? now - then : 0;
}

static __always_inline __u64 min_of(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

static __always_inline __u64 max_of(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

/*
 * Whether a task must stay on its CPU for the moment. A program of ours that runs in the name of a task counts for one:
 * that one is over when the program is.
 */
static __always_inline bool is_held(struct task_struct *p)
{
	__u32 by_whom = p->migration_disabled;

	return by_whom > 1 || (by_whom == 1 && p != bpf_get_current_task_btf());
}

/* Whether a task may be put on a CPU: the kernel ends a scheduler that puts one where it may not be. */
static __always_inline bool may_run_on(struct task_struct *p, __s32 cpu, const struct gth_cpu *c)
{
	if (cpu == scx_bpf_task_cpu(p))
		return true;
	return c->online && !is_held(p) && bpf_cpumask_test_cpu(cpu, p->cpus_ptr);
}

static __always_inline bool is_pinned(struct task_struct *p)
{
	return p->nr_cpus_allowed == 1 || is_held(p);
}

static __always_inline __u64 slice_of(const struct gth_task *t)
{
	return t->strategy.slice_ns ?: default_slice_ns;
}

/* A turn that is granted up to this part of a tick too little or too much ends at the same tick. */
#define TICK_MARGIN_NS (tick_ns / 16)

/*
 * What is granted for a slice. The kernel looks at ticks, and a turn begins a moment after one: a slice of whole ticks
 * would be seen to be over only one tick later.
 */
static __always_inline __u64 grant_of(const struct gth_task *t)
{
	__u64 slice = slice_of(t);

	return slice >= tick_ns ? slice - TICK_MARGIN_NS : slice;
}

/* Whether a turn ends too soon for the kernel to see it at a tick. */
static __always_inline bool is_below_tick(__u64 granted_ns)
{
	return granted_ns + TICK_MARGIN_NS < tick_ns;
}

static __always_inline bool is_governed(const struct gth_task *t)
{
	return t->flags & TASK_GOVERNED;
}

/* Strength of the work that a task does; see enum gth_rank. */
static __always_inline __u32 rank_of(const struct gth_task *t)
{
	return is_governed(t) && t->strategy.priority ? t->strategy.priority : GTH_RANK_NORMAL;
}

static __always_inline bool in_latency_class(const struct gth_task *t)
{
	return rank_of(t) <= GTH_LATENCY_MAX;
}

#endif
