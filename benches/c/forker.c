/*
 * Forks when it is told.
 *
 * Each byte of standard input ends the child before, waits for it, and makes another, which sleeps; the answer is a line
 * with the child's pid and the time right before it was made, in nanoseconds of the monotonic clock. Children end with
 * this program.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
    pid_t child = 0, self = getpid();
    char order;

    while (read(STDIN_FILENO, &order, 1) == 1) {
        struct timespec now;

        if (child > 0) {
            kill(child, SIGKILL);
            waitpid(child, NULL, 0);
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        child = fork();
        if (child < 0)
            return 1;
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != self)
                _exit(0);
            for (;;)
                pause();
        }
        printf("%d %lld\n", (int)child, (long long)now.tv_sec * 1000000000LL + now.tv_nsec);
        fflush(stdout);
    }
    return 0;
}
