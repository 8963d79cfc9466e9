/* Reads directories with several threads: trees to count, trees to search, pages of the index to check. */
#ifndef HARDLINKS_JOB_H
#define HARDLINKS_JOB_H

#include "buffer.h"
#include "page.h"
#include "table.h"

typedef enum { JOB_COUNT, JOB_SEARCH, JOB_CHECK, JOB_PACKAGES, JOB_PATHS } JobKind;

enum { /* flags of a task */
    TASK_ROOT = 1,    /* the path of a root: a symbolic link to it is followed */
    TASK_PACKAGE = 2, /* left alone unless it has info/index.json */
    TASK_TEXTS = 4,   /* the texts of symbolic links are wanted */
    TASK_FILES = 8,   /* each file is wanted */
};

/* To count or to search: a directory to be read with all that is below it on its device.
 * To check: some directories of the index. Of packages: the path of one. Of paths: some. */
typedef struct {
    int parent;      /* the open directory that contains it; of a check, the root; of paths, what they are below */
    uint32_t flags;
    uint32_t location;
    uint64_t device; /* st_dev that it must have, unless it is a root */
    char *name;      /* its name in `parent`; the path of a root or package; of a check and of paths, separated by \0 */
    char *inside;    /* its path below its root, "" for a root; of a check, names as on the page */
    size_t name_bytes, inside_bytes;
} Task;

enum { TASK_UNREAD, TASK_LEFT, TASK_READ };

/* Whether a task was read, and which directory it is. One that is left is to be read by the caller; one that is
 * unread was not begun, because as many directories as allowed were read.
 * Of a check: the facts, if each could be looked at.
 * Of packages: ctime_ns of info/index.json and of info/repodata_record.json, and the content of the latter.
 * Of paths: for each an error or 0, device, inode, mode, link count and allocated bytes. */
typedef struct {
    uint64_t state, device, inode;
    Buffer directory_facts, name_facts;
} TaskResult;

/* Sums over the inodes of a location on one device that have a single link, directories included. */
typedef struct {
    uint64_t location, device, links, inodes, disk_bytes, size_bytes, directory_disk_bytes, directory_size_bytes;
} Sums;

enum { /* kinds of events */
    EVENT_PROBLEM = 1,     /* the path could not be counted, or not completely: `error` */
    EVENT_UNOPENED = 2,    /* a directory could not be opened: `error`; its status is given */
    EVENT_LEFT = 3,        /* a directory that the caller must read: another device, or one of `special` */
    EVENT_TEXT = 4,        /* a symbolic link and its text */
    EVENT_FILE = 5,        /* the first link to an inode in a task that wants files */
    EVENT_ENVIRONMENT = 6, /* a search found an environment */
    EVENT_UNREAD = 7,      /* a directory that was not read, because as many as allowed were */
};

/* Followed by the path below the task's root, then the text of a symbolic link. */
typedef struct {
    uint32_t kind, location;
    int32_t error;
    uint32_t link_count;
    uint64_t device, inode, disk_bytes, size_bytes;
    uint32_t is_symlink, path_bytes, text_bytes;
    uint32_t replaced; /* a directory by something else, since it was listed */
} Event;

typedef struct {
    uint64_t device, inode;
} Identity;

typedef struct {
    JobKind kind;
    int threads;          /* to begin with */
    int threads_waiting;  /* once calls wait */
    int max_open;         /* directories kept open; deeper ones are opened by a longer path */
    int record;           /* make pages; of a check: look at the entries, too */
    uint64_t max_directories; /* about as many are read; 0: all */
    size_t special_count, untrusted_count, skipped_count;
    Identity *special;    /* directories that the caller reads itself */
    uint64_t *untrusted;  /* devices whose listings do not show the inode numbers of their files */
    char **skipped;       /* of a search: paths below the root that are not opened */
} Settings;

typedef struct Job Job;

/* Takes over all it is given (each from malloc) but the table, which it shares; NULL: no memory. */
Job *job_new(Table *, Settings, Task *tasks, size_t count);
int job_start(Job *); /* -1: no memory. Where no thread can be started, `job_wait` does the work. */
int job_wait(Job *, int milliseconds); /* whether it has ended; returns early if there are pages */
Page *job_take_pages(Job *);
uint64_t job_links(Job *);
void job_stop(Job *);

/* What was found; valid after the end, until the release. */
typedef struct {
    const TaskResult *results;
    Buffer sums, events;
    int no_memory, too_deep, is_untrusted;
    uint64_t untrusted, directories;
} JobResult;
void job_result(Job *, JobResult *);

/* Gives the job up; a thread that hangs in a call frees it when that returns. */
void job_release(Job *);

void tasks_free(Task *, size_t count);
void settings_free(Settings *);
void sort_special(Settings *);

#endif
