/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel side and the user side both know: the layout of every value that crosses the border, and the
 * order of the counters. src/maps/layout.rs is the other half; a test there holds the two together.
 *
 * All values are little endian machine words without holes; sizes and offsets are asserted below.
 */
#ifndef GTH_INTF_H
#define GTH_INTF_H

#define GTH_COMM_LEN 16
#define GTH_PATH_LEN 256

#define GTH_MAX_CGROUP_RULES 16384
#define GTH_MAX_PID_RULES 131072
#define GTH_MAX_VERDICTS 16384
#define GTH_EVENT_BYTES (256 * 1024)

/* Strength of a strategy: 0 = slice only, 1-9 latency class, 10-20 graded; the smaller number is stronger. */
#define GTH_LATENCY_MAX 9
#define GTH_PRIORITY_MAX 20
/* Bounds of an asked slice. */
#define GTH_SLICE_MIN_NS 100000U
#define GTH_SLICE_MAX_NS 100000000U

enum gth_strategy_flags {
	GTH_UNGOVERNED = 1 << 0, /* a verdict "this name is not meant" */
	GTH_PENDING = 1 << 1,    /* user space was asked and has not answered */
};

struct gth_strategy {
	__u32 slice_ns; /* 0 = the default slice */
	__u8 priority;
	__u8 flags; /* enum gth_strategy_flags */
	__u16 pad;
};
_Static_assert(sizeof(struct gth_strategy) == 8, "gth_strategy");

enum gth_rule_flags {
	GTH_BY_COMM = 1 << 0, /* ask verdicts {rule, name of the leader}; else the strategy is for all but "pause" */
};

/* cg_rules: cgroup id -> this. */
struct gth_cgroup_rule {
	__u32 rule;
	__u32 flags; /* enum gth_rule_flags */
	struct gth_strategy strategy;
};
_Static_assert(sizeof(struct gth_cgroup_rule) == 16, "gth_cgroup_rule");

/* verdicts: which leader names a rule means. The name is NUL padded. */
struct gth_verdict_key {
	__u32 rule;
	char comm[GTH_COMM_LEN];
};
_Static_assert(sizeof(struct gth_verdict_key) == 20, "gth_verdict_key");

struct gth_verdict {
	struct gth_strategy strategy;
	__u64 asked_at; /* monotonic ns of the last question; 0 when answered */
};
_Static_assert(sizeof(struct gth_verdict) == 16, "gth_verdict");

/* pid_rules: thread group id -> this. */
struct gth_pid_rule {
	struct gth_strategy strategy;
	__u64 start_ticks; /* of the leader: field 22 of its stat file, hundredths of a second since boot */
};
_Static_assert(sizeof(struct gth_pid_rule) == 16, "gth_pid_rule");

enum gth_event_kind {
	GTH_EV_UNKNOWN_COMM = 1, /* a name without a verdict; at most one per {rule, name} in 100 ms */
	GTH_EV_CGROUP_MADE = 2,
	GTH_EV_CGROUP_GONE = 3,
	GTH_EV_PROCESS_NEW = 4, /* fork of a process, exec, rename of a leader or move, in a governed cgroup */
	GTH_EV_PROCESS_GONE = 5, /* the last thread of a governed process ended */
};

struct gth_event {
	__u32 kind;
	__u32 tgid; /* as the initial pid namespace numbers it */
	__u32 rule;
	__u32 path_len; /* bytes of path in use, without the NUL */
	__u64 cgroup;
	__u64 at_ns; /* monotonic */
	char comm[GTH_COMM_LEN];
	char path[GTH_PATH_LEN]; /* of a cgroup, below the root of the hierarchy */
};
_Static_assert(sizeof(struct gth_event) == 304, "gth_event");
_Static_assert(__builtin_offsetof(struct gth_event, comm) == 32, "gth_event.comm");

enum gth_source {
	GTH_FROM_NONE = 0,
	GTH_FROM_CGROUP = 1,
	GTH_FROM_VERDICT = 2,
	GTH_FROM_PID = 3,
	GTH_FROM_PENDING = 4, /* a rule that asks for a verdict, which is not there yet: normal for now */
	GTH_FROM_REFUSED = 5, /* a rule whose verdict is no, or "pause" */
};

/* task_ctx: the state of one thread; user space reads it by pidfd. */
struct gth_task {
	__u64 generation;  /* at which the strategy below was looked up; 0 = never */
	__u64 cgroup;      /* where it was then */
	__u64 rule_cgroup; /* whose rule decided, 0 = none */
	char comm[GTH_COMM_LEN]; /* of the leader then, where a rule concerns it */
	struct gth_strategy strategy;
	__u32 source; /* enum gth_source */
	__u32 flags;  /* private to the kernel side, as is all from here but what has another word */
	__u64 first_governed_ns; /* monotonic; 0 = never. For user space */
	__u64 enqueues_governed; /* for user space */
	__u64 enqueues_normal;   /* for user space */
	__u64 vtime;             /* place in the order of the default class. For user space */
	__s64 budget_ns;         /* wake budget left in this window. For user space */
	__u64 budget_at;         /* start of that window */
	__u64 started_at;        /* charged up to here; 0 = not running */
	__u64 waiting_since;     /* 0 = not waiting */
	__u64 granted_ns;        /* slice of this turn */
	__u64 ran_ns;            /* of it */
	__u64 group;             /* whose load counts this task, or did when it last ran; 0 = none */
	__u32 slot;              /* of that group */
	__u32 weight;            /* with which it is counted */
	__u32 share;             /* of the machine, when it was last charged: GTH_ONE is all of it */
	__u32 uncounted_governed; /* enqueues that its rule's counters do not have yet */
	__u32 uncounted_normal;
	__u32 uncounted_refused;
};
_Static_assert(sizeof(struct gth_task) == 168, "gth_task");
_Static_assert(__builtin_offsetof(struct gth_task, strategy) == 40, "gth_task.strategy");
_Static_assert(__builtin_offsetof(struct gth_task, first_governed_ns) == 56, "gth_task.first_governed_ns");
_Static_assert(__builtin_offsetof(struct gth_task, budget_ns) == 88, "gth_task.budget_ns");

/* cg_counters: cgroup id of a rule -> this, for each CPU. */
struct gth_cgroup_counters {
	__u64 enqueues_governed;
	__u64 enqueues_normal;  /* while the verdict was awaited */
	__u64 enqueues_refused; /* names that the rule does not mean */
	__u64 first_governed_ns; /* monotonic, since the rule was put; 0 = not yet */
	__u64 run_ns;           /* on CPUs, all tasks below the rule */
};
_Static_assert(sizeof(struct gth_cgroup_counters) == 40, "gth_cgroup_counters");

/* stats: an array for each CPU, in this order; src/maps/counters.rs has the same names. */
enum gth_counter {
	GTH_USER_DISPATCHES,
	GTH_KERNEL_DISPATCHES,
	GTH_CANCEL_DISPATCHES,
	GTH_BOUNCE_DISPATCHES,
	GTH_FAILED_DISPATCHES,
	GTH_EVENTS_LOST,
	GTH_PREEMPTIONS,
	GTH_GRADED_PREEMPTIONS,
	GTH_LAG_PREEMPTIONS,
	GTH_TIMER_CUTS,
	GTH_BUDGET_REFUSALS,
	GTH_FLOOR_REFUSALS,
	GTH_STALL_RESCUES,
	GTH_LOOKUPS,
	GTH_VERDICTS_ASKED,
	GTH_STALE_PID_RULES,
	GTH_VALUES_CLAMPED,
	GTH_THROTTLED,
	GTH_NR_COUNTERS,
};

/* How long tasks waited for a CPU; bucket 0 is below 1 us, bucket n from 2^(n-1) us to 2^n us. */
#define GTH_WAIT_BUCKETS 32
enum gth_wait_class {
	GTH_WAIT_GOVERNED,
	GTH_WAIT_NORMAL,
	GTH_NR_WAIT_CLASSES,
};

/* stats: one for each CPU. */
struct gth_stats {
	__u64 counter[GTH_NR_COUNTERS];
	__u64 wait[GTH_NR_WAIT_CLASSES][GTH_WAIT_BUCKETS];
	__s64 governed; /* threads that got a strategy on this CPU, less those that lost it here */
	__s64 queued;   /* tasks that began to wait in a queue here, less those that ceased to */
};
_Static_assert(sizeof(struct gth_stats) == 8 * (GTH_NR_COUNTERS + 2 * GTH_WAIT_BUCKETS + 2), "gth_stats");

/* cpu_ctx: one for each CPU. */
struct gth_cpu {
	__u32 rank;   /* of the running task; see enum gth_rank */
	__u32 online; /* 0 or 1 */
	__u32 taken;  /* 1 while a stronger class of the kernel runs here */
	__u32 share;  /* of the running task */
	__u64 picked_at;  /* when it began its turn */
	__u64 vtime;      /* with which it began */
	__u64 cut_at;     /* when the timer should end its turn; 0 = not set */
	__u64 cut_turn;   /* picked_at of the turn that is meant */
	__u64 window_at;  /* start of this window of the floor */
	__u64 boosted_ns; /* in it, of tasks that jumped the queue */
};
_Static_assert(sizeof(struct gth_cpu) == 64, "gth_cpu");

/* Order of strength of what runs on a CPU; a smaller number is never preempted by a larger one. */
enum gth_rank {
	GTH_RANK_KERNEL = 0, /* threads of the kernel that belong to one CPU */
	/* 1 to 20: the priority */
	GTH_RANK_NORMAL = 21,
	GTH_RANK_IDLE = 22,
};

/* exit_info: why the scheduler ended; kind 0 = it has not. */
struct gth_exit {
	__u64 kind; /* enum scx_exit_kind of the running kernel */
	__s64 code;
	char reason[128];
	char message[512];
};
_Static_assert(sizeof(struct gth_exit) == 656, "gth_exit");

#endif
