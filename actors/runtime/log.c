/* log - see log.h.
 *
 * A line is put together in a buffer on the stack and written at once, so lines of two threads do
 * not mix. The lock covers the rates, the counts and the write: stderr is one. */
#include "actors/runtime/log.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "protocol/limits.h"
#include "protocol/value.h"

#define NAME_BYTES 96u
#define LINE_BYTES (1024u + LOG_FIELDS_MAX * 6u * LOG_TEXT_BYTES_MAX) /* a byte: at most \u00xx */

struct event_row {
    const char *name;
    enum log_level level;
};

/* clang-format off */
static const struct event_row events[LOG_EVENT_COUNT] = {
#define LOG_EVENT(name, NAME, LEVEL, doc) {#name, LEVEL_##LEVEL},
#include "protocol/log_events.def"
};
/* clang-format on */

static const char *const level_names[] = {
    [LEVEL_ERROR] = "error", [LEVEL_WARN] = "warn", [LEVEL_INFO] = "info", [LEVEL_DEBUG] = "debug"};

/* A bucket of lines that an event may still write. */
struct rate {
    unsigned tokens;
    int64_t filled_at;
    uint64_t swallowed; /* and not said yet */
};

static struct {
    pthread_mutex_t lock;
    _Atomic int level;
    FILE *out;
    char process[NAME_BYTES], instance[NAME_BYTES];
    struct rate rates[LOG_EVENT_COUNT];
    uint64_t written[LEVEL_COUNT], swallowed[LEVEL_COUNT];
} log_state = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LEVEL_INFO};

struct line {
    size_t size;
    char data[LINE_BYTES];
};

static void add(struct line *self, const char *text, size_t size)
{
    assert(size <=
           LINE_BYTES - self->size); /* LINE_BYTES is room for all fields at their longest */
    memcpy(self->data + self->size, text, size);
    self->size += size;
}

static void add_cstr(struct line *self, const char *text)
{
    add(self, text, strlen(text));
}

static size_t utf8_sequence(struct bytes text)
{
    unsigned char first = (unsigned char)text.data[0];
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    bool good = size <= text.size && cursor_is_utf8((struct bytes){text.data, size});
    return good ? size : 0;
}

/* Text between quotes. What is no UTF-8 stands as U+FFFD, control characters as \u00xx. */
static void add_text(struct line *self, struct bytes text)
{
    char escaped[8];
    if (text.data == NULL) {
        add_cstr(self, "null");
        return;
    }
    if (text.size > LOG_TEXT_BYTES_MAX)
        text.size = LOG_TEXT_BYTES_MAX;
    add_cstr(self, "\"");
    while (text.size > 0) {
        size_t size = utf8_sequence(text);
        unsigned char first = (unsigned char)text.data[0];
        if (size == 0) {
            add_cstr(self, "\\ufffd");
            size = 1;
        } else if (first == '"' || first == '\\' || first < 0x20 || first == 0x7f) {
            (void)snprintf(escaped, sizeof escaped, "\\u%04x", first);
            add_cstr(self, escaped);
        } else {
            add(self, text.data, size);
        }
        text.data += size;
        text.size -= size;
    }
    add_cstr(self, "\"");
}

static void add_name(struct line *self, const char *name)
{
    add_cstr(self, self->size > 1 ? ",\"" : "\"");
    add_cstr(self, name);
    add_cstr(self, "\":");
}

static void add_field(struct line *self, struct log_field field)
{
    char number[24];
    add_name(self, field.name);
    if (field.type == LOG_FIELD_TEXT)
        add_text(self, field.text);
    else if (field.type == LOG_FIELD_U64)
        (void)snprintf(number, sizeof number, "%" PRIu64, field.u64);
    else
        (void)snprintf(number, sizeof number, "%" PRId64, field.i64);
    if (field.type != LOG_FIELD_TEXT)
        add_cstr(self, number);
}

static void add_time(struct line *self)
{
    char date[32], text[48];
    struct timespec now;
    struct tm utc;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text, sizeof text, "%s.%03ldZ", date, now.tv_nsec / 1000000);
    add_name(self, "ts");
    add_text(self, bytes_of(text));
}

/* Put one line together and write it; the lock is held. */
static void write_line(enum log_event event, const struct log_field *fields, size_t count,
                       uint64_t swallowed)
{
    struct line line;
    FILE *out = log_state.out != NULL ? log_state.out : stderr;
    line.size = 0;
    add_cstr(&line, "{");
    add_time(&line);
    add_field(&line, log_text("level", level_names[events[event].level]));
    add_field(&line, log_text("process", log_state.process));
    add_field(&line, log_text("instance", log_state.instance));
    add_field(&line, log_text("event", events[event].name));
    for (size_t i = 0; i < count; i++)
        add_field(&line, fields[i]);
    if (swallowed > 0)
        add_field(&line, log_u64("swallowed", swallowed));
    add_cstr(&line, "}\n");
    (void)fwrite(line.data, 1, line.size, out); /* nobody could be told that it failed */
    (void)fflush(out);
    log_state.written[events[event].level]++;
}

static int64_t monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

/* Take a token of this event, if there is one. */
static bool rate_take(struct rate *self, int64_t now_at)
{
    int64_t filled = (now_at - self->filled_at) / (LOG_EVERY_MS * US_PER_MS);
    if (self->filled_at == 0 || filled >= (int64_t)(LOG_BURST - self->tokens)) {
        self->tokens = LOG_BURST;
        self->filled_at = now_at;
    } else {
        self->tokens += (unsigned)filled;
        self->filled_at += filled * LOG_EVERY_MS * US_PER_MS;
    }
    if (self->tokens == 0)
        return false;
    self->tokens--;
    return true;
}

struct log_field log_text(const char *name, const char *text)
{
    return log_bytes(name, bytes_of(text));
}

struct log_field log_bytes(const char *name, struct bytes text)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_TEXT, .text = text};
}

struct log_field log_u64(const char *name, uint64_t number)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_U64, .u64 = number};
}

struct log_field log_i64(const char *name, int64_t number)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_I64, .i64 = number};
}

bool log_wants(enum log_event event)
{
    assert(event < LOG_EVENT_COUNT);
    return (int)events[event].level <= log_state.level;
}

void log_write(enum log_event event, const struct log_field *fields, size_t count)
{
    assert(count <= LOG_FIELDS_MAX);
    if (!log_wants(event))
        return;
    pthread_mutex_lock(&log_state.lock);
    struct rate *rate = &log_state.rates[event];
    if (rate_take(rate, monotonic_us())) {
        write_line(event, fields, count, rate->swallowed);
        rate->swallowed = 0;
    } else {
        rate->swallowed++;
        log_state.swallowed[events[event].level]++;
    }
    pthread_mutex_unlock(&log_state.lock);
}

void log_open(const char *process, const char *instance, FILE *out)
{
    pthread_mutex_lock(&log_state.lock);
    (void)snprintf(log_state.process, NAME_BYTES, "%s", process);
    (void)snprintf(log_state.instance, NAME_BYTES, "%s", instance);
    log_state.out = out;
    pthread_mutex_unlock(&log_state.lock);
}

void log_set_level(enum log_level level)
{
    assert(level < LEVEL_COUNT);
    log_state.level = level;
}

enum log_level log_get_level(void)
{
    return (enum log_level)log_state.level;
}

const char *log_level_name(enum log_level level)
{
    assert(level < LEVEL_COUNT);
    return level_names[level];
}

bool log_level_find(struct bytes name, enum log_level *ret)
{
    for (int level = 0; level < LEVEL_COUNT; level++) {
        if (!bytes_are(name, level_names[level]))
            continue;
        *ret = (enum log_level)level;
        return true;
    }
    return false;
}

void log_flush(void)
{
    int64_t now_at = monotonic_us();
    pthread_mutex_lock(&log_state.lock);
    for (int event = 0; event < LOG_EVENT_COUNT; event++) {
        struct rate *rate = &log_state.rates[event];
        if (rate->swallowed == 0 || !rate_take(rate, now_at))
            continue;
        write_line((enum log_event)event, NULL, 0, rate->swallowed);
        rate->swallowed = 0;
    }
    pthread_mutex_unlock(&log_state.lock);
}

void log_counts(uint64_t *ret_written, uint64_t *ret_swallowed)
{
    pthread_mutex_lock(&log_state.lock);
    memcpy(ret_written, log_state.written, sizeof log_state.written);
    memcpy(ret_swallowed, log_state.swallowed, sizeof log_state.swallowed);
    pthread_mutex_unlock(&log_state.lock);
}
