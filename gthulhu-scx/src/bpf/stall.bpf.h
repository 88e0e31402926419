/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which queue is next: of the CPU's own and the shared one, that with the earlier clock at its head. A head that has
 * waited for more than a second comes first, whatever the clocks say, so neither queue can starve the other.
 */
#ifndef GTH_STALL_H
#define GTH_STALL_H

#define STALL_NS SEC_NS

/* The first in order that waits for a CPU, of its own queue and of the shared one. */
struct head {
	bool found;
	__u64 vtime;
	__u64 waited_ns;
};

struct heads {
	struct head own;
	struct head shared;
};

static __always_inline void head_read(struct head *h, struct task_struct *p, __u64 now)
{
	struct gth_task *t = task_of(p);

	h->found = true;
	h->vtime = p->scx.dsq_vtime;
	h->waited_ns = t && t->waiting_since ? since(t->waiting_since, now) : 0;
}

static __always_inline void head_of(__u64 dsq, struct head *h, __u64 now)
{
	struct bpf_iter_scx_dsq it;
	struct task_struct *p;

	h->found = false;
	h->vtime = 0;
	h->waited_ns = 0;
	if (scx_bpf_dsq_nr_queued(dsq) <= 0)
		return;
	if (bpf_ksym_exists(scx_bpf_dsq_peek___v1)) {
		p = scx_bpf_dsq_peek___v1(dsq);
		if (p)
			head_read(h, p, now);
		return;
	}
	bpf_iter_scx_dsq_new(&it, dsq, 0);
	p = bpf_iter_scx_dsq_next(&it);
	if (p)
		head_read(h, p, now);
	bpf_iter_scx_dsq_destroy(&it);
}

static __noinline void heads_read(struct heads *heads, __s32 cpu, __u64 now)
{
	head_of(DSQ_PINNED(cpu), &heads->own, now);
	head_of(DSQ_SHARED, &heads->shared, now);
}

/*
 * Whether the task on the CPU, whose slice is over, is still the first in order: the kernel asks for the next before it
 * puts the present one back, so that one would otherwise always lose its turn, whatever its share.
 */
static __always_inline bool goes_on(struct gth_task *t, const struct heads *heads, __u64 now)
{
	const struct head *own = &heads->own, *shared = &heads->shared;

	order_clamp(t, now);
	if (own->found && (before(own->vtime, t->vtime) || own->waited_ns > STALL_NS))
		return false;
	if (shared->found && (before(shared->vtime, t->vtime) || shared->waited_ns > STALL_NS))
		return false;
	t->flags &= ~TASK_BOOSTED;
	t->flags |= TASK_IN_ORDER;
	t->granted_ns = grant_of(t);
	t->ran_ns = 0;
	order_running(t);
	return true;
}

/* Takes the next task in order to this CPU. False if there is none that may run here. */
static __always_inline bool take_next(__s32 cpu, const struct heads *heads)
{
	const struct head *own = &heads->own, *shared = &heads->shared;
	bool own_first;

	if (!own->found)
		return move_to_local(DSQ_SHARED);
	own_first = !shared->found || before(own->vtime, shared->vtime);
	if (own->waited_ns > STALL_NS || shared->waited_ns > STALL_NS) {
		own_first = own->waited_ns > shared->waited_ns;
		count(GTH_STALL_RESCUES);
	}
	if (own_first)
		return move_to_local(DSQ_PINNED(cpu)) || move_to_local(DSQ_SHARED);
	return move_to_local(DSQ_SHARED) || move_to_local(DSQ_PINNED(cpu));
}

#endif
