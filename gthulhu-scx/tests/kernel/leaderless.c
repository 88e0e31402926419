/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process whose first thread ends while another goes on, waking up every millisecond until its input ends. It prints the
 * number of that thread.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *worker(void *leader)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };

	pthread_join(*(pthread_t *)leader, NULL);
	printf("%d\n", gettid());
	fflush(stdout);
	while (poll(&input, 1, 1) == 0)
		;
	exit(0);
}

int main(void)
{
	static pthread_t leader;
	pthread_t other;

	leader = pthread_self();
	if (pthread_create(&other, NULL, worker, &leader))
		return 1;
	pthread_exit(NULL);
}
