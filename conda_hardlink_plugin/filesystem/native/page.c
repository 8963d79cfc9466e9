#include "page.h"

/* Nanoseconds since the epoch; higher bits of times that do not fit are dropped, as in page.py. */
uint64_t nanoseconds(struct timespec time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int facts_of_directory(Buffer *facts, const struct stat *status)
{
    uint64_t packed[] = {
        status->st_dev,
        status->st_ino,
        nanoseconds(status->st_mtim),
        nanoseconds(status->st_ctim),
        (uint64_t)status->st_size,
        (uint64_t)status->st_blocks * 512,
    };
    return buffer_add(facts, packed, sizeof packed);
}

int facts_of_name(Buffer *facts, const struct stat *status)
{
    uint64_t packed[] = {
        status->st_ino,
        status->st_nlink,
        (uint64_t)status->st_size,
        (uint64_t)status->st_blocks * 512,
    };
    return buffer_add(facts, packed, sizeof packed);
}

Page *page_new(uint32_t location, uint64_t device)
{
    Page *page = calloc(1, sizeof *page);
    if (page) {
        page->location = location;
        page->device = device;
        page->newest_ns = INT64_MIN;
    }
    return page;
}

void page_free(Page *page)
{
    if (!page)
        return;
    buffer_free(&page->directories);
    buffer_free(&page->directory_facts);
    buffer_free(&page->names);
    buffer_free(&page->name_facts);
    buffer_free(&page->linked);
    for (size_t column = 0; column < ROW_COLUMNS; column++)
        buffer_free(page->columns + column);
    free(page);
}

static int add_token(Buffer *buffer, char separator, const char *token, size_t length)
{
    return (buffer->count && buffer_add(buffer, &separator, 1)) || buffer_add(buffer, token, length) ? -1 : 0;
}

int page_begin_directory(Page *page, const char *path, const struct stat *status)
{
    int64_t changed_ns = (int64_t)nanoseconds(status->st_ctim);
    if (changed_ns > page->newest_ns)
        page->newest_ns = changed_ns;
    page->directory_count++;
    return add_token(&page->directories, '\0', path, strlen(path)) ||
                   facts_of_directory(&page->directory_facts, status) || add_token(&page->names, '/', "", 1)
               ? -1
               : 0;
}

int page_add_name(Page *page, const char *name, const struct stat *status)
{
    page->examined++;
    if (add_token(&page->names, '/', name, strlen(name)) || facts_of_name(&page->name_facts, status))
        return -1;
    if (status->st_nlink <= 1)
        return 0;
    page->rows++;
    uint64_t row[ROW_COLUMNS] = {
        status->st_ino,
        status->st_nlink,
        (uint64_t)status->st_blocks * 512,
        (uint64_t)status->st_size,
        S_ISLNK(status->st_mode),
    };
    for (size_t column = 0; column < ROW_COLUMNS; column++)
        if (buffer_add_number(page->columns + column, row[column]))
            return -1;
    return 0;
}

int page_add_linked(Page *page, uint64_t inode)
{
    page->linked_count++;
    return buffer_add_number(&page->linked, inode);
}

int page_add_inodes(const Page *page, Buffer *inodes)
{
    if (buffer_add(inodes, page->linked.bytes, page->linked.count))
        return -1;
    for (size_t column = 0; column < ROW_COLUMNS; column++)
        if (buffer_add(inodes, page->columns[column].bytes, page->columns[column].count))
            return -1;
    return 0;
}
