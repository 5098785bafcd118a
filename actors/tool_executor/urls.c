/* urls - see urls.h. */
#include "actors/tool_executor/urls.h"

#include <string.h>
#include <strings.h>

static const char separator[] = "://";

struct urls urls_over(struct bytes text, const struct bytes *schemes, size_t scheme_count)
{
    return (struct urls){.text = text, .schemes = schemes, .scheme_count = scheme_count};
}

static bool is_among(char character, const char *set)
{
    return character != '\0' && strchr(set, character) != NULL;
}

static bool is_of_scheme(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || is_among(character, "+-.");
}

static bool is_of_url(char character)
{
    return (unsigned char)character > ' ' && character != 0x7f &&
           !is_among(character, "<>\"`{}|\\^");
}

static size_t count_of(struct bytes text, char character)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == character;
    return count;
}

/* Without the punctuation of the sentence around it. */
static struct bytes trim(struct bytes url)
{
    size_t round = count_of(url, '('), square = count_of(url, '['); /* opened */
    size_t round_closed = count_of(url, ')'), square_closed = count_of(url, ']');
    while (url.size > 0) {
        char last = url.data[url.size - 1];
        if (!is_among(last, ".,;:!?'") && (last != ')' || round_closed <= round) &&
            (last != ']' || square_closed <= square))
            break;
        round_closed -= last == ')';
        square_closed -= last == ']';
        url.size--;
    }
    return url;
}

/* The scheme that ends at this place; scheme_count: none that is looked for. */
static size_t scheme_before(const struct urls *self, size_t end, size_t *ret_start)
{
    size_t start = end;
    while (start > self->at && is_of_scheme(self->text.data[start - 1]))
        start--;
    size_t size = end - start, i = 0;
    while (i < self->scheme_count &&
           (self->schemes[i].size != size ||
            strncasecmp(self->schemes[i].data, self->text.data + start, size) != 0))
        i++;
    *ret_start = start;
    return i;
}

/* The URL around a separator.
 *
 * ret_end  where to look on; behind the separator at least */
static bool url_around(const struct urls *self, size_t found, struct bytes *ret, size_t *ret_scheme,
                       size_t *ret_end)
{
    size_t start, end = found + sizeof separator - 1, body = end;
    size_t scheme = scheme_before(self, found, &start);
    *ret_end = body;
    if (scheme == self->scheme_count || body == self->text.size ||
        is_among(self->text.data[body], "/?#:"))
        return false;
    while (end < self->text.size && is_of_url(self->text.data[end]))
        end++;
    struct bytes url = trim((struct bytes){self->text.data + start, end - start});
    if (start + url.size <= body)
        return false;
    *ret = url;
    *ret_scheme = scheme;
    *ret_end = start + url.size;
    return true;
}

bool urls_next(struct urls *self, struct bytes *ret, size_t *ret_scheme)
{
    while (self->at < self->text.size) {
        const char *from = self->text.data + self->at;
        const char *found =
            memmem(from, self->text.size - self->at, separator, sizeof separator - 1);
        if (found == NULL)
            break;
        size_t end;
        bool is_url = url_around(self, (size_t)(found - self->text.data), ret, ret_scheme, &end);
        self->at = end;
        if (is_url)
            return true;
    }
    self->at = self->text.size;
    return false;
}
