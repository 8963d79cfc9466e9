/* Shows other device numbers, as another machine does: OTHER_DEVICE is added to each.
 *
 *     cc -shared -fPIC -o other_device.so other_device.c -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>

#define OTHER(name, parameters, arguments)                                                         \
    int name parameters                                                                            \
    {                                                                                              \
        static int(*next) parameters;                                                              \
        if (!next)                                                                                 \
            next = (int(*) parameters)dlsym(RTLD_NEXT, #name);                                     \
        int result = next arguments;                                                               \
        const char *added = getenv("OTHER_DEVICE");                                                \
        if (!result && added)                                                                      \
            status->st_dev += (dev_t)atol(added);                                                  \
        return result;                                                                             \
    }

OTHER(stat, (const char *path, struct stat *status), (path, status))
OTHER(lstat, (const char *path, struct stat *status), (path, status))
OTHER(fstat, (int descriptor, struct stat *status), (descriptor, status))
OTHER(fstatat, (int at, const char *path, struct stat *status, int flags),
      (at, path, status, flags))
OTHER(stat64, (const char *path, struct stat64 *status), (path, status))
OTHER(lstat64, (const char *path, struct stat64 *status), (path, status))
OTHER(fstat64, (int descriptor, struct stat64 *status), (descriptor, status))
OTHER(fstatat64, (int at, const char *path, struct stat64 *status, int flags),
      (at, path, status, flags))
