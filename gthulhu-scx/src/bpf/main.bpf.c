// SPDX-License-Identifier: GPL-2.0
/*
 * The scheduler: the table of operations, each a few lines that say in which order the features act. Every decision
 * is made here; user space only says which strategies there are.
 */
#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "intf.h"
#include "compat.bpf.h"
#include "state.bpf.h"
#include "stats.bpf.h"
#include "events.bpf.h"
#include "governed.bpf.h"
#include "weight.bpf.h"
#include "limit.bpf.h"
#include "order.bpf.h"
#include "floor.bpf.h"
#include "latency.bpf.h"
#include "timer.bpf.h"
#include "graded.bpf.h"
#include "stall.bpf.h"
#include "hotplug.bpf.h"
#include "watch.bpf.h"
#include "cgroup.bpf.h"

char _license[] SEC("license") = "GPL";

/* Threads of the kernel that belong to one CPU do its housekeeping: they go first. */
static __always_inline bool is_housekeeping(const struct task_struct *p)
{
	return p->flags & PF_KTHREAD && p->nr_cpus_allowed == 1;
}

static __always_inline void run_here(struct task_struct *p, struct gth_task *t, __u64 flags)
{
	t->flags &= ~(TASK_BOOSTED | TASK_IN_ORDER);
	t->granted_ns = grant_of(t);
	t->ran_ns = 0;
	insert(p, DSQ_LOCAL, t->granted_ns, flags);
}

/* Charges a turn or a part of one to all that pay for it. True if a limit is used up. */
static __always_inline bool charge_all(struct gth_task *t, struct gth_cpu *c, __u64 now)
{
	__u64 ran = charge(t, c, now);

	flush_counts(t, ran);
	return limits_in_use && limit_charge(t->slot, ran, now);
}

SEC("struct_ops/gthulhu_select_cpu")
__s32 BPF_PROG(gthulhu_select_cpu, struct task_struct *p, __s32 prev_cpu, __u64 wake_flags)
{
	bool idle = false;
	__s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);
	struct gth_task *t;
	__u64 now;

	if (!idle)
		return cpu;
	t = task_of(p);
	now = clock();
	if (!t || limit_holds(t, now)) {
		/* Not now; the CPU looks for other work and is known to be idle again. */
		scx_bpf_kick_cpu(cpu, KICK_IDLE);
		return cpu;
	}
	govern(p, t, now);
	count_enqueue(t);
	run_here(p, t, 0);
	return cpu;
}

SEC("struct_ops/gthulhu_enqueue")
void BPF_PROG(gthulhu_enqueue, struct task_struct *p, __u64 flags)
{
	bool woke = flags & ENQ_WAKEUP, bounced = flags & ENQ_REENQ, selected = flags & ENQ_CPU_SELECTED;
	struct gth_task *t = task_of(p);
	__s32 cpu = scx_bpf_task_cpu(p);
	__u64 now = clock();
	__u32 held;
	bool jumps;

	if (!t) {
		count(GTH_FAILED_DISPATCHES);
		insert(p, DSQ_LOCAL, default_slice_ns, 0);
		return;
	}
	if (is_housekeeping(p)) {
		count(GTH_KERNEL_DISPATCHES);
		/* Not when the CPU is being taken: what would be preempted is no longer running, but waits in its queue. */
		run_here(p, t, bounced ? 0 : ENQ_PREEMPT);
		return;
	}
	govern(p, t, now);
	if (bounced)
		count(GTH_BOUNCE_DISPATCHES);
	else
		count_enqueue(t);
	if (!t->waiting_since)
		t->waiting_since = now;
	held = limit_holds(t, now);
	if (held && limit_hold(p, held, slice_of(t), now))
		return;
	/* The last task of a CPU that has no other has to be put where that CPU looks first. */
	if (flags & ENQ_LAST || (!selected && scx_bpf_test_and_clear_cpu_idle(cpu))) {
		run_here(p, t, 0);
		return;
	}
	jumps = in_latency_class(t) && (woke || bounced || latency_cut_short(t));
	t->ran_ns = 0;
	if (jumps && latency_enqueue(p, t, now))
		return;
	order_clamp(t, now);
	order_insert(p, t, woke ? graded_credit(t) : 0, 0);
	if (woke)
		wake_preempt(p, t, cpu, now);
	if (!is_pinned(p))
		wake_idle(p);
}

SEC("struct_ops/gthulhu_dispatch")
void BPF_PROG(gthulhu_dispatch, __s32 cpu, struct task_struct *prev)
{
	struct gth_cpu *c = cpu_of(cpu);
	__u64 now = clock();
	bool boosted = scx_bpf_dsq_nr_queued(DSQ_BOOST) > 0, floor;
	struct heads heads;
	struct gth_task *t;

	if (!c)
		return;
	floor = boosted && floor_reached(c, cpu, now);
	if (floor)
		count(GTH_FLOOR_REFUSALS);
	if (boosted && !floor && move_to_local(DSQ_BOOST))
		return;
	heads_read(&heads, cpu, now);
	/* The task that is on the CPU, if it may go on. */
	t = prev && prev->scx.flags & ENT_QUEUED ? task_of(prev) : NULL;
	if (t) {
		charge_all(t, c, now);
		if (limit_holds(t, now))
			t = NULL;
		else if (goes_on(t, &heads, now)) {
			set_slice(prev, t->granted_ns);
			return;
		}
	}
	if (take_next(cpu, &heads))
		return;
	if (floor && move_to_local(DSQ_BOOST))
		return;
	/* Nobody else may run here. */
	if (t)
		set_slice(prev, grant_of(t));
}

SEC("struct_ops/gthulhu_tick")
void BPF_PROG(gthulhu_tick, struct task_struct *p)
{
	struct gth_task *t = task_of(p);
	struct gth_cpu *c = cpu_of_running(p);

	if (t && c && charge_all(t, c, clock()))
		set_slice(p, 0);
}

SEC("struct_ops/gthulhu_runnable")
void BPF_PROG(gthulhu_runnable, struct task_struct *p, __u64 flags)
{
	struct gth_task *t = task_of(p);

	if (!t)
		return;
	weight_joins(p, t);
	t->waiting_since = clock();
}

SEC("struct_ops/gthulhu_running")
void BPF_PROG(gthulhu_running, struct task_struct *p)
{
	struct gth_task *t = task_of(p);
	struct gth_cpu *c = cpu_of_running(p);
	__u64 now = clock();

	if (!t || !c)
		return;
	wait_ends(t, now);
	gauge_queued(t, false);
	order_running(t);
	t->started_at = now;
	c->taken = 0;
	c->rank = is_housekeeping(p) ? GTH_RANK_KERNEL : rank_of(t);
	c->share = share_of(t, now);
	c->vtime = t->vtime;
	c->picked_at = now;
	if (is_below_tick(t->granted_ns) && t->ran_ns < t->granted_ns)
		cut_later(scx_bpf_task_cpu(p), c, t->granted_ns - t->ran_ns, now);
}

SEC("struct_ops/gthulhu_stopping")
void BPF_PROG(gthulhu_stopping, struct task_struct *p, bool runnable)
{
	struct gth_task *t = task_of(p);
	struct gth_cpu *c = cpu_of_running(p);
	__u64 now = clock();

	if (!t || !c)
		return;
	charge_all(t, c, now);
	t->started_at = 0;
	t->waiting_since = runnable ? now : 0;
	c->rank = GTH_RANK_IDLE;
	c->picked_at = 0;
}

SEC("struct_ops/gthulhu_quiescent")
void BPF_PROG(gthulhu_quiescent, struct task_struct *p, __u64 flags)
{
	struct gth_task *t = task_of(p);

	if (!t)
		return;
	weight_leaves(t);
	if (t->flags & TASK_QUEUED)
		count(GTH_CANCEL_DISPATCHES);
	gauge_queued(t, false);
	t->waiting_since = 0;
}

SEC("struct_ops/gthulhu_cpu_acquire")
void BPF_PROG(gthulhu_cpu_acquire, __s32 cpu, struct scx_cpu_acquire_args *args)
{
	struct gth_cpu *c = cpu_of(cpu);

	if (c)
		c->taken = 0;
}

SEC("struct_ops/gthulhu_cpu_release")
void BPF_PROG(gthulhu_cpu_release, __s32 cpu, struct scx_cpu_release_args *args)
{
	struct gth_cpu *c = cpu_of(cpu);

	if (c)
		c->taken = 1;
	reenqueue_local();
}

SEC("struct_ops/gthulhu_init_task")
__s32 BPF_PROG(gthulhu_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	struct gth_task *t = bpf_task_storage_get(&task_ctx, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!t)
		return -ENOMEM;
	t->flags = TASK_FRESH;
	return 0;
}

SEC("struct_ops/gthulhu_exit_task")
void BPF_PROG(gthulhu_exit_task, struct task_struct *p, struct scx_exit_task_args *args)
{
	struct gth_task *t = task_of(p);

	if (!t)
		return;
	weight_leaves(t);
	gauge_queued(t, false);
	if (is_governed(t))
		gauge_governed(-1);
	t->flags = 0;
}

SEC("struct_ops/gthulhu_enable")
void BPF_PROG(gthulhu_enable, struct task_struct *p)
{
	struct gth_task *t = task_of(p);

	if (t)
		t->vtime = clock_now;
}

SEC("struct_ops.s/gthulhu_cpu_online")
void BPF_PROG(gthulhu_cpu_online, __s32 cpu)
{
	cpu_set_online(cpu, true);
}

SEC("struct_ops.s/gthulhu_cpu_offline")
void BPF_PROG(gthulhu_cpu_offline, __s32 cpu)
{
	cpu_set_online(cpu, false);
	timer_leaving(cpu);
}

SEC("struct_ops.s/gthulhu_init")
__s32 BPF_PROG(gthulhu_init)
{
	return scx_bpf_create_dsq(DSQ_SHARED, -1) ?: scx_bpf_create_dsq(DSQ_BOOST, -1) ?: cpus_begin() ?:
	       timers_begin();
}

SEC("struct_ops.s/gthulhu_exit")
void BPF_PROG(gthulhu_exit, struct scx_exit_info *info)
{
	bpf_probe_read_kernel_str(exit_info.reason, sizeof(exit_info.reason), info->reason);
	bpf_probe_read_kernel_str(exit_info.message, sizeof(exit_info.message), info->msg);
	exit_info.code = info->exit_code;
	exit_info.kind = info->kind;
}

SEC(".struct_ops.link")
struct sched_ext_ops gthulhu_ops = {
	.select_cpu = (void *)gthulhu_select_cpu,
	.enqueue = (void *)gthulhu_enqueue,
	.dispatch = (void *)gthulhu_dispatch,
	.tick = (void *)gthulhu_tick,
	.runnable = (void *)gthulhu_runnable,
	.running = (void *)gthulhu_running,
	.stopping = (void *)gthulhu_stopping,
	.quiescent = (void *)gthulhu_quiescent,
	.cpu_acquire = (void *)gthulhu_cpu_acquire,
	.cpu_release = (void *)gthulhu_cpu_release,
	.init_task = (void *)gthulhu_init_task,
	.exit_task = (void *)gthulhu_exit_task,
	.enable = (void *)gthulhu_enable,
	.cgroup_init = (void *)gthulhu_cgroup_init,
	.cgroup_exit = (void *)gthulhu_cgroup_exit,
	.cgroup_set_weight = (void *)gthulhu_cgroup_set_weight,
	.cgroup_set_bandwidth = (void *)gthulhu_cgroup_set_bandwidth,
	.cpu_online = (void *)gthulhu_cpu_online,
	.cpu_offline = (void *)gthulhu_cpu_offline,
	.init = (void *)gthulhu_init,
	.exit = (void *)gthulhu_exit,
	.timeout_ms = 30000,
	.name = "gthulhu",
};
