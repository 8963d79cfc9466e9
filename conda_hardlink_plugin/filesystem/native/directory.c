/* Opens and lists directories, with few descriptors and at any depth. */
#include "job_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RELATIVE = PATH_MAX - 2 * NAME_MAX - 86 };

int is_gone(int error)
{
    return error == ENOENT || error == ENOTDIR;
}

static int open_item(Job *job, const Item *item)
{
    const Task *task = job->tasks + item->task;
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    if (!item->parent)
        return openat(task->parent, task->name, flags | (task->flags & TASK_ROOT ? 0 : O_NOFOLLOW));
    if (!item->parent->relative)
        return openat(item->parent->descriptor, item->name, flags | O_NOFOLLOW);
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s%s", item->parent->relative, item->name);
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return openat(item->parent->descriptor, path, flags | O_NOFOLLOW);
}

/* Opens a directory; where descriptors are used up, once other threads have closed theirs. */
int open_patiently(Job *job, const Item *item)
{
    const struct timespec pause = {0, 200000};
    for (;;) {
        int others = atomic_load(&job->reading);
        int descriptor = open_item(job, item);
        if (descriptor >= 0)
            atomic_fetch_add(&job->reading, 1);
        if (descriptor >= 0 || (errno != EMFILE && errno != ENFILE) || !others || atomic_load(&job->stop))
            return descriptor;
        nanosleep(&pause, NULL);
    }
}

void end_reading(Job *job)
{
    atomic_fetch_sub(&job->reading, 1);
}

Directory *directory_new(Worker *worker, const Item *item, int descriptor)
{
    const Task *task = worker->job->tasks + item->task;
    const char *name = item->parent ? item->name : "";
    const char *above = item->parent ? item->parent->inside : "";
    Directory *directory = calloc(1, sizeof *directory + strlen(name) + 1);
    if (!directory) {
        close(descriptor);
        return NULL;
    }
    memcpy(directory->name, name, strlen(name) + 1);
    directory->parent = item->parent;
    directory->task = item->task;
    directory->descriptor = descriptor;
    directory->owns = 1;
    atomic_init(&directory->users, 1);
    if (above) {
        const char *last = item->parent ? name : task->inside;
        size_t length = strlen(above) + strlen(last) + 2;
        directory->inside = malloc(length);
        if (!directory->inside) {
            close(descriptor);
            free(directory);
            return NULL;
        }
        snprintf(directory->inside, length, "%s%s%s", above, *above ? "/" : "", last);
        if (length > PATH_MAX - NAME_MAX) {
            free(directory->inside);
            directory->inside = NULL;
        }
    }
    if (!directory->inside)
        atomic_store(&worker->job->too_deep, 1);
    if (item->parent)
        atomic_fetch_add(&item->parent->users, 1);
    atomic_fetch_add(&worker->job->open_directories, 1);
    return directory;
}

/* Closes a directory with many open above it; its subdirectories are opened from an ancestor. */
static int borrow(Job *job, Directory *directory)
{
    const Directory *lender = directory->parent;
    const char *above = lender && lender->relative ? lender->relative : "";
    if (!lender || strlen(above) > MAX_RELATIVE || atomic_load(&job->open_directories) < job->settings.max_open)
        return 0;
    size_t length = strlen(above) + strlen(directory->name) + 2;
    directory->relative = malloc(length);
    if (!directory->relative)
        return -1;
    snprintf(directory->relative, length, "%s%s/", above, directory->name);
    close(directory->descriptor);
    directory->descriptor = lender->descriptor;
    directory->owns = 0;
    atomic_fetch_sub(&job->open_directories, 1);
    return 0;
}

int directory_done(Worker *worker, Directory *directory)
{
    int failed = atomic_load(&directory->users) > 1 ? borrow(worker->job, directory) : 0;
    directory_release(worker->job, directory);
    return failed;
}

/* ---- entries ---- */

int add_child(Reading *reading, const char *name)
{
    Item item = {reading->directory, reading->task, strdup(name)};
    if (!item.name)
        return -1;
    if (items_add(&reading->worker->items, item)) {
        free(item.name);
        return -1;
    }
    atomic_fetch_add(&reading->directory->users, 1);
    return 0;
}

static int is_own_or_parent(const char *name)
{
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

struct linux_dirent64 { /* getdents64(2) */
    uint64_t d_ino;
    int64_t d_off;
    unsigned short d_reclen;
    unsigned char d_type;
    char d_name[];
};

int list_entries(Reading *reading, EntryReader read_entry)
{
    Worker *worker = reading->worker;
    long filled;
    while (!atomic_load(&worker->job->stop) &&
           (filled = syscall(SYS_getdents64, reading->descriptor, worker->listing, LISTING_BYTES))) {
        if (filled < 0)
            return add_problem(worker, errno, reading->directory->parent, reading->task, reading->directory->name);
        uint64_t entries = 0;
        for (long at = 0; at < filled; entries++) {
            const struct linux_dirent64 *entry = (const void *)(worker->listing + at);
            if (!is_own_or_parent(entry->d_name) &&
                read_entry(reading, entry->d_name, entry->d_ino, entry->d_type))
                return -1;
            at += entry->d_reclen;
        }
        atomic_fetch_add(&worker->job->links, entries);
    }
    return 0;
}

