/* test_http_curl - the connector against real sockets on loopback: what goes out, what comes, how
 * it ends, and that nothing which hangs keeps the loop. */
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actors/arcade_gateway/http_curl.h"
#include "protocol/limits.h"
#include "tests/support/raw_server.h"
#include "tests/support/suite.h"

#define WAIT_US (20 * US_PER_S) /* for what should come soon, on a busy machine */
#define TURN_MS 20
#define ENDS_MAX 128u
#define STUCK_S 15 /* how long a name that hangs is looked up */

static struct raw_server *server, *other;
static struct http *http;
static uint32_t open_peak;      /* connections, after any turn */
static int64_t longest_turn_us; /* of all calls of the connector */

/* An end, copied. */
struct ended {
    uint64_t exchange;
    enum http_end end;
    bool sent, was_cut, was_idle;
    unsigned status;
    size_t header_count, body_size;
    char body[4096], url[HTTP_URL_BYTES_MAX], reason[HTTP_REASON_BYTES], own[64];
};
static struct ended ends[ENDS_MAX];
static size_t end_count;
static char pieces[4096]; /* of what streams, with a | behind each */

static int64_t clock_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

/* Names that only these tests have. hangs.test is looked up for ever, nearly; both.test is at two
 * addresses, of which one is not to be reached. */

static struct addrinfo *address_of(uint32_t ip, const char *port)
{
    struct addrinfo *info = calloc(1, sizeof *info + sizeof(struct sockaddr_in));
    ck_assert_ptr_nonnull(info);
    struct sockaddr_in *address = (struct sockaddr_in *)(void *)(info + 1);
    *address = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(ip),
                                    .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    *info = (struct addrinfo){.ai_family = AF_INET,
                              .ai_socktype = SOCK_STREAM,
                              .ai_addrlen = sizeof *address,
                              .ai_addr = (struct sockaddr *)address};
    return info;
}

int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    const char *port = service != NULL ? service : "0";
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (name != NULL && strcmp(name, "hangs.test") == 0) {
        sleep(STUCK_S);
        return EAI_AGAIN;
    }
    if (name != NULL && strcmp(name, "both.test") == 0) {
        *ret = address_of(INADDR_LOOPBACK + 1, port);
        (*ret)->ai_next = address_of(INADDR_LOOPBACK, port);
        return 0;
    }
    return real(name, service, hints, ret);
}

/* Servers. */

static void say_moved(int socket, unsigned status, const char *location)
{
    char text[512];
    snprintf(text, sizeof text, "HTTP/1.1 %u Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
             status, location);
    raw_say(socket, text);
}

/* /moved-<status>-other, -denied, -closed, -gone, -self */
static void say_where(struct raw_server *self, int socket, const char *path)
{
    char location[128];
    unsigned status = (unsigned)strtoul(path, NULL, 10);
    const char *where = path + 4;
    if (strncmp(where, "other", 5) == 0)
        snprintf(location, sizeof location, "http://127.0.0.1:%u/there", raw_server_port(other));
    else if (strncmp(where, "denied", 6) == 0)
        snprintf(location, sizeof location, "http://127.0.0.2:%u/there", raw_server_port(self));
    else if (strncmp(where, "closed", 6) == 0)
        snprintf(location, sizeof location, "http://127.0.0.1:1/");
    else
        snprintf(location, sizeof location, "/there");
    say_moved(socket, status, location);
}

/* Bits of a deflate stream; codes go out with their highest bit first. */
static void put_code(unsigned char *out, size_t *bits, unsigned code, unsigned width)
{
    for (unsigned i = width; i-- > 0; (*bits)++)
        out[*bits / 8] |= (unsigned char)((code >> i & 1) << *bits % 8);
}

/* 8 MiB in 16 KiB: one letter, and again and again 258 bytes like it. source: RFC 1951, 3.2.6 */
static void say_bomb(int socket)
{
    static unsigned char packed[65536] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    char head[128];
    size_t bits = 80;
    memset(packed + 10, 0, sizeof packed - 10);
    put_code(packed, &bits, 6, 3); /* the last block, with fixed codes */
    put_code(packed, &bits, 0x30 + 'x', 8);
    for (int i = 0; i < (8 << 20) / 258; i++) {
        put_code(packed, &bits, 0xc5, 8); /* a length of 258 ... */
        put_code(packed, &bits, 0, 5);    /* ... at a distance of 1 */
    }
    size_t size = bits / 8 + 1;
    snprintf(head, sizeof head,
             "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", size);
    raw_say(socket, head);
    raw_say_bytes(socket, packed, size);
}

static bool say_fields(int socket)
{
    char line[608];
    raw_say(socket, "HTTP/1.1 200 OK\r\n");
    snprintf(line, sizeof line, "X-Long: %0590d\r\n", 0); /* about 600 bytes */
    for (int i = 0; i < 80; i++)
        raw_say(socket, line);
    raw_say(socket, "Content-Length: 0\r\n\r\n");
    return false;
}

static bool say_pieces(struct raw_server *self, int socket)
{
    raw_say(socket, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\none");
    if (raw_wait(self, socket))
        raw_say(socket, "two");
    return false;
}

static bool answer(struct raw_server *self, int socket, const char *text, unsigned number)
{
    const char *path = strchr(text, ' ') + 1;
    if (strncmp(path, "/held", 5) == 0 && !raw_wait(self, socket))
        return false;
    if (strncmp(path, "/dies", 5) == 0 && number > 0)
        return false; /* the connection had been kept, and ends after the request */
    if (strncmp(path, "/moved-", 7) == 0)
        say_where(self, socket, path + 7);
    else if (strncmp(path, "/bomb", 5) == 0)
        say_bomb(socket);
    else if (strncmp(path, "/fields", 7) == 0)
        return say_fields(socket);
    else if (strncmp(path, "/pieces", 7) == 0)
        return say_pieces(self, socket);
    else if (strncmp(path, "/half", 5) == 0)
        raw_say(socket, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    else if (strncmp(path, "/twice", 6) == 0)
        raw_say(socket, "HTTP/1.1 100 Continue\r\nX-Own: no\r\n\r\n"
                        "HTTP/1.1 200 OK\r\nx-OWN: \t yes \r\nContent-Length: 2\r\n\r\nok");
    else if (strncmp(path, "/odd", 4) == 0)
        raw_say(socket, "HTTP/1.1 200 OK\r\n: none\r\nX-Empty:\r\nX-Own: a: b\r\n"
                        "Content-Length: 0\r\n\r\n");
    else
        raw_say_ok(socket, "X-Own: yes\r\n", "ok");
    return strncmp(path, "/half", 5) != 0;
}

/* The loop. */

static void note(const struct http_response *came)
{
    ck_assert_uint_lt(end_count, ENDS_MAX);
    struct ended *own = &ends[end_count++];
    const char *value = http_header_find(came, "X-Own");
    *own = (struct ended){.exchange = came->exchange,
                          .end = came->end,
                          .sent = came->sent,
                          .was_cut = came->was_cut,
                          .was_idle = came->was_idle,
                          .status = came->status,
                          .header_count = came->header_count,
                          .body_size = came->body.size};
    snprintf(own->body, sizeof own->body, "%.*s", (int)came->body.size,
             came->body.size > 0 ? came->body.data : "");
    snprintf(own->url, sizeof own->url, "%s", came->url);
    snprintf(own->reason, sizeof own->reason, "%s", came->reason);
    snprintf(own->own, sizeof own->own, "%s", value != NULL ? value : "");
}

static void measure(int64_t begun_at)
{
    int64_t taken_us = clock_us() - begun_at;
    longest_turn_us = taken_us > longest_turn_us ? taken_us : longest_turn_us;
}

static void turn(void)
{
    struct http_response came;
    struct http_usage usage;
    struct pollfd item = {.fd = http->descriptor(http), .events = POLLIN};
    int64_t left_us = http->due_at(http) - clock_us();
    int left_ms = left_us <= 0                    ? 0
                  : left_us > TURN_MS * US_PER_MS ? TURN_MS
                                                  : (int)(left_us / 1000) + 1;
    (void)poll(&item, 1, left_ms);
    int64_t begun_at = clock_us();
    http->process(http, begun_at);
    for (enum http_news news = http->next(http, &came); news != HTTP_NOTHING;
         news = http->next(http, &came)) {
        if (news == HTTP_ENDED)
            note(&came);
        else
            snprintf(pieces + strlen(pieces), sizeof pieces - strlen(pieces), "%.*s|",
                     (int)came.body.size, came.body.data);
    }
    measure(begun_at);
    http->usage(http, &usage);
    uint32_t open = usage.open[0] + usage.open[1] + usage.open[2];
    open_peak = open > open_peak ? open : open_peak;
}

static const struct ended *wait_end(uint64_t exchange)
{
    int64_t until_at = clock_us() + WAIT_US;
    for (;;) {
        for (size_t i = 0; i < end_count; i++)
            if (ends[i].exchange == exchange)
                return &ends[i];
        ck_assert_msg(clock_us() < until_at, "it did not end");
        turn();
    }
}

static void turn_until_requests(unsigned count)
{
    int64_t until_at = clock_us() + WAIT_US;
    while (raw_server_requests(server) < count) {
        ck_assert_msg(clock_us() < until_at, "no more requests came");
        turn();
    }
}

static void turn_until_ended(size_t count)
{
    int64_t until_at = clock_us() + WAIT_US;
    while (end_count < count) {
        ck_assert_msg(clock_us() < until_at, "%zu ended", end_count);
        turn();
    }
}

static struct http_request request_to(const char *host, const struct raw_server *to,
                                      const char *path)
{
    static char urls[8][256];
    static unsigned next;
    char *url = urls[next++ % 8];
    snprintf(url, sizeof urls[0], "http://%s:%u%s", host, raw_server_port(to), path);
    return (struct http_request){.url = url, .deadline_at = clock_us() + WAIT_US};
}

static uint64_t start(const struct http_request *request)
{
    char reason[HTTP_REASON_BYTES] = "";
    int64_t begun_at = clock_us();
    uint64_t number = http->start(http, request, reason);
    measure(begun_at);
    ck_assert_msg(number != 0, "%s", reason);
    return number;
}

static const struct ended *run(const struct http_request *request)
{
    return wait_end(start(request));
}

static const struct ended *get(const char *path)
{
    struct http_request request = request_to("127.0.0.1", server, path);
    return run(&request);
}

static struct http_request foreign(const char *path)
{
    struct http_request request = request_to("127.0.0.1", server, path);
    request.is_foreign = true;
    request.redirects_max = HTTP_REDIRECTS_MAX;
    return request;
}

static void open_http(const char *proxy, const char *allow)
{
    char ports[32], reason[HTTP_REASON_BYTES] = "";
    snprintf(ports, sizeof ports, "%u %u 1", raw_server_port(server), raw_server_port(other));
    http = http_curl_new(&(struct http_curl_options){.ca_file = "",
                                                     .proxy = proxy,
                                                     .web_allow = allow,
                                                     .web_ports = ports,
                                                     .user_agent = "fact/test"},
                         reason);
    ck_assert_msg(http != NULL, "%s", reason);
    end_count = 0; /* its numbers begin anew */
}

static void setup(void)
{
    server = raw_server_new(answer);
    other = raw_server_new(answer);
    pieces[0] = '\0';
    longest_turn_us = 0;
    open_peak = 0;
    open_http("", "127.0.0.1");
}

static void teardown(void)
{
    if (http != NULL)
        http->destroy(&http);
    raw_server_destroy(&server);
    raw_server_destroy(&other);
}

/* What goes out and comes back. */

START_TEST(an_answer_comes_whole)
{
    const struct ended *came = get("/");
    ck_assert_int_eq(came->end, HTTP_ANSWERED);
    ck_assert(came->sent);
    ck_assert_uint_eq(came->status, 200);
    ck_assert_str_eq(came->body, "ok");
    ck_assert_str_eq(came->own, "yes");
    ck_assert_uint_eq(came->header_count, 2);
    ck_assert_ptr_nonnull(strstr(raw_server_request(server, 0), "User-Agent: fact/test\r\n"));
}
END_TEST

START_TEST(a_body_and_headers_go_out_as_they_are)
{
    static const struct {
        enum http_method method;
        const char *line;
    } rows[] = {{HTTP_POST, "POST / HTTP/1.1\r\n"},
                {HTTP_PUT, "PUT / HTTP/1.1\r\n"},
                {HTTP_DELETE, "DELETE / HTTP/1.1\r\n"}};
    for (unsigned i = 0; i < 3; i++) {
        struct http_request request = request_to("127.0.0.1", server, "/");
        request.method = rows[i].method;
        request.body = bytes_of("{\"a\":1}");
        request.headers[0] = (struct http_header){"X-Mine", "me"};
        request.headers[1] = (struct http_header){"X-None", ""};
        request.header_count = 2;
        ck_assert_int_eq(run(&request)->end, HTTP_ANSWERED);
        const char *text = raw_server_request(server, i);
        ck_assert_ptr_eq(strstr(text, rows[i].line), text);
        ck_assert_ptr_nonnull(strstr(text, "\r\nX-Mine: me\r\n"));
        ck_assert_ptr_nonnull(strstr(text, "\r\nX-None:"));
        ck_assert_ptr_null(strstr(text, "Expect:"));
        ck_assert_ptr_nonnull(strstr(text, "\r\n\r\n{\"a\":1}"));
    }
    ck_assert_uint_eq(raw_server_connections(server), 1);
}
END_TEST

START_TEST(a_header_that_would_be_two_is_not_sent)
{
    static const struct http_header rows[] = {{"X-A", "b\r\nX-C: d"},
                                              {"X-A", "b\nX-C: d"},
                                              {"X-A\r\nX-B", "c"},
                                              {"X A", "b"},
                                              {"", "b"},
                                              {"X:A", "b"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char reason[HTTP_REASON_BYTES] = "";
        struct http_request request = request_to("127.0.0.1", server, "/");
        request.headers[0] = rows[i];
        request.header_count = 1;
        ck_assert_uint_eq(http->start(http, &request, reason), 0);
        ck_assert_str_ne(reason, "");
    }
    ck_assert_uint_eq(raw_server_connections(server), 0);
}
END_TEST

START_TEST(headers_are_those_of_the_last_answer)
{
    ck_assert_str_eq(get("/twice")->own, "yes");
    const struct ended *came = get("/odd");
    ck_assert_str_eq(came->own, "a: b");
    ck_assert_uint_eq(came->header_count, 3);
}
END_TEST

START_TEST(bounds_of_an_answer_hold)
{
    struct http_request request = request_to("127.0.0.1", server, "/bomb");
    ck_assert_int_eq(run(&request)->end, HTTP_TOO_LARGE);
    request.cuts = true;
    request.body_max = 1000;
    const struct ended *came = run(&request);
    ck_assert_int_eq(came->end, HTTP_ANSWERED);
    ck_assert(came->was_cut);
    ck_assert_uint_eq(came->body_size, 1000);
    ck_assert_int_eq(get("/fields")->end, HTTP_TOO_LARGE);
}
END_TEST

START_TEST(an_answer_that_breaks_off_is_lost)
{
    const struct ended *came = get("/half");
    ck_assert_int_eq(came->end, HTTP_LOST);
    ck_assert(came->sent);
    ck_assert(!came->was_idle);
    (void)get("/"); /* ... though it had been kept, and not only as new */
    ck_assert(!get("/half")->was_idle);
    ck_assert_uint_eq(raw_server_connections(server), 2);
}
END_TEST

START_TEST(a_stream_is_heard_as_it_comes)
{
    struct http_request request = request_to("127.0.0.1", server, "/pieces");
    request.streams = true;
    uint64_t number = start(&request);
    int64_t until_at = clock_us() + WAIT_US;
    while (strcmp(pieces, "one|") != 0) {
        ck_assert_msg(clock_us() < until_at, "heard: %s", pieces);
        turn();
    }
    raw_server_open_gate(server);
    ck_assert_int_eq(wait_end(number)->end, HTTP_ANSWERED);
    ck_assert(strcmp(pieces, "one|two|") == 0 || strcmp(ends[0].body, "two") == 0);
}
END_TEST

/* Connections. */

START_TEST(nobody_there_means_that_nothing_was_sent)
{
    struct http_request request = request_to("127.0.0.1", server, "/");
    request.url = "http://127.0.0.1:1/secret?key=value";
    const struct ended *came = run(&request);
    ck_assert_int_eq(came->end, HTTP_NO_CONNECTION);
    ck_assert(!came->sent);
    ck_assert_ptr_null(strstr(came->reason, "value"));
}
END_TEST

/* Whether it is asked twice is for repeat.h to say, not for libcurl. */
START_TEST(a_kept_connection_that_dies_is_not_tried_again_unseen)
{
    struct http_request request = request_to("127.0.0.1", server, "/dies");
    request.method = HTTP_POST;
    request.body = bytes_of("{}");
    ck_assert_int_eq(run(&request)->end, HTTP_ANSWERED);
    const struct ended *came = run(&request);
    ck_assert_int_eq(came->end, HTTP_LOST);
    ck_assert(came->sent);
    ck_assert(came->was_idle);
    ck_assert_uint_eq(raw_server_requests(server), 2);
}
END_TEST

START_TEST(one_host_gets_eight_connections_and_the_rest_wait)
{
    uint64_t numbers[20];
    struct http_request request = request_to("127.0.0.1", server, "/held");
    for (size_t i = 0; i < 20; i++)
        numbers[i] = start(&request);
    turn_until_requests(HTTP_HOST_CONNECTIONS_MAX);
    struct http_request quick = request_to("127.0.0.1", other, "/");
    ck_assert_int_eq(run(&quick)->end, HTTP_ANSWERED);
    /* Longer than a connection may take to be there: waiting for one is not the same. */
    int64_t until_at = clock_us() + (HTTP_CONNECT_MS + 300) * US_PER_MS;
    while (clock_us() < until_at)
        turn();
    raw_server_open_gate(server);
    for (size_t i = 0; i < 20; i++)
        ck_assert_int_eq(wait_end(numbers[i])->end, HTTP_ANSWERED);
    ck_assert_uint_eq(raw_server_peak(server), HTTP_HOST_CONNECTIONS_MAX);
    ck_assert_uint_eq(raw_server_connections(server), HTTP_HOST_CONNECTIONS_MAX);
}
END_TEST

static uint32_t open_in(enum http_kind kind)
{
    struct http_usage usage;
    http->usage(http, &usage);
    return usage.open[kind];
}

/* So many requests to each of so many hosts: 127.0.0.<first> and on. They are held. */
static size_t start_at_hosts(struct http_request request, unsigned first, unsigned hosts,
                             unsigned each, uint64_t *numbers)
{
    char url[128];
    request.url = url;
    for (unsigned i = 0; i < hosts * each; i++) {
        snprintf(url, sizeof url, "http://127.0.0.%u:%u/held", first + i / each,
                 raw_server_port(server));
        numbers[i] = start(&request);
    }
    return hosts * each;
}

static void serve_everywhere(void)
{
    raw_server_destroy(&server);
    http->destroy(&http);
    server = raw_server_new_at(answer, 0);
    open_http("", "127.0.0.0/8");
}

/* decision 0130 has the parts: 40 for the addresses of the settings, 16 for foreign ones, 8 for
 * polls */
START_TEST(there_are_64_connections_and_what_waits_is_served_after)
{
    uint64_t numbers[120];
    struct http_request own = {.deadline_at = clock_us() + WAIT_US}, web = own, poll = own;
    web.is_foreign = true;
    poll.is_poll = true;
    serve_everywhere();
    size_t count = start_at_hosts(own, 1, 60, 1, numbers);
    count += start_at_hosts(web, 1, 30, 1, numbers + count);
    count += start_at_hosts(poll, 1, 20, 1, numbers + count);
    turn_until_requests(HTTP_CONNECTIONS_MAX);
    int64_t until_at = clock_us() + 300 * US_PER_MS;
    while (clock_us() < until_at)
        turn();
    ck_assert_uint_eq(raw_server_open(server), HTTP_CONNECTIONS_MAX);
    ck_assert_uint_eq(raw_server_requests(server), HTTP_CONNECTIONS_MAX);
    ck_assert_uint_eq(open_in(HTTP_KIND_OWN), 40);
    ck_assert_uint_eq(open_in(HTTP_KIND_FOREIGN), 16);
    ck_assert_uint_eq(open_in(HTTP_KIND_POLL), 8);
    raw_server_open_gate(server);
    turn_until_ended(count);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(ends[i].end, HTTP_ANSWERED);
    ck_assert_uint_eq(open_peak, HTTP_CONNECTIONS_MAX);
}
END_TEST

/* Each takes no more than it leaves: 8 and 8 of the 40 ... 2 and 1 are left for others. */
START_TEST(hosts_that_hang_leave_connections_for_the_next)
{
    uint64_t numbers[60];
    struct http_request own = {.deadline_at = clock_us() + 2 * WAIT_US}, web = own;
    web.is_foreign = true;
    serve_everywhere();
    (void)start_at_hosts(own, 1, 6, 10, numbers);
    turn_until_requests(38);
    (void)start_at_hosts(web, 1, 3, 10, numbers);
    turn_until_requests(38 + 14);
    struct http_request quick = request_to("127.0.0.1", other, "/");
    ck_assert_int_eq(run(&quick)->end, HTTP_ANSWERED);
    quick.is_foreign = true;
    ck_assert_int_eq(run(&quick)->end, HTTP_ANSWERED);
}
END_TEST

/* Who waits for a host that hangs stands in nobody else's way. */
START_TEST(many_at_a_host_that_hangs_delay_none_of_many_at_another)
{
    uint64_t numbers[40];
    struct http_request held = request_to("127.0.0.1", server, "/held");
    struct http_request quick = request_to("127.0.0.1", other, "/");
    held.deadline_at += WAIT_US;
    for (size_t i = 0; i < 40; i++)
        (void)start(&held);
    turn_until_requests(HTTP_HOST_CONNECTIONS_MAX);
    for (size_t i = 0; i < 40; i++)
        numbers[i] = start(&quick);
    for (size_t i = 0; i < 40; i++)
        ck_assert_int_eq(wait_end(numbers[i])->end, HTTP_ANSWERED);
}
END_TEST

/* ... and those that are only kept make room for who wants one. */
START_TEST(connections_that_nobody_uses_make_room)
{
    uint64_t numbers[80];
    struct http_request own = {.deadline_at = clock_us() + WAIT_US};
    serve_everywhere();
    raw_server_open_gate(server);
    for (unsigned round = 0; round < 2; round++) {
        end_count = 0;
        size_t count = start_at_hosts(own, 1 + 80 * round, 80, 1, numbers);
        turn_until_ended(count);
        ck_assert_uint_le(open_in(HTTP_KIND_OWN), 40);
    }
    ck_assert_uint_ge(open_in(HTTP_KIND_OWN), 8);
}
END_TEST

START_TEST(a_connection_that_is_not_made_is_not_counted)
{
    struct http_request request = request_to("127.0.0.1", server, "/");
    request.url = "http://127.0.0.1:1/";
    ck_assert_int_eq(run(&request)->end, HTTP_NO_CONNECTION);
    ck_assert_uint_eq(open_in(HTTP_KIND_OWN), 0);
    ck_assert_int_eq(get("/")->end, HTTP_ANSWERED);
    ck_assert_uint_eq(open_in(HTTP_KIND_OWN), 1);
    ck_assert_int_eq(get("/half")->end, HTTP_LOST);
    ck_assert_uint_eq(open_in(HTTP_KIND_OWN), 0);
}
END_TEST

START_TEST(what_waits_for_a_connection_has_a_deadline_too)
{
    struct http_request request = request_to("127.0.0.1", server, "/held");
    for (size_t i = 0; i < HTTP_HOST_CONNECTIONS_MAX; i++)
        (void)start(&request);
    turn_until_requests(HTTP_HOST_CONNECTIONS_MAX);
    request.deadline_at = clock_us() + 100 * US_PER_MS;
    const struct ended *came = run(&request);
    ck_assert_int_eq(came->end, HTTP_LATE);
    ck_assert(!came->sent);
}
END_TEST

START_TEST(a_deadline_and_a_cancel_break_a_transfer_off)
{
    struct http_request request = request_to("127.0.0.1", server, "/held");
    uint64_t number = start(&request);
    turn_until_requests(1);
    http->cancel(http, number);
    request.deadline_at = clock_us() + 100 * US_PER_MS;
    const struct ended *came = run(&request);
    ck_assert_int_eq(came->end, HTTP_LATE);
    ck_assert(came->sent);
    int64_t until_at = clock_us() + WAIT_US;
    while (raw_server_open(server) > 0) {
        ck_assert_msg(clock_us() < until_at, "connections stay open");
        turn();
    }
    ck_assert_uint_eq(end_count, 1); /* nothing more was heard of the other */
}
END_TEST

START_TEST(a_name_that_is_not_found_in_time_keeps_nobody)
{
    struct http_request request = request_to("hangs.test", server, "/");
    uint64_t number = start(&request);
    for (int i = 0; i < 5; i++)
        turn();
    http->cancel(http, number);
    request.deadline_at = clock_us() + 100 * US_PER_MS;
    int64_t begun_at = clock_us();
    const struct ended *came = run(&request);
    ck_assert_int_eq(came->end, HTTP_LATE);
    ck_assert(!came->sent);
    begun_at = clock_us();
    (void)start(&request);
    http->destroy(&http);
    measure(begun_at);
    ck_assert_int_lt(longest_turn_us, STUCK_S * US_PER_S / 2);
}
END_TEST

START_TEST(no_proxy_is_taken_from_the_environment)
{
    char proxy[64];
    http->destroy(&http);
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", raw_server_port(other));
    setenv("http_proxy", proxy, 1);
    setenv("ALL_PROXY", proxy, 1);
    open_http("", "127.0.0.1");
    ck_assert_int_eq(get("/")->end, HTTP_ANSWERED);
    ck_assert_uint_eq(raw_server_connections(other), 0);
    http->destroy(&http);
    setenv("no_proxy", "*", 1);
    open_http(proxy, "127.0.0.1");
    ck_assert_int_eq(get("/through")->end, HTTP_ANSWERED);
    ck_assert_uint_eq(raw_server_requests(other), 1);
    ck_assert_ptr_nonnull(strstr(raw_server_request(other, 0), "/through HTTP/1.1\r\n"));
}
END_TEST

/* What stands behind a proxy cannot be judged. */
START_TEST(no_foreign_address_is_asked_through_a_proxy)
{
    char proxy[64];
    http->destroy(&http);
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", raw_server_port(other));
    open_http(proxy, "127.0.0.1");
    struct http_request request = foreign("/");
    ck_assert_int_eq(run(&request)->end, HTTP_ANSWERED);
    ck_assert_uint_eq(raw_server_requests(other), 0);
}
END_TEST

/* Foreign addresses. */

START_TEST(a_foreign_request_uses_no_connection_that_was_not_judged)
{
    struct http_request own = request_to("127.0.0.2", server, "/");
    struct http_request request = request_to("127.0.0.2", server, "/");
    (void)run(&own); /* nobody listens there: but had it, a connection would be kept */
    request.is_foreign = true;
    ck_assert_int_eq(run(&request)->end, HTTP_DENIED);
    ck_assert_int_eq(get("/")->end, HTTP_ANSWERED);
    request = foreign("/");
    ck_assert_int_eq(run(&request)->end, HTTP_ANSWERED);
    ck_assert_uint_eq(raw_server_connections(server), 2);
}
END_TEST

START_TEST(of_two_addresses_the_one_that_may_be_reached_is)
{
    struct http_request request = request_to("both.test", server, "/");
    request.is_foreign = true;
    const struct ended *came = run(&request);
    ck_assert_int_eq(came->end, HTTP_ANSWERED);
    ck_assert_str_eq(came->body, "ok");
}
END_TEST

START_TEST(a_redirect_is_followed_as_the_status_says)
{
    static const struct {
        const char *path;
        enum http_method method;
        const char *line;
        bool has_body;
    } rows[] = {
        {"/moved-301-self", HTTP_GET, "GET /there", false},
        {"/moved-301-self", HTTP_POST, "GET /there", false},
        {"/moved-302-self", HTTP_POST, "GET /there", false},
        {"/moved-302-self", HTTP_PUT, "PUT /there", true},
        {"/moved-302-self", HTTP_DELETE, "DELETE /there", true},
        {"/moved-303-self", HTTP_PUT, "GET /there", false},
        {"/moved-303-self", HTTP_DELETE, "GET /there", false},
        {"/moved-307-self", HTTP_POST, "POST /there", true},
        {"/moved-308-self", HTTP_PUT, "PUT /there", true},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct http_request request = foreign(rows[i].path);
        request.method = rows[i].method;
        request.body = rows[i].method == HTTP_GET ? (struct bytes){0} : bytes_of("body");
        const struct ended *came = run(&request);
        ck_assert_int_eq(came->end, HTTP_ANSWERED);
        ck_assert_ptr_nonnull(strstr(came->url, "/there"));
        const char *text = raw_server_request(server, 2 * i + 1);
        ck_assert_msg(strncmp(text, rows[i].line, strlen(rows[i].line)) == 0, "%u: %s", i, text);
        ck_assert_msg((strstr(text, "\r\n\r\nbody") != NULL) == rows[i].has_body, "%u: %s", i,
                      text);
    }
}
END_TEST

START_TEST(another_origin_gets_only_what_says_nothing_of_the_caller)
{
    static const struct http_header headers[] = {
        {"Accept", "text/plain"}, {"Authorization", "Bearer k"},
        {"X-Api-Key", "k"},       {"X-Auth-Token", "k"},
        {"Cookie", "a=b"},        {"Private-Token", "k"},
        {"X-Mine", "me"}};
    struct http_request request = foreign("/moved-302-other");
    request.header_count = sizeof headers / sizeof headers[0];
    memcpy(request.headers, headers, sizeof headers);
    ck_assert_int_eq(run(&request)->end, HTTP_ANSWERED);
    const char *text = raw_server_request(other, 0);
    ck_assert_ptr_nonnull(strstr(text, "\r\nAccept: text/plain\r\n"));
    for (size_t i = 1; i < sizeof headers / sizeof headers[0]; i++)
        ck_assert_msg(strstr(text, headers[i].name) == NULL, "%s", text);
    request = foreign("/moved-302-self");
    request.header_count = sizeof headers / sizeof headers[0];
    memcpy(request.headers, headers, sizeof headers);
    ck_assert_int_eq(run(&request)->end, HTTP_ANSWERED);
    ck_assert_ptr_nonnull(strstr(raw_server_request(server, 2), "\r\nX-Mine: me\r\n"));
}
END_TEST

START_TEST(what_was_sent_before_a_redirect_was_sent)
{
    struct http_request request = foreign("/moved-307-denied");
    request.method = HTTP_POST;
    request.body = bytes_of("body");
    const struct ended *came = run(&request);
    ck_assert_int_eq(came->end, HTTP_DENIED);
    ck_assert(came->sent);
    request = foreign("/moved-307-closed");
    request.method = HTTP_POST;
    request.body = bytes_of("body");
    came = run(&request);
    ck_assert_int_eq(came->end, HTTP_NO_CONNECTION);
    ck_assert(came->sent);
    request = request_to("127.0.0.2", server, "/");
    request.is_foreign = true;
    came = run(&request);
    ck_assert_int_eq(came->end, HTTP_DENIED);
    ck_assert(!came->sent);
}
END_TEST

START_TEST(so_many_exchanges_are_under_way_and_no_more)
{
    char reason[HTTP_REASON_BYTES] = "";
    struct http_request request = request_to("127.0.0.1", server, "/held");
    for (size_t i = 0; i < HTTP_TRANSFERS_MAX; i++)
        (void)start(&request);
    ck_assert_uint_eq(http->start(http, &request, reason), 0);
    ck_assert_str_ne(reason, "");
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, an_answer_comes_whole);
    tcase_add_test(tcase, a_body_and_headers_go_out_as_they_are);
    tcase_add_test(tcase, a_header_that_would_be_two_is_not_sent);
    tcase_add_test(tcase, headers_are_those_of_the_last_answer);
    tcase_add_test(tcase, bounds_of_an_answer_hold);
    tcase_add_test(tcase, an_answer_that_breaks_off_is_lost);
    tcase_add_test(tcase, a_stream_is_heard_as_it_comes);
    tcase_add_test(tcase, nobody_there_means_that_nothing_was_sent);
    tcase_add_test(tcase, a_kept_connection_that_dies_is_not_tried_again_unseen);
    tcase_add_test(tcase, one_host_gets_eight_connections_and_the_rest_wait);
    tcase_add_test(tcase, there_are_64_connections_and_what_waits_is_served_after);
    tcase_add_test(tcase, hosts_that_hang_leave_connections_for_the_next);
    tcase_add_test(tcase, many_at_a_host_that_hangs_delay_none_of_many_at_another);
    tcase_add_test(tcase, connections_that_nobody_uses_make_room);
    tcase_add_test(tcase, a_connection_that_is_not_made_is_not_counted);
    tcase_add_test(tcase, what_waits_for_a_connection_has_a_deadline_too);
    tcase_add_test(tcase, a_deadline_and_a_cancel_break_a_transfer_off);
    tcase_add_test(tcase, a_name_that_is_not_found_in_time_keeps_nobody);
    tcase_add_test(tcase, no_proxy_is_taken_from_the_environment);
    tcase_add_test(tcase, no_foreign_address_is_asked_through_a_proxy);
    tcase_add_test(tcase, a_foreign_request_uses_no_connection_that_was_not_judged);
    tcase_add_test(tcase, of_two_addresses_the_one_that_may_be_reached_is);
    tcase_add_test(tcase, a_redirect_is_followed_as_the_status_says);
    tcase_add_test(tcase, another_origin_gets_only_what_says_nothing_of_the_caller);
    tcase_add_test(tcase, what_was_sent_before_a_redirect_was_sent);
    tcase_add_test(tcase, so_many_exchanges_are_under_way_and_no_more);
}

int main(void)
{
    return suite_run("http_curl", add_tests);
}
