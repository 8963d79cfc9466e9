/* Looks at what is at known paths: at the directories and names on a page of the index, or at any paths. */
#include "job_private.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Looks at the entries of a directory, whose names stand between slashes; 1: one is gone. */
static int look_at_names(int descriptor, char *names, char *end, Buffer *facts)
{
    while (names < end) {
        char *slash = memchr(names, '/', (size_t)(end - names));
        char *name_end = slash ? slash : end;
        struct stat status;
        if (name_end > names) {
            *name_end = 0; /* `inside` has room for one more byte */
            int failed = fstatat(descriptor, names, &status, AT_SYMLINK_NOFOLLOW);
            *name_end = '/';
            if (failed)
                return 1;
            if (facts_of_name(facts, &status))
                return -1;
        }
        names = name_end + 1;
    }
    return 0;
}

static int look_only_at_directory(int root, const char *path, TaskResult *result)
{
    struct stat status;
    if (fstatat(root, path, &status, AT_SYMLINK_NOFOLLOW))
        return 1;
    return facts_of_directory(&result->directory_facts, &status);
}

static int look_at_directory(int root, const char *path, TaskResult *result, char *names, char *names_end)
{
    struct stat status;
    if (names_end - names <= 1) /* at most the slash before the next directory */
        return look_only_at_directory(root, path, result);
    int descriptor = openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0)
        return 1;
    int failed = fstat(descriptor, &status) ? 1 : facts_of_directory(&result->directory_facts, &status);
    if (!failed)
        failed = look_at_names(descriptor, names, names_end, &result->name_facts);
    close(descriptor);
    return failed;
}

/* The length of what all paths begin with, up to and with a slash. */
static size_t common_length(const char *path, const char *end)
{
    const char *first = path, *slash = strrchr(first, '/');
    size_t common = slash ? (size_t)(slash - first) + 1 : 0;
    while (common && (path += strlen(path) + 1) < end)
        while (common && strncmp(path, first, common))
            do
                common--;
            while (common && first[common - 1] != '/');
    return common;
}

/* Looks at the directories of a page from one that is above all of them; 1: one is gone. */
static int look_at_page(const Job *job, Task *task, TaskResult *result, int above, size_t common)
{
    char *end = task->name + task->name_bytes, *names = task->inside, *names_end = task->inside + task->inside_bytes;
    int failed = 0;
    for (char *path = task->name; path < end && !failed; path += strlen(path) + 1) {
        if (atomic_load(&job->stop))
            return 1;
        if (!job->settings.record) {
            failed = look_only_at_directory(above, path + common, result);
            continue;
        }
        if (names >= names_end || *names) /* each directory begins with \0 */
            return 1;
        char *next = memchr(names + 1, 0, (size_t)(names_end - names - 1));
        failed = look_at_directory(above, path + common, result, names + 1, next ? next : names_end);
        names = next ? next : names_end;
    }
    return failed ? failed : job->settings.record && names != names_end;
}

int check_page(Worker *worker, const Item *item)
{
    Job *job = worker->job;
    Task *task = job->tasks + item->task;
    TaskResult *result = job->results + item->task;
    char *end = task->name + task->name_bytes;
    size_t common = common_length(task->name, end);
    int above = task->parent;
    if (common) {
        char slash = task->name[common - 1];
        task->name[common - 1] = 0;
        above = openat(task->parent, task->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        task->name[common - 1] = slash;
        if (above < 0)
            return 0;
    }
    int failed = look_at_page(job, task, result, above, common);
    if (common)
        close(above);
    if (!failed)
        result->state = TASK_READ;
    return failed < 0 ? -1 : 0;
}

/* Looks at the paths of a task; `name_facts` gets the facts about each, or the error. */
int look_at_paths(Worker *worker, const Item *item)
{
    const Task *task = worker->job->tasks + item->task;
    TaskResult *result = worker->job->results + item->task;
    const char *end = task->name + task->name_bytes;
    for (const char *path = task->name; path < end; path += strlen(path) + 1) {
        struct stat status = {0};
        int error = fstatat(task->parent, path, &status, AT_SYMLINK_NOFOLLOW) ? errno : 0;
        uint64_t packed[] = {
            (uint64_t)error,
            status.st_dev,
            status.st_ino,
            status.st_mode,
            status.st_nlink,
            (uint64_t)status.st_blocks * 512,
        };
        if (buffer_add(&result->name_facts, packed, sizeof packed))
            return -1;
    }
    result->state = TASK_READ;
    return 0;
}
