/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which strategy a task has. A rule for its process wins; else the nearest cgroup at or above its own that has a
 * rule decides, either for every name or by a verdict on the name of the leader.
 *
 * The answer is kept with the task and believed while three things stay: the generation, the task's cgroup and,
 * where a rule concerns it, its leader's name. They are compared at every enqueue, so a new process, a new thread, an
 * exec, a rename and a move are all governed from their first enqueue on. An answer that awaits a verdict is not kept.
 */
#ifndef GTH_GOVERNED_H
#define GTH_GOVERNED_H

#define CGROUP_LEVELS 16
#define ASK_AGAIN_NS (100 * MSEC)
#define NS_PER_TICK 10000000ULL /* of the unit in which user space sees start times */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GTH_MAX_CGROUP_RULES);
	__type(key, __u64);
	__type(value, struct gth_cgroup_rule);
} cg_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GTH_MAX_PID_RULES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct gth_pid_rule);
} pid_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, GTH_MAX_VERDICTS);
	__type(key, struct gth_verdict_key);
	__type(value, struct gth_verdict);
} verdicts SEC(".maps");

/* Entries are made by user space together with the rule. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, GTH_MAX_CGROUP_RULES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct gth_cgroup_counters);
} cg_counters SEC(".maps");

static __always_inline __u64 cgroup_of(struct task_struct *p)
{
	return p->cgroups->dfl_cgrp->kn->id;
}

/* Eight bytes of a name at once. */
static __always_inline bool same_comm(const char *a, const char *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return x[0] == y[0] && x[1] == y[1];
}

static __always_inline void read_comm(char comm[GTH_COMM_LEN], struct task_struct *p)
{
	bpf_probe_read_kernel(comm, GTH_COMM_LEN, p->group_leader->comm);
}

/* The nearest cgroup at or above the task's own that has a rule; 0 if none has. */
__noinline __u64 nearest_ruled(struct task_struct *p __arg_trusted)
{
	/* Read as a plain number: the verifier lets nobody step through the ancestors of a pointer it knows. */
	struct cgroup *cgrp = BPF_CORE_READ(p, cgroups, dfl_cgrp);
	struct cgroup *above;
	int level = BPF_CORE_READ(cgrp, level);
	int i;
	__u64 id;

	for (i = 0; i < CGROUP_LEVELS; i++) {
		if (level - i < 0)
			break;
		if (bpf_core_read(&above, sizeof(above), &cgrp->ancestors[level - i]) || !above)
			break;
		id = BPF_CORE_READ(above, kn, id);
		if (bpf_map_lookup_elem(&cg_rules, &id))
			return id;
	}
	return 0;
}

/* Takes a strategy into the task, within the scale whatever the map says. */
static __always_inline void take(struct gth_task *t, const struct gth_strategy *s, enum gth_source source)
{
	t->strategy = *s;
	t->source = source;
	if (t->strategy.priority > GTH_PRIORITY_MAX) {
		t->strategy.priority = GTH_PRIORITY_MAX;
		count(GTH_VALUES_CLAMPED);
	}
	if (t->strategy.slice_ns && t->strategy.slice_ns < GTH_SLICE_MIN_NS) {
		t->strategy.slice_ns = GTH_SLICE_MIN_NS;
		count(GTH_VALUES_CLAMPED);
	} else if (t->strategy.slice_ns > GTH_SLICE_MAX_NS) {
		t->strategy.slice_ns = GTH_SLICE_MAX_NS;
		count(GTH_VALUES_CLAMPED);
	}
}

/* Asks user space for a verdict, once in a while; nobody waits for it. */
static __noinline void ask(struct task_struct *p, __u64 cgroup, const struct gth_verdict_key *key,
			   struct gth_verdict *known, __u64 now)
{
	struct gth_verdict pending = { .strategy = { .flags = GTH_PENDING }, .asked_at = now };
	struct gth_event *e;
	__u64 asked_at;

	if (known) {
		asked_at = known->asked_at;
		if (since(asked_at, now) < ASK_AGAIN_NS ||
		    __sync_val_compare_and_swap(&known->asked_at, asked_at, now) != asked_at)
			return;
	} else if (bpf_map_update_elem(&verdicts, key, &pending, BPF_NOEXIST)) {
		return;
	}
	count(GTH_VERDICTS_ASKED);
	e = event_begin(GTH_EV_UNKNOWN_COMM);
	if (!e)
		return;
	e->tgid = p->tgid;
	e->rule = key->rule;
	e->cgroup = cgroup;
	__builtin_memcpy(e->comm, key->comm, GTH_COMM_LEN);
	bpf_ringbuf_submit(e, 0);
}

static __always_inline void decide_by_cgroup(struct task_struct *p, struct gth_task *t,
					     const struct gth_cgroup_rule *rule, __u64 now)
{
	struct gth_verdict_key key = { .rule = rule->rule };
	struct gth_verdict *v;

	if (!(rule->flags & GTH_BY_COMM)) {
		static const char pause[GTH_COMM_LEN] = "pause";

		if (__builtin_memcmp(t->comm, pause, sizeof("pause")) == 0)
			t->source = GTH_FROM_REFUSED;
		else
			take(t, &rule->strategy, GTH_FROM_CGROUP);
		return;
	}
	/* A rename may leave the tail of the former name behind the first NUL. */
	bpf_probe_read_kernel_str(key.comm, GTH_COMM_LEN, t->comm);
	v = bpf_map_lookup_elem(&verdicts, &key);
	if (!v || v->strategy.flags & GTH_PENDING) {
		ask(p, t->cgroup, &key, v, now);
		t->source = GTH_FROM_PENDING;
		t->generation = 0;
	} else if (v->strategy.flags & GTH_UNGOVERNED) {
		t->source = GTH_FROM_REFUSED;
	} else {
		take(t, &v->strategy, GTH_FROM_VERDICT);
	}
}

/* Brings the counters of the rule that concerns the task up to date, once a turn. */
static __always_inline void flush_counts(struct gth_task *t, __u64 ran)
{
	struct gth_cgroup_counters *c;

	c = t->rule_cgroup ? bpf_map_lookup_elem(&cg_counters, &t->rule_cgroup) : NULL;
	if (c) {
		c->enqueues_governed += t->uncounted_governed;
		c->enqueues_normal += t->uncounted_normal;
		c->enqueues_refused += t->uncounted_refused;
		c->run_ns += ran;
		if (t->uncounted_governed && !c->first_governed_ns)
			c->first_governed_ns = t->first_governed_ns;
	}
	/* Without a rule too: the next rule must not be charged for what was before it. */
	t->uncounted_governed = 0;
	t->uncounted_normal = 0;
	t->uncounted_refused = 0;
}

static __noinline void look_up(struct task_struct *p, struct gth_task *t, __u64 now)
{
	static const struct gth_strategy none;
	__u32 tgid = p->tgid;
	struct gth_pid_rule *by_pid;
	struct gth_cgroup_rule *rule;
	bool was_governed = is_governed(t);
	__u64 former_cgroup = t->rule_cgroup;

	count(GTH_LOOKUPS);
	flush_counts(t, 0);
	t->strategy = none;
	t->source = GTH_FROM_NONE;
	by_pid = bpf_map_lookup_elem(&pid_rules, &tgid);
	if (by_pid && by_pid->start_ticks != p->group_leader->start_boottime / NS_PER_TICK) {
		count(GTH_STALE_PID_RULES);
		by_pid = NULL;
	}
	t->rule_cgroup = nearest_ruled(p);
	rule = t->rule_cgroup ? bpf_map_lookup_elem(&cg_rules, &t->rule_cgroup) : NULL;
	if (rule)
		read_comm(t->comm, p);
	if (by_pid)
		take(t, &by_pid->strategy, GTH_FROM_PID);
	else if (rule)
		decide_by_cgroup(p, t, rule, now);

	if (t->source >= GTH_FROM_CGROUP && t->source <= GTH_FROM_PID)
		t->flags |= TASK_GOVERNED;
	else
		t->flags &= ~TASK_GOVERNED;
	/* The time of the first governed enqueue is that under the present rule. */
	if (!was_governed || t->rule_cgroup != former_cgroup)
		t->first_governed_ns = 0;
	if (is_governed(t) != was_governed)
		gauge_governed(was_governed ? -1 : 1);
}

/* Brings the task's strategy up to date. */
static __always_inline void govern(struct task_struct *p, struct gth_task *t, __u64 now)
{
	__u64 current_generation = generation;
	__u64 cgroup = cgroup_of(p);
	char comm[GTH_COMM_LEN] __attribute__((aligned(8)));

	if (t->generation == current_generation && t->cgroup == cgroup) {
		if (!t->rule_cgroup)
			return;
		read_comm(comm, p);
		if (same_comm(comm, t->comm))
			return;
	}
	t->generation = current_generation;
	t->cgroup = cgroup;
	look_up(p, t, now);
}

/* Counts an enqueue, for its task and for the cgroup whose rule concerns it. */
static __always_inline void count_enqueue(struct gth_task *t)
{
	if (is_governed(t)) {
		count(GTH_USER_DISPATCHES);
		t->enqueues_governed++;
		t->uncounted_governed++;
		if (!t->first_governed_ns)
			t->first_governed_ns = bpf_ktime_get_ns();
		return;
	}
	count(GTH_KERNEL_DISPATCHES);
	t->enqueues_normal++;
	if (t->source == GTH_FROM_PENDING)
		t->uncounted_normal++;
	else
		t->uncounted_refused++;
}

#endif
