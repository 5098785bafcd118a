/* http - see http.h. */
#include "actors/arcade_gateway/http.h"

#include <strings.h>

const char *http_header_find(const struct http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (strcasecmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return NULL;
}
