/* Reads the record of an extracted package, and when its files changed: what metadata/cached_package.py needs. */
#include "job_private.h"

#include <fcntl.h>
#include <unistd.h>

enum { MAX_RECORD_BYTES = 1 << 16 }; /* larger ones are left to the caller, one by one */

static int read_content(int descriptor, size_t size, Buffer *content)
{
    char *bytes = malloc(size + 1);
    size_t done = 0;
    ssize_t count = 1;
    while (bytes && done < size && (count = read(descriptor, bytes + done, size - done)) > 0)
        done += (size_t)count;
    int failed = bytes ? count < 0 : -1;
    if (!failed)
        *content = (Buffer){.bytes = bytes, .count = done, .room = size};
    else
        free(bytes);
    return failed;
}

/* 1: it is not as conda writes it, which is for the caller to look at. */
static int read_record(int package, TaskResult *result)
{
    struct stat info, index, record;
    if (fstatat(package, "info", &info, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(info.st_mode) ||
        fstatat(package, "info/index.json", &index, AT_SYMLINK_NOFOLLOW))
        return 1;
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int descriptor = openat(package, "info/repodata_record.json", flags);
    if (descriptor < 0)
        return 1;
    int failed = fstat(descriptor, &record) || !S_ISREG(record.st_mode) || record.st_size > MAX_RECORD_BYTES;
    failed = failed ? 1 : read_content(descriptor, (size_t)record.st_size, &result->name_facts);
    close(descriptor);
    if (failed)
        return failed;
    return buffer_add_number(&result->directory_facts, nanoseconds(index.st_ctim)) ||
                   buffer_add_number(&result->directory_facts, nanoseconds(record.st_ctim))
               ? -1
               : 0;
}

int read_package(Worker *worker, const Item *item)
{
    TaskResult *result = worker->job->results + item->task;
    int package = open(worker->job->tasks[item->task].name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (package < 0)
        return 0;
    int failed = read_record(package, result);
    close(package);
    if (!failed)
        result->state = TASK_READ;
    return failed < 0 ? -1 : 0;
}
