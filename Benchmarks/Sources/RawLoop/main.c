/* Runs lifecycles on libcurl as a straightforward program does: sets every option for every request. */

#include "lifecycles.h"

int main(int count, char **arguments) { return run_lifecycles(count, arguments, EVERY_OPTION_EACH_TIME); }
