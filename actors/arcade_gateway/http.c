/* http - see http.h. */
#include "actors/arcade_gateway/http.h"

#include <string.h>
#include <strings.h>

const char *http_header_find(const struct http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (strcasecmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return NULL;
}

const char *http_version_name(enum http_version version)
{
    static const char *const names[] = {[HTTP_VERSION_NONE] = "none",
                                        [HTTP_VERSION_1_0] = "1.0",
                                        [HTTP_VERSION_1_1] = "1.1",
                                        [HTTP_VERSION_2] = "2",
                                        [HTTP_VERSION_3] = "3"};
    return names[version];
}

const char *http_kind_name(enum http_kind kind)
{
    static const char *const names[] = {
        [HTTP_KIND_OWN] = "own", [HTTP_KIND_FOREIGN] = "web", [HTTP_KIND_POLL] = "poll"};
    return names[kind];
}

size_t http_headers_split(char *text, struct http_header *out)
{
    size_t count = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\r\n", &rest); line != NULL && count < HTTP_HEADERS_MAX;
         line = strtok_r(NULL, "\r\n", &rest)) {
        char *colon = strchr(line, ':');
        if (colon == NULL || colon == line || strncmp(line, "HTTP/", 5) == 0)
            continue;
        *colon = '\0';
        char *value = colon + 1 + strspn(colon + 1, " \t");
        for (size_t end = strlen(value); end > 0 && strchr(" \t", value[end - 1]) != NULL; end--)
            value[end - 1] = '\0';
        out[count++] = (struct http_header){line, value};
    }
    return count;
}
