/* Searches a tree for environments: directories, or symbolic links to them, that contain `conda-meta`. */
#include "job_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#define RECORDS "conda-meta"

static int is_directory(int descriptor, const char *name)
{
    struct stat status;
    return !fstatat(descriptor, name, &status, 0) && S_ISDIR(status.st_mode);
}

/* Whether something in a directory is a place that the caller told not to open. */
static int is_skipped(const Reading *reading, const char *name)
{
    const Settings *settings = &reading->worker->job->settings;
    const char *above = reading->directory->inside;
    for (size_t index = 0; above && index < settings->skipped_count; index++) {
        const char *path = settings->skipped[index];
        size_t length = strlen(above);
        if (strncmp(path, above, length) || (length && path[length++] != '/'))
            continue;
        if (!strcmp(path + length, name))
            return 1;
    }
    return 0;
}

static int look_at_entry(Reading *reading, const char *name, uint64_t inode, unsigned char type)
{
    (void)inode;
    struct stat status;
    if (type == DT_UNKNOWN && !fstatat(reading->descriptor, name, &status, AT_SYMLINK_NOFOLLOW))
        type = S_ISDIR(status.st_mode) ? DT_DIR : S_ISLNK(status.st_mode) ? DT_LNK : DT_REG;
    if (type == DT_DIR)
        return is_skipped(reading, name) ? 0 : add_child(reading, name);
    char records[NAME_MAX + sizeof "/" RECORDS];
    if (type != DT_LNK || snprintf(records, sizeof records, "%s/" RECORDS, name) >= (int)sizeof records ||
        !is_directory(reading->descriptor, records))
        return 0;
    return add_event(reading->worker, (Event){.kind = EVENT_ENVIRONMENT}, reading->directory, reading->task, name, "");
}

/* Inside an environment, only what is in its `envs` is looked at. */
static int look_at_envs(Reading *reading)
{
    struct stat status;
    Event event = {.kind = EVENT_ENVIRONMENT};
    const Directory *directory = reading->directory;
    if (add_event(reading->worker, event, directory->parent, reading->task, directory->name, ""))
        return -1;
    if (fstatat(reading->descriptor, "envs", &status, AT_SYMLINK_NOFOLLOW) || is_skipped(reading, "envs"))
        return 0;
    event.kind = EVENT_LEFT;
    if (S_ISLNK(status.st_mode))
        return add_event(reading->worker, event, directory, reading->task, "envs", "");
    return S_ISDIR(status.st_mode) ? add_child(reading, "envs") : 0;
}

int search_directory(Worker *worker, const Item *item)
{
    Job *job = worker->job;
    int descriptor = open_patiently(job, item);
    if (!item->parent)
        job->results[item->task].state = TASK_READ;
    if (descriptor < 0)
        return is_gone(errno) ? 0 : add_problem(worker, errno, item->parent, item->task, item->name);
    int failed = -1;
    Directory *directory = directory_new(worker, item, descriptor);
    if (directory) {
        Reading reading = {.worker = worker, .directory = directory, .task = item->task, .descriptor = descriptor};
        failed = is_directory(descriptor, RECORDS) ? look_at_envs(&reading) : list_entries(&reading, look_at_entry);
        failed = directory_done(worker, directory) || failed ? -1 : 0;
    }
    end_reading(job);
    return failed;
}
