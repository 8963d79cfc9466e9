/* What the threads (job.c) and the reading of one directory (directory.c) share. */
#ifndef HARDLINKS_JOB_PRIVATE_H
#define HARDLINKS_JOB_PRIVATE_H

#include "job.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LISTING_BYTES = 1 << 16, ACCOUNTS = 4 };

/* A directory whose subdirectories are still to be read. */
typedef struct Directory {
    struct Directory *parent;
    int descriptor;    /* its own, or that of an ancestor to which `relative` belongs */
    int owns;
    atomic_uint users; /* subdirectories to be read, and those that need its descriptor or its name */
    uint32_t task;
    char *relative;    /* "a/b/" from `descriptor` to the directory; NULL if that is the directory */
    char *inside;      /* path below the root; NULL: longer than a path may be */
    char name[];
} Directory;

typedef struct {
    Directory *parent; /* NULL: the directory of the task itself */
    uint32_t task;
    char *name;
} Item;

typedef struct {
    Item *items;
    size_t count, room;
} Items;

typedef struct {
    Job *job;
    StepCache *steps;
    char *listing;
    Items items;
    Page *page;
    Buffer events, sums;
    uint32_t location;
    size_t account_count;
    Sums accounts[ACCOUNTS];
    int64_t last_device; /* index of `last_st_dev` in the table; -1: none */
    uint64_t last_st_dev;
} Worker;

struct Job {
    Table *table;
    Settings settings;
    Task *tasks;
    TaskResult *results;
    size_t task_count;
    atomic_size_t next_task;
    atomic_int stop, is_full, hungry, open_directories, no_memory, too_deep, is_untrusted;
    atomic_int reading; /* threads that have a directory open to list it */
    atomic_uint_fast64_t untrusted, links, directories;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    Items shared;
    int threads, running, references; /* running: that have something to read */
    int64_t looked_ns, computed_ns; /* what was seen when the waiting was judged last */
    long switches;
    Page *pages;
    Buffer sums, events;
    Worker *own; /* of the caller's thread, where no other one can be started */
};

/* Each of these returns -1, or NULL, if there is no memory. */

int items_add(Items *, Item);
void directory_release(Job *, Directory *);

int add_event(Worker *, Event, const Directory *, uint32_t task, const char *name, const char *text);
int add_problem(Worker *, int error, const Directory *, uint32_t task, const char *name);
Sums *account(Worker *, uint32_t location, uint64_t device);
int flush_accounts(Worker *);
int begin_page(Worker *, uint32_t location, const char *inside, const struct stat *);
int flush_page(Worker *);
int64_t device_index(Worker *, uint64_t st_dev);

/* A directory that is open for listing. */
typedef struct {
    Worker *worker;
    Directory *directory;
    uint32_t task;
    uint64_t device; /* st_dev of the directory */
    int64_t device_index;
    int trusted;      /* its listing shows the inode numbers of its entries */
    int examines_all; /* even entries whose inode is known */
    int descriptor;
    Sums *sums;
} Reading;

typedef int (*EntryReader)(Reading *, const char *name, uint64_t inode, unsigned char type);

int is_gone(int error);
int open_patiently(Job *, const Item *); /* a descriptor, for which `end_reading` is due; or -1 and errno */
void end_reading(Job *);
Directory *directory_new(Worker *, const Item *, int descriptor); /* closes the descriptor at its end */
int directory_done(Worker *, Directory *);   /* all of its entries were listed */
int add_child(Reading *, const char *name);
int list_entries(Reading *, EntryReader);

/* What is done with an item, by the kind of the job. */
int count_directory(Worker *, const Item *);
int search_directory(Worker *, const Item *);
int check_page(Worker *, const Item *);
int read_package(Worker *, const Item *);
int look_at_paths(Worker *, const Item *);

#endif
