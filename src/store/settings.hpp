#pragma once
// Settings of the store (GUCs).

namespace migrator::store {

extern int message_depth;  // how deep messages may be nested

void define_settings();

}  // namespace migrator::store
