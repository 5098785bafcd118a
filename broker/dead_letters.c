/* dead_letters - see dead_letters.h. In order of their numbers; there are few, so they are looked
 * through. Memory for one is taken when it dies: that is rare, and bounded. */
#include "broker/dead_letters.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct dead_letters {
    uint32_t max, count;
    size_t bytes, bytes_max;
    uint64_t ids, dropped;
    uint32_t names; /* given so far; the newest stands at names % DEAD_NAMES_MAX */
    struct name lost[DEAD_NAMES_MAX];
    struct dead_letter letters[]; /* their pairs are owned */
};

struct dead_letters *dead_letters_new(uint32_t letters_max, size_t bytes_max)
{
    assert(letters_max > 0);
    assert(bytes_max > 0);
    struct dead_letters *self =
        calloc(1, sizeof *self + (size_t)letters_max * sizeof self->letters[0]);
    assert(self != NULL);
    self->max = letters_max;
    self->bytes_max = bytes_max;
    return self;
}

void dead_letters_destroy(struct dead_letters **self_p)
{
    assert(self_p != NULL);
    struct dead_letters *self = *self_p;
    for (uint32_t i = 0; self != NULL && i < self->count; i++)
        free((char *)self->letters[i].pair.data);
    free(self);
    *self_p = NULL;
}

uint32_t dead_letters_mourn(struct dead_letters *self, const struct name *worker)
{
    const struct name *last = &self->lost[self->names % DEAD_NAMES_MAX];
    if (self->names > 0 && bytes_equal(name_bytes(last), name_bytes(worker)))
        return self->names;
    self->names += self->names == UINT32_MAX ? 2 : 1;
    self->lost[self->names % DEAD_NAMES_MAX] = *worker;
    return self->names;
}

struct name dead_letters_name(const struct dead_letters *self, uint32_t number)
{
    bool known = number > 0 && self->names - number < DEAD_NAMES_MAX;
    return known ? self->lost[number % DEAD_NAMES_MAX] : (struct name){0};
}

static void remove_at(struct dead_letters *self, uint32_t at)
{
    assert(at < self->count);
    struct dead_letter *letter = &self->letters[at];
    assert(self->bytes >= letter->pair.size);
    self->bytes -= letter->pair.size;
    free((char *)letter->pair.data);
    self->count--;
    memmove(letter, letter + 1, (self->count - at) * sizeof *letter);
}

uint64_t dead_letters_keep(struct dead_letters *self, const struct dead_letter *letter)
{
    size_t size = letter->pair.size;
    assert(size > 0);
    assert(size <= self->bytes_max);
    while (self->count == self->max || self->bytes + size > self->bytes_max) {
        remove_at(self, 0);
        self->dropped++;
    }
    char *bytes = malloc(size);
    assert(bytes != NULL);
    memcpy(bytes, letter->pair.data, size);
    struct dead_letter *kept = &self->letters[self->count++];
    *kept = *letter;
    kept->id = ++self->ids;
    kept->pair = (struct bytes){bytes, size};
    self->bytes += size;
    return kept->id;
}

const struct dead_letter *dead_letters_after(const struct dead_letters *self, uint64_t id)
{
    uint32_t at = 0;
    while (at < self->count && self->letters[at].id <= id)
        at++;
    return at == self->count ? NULL : &self->letters[at];
}

const struct dead_letter *dead_letters_find(const struct dead_letters *self, uint64_t id)
{
    const struct dead_letter *letter = id == 0 ? NULL : dead_letters_after(self, id - 1);
    return letter != NULL && letter->id == id ? letter : NULL;
}

void dead_letters_remove(struct dead_letters *self, uint64_t id)
{
    const struct dead_letter *letter = dead_letters_find(self, id);
    assert(letter != NULL);
    remove_at(self, (uint32_t)(letter - self->letters));
}

uint32_t dead_letters_count(const struct dead_letters *self)
{
    return self->count;
}

uint32_t dead_letters_of(const struct dead_letters *self, enum role role)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->count; i++)
        count += self->letters[i].role == role;
    return count;
}

size_t dead_letters_bytes(const struct dead_letters *self)
{
    return self->bytes;
}

uint64_t dead_letters_dropped(const struct dead_letters *self)
{
    return self->dropped;
}
