/* fact_tool - tools of your own, in C or C++, behind FACT: a plug-in for fact-tool-executor.
 *
 * A plug-in is a shared library with one function, fact_plugin(), that returns a table of tools.
 * Whatever it needs of the executor it is handed in a call, so it links nothing:
 *
 *   cc -shared -fPIC -o word_count.so word_count.c $(pkg-config --cflags fact)
 *   fact-tool-executor --plugin ./word_count.so
 *
 * The executor keeps to the tool's promises for it: arguments are checked by its schema before it
 * runs, its result by the other one before it is an answer; a call has a deadline; an answer is
 * cached as its row says. A fault in a table ends the executor at its start with one line that
 * names it. A plug-in is trusted code: it runs inside the executor, and if it crashes both are
 * gone, so serve it by an executor of its own. A complete one: docs/examples/word_count.c; more:
 * docs/tools.md. */
#ifndef FACT_TOOL_H
#define FACT_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of this header. An executor of another version refuses the plug-in: compile it anew. */
#define FACT_TOOL_ABI 1u

#if defined(__GNUC__)
#define FACT_TOOL_EXPORT __attribute__((visibility("default")))
#define FACT_TOOL_PRINTF __attribute__((format(printf, 3, 4)))
#else
#define FACT_TOOL_EXPORT
#define FACT_TOOL_PRINTF
#endif

/* Borrowed bytes, valid as long as the call: a text, UTF-8 and without a 0 at its end; or one value
 * in MessagePack. data NULL: there is none. */
struct fact_view {
    const char *data;
    size_t size;
};

/* One run of a tool, on one thread. */
struct fact_call {
    const struct fact_host *host; /* what the executor does for it */
    const struct fact_tool *tool; /* the row: one function may serve several */
    struct fact_view arguments;   /* a MessagePack map: what the schema allows, with its defaults */
    uint64_t number;              /* of the calls of this process, from 1 */
    void *thread_state;           /* what thread_start() made on this thread; NULL: none */
};

/* What a tool may do; for the thread and the time of its call. Nothing here blocks. */
struct fact_host {
    /* Arguments, by name. What is absent (only optional ones without default can be) or of another
     * type is data NULL, 0 or false; integer: also what is above 2^63 - 1. argument: any value. */
    struct fact_view (*text)(const struct fact_call *call, const char *name);
    int64_t (*integer)(const struct fact_call *call, const char *name);
    double (*number)(const struct fact_call *call, const char *name); /* of an integer too */
    bool (*boolean)(const struct fact_call *call, const char *name);
    struct fact_view (*argument)(const struct fact_call *call, const char *name);

    /* Inside a value: how many elements an array has, or a map of pairs, else 0; the element at an
     * index from 0, of a map keys and values in turn; the value of a key. data NULL: none. */
    size_t (*count)(struct fact_view container);
    struct fact_view (*element)(struct fact_view container, size_t index);
    struct fact_view (*find)(struct fact_view map, const char *key);

    /* Of one value. false: it is of another type, and *ret as it was. */
    bool (*read_text)(struct fact_view value, struct fact_view *ret);
    bool (*read_integer)(struct fact_view value, int64_t *ret);
    bool (*read_number)(struct fact_view value, double *ret);
    bool (*read_boolean)(struct fact_view value, bool *ret);

    /* Time. A call is cancelled when nobody wants its answer any more, or its deadline is over: the
     * duty of long work is to ask, every few milliseconds, and then to return: whatever a cancelled
     * call returns, it is no answer. A call that does not return is answered without it, and keeps
     * its thread from everybody.
     *
     * left_us  microseconds until the deadline; 0 or less: it is over. For timeouts of your own */
    bool (*cancelled)(const struct fact_call *call);
    int64_t (*left_us)(const struct fact_call *call);

    /* The result: one value, as the result schema says, written front to back. A map or an array is
     * announced with its number of pairs or elements, which follow: key, value, key, value ..; keys
     * are texts. What does not fit is noticed when the tool returns: the call fails (LIMIT).
     *
     * put_value  MessagePack as it stands: an argument, say
     * room       bytes that are left of 192 KiB; a text takes up to 5 more than it has */
    void (*put_map)(const struct fact_call *call, size_t pairs);
    void (*put_array)(const struct fact_call *call, size_t elements);
    void (*put_text)(const struct fact_call *call, struct fact_view text);
    void (*put_string)(const struct fact_call *call, const char *text); /* ends in 0 */
    void (*put_integer)(const struct fact_call *call, int64_t value);
    void (*put_number)(const struct fact_call *call, double value); /* not infinite, not NaN */
    void (*put_boolean)(const struct fact_call *call, bool value);
    void (*put_null)(const struct fact_call *call);
    void (*put_value)(const struct fact_call *call, struct fact_view value);
    size_t (*room)(const struct fact_call *call);

    /* About the result, for whoever caches it. All are optional.
     *
     * depends    on this: when that is invalidated, the answer is stale. db:<name>,
     *            t:<name>.<table>, or a name of your own. Once each; an answer with more than ten
     *            may not be cached, more than fit into 4,000 bytes are an error
     * as_of      what moment its data is of: Unix time, milliseconds. Otherwise: when the call came
     * truncated  a bound of yours cut something off */
    void (*depends)(const struct fact_call *call, const char *on);
    void (*as_of)(const struct fact_call *call, uint64_t unix_ms);
    void (*truncated)(const struct fact_call *call);

    /* Fail: return what it returns. The last call counts; what was written is dropped.
     *
     * code    1 to 64 of A-Z, 0-9 and _. These have a status of their own, all others are
     *         APP_ERROR: BAD_ARGUMENTS (BAD_REQUEST: what no schema can say; remembered for these
     *         arguments), UNAVAILABLE (CIRCUIT_OPEN: what it depends on is not there, and nothing
     *         was done), DEADLINE (DEADLINE_RUNNING). Of another form: TOOL_FAILED
     * format  as of printf: for people; up to 512 bytes are kept
     * returns false */
    bool (*fail)(const struct fact_call *call, const char *code, const char *format,
                 ...) FACT_TOOL_PRINTF;

    /* After fail(): the path of the argument at fault, such as rows/0/name; what would help. */
    void (*fail_field)(const struct fact_call *call, const char *path);
    void (*fail_hint)(const struct fact_call *call, const char *hint);
};

/* Run once; on several threads at the same time, if concurrency says so.
 *
 * returns  true: the result is written; false: fail() has said why not */
typedef bool fact_tool_run(const struct fact_call *call);

/* One tool. Its texts end in 0 and stay where they are. */
struct fact_tool {
    const char *name; /* Category_Action: ^[A-Z][A-Za-z0-9]*_[A-Za-z0-9_-]+$, at most 64 bytes, and
                         of no other tool of this executor */
    const char *version;     /* as in semver, 1.0.0; at most 32 bytes. Raise it with each change of
                                what it answers: what is cached is of one version */
    const char *description; /* for people and models; 1 to 4,096 bytes */
    const char *parameters;  /* JSON Schema, its type object; at most 16 KiB in MessagePack. What
                                is not named in it is refused unless additionalProperties allows it.
                                Which keywords there are: docs/tools.md */
    const char *result;      /* the same, of what it writes */
    uint32_t timeout_ms;     /* the longest run; 1 to 300,000 */
    const char *scope;       /* who may share an answer: public, tenant, user; NULL: tenant */
    bool cacheable;          /* its answers may be kept; only with read_only and idempotent */
    uint32_t ttl_ms;      /* how long they stay fresh, 1 to 86,400,000; not cacheable: no matter */
    bool read_only;       /* it changes nothing */
    bool idempotent;      /* twice does no harm: if an executor dies, another may do it again */
    uint32_t concurrency; /* calls that may run at once, 1 to 64; one thread is always left */
    const char *rights;   /* for people: read, web .. with commas; NULL: none */
    fact_tool_run *run;
};

struct fact_plugin {
    uint32_t abi; /* FACT_TOOL_ABI */
    uint32_t tool_count;
    const struct fact_tool *tools;

    /* On each thread of the executor, before its first call and after its last, for what a thread
     * has of its own: a connection, a parser. May be NULL. Return soon: no deadline is over them.
     *
     * index    of the thread, from 0
     * returns  thread_state of its calls */
    void *(*thread_start)(unsigned index);
    void (*thread_stop)(void *thread_state);
};

/* What a plug-in exports. Called once, at start; what it returns stays as it is.
 *
 * returns  NULL: it cannot work here, and the executor does not start */
FACT_TOOL_EXPORT const struct fact_plugin *fact_plugin(void);

#ifdef __cplusplus
}
#endif

#endif
