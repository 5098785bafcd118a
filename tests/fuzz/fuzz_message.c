/* fuzz_message - a body that decodes is encoded and decoded again, to the same bytes from then on;
 * the elements of its lists are read without harm; and a view that is taken can be placed.
 * Input: a byte that chooses the message, then its body. Seeds: describe, by seeds.py. */
#include <assert.h>
#include <string.h>

#include "protocol/message.h"
#include "protocol/placement.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static enum message_id id_of(const char *name)
{
    unsigned id = 0;
    while (messages[id].name == NULL || strcmp(messages[id].name, name) != 0)
        id++;
    return (enum message_id)id;
}

/* The lists of a decoded body, element by element; they hold bodies that need not decode. */
static void read_lists(const struct message *message, const union any_body *body)
{
    for (size_t i = 0; i < message->field_count; i++) {
        const struct field *field = &message->fields[i];
        union any_body element_body;
        struct bytes list, element;
        uint64_t count = 0;
        if (field->element == NULL)
            continue;
        memcpy(&list, (const char *)body + field->offset, sizeof list);
        struct values values = values_over(list);
        for (; values_next(&values, &element); count++)
            (void)!message_decode(id_of(field->element), element, &element_body);
        assert(count <= field->bytes_max);
    }
}

static void check_body(enum message_id id, struct bytes bytes)
{
    static char first[2 * FRAME_BYTES_MAX], second[2 * FRAME_BYTES_MAX];
    union any_body body;
    struct bytes once, twice;
    if (message_decode(id, bytes, &body) != STATUS_OK)
        return;
    read_lists(&messages[id], &body);
    enum status status = message_encode(id, &body, first, sizeof first, &once);
    assert(status == STATUS_OK);
    status = message_decode(id, once, &body);
    assert(status == STATUS_OK);
    status = message_encode(id, &body, second, sizeof second, &twice);
    assert(status == STATUS_OK);
    assert(bytes_equal(once, twice));
}

static void check_view(struct bytes bytes)
{
    static struct placement_view view;
    if (placement_decode(bytes, &view) != STATUS_OK)
        return;
    struct placement *table = placement_new(&view);
    (void)placement_build_some(table, 4);
    assert(view.count == 0 || placement_owner(table, 3) < view.count);
    placement_destroy(&table);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size == 0)
        return 0;
    enum message_id id = (enum message_id)(data[0] % MESSAGE_ID_MAX);
    struct bytes body = {(const char *)data + 1, size - 1};
    if (messages[id].name != NULL)
        check_body(id, body);
    check_view(body);
    return 0;
}
