/*
 * The least that a server can do: one thread, epoll, and the same bytes for every request.
 *
 * `epoll_server FILE` answers with the content of FILE, which is a whole reply with its headers, whatever is asked. It
 * prints the port that it listens on. It ends with its parent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REPLY_MAX = 1 << 20, HEAD_MAX = 4096, CONNECTIONS_MAX = 1024, EVENTS = 64 };

static char reply[REPLY_MAX];
/* How many bytes of a head that is still incomplete each connection has sent, and those bytes. */
static size_t have[CONNECTIONS_MAX];
static char heads[CONNECTIONS_MAX][HEAD_MAX];

static void check(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void serve(int connection, size_t length)
{
    char *head = heads[connection];
    ssize_t got = recv(connection, head + have[connection], HEAD_MAX - have[connection], 0);

    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            close(connection);
        return;
    }
    have[connection] += (size_t)got;
    if (have[connection] < 4 || memcmp(head + have[connection] - 4, "\r\n\r\n", 4) != 0)
        return;
    have[connection] = 0;
    if (send(connection, reply, length, MSG_NOSIGNAL) != (ssize_t)length)
        close(connection);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t address_size = sizeof address;
    struct epoll_event event = { .events = EPOLLIN }, events[EVENTS];
    int listener = socket(AF_INET, SOCK_STREAM, 0), queue = epoll_create1(0), one = 1;
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    size_t length;

    check(file != NULL, "the reply");
    length = fread(reply, 1, sizeof reply, file);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    check(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    check(listen(listener, 128) == 0, "listen");
    check(getsockname(listener, (struct sockaddr *)&address, &address_size) == 0, "getsockname");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    event.data.fd = listener;
    check(epoll_ctl(queue, EPOLL_CTL_ADD, listener, &event) == 0, "epoll_ctl");
    for (;;) {
        int count = epoll_wait(queue, events, EVENTS, -1);

        for (int at = 0; at < count; at++) {
            if (events[at].data.fd != listener) {
                serve(events[at].data.fd, length);
                continue;
            }
            int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            if (connection < 0)
                continue;
            if (connection >= CONNECTIONS_MAX) {
                close(connection);
                continue;
            }
            have[connection] = 0;
            setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            event.data.fd = connection;
            check(epoll_ctl(queue, EPOLL_CTL_ADD, connection, &event) == 0, "epoll_ctl");
        }
    }
}
