/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reports to user space. Nothing ever waits for one: a full ring costs the report, and a counter says so.
 */
#ifndef GTH_EVENTS_H
#define GTH_EVENTS_H

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, GTH_EVENT_BYTES);
} events SEC(".maps");

/* A zeroed event with kind and time, or NULL when the ring is full. */
static __always_inline struct gth_event *event_begin(enum gth_event_kind kind)
{
	struct gth_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		count(GTH_EVENTS_LOST);
		return NULL;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->at_ns = bpf_ktime_get_ns();
	return e;
}

static __always_inline void event_of_process(enum gth_event_kind kind, struct task_struct *p, __u64 cgroup)
{
	struct gth_event *e = event_begin(kind);

	if (!e)
		return;
	e->tgid = p->tgid;
	e->cgroup = cgroup;
	bpf_probe_read_kernel(e->comm, sizeof(e->comm), p->group_leader->comm);
	bpf_ringbuf_submit(e, 0);
}

static __always_inline void event_of_cgroup(enum gth_event_kind kind, struct cgroup *cgrp, const char *path)
{
	struct gth_event *e = event_begin(kind);
	long len;

	if (!e)
		return;
	e->cgroup = cgrp->kn->id;
	len = bpf_probe_read_kernel_str(e->path, sizeof(e->path), path);
	e->path_len = len > 0 ? len - 1 : 0;
	bpf_ringbuf_submit(e, 0);
}

#endif
