/* verb_dead - fact dead: requests that no worker survived. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "actors/cli/connect.h"
#include "actors/cli/document.h"
#include "actors/cli/json.h"
#include "actors/cli/table.h"
#include "actors/cli/verbs.h"

#define ASK_BYTES 32u

/* false: it is no number of a letter, which is said */
static bool read_id(const struct invocation *invocation, uint64_t *ret)
{
    const char *text = invocation->arguments[0];
    char *end = NULL;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    if (errno == 0 && *end == '\0' && text[0] != '-' && *ret > 0)
        return true;
    fprintf(invocation->err, "fact: %s is no number of a dead letter; see: fact dead list\n", text);
    return false;
}

static struct bytes encode_id(uint64_t id, char *room)
{
    struct msg_admin_dead asked = {.id = id};
    struct bytes body = {0};
    enum status status = message_encode(MSG_ADMIN_DEAD, &asked, room, ASK_BYTES, &body);
    assert(status == STATUS_OK);
    return body;
}

/* What its worker would have got: as JSON if it is MessagePack, else as bytes. */
static void put_body(struct writer *writer, struct bytes body)
{
    if (body.data != NULL && value_check(body, BODY_NESTING_MAX)) {
        put_value(writer, "body", body);
        return;
    }
    writer_cstr(writer, "body");
    if (body.data == NULL)
        writer_nil(writer);
    else
        writer_blob(writer, body);
}

static void put_letter(struct writer *writer, const struct msg_dead_letter *row, bool with_body)
{
    writer_map(writer, with_body ? 11 : 10);
    put_u64(writer, "id", row->id);
    put_text(writer, "role", bytes_of(role_name(row->role)));
    put_text(writer, "method", row->method);
    put_text(writer, "tenant", row->tenant);
    put_u64(writer, "class", row->class);
    put_bool(writer, "idempotent", row->idempotent);
    put_u64(writer, "deaths", row->deaths);
    put_value(writer, "workers", row->workers);
    put_u64(writer, "age_ms", row->age_ms);
    put_u64(writer, "bytes", row->bytes);
    if (with_body)
        put_body(writer, row->body);
}

static void put_letters(struct writer *writer, const struct msg_dead_letters *letters,
                        bool with_bodies)
{
    struct values values = values_over(letters->letters);
    struct msg_dead_letter row;
    struct bytes element;
    writer_map(writer, 2);
    put_u64(writer, "dropped", letters->dropped);
    writer_cstr(writer, "letters");
    writer_array(writer, values_count(letters->letters));
    while (values_next(&values, &element))
        if (message_decode(MSG_DEAD_LETTER, element, &row) == STATUS_OK)
            put_letter(writer, &row, with_bodies);
        else
            writer_nil(writer);
}

static void print(const struct invocation *invocation, struct bytes document, bool one)
{
    static const struct column columns[] = {
        {"ID", "id", CELL_PLAIN},         {"ROLE", "role", CELL_PLAIN},
        {"METHOD", "method", CELL_PLAIN}, {"TENANT", "tenant", CELL_PLAIN},
        {"DEATHS", "deaths", CELL_PLAIN}, {"WORKERS", "workers", CELL_PLAIN},
        {"AGE", "age_ms", CELL_MS},       {"SIZE", "bytes", CELL_BYTES}};
    struct bytes letters = value_find(document, "letters"), letter = {0};
    struct values values = values_over(letters);
    if (invocation->options[CLI_OUTPUT].number == OUTPUT_JSON) {
        json_print(document, invocation->out);
        fputc('\n', invocation->out);
    } else if (one && values_next(&values, &letter)) {
        table_print_pairs(letter, invocation->out);
    } else {
        table_print(letters, columns, sizeof columns / sizeof columns[0], invocation->out);
    }
}

/* id 0: all, without bodies */
static enum exit_code look(const struct invocation *invocation, uint64_t id)
{
    char room[ASK_BYTES];
    struct fact *handle;
    struct fact_reply reply;
    struct msg_dead_letters letters;
    struct document document;
    enum exit_code code = connect_one(invocation, &handle);
    if (code != CODE_OK)
        return code;
    code = connect_ask(invocation, handle, COMMAND_ADMIN, "dead", encode_id(id, room), &reply);
    if (code == CODE_OK && message_decode(MSG_DEAD_LETTERS, reply.body, &letters) != STATUS_OK) {
        fputs("fact: the broker's dead letters make no sense to this version\n", invocation->err);
        code = CODE_FAILED;
    }
    if (code == CODE_OK) {
        document_init(&document);
        put_letters(&document.writer, &letters, id != 0);
        print(invocation, document_value(&document), id != 0);
        document_fini(&document);
    }
    fact_destroy(&handle);
    return code;
}

enum exit_code verb_dead_list(const struct invocation *invocation)
{
    return look(invocation, 0);
}

enum exit_code verb_dead_show(const struct invocation *invocation)
{
    uint64_t id;
    return read_id(invocation, &id) ? look(invocation, id) : CODE_USAGE;
}

/* Its REPLY is that of the worker that has had it now. */
enum exit_code verb_dead_kick(const struct invocation *invocation)
{
    char room[ASK_BYTES];
    uint64_t id;
    struct fact *handle;
    struct fact_reply reply;
    struct document document;
    if (!read_id(invocation, &id))
        return CODE_USAGE;
    if (invocation->options[CLI_DRY_RUN].given)
        return look(invocation, id);
    enum exit_code code = connect_one(invocation, &handle);
    if (code != CODE_OK)
        return code;
    code = connect_ask(invocation, handle, COMMAND_ADMIN, "kick", encode_id(id, room), &reply);
    if (code == CODE_OK) {
        document_init(&document);
        writer_map(&document.writer, 5);
        put_u64(&document.writer, "id", id);
        put_text(&document.writer, "status", bytes_of(statuses[reply.status].name));
        put_text(&document.writer, "instance", reply.instance);
        put_u64(&document.writer, "service_us", reply.service_us);
        put_body(&document.writer, reply.body);
        if (invocation->options[CLI_OUTPUT].number == OUTPUT_JSON) {
            json_print(document_value(&document), invocation->out);
            fputc('\n', invocation->out);
        } else {
            table_print_pairs(document_value(&document), invocation->out);
        }
        document_fini(&document);
    }
    fact_destroy(&handle);
    return code;
}
