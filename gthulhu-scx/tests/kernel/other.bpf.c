/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A scheduler with a name and nothing else: what the tests attach to be in the way. The kernel finds the members that it
 * knows by their names, so that one is enough here.
 */
struct sched_ext_ops {
	char name[128];
};

char gpl[] __attribute__((section("license"), used)) = "GPL";

struct sched_ext_ops other __attribute__((section(".struct_ops.link"), used)) = {
	.name = "somebody_else",
};
