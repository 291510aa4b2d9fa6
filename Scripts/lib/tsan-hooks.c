/*
 * Swift's runtime reports the ordering of tasks and continuations to the thread sanitizer once its function
 * __tsan_on_initialize has been called. On Linux the sanitizer calls the empty function in its own library instead, and
 * every continuation that another thread resumes looks like a race. This library, preloaded, calls the runtime's function.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

__attribute__((constructor)) static void connect_swift_runtime(void) {
    if (dlsym(RTLD_DEFAULT, "__tsan_acquire") == NULL) return;
    void *core = dlopen("libswiftCore.so", RTLD_NOLOAD | RTLD_LAZY);
    if (core == NULL) return;
    void (*initialize)(void) = (void (*)(void))dlsym(core, "__tsan_on_initialize");
    if (initialize != NULL) initialize();
}
