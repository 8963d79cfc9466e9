/* Bytes that grow. */
#ifndef HARDLINKS_BUFFER_H
#define HARDLINKS_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *bytes;
    size_t count, room;
} Buffer;

/* Return 0, or -1 if there is no memory; the buffer is as before then. */
static inline int buffer_add(Buffer *buffer, const void *bytes, size_t count)
{
    if (count > buffer->room - buffer->count) {
        size_t room = buffer->room + buffer->room / 2 + count + 64;
        char *bigger = room < count ? NULL : realloc(buffer->bytes, room);
        if (!bigger)
            return -1;
        buffer->bytes = bigger;
        buffer->room = room;
    }
    if (count)
        memcpy(buffer->bytes + buffer->count, bytes, count);
    buffer->count += count;
    return 0;
}

static inline int buffer_add_number(Buffer *buffer, uint64_t number)
{
    return buffer_add(buffer, &number, sizeof number);
}

static inline void buffer_free(Buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (Buffer){0};
}

#endif
