/* tally - see tally.h. */
#include "actors/tool_executor/tally.h"

#include <assert.h>
#include <stdlib.h>

/* The largest rows: names, texts and numbers. */
#define TOOLS_BYTES_MAX ((size_t)TOOLS_MAX * 512)
#define ERRORS_BYTES_MAX ((size_t)TOOL_ERRORS_MAX * 1024)

const char *const outcome_names[OUTCOME_COUNT] = {"ok",      "app_error", "refused",
                                                  "expired", "cancelled", "failed"};

enum outcome outcome_of(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return OUTCOME_OK;
    case STATUS_APP_ERROR:
        return OUTCOME_APP_ERROR;
    case STATUS_CANCELLED:
        return OUTCOME_CANCELLED;
    case STATUS_DEADLINE_QUEUED:
    case STATUS_DEADLINE_RUNNING:
        return OUTCOME_EXPIRED;
    default:
        return statuses[status].executed == EXECUTED_NO ? OUTCOME_REFUSED : OUTCOME_FAILED;
    }
}

struct tally_row *tally_row(struct tally *self, const struct tool *tool)
{
    size_t i = (size_t)(tool - self->tools->list);
    assert(i < self->tools->count);
    return &self->rows[i];
}

void tally_ended(struct tally *self, const struct tool *tool, const struct failure *failure,
                 int64_t taken_us, int64_t unix_ms)
{
    struct tally_row *row = tally_row(self, tool);
    row->outcomes[outcome_of(failure->status)]++;
    row->time_us += (uint64_t)taken_us;
    if ((uint64_t)taken_us > row->time_max_us)
        row->time_max_us = (uint64_t)taken_us;
    if (failure->status != STATUS_OK && failure->status != STATUS_CANCELLED)
        self->errors[self->error_count++ % TOOL_ERRORS_MAX] =
            (struct tally_error){tool, *failure, unix_ms};
}

static void write_tools(const struct tally *self, struct writer *writer)
{
    writer_array(writer, self->tools->count);
    for (size_t i = 0; i < self->tools->count; i++) {
        const struct tally_row *row = &self->rows[i];
        struct msg_tool_statistics statistics = {
            .tool = bytes_of(self->tools->list[i].name),
            .ok = row->outcomes[OUTCOME_OK],
            .app_error = row->outcomes[OUTCOME_APP_ERROR],
            .refused = row->outcomes[OUTCOME_REFUSED],
            .expired = row->outcomes[OUTCOME_EXPIRED],
            .cancelled = row->outcomes[OUTCOME_CANCELLED],
            .failed = row->outcomes[OUTCOME_FAILED],
            .running = row->running,
            .waiting = row->waiting,
            .time_us = row->time_us,
            .time_max_us = row->time_max_us,
        };
        enum status status = message_write(MSG_TOOL_STATISTICS, &statistics, writer);
        assert(status == STATUS_OK);
    }
}

static void write_errors(const struct tally *self, struct writer *writer)
{
    uint64_t count = self->error_count < TOOL_ERRORS_MAX ? self->error_count : TOOL_ERRORS_MAX;
    writer_array(writer, count);
    for (uint64_t i = 1; i <= count; i++) {
        const struct tally_error *error = &self->errors[(self->error_count - i) % TOOL_ERRORS_MAX];
        struct msg_tool_error row = {
            .tool = bytes_of(error->tool->name),
            .status = error->failure.status,
            .code = bytes_of(error->failure.code),
            .message = bytes_of(error->failure.message),
            .at_ms = (uint64_t)error->unix_ms,
        };
        enum status status = message_write(MSG_TOOL_ERROR, &row, writer);
        assert(status == STATUS_OK);
    }
}

enum status tally_write(const struct tally *self, const struct msg_executor_statistics *rest,
                        struct writer *writer)
{
    struct msg_executor_statistics statistics = *rest;
    struct writer tools, errors;
    char *room = malloc(TOOLS_BYTES_MAX + ERRORS_BYTES_MAX);
    assert(room != NULL);
    writer_init(&tools, room, TOOLS_BYTES_MAX);
    writer_init(&errors, room + TOOLS_BYTES_MAX, ERRORS_BYTES_MAX);
    write_tools(self, &tools);
    write_errors(self, &errors);
    statistics.tools = writer_bytes(&tools);
    statistics.errors = writer_bytes(&errors);
    enum status status = message_write(MSG_EXECUTOR_STATISTICS, &statistics, writer);
    free(room);
    return status;
}
