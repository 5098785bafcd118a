/* lexicon - see lexicon.h.
 *
 * A word that says nothing must say nothing in every question: what can turn a meaning round (not,
 * except, before, over, than) is left out on purpose, so that a question with it is not answered.
 */
#include "actors/driver/lexicon.h"

#include <strings.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* clang-format off */
#define NOTHING(phrase)            {phrase, 0, NO_METRIC, NO_ATTRIBUTE, false, false},
#define ELEMENT(phrase, elements)  {phrase, elements, NO_METRIC, NO_ATTRIBUTE, false, false},
#define METRIC_WORD(phrase, index) {phrase, METRIC, index, NO_ATTRIBUTE, false, false},
#define ATTRIBUTE_WORD(phrase, elements, index, lowest) \
    {phrase, ATTRIBUTE | (elements), NO_METRIC, index, lowest, false},
#define LOWEST(phrase)             {phrase, EXTREME, NO_METRIC, NO_ATTRIBUTE, true, false},
#define FORECAST(phrase)           {phrase, 0, NO_METRIC, NO_ATTRIBUTE, false, true},

enum {REVENUE, PROFIT, EXPENSES, MARGIN};             /* of measures[] */
enum {EMPLOYEES, MARKET_CAP, FOUNDED_YEAR, SYMBOL};   /* of attributes[] */

const struct entry lexicon[] = {
    NOTHING("a") NOTHING("an") NOTHING("the") NOTHING("of") NOTHING("in") NOTHING("for")
    NOTHING("at") NOTHING("on") NOTHING("by") NOTHING("with") NOTHING("during") NOTHING("is")
    NOTHING("are") NOTHING("was") NOTHING("were") NOTHING("be") NOTHING("did") NOTHING("does")
    NOTHING("do") NOTHING("has") NOTHING("have") NOTHING("had") NOTHING("its") NOTHING("their")
    NOTHING("there") NOTHING("that") NOTHING("what") NOTHING("which") NOTHING("how") NOTHING("much")
    NOTHING("how much") NOTHING("by how much") NOTHING("please") NOTHING("tell") NOTHING("me")
    NOTHING("us") NOTHING("show") NOTHING("give") NOTHING("list") NOTHING("find") NOTHING("get")
    NOTHING("i") NOTHING("need") NOTHING("want") NOTHING("to know") NOTHING("make") NOTHING("made")
    NOTHING("report") NOTHING("reported") NOTHING("figure") NOTHING("figures") NOTHING("value")
    NOTHING("amount") NOTHING("all")

    METRIC_WORD("revenue", REVENUE) METRIC_WORD("revenues", REVENUE) METRIC_WORD("sales", REVENUE)
    METRIC_WORD("turnover", REVENUE) METRIC_WORD("profit", PROFIT) METRIC_WORD("profits", PROFIT)
    METRIC_WORD("net profit", PROFIT) METRIC_WORD("net income", PROFIT)
    METRIC_WORD("earnings", PROFIT) METRIC_WORD("expenses", EXPENSES)
    METRIC_WORD("expense", EXPENSES) METRIC_WORD("costs", EXPENSES) METRIC_WORD("cost", EXPENSES)
    METRIC_WORD("spending", EXPENSES) METRIC_WORD("expenditure", EXPENSES)
    METRIC_WORD("margin", MARGIN) METRIC_WORD("margins", MARGIN)
    METRIC_WORD("profit margin", MARGIN) METRIC_WORD("profit margins", MARGIN)

    ATTRIBUTE_WORD("employees", 0, EMPLOYEES, false)
    ATTRIBUTE_WORD("number of employees", 0, EMPLOYEES, false)
    ATTRIBUTE_WORD("how many employees", 0, EMPLOYEES, false)
    ATTRIBUTE_WORD("how many people work", 0, EMPLOYEES, false)
    ATTRIBUTE_WORD("headcount", 0, EMPLOYEES, false) ATTRIBUTE_WORD("staff", 0, EMPLOYEES, false)
    ATTRIBUTE_WORD("market cap", 0, MARKET_CAP, false)
    ATTRIBUTE_WORD("market capitalization", 0, MARKET_CAP, false)
    ATTRIBUTE_WORD("market capitalisation", 0, MARKET_CAP, false)
    ATTRIBUTE_WORD("market value", 0, MARKET_CAP, false)
    ATTRIBUTE_WORD("founded", 0, FOUNDED_YEAR, false)
    ATTRIBUTE_WORD("established", 0, FOUNDED_YEAR, false)
    ATTRIBUTE_WORD("founding year", 0, FOUNDED_YEAR, false)
    ATTRIBUTE_WORD("oldest", EXTREME, FOUNDED_YEAR, true)
    ATTRIBUTE_WORD("youngest", EXTREME, FOUNDED_YEAR, false)
    ATTRIBUTE_WORD("symbol", 0, SYMBOL, false) ATTRIBUTE_WORD("ticker", 0, SYMBOL, false)
    ATTRIBUTE_WORD("ticker symbol", 0, SYMBOL, false)

    ELEMENT("company", COMPANIES) ELEMENT("companies", COMPANIES) ELEMENT("firm", COMPANIES)
    ELEMENT("firms", COMPANIES) ELEMENT("which company", COMPANIES)
    ELEMENT("which companies", COMPANIES) ELEMENT("which firm", COMPANIES)
    ELEMENT("which firms", COMPANIES) ELEMENT("who", COMPANIES)
    ELEMENT("sector", SECTORS) ELEMENT("sectors", SECTORS) ELEMENT("industry", SECTORS)
    ELEMENT("which sector", SECTORS) ELEMENT("which sectors", SECTORS)
    ELEMENT("which industry", SECTORS)
    ELEMENT("which quarter", QUARTERS) ELEMENT("what quarter", QUARTERS)
    ELEMENT("when", WHEN) ELEMENT("which year", WHEN) ELEMENT("what year", WHEN)
    ELEMENT("quarterly", EACH_QUARTER) ELEMENT("by quarter", EACH_QUARTER)
    ELEMENT("per quarter", EACH_QUARTER) ELEMENT("each quarter", EACH_QUARTER)
    ELEMENT("every quarter", EACH_QUARTER)
    ELEMENT("by sector", EACH_SECTOR) ELEMENT("per sector", EACH_SECTOR)
    ELEMENT("each sector", EACH_SECTOR) ELEMENT("every sector", EACH_SECTOR)
    ELEMENT("by industry", EACH_SECTOR)
    ELEMENT("total", TOTAL) ELEMENT("overall", TOTAL) ELEMENT("combined", TOTAL)
    ELEMENT("sum", TOTAL) ELEMENT("in total", TOTAL) ELEMENT("altogether", TOTAL)
    ELEMENT("average", AVERAGE) ELEMENT("mean", AVERAGE) ELEMENT("on average", AVERAGE)
    ELEMENT("highest", EXTREME) ELEMENT("most", EXTREME) ELEMENT("largest", EXTREME)
    ELEMENT("biggest", EXTREME) ELEMENT("greatest", EXTREME) ELEMENT("top", EXTREME)
    ELEMENT("best", EXTREME) ELEMENT("maximum", EXTREME) ELEMENT("higher", EXTREME)
    ELEMENT("leading", EXTREME) ELEMENT("more", EXTREME)
    LOWEST("lowest") LOWEST("least") LOWEST("smallest") LOWEST("worst") LOWEST("bottom")
    LOWEST("minimum") LOWEST("fewest")
    ELEMENT("how many", COUNT) ELEMENT("number of", COUNT) ELEMENT("count", COUNT)
    ELEMENT("grow", GROWTH) ELEMENT("grew", GROWTH) ELEMENT("growth", GROWTH)
    ELEMENT("change", GROWTH) ELEMENT("changed", GROWTH) ELEMENT("grown", GROWTH)
    ELEMENT("compare", COMPARE) ELEMENT("versus", COMPARE) ELEMENT("vs", COMPARE)
    ELEMENT("comparison", COMPARE) ELEMENT("and", COMPARE) ELEMENT("or", COMPARE)
    ELEMENT("loss", LOSS) ELEMENT("losses", LOSS) ELEMENT("lost money", LOSS)
    ELEMENT("unprofitable", LOSS)
    ELEMENT("latest quarter", LATEST) ELEMENT("most recent quarter", LATEST)
    ELEMENT("newest quarter", LATEST)

    FORECAST("forecast") FORECAST("forecasts") FORECAST("predict") FORECAST("predicted")
    FORECAST("prediction") FORECAST("projection") FORECAST("projected") FORECAST("project")
    FORECAST("expect") FORECAST("expected") FORECAST("estimate") FORECAST("estimated")
    FORECAST("outlook") FORECAST("will") FORECAST("next year") FORECAST("next quarter")
    FORECAST("future")
};
/* clang-format on */
const size_t lexicon_count = COUNT_OF(lexicon);

static bool is(struct bytes word, const char *text)
{
    struct bytes other = bytes_of(text);
    return word.size == other.size && strncasecmp(word.data, text, word.size) == 0;
}

bool lexicon_is_sector(struct bytes sector, struct bytes word)
{
    static const char *const others[][2] = {
        {"Technology", "tech"}, {"Healthcare", "health"}, {"Finance", "financial"}};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (is(sector, others[i][0]) && is(word, others[i][1]))
            return true;
    return false;
}

bool lexicon_number(struct bytes word, uint64_t *ret)
{
    static const char *const numbers[] = {"two",   "three", "four", "five",   "six",   "seven",
                                          "eight", "nine",  "ten",  "eleven", "twelve"};
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (is(word, numbers[i])) {
            *ret = i + 2;
            return true;
        }
    return false;
}
