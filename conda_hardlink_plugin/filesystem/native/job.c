/* The threads that read trees: each has its own directories before it, and gives half to one that has none. */
#include "job_private.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_NS = 10000000, NS_OF_SWITCH = 1000000 };

static int64_t now_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static long voluntary_switches(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) ? 0 : usage.ru_nvcsw;
}

/* ---- directories that are still to be read ---- */

int items_add(Items *items, Item item)
{
    if (items->count == items->room) {
        size_t room = items->room ? 2 * items->room : 64;
        Item *bigger = realloc(items->items, room * sizeof *bigger);
        if (!bigger)
            return -1;
        items->items = bigger;
        items->room = room;
    }
    items->items[items->count++] = item;
    return 0;
}

void directory_release(Job *job, Directory *directory)
{
    while (directory && atomic_fetch_sub(&directory->users, 1) == 1) {
        Directory *parent = directory->parent;
        if (directory->owns) {
            close(directory->descriptor);
            atomic_fetch_sub(&job->open_directories, 1);
        }
        free(directory->relative);
        free(directory->inside);
        free(directory);
        directory = parent;
    }
}

static void item_done(Job *job, Item item)
{
    free(item.name);
    directory_release(job, item.parent);
}

/* Gives the older half to threads that have nothing to read. */
static int donate(Worker *worker)
{
    Job *job = worker->job;
    Items *items = &worker->items;
    size_t given = items->count / 2;
    int failed = 0;
    pthread_mutex_lock(&job->lock);
    for (size_t index = 0; index < given && !failed; index++)
        failed = items_add(&job->shared, items->items[index]);
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock);
    if (failed)
        return -1;
    memmove(items->items, items->items + given, (items->count - given) * sizeof *items->items);
    items->count -= given;
    return 0;
}

static int take_task(Job *job, Item *item)
{
    size_t task = atomic_fetch_add(&job->next_task, 1);
    if (task >= job->task_count)
        return 0;
    *item = (Item){NULL, (uint32_t)task, NULL};
    return 1;
}

/* Takes what another thread gave; waits until there is something, or every thread waits: 0. */
static int take_shared(Job *job, Item *item)
{
    int found = 0;
    pthread_mutex_lock(&job->lock);
    job->running--;
    atomic_fetch_add(&job->hungry, 1);
    while (!(found = job->shared.count > 0) && job->running && !atomic_load(&job->stop) &&
           !atomic_load(&job->is_full))
        pthread_cond_wait(&job->changed, &job->lock);
    atomic_fetch_sub(&job->hungry, 1);
    if (found && !atomic_load(&job->stop) && !atomic_load(&job->is_full)) {
        *item = job->shared.items[--job->shared.count];
        job->running++;
    } else {
        found = 0;
        pthread_cond_broadcast(&job->changed);
    }
    pthread_mutex_unlock(&job->lock);
    return found;
}

static int next_item(Worker *worker, Item *item)
{
    Job *job = worker->job;
    if (atomic_load(&job->stop) || atomic_load(&job->is_full))
        return 0;
    if (worker->items.count) {
        *item = worker->items.items[--worker->items.count];
        return 1;
    }
    return take_task(job, item) || take_shared(job, item);
}

/* ---- one thread ---- */

/* Notes what is not read any more, because as many directories as allowed were. */
static int leave_unread(Worker *worker, Items *items)
{
    int failed = 0;
    for (size_t index = 0; index < items->count; index++) {
        Item item = items->items[index];
        if (!item.parent)
            worker->job->results[item.task].state = TASK_UNREAD;
        else if (atomic_load(&worker->job->is_full) && !failed)
            failed = add_event(worker, (Event){.kind = EVENT_UNREAD}, item.parent, item.task, item.name, "");
        item_done(worker->job, item);
    }
    items->count = 0;
    return failed;
}

static void finish(Worker *worker)
{
    Job *job = worker->job;
    int failed = leave_unread(worker, &worker->items) || flush_accounts(worker) || flush_page(worker);
    pthread_mutex_lock(&job->lock);
    failed = failed || leave_unread(worker, &job->shared);
    failed = failed || buffer_add(&job->sums, worker->sums.bytes, worker->sums.count) ||
             buffer_add(&job->events, worker->events.bytes, worker->events.count);
    pthread_mutex_unlock(&job->lock);
    if (failed)
        atomic_store(&job->no_memory, 1);
    free(worker->items.items);
    buffer_free(&worker->sums);
    buffer_free(&worker->events);
    page_free(worker->page);
    free(worker->steps);
    free(worker->listing);
}

static void stop_at_limit(Job *job)
{
    pthread_mutex_lock(&job->lock);
    atomic_store(&job->is_full, 1);
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock);
}

static int (*const read_item[])(Worker *, const Item *) = {
    [JOB_COUNT] = count_directory,
    [JOB_SEARCH] = search_directory,
    [JOB_CHECK] = check_page,
    [JOB_PACKAGES] = read_package,
    [JOB_PATHS] = look_at_paths,
};

static int begin(Worker *worker, Job *job)
{
    *worker = (Worker){.job = job, .last_device = -1};
    worker->steps = calloc(1, sizeof *worker->steps);
    worker->listing = malloc(LISTING_BYTES);
    return worker->steps && worker->listing ? 0 : -1;
}

/* Reads until nothing is left, or until some time; 0: the time has come. */
static int read_until(Worker *worker, int64_t end_ns)
{
    Job *job = worker->job;
    Item item;
    int failed = 0;
    while (!failed) {
        if (end_ns != INT64_MAX && now_ns(CLOCK_MONOTONIC) >= end_ns)
            return 0;
        if (!next_item(worker, &item))
            return 1;
        failed = read_item[job->settings.kind](worker, &item);
        item_done(job, item);
        if (atomic_fetch_add(&job->directories, 1) + 1 == job->settings.max_directories)
            stop_at_limit(job);
        if (!failed && worker->items.count > 1 && atomic_load(&job->hungry))
            failed = donate(worker);
    }
    return -1;
}

static void job_free(Job *job);

/* Nothing of the job is used after the end of the last thread, unless the caller has it. */
static void end(Worker *worker, int failed)
{
    Job *job = worker->job;
    if (failed) {
        atomic_store(&job->no_memory, 1);
        job_stop(job);
        page_free(worker->page); /* it may be half made */
        worker->page = NULL;
    }
    finish(worker);
    pthread_mutex_lock(&job->lock);
    job->threads--;
    int left = --job->references;
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock);
    if (!left)
        job_free(job);
}

static void *work(void *argument)
{
    Job *job = argument;
    Worker worker;
    int failed = begin(&worker, job) || read_until(&worker, INT64_MAX) < 0;
    end(&worker, failed);
    return NULL;
}

/* ---- all threads ---- */

void tasks_free(Task *tasks, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        free(tasks[index].name);
        free(tasks[index].inside);
    }
    free(tasks);
}

void settings_free(Settings *settings)
{
    for (size_t index = 0; index < settings->skipped_count; index++)
        free(settings->skipped[index]);
    free(settings->skipped);
    free(settings->special);
    free(settings->untrusted);
}

Job *job_new(Table *table, Settings settings, Task *tasks, size_t count)
{
    Job *job = calloc(1, sizeof *job);
    TaskResult *results = calloc(count + 1, sizeof *results);
    if (!job || !results) {
        free(job);
        free(results);
        tasks_free(tasks, count);
        settings_free(&settings);
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&job->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&job->lock, NULL);
    job->references = 1;
    job->table = table;
    if (table)
        table_share(table);
    sort_special(&settings);
    job->settings = settings;
    job->tasks = tasks;
    job->results = results;
    job->task_count = count;
    return job;
}

static int add_thread(Job *job)
{
    pthread_t thread;
    pthread_attr_t detached;
    sigset_t all, before;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&detached, 256 * 1024);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* signals are the main thread's */
    pthread_mutex_lock(&job->lock);
    job->threads++;
    job->running++;
    job->references++;
    int error = pthread_create(&thread, &detached, work, job);
    if (error) {
        job->threads--;
        job->running--;
        job->references--;
    }
    pthread_mutex_unlock(&job->lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    return error;
}

static void end_alone(Job *job, int failed)
{
    end(job->own, failed);
    free(job->own);
    job->own = NULL;
}

/* Has `job_wait` do the work: the limit of processes, of which each thread is one, is reached. */
static int work_alone(Job *job)
{
    job->own = malloc(sizeof *job->own);
    if (!job->own)
        return -1;
    job->threads = job->running = 1;
    job->references++;
    if (!begin(job->own, job))
        return 0;
    end_alone(job, -1);
    return -1;
}

static int work_for(Job *job, int milliseconds)
{
    int done = read_until(job->own, now_ns(CLOCK_MONOTONIC) + milliseconds * (int64_t)1000000);
    if (!done)
        return 0;
    end_alone(job, done < 0);
    return 1;
}

int job_start(Job *job)
{
    job->looked_ns = now_ns(CLOCK_MONOTONIC);
    job->computed_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    job->switches = voluntary_switches();
    if (add_thread(job))
        return work_alone(job);
    for (int threads = 1; threads < job->settings.threads; threads++)
        if (add_thread(job))
            break; /* the others will do */
    return 0;
}

/* How many threads there should be. On a network filesystem nearly all time is spent waiting; on a disk that is not
 * in memory, a part of it. A thread that waits for the processor is switched out as well, but not by its own choice. */
static int threads_wanted(const Settings *settings, int threads, int64_t passed_ns, int64_t computed_ns, long switches)
{
    int64_t possible_ns = passed_ns * settings->threads;
    if (8 * computed_ns < possible_ns)
        return settings->threads_waiting;
    if (20 * computed_ns < 17 * possible_ns && switches * NS_OF_SWITCH > passed_ns)
        return 2 * threads < settings->threads_waiting ? 2 * threads : settings->threads_waiting;
    return threads;
}

static void look_at_waiting(Job *job)
{
    int64_t time_ns = now_ns(CLOCK_MONOTONIC), computed_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    int64_t passed_ns = time_ns - job->looked_ns;
    if (passed_ns < LOOK_NS)
        return;
    long switches = voluntary_switches();
    pthread_mutex_lock(&job->lock);
    int wanted = threads_wanted(&job->settings, job->threads, passed_ns, computed_ns - job->computed_ns,
                                switches - job->switches);
    job->looked_ns = time_ns;
    job->computed_ns = computed_ns;
    job->switches = switches;
    int more = job->threads && !atomic_load(&job->stop) ? wanted - job->threads : 0;
    pthread_mutex_unlock(&job->lock);
    while (more-- > 0 && !add_thread(job))
        ;
}

int job_wait(Job *job, int milliseconds)
{
    if (job->own)
        return work_for(job, milliseconds);
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += (long)milliseconds * 1000000;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    pthread_mutex_lock(&job->lock);
    int error = 0;
    while (job->threads && !job->pages && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&job->changed, &job->lock, &end);
    int ended = !job->threads;
    pthread_mutex_unlock(&job->lock);
    if (!ended)
        look_at_waiting(job);
    return ended;
}

Page *job_take_pages(Job *job)
{
    pthread_mutex_lock(&job->lock);
    Page *pages = job->pages;
    job->pages = NULL;
    pthread_mutex_unlock(&job->lock);
    return pages;
}

uint64_t job_links(Job *job)
{
    return atomic_load(&job->links);
}

void job_stop(Job *job)
{
    pthread_mutex_lock(&job->lock);
    atomic_store(&job->stop, 1);
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock);
}

void job_result(Job *job, JobResult *result)
{
    *result = (JobResult){
        .results = job->results,
        .sums = job->sums,
        .events = job->events,
        .no_memory = atomic_load(&job->no_memory),
        .too_deep = atomic_load(&job->too_deep),
        .is_untrusted = atomic_load(&job->is_untrusted),
        .untrusted = atomic_load(&job->untrusted),
        .directories = atomic_load(&job->directories),
    };
}

void job_release(Job *job)
{
    if (job->own)
        end_alone(job, 0);
    pthread_mutex_lock(&job->lock);
    int left = --job->references;
    pthread_mutex_unlock(&job->lock);
    if (!left)
        job_free(job);
}

static void job_free(Job *job)
{
    for (size_t index = 0; index < job->shared.count; index++)
        item_done(job, job->shared.items[index]);
    free(job->shared.items);
    for (size_t index = 0; index < job->task_count; index++) {
        buffer_free(&job->results[index].directory_facts);
        buffer_free(&job->results[index].name_facts);
    }
    for (Page *page = job->pages, *next; page; page = next) {
        next = page->next;
        page_free(page);
    }
    tasks_free(job->tasks, job->task_count);
    settings_free(&job->settings);
    free(job->results);
    buffer_free(&job->sums);
    buffer_free(&job->events);
    pthread_cond_destroy(&job->changed);
    pthread_mutex_destroy(&job->lock);
    if (job->table)
        table_free(job->table);
    free(job);
}
