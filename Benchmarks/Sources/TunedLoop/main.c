/* Runs lifecycles on libcurl at minimal cost: sets only options that differ from the last request. The base of all ratios. */

#include "lifecycles.h"

int main(int count, char **arguments) { return run_lifecycles(count, arguments, OPTIONS_ONCE); }
