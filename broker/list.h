/* list - circular lists threaded through an array, with sentinels in the same array: linking has no
 * special cases, and taking one out of the middle costs the same as popping it. No allocation. */
#ifndef BROKER_LIST_H
#define BROKER_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define NONE UINT32_MAX

/* next NONE: in no list. A zeroed link is not one; call list_out_all() or list_clear(). */
struct link {
    uint32_t next, previous;
};

/* Make [from, to) elements that are in no list. */
static inline void list_out_all(struct link *links, uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at < to; at++)
        links[at].next = NONE;
}

/* Make [from, to) the sentinels of empty lists. */
static inline void list_clear_all(struct link *links, uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at < to; at++)
        links[at] = (struct link){at, at};
}

/* So many elements that are in no list, then so many empty lists; the caller frees them. */
static inline struct link *list_take_links(uint32_t elements, uint32_t sentinels)
{
    struct link *links = malloc(((size_t)elements + sentinels) * sizeof *links);
    assert(links != NULL);
    list_out_all(links, 0, elements);
    list_clear_all(links, elements, elements + sentinels);
    return links;
}

static inline bool list_is_empty(const struct link *links, uint32_t sentinel)
{
    return links[sentinel].next == sentinel;
}

static inline bool list_is_in(const struct link *links, uint32_t at)
{
    return links[at].next != NONE;
}

/* Before the sentinel: at the tail. Behind it, so before the first: at the head. */
static inline void list_put_before(struct link *links, uint32_t at, uint32_t next)
{
    assert(links[at].next == NONE);
    links[at] = (struct link){next, links[next].previous};
    links[links[next].previous].next = at;
    links[next].previous = at;
}

static inline void list_put_first(struct link *links, uint32_t at, uint32_t sentinel)
{
    list_put_before(links, at, links[sentinel].next);
}

static inline void list_take_out(struct link *links, uint32_t at)
{
    assert(links[at].next != NONE);
    links[links[at].previous].next = links[at].next;
    links[links[at].next].previous = links[at].previous;
    links[at].next = NONE;
}

/* Put all of one list, in order, behind another; the first is empty then. */
static inline void list_append_all(struct link *links, uint32_t from, uint32_t to)
{
    if (list_is_empty(links, from))
        return;
    uint32_t first = links[from].next, last = links[from].previous;
    links[first].previous = links[to].previous;
    links[links[to].previous].next = first;
    links[last].next = to;
    links[to].previous = last;
    links[from] = (struct link){from, from};
}

/* Put all of one list, in order, before the first of another; the first is empty then. */
static inline void list_prepend_all(struct link *links, uint32_t from, uint32_t to)
{
    list_append_all(links, to, from);
    list_append_all(links, from, to);
}

#endif
