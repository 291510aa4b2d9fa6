#ifndef CYCLES_MEASUREMENT_H
#define CYCLES_MEASUREMENT_H

/*
 * Measurements with the same calls and the same output in all programs, so that their figures can be compared.
 */

/* The resources that the process has used so far. */
typedef struct {
    /* User and system time of all threads, in microseconds. */
    double cpu;
    /* Elapsed time, in microseconds since an arbitrary point. */
    double elapsed;
} measurement;

measurement measurement_now(void);

/* Prints the CPU and elapsed microseconds of each of `lifecycles` since `start`, on one line. */
void measurement_report(measurement start, long lifecycles);

/* The resident memory of the process in bytes; 0 if the system does not report it. */
long measurement_resident_bytes(void);

/* The number of threads of the process; 0 if the system does not report it. */
long measurement_threads(void);

/* Flushes standard output. */
void measurement_flush(void);

/* Has no effect. Keeps the optimiser of the caller from removing the value. */
void measurement_keep(const void *value);

#endif
