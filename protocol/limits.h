/* limits - every bound of the system, tied to each other by static asserts.
 *
 * What an operator may change is a row of options.def instead; its maximum stands here. */
#ifndef PROTOCOL_LIMITS_H
#define PROTOCOL_LIMITS_H

#include <stdint.h>

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)

/* The wire. */
#define HEADER_BYTES_MAX 1024u
#define HEADER_FIELDS_MAX 15u    /* elements of its array; a newer peer may send unknown ones */
#define EXTENSION_BYTES_MAX 768u /* leaves a foreign header room to be encoded our way */
#define METHOD_BYTES_MAX 64u
#define NAME_BYTES_MAX 64u /* tenant, user, instance */
#define ENDPOINT_BYTES_MAX 256u
#define BODY_HEAD_BYTES_MAX 5u   /* the marker and length of a bin 32 */
#define MESSAGE_BYTES_MAX 65536u /* a message of several pairs, and so a peer's out-buffer */
#define MESSAGE_PAIRS_MAX 256u
#define ALONE_BYTES_MIN 32768u        /* a body from here on travels alone, uncopied */
#define PAIR_BODY_BYTES_MAX 262144u   /* the body of a lone pair; more: CHUNKs */
#define FRAME_BYTES_MAX 266240u       /* above: libzmq cuts the peer off */
#define BODY_TOTAL_BYTES_MAX 8388608u /* a body in all its parts */
#define BODY_FIELDS_MAX 32u           /* fields of one row of messages.def */
#define BODY_NESTING_MAX 32u          /* containers inside each other, in any body */
#define DETAILS_BYTES_MAX 4096u       /* of a failure, for programs */
#define CONTROL_BYTES_MAX 20480u      /* a body without VALUE, LIST or large fields */
#define STRIKES_MAX 16u               /* faults of one peer within STRIKES_MS: DISCONNECT */
#define STRIKES_MS 10000

/* Who is there. */
#define BROKERS_MAX 16u
#define WORKERS_MAX 256u
#define VIEW_MEMBERS_MAX 256u
#define METHODS_MAX 256u        /* of one worker */
#define METHODS_KNOWN_MAX 1024u /* of all */
#define SESSIONS_MAX 16384u     /* peers of one broker that have greeted */
#define WORKER_CREDIT_MAX 1024u /* requests one worker may hold */

/* Keys. */
#define ALLOWED_MAX 1024u             /* keys of one allow list ... */
#define ALLOW_LIST_BYTES_MAX 1048576u /* ... and its text */
#define ALLOW_LINE_BYTES_MAX 1023u    /* of one key */
#define CURVE_SERVER_KEYS_MAX 4u      /* that a client tries one after the other */
#define HANDSHAKES_PER_TURN_MAX 64u   /* that a process judges before it goes on with its work */

/* The broker. */
#define SLOTS_MAX 32768u          /* requests in flight */
#define QUEUE_DEPTH_MAX 10000u    /* of them waiting for one role */
#define QUEUE_BYTES_MAX 67108864u /* their bytes */
#define TENANTS_APART_MAX 4096u   /* of them with a queue of their own in each class of a role; */
#define TENANTS_SHARED 64u        /* more share these ... */
#define TENANTS_DEALT 8u          /* ... of which each has so many */
#define TENANT_WEIGHT_MAX 100u    /* requests of one tenant's turn ... */
#define TENANT_WEIGHTS_MAX 256u   /* ... and tenants that have another than 1 */
#define DEATHS_MAX 3u             /* workers that may be lost with one request */
#define DEAD_LETTERS_MAX 256u     /* requests kept that no worker survived ... */
#define DEAD_LETTERS_BYTES_MAX 16777216u /* ... and their bytes */
#define DEAD_NAMES_MAX 1024u             /* workers lost whose names are known */
#define ATTEMPTS_MAX 2u                  /* STARTED more often, it is not redelivered */
#define TICK_MS 1                        /* grain of the broker's timers */
#define BACKEND_BURST_MAX 1024u          /* pairs one turn takes in from workers ... */
#define FRONTEND_BURST_MAX 512u    /* ... and from clients: finishing comes before admitting */
#define FRONTEND_US_MAX 500        /* ... for at most so long */
#define EVENTS_RING 65536u         /* events that can be asked for again ... */
#define EVENTS_BYTES_MAX 16777216u /* ... and their bytes */
#define KEPT_BYTES_MAX 268435456u  /* bytes of all requests in flight */
#define CLIENT_CREDIT_MAX 16384u   /* requests one client may have without an answer */
#define OUTBOX_BUFFERS 256u        /* peers for whom something gathers in one turn */
#define RELAYS_MAX 256u            /* questions that are at an instance */
#define QUERIES_PER_TURN_MAX 16u   /* that the broker answers; they are dear */
#define CHUNK_MAX 16u              /* requests one worker gets before the next is chosen ... */
#define CHUNK_US 100               /* ... and their work in all */
#define HEDGES_PER_THOUSAND 20u    /* requests that ask for it are asked twice at most ... */
#define HEDGES_SAVED_MAX 10u       /* ... and so many at once after a while without */
#define DEADLINE_MS_MAX 300000u    /* what a longer one is cut to */
#define FOLLOWERS_MAX 1024u        /* requests that share the execution of one */
#define ORDER_LINE_MAX 256u        /* requests of one key in order, with the one whose turn it is */

/* Replies that are held for clients. */
#define KEPT_REPLIES_MAX 16384u         /* of all ... */
#define KEPT_REPLY_BYTES_MAX 268435456u /* ... and their bytes ... */
#define KEEPER_REPLIES_MAX 1024u        /* ... of one ... */
#define KEEPER_BYTES_MAX 4194304u       /* ... and their bytes ... */
#define KEPT_MS 30000                   /* ... and for so long */

/* The client library. */
#define CALLS_MAX ASKS_MAX                /* calls of one handle without an end */
#define CALLS_BYTES_MAX 67108864u         /* what is kept of them, to be sent again */
#define CALLS_WAITING_BYTES_MAX 16777216u /* of those that wait for a connection or for credit */

/* Everybody's loop. */
#define ASKS_MAX 4096u               /* questions of one process without an answer */
#define PEERS_MAX 1024u              /* that one process lets in (cache_partition) */
#define REQUESTS_HELD_MAX 8192u      /* requests that one process has taken and not answered */
#define ANSWERED_MAX 65536u          /* answers remembered by their idempotency keys ... */
#define ANSWERED_BYTES_MAX 67108864u /* ... and their bodies ... */
#define ANSWERED_MS 300000           /* ... and for so long */
#define LINK_BURST_MAX 64u           /* messages one turn takes in from one link */
#define INVALIDATIONS_MAX 256u       /* batches of tags that wait until every broker has them */
#define JOBS_MAX 1024u               /* that wait for a thread, or run */
#define JOB_THREADS_MAX 64u

/* The cache. */
#define CACHE_SLOTS 16384u
#define NAMESPACES_MAX 64u /* counted apart by one partition; the others together */
#define KEY_BYTES_MAX 256u
#define KEY_PREFIXES_MAX 6u /* tags of an entry: its key's first parts that end in a colon */
#define NAMESPACE_BYTES_MAX 50u
#define VALUE_BYTES_MAX (PAIR_BODY_BYTES_MAX - 4096u) /* until CHUNKs: what one reply carries */
#define TTL_MS_MAX (24ull * 3600 * 1000)
#define TAGS_MAX 12u                                      /* declared by an entry */
#define ENTRY_TAGS_MAX (TAGS_MAX + KEY_PREFIXES_MAX + 2u) /* and its key, and its namespace */
#define TAGS_BATCH_MAX 64u                                /* of one INVALIDATE */
#define MGET_KEYS_MAX 64u
#define LEASES_MAX 32768u /* out at once, of one partition */
#define PARKED_PER_KEY_MAX 64u
#define PARKED_MAX 8192u
#define AFTER_MAX 8u          /* pairs of a session token */
#define AFTER_PARKED_MAX 256u /* that wait until a partition covers their token */
#define STAMPS_MAX 262144u
#define ORIGINS_MAX 256u

/* Tools and answers. */
#define ARGUMENTS_MAX 50u
#define ARGUMENT_TEXT_MAX 10000u /* code points of a text */
#define ARGUMENT_ITEMS_MAX 1000u /* of an array */
#define ARGUMENT_PROPERTIES_MAX 100u
#define ARGUMENT_NESTING_MAX 10u
#define ARGUMENTS_BYTES_MAX 204800u
#define DEFINITION_NESTING_MAX 32u
#define CANONICAL_PAIRS_MAX 1024u   /* of all maps that are open at once, defaults among them */
#define CANONICAL_BYTES_MAX 262144u /* canonical arguments, with defaults */
#define PATTERN_BYTES_MAX 256u
#define PATTERN_STEPS_MAX 256u  /* of its program; repeats are written out */
#define PATTERN_RANGES_MAX 128u /* of characters, in all its classes */
#define PATTERN_NESTING_MAX 16u /* groups in groups */
#define ENUM_VALUES_MAX 1000u
#define FAULT_PATH_BYTES_MAX 256u /* with its 0; so is the reason */
#define FAULT_REASON_BYTES_MAX 256u
#define QUESTION_CHARACTERS_MAX 10000u
#define QUESTION_BYTES_MAX (4u * QUESTION_CHARACTERS_MAX)
#define RESULT_BYTES_MAX 196608u /* a tool's data: one reply carries it and the rest */
#define TOOL_ERRORS_MAX 32u      /* that a tool executor remembers */
#define TOOLS_MAX 64u            /* of one tool executor, built in and of its plug-ins */
#define TOOL_VERSION_BYTES_MAX 32u
#define PLUGINS_MAX 16u /* of one tool executor */
#define TOOL_DESCRIPTION_BYTES_MAX 4096u
#define TOOL_SCHEMA_BYTES_MAX 16384u       /* of parameters or result, as MessagePack */
#define TOOL_DEFINITIONS_BYTES_MAX 196608u /* of all together: one reply carries them */
#define SOURCES_MAX 32u
#define FLOWS_MAX 1024u           /* requests one driver works on */
#define FLOWS_BYTES_MAX 67108864u /* what it holds for all of them */

/* Language models. */
#define MODEL_NAME_BYTES_MAX 128u
#define MODEL_SYSTEM_BYTES_MAX 16384u
#define MODEL_TOOLS_MAX 128u                 /* that one is offered ... */
#define MODEL_TOOLS_BYTES_MAX 49152u         /* ... and their descriptions and schemas */
#define MODEL_MESSAGES_MAX 64u               /* of a conversation ... */
#define MODEL_CONVERSATION_BYTES_MAX 163840u /* ... and their bytes */
#define MODEL_TEXT_BYTES_MAX 65536u
#define MODEL_CALLS_MAX 16u    /* that one turn may ask for ... */
#define MODEL_CALLS_RUN_MAX 6u /* ... of them run; the others come back to it as errors */
#define MODEL_CALL_ID_BYTES_MAX 128u
#define MODEL_ARGUMENTS_BYTES_MAX 32768u
#define MODEL_RESULT_BYTES_MAX 32768u /* a tool's data; more comes back to it as an error */
#define MODEL_NESTING_MAX 16u         /* containers inside each other, in either */
#define MODEL_ROUNDS_MAX 5u           /* of calls, for one question */
#define MODEL_TOKENS_MAX 65536u       /* that one turn may write */

/* What comes over HTTP. */
#define SSE_EVENT_BYTES_MAX 1048576u /* an event of a stream, with the line that has not ended */
#define MCP_NESTING_MAX 32u          /* containers inside each other, in a message of MCP */

/* The gateway. */
#define HTTP_TRANSFERS_MAX 1152u     /* at once: WORKER_CREDIT_MAX, and some of its own */
#define HTTP_HOST_CONNECTIONS_MAX 8u /* to one host */
#define HTTP_CONNECTIONS_MAX 64u     /* to all; of them for foreign addresses, and for polls: */
#define HTTP_FOREIGN_CONNECTIONS_MAX 16u
#define HTTP_POLL_CONNECTIONS_MAX 8u
#define HTTP_HOST_STREAMS_MAX 100u /* exchanges with one host that share a connection */
#define HTTP_CONNECT_MS 2000       /* for a connection, TLS and all */
#define HTTP_IDLE_S 60             /* a connection is kept so long */
#define HTTP_REDIRECTS_MAX 5u      /* followed, of one URL of a caller's */
#define NETWORKS_MAX 32u           /* of an allow list */
#define NETWORK_BYTES_MAX 64u      /* of one, as a text with its 0 */
#define PORTS_MAX 32u              /* that a caller's URL may have */

_Static_assert(WORKER_CREDIT_MAX < HTTP_TRANSFERS_MAX, "what a gateway holds it can send");
_Static_assert(HEADER_BYTES_MAX + BODY_HEAD_BYTES_MAX + ALONE_BYTES_MIN <= MESSAGE_BYTES_MAX,
               "what does not travel alone fits an empty buffer");
_Static_assert(HEADER_BYTES_MAX + BODY_HEAD_BYTES_MAX + PAIR_BODY_BYTES_MAX <= FRAME_BYTES_MAX,
               "the largest lone pair passes libzmq");
_Static_assert(EVENTS_BYTES_MAX >= 64 * MESSAGE_BYTES_MAX,
               "the ring holds many of the largest events");
_Static_assert(3 * QUEUE_DEPTH_MAX <= SLOTS_MAX, "what waits has a slot");
_Static_assert(FRONTEND_BURST_MAX + MESSAGE_PAIRS_MAX <= QUEUE_DEPTH_MAX,
               "one turn cannot fill a queue, though it finishes the message it has begun");
_Static_assert(SLOTS_MAX <= LEASES_MAX, "whatever one broker has in flight may hold a lease");
_Static_assert(RESULT_BYTES_MAX + 32768u <= VALUE_BYTES_MAX, "an answer with its result is stored");
_Static_assert(ARGUMENTS_MAX + (ARGUMENT_NESTING_MAX - 1) * ARGUMENT_PROPERTIES_MAX <=
                   CANONICAL_PAIRS_MAX,
               "what may be sent is put in order");
_Static_assert(REQUESTS_HELD_MAX < ANSWERED_MAX, "what runs leaves room for what is answered");
_Static_assert(DEADLINE_MS_MAX <= ANSWERED_MS, "who may still ask again is known again");
_Static_assert(DEFINITION_NESTING_MAX <= BODY_NESTING_MAX, "a definition fits a body");
_Static_assert(TOOLS_MAX <= METHODS_MAX && TOOLS_MAX * 192u + 4096u <= CONTROL_BYTES_MAX,
               "READY names every tool of an executor");
_Static_assert(TOOL_DEFINITIONS_BYTES_MAX + 64u <= PAIR_BODY_BYTES_MAX, "so does a reply");
_Static_assert(ARGUMENTS_BYTES_MAX + 8192u <= PAIR_BODY_BYTES_MAX,
               "a call with its arguments fits");
_Static_assert(MODEL_SYSTEM_BYTES_MAX + MODEL_TOOLS_BYTES_MAX + MODEL_CONVERSATION_BYTES_MAX +
                       16384u <=
                   PAIR_BODY_BYTES_MAX,
               "a turn of a model is one request");
_Static_assert(SOURCES_MAX >= MODEL_ROUNDS_MAX * MODEL_CALLS_RUN_MAX, "each of its calls is one");
_Static_assert(2 * MODEL_ROUNDS_MAX + 1 < MODEL_MESSAGES_MAX, "earlier turns have room, too");

#endif
