/*
 * For the static program, whose names c-ares looks up: linked with --wrap=send, so that its calls of send come here.
 *
 * c-ares asks one name server for both kinds of address over one socket. If nobody listens there, the system reports the
 * error of the first question at the second, and sends nothing. c-ares 1.18 then asks the next server the second question
 * only, and waits 5 s for an answer to the first. Sent once more, the second question gets an error of its own, and
 * c-ares asks the next server both.
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
