/* A page of the index while its directories are read: scan/index/page.py says what is in it. */
#ifndef HARDLINKS_PAGE_H
#define HARDLINKS_PAGE_H

#include "buffer.h"

#include <sys/stat.h>

enum { DIRECTORIES_OF_PAGE = 256, ROW_COLUMNS = 5 };

typedef struct Page {
    uint32_t location;
    uint64_t device; /* st_dev of the directories */
    uint64_t directory_count, examined, linked_count, rows;
    int64_t newest_ns; /* of the times of change of the directories */
    Buffer directories, directory_facts, names, name_facts, linked, columns[ROW_COLUMNS];
    struct Page *next;
} Page;

Page *page_new(uint32_t location, uint64_t device);
void page_free(Page *);

/* Each returns -1 if there is no memory. */
int page_begin_directory(Page *, const char *path, const struct stat *);
int page_add_name(Page *, const char *name, const struct stat *);
int page_add_linked(Page *, uint64_t inode);
int page_add_inodes(const Page *, Buffer *); /* `linked`, then the columns of the rows */

uint64_t nanoseconds(struct timespec);
int facts_of_directory(Buffer *, const struct stat *);
int facts_of_name(Buffer *, const struct stat *);

#endif
