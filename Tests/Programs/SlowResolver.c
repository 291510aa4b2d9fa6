/* Preloaded, it lets every host name take longer than anybody waits, as with a name server that does not answer. */
#include <netdb.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
    (void)node, (void)service, (void)hints, (void)result;
    sleep(30);
    return EAI_AGAIN;
}
