/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is counted while tasks wait and run: the histogram of waits, and the gauges.
 */
#ifndef GTH_STATS_H
#define GTH_STATS_H

/*
 * Gauges are sums over all CPUs of what began less what ended, each guarded by a flag of the task, so they cannot
 * drift. A program may interrupt another on its CPU: such sums are atomic.
 */
static __always_inline void gauge_governed(__s64 change)
{
	__u32 zero = 0;
	struct gth_stats *s = bpf_map_lookup_elem(&stats, &zero);

	if (s)
		__sync_fetch_and_add(&s->governed, change);
}

static __always_inline void gauge_queued(struct gth_task *t, bool queued)
{
	__u32 zero = 0;
	struct gth_stats *s;

	if (!(t->flags & TASK_QUEUED) == !queued)
		return;
	t->flags ^= TASK_QUEUED;
	s = bpf_map_lookup_elem(&stats, &zero);
	if (s)
		__sync_fetch_and_add(&s->queued, queued ? 1 : -1);
}

static __always_inline __u32 wait_bucket(__u64 ns)
{
	__u64 us = ns / 1000;
	__u32 bucket = 0;

	/* The place of the highest bit, by halves. */
	if (us >> 32)
		return GTH_WAIT_BUCKETS - 1;
	if (us >> 16) { bucket += 16; us >>= 16; }
	if (us >> 8) { bucket += 8; us >>= 8; }
	if (us >> 4) { bucket += 4; us >>= 4; }
	if (us >> 2) { bucket += 2; us >>= 2; }
	if (us >> 1) { bucket += 1; us >>= 1; }
	bucket += us;
	return bucket < GTH_WAIT_BUCKETS ? bucket : GTH_WAIT_BUCKETS - 1;
}

/* A task got a CPU: its wait is over. */
static __always_inline void wait_ends(struct gth_task *t, __u64 now)
{
	__u32 zero = 0;
	struct gth_stats *s = bpf_map_lookup_elem(&stats, &zero);
	__u32 bucket;

	if (!s || !t->waiting_since)
		return;
	bucket = wait_bucket(since(t->waiting_since, now));
	t->waiting_since = 0;
	if (is_governed(t))
		s->wait[GTH_WAIT_GOVERNED][bucket & (GTH_WAIT_BUCKETS - 1)]++;
	else
		s->wait[GTH_WAIT_NORMAL][bucket & (GTH_WAIT_BUCKETS - 1)]++;
}

#endif
