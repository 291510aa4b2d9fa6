#ifndef CYCLES_LIFECYCLES_H
#define CYCLES_LIFECYCLES_H

typedef enum {
    /* The handle is reset and gets all its options, a URL to parse and a new header list for each request. */
    EVERY_OPTION_EACH_TIME,
    /* The options, a parsed URL and the header list are set once; the path and the body are set for each request. */
    OPTIONS_ONCE,
} lifecycle_style;

/*
 * Runs lifecycles of two POSTs, reserve and commit, without any JSON, and reports the cost of one.
 *
 * Uses `curl_easy_perform` on one handle at concurrency 1, and a multi handle with as many easy handles above. Bodies and
 * headers have the same sizes as those of the Swift client.
 *
 * Arguments: base URL, concurrency, lifecycles to measure, lifecycles to warm up with.
 */
int run_lifecycles(int count, char **arguments, lifecycle_style style);

#endif
