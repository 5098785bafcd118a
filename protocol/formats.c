/* formats - see formats.h. */
#include "protocol/formats.h"

#include <arpa/inet.h>
#include <string.h>

#include "protocol/value.h"

#define LOCAL_BYTES_MAX 64u /* RFC 5321, 4.5.3.1 */
#define HOST_BYTES_MAX 253u
#define LABEL_BYTES_MAX 63u
#define ADDRESS_BYTES_MAX 45u /* the longest IPv6 address in text */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* The part of a text in front of c, which the rest then begins behind; all of it if there is none.
 */
static struct bytes split(struct bytes *rest, char c)
{
    const char *at = rest->size > 0 ? memchr(rest->data, c, rest->size) : NULL;
    struct bytes part = {rest->data, at == NULL ? rest->size : (size_t)(at - rest->data)};
    size_t used = part.size + (at != NULL);
    *rest = (struct bytes){used > 0 ? rest->data + used : rest->data, rest->size - used};
    return part;
}

static bool is_label(struct bytes label)
{
    if (label.size == 0 || label.size > LABEL_BYTES_MAX)
        return false;
    for (size_t i = 0; i < label.size; i++)
        if (!is_alphanumeric(label.data[i]) && label.data[i] != '-')
            return false;
    return label.data[0] != '-' && label.data[label.size - 1] != '-';
}

static bool is_host(struct bytes host)
{
    bool all = host.size > 0 && host.size <= HOST_BYTES_MAX && host.data[host.size - 1] != '.';
    while (all && host.size > 0)
        all = is_label(split(&host, '.'));
    return all;
}

static bool is_email(struct bytes text)
{
    struct bytes local = split(&text, '@');
    if (local.size == 0 || local.size > LOCAL_BYTES_MAX || !is_host(text))
        return false;
    for (size_t i = 0; i < local.size; i++) {
        char c = local.data[i];
        bool inner = i > 0 && i + 1 < local.size && local.data[i - 1] != '.';
        if (c == '.' ? !inner : !is_alphanumeric(c) && !is_one_of(c, "!#$%&'*+-/=?^_`{|}~"))
            return false;
    }
    return true;
}

static bool is_scheme(struct bytes scheme)
{
    for (size_t i = 0; i < scheme.size; i++)
        if (!is_alphanumeric(scheme.data[i]) && !is_one_of(scheme.data[i], "+-."))
            return false;
    return scheme.size > 0 && is_alphanumeric(scheme.data[0]) && !is_digit(scheme.data[0]);
}

static bool is_uri(struct bytes text)
{
    unsigned fragments = 0;
    bool has_scheme = text.size > 0 && memchr(text.data, ':', text.size) != NULL;
    if (!has_scheme || !is_scheme(split(&text, ':')))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool escape =
            c == '%' && text.size - i > 2 && is_hex(text.data[i + 1]) && is_hex(text.data[i + 2]);
        if (!escape && !is_alphanumeric(c) && !is_one_of(c, "-._~:/?#[]@!$&'()*+,;="))
            return false;
        fragments += c == '#';
    }
    return fragments <= 1;
}

/* The number that a text begins with, of so many digits; the text goes on behind it. */
static bool take_digits(struct bytes *text, unsigned digits, unsigned *ret)
{
    *ret = 0;
    for (; digits > 0; digits--) {
        if (text->size == 0 || !is_digit(*text->data))
            return false;
        *ret = 10 * *ret + (unsigned)(*text->data - '0');
        *text = (struct bytes){text->data + 1, text->size - 1};
    }
    return true;
}

static bool take_one_of(struct bytes *text, const char *set)
{
    if (text->size == 0 || !is_one_of(*text->data, set))
        return false;
    *text = (struct bytes){text->data + 1, text->size - 1};
    return true;
}

static bool take_date(struct bytes *text)
{
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year, month, day;
    if (!take_digits(text, 4, &year) || !take_one_of(text, "-") || !take_digits(text, 2, &month) ||
        !take_one_of(text, "-") || !take_digits(text, 2, &day))
        return false;
    if (month < 1 || month > 12)
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day >= 1 && day <= days[month - 1] + (leap && month == 2);
}

static bool is_date(struct bytes text)
{
    return take_date(&text) && text.size == 0;
}

static bool take_hours(struct bytes *text)
{
    unsigned hour, minute;
    return take_digits(text, 2, &hour) && take_one_of(text, ":") && take_digits(text, 2, &minute) &&
           hour <= 23 && minute <= 59;
}

/* A leap second may be 60. */
static bool is_date_time(struct bytes text)
{
    unsigned second, digit;
    if (!take_date(&text) || !take_one_of(&text, "Tt") || !take_hours(&text) ||
        !take_one_of(&text, ":") || !take_digits(&text, 2, &second) || second > 60)
        return false;
    if (take_one_of(&text, ".") && !take_digits(&text, 1, &digit))
        return false;
    while (text.size > 0 && is_digit(*text.data))
        (void)take_digits(&text, 1, &digit);
    if (!take_one_of(&text, "Zz") && (!take_one_of(&text, "+-") || !take_hours(&text)))
        return false;
    return text.size == 0;
}

static bool is_address(struct bytes text, int family)
{
    char copy[ADDRESS_BYTES_MAX + 1];
    struct in6_addr address;
    if (text.size == 0 || text.size > ADDRESS_BYTES_MAX)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return memchr(copy, '\0', text.size) == NULL && inet_pton(family, copy, &address) == 1;
}

static bool is_ipv4(struct bytes text)
{
    return is_address(text, AF_INET);
}

static bool is_ipv6(struct bytes text)
{
    return is_address(text, AF_INET6);
}

static bool is_uuid(struct bytes text)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    bool fits = text.size == sizeof shape - 1;
    for (size_t i = 0; fits && i < text.size; i++)
        fits = shape[i] == '-' ? text.data[i] == '-' : is_hex(text.data[i]);
    return fits;
}

static const struct {
    const char *name;
    format_check *check;
} formats[] = {
    {"email", is_email}, {"uri", is_uri},   {"date", is_date}, {"date-time", is_date_time},
    {"ipv4", is_ipv4},   {"ipv6", is_ipv6}, {"uuid", is_uuid},
};

format_check *formats_find(struct bytes name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (bytes_are(name, formats[i].name))
            return formats[i].check;
    return NULL;
}
