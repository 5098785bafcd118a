/* reply_counts - see reply_counts.h. */
#include "actors/runtime/reply_counts.h"

#include <string.h>

static size_t place_of(const struct name *method, enum status status)
{
    unsigned sum = method->size * 7u + (unsigned)status * 31u;
    if (method->size > 0)
        sum += (unsigned char)method->data[0] + 5u * (unsigned char)method->data[method->size - 1u];
    return sum & (REPLY_COUNTS_PLACES - 1u);
}

struct reply_count *reply_counts_place(struct reply_counts *self, const struct name *method,
                                       enum status status, bool *ret_found)
{
    struct reply_count *place = &self->places[place_of(method, status)];
    *ret_found = place->replies != NULL && place->status == status &&
                 place->method.size == method->size &&
                 memcmp(place->method.data, method->data, method->size) == 0;
    return place;
}
