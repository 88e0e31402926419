// The header is good C++ too.
#include <gthulhu.h>

int main() {
    gthulhu_error error;
    gthulhu_table *table = gthulhu_table_open(-1, &error);
    gthulhu_view view = {nullptr, nullptr, nullptr, 0};
    bool as_it_should_be = table == nullptr && error.code == GTHULHU_SYSTEM && gthulhu_view_lookup(&view, 1) == 0;
    return as_it_should_be ? 0 : 1;
}
