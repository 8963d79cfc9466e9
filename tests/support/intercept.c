/* Stands between a program and the system, by LD_PRELOAD: before a call about a path whose last name
 * is INTERCEPT_NAME, it runs the shell command INTERCEPT_DO, once, or the call fails with the error
 * number INTERCEPT_ERRNO, INTERCEPT_TIMES times (default: always), or it waits until somebody has
 * opened the pipe INTERCEPT_PIPE, and closed it again.
 *
 * INTERCEPT_CALL is the call: open, stat, fstat (of an open directory), list, readlink, or thread
 * (which has no name).
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct stat64;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *call, *name, *command, *pipe_path;
static int error, times, is_later;

/* For a program that sets them later, too. */
__attribute__((constructor)) void read_variables(void)
{
    const char *number = getenv("INTERCEPT_ERRNO"), *limit = getenv("INTERCEPT_TIMES");
    call = getenv("INTERCEPT_CALL");
    name = getenv("INTERCEPT_NAME");
    command = getenv("INTERCEPT_DO");
    pipe_path = getenv("INTERCEPT_PIPE");
    is_later = getenv("INTERCEPT_LATER") != NULL;
    error = number ? atoi(number) : 0;
    times = limit ? atoi(limit) : command || pipe_path ? 1 : -1;
    unsetenv("LD_PRELOAD"); /* not in the command */
}

/* A program may do things before: with INTERCEPT_LATER, calls count once it has set INTERCEPTED. */
static int is_active(void)
{
    return !is_later || getenv("INTERCEPTED");
}

/* 0, or -1 and an error with which the call fails. */
static int before(const char *this_call, const char *path)
{
    if (!call || strcmp(call, this_call) || !is_active())
        return 0;
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (path && (!name || strcmp(slash ? slash + 1 : path, name)))
        return 0;
    pthread_mutex_lock(&lock);
    int is_due = times != 0;
    times -= times > 0;
    int failed = is_due && command && system(command); /* others wait until it has been done */
    pthread_mutex_unlock(&lock);
    if (failed)
        abort();
    if (is_due && pipe_path) {
        char byte;
        long descriptor = syscall(SYS_openat, AT_FDCWD, pipe_path, O_RDONLY | O_CLOEXEC);
        while (read((int)descriptor, &byte, 1) < 0 && errno == EINTR)
            ;
        close((int)descriptor);
    }
    if (!is_due || !error)
        return 0;
    errno = error;
    return -1;
}

static int before_descriptor(const char *this_call, int descriptor)
{
    char link[64], path[PATH_MAX];
    if (!call || strcmp(call, this_call))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return before(this_call, path);
}

#define NEXT(type, function, parameters)                                                           \
    static type(*next) parameters;                                                                 \
    if (!next)                                                                                     \
        next = (type(*) parameters)dlsym(RTLD_NEXT, #function)

#define OPEN(function, parameters, with_mode, arguments)                                           \
    int function parameters                                                                        \
    {                                                                                              \
        NEXT(int, function, with_mode);                                                            \
        int mode = 0;                                                                              \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                       \
            va_list list;                                                                          \
            va_start(list, flags);                                                                 \
            mode = va_arg(list, int);                                                              \
            va_end(list);                                                                          \
        }                                                                                          \
        return before("open", path) ? -1 : next arguments;                                         \
    }

OPEN(open, (const char *path, int flags, ...), (const char *, int, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (const char *, int, ...), (path, flags, mode))
OPEN(openat, (int at, const char *path, int flags, ...), (int, const char *, int, ...),
     (at, path, flags, mode))
OPEN(openat64, (int at, const char *path, int flags, ...), (int, const char *, int, ...),
     (at, path, flags, mode))

#define STAT(function, parameters, arguments)                                                      \
    int function parameters                                                                        \
    {                                                                                              \
        NEXT(int, function, parameters);                                                           \
        return before("stat", path) ? -1 : next arguments;                                         \
    }

STAT(stat, (const char *path, struct stat *status), (path, status))
STAT(stat64, (const char *path, struct stat64 *status), (path, status))
STAT(lstat, (const char *path, struct stat *status), (path, status))
STAT(lstat64, (const char *path, struct stat64 *status), (path, status))
STAT(fstatat, (int at, const char *path, struct stat *status, int flags), (at, path, status, flags))
STAT(fstatat64, (int at, const char *path, struct stat64 *status, int flags),
     (at, path, status, flags))
STAT(statx, (int at, const char *path, int flags, unsigned mask, struct statx *status),
     (at, path, flags, mask, status))

#define FSTAT(function, type)                                                                      \
    int function(int descriptor, type *status)                                                     \
    {                                                                                              \
        NEXT(int, function, (int, type *));                                                        \
        return before_descriptor("fstat", descriptor) ? -1 : next(descriptor, status);             \
    }

FSTAT(fstat, struct stat)
FSTAT(fstat64, struct stat64)

ssize_t readlinkat(int at, const char *path, char *text, size_t size)
{
    NEXT(ssize_t, readlinkat, (int, const char *, char *, size_t));
    return before("readlink", path) ? -1 : next(at, path, text, size);
}

/* Lists as `readdir` does, so that the first call fails, and not `fdopendir`. */
struct dirent64 *readdir64(DIR *stream)
{
    NEXT(struct dirent64 *, readdir64, (DIR *));
    return before_descriptor("list", dirfd(stream)) ? NULL : next(stream);
}

long syscall(long number, ...)
{
    NEXT(long, syscall, (long, ...));
    long given[6];
    va_list list;
    va_start(list, number);
    for (int index = 0; index < 6; index++)
        given[index] = va_arg(list, long);
    va_end(list);
    if (number == SYS_getdents64 && before_descriptor("list", (int)given[0]))
        return -1;
    return next(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument)
{
    NEXT(int, pthread_create, (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *));
    return before("thread", NULL) ? errno : next(thread, attributes, start, argument);
}
