/* tool_math - Math_Calculator. */
#include "actors/tool_executor/calculator.h"
#include "actors/tool_executor/tool_functions.h"

bool tool_calculator(struct tool_call *call, struct tool_output *out, struct failure *failure)
{
    struct bytes expression = tool_text(call, "expression");
    struct number number;
    if (!calculator_run(expression, &number, failure))
        return false;
    writer_map(&out->data, 3);
    writer_cstr(&out->data, "expression");
    writer_text(&out->data, expression);
    writer_cstr(&out->data, "result");
    if (number.is_integer)
        writer_i64(&out->data, number.integer);
    else
        writer_f64(&out->data, number.real);
    writer_cstr(&out->data, "type");
    writer_cstr(&out->data, number.is_integer ? "integer" : "float");
    return true;
}
