/* What a scan must cost: the disk usage of some roots together, in C, with our trick and no more.
 *
 *     cc -O2 -pthread -o floor floor.c
 *     ./floor THREADS CACHE PREFIX...
 *
 * The cache is read first. An inode with several links that was met there needs no stat when a
 * listing names it again. Threads take packages, then environments, one at a time. The figure that
 * is printed is what `du -B1 -s` of all roots together adds up to, if they are on one filesystem.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct set {
    uint64_t *slots;
    size_t size, used;
};

struct found {
    struct set new; /* inodes with several links that were met for the first time */
    uint64_t *bytes_of; /* of those, in the order of `order` */
    uint64_t *order;
    size_t room;
    uint64_t bytes;
};

struct task {
    int at;
    char *name;
};

static struct set known; /* written between the phases only */
static struct task *tasks;
static size_t task_count, next_task;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *must(void *memory)
{
    if (!memory) {
        perror("floor");
        exit(1);
    }
    return memory;
}

static uint64_t *slot_of(const struct set *set, uint64_t number)
{
    size_t place = number * 0x9e3779b97f4a7c15u & (set->size - 1);
    while (set->slots[place] && set->slots[place] != number)
        place = (place + 1) & (set->size - 1);
    return set->slots + place;
}

static int has(const struct set *set, uint64_t number)
{
    return set->size && *slot_of(set, number);
}

static void add(struct set *set, uint64_t number)
{
    if (2 * set->used >= set->size) {
        struct set bigger = {0};
        bigger.size = set->size ? 2 * set->size : 1 << 16;
        bigger.slots = must(calloc(bigger.size, sizeof *bigger.slots));
        for (size_t place = 0; place < set->size; place++)
            if (set->slots[place])
                *slot_of(&bigger, set->slots[place]) = set->slots[place];
        bigger.used = set->used;
        free(set->slots);
        *set = bigger;
    }
    *slot_of(set, number) = number;
    set->used++;
}

static void count(struct found *found, const struct stat *status)
{
    uint64_t bytes = (uint64_t)status->st_blocks * 512;
    if (S_ISDIR(status->st_mode) || status->st_nlink == 1) {
        found->bytes += bytes;
        return;
    }
    if (has(&known, status->st_ino) || has(&found->new, status->st_ino))
        return;
    if (found->new.used == found->room) {
        found->room = found->room ? 2 * found->room : 1 << 12;
        found->order = must(realloc(found->order, found->room * sizeof *found->order));
        found->bytes_of = must(realloc(found->bytes_of, found->room * sizeof *found->bytes_of));
    }
    found->order[found->new.used] = status->st_ino;
    found->bytes_of[found->new.used] = bytes;
    add(&found->new, status->st_ino);
}

static void read_directory(struct found *found, int at, const char *name)
{
    struct stat status;
    int descriptor = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = descriptor < 0 ? NULL : fdopendir(descriptor);
    if (!directory || fstat(descriptor, &status)) {
        perror(name);
        exit(1);
    }
    count(found, &status);
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_type == DT_DIR) {
            if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
                read_directory(found, descriptor, entry->d_name);
        } else if (!has(&known, entry->d_ino) && !has(&found->new, entry->d_ino)) {
            if (fstatat(descriptor, entry->d_name, &status, AT_SYMLINK_NOFOLLOW)) {
                perror(entry->d_name);
                exit(1);
            }
            count(found, &status);
        }
    }
    closedir(directory);
}

static void *work(void *argument)
{
    for (;;) {
        pthread_mutex_lock(&lock);
        size_t mine = next_task++;
        pthread_mutex_unlock(&lock);
        if (mine >= task_count)
            return NULL;
        read_directory(argument, tasks[mine].at, tasks[mine].name);
    }
}

static void add_task(int at, const char *name)
{
    tasks = must(realloc(tasks, (task_count + 1) * sizeof *tasks));
    tasks[task_count++] = (struct task){at, must(strdup(name))};
}

static uint64_t run(size_t threads)
{
    struct found *found = must(calloc(threads, sizeof *found));
    pthread_t *ids = must(calloc(threads, sizeof *ids));
    uint64_t bytes = 0;
    for (size_t thread = 1; thread < threads; thread++)
        if (pthread_create(ids + thread, NULL, work, found + thread))
            exit(1);
    work(found);
    for (size_t thread = 1; thread < threads; thread++)
        pthread_join(ids[thread], NULL);
    for (size_t thread = 0; thread < threads; thread++) {
        bytes += found[thread].bytes;
        for (size_t place = 0; place < found[thread].new.used; place++)
            if (!has(&known, found[thread].order[place])) {
                add(&known, found[thread].order[place]);
                bytes += found[thread].bytes_of[place];
            }
    }
    task_count = next_task = 0;
    return bytes;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    size_t threads = (size_t)atoi(argv[1]);
    struct found top = {0};
    struct stat status;
    int cache = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = cache < 0 ? NULL : fdopendir(dup(cache));
    if (!directory || fstat(cache, &status)) {
        perror(argv[2]);
        return 1;
    }
    count(&top, &status);
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (entry->d_type == DT_DIR)
            add_task(cache, entry->d_name);
        else if (!fstatat(cache, entry->d_name, &status, AT_SYMLINK_NOFOLLOW))
            count(&top, &status);
    }
    for (size_t place = 0; place < top.new.used; place++) {
        top.bytes += top.bytes_of[place];
        add(&known, top.order[place]);
    }
    uint64_t bytes = top.bytes + run(threads);
    for (int root = 3; root < argc; root++)
        add_task(AT_FDCWD, argv[root]);
    bytes += run(threads);
    printf("%llu\n", (unsigned long long)bytes);
    return 0;
}
