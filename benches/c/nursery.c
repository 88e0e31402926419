/*
 * Makes processes that sleep, in the cgroups it is told to.
 *
 * Each line of standard input is `PROCS COUNT NAME`: COUNT processes named NAME in the cgroup whose cgroup.procs is
 * PROCS (`-`: where this program was started). The line `.` asks for the word "ready". At the end of its input it ends
 * them all; if it is killed itself, the kernel does.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void move_to(const char *procs)
{
    int file = open(procs, O_WRONLY | O_CLOEXEC);

    if (file < 0 || write(file, "0", 1) != 1) {
        fprintf(stderr, "%s: %s\n", procs, strerror(errno));
        exit(1);
    }
    close(file);
}

static void sleeper(const char *name, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    prctl(PR_SET_NAME, name);
    for (;;)
        pause();
}

int main(void)
{
    static char line[8192], procs[4096];
    pid_t self = getpid(), *made = NULL;
    size_t count = 0;
    char name[16];
    unsigned many;

    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, ".\n") == 0) {
            puts("ready");
            fflush(stdout);
            continue;
        }
        if (sscanf(line, "%4095s %u %15s", procs, &many, name) != 3)
            return 2;
        if (strcmp(procs, "-") != 0)
            move_to(procs);
        made = realloc(made, (count + many) * sizeof *made);
        if (!made)
            return 3;
        while (many--) {
            pid_t pid = fork();

            if (pid < 0) {
                perror("fork");
                return 1;
            }
            if (pid == 0)
                sleeper(name, self);
            made[count++] = pid;
        }
    }
    for (size_t at = 0; at < count; at++)
        kill(made[at], SIGKILL);
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    return 0;
}
