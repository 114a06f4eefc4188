/* Keeps OpenSSL from being loaded: to be preloaded into PhantomJS 1.9.8.
 *
 * Its Qt finds libssl and libcrypto with dlopen at start-up and calls them as if they were OpenSSL 0.9.8 or 1.0; in
 * those of today it crashes before the first line of a script runs. Without them it goes on without TLS, which
 * the tests do not need. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

void *dlopen(const char *file, int mode)
{
    static void *(*next)(const char *, int);

    if (file && (strstr(file, "libssl") || strstr(file, "libcrypto")))
        return NULL;
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "dlopen");
    return next(file, mode);
}
