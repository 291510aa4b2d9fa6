#include <curl/curl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lifecycles.h"
#include "measurement.h"

#define IDEMPOTENCY_KEY "0f8fad5b-d9cb-469f-a165-70867728950e"

static const char reserve_body[] =
    "{\"idempotency_key\":\"" IDEMPOTENCY_KEY "\","
    "\"subject\":{\"tenant\":\"acme\",\"workspace\":\"prod\",\"agent\":\"summarizer\"},"
    "\"action\":{\"kind\":\"llm.completion\",\"name\":\"summarize-document\"},"
    "\"estimate\":{\"unit\":\"USD_MICROCENTS\",\"amount\":500000},\"ttl_ms\":60000}";

static const char commit_body[] =
    "{\"idempotency_key\":\"" IDEMPOTENCY_KEY "\",\"actual\":{\"unit\":\"USD_MICROCENTS\",\"amount\":423000},"
    "\"metrics\":{\"tokens_input\":1500,\"tokens_output\":800,\"latency_ms\":2340,"
    "\"model_version\":\"claude-sonnet-4-20250514\"}}";

#define RESERVE_PATH "/v1/reservations"
#define COMMIT_PATH "/v1/reservations/rsv_0f8fad5bd9cb469fa16570867728950e/commit"

static lifecycle_style style;
static char reserve_url[256];
static char commit_url[256];
static CURLU *base_url;

struct buffer {
    char *bytes;
    size_t count;
    size_t capacity;
};

/* One of the concurrent lifecycles. */
struct worker {
    CURL *easy;
    struct curl_slist *headers;
    struct buffer answer_headers;
    struct buffer answer;
    char error[CURL_ERROR_SIZE];
    bool is_committing;
};

static void fail(const char *what, const char *detail) {
    fprintf(stderr, "lifecycles: %s: %s\n", what, detail);
    exit(1);
}

static size_t collect(char *data, size_t size, size_t count, void *context) {
    struct buffer *buffer = context;
    size_t length = size * count;
    if (buffer->count + length > buffer->capacity) {
        buffer->capacity = 2 * (buffer->count + length);
        buffer->bytes = realloc(buffer->bytes, buffer->capacity);
        if (buffer->bytes == NULL) return 0;
    }
    memcpy(buffer->bytes + buffer->count, data, length);
    buffer->count += length;
    return length;
}

static struct curl_slist *request_headers(void) {
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    headers = curl_slist_append(headers, "User-Agent: cycles-swift/0.1.0");
    headers = curl_slist_append(headers, "X-Cycles-API-Key: cyc_live_0123456789abcdef");
    headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, "X-Idempotency-Key: " IDEMPOTENCY_KEY);
    return curl_slist_append(headers, "Expect:");
}

/* The options that are the same for each request. */
static void set_fixed_options(struct worker *worker) {
    CURL *easy = worker->easy;
    worker->headers = request_headers();
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, worker->headers);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, collect);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &worker->answer_headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &worker->answer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, worker->error);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, worker);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 2000L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 7000L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    if (style == OPTIONS_ONCE) {
        curl_easy_setopt(easy, CURLOPT_CURLU, base_url);
        /* Without the option, libcurl looks the proxy up in the environment for each request. */
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    }
}

static void prepare(struct worker *worker, bool is_committing) {
    CURL *easy = worker->easy;
    worker->is_committing = is_committing;
    worker->answer_headers.count = 0;
    worker->answer.count = 0;
    worker->error[0] = 0;
    if (style == OPTIONS_ONCE) {
        if (worker->headers == NULL) set_fixed_options(worker);
        curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, is_committing ? COMMIT_PATH : RESERVE_PATH);
    } else {
        curl_easy_reset(easy);
        set_fixed_options(worker);
        curl_easy_setopt(easy, CURLOPT_URL, is_committing ? commit_url : reserve_url);
    }
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, is_committing ? commit_body : reserve_body);
    curl_easy_setopt(
        easy, CURLOPT_POSTFIELDSIZE, (long)(is_committing ? sizeof commit_body - 1 : sizeof reserve_body - 1));
}

static void free_headers(struct worker *worker) {
    curl_slist_free_all(worker->headers);
    worker->headers = NULL;
}

static void finish(struct worker *worker, CURLcode result) {
    long status = 0;
    if (result != CURLE_OK) fail("the request failed", worker->error[0] ? worker->error : curl_easy_strerror(result));
    curl_easy_getinfo(worker->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 || worker->answer.count == 0) fail("unexpected answer", "not 200, or no body");
    if (style == EVERY_OPTION_EACH_TIME) free_headers(worker);
}

static void run_one_after_another(struct worker *worker, long lifecycles) {
    for (long done = 0; done < lifecycles; done++) {
        prepare(worker, false);
        finish(worker, curl_easy_perform(worker->easy));
        prepare(worker, true);
        finish(worker, curl_easy_perform(worker->easy));
    }
}

static void run_side_by_side(CURLM *multi, struct worker *workers, long concurrency, long lifecycles) {
    long started = 0;
    long finished = 0;
    while (started < concurrency && started < lifecycles) {
        prepare(&workers[started], false);
        curl_multi_add_handle(multi, workers[started].easy);
        started++;
    }
    while (finished < lifecycles) {
        int running, queued;
        CURLMsg *message;
        CURLMcode result = curl_multi_perform(multi, &running);
        if (result != CURLM_OK) fail("curl_multi_perform", curl_multi_strerror(result));
        while ((message = curl_multi_info_read(multi, &queued)) != NULL) {
            struct worker *worker;
            CURL *easy = message->easy_handle;
            CURLcode outcome = message->data.result;
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&worker);
            curl_multi_remove_handle(multi, easy);
            finish(worker, outcome);
            if (!worker->is_committing) {
                prepare(worker, true);
                curl_multi_add_handle(multi, easy);
                continue;
            }
            finished++;
            if (started < lifecycles) {
                started++;
                prepare(worker, false);
                curl_multi_add_handle(multi, easy);
            }
        }
        if (finished < lifecycles) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
}

static void run(CURLM *multi, struct worker *workers, long concurrency, long lifecycles) {
    if (concurrency == 1) {
        run_one_after_another(workers, lifecycles);
    } else {
        run_side_by_side(multi, workers, concurrency, lifecycles);
    }
}

int run_lifecycles(int count, char **arguments, lifecycle_style chosen_style) {
    if (count != 5) fail("usage", "BASE-URL CONCURRENCY LIFECYCLES WARM-UP");
    style = chosen_style;
    long concurrency = atol(arguments[2]);
    long lifecycles = atol(arguments[3]);
    long warm_up = atol(arguments[4]);
    if (concurrency < 1 || lifecycles < 1) fail("usage", "concurrency and lifecycles have to be 1 or more");
    snprintf(reserve_url, sizeof reserve_url, "%s" RESERVE_PATH, arguments[1]);
    snprintf(commit_url, sizeof commit_url, "%s" COMMIT_PATH, arguments[1]);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    base_url = curl_url();
    if (curl_url_set(base_url, CURLUPART_URL, arguments[1], 0) != CURLUE_OK) fail("the base URL", arguments[1]);
    CURLM *multi = curl_multi_init();
    struct worker *workers = calloc((size_t)concurrency, sizeof *workers);
    for (long index = 0; index < concurrency; index++) workers[index].easy = curl_easy_init();

    run(multi, workers, concurrency, warm_up);
    measurement start = measurement_now();
    run(multi, workers, concurrency, lifecycles);
    measurement_report(start, lifecycles);

    for (long index = 0; index < concurrency; index++) {
        curl_easy_cleanup(workers[index].easy);
        free_headers(&workers[index]);
        free(workers[index].answer_headers.bytes);
        free(workers[index].answer.bytes);
    }
    free(workers);
    curl_multi_cleanup(multi);
    curl_url_cleanup(base_url);
    curl_global_cleanup();
    return 0;
}
