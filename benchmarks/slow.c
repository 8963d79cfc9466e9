/* A filesystem on which each call is a round trip: SLOW_MICROSECONDS are added to each stat and to
 * each directory that is opened to be read.
 *
 *     cc -O2 -shared -fPIC -o slow.so slow.c -ldl
 *     SLOW_MICROSECONDS=300 LD_PRELOAD=./slow.so du -s DIR
 *
 * Where SLOW_EVERY is set, only every so many calls wait. At its end a process writes to the file
 * SLOW_PEAK, where that is set, how many of its calls waited at the same time at most, and in all.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct stat64;

static atomic_int waiting, peak;
static atomic_long microseconds = -1, every = 1, calls, waits;

/* For a program that is to be slow from now on. */
void slow_by(long more)
{
    microseconds = more;
}

static void wait_for_answer(void)
{
    int before = errno;
    if (microseconds < 0) {
        const char *text = getenv("SLOW_MICROSECONDS");
        microseconds = text ? atol(text) : 0;
        text = getenv("SLOW_EVERY");
        every = text ? atol(text) : 1;
    }
    if (calls++ % every)
        return;
    waits++;
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
        fprintf(file, "%d %ld\n", peak, waits);
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

/* The native reader lists directories by system calls. The first one for each directory waits, as
 * `fdopendir` does. */
long syscall(long number, ...)
{
    static long (*next)(long, ...);
    long given[6];
    va_list list;
    va_start(list, number);
    for (int index = 0; index < 6; index++)
        given[index] = va_arg(list, long);
    va_end(list);
    if (!next)
        next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    if (number == SYS_getdents64 && !lseek((int)given[0], 0, SEEK_CUR))
        wait_for_answer();
    return next(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
