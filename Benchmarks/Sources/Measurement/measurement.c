#include "measurement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

measurement measurement_now(void) {
    struct rusage usage;
    struct timespec now;
    getrusage(RUSAGE_SELF, &usage);
    clock_gettime(CLOCK_MONOTONIC, &now);
    measurement result;
    result.cpu = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    result.elapsed = now.tv_sec * 1e6 + now.tv_nsec / 1e3;
    return result;
}

void measurement_report(measurement start, long lifecycles) {
    measurement end = measurement_now();
    printf("%.3f %.3f\n", (end.cpu - start.cpu) / lifecycles, (end.elapsed - start.elapsed) / lifecycles);
    fflush(stdout);
}

void measurement_keep(const void *value) {
    (void)value;
}

/* The number in a line of /proc/self/status, such as "Threads:". */
static long status_number(const char *name) {
    char line[256];
    long value = 0;
    size_t length = strlen(name);
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL) return 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, length) == 0) {
            value = strtol(line + length, NULL, 10);
            break;
        }
    }
    fclose(file);
    return value;
}

long measurement_resident_bytes(void) { return status_number("VmRSS:") * 1024; }

long measurement_threads(void) { return status_number("Threads:"); }

void measurement_flush(void) { fflush(stdout); }
