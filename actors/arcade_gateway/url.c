/* url - see url.h. */
#include "actors/arcade_gateway/url.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "protocol/key.h"

#define PORT_SEPARATORS ", \t"

bool ports_read(struct ports *self, const char *text)
{
    self->count = 0;
    for (;;) {
        text += strspn(text, PORT_SEPARATORS);
        size_t size = strcspn(text, PORT_SEPARATORS);
        if (size == 0)
            return true;
        if (strspn(text, "0123456789") != size || size > 5 || self->count == PORTS_MAX)
            return false;
        unsigned long port = strtoul(text, NULL, 10);
        if (port == 0 || port > UINT16_MAX)
            return false;
        self->list[self->count++] = (uint16_t)port;
        text += size;
    }
}

/* One part of it, into room of some bytes; false: it is not there, or longer. */
static bool take_part(CURLU *handle, CURLUPart part, unsigned flags, char *out, size_t size)
{
    char *text = NULL;
    if (curl_url_get(handle, part, &text, flags) != CURLUE_OK)
        return false;
    int length = snprintf(out, size, "%s", text);
    curl_free(text);
    return length > 0 && (size_t)length < size;
}

static bool has_part(CURLU *handle, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(handle, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

/* [::1] is ::1. */
static void drop_brackets(char *host)
{
    size_t size = strlen(host);
    if (size < 2 || host[0] != '[')
        return;
    memmove(host, host + 1, size - 2);
    host[size - 2] = '\0';
}

static bool read_parts(CURLU *handle, struct url *ret, const char **reason)
{
    char scheme[8] = "", port[8] = "";
    bool good = take_part(handle, CURLUPART_SCHEME, 0, scheme, sizeof scheme);
    ret->is_https = strcasecmp(scheme, "https") == 0;
    if (!good || (!ret->is_https && strcasecmp(scheme, "http") != 0)) {
        *reason = "only http and https are spoken";
        return false;
    }
    if (has_part(handle, CURLUPART_USER) || has_part(handle, CURLUPART_PASSWORD)) {
        *reason = "it has a user part";
        return false;
    }
    if (!take_part(handle, CURLUPART_HOST, 0, ret->host, sizeof ret->host) ||
        !take_part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof port)) {
        *reason = "it has no host";
        return false;
    }
    drop_brackets(ret->host);
    ret->port = (uint16_t)strtoul(port, NULL, 10);
    return true;
}

bool url_read(const char *text, struct url *ret, const char **reason)
{
    CURLU *handle = curl_url();
    assert(handle != NULL);
    bool good = curl_url_set(handle, CURLUPART_URL, text, 0) == CURLUE_OK;
    *reason = "it is no URL";
    good = good && read_parts(handle, ret, reason);
    curl_url_cleanup(handle);
    return good;
}

bool url_is_allowed(const char *text, const struct ports *ports, struct url *ret,
                    const char **reason)
{
    if (!url_read(text, ret, reason))
        return false;
    for (size_t i = 0; i < ports->count; i++)
        if (ports->list[i] == ret->port)
            return true;
    *reason = "its port is not one that may be reached";
    return false;
}

bool url_same_origin(const struct url *left, const struct url *right)
{
    return left->is_https == right->is_https && left->port == right->port &&
           strcasecmp(left->host, right->host) == 0;
}

uint64_t url_origin_hash(const struct url *self)
{
    char text[URL_HOST_BYTES_MAX + 16];
    int size = snprintf(text, sizeof text, "%d %u %s", self->is_https, self->port, self->host);
    for (char *at = text; *at != '\0'; at++)
        *at |= *at >= 'A' && *at <= 'Z' ? 0x20 : 0; /* to lower case */
    uint64_t hash = key_hash(0, (struct bytes){text, (size_t)size});
    return hash != 0 ? hash : 1;
}

bool url_is_loopback(const struct url *self)
{
    return strcmp(self->host, "127.0.0.1") == 0 || strcmp(self->host, "::1") == 0 ||
           strcasecmp(self->host, "localhost") == 0;
}
