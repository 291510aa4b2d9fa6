/*
 * For the static program, in which c-ares resolves names. Linked with --wrap=send, which redirects calls of send to here.
 *
 * c-ares sends the queries for both kinds of address to one name server over one socket. If no server listens, the system
 * reports the error of the first query at the second send, and sends nothing. c-ares 1.18 then sends only the second query
 * to the next server, and waits 5 s for an answer to the first. When the second query is sent again, it gets its own error,
 * and c-ares sends both queries to the next server.
 */
#include <errno.h>
#include <sys/socket.h>

ssize_t __real_send(int socket, const void *data, size_t size, int flags);

ssize_t __wrap_send(int socket, const void *data, size_t size, int flags) {
    ssize_t count = __real_send(socket, data, size, flags);
    if (count >= 0 || errno == EAGAIN || errno == EINTR) return count;
    int error = errno;
    int type = 0;
    socklen_t type_size = sizeof type;
    int is_datagram = getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 && type == SOCK_DGRAM;
    if (is_datagram) return __real_send(socket, data, size, flags);
    errno = error;
    return count;
}
