/* The least that lifecycles on libcurl cost: only what differs from the last request is set. The floor of all ratios. */

#include "lifecycles.h"

int main(int count, char **arguments) { return run_lifecycles(count, arguments, OPTIONS_ONCE); }
