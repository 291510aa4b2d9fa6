#ifndef CYCLES_MEASUREMENT_H
#define CYCLES_MEASUREMENT_H

/*
 * How both programs measure themselves: the same calls and the same output, so that their figures can be compared.
 */

/* What the whole process has used so far. */
typedef struct {
    /* User and system time of all threads, in microseconds. */
    double cpu;
    /* Time on the clock, in microseconds since an arbitrary point. */
    double elapsed;
} measurement;

measurement measurement_now(void);

/* Prints what each of `lifecycles` took since `start`: CPU and elapsed microseconds, on one line. */
void measurement_report(measurement start, long lifecycles);

/* What the process has in memory now, in bytes; 0 where the system does not say. */
long measurement_resident_bytes(void);

/* How many threads the process has; 0 where the system does not say. */
long measurement_threads(void);

/* Lets whoever reads standard output see what was printed so far. */
void measurement_flush(void);

/* Does nothing, out of sight of the optimiser of its caller. */
void measurement_keep(const void *value);

#endif
