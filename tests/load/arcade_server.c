/* fact-arcade-server - a bare Arcade on loopback, for measuring what a gateway's call costs.
 *
 * One tool, Bench.Double: {n} gives {"double": 2n}. Prints its address on a line; ends with its
 * standard input. It answers as fast as libmicrohttpd does and looks at no key: never for anything
 * but measuring. */
#include <assert.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_BYTES_MAX 4096u

#define JSON(...) #__VA_ARGS__
/* clang-format off */
static const char list[] = JSON({"items": [{
    "name": "Double", "qualified_name": "Bench.Double", "fully_qualified_name": "Bench.Double@1.0.0",
    "description": "Twice a number.",
    "toolkit": {"name": "Bench", "version": "1.0.0"},
    "input": {"parameters": [{"name": "n", "required": true, "description": "",
                              "value_schema": {"val_type": "integer"}}]},
    "requirements": {"met": true},
    "metadata": {"behavior": {"read_only": true, "idempotent": true, "destructive": false,
                              "open_world": false}}}],
    "limit": 100, "offset": 0, "page_count": 1, "total_count": 1});
/* clang-format on */

/* The body of one request, as it comes. */
struct received {
    size_t size;
    char data[BODY_BYTES_MAX];
};

static enum MHD_Result answer(struct MHD_Connection *connection, const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    (void)MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result execute(struct MHD_Connection *connection, const struct received *received)
{
    char text[512];
    json_t *body = json_loadb(received->data, received->size, 0, NULL);
    json_int_t number = json_integer_value(json_object_get(json_object_get(body, "input"), "n"));
    json_decref(body);
    (void)snprintf(text, sizeof text,
                   "{\"id\":\"1\",\"execution_id\":\"1\",\"status\":\"success\",\"success\":true,"
                   "\"duration\":0.1,\"finished_at\":\"2026-01-01T00:00:00Z\","
                   "\"output\":{\"value\":{\"double\":%lld}}}",
                   (long long)(2 * number));
    return answer(connection, text);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *data, size_t *size, void **own)
{
    struct received *received = *own;
    (void)context, (void)version, (void)method;
    if (received == NULL) {
        *own = calloc(1, sizeof *received);
        return *own == NULL ? MHD_NO : MHD_YES;
    }
    if (*size > 0) {
        if (*size > BODY_BYTES_MAX - received->size)
            return MHD_NO;
        memcpy(received->data + received->size, data, *size);
        received->size += *size;
        *size = 0;
        return MHD_YES;
    }
    return strcmp(path, "/v1/tools/execute") == 0 ? execute(connection, received)
                                                  : answer(connection, list);
}

static void on_end(void *context, struct MHD_Connection *connection, void **own,
                   enum MHD_RequestTerminationCode code)
{
    (void)context, (void)connection, (void)code;
    free(*own);
    *own = NULL;
}

int main(void)
{
    char byte;
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, NULL, MHD_OPTION_NOTIFY_COMPLETED,
        on_end, NULL, MHD_OPTION_CONNECTION_TIMEOUT, 120u, MHD_OPTION_END);
    assert(daemon != NULL);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    assert(info != NULL);
    printf("http://127.0.0.1:%u\n", (unsigned)info->port);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    MHD_stop_daemon(daemon);
    return 0;
}
