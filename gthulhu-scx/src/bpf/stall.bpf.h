/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which queue is next: of the CPU's own and the shared one, that with the earlier clock at its head. A head that has
 * waited for more than a second comes first, whatever the clocks say, so neither queue can starve the other.
 */
#ifndef GTH_STALL_H
#define GTH_STALL_H

#define STALL_NS SEC_NS

struct head {
	bool found;
	__u64 vtime;
	__u64 waited_ns;
};

static __always_inline void head_read(struct head *h, struct task_struct *p, __u64 now)
{
	struct gth_task *t = task_of(p);

	h->found = true;
	h->vtime = p->scx.dsq_vtime;
	h->waited_ns = t && t->waiting_since ? since(t->waiting_since, now) : 0;
}

static __noinline void head_of(__u64 dsq, struct head *h, __u64 now)
{
	struct bpf_iter_scx_dsq it;
	struct task_struct *p;

	h->found = false;
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

/* Takes the next task in order to this CPU. False if there is none that may run here. */
static __always_inline bool take_next(__s32 cpu, __u64 now)
{
	__u64 own = DSQ_PINNED(cpu);
	struct head mine = {}, shared = {};
	bool own_first;

	if (scx_bpf_dsq_nr_queued(own) <= 0)
		return move_to_local(DSQ_SHARED);
	head_of(own, &mine, now);
	head_of(DSQ_SHARED, &shared, now);
	own_first = !shared.found || before(mine.vtime, shared.vtime);
	if (mine.waited_ns > STALL_NS || shared.waited_ns > STALL_NS) {
		own_first = mine.waited_ns > shared.waited_ns;
		count(GTH_STALL_RESCUES);
	}
	if (own_first)
		return move_to_local(own) || move_to_local(DSQ_SHARED);
	return move_to_local(DSQ_SHARED) || move_to_local(own);
}

#endif
