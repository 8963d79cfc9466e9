/* What a thread notes while it reads: events, sums of each location, and pages of the index. */
#include "job_private.h"

/* ---- paths ---- */

/* The last part of the path of a directory, with what is above it as far as that is known at once. */
static const char *part_of(const Job *job, const Directory *directory, uint32_t task)
{
    if (directory->inside)
        return directory->inside;
    return directory->parent ? directory->name : job->tasks[task].inside;
}

static const Directory *above(const Directory *directory)
{
    return directory->inside ? NULL : directory->parent;
}

/* The path below the root of something in a directory, which the caller frees; NULL: no memory. */
static char *path_below(const Job *job, const Directory *directory, uint32_t task, const char *name)
{
    if (!directory)
        return strdup(job->tasks[task].inside);
    size_t length = strlen(name) + 1;
    for (const Directory *at = directory; at; at = above(at))
        length += strlen(part_of(job, at, task)) + 1;
    char *path = malloc(length);
    if (!path)
        return NULL;
    char *end = path + length - 1;
    *end = 0;
    for (const char *part = name; part; directory = directory ? above(directory) : NULL) {
        size_t part_length = strlen(part);
        end -= part_length;
        memcpy(end, part, part_length);
        if (end > path)
            *--end = '/';
        part = directory ? part_of(job, directory, task) : NULL;
    }
    while (*end == '/') /* the path of the root itself is empty */
        end++;
    memmove(path, end, strlen(end) + 1);
    return path;
}

/* ---- events, sums and pages ---- */

int add_event(Worker *worker, Event event, const Directory *directory, uint32_t task, const char *name,
                     const char *text)
{
    char *path = path_below(worker->job, directory, task, name);
    if (!path)
        return -1;
    event.location = worker->job->tasks[task].location;
    event.path_bytes = (uint32_t)strlen(path);
    int failed = buffer_add(&worker->events, &event, sizeof event) ||
                 buffer_add(&worker->events, path, event.path_bytes) ||
                 buffer_add(&worker->events, text, event.text_bytes);
    free(path);
    return failed ? -1 : 0;
}

int add_problem(Worker *worker, int error, const Directory *directory, uint32_t task, const char *name)
{
    return add_event(worker, (Event){.kind = EVENT_PROBLEM, .error = error}, directory, task, name, "");
}

int flush_accounts(Worker *worker)
{
    int failed = buffer_add(&worker->sums, worker->accounts, worker->account_count * sizeof(Sums));
    worker->account_count = 0;
    return failed;
}

Sums *account(Worker *worker, uint32_t location, uint64_t device)
{
    if (worker->location != location) {
        if (flush_accounts(worker))
            return NULL;
        worker->location = location;
    }
    for (size_t index = 0; index < worker->account_count; index++)
        if (worker->accounts[index].device == device)
            return worker->accounts + index;
    if (worker->account_count == ACCOUNTS && flush_accounts(worker))
        return NULL;
    worker->accounts[worker->account_count] = (Sums){.location = location, .device = device};
    return worker->accounts + worker->account_count++;
}

int flush_page(Worker *worker)
{
    Page *page = worker->page;
    Job *job = worker->job;
    worker->page = NULL;
    if (!page)
        return 0;
    pthread_mutex_lock(&job->lock);
    page->next = job->pages;
    job->pages = page;
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock);
    return 0;
}

int begin_page(Worker *worker, uint32_t location, const char *inside, const struct stat *status)
{
    Page *page = worker->page;
    if (page && (page->location != location || page->device != status->st_dev ||
                 page->directory_count >= DIRECTORIES_OF_PAGE) &&
        flush_page(worker))
        return -1;
    if (!worker->page && !(worker->page = page_new(location, status->st_dev)))
        return -1;
    return page_begin_directory(worker->page, *inside ? inside : ".", status);
}

int64_t device_index(Worker *worker, uint64_t st_dev)
{
    if (worker->last_device < 0 || worker->last_st_dev != st_dev) {
        worker->last_device = table_device(worker->job->table, st_dev);
        worker->last_st_dev = st_dev;
    }
    return worker->last_device;
}
