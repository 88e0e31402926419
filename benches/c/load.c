/*
 * Asks a server the same thing again and again.
 *
 * `load PORT CONNECTIONS REQUESTS FILE` sends the content of FILE, a whole request, REQUESTS times over CONNECTIONS
 * connections that are kept open; on each, the next request follows the reply to the last. Anything but a 200 is an
 * error.
 *
 * It never sleeps. To wake a caller costs the server about as much as to answer him, and has to be done the oftener the
 * longer it takes over a request: the cost of a request would be counted twice.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REPLY_MAX = 1 << 20, REQUEST_MAX = 8192, CONNECTIONS_MAX = 256, EVENTS = 64, SILENCE_MAX = 10 };

struct connection {
    int socket;
    size_t have;
    char *reply;
};

static char request[REQUEST_MAX];
static size_t request_length;

static void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void ask(const struct connection *connection)
{
    if (send(connection->socket, request, request_length, MSG_NOSIGNAL) != (ssize_t)request_length)
        fail("send");
}

/* Whether the whole reply is there. */
static int is_complete(const struct connection *connection)
{
    char *body, *length;

    connection->reply[connection->have] = 0;
    body = strstr(connection->reply, "\r\n\r\n");
    if (!body)
        return 0;
    if (strncmp(connection->reply, "HTTP/1.1 200 ", 13) != 0) {
        fprintf(stderr, "load: %s\n", connection->reply);
        exit(1);
    }
    length = strcasestr(connection->reply, "\r\ncontent-length:");
    if (!length || length > body)
        fail("a reply without its length");
    return connection->have >= (size_t)(body + 4 - connection->reply) + strtoul(length + 17, NULL, 10);
}

int main(int argc, char **argv)
{
    static struct connection connections[CONNECTIONS_MAX];
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct epoll_event event = { .events = EPOLLIN }, events[EVENTS];
    int queue = epoll_create1(0), one = 1;
    long count, left, asked = 0;
    FILE *file;

    if (argc != 5 || !(file = fopen(argv[4], "r")))
        fail("usage: load PORT CONNECTIONS REQUESTS FILE");
    request_length = fread(request, 1, sizeof request, file);
    address.sin_port = htons((unsigned short)atoi(argv[1]));
    count = atol(argv[2]);
    left = atol(argv[3]);
    if (count < 1 || count > CONNECTIONS_MAX || left < count)
        fail("that many connections");
    for (long at = 0; at < count; at++) {
        struct connection *connection = &connections[at];

        connection->socket = socket(AF_INET, SOCK_STREAM, 0);
        connection->reply = malloc(REPLY_MAX + 1);
        if (!connection->reply || connect(connection->socket, (struct sockaddr *)&address, sizeof address) != 0)
            fail("connect");
        setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        event.data.ptr = connection;
        if (epoll_ctl(queue, EPOLL_CTL_ADD, connection->socket, &event) != 0)
            fail("epoll_ctl");
    }
    long total = left;
    time_t heard = time(NULL);
    for (; asked < count; asked++)
        ask(&connections[asked]);
    while (left > 0) {
        int ready = epoll_wait(queue, events, EVENTS, 0);

        if (ready < 0)
            fail("epoll_wait");
        if (ready > 0)
            heard = time(NULL);
        else if (time(NULL) - heard > SILENCE_MAX)
            fail("the server is silent");
        for (int at = 0; at < ready; at++) {
            struct connection *connection = events[at].data.ptr;
            ssize_t got = recv(connection->socket, connection->reply + connection->have,
                               REPLY_MAX - connection->have, 0);

            if (got <= 0)
                fail("recv");
            connection->have += (size_t)got;
            if (!is_complete(connection))
                continue;
            connection->have = 0;
            left--;
            if (asked < total) {
                asked++;
                ask(connection);
            }
        }
    }
    return 0;
}
