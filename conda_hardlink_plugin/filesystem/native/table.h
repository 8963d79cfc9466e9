/* The inode table: where links to each inode were seen, in 40 bytes an inode; several threads share it.
 *
 * The inodes of one package nearly always have links in the same places. So a row has the number of a
 * state that many inodes share: the multiset of the locations (a number that the caller gives to an
 * environment or to a package) in which links were seen. */
#ifndef HARDLINKS_TABLE_H
#define HARDLINKS_TABLE_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t inode, disk_bytes, size_bytes;
    uint32_t device; /* index into the devices of the table */
    uint32_t link_count;
    uint32_t state;
    uint32_t is_symlink;
} Row;

/* Sums over the inodes of one state on one device whose link counts compare alike with the links seen. */
typedef struct {
    uint32_t device, state;
    uint32_t compared; /* 0: the link count is higher than the links seen; 1: equal; 2: lower */
    uint32_t next;     /* of the same state, in `Groups.groups`; 0 is none */
    uint64_t inodes, disk_bytes, size_bytes, outside_links;
} Group;

typedef struct {
    Group *groups; /* the first is unused */
    size_t count, room;
} Groups;

typedef struct Table Table;

/* What one thread remembers of the steps from state to state; begins zeroed. */
enum { STEPS = 1024 };
typedef struct {
    struct { uint32_t from, location, to; } steps[STEPS];
} StepCache;

Table *table_new(void); /* NULL: no memory */
void table_share(Table *); /* one more `table_free` is needed */
void table_free(Table *);
int table_is_shared(Table *);

/* At any time; each of these returns -1 if there is no memory. */
int64_t table_device(Table *, uint64_t st_dev); /* the index of a device, added if it is new */
int table_count_known(Table *, StepCache *, uint32_t device, uint64_t inode, uint32_t location);
    /* Counts one more link to an inode that is not a symbolic link; 0: the inode is not known. */
int table_add(Table *, StepCache *, const Row *, uint32_t location);
    /* Counts one link to an inode that was examined; 1: it is the first one. The highest link count is
     * kept: an inode whose count grew during the scan must not seem to have all of its links here. */
int table_learn(Table *, uint32_t device, uint64_t inode);
    /* Adds an inode that was examined elsewhere, without a link; its link count is 0 until its row comes. */

/* Only while no other thread uses the table. */
int table_groups(Table *, Groups *);
int table_locations(Table *, uint32_t state, uint32_t **locations, size_t *count);
    /* The locations of a state, one for each link, in ascending order; the caller frees them. */
size_t table_devices(Table *, const uint64_t **devices);

/* At any time. */

int table_has(Table *, uint32_t device, uint64_t inode);  /* known, and not a symbolic link */
uint32_t table_state(Table *, uint32_t device, uint64_t inode); /* 0: not known */
size_t table_rows(Table *);
size_t table_states(Table *); /* number of states */
void table_copy_rows(Table *, Row *); /* all of them; there is room for `table_rows` */

#endif
