#ifndef CYCLES_CCURL_SHIM_H
#define CYCLES_CCURL_SHIM_H

/*
 * libcurl's option and information calls are variadic, which Swift cannot call.
 * Each wrapper below fixes one argument type, so that a wrong type does not compile.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#if LIBCURL_VERSION_NUM < 0x074400
#error "Cycles needs libcurl 7.68 or later (curl_multi_wakeup)"
#endif

typedef size_t (*cycles_data_callback)(char *data, size_t size, size_t count, void *context);

static inline CURLcode cycles_easy_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode cycles_easy_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode cycles_easy_set_string(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode cycles_easy_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode cycles_easy_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode cycles_easy_set_url(CURL *easy, CURLU *value) {
    return curl_easy_setopt(easy, CURLOPT_CURLU, value);
}

static inline CURLcode cycles_easy_set_data_callback(CURL *easy, CURLoption option, cycles_data_callback value) {
    return curl_easy_setopt(easy, option, value);
}

/* Opens a socket as libcurl does, and stores the error number of a failure, which libcurl does not report. */
static inline curl_socket_t cycles_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    int type = address->socktype;
#ifdef SOCK_CLOEXEC
    type |= SOCK_CLOEXEC;
#endif
    curl_socket_t descriptor = socket(address->family, type, address->protocol);
    /* If a standard stream is closed, its number is free. Output of the program must not reach the server. */
    if (descriptor >= 0 && descriptor <= STDERR_FILENO) {
        int other = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        int reason = errno;
        close(descriptor);
        errno = reason;
        descriptor = other;
    }
    if (descriptor == CURL_SOCKET_BAD) *(int *)context = errno;
    return descriptor;
}

/* Makes transfers store the error number of a socket that could not be opened in `reason`. */
static inline CURLcode cycles_easy_note_socket_errors(CURL *easy, int *reason) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, reason);
    return code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, cycles_open_socket) : code;
}

/* Accepts answers without an HTTP head, so that the client can refuse them and show their first bytes. */
static inline CURLcode cycles_easy_show_headless_answers(CURL *easy) {
    return curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 1L);
}

/*
 * Callbacks before the request: a name is about to be looked up, a socket is about to connect, the request is about to be
 * sent over a connection. Each callback has its own context.
 */
static inline CURLcode cycles_easy_set_resolver_start(CURL *easy, curl_resolver_start_callback value, void *context) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, value);
    return code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, context) : code;
}

static inline CURLcode cycles_easy_set_socket_opened(CURL *easy, curl_sockopt_callback value, void *context) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, value);
    return code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, context) : code;
}

/* libcurl keeps the context of the handle that opened a connection until the connection is closed. */
static inline CURLcode cycles_easy_set_socket_close(CURL *easy, curl_closesocket_callback value, void *context) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, value);
    return code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, context) : code;
}

typedef int (*cycles_request_callback)(
    void *context, char *remote_address, char *local_address, int remote_port, int local_port);

/* libcurl before 7.80.0 does not have this callback, and returns CURLE_UNKNOWN_OPTION. */
static inline CURLcode cycles_easy_set_request_callback(CURL *easy, cycles_request_callback value, void *context) {
#if LIBCURL_VERSION_NUM >= 0x075000
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, value);
    return code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_PREREQDATA, context) : code;
#else
    (void)easy, (void)value, (void)context;
    return CURLE_UNKNOWN_OPTION;
#endif
}

/* Limits the transfer to http and https, with the option that this version of libcurl has. */
static inline CURLcode cycles_easy_allow_http_only(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* Lets a transfer end without waiting for the thread that resolves its host name. libcurl before 7.87.0 waits. */
static inline CURLcode cycles_easy_leave_resolver(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075700
    return curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#else
    (void)easy;
    return CURLE_OK;
#endif
}

static inline CURLcode cycles_easy_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode cycles_easy_get_offset(CURL *easy, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode cycles_easy_get_pointer(CURL *easy, CURLINFO info, void **value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLMcode cycles_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

/*
 * The default file and directory of certificate authorities that this libcurl was built with. NULL if there is none, or if
 * libcurl is too old to report it.
 */
static inline const char *cycles_built_in_authority_file(void) {
#if LIBCURL_VERSION_NUM >= 0x074600
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    if (info->age >= CURLVERSION_SEVENTH) return info->cainfo;
#endif
    return NULL;
}

static inline const char *cycles_built_in_authority_directory(void) {
#if LIBCURL_VERSION_NUM >= 0x074600
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    if (info->age >= CURLVERSION_SEVENTH) return info->capath;
#endif
    return NULL;
}

/* The result of a finished transfer. Swift imports the union in CURLMsg awkwardly. */
static inline CURLcode cycles_message_result(const CURLMsg *message) {
    return message->data.result;
}

#endif
