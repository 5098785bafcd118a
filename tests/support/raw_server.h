/* raw_server - an HTTP server on loopback that says exactly what a test wants it to, byte by byte.
 *
 * A thread a connection reads one request after another and has the test's own function answer it.
 * What came is kept for the test to look at. Bounds: RAW_REQUESTS_MAX requests, RAW_SOCKETS_MAX
 * connections, in all; a head and a body of RAW_BYTES_MAX together. */
#ifndef TESTS_SUPPORT_RAW_SERVER_H
#define TESTS_SUPPORT_RAW_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAW_REQUESTS_MAX 256u
#define RAW_SOCKETS_MAX 256u
#define RAW_BYTES_MAX 16384u

struct raw_server;

/* Answer the request that text holds, head and body, with raw_say() and the like; on a thread of
 * the connection.
 *
 * number   of the request among those that came over this connection, from 0
 * returns  false: close the connection */
typedef bool raw_answer(struct raw_server *self, int socket, const char *text, unsigned number);

/* Listen at 127.0.0.1, at a free port. */
struct raw_server *raw_server_new(raw_answer *answer);
/* ... or at another address, 0: at all of them. ip: in the host's order of bytes. */
struct raw_server *raw_server_new_at(raw_answer *answer, uint32_t ip);
void raw_server_destroy(struct raw_server **self); /* ends all connections, joins all threads */

uint16_t raw_server_port(const struct raw_server *self);
unsigned raw_server_connections(struct raw_server *self); /* so far */
unsigned raw_server_open(struct raw_server *self);        /* now */
unsigned raw_server_peak(struct raw_server *self);        /* most at once */
unsigned raw_server_requests(struct raw_server *self);    /* so far */

/* The text of the n-th request that came, from 0; asserts that it is there. */
const char *raw_server_request(struct raw_server *self, unsigned n);

/* For answers. */
void raw_say(int socket, const char *text);
void raw_say_bytes(int socket, const void *data, size_t size);

/* 200, with this body and its length; extra: more header lines, each with its end. */
void raw_say_ok(int socket, const char *extra, const char *body);

/* Wait until raw_server_open_gate(), or until the other side or the server ends: then false. */
bool raw_wait(struct raw_server *self, int socket);
void raw_server_open_gate(struct raw_server *self);

#endif
