#include "table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { SHARDS = 64, FIRST_SLOTS = 64, FIRST_STATES = 1024, MAX_DEVICES = 4096 };

typedef struct {
    pthread_mutex_t lock;
    Row *rows;
    uint32_t *slots; /* index of a row + 1; 0: free. At most half of them are used. */
    size_t count, room, slot_count;
} Shard;

typedef struct { uint64_t low, high; } Hash;

/* A state is another one and the location of one more link. States with the same locations, in any order,
 * are one state: they are found by the sum of a hash of each location. */
typedef struct {
    uint32_t previous, location, links_seen, first_group;
    Hash hash;
} State;

typedef struct {
    pthread_mutex_t lock;
    State *states; /* state 0: no link was seen */
    uint32_t *slots;
    size_t count, room, slot_count;
} States;

struct Table {
    atomic_uint owners;
    Shard shards[SHARDS];
    States states;
    pthread_mutex_t device_lock;
    uint64_t devices[MAX_DEVICES];
    size_t device_count;
};

/* The finalizer of splitmix64: each bit of the result depends on each bit of the number. */
static uint64_t mixed(uint64_t number)
{
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
    number = (number ^ number >> 27) * 0x94d049bb133111ebu;
    return number ^ number >> 31;
}

static Hash hash_of_location(uint32_t location)
{
    uint64_t seed = (uint64_t)location + 1;
    return (Hash){mixed(seed * 0x9e3779b97f4a7c15u), mixed(seed * 0xd1342543de82ef95u + 0x632be59bd9b4e019u)};
}

static int grow(void **items, size_t *room, size_t size, size_t first)
{
    size_t more = *room ? *room + *room / 2 : first;
    void *bigger = realloc(*items, more * size);
    if (!bigger)
        return -1;
    *items = bigger;
    *room = more;
    return 0;
}

static uint64_t hash_of_inode(uint32_t device, uint64_t inode)
{
    return mixed(inode + (uint64_t)device * 0x9e3779b97f4a7c15u);
}

/* ---- devices ---- */

int64_t table_device(Table *table, uint64_t st_dev)
{
    int64_t found = -1;
    pthread_mutex_lock(&table->device_lock);
    for (size_t index = 0; index < table->device_count && found < 0; index++)
        if (table->devices[index] == st_dev)
            found = (int64_t)index;
    if (found < 0 && table->device_count < MAX_DEVICES) {
        found = (int64_t)table->device_count;
        table->devices[table->device_count++] = st_dev;
    }
    pthread_mutex_unlock(&table->device_lock);
    return found;
}

size_t table_devices(Table *table, const uint64_t **devices)
{
    *devices = table->devices;
    return table->device_count;
}

/* ---- states ---- */

static uint32_t *state_slot(States *states, Hash hash)
{
    size_t slot = hash.low & (states->slot_count - 1);
    while (states->slots[slot]) {
        Hash found = states->states[states->slots[slot] - 1].hash;
        if (found.low == hash.low && found.high == hash.high)
            break;
        slot = (slot + 1) & (states->slot_count - 1);
    }
    return states->slots + slot;
}

static int rehash_states(States *states, size_t slot_count)
{
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (!slots)
        return -1;
    free(states->slots);
    states->slots = slots;
    states->slot_count = slot_count;
    for (size_t index = 0; index < states->count; index++)
        *state_slot(states, states->states[index].hash) = (uint32_t)index + 1;
    return 0;
}

static int64_t state_after(States *states, uint32_t from, uint32_t location)
{
    int64_t found = -1;
    Hash one = hash_of_location(location);
    pthread_mutex_lock(&states->lock);
    State *before = states->states + from;
    Hash hash = {before->hash.low + one.low, before->hash.high + one.high};
    uint32_t *slot = state_slot(states, hash);
    if (*slot) {
        found = *slot - 1;
    } else if ((states->count < states->room ||
                !grow((void **)&states->states, &states->room, sizeof *states->states, FIRST_STATES)) &&
               states->count < UINT32_MAX - 1) {
        uint32_t links_seen = states->states[from].links_seen + 1;
        states->states[states->count] = (State){from, location, links_seen, 0, hash};
        found = (int64_t)states->count++;
        *slot = (uint32_t)states->count;
        if (2 * states->count > states->slot_count && rehash_states(states, 2 * states->slot_count))
            found = -1;
    }
    pthread_mutex_unlock(&states->lock);
    return found;
}

static int step(Table *table, StepCache *cache, Row *row, uint32_t location)
{
    size_t index = (row->state * 0x9e3779b1u ^ location * 0x85ebca6bu) % STEPS;
    if (cache->steps[index].from != row->state || cache->steps[index].location != location ||
        !cache->steps[index].to) {
        int64_t to = state_after(&table->states, row->state, location);
        if (to < 0)
            return -1;
        cache->steps[index].from = row->state;
        cache->steps[index].location = location;
        cache->steps[index].to = (uint32_t)to;
    }
    row->state = cache->steps[index].to;
    return 0;
}

static int compare_locations(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

int table_locations(Table *table, uint32_t state, uint32_t **locations, size_t *count)
{
    const State *states = table->states.states;
    *count = 0;
    *locations = malloc((states[state].links_seen + (size_t)1) * sizeof **locations);
    if (!*locations)
        return -1;
    for (; state; state = states[state].previous)
        (*locations)[(*count)++] = states[state].location;
    qsort(*locations, *count, sizeof **locations, compare_locations);
    return 0;
}

/* ---- inodes ---- */

static Shard *shard_of(Table *table, uint64_t hash)
{
    return table->shards + (hash >> 58) % SHARDS;
}

static uint32_t *slot_of(Shard *shard, uint64_t hash, uint32_t device, uint64_t inode)
{
    size_t slot = hash & (shard->slot_count - 1);
    while (shard->slots[slot]) {
        const Row *row = shard->rows + shard->slots[slot] - 1;
        if (row->inode == inode && row->device == device)
            break;
        slot = (slot + 1) & (shard->slot_count - 1);
    }
    return shard->slots + slot;
}

static int rehash(Shard *shard, size_t slot_count)
{
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (!slots)
        return -1;
    free(shard->slots);
    shard->slots = slots;
    shard->slot_count = slot_count;
    for (size_t index = 0; index < shard->count; index++) {
        const Row *row = shard->rows + index;
        uint64_t hash = hash_of_inode(row->device, row->inode);
        *slot_of(shard, hash, row->device, row->inode) = (uint32_t)index + 1;
    }
    return 0;
}

int table_count_known(Table *table, StepCache *cache, uint32_t device, uint64_t inode, uint32_t location)
{
    uint64_t hash = hash_of_inode(device, inode);
    Shard *shard = shard_of(table, hash);
    int result = 0;
    pthread_mutex_lock(&shard->lock);
    uint32_t found = *slot_of(shard, hash, device, inode);
    if (found && !shard->rows[found - 1].is_symlink)
        result = step(table, cache, shard->rows + found - 1, location) ? -1 : 1;
    pthread_mutex_unlock(&shard->lock);
    return result;
}

static Row *new_row(Shard *shard, const Row *row)
{
    if ((shard->count == shard->room &&
         grow((void **)&shard->rows, &shard->room, sizeof *shard->rows, FIRST_SLOTS)) ||
        (2 * (shard->count + 1) > shard->slot_count && rehash(shard, 2 * shard->slot_count)) ||
        shard->count >= UINT32_MAX - 1)
        return NULL;
    Row *added = shard->rows + shard->count++;
    *added = *row;
    added->state = 0;
    uint64_t hash = hash_of_inode(row->device, row->inode);
    *slot_of(shard, hash, row->device, row->inode) = (uint32_t)shard->count;
    return added;
}

int table_learn(Table *table, uint32_t device, uint64_t inode)
{
    uint64_t hash = hash_of_inode(device, inode);
    Shard *shard = shard_of(table, hash);
    Row row = {.inode = inode, .device = device};
    pthread_mutex_lock(&shard->lock);
    int failed = !*slot_of(shard, hash, device, inode) && !new_row(shard, &row);
    pthread_mutex_unlock(&shard->lock);
    return failed ? -1 : 0;
}

int table_add(Table *table, StepCache *cache, const Row *row, uint32_t location)
{
    uint64_t hash = hash_of_inode(row->device, row->inode);
    Shard *shard = shard_of(table, hash);
    int result = 0;
    pthread_mutex_lock(&shard->lock);
    uint32_t found = *slot_of(shard, hash, row->device, row->inode);
    if (found) {
        Row *known = shard->rows + found - 1;
        if (!known->link_count) {
            known->disk_bytes = row->disk_bytes;
            known->size_bytes = row->size_bytes;
            known->is_symlink = row->is_symlink;
        }
        if (known->link_count < row->link_count)
            known->link_count = row->link_count;
        result = step(table, cache, known, location);
    } else {
        Row *added = new_row(shard, row);
        result = !added || step(table, cache, added, location) ? -1 : 1;
    }
    pthread_mutex_unlock(&shard->lock);
    return result;
}

/* A copy of the row of an inode; 0: it is not known. */
static int find(Table *table, uint32_t device, uint64_t inode, Row *row)
{
    uint64_t hash = hash_of_inode(device, inode);
    Shard *shard = shard_of(table, hash);
    pthread_mutex_lock(&shard->lock);
    uint32_t found = *slot_of(shard, hash, device, inode);
    if (found)
        *row = shard->rows[found - 1];
    pthread_mutex_unlock(&shard->lock);
    return found != 0;
}

int table_has(Table *table, uint32_t device, uint64_t inode)
{
    Row row;
    return find(table, device, inode, &row) && !row.is_symlink;
}

uint32_t table_state(Table *table, uint32_t device, uint64_t inode)
{
    Row row;
    return find(table, device, inode, &row) ? row.state : 0;
}

size_t table_rows(Table *table)
{
    size_t rows = 0;
    for (size_t index = 0; index < SHARDS; index++) {
        pthread_mutex_lock(&table->shards[index].lock);
        rows += table->shards[index].count;
        pthread_mutex_unlock(&table->shards[index].lock);
    }
    return rows;
}

size_t table_states(Table *table)
{
    return table->states.count;
}

void table_copy_rows(Table *table, Row *rows)
{
    for (size_t index = 0; index < SHARDS; index++) {
        const Shard *shard = table->shards + index;
        if (shard->count)
            memcpy(rows, shard->rows, shard->count * sizeof *rows);
        rows += shard->count;
    }
}

/* ---- groups ---- */

static Group *group_of(States *states, Groups *groups, const Row *row, uint32_t compared)
{
    State *state = states->states + row->state;
    for (uint32_t index = state->first_group; index; index = groups->groups[index].next)
        if (groups->groups[index].device == row->device && groups->groups[index].compared == compared)
            return groups->groups + index;
    if (groups->count == groups->room &&
        grow((void **)&groups->groups, &groups->room, sizeof *groups->groups, FIRST_STATES))
        return NULL;
    Group *added = groups->groups + groups->count;
    *added = (Group){.device = row->device, .state = row->state, .compared = compared, .next = state->first_group};
    state->first_group = (uint32_t)groups->count++;
    return added;
}

int table_groups(Table *table, Groups *groups)
{
    States *states = &table->states;
    *groups = (Groups){0};
    if (grow((void **)&groups->groups, &groups->room, sizeof *groups->groups, FIRST_STATES))
        return -1;
    groups->count = 1;
    for (size_t index = 0; index < states->count; index++)
        states->states[index].first_group = 0;
    for (size_t index = 0; index < SHARDS; index++)
        for (size_t at = 0; at < table->shards[index].count; at++) {
            const Row *row = table->shards[index].rows + at;
            uint32_t seen = states->states[row->state].links_seen;
            Group *group = group_of(states, groups, row, row->link_count > seen ? 0 : row->link_count == seen ? 1 : 2);
            if (!group)
                return -1;
            group->inodes++;
            group->disk_bytes += row->disk_bytes;
            group->size_bytes += row->size_bytes;
            group->outside_links += row->link_count > seen ? row->link_count - seen : 0;
        }
    return 0;
}

/* ---- the table ---- */

Table *table_new(void)
{
    Table *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    atomic_init(&table->owners, 1);
    pthread_mutex_init(&table->device_lock, NULL);
    pthread_mutex_init(&table->states.lock, NULL);
    for (size_t index = 0; index < SHARDS; index++)
        pthread_mutex_init(&table->shards[index].lock, NULL);
    int failed = grow((void **)&table->states.states, &table->states.room, sizeof(State), FIRST_STATES);
    if (!failed)
        table->states.states[table->states.count++] = (State){0};
    failed = failed || rehash_states(&table->states, 2 * FIRST_STATES);
    for (size_t index = 0; index < SHARDS && !failed; index++)
        failed = rehash(table->shards + index, FIRST_SLOTS);
    if (!failed)
        return table;
    table_free(table);
    return NULL;
}

void table_share(Table *table)
{
    atomic_fetch_add(&table->owners, 1);
}

int table_is_shared(Table *table)
{
    return atomic_load(&table->owners) > 1;
}

void table_free(Table *table)
{
    if (atomic_fetch_sub(&table->owners, 1) > 1)
        return;
    for (size_t index = 0; index < SHARDS; index++) {
        pthread_mutex_destroy(&table->shards[index].lock);
        free(table->shards[index].rows);
        free(table->shards[index].slots);
    }
    pthread_mutex_destroy(&table->states.lock);
    free(table->states.states);
    free(table->states.slots);
    pthread_mutex_destroy(&table->device_lock);
    free(table);
}
