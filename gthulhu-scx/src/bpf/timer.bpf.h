/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A timer for each CPU. It ends turns at a moment between ticks: those with a slice below the tick, and those of which
 * a task that woke up waits for the end (graded.bpf.h).
 *
 * It also wakes a CPU that is going away until it is gone. The kernel waits there for the last task to leave and looks
 * when that CPU schedules, which an idle one does not do when another CPU has taken that task from our queue.
 */
#ifndef GTH_TIMER_H
#define GTH_TIMER_H

/* Sooner than this the timer is not worth its cost. */
#define TIMER_SHORTEST_NS (20 * 1000ULL)
#define LEAVING_NS (10 * MSEC)

struct cpu_timer {
	struct bpf_timer timer;
};

/* Made as large as the machine before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_timer);
} cpu_timers SEC(".maps");

/* Sets the timer of a CPU to end the present turn, unless it is set for something earlier. */
static __always_inline void cut_later(__s32 cpu, struct gth_cpu *c, __u64 delay, __u64 now)
{
	__u32 key = cpu;
	struct cpu_timer *timer = bpf_map_lookup_elem(&cpu_timers, &key);
	__u64 at = now + delay;

	if (!timer || !c->online || (c->cut_turn == c->picked_at && c->cut_at && before(c->cut_at, at)))
		return;
	c->cut_turn = c->picked_at;
	c->cut_at = at;
	bpf_timer_start(&timer->timer, delay, 0);
}

static bool is_online(__s32 cpu)
{
	const struct cpumask *online = scx_bpf_get_online_cpumask();
	bool is = bpf_cpumask_test_cpu(cpu, online);

	scx_bpf_put_cpumask(online);
	return is;
}

static int timer_fires(void *map, __u32 *key, struct cpu_timer *timer)
{
	__s32 cpu = *key;
	struct gth_cpu *c = cpu_of(cpu);

	if (!c)
		return 0;
	if (!c->online) {
		if (is_online(cpu)) {
			scx_bpf_kick_cpu(cpu, 0);
			bpf_timer_start(&timer->timer, LEAVING_NS, 0);
		}
		return 0;
	}
	/* Another turn has begun, or nobody waits any more: what the timer was set for is past. */
	if (!c->cut_at || c->cut_turn != c->picked_at || c->rank == GTH_RANK_IDLE)
		return 0;
	c->cut_at = 0;
	if (!order_waits(cpu) && !scx_bpf_dsq_nr_queued(DSQ_BOOST))
		return 0;
	count(GTH_TIMER_CUTS);
	scx_bpf_kick_cpu(cpu, KICK_PREEMPT);
	return 0;
}

/* A CPU is going away. */
static __always_inline void timer_leaving(__s32 cpu)
{
	__u32 key = cpu;
	struct cpu_timer *timer = bpf_map_lookup_elem(&cpu_timers, &key);

	if (timer)
		bpf_timer_start(&timer->timer, LEAVING_NS, 0);
}

/* Before the first task. */
static __always_inline int timers_begin(void)
{
	struct cpu_timer *timer;
	int cpu;
	__u32 key;

	bpf_for(cpu, 0, nr_cpus) {
		key = cpu;
		timer = bpf_map_lookup_elem(&cpu_timers, &key);
		if (!timer || bpf_timer_init(&timer->timer, &cpu_timers, CLOCK_MONOTONIC) ||
		    bpf_timer_set_callback(&timer->timer, timer_fires))
			return -ENOMEM;
	}
	return 0;
}

#endif
