/* Counts a directory and its entries, each inode once. */
#include "job_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static int compare_inodes(const void *key, const void *element)
{
    const Identity *one = key, *other = element;
    if (one->inode != other->inode)
        return one->inode < other->inode ? -1 : 1;
    return (one->device > other->device) - (one->device < other->device);
}

void sort_special(Settings *settings)
{
    if (settings->special_count)
        qsort(settings->special, settings->special_count, sizeof *settings->special, compare_inodes);
}

static int is_special(const Job *job, const struct stat *status)
{
    const Settings *settings = &job->settings;
    Identity identity = {status->st_dev, status->st_ino};
    return settings->special_count && bsearch(&identity, settings->special, settings->special_count,
                                              sizeof *settings->special, compare_inodes) != NULL;
}

static int is_trusted(const Job *job, uint64_t device)
{
    for (size_t index = 0; index < job->settings.untrusted_count; index++)
        if (job->settings.untrusted[index] == device)
            return 0;
    return 1;
}

static int add_text(Reading *reading, const char *name)
{
    char text[PATH_MAX + 1];
    ssize_t length = readlinkat(reading->descriptor, name, text, sizeof text);
    if (length < 0)
        return add_problem(reading->worker, errno, reading->directory, reading->task, name);
    Event event = {.kind = EVENT_TEXT, .text_bytes = (uint32_t)length};
    return add_event(reading->worker, event, reading->directory, reading->task, name, text);
}

static int count_examined(Reading *reading, const char *name, const struct stat *status)
{
    Worker *worker = reading->worker;
    const Task *task = worker->job->tasks + reading->task;
    uint32_t is_symlink = S_ISLNK(status->st_mode);
    Row row = {
        .inode = status->st_ino,
        .disk_bytes = (uint64_t)status->st_blocks * 512,
        .size_bytes = (uint64_t)status->st_size,
        .link_count = status->st_nlink > UINT32_MAX ? UINT32_MAX : (uint32_t)status->st_nlink,
        .is_symlink = is_symlink,
    };
    if (worker->page && page_add_name(worker->page, name, status))
        return -1;
    if (is_symlink && task->flags & TASK_TEXTS && add_text(reading, name))
        return -1;
    Sums *sums = status->st_dev == reading->device ? reading->sums : account(worker, task->location, status->st_dev);
    if (!sums)
        return -1;
    sums->links++;
    int is_first = 1;
    if (status->st_nlink <= 1) { /* some filesystems report 0 */
        sums->inodes++;
        sums->disk_bytes += row.disk_bytes;
        sums->size_bytes += row.size_bytes;
    } else {
        int64_t device = device_index(worker, status->st_dev);
        row.device = (uint32_t)device;
        if (device < 0 || (is_first = table_add(worker->job->table, worker->steps, &row, task->location)) < 0)
            return -1;
    }
    if (status->st_dev != reading->device && !(reading->sums = account(worker, task->location, reading->device)))
        return -1;
    if (!is_first || !(task->flags & TASK_FILES))
        return 0;
    Event event = {
        .kind = EVENT_FILE,
        .link_count = row.link_count,
        .device = status->st_dev,
        .inode = row.inode,
        .disk_bytes = row.disk_bytes,
        .size_bytes = row.size_bytes,
        .is_symlink = is_symlink,
    };
    return add_event(worker, event, reading->directory, reading->task, name, "");
}

static int count_entry(Reading *reading, const char *name, uint64_t inode, unsigned char type)
{
    Worker *worker = reading->worker;
    Job *job = worker->job;
    struct stat status;
    if (type == DT_DIR)
        return add_child(reading, name);
    if (!reading->examines_all && type != DT_UNKNOWN) {
        uint32_t location = job->tasks[reading->task].location;
        int known = table_count_known(job->table, worker->steps, (uint32_t)reading->device_index, inode, location);
        if (known) {
            reading->sums->links++;
            return known < 0 || (worker->page && page_add_linked(worker->page, inode)) ? -1 : 0;
        }
    }
    if (fstatat(reading->descriptor, name, &status, AT_SYMLINK_NOFOLLOW))
        return add_problem(worker, errno, reading->directory, reading->task, name);
    if (S_ISDIR(status.st_mode))
        return add_child(reading, name);
    if (reading->trusted && (status.st_ino != inode || status.st_dev != reading->device)) {
        atomic_store(&job->untrusted, reading->device);
        atomic_store(&job->is_untrusted, 1);
        atomic_store(&job->stop, 1);
        return 0;
    }
    return count_examined(reading, name, &status);
}

/* ---- the directory ---- */

static int count_unopened(Worker *worker, const Item *item, int error)
{
    struct stat status;
    if (!item->parent) {
        worker->job->results[item->task].state = TASK_LEFT;
        return 0;
    }
    if (is_gone(error))
        return add_problem(worker, error, item->parent, item->task, item->name);
    char path[PATH_MAX];
    const char *relative = item->parent->relative ? item->parent->relative : "";
    int length = snprintf(path, sizeof path, "%s%s", relative, item->name);
    if (length < 0 || (size_t)length >= sizeof path)
        return add_problem(worker, ENAMETOOLONG, item->parent, item->task, item->name);
    if (fstatat(item->parent->descriptor, path, &status, AT_SYMLINK_NOFOLLOW))
        return add_problem(worker, errno, item->parent, item->task, item->name);
    Event event = {
        .kind = S_ISDIR(status.st_mode) ? EVENT_UNOPENED : EVENT_PROBLEM,
        .replaced = !S_ISDIR(status.st_mode),
        .error = error,
        .device = status.st_dev,
        .inode = status.st_ino,
        .disk_bytes = (uint64_t)status.st_blocks * 512,
        .size_bytes = (uint64_t)status.st_size,
    };
    return add_event(worker, event, item->parent, item->task, item->name, "");
}

static int is_package(int descriptor)
{
    struct stat status;
    if (fstatat(descriptor, "info/index.json", &status, AT_SYMLINK_NOFOLLOW))
        return !is_gone(errno) && errno != ELOOP;
    return S_ISREG(status.st_mode);
}

/* Counts an open directory and its entries; the descriptor is closed with the directory. */
static int read_open(Worker *worker, const Item *item, int descriptor, const struct stat *status)
{
    Job *job = worker->job;
    uint32_t location = job->tasks[item->task].location;
    Directory *directory = directory_new(worker, item, descriptor);
    if (!directory)
        return -1;
    Reading reading = {
        .worker = worker,
        .directory = directory,
        .task = item->task,
        .device = status->st_dev,
        .device_index = device_index(worker, status->st_dev),
        .trusted = is_trusted(job, status->st_dev),
        .examines_all = !item->parent && job->tasks[item->task].flags & (TASK_ROOT | TASK_PACKAGE),
        .descriptor = descriptor,
        .sums = account(worker, location, status->st_dev),
    };
    reading.examines_all |= !reading.trusted;
    int failed = reading.device_index < 0 || !reading.sums;
    if (!failed) {
        uint64_t disk_bytes = (uint64_t)status->st_blocks * 512, size_bytes = (uint64_t)status->st_size;
        reading.sums->links++;
        reading.sums->inodes++;
        reading.sums->disk_bytes += disk_bytes;
        reading.sums->size_bytes += size_bytes;
        reading.sums->directory_disk_bytes += disk_bytes;
        reading.sums->directory_size_bytes += size_bytes;
        if (job->settings.record && directory->inside)
            failed = begin_page(worker, location, directory->inside, status);
    }
    failed = failed || list_entries(&reading, count_entry);
    return directory_done(worker, directory) || failed ? -1 : 0;
}

static int read_descriptor(Worker *worker, const Item *item, int descriptor)
{
    Job *job = worker->job;
    Task *task = job->tasks + item->task;
    struct stat status;
    if (fstat(descriptor, &status)) {
        int error = errno;
        close(descriptor);
        return count_unopened(worker, item, error);
    }
    int is_root = !item->parent && task->flags & TASK_ROOT;
    if (is_root)
        task->device = status.st_dev;
    int is_left = (!is_root && is_special(job, &status)) || status.st_dev != task->device ||
                  (!item->parent && task->flags & TASK_PACKAGE && !is_package(descriptor));
    if (!item->parent)
        job->results[item->task] = (TaskResult){.state = is_left ? TASK_LEFT : TASK_READ, .device = status.st_dev, .inode = status.st_ino};
    if (!is_left)
        return read_open(worker, item, descriptor, &status);
    close(descriptor);
    if (!item->parent)
        return 0;
    Event event = {.kind = EVENT_LEFT, .device = status.st_dev, .inode = status.st_ino};
    return add_event(worker, event, item->parent, item->task, item->name, "");
}

int count_directory(Worker *worker, const Item *item)
{
    int descriptor = open_patiently(worker->job, item);
    if (descriptor < 0)
        return count_unopened(worker, item, errno);
    int failed = read_descriptor(worker, item, descriptor);
    end_reading(worker->job);
    return failed;
}
