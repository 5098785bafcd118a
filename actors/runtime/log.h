/* log - one line of JSON an event on stderr, from a closed list of events.
 *
 *   {"ts":"2026-11-24T02:13:00.123Z","level":"info","process":"driver","instance":"driver-7",
 *    "event":"ready","broker":"b1"}
 *
 * The one thing here that is the process's and not an actor's, as stderr is. Any thread may log.
 * Each event has a rate: beyond LOG_BURST and then one a LOG_EVERY_MS its lines are swallowed,
 * counted, and the count is said with the next line of the event, or by log_flush(). Any bytes make
 * a legal line. Never does: take bodies, keys or tokens - callers do not hand them in. */
#ifndef ACTORS_RUNTIME_LOG_H
#define ACTORS_RUNTIME_LOG_H

#include <stdio.h>

#include "protocol/cursor.h" /* struct bytes */

#define LOG_BURST 20u
#define LOG_EVERY_MS 500
#define LOG_TEXT_BYTES_MAX 512u /* of a field; the rest is cut */
#define LOG_FIELDS_MAX 16u

enum log_level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG, LEVEL_COUNT };

/* clang-format off */
enum log_event {
#define LOG_EVENT(name, NAME, LEVEL, doc) EVENT_##NAME,
#include "protocol/log_events.def"
    LOG_EVENT_COUNT
};
/* clang-format on */

struct log_field {
    const char *name; /* NULL: no field */
    enum { LOG_FIELD_TEXT, LOG_FIELD_U64, LOG_FIELD_I64 } type;
    struct bytes text; /* data NULL: null */
    uint64_t u64;
    int64_t i64;
};

struct log_field log_text(const char *name, const char *text);
struct log_field log_bytes(const char *name, struct bytes text);
struct log_field log_u64(const char *name, uint64_t number);
struct log_field log_i64(const char *name, int64_t number);

/* log_event(EVENT_LISTENING, log_text("endpoint", endpoint), log_u64("backlog", 1024)); its fields
 * are borrowed for the call, and not put together for an event that is below the level. Without
 * fields: log_bare(). */
#define log_event(event, ...)                                                                      \
    (log_wants(event)                                                                              \
         ? log_write(event, (const struct log_field[]){__VA_ARGS__},                               \
                     sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))   \
         : (void)0)
#define log_bare(event) log_write(event, NULL, 0)
bool log_wants(enum log_event event); /* at the level that is set */
void log_write(enum log_event event, const struct log_field *fields, size_t count);

/* Who speaks; before other threads start. Without it: stderr, level info, no names.
 *
 * process, instance  copied
 * out                NULL: stderr */
void log_open(const char *process, const char *instance, FILE *out);

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
const char *log_level_name(enum log_level level);

/* error, warn, info, debug. returns false: no such level */
bool log_level_find(struct bytes name, enum log_level *ret);

/* Say what was swallowed since, of events whose rate allows it again; once a second. */
void log_flush(void);

/* Lines written and swallowed since the start, by level. Each LEVEL_COUNT long. */
void log_counts(uint64_t *ret_written, uint64_t *ret_swallowed);

#endif
