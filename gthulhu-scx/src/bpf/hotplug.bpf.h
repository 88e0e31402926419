/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CPUs that come and go, and CPUs that a stronger class of the kernel takes for a while.
 *
 * A CPU that goes away is drained by the kernel while it still asks us for work; afterwards nothing may be put there.
 */
#ifndef GTH_HOTPLUG_H
#define GTH_HOTPLUG_H

static __always_inline void cpu_set_online(__s32 cpu, bool online)
{
	struct gth_cpu *c = cpu_of(cpu);

	if (!c)
		return;
	c->online = online;
	c->rank = GTH_RANK_IDLE;
	c->picked_at = 0;
	c->taken = 0;
}

/* Before the first task: a queue for each CPU there may ever be, and which of them are online now. */
static __always_inline __s32 cpus_begin(void)
{
	const struct cpumask *online = scx_bpf_get_online_cpumask();
	__s32 cpu, err = 0;

	bpf_for(cpu, 0, nr_cpus) {
		cpu_set_online(cpu, bpf_cpumask_test_cpu(cpu, online));
		err = scx_bpf_create_dsq(DSQ_PINNED(cpu), -1);
		if (err)
			break;
	}
	scx_bpf_put_cpumask(online);
	return err;
}

#endif
