/* A filesystem on which each call is a round trip: SLOW_MICROSECONDS are added to each stat and to
 * each directory that is opened to be read.
 *
 *     cc -O2 -shared -fPIC -o slow.so slow.c -ldl
 *     SLOW_MICROSECONDS=300 LD_PRELOAD=./slow.so du -s DIR
 *
 * With SLOW_LATER, a process waits only after it has called begin_waiting().
 *
 * At its end a process writes to the file SLOW_PEAK, where that is set, how many of its calls waited
 * at the same time at most.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

struct stat64;

static atomic_int waiting, peak, begun;

__attribute__((constructor)) static void begin_unless_later(void)
{
    begun = !getenv("SLOW_LATER");
}

void begin_waiting(void)
{
    begun = 1;
}

static void wait_for_answer(void)
{
    static long microseconds = -1;
    int before = errno;
    if (!begun)
        return;
    if (microseconds < 0) {
        const char *text = getenv("SLOW_MICROSECONDS");
        microseconds = text ? atol(text) : 0;
    }
    int now = ++waiting, most = peak;
    while (now > most && !atomic_compare_exchange_weak(&peak, &most, now))
        ;
    struct timespec left = {microseconds / 1000000, microseconds % 1000000 * 1000};
    while (nanosleep(&left, &left) && errno == EINTR)
        ;
    --waiting;
    errno = before;
}

__attribute__((destructor)) static void write_peak(void)
{
    const char *path = getenv("SLOW_PEAK");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%d\n", peak);
        fclose(file);
    }
}

#define SLOW(type, name, parameters, arguments)                                                    \
    type name parameters                                                                           \
    {                                                                                              \
        static type(*next) parameters;                                                             \
        if (!next)                                                                                 \
            next = (type(*) parameters)dlsym(RTLD_NEXT, #name);                                    \
        wait_for_answer();                                                                         \
        return next arguments;                                                                     \
    }

SLOW(DIR *, opendir, (const char *path), (path))
SLOW(DIR *, fdopendir, (int descriptor), (descriptor))
SLOW(int, stat, (const char *path, struct stat *status), (path, status))
SLOW(int, stat64, (const char *path, struct stat64 *status), (path, status))
SLOW(int, lstat, (const char *path, struct stat *status), (path, status))
SLOW(int, lstat64, (const char *path, struct stat64 *status), (path, status))
SLOW(int, fstat, (int descriptor, struct stat *status), (descriptor, status))
SLOW(int, fstat64, (int descriptor, struct stat64 *status), (descriptor, status))
SLOW(int, fstatat, (int at, const char *path, struct stat *status, int flags),
     (at, path, status, flags))
SLOW(int, fstatat64, (int at, const char *path, struct stat64 *status, int flags),
     (at, path, status, flags))
SLOW(int, statx, (int at, const char *path, int flags, unsigned mask, struct statx *status),
     (at, path, flags, mask, status))
