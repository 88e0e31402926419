/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The floor: what tasks without a strategy keep of each CPU, however many threads jump the queue.
 *
 * Each CPU counts, in windows of 100 ms, how long tasks ran that had jumped the queue. Once that is 80 ms and a task
 * of the default order waits, nobody jumps and the default order has the CPU until the window is over. The budget of a
 * task bounds the task; this bounds any number of them.
 */
#ifndef GTH_FLOOR_H
#define GTH_FLOOR_H

#define FLOOR_WINDOW_NS (100 * MSEC)
#define FLOOR_BOOSTED_NS (80 * MSEC)

static __always_inline bool order_waits(__s32 cpu)
{
	return scx_bpf_dsq_nr_queued(DSQ_SHARED) > 0 || scx_bpf_dsq_nr_queued(DSQ_PINNED(cpu)) > 0;
}

/* How long tasks may still jump the queue on this CPU, in this window, while others wait. */
static __always_inline __u64 floor_left(struct gth_cpu *c, __u64 now)
{
	if (since(c->window_at, now) >= FLOOR_WINDOW_NS) {
		c->window_at = now;
		c->boosted_ns = 0;
	}
	return FLOOR_BOOSTED_NS - min_of(c->boosted_ns, FLOOR_BOOSTED_NS);
}

static __always_inline bool floor_reached(struct gth_cpu *c, __s32 cpu, __u64 now)
{
	return floor_left(c, now) == 0 && order_waits(cpu);
}

#endif
