// The last include of a pure file: it must compile without PostgreSQL, so that it can be tested,
// fuzzed and sanitised alone.
#ifdef POSTGRES_H
#error "this file is pure: PostgreSQL's headers belong into src/pg only"
#endif
