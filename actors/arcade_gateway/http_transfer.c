/* http_transfer - see http_transfer.h. */
#include "actors/arcade_gateway/http_transfer.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/limits.h"

#define HEADER_LINE_BYTES_MAX 8192u

/* Bytes, gathered. */

static bool gather(struct gathered *self, const char *data, size_t size, size_t max)
{
    if (size > max - self->used)
        return false;
    if (self->used + size + 1 > self->size) {
        size_t wanted = 2 * (self->used + size) + 512;
        self->size = wanted < max + 1 ? wanted : max + 1;
        self->data = realloc(self->data, self->size);
        assert(self->data != NULL);
    }
    memcpy(self->data + self->used, data, size);
    self->used += size;
    return true;
}

void transfer_end(struct transfer *self, enum http_end end, const char *reason)
{
    if (self->is_broken)
        return;
    self->is_broken = true;
    self->end = end;
    (void)snprintf(self->reason, sizeof self->reason, "%s", reason);
}

/* What libcurl calls. */

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    struct transfer *self = context;
    assert(one == 1);
    if (gather(&self->came, data, size, self->body_max)) {
        self->has_piece |= self->streams;
        return size;
    }
    if (!self->cuts) {
        transfer_end(self, HTTP_TOO_LARGE, "the answer is larger than it may be");
        return 0;
    }
    self->was_cut = true;
    (void)gather(&self->came, data, self->body_max - self->came.used, self->body_max);
    transfer_end(self, HTTP_ANSWERED, "");
    return 0;
}

/* One line; a status line begins anew, as after 100 or in another hop. */
static size_t on_header(char *data, size_t one, size_t size, void *context)
{
    struct transfer *self = context;
    assert(one == 1);
    if (size >= 5 && memcmp(data, "HTTP/", 5) == 0)
        self->header_lines.used = 0;
    if (gather(&self->header_lines, data, size, HTTP_HEADER_BYTES_MAX))
        return size;
    transfer_end(self, HTTP_TOO_LARGE, "the answer's headers are larger than they may be");
    return 0;
}

/* The only way to a connection: so what is judged is where it leads, whatever its name. */
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *self = context;
    (void)purpose;
    if (self->kind == HTTP_KIND_FOREIGN &&
        !address_is_allowed(&self->rules->allowed, &address->addr)) {
        self->is_denied = true; /* but the name may have another one */
        return CURL_SOCKET_BAD;
    }
    int descriptor = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    self->connections->open += descriptor >= 0;
    return descriptor;
}

/* The connection may have outlived the transfer that opened it. */
static int on_close(void *context, curl_socket_t descriptor)
{
    struct connections *connections = context;
    assert(connections->open > 0);
    connections->open--;
    return close(descriptor);
}

/* All is ready for the request. */
static int on_made(void *context, char *there, char *here, int port_there, int port_here)
{
    struct transfer *self = context;
    (void)there, (void)here, (void)port_there, (void)port_here;
    connections_made(self->connections, self->host);
    return CURL_PREREQFUNC_OK;
}

/* Asking. */

static bool is_plain(const char *text)
{
    return strpbrk(text, "\r\n") == NULL;
}

static bool add_header(struct transfer *self, const struct http_header *header, char *reason)
{
    char line[HEADER_LINE_BYTES_MAX];
    bool is_empty = header->value[0] == '\0';
    int size = is_empty ? snprintf(line, sizeof line, "%s;", header->name)
                        : snprintf(line, sizeof line, "%s: %s", header->name, header->value);
    if (header->name[0] == '\0' || !is_plain(header->name) || !is_plain(header->value) ||
        strpbrk(header->name, " :;\t") != NULL || size < 0 || (size_t)size >= sizeof line) {
        (void)snprintf(reason, HTTP_REASON_BYTES, "a header cannot be sent: %.64s", header->name);
        explicit_bzero(line, sizeof line);
        return false;
    }
    struct curl_slist *list = curl_slist_append(self->headers, line);
    explicit_bzero(line, sizeof line); /* it may be a key */
    assert(list != NULL);
    self->headers = list;
    return true;
}

static bool take_request(struct transfer *self, const struct http_request *request, char *reason)
{
    if (strlen(request->url) >= sizeof self->url || !is_plain(request->url)) {
        (void)snprintf(reason, HTTP_REASON_BYTES, "its address is too long, or none");
        return false;
    }
    memcpy(self->url, request->url, strlen(request->url) + 1);
    for (size_t i = 0; i < request->header_count; i++)
        if (!add_header(self, &request->headers[i], reason))
            return false;
    struct curl_slist *list = curl_slist_append(self->headers, "Expect:"); /* do not ask before */
    assert(list != NULL);
    self->headers = list;
    if (request->body.data == NULL)
        return true;
    self->body = malloc(request->body.size + 1);
    assert(self->body != NULL);
    memcpy(self->body, request->body.data, request->body.size);
    self->body_size = request->body.size;
    return true;
}

struct transfer *transfer_new(const struct http_rules *rules, const struct http_request *request,
                              int64_t now_at, char *reason)
{
    struct transfer *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->rules = rules;
    self->method = request->method;
    self->begun_at = now_at;
    self->deadline_at = request->deadline_at;
    self->body_max = request->body_max > 0 ? request->body_max : HTTP_BODY_BYTES_MAX;
    self->kind = request->is_foreign ? HTTP_KIND_FOREIGN
                 : request->is_poll  ? HTTP_KIND_POLL
                                     : HTTP_KIND_OWN;
    self->cuts = request->cuts;
    self->streams = request->streams;
    self->redirects_left = request->redirects_max;
    self->easy = curl_easy_init();
    assert(self->easy != NULL);
    if (take_request(self, request, reason))
        return self;
    transfer_destroy(&self);
    return NULL;
}

/* A key may be in its headers. */
static void wipe_headers(struct curl_slist *list)
{
    for (struct curl_slist *at = list; at != NULL; at = at->next)
        explicit_bzero(at->data, strlen(at->data));
}

void transfer_destroy(struct transfer **self_p)
{
    struct transfer *self = *self_p;
    if (self == NULL)
        return;
    assert(!self->is_active);
    curl_easy_cleanup(self->easy);
    wipe_headers(self->headers);
    curl_slist_free_all(self->headers);
    free(self->body);
    free(self->header_lines.data);
    free(self->came.data);
    free(self->split);
    free(self);
    *self_p = NULL;
}

static size_t on_read(char *out, size_t one, size_t room, void *context)
{
    struct transfer *self = context;
    size_t left = self->body_size - self->body_read, size = left < room * one ? left : room * one;
    memcpy(out, self->body + self->body_read, size);
    self->body_read += size;
    return size;
}

/* libcurl sends a request again, by itself and without a word, if a connection that it had kept
 * ends before an answer. But the other side may have done what it was asked: whether it is asked
 * twice is for repeat.h to say. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
    const struct transfer *self = context;
    bool is_at_start = offset == 0 && origin == SEEK_SET && self->body_read == 0;
    return is_at_start ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

/* Without a body there is nothing to go back in: then no connection that was kept is used. */
static void set_method(struct transfer *self)
{
    CURL *easy = self->easy;
    self->body_read = 0;
    bool is_bare = self->body_size == 0 && self->method != HTTP_GET;
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, is_bare ? 1L : 0L);
    static const char *const names[] = {
        [HTTP_GET] = "GET", [HTTP_POST] = "POST", [HTTP_PUT] = "PUT", [HTTP_DELETE] = "DELETE"};
    if (self->body != NULL || self->method == HTTP_POST) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)self->body_size);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(easy, CURLOPT_READDATA, self);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, self);
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, names[self->method]);
}

/* source: docs/gateway.md, "One call" */
static void set_options(struct transfer *self, long left_ms)
{
    CURL *easy = self->easy;
    const struct http_rules *rules = self->rules;
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, self->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, left_ms);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* no waiting for who looks a name up */
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)HTTP_IDLE_S);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* "": none, whatever the environment says. Where a proxy goes to cannot be judged. */
    curl_easy_setopt(easy, CURLOPT_PROXY, self->kind == HTTP_KIND_FOREIGN ? "" : rules->proxy);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, rules->user_agent);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, self->headers);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, self->error);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, self);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, self);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, self);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_made);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, self);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, self->connections);
    if (rules->ca_file[0] != '\0')
        curl_easy_setopt(easy, CURLOPT_CAINFO, rules->ca_file);
    set_method(self);
}

bool transfer_prepare(struct transfer *self, int64_t now_at)
{
    struct url url;
    const char *reason = "";
    int64_t left_ms = (self->deadline_at - now_at) / US_PER_MS;
    if (self->kind == HTTP_KIND_FOREIGN &&
        !url_is_allowed(self->url, &self->rules->ports, &url, &reason)) {
        transfer_end(self, HTTP_DENIED, reason);
        return false;
    }
    if (left_ms < 1) {
        transfer_end(self, HTTP_LATE, "there was no time left");
        return false;
    }
    self->header_lines.used = 0;
    self->came.used = 0;
    self->error[0] = '\0';
    self->is_denied = false;
    set_options(self, (long)left_ms);
    return true;
}

/* Redirects. */

/* Headers that say nothing of who asks; any other may be a key, whatever its name. */
static bool is_neutral(const char *line)
{
    static const char *const names[] = {"accept:", "accept-language:", "content-type:", "expect:"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncasecmp(line, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void drop_credentials(struct transfer *self)
{
    struct curl_slist *kept = NULL;
    for (const struct curl_slist *at = self->headers; at != NULL; at = at->next) {
        struct curl_slist *list = is_neutral(at->data) ? curl_slist_append(kept, at->data) : kept;
        assert(list != NULL || kept == NULL);
        kept = list;
    }
    wipe_headers(self->headers);
    curl_slist_free_all(self->headers);
    self->headers = kept;
}

/* 303 is asked for with GET, and so is a POST after 301 and 302, as everybody does; all others as
 * before. source: Fetch, "HTTP-redirect fetch" */
static void change_method(struct transfer *self, long status)
{
    bool changes = status == 303 || (self->method == HTTP_POST && (status == 301 || status == 302));
    if (!changes)
        return;
    self->method = HTTP_GET;
    free(self->body);
    self->body = NULL;
    self->body_size = 0;
}

/* True: there is another hop. False: there is none, or it must not be. */
static bool follow(struct transfer *self, long status)
{
    char *location = NULL;
    struct url before, after;
    const char *reason = "it leads to no URL";
    if (status < 301 || status > 308 || status == 304 || self->redirects_left == 0)
        return false;
    if (curl_easy_getinfo(self->easy, CURLINFO_REDIRECT_URL, &location) != CURLE_OK ||
        location == NULL)
        return false;
    if (strlen(location) >= sizeof self->url || !url_read(self->url, &before, &reason) ||
        !url_read(location, &after, &reason) || (before.is_https && !after.is_https)) {
        transfer_end(self, HTTP_DENIED, "it is redirected where it must not go");
        return false;
    }
    memcpy(self->url, location, strlen(location) + 1);
    self->redirects_left--;
    self->was_redirected = true;
    if (!url_same_origin(&before, &after))
        drop_credentials(self);
    change_method(self, status);
    return true;
}

/* Ends. */

/* In this hop. */
static bool was_sent(const struct transfer *self)
{
    long bytes = 0;
    (void)curl_easy_getinfo(self->easy, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes > 0;
}

static enum http_end end_of(const struct transfer *self, CURLcode result, int64_t now_at)
{
    switch (result) {
    case CURLE_OK:
        return HTTP_ANSWERED;
    case CURLE_OPERATION_TIMEDOUT: /* of the connection, or of all */
        return was_sent(self) || now_at + US_PER_MS >= self->deadline_at ? HTTP_LATE
                                                                         : HTTP_NO_CONNECTION;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_USE_SSL_FAILED:
        return HTTP_TLS;
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        return HTTP_MALFORMED;
    default:
        return was_sent(self) ? HTTP_LOST : HTTP_NO_CONNECTION;
    }
}

/* Whether what broke off had been kept, and had said nothing yet. With a body libcurl would have
 * gone back in it to send it once more, which on_seek() does not let it. */
static bool had_been_idle(const struct transfer *self, CURLcode result)
{
    long made = 1;
    if (result == CURLE_SEND_FAIL_REWIND)
        return true;
    (void)curl_easy_getinfo(self->easy, CURLINFO_NUM_CONNECTS, &made);
    return made == 0 && self->header_lines.used == 0;
}

bool transfer_hop_done(struct transfer *self, CURLcode result, int64_t now_at)
{
    long status = 0;
    (void)curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
    if (!self->is_broken && result == CURLE_OK && follow(self, status))
        return true;
    if (result == CURLE_COULDNT_CONNECT && self->is_denied)
        transfer_end(self, HTTP_DENIED, "its address is not one that may be reached");
    if (!self->is_broken) {
        self->end = end_of(self, result, now_at);
        self->was_idle = self->end == HTTP_LOST && had_been_idle(self, result);
        (void)snprintf(self->reason, sizeof self->reason, "%.200s",
                       self->error[0] != '\0' ? self->error : curl_easy_strerror(result));
    }
    return false;
}

/* In a copy: more may come. */
static size_t split_headers(struct transfer *self, struct http_header *out)
{
    size_t size = self->header_lines.used;
    self->split = realloc(self->split, size + 1);
    assert(self->split != NULL);
    if (size > 0)
        memcpy(self->split, self->header_lines.data, size);
    self->split[size] = '\0';
    return http_headers_split(self->split, out);
}

enum http_version transfer_version(const struct transfer *self)
{
    static const struct {
        long curls;
        enum http_version ours;
    } rows[] = {{CURL_HTTP_VERSION_1_0, HTTP_VERSION_1_0},
                {CURL_HTTP_VERSION_1_1, HTTP_VERSION_1_1},
                {CURL_HTTP_VERSION_2_0, HTTP_VERSION_2},
                {CURL_HTTP_VERSION_3, HTTP_VERSION_3}};
    long version = CURL_HTTP_VERSION_NONE;
    (void)curl_easy_getinfo(self->easy, CURLINFO_HTTP_VERSION, &version);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].curls == version)
            return rows[i].ours;
    return HTTP_VERSION_NONE;
}

void transfer_write_response(struct transfer *self, int64_t now_at, struct http_response *ret)
{
    long status = 0;
    *ret = (struct http_response){.exchange = self->number,
                                  .end = self->has_ended ? self->end : HTTP_ANSWERED,
                                  .sent = self->was_redirected || was_sent(self),
                                  .body = {self->came.data, self->came.used},
                                  .was_cut = self->was_cut,
                                  .was_idle = self->was_idle,
                                  .taken_us = now_at - self->begun_at};
    (void)curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
    ret->status = ret->end == HTTP_ANSWERED && status > 0 ? (unsigned)status : 0;
    ret->version = ret->status > 0 ? transfer_version(self) : HTTP_VERSION_NONE;
    (void)snprintf(ret->url, sizeof ret->url, "%s", self->url);
    (void)snprintf(ret->reason, sizeof ret->reason, "%s", self->reason);
    ret->header_count = split_headers(self, ret->headers);
}
