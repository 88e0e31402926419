/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs that watch processes tell user space; src/watch/layout.rs is the other half, and a test there holds
 * the two together.
 *
 * All values are little endian machine words without holes; sizes and offsets are asserted below.
 */
#ifndef GTH_MONITOR_H
#define GTH_MONITOR_H

#define GTH_COMM_LEN 16
#define GTH_NAME_LEN 256
#define GTH_TOLD_BYTES (4 * 1024 * 1024)

/* The first word of everything that is told. */
enum gth_told_kind {
	GTH_TOLD_TASK = 1, /* in a listing: one task */
	GTH_TOLD_BEGUN = 2,
	GTH_TOLD_PROGRAM = 3, /* a leader, which is the only thread by then */
	GTH_TOLD_NAME = 4,    /* a leader; the name is the new one */
	GTH_TOLD_MOVED = 5,   /* a leader, with or without its threads */
	GTH_TOLD_ENDED = 6,
	GTH_TOLD_CGROUP_MADE = 7,
	GTH_TOLD_CGROUP_GONE = 8,
};

enum gth_told_flags {
	GTH_LEADER_ENDED = 1 << 0, /* the leader has ended or is about to; other threads may go on */
	GTH_LAST = 1 << 1,	   /* of an end: no thread of the process goes on */
};

/* A task: a thread, and of its process what its leader says. Numbers are those of the initial pid namespace. */
struct gth_told_task {
	__u32 kind; /* enum gth_told_kind */
	__u32 flags; /* enum gth_told_flags */
	__u32 tid;
	__u32 tgid;
	__u64 start_ns; /* of the thread, since boot */
	__u64 leader_start_ns;
	__u64 cgroup; /* of the leader, in the hierarchy of version 2 */
	__u32 parent; /* thread group id */
	__u32 pad;
	char comm[GTH_COMM_LEN]; /* of the leader, NUL padded */
};
_Static_assert(sizeof(struct gth_told_task) == 64, "gth_told_task");
_Static_assert(__builtin_offsetof(struct gth_told_task, start_ns) == 16, "gth_told_task.start_ns");
_Static_assert(__builtin_offsetof(struct gth_told_task, parent) == 40, "gth_told_task.parent");
_Static_assert(__builtin_offsetof(struct gth_told_task, comm) == 48, "gth_told_task.comm");

/* A cgroup of version 2. Its path is that of its parent and its name: however long, nothing is cut off. */
struct gth_told_cgroup {
	__u32 kind;
	__u32 pad;
	__u64 id;
	__u64 parent; /* 0 = none */
	char name[GTH_NAME_LEN];
};
_Static_assert(sizeof(struct gth_told_cgroup) == 280, "gth_told_cgroup");
_Static_assert(__builtin_offsetof(struct gth_told_cgroup, name) == 24, "gth_told_cgroup.name");

#endif
